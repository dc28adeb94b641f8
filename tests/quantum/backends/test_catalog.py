import pytest

from quantum.backends.base import Backend
from quantum.backends.catalog import configurations, open_backend
from quantum.backends.credentials import Credentials, need_packages
from quantum.backends.names import NAMES
from quantum.errors import InvalidValues, NotConfigured, Unavailable

FULL = {"QISKIT_IBM_TOKEN": "ibm-secret", "IONQ_API_KEY": "ionq-secret"}


@pytest.mark.parametrize("name", NAMES)
def test_every_backend_opens_without_a_request(name):
    backend = open_backend(name, FULL)
    assert isinstance(backend, Backend) and backend.name == name
    assert "secret" not in repr(backend)


def test_what_is_missing_is_said_and_never_raised():
    found = {c.name: c for c in configurations({})}
    assert [name for name, c in found.items() if c.configured] == ["simulator", "mock", "noisy"]
    assert "QISKIT_IBM_TOKEN" in found["ibm"].reason
    assert "IONQ_API_KEY" in found["ionq"].reason
    assert all(c.configured for c in configurations(FULL))
    blank = {"QISKIT_IBM_TOKEN": " ", "IONQ_API_KEY": ""}
    assert not any(c.configured for c in configurations(blank) if c.name in ("ibm", "ionq"))


def test_fake_devices_need_no_token():
    assert open_backend("ibm", {}, device="fake_manila").options.is_local


def test_options_reach_the_backend():
    assert open_backend("mock", {}, seed=5).seed == 5
    assert open_backend("noisy", {}, calibration="guadalupe", scale=2.0).scale == 2.0
    ionq = open_backend("ionq", FULL, client="qiskit", target="qpu.forte-1")
    assert (ionq.client, ionq.options.target) == ("qiskit", "qpu.forte-1")


@pytest.mark.parametrize(
    ("name", "options"),
    [("abacus", {}), ("mock", {"colour": 1}), ("ibm", {"speed": 9}), ("ionq", {"client": "q"})],
)
def test_what_does_not_exist_is_refused(name, options):
    with pytest.raises(InvalidValues):
        open_backend(name, FULL, **options)


def test_a_package_that_is_missing_is_not_configured(monkeypatch):
    monkeypatch.setattr("quantum.backends.credentials.find_spec", lambda name: None)
    with pytest.raises(NotConfigured, match="qiskit and qiskit_ibm_runtime are not installed"):
        need_packages("ibm")
    assert not {c.name: c for c in configurations(FULL)}["ibm"].configured


def test_a_dead_provider_is_known_to_all_who_ask_at_the_same_address(monkeypatch):
    monkeypatch.setattr("quantum.backends.catalog._BREAKERS", {})
    dead = FULL | {"IONQ_API_URL": "http://127.0.0.1:9/v0.4"}
    first, second = (open_backend("ionq", dead) for _ in range(2))
    first.line.sleep = second.line.sleep = lambda seconds: None
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"cannot be reached|left alone"):
            first.capabilities()
    with pytest.raises(Unavailable, match="left alone"):
        second.capabilities()
    elsewhere = open_backend("ionq", FULL | {"IONQ_API_URL": "http://127.0.0.1:10/v0.4"})
    elsewhere.line.tries = 1
    with pytest.raises(Unavailable, match="cannot be reached"):
        elsewhere.capabilities()


def test_credentials_do_not_show_themselves():
    assert "secret" not in repr(Credentials("secret", "https://x", "secret-crn"))
