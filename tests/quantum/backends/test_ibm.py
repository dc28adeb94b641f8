"""IBM's client against a server that speaks IBM's REST API, and its local testing mode."""

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit.transpiler import Target

from quantum.backends.base import Handle, Status, batch_of
from quantum.backends.cache import FileCache
from quantum.backends.choose import BackendManager
from quantum.backends.credentials import Credentials
from quantum.backends.handles import HandleStore
from quantum.backends.ibm import IBMBackend, IBMOptions
from quantum.backends.line import Line
from quantum.backends.run import Patience, expectations, hand_over, run
from quantum.backends.simulated import mock
from quantum.circuit import Circuit
from quantum.errors import (
    BackendError,
    BadAnswer,
    DeadlinePassed,
    DoesNotFit,
    InvalidValues,
    JobFailed,
    JobNotFound,
    NotConfigured,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from quantum.observable import X, Y, Z
from tests.contract.ibm import CRN, KEY, IBMServer
from tests.contract.server import Fault

# The server of the tests runs jobs by the same classes.
pytestmark = pytest.mark.filterwarnings("ignore:The .*V2 class is deprecated:DeprecationWarning")
CIRCUIT = Circuit(3).ry("b", 0).cx(0, 1).rx("a", 2)
VALUES = torch.tensor([[0.3, 0.5], [1.0, 2.0]], dtype=torch.float64)
OBSERVABLES = (Z(0) @ Z(1), Z(2) + 0.5 * X(0))
QUICK = Patience(deadline_seconds=60, first_seconds=0.01, longest_seconds=0.05)


@pytest.fixture(scope="module")
def _server():
    with IBMServer().running() as server:
        yield server


@pytest.fixture
def server(_server, monkeypatch):
    _server.reset()
    monkeypatch.setenv("IAM_URL", _server.url)
    monkeypatch.setenv("QISKIT_FUNCTIONS_EXPERIMENTAL", "1")  # no search for accounts
    return _server


@pytest.fixture
def connect(server):
    def open_backend(*, key=KEY, limit_seconds=30.0, cache=None, **options):
        line = Line(
            "IBM Quantum",
            limit_seconds=limit_seconds,
            sleep=lambda seconds: time.sleep(min(seconds, 0.01)),
        )
        credentials = Credentials(key, server.url, CRN)
        return IBMBackend(credentials, IBMOptions(**options), cache, line)

    return open_backend


@pytest.fixture
def fake():
    return IBMBackend(options=IBMOptions(device="fake_manila"))


def wait(backend, handle):
    while not backend.status(handle).is_final:
        time.sleep(0.01)
    return backend.result(handle)


# Against the server


def test_means_and_bits_come_back_in_our_order(connect, server):
    backend = connect(optimization_level=1)
    found = expectations(backend, CIRCUIT, VALUES, OBSERVABLES, shots=40_000, patience=QUICK)
    exact = expectations(mock(), CIRCUIT, VALUES, OBSERVABLES)
    assert torch.allclose(found, exact, atol=0.2)  # the device is noisy
    (counted,) = run(backend, batch_of(Circuit(3).x(0), shots=500), patience=QUICK)
    assert max(counted.counts, key=counted.counts.get) == "100"
    assert sum(counted.counts.values()) == 500
    first, second = server.requests("POST", "/jobs")
    assert first.body["program_id"] == "estimator" and second.body["program_id"] == "sampler"


def test_options_and_tag_reach_the_provider(connect, server):
    backend = connect(
        device="test_manila",
        decoupling="XY4",
        twirl_gates=True,
        twirl_measurement=True,
        resilience_level=2,
        max_execution_seconds=77,
    )
    backend.submit(batch_of(CIRCUIT, VALUES, observables=OBSERVABLES, shots=400, tag="mine"))
    (posted,) = server.requests("POST", "/jobs")
    body = server.jobs["job-1"]["body"]
    assert posted.body["tags"] == ["mine"]
    options = body["params"]["options"]
    assert options["dynamical_decoupling"] == {"enable": True, "sequence_type": "XY4"}
    assert options["twirling"] == {"enable_gates": True, "enable_measure": True}
    assert body["params"]["resilience_level"] == 2
    assert body["cost"] == 77


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, {}),
        ({"twirl_gates": True}, {"enable_gates": True}),
        ({"twirl_measurement": False}, {"enable_measure": False}),
    ],
)
def test_what_nobody_says_of_twirling_is_left_to_the_level(connect, server, options, said):
    backend = connect(device="test_manila", resilience_level=2, **options)
    backend.submit(batch_of(CIRCUIT, VALUES, observables=OBSERVABLES, shots=400))
    sent = server.jobs["job-1"]["body"]["params"].get("options", {})
    assert sent.get("twirling", {}) == said


@pytest.mark.parametrize("mode", ["batch", "session"])
def test_several_jobs_share_a_session_until_it_is_closed(connect, server, mode):
    backend = connect(device="test_manila", mode=mode, optimization_level=0)
    for bit in (0, 1):
        backend.submit(batch_of(Circuit(2).x(bit), shots=5))
    posted = [r.body["session_id"] for r in server.requests("POST", "/jobs")]
    assert posted == ["session-1", "session-1"]
    assert server.sessions["session-1"]["max_ttl"] == 3600  # should nobody close it
    backend.close()
    assert server.sessions["session-1"]["closed"]


def test_a_job_is_picked_up_after_a_restart(connect, server, tmp_path):
    store = HandleStore(tmp_path)
    batch = batch_of(Circuit(2).x(1), shots=50, tag="later")
    hand_over(connect(optimization_level=0), batch, store=store)
    again = store.find("later")
    (found,) = wait(connect(), Handle.from_json(again.to_json()))
    assert max(found.counts, key=found.counts.get) == "01"
    assert len(server.requests("POST", "/jobs")) == 1
    assert connect(usd_per_second=1.5).price(again) == 3.0  # two seconds of the machine


def test_a_submission_whose_answer_was_lost_is_not_sent_twice(connect, server, tmp_path):
    store = HandleStore(tmp_path)
    batch = batch_of(Circuit(1).x(0), shots=40, tag="once")
    server.faults = [Fault("lost", "/jobs$", "POST")]
    with pytest.raises(Unavailable):
        hand_over(connect(), batch, store=store)
    assert store.find("once").job_id == ""
    run(connect(), batch, store=store, patience=QUICK)
    assert len(server.requests("POST", "/jobs")) == 1


def test_a_job_is_found_by_its_tag_while_it_may_have_a_result(connect, server):
    server.hold = True
    backend = connect(device="test_manila", optimization_level=0)
    lost = Handle("ibm", batch_of(Circuit(1).x(0), shots=40, tag="lost"))
    assert backend.find(lost) is None
    sent = backend.submit(lost.batch)
    assert backend.find(lost).job_id == sent.job_id
    backend.cancel(sent)
    assert backend.find(lost) is None


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (400, BackendError),
        (401, Unauthorized),
        (429, RateLimited),
        (500, Unavailable),
        (503, Unavailable),
        ("cut", Unavailable),
        ("garbage", BadAnswer),
        ("empty", BadAnswer),
    ],
)
def test_a_failed_submission_is_one_plain_error_and_one_request(connect, server, kind, error):
    backend = connect(device="test_manila", optimization_level=0)
    server.faults = [Fault(kind, "/jobs$", "POST")]
    with pytest.raises(error) as caught:
        backend.submit(batch_of(Circuit(1).x(0), shots=3))
    assert type(caught.value) is error
    assert KEY not in str(caught.value) and CRN not in str(caught.value)
    assert len(server.requests("POST", "/jobs")) == 1


@pytest.mark.parametrize("kind", [429, 500, 503, "cut", "garbage"])
def test_questions_survive_a_bad_moment(connect, server, kind):
    backend = connect(device="test_manila", optimization_level=0)
    handle = backend.submit(batch_of(Circuit(1).x(0), shots=30))
    server.faults = [Fault(kind, "/jobs/job-1$", "GET"), Fault(kind, "/results", "GET")]
    (found,) = wait(backend, handle)
    assert found.counts["1"] > 15 and server.faults == []


def test_a_pause_that_is_too_long_is_an_error_and_not_a_wait(connect, server):
    backend = connect(device="test_manila", optimization_level=0)
    handle = backend.submit(batch_of(Circuit(1), shots=3))
    server.faults = [Fault(429, "/jobs/", "GET", {"Retry-After": "3600"})]
    start = time.monotonic()
    with pytest.raises(RateLimited, match="3600 s"):
        backend.status(handle)
    assert time.monotonic() - start < 2


def test_a_server_that_stalls_costs_no_more_than_the_limit(connect, server):
    backend = connect(device="test_manila", optimization_level=0)
    handle = backend.submit(batch_of(Circuit(1), shots=3))
    backend.line.limit_seconds = 0.3
    server.faults = [Fault("stall", "/jobs/")]
    start = time.monotonic()
    with pytest.raises(Unavailable):
        backend.status(handle)
    assert time.monotonic() - start < 2


def test_wrong_credentials_are_said_so_and_never_shown(connect):
    backend = connect(key="wrong-token-xyz", device="test_manila")
    with pytest.raises(Unauthorized) as caught:
        backend.capabilities()
    assert "wrong-token-xyz" not in str(caught.value) + repr(backend)


def test_a_job_that_never_ends_ends_at_the_deadline_and_can_be_cancelled(connect, server, tmp_path):
    server.hold = True
    backend, store = connect(device="test_manila", optimization_level=0), HandleStore(tmp_path)
    batch = batch_of(Circuit(1), shots=3, tag="slow")
    with pytest.raises(DeadlinePassed):
        run(backend, batch, store=store, patience=replace(QUICK, deadline_seconds=0.2))
    handle = store.find("slow")
    backend.cancel(handle)
    assert backend.status(handle) is Status.CANCELLED
    with pytest.raises(JobFailed, match="cancelled"):
        backend.result(handle)


def test_a_failed_job_says_why_and_a_strange_one_is_not_found(connect, server):
    backend = connect(device="test_manila", optimization_level=0)
    server.fail_with = "the fridge is warm"
    handle = backend.submit(batch_of(Circuit(1), shots=3))
    with pytest.raises(JobFailed, match="fridge is warm"):
        wait(backend, handle)
    with pytest.raises(JobNotFound):
        backend.status(Handle("ibm", handle.batch, "job-99"))


def test_a_job_that_came_to_nothing_is_sent_again_under_its_tag(connect, server, tmp_path):
    backend, store = connect(device="test_manila", optimization_level=0), HandleStore(tmp_path)
    batch = batch_of(Circuit(1).x(0), shots=40, tag="again")
    server.fail_with = "the fridge is warm"
    with pytest.raises(JobFailed):
        run(backend, batch, store=store, patience=QUICK)
    server.fail_with, server.hold = "", True
    handle = hand_over(backend, batch, store=store)
    assert handle.job_id == "job-2" and backend.submit(batch).job_id == "job-2"
    backend.cancel(handle)
    assert backend.submit(batch).job_id == "job-3"


class TwoMachines:
    """IBM's service with a small machine that is free, and a larger one where jobs wait."""

    def __init__(self):
        sizes = {"small": (3, 0), "large": (7, 5)}
        self.machines = [self._make(name, *about) for name, about in sizes.items()]

    def _make(self, name, n_qubits, n_jobs):
        target = Target.from_configuration(["cx", "x", "measure"], n_qubits)
        status = SimpleNamespace(pending_jobs=n_jobs)
        return SimpleNamespace(name=name, target=target, status=lambda: status)

    def least_busy(self, min_num_qubits, operational):
        able = [m for m in self.machines if m.target.num_qubits >= min_num_qubits]
        if not able:
            raise QiskitBackendNotFoundError("No backend matches the criteria.")
        return able[0]


def test_what_is_asked_about_is_the_machine_that_the_batch_goes_to(connect):
    backend = connect()
    backend.__dict__["_service"] = TwoMachines()
    manager = BackendManager({"ibm": backend}.__getitem__, chains={"ibm": ("ibm",)})

    def told():
        found = backend.capabilities()
        return found.n_qubits, found.queue_jobs

    assert told() == (3, 0)
    small, large, huge = (batch_of(Circuit(n).x(n - 1)) for n in (2, 6, 9))
    free = "rule of thumb; 0 jobs"
    assert free in backend.estimate(small).note and told() == (3, 0)
    (offer,) = manager.dry_run(large, wanted="ibm")
    assert "may still be spent" in offer.reason and told() == (7, 5)  # and not that it is small
    assert free not in backend.estimate(small).note and told() == (7, 5)
    with pytest.raises(DoesNotFit, match="9 qubits"):
        backend.submit(huge)
    assert told() == (7, 5)


def test_what_the_device_is_and_costs_is_known_beforehand(connect, server):
    backend = connect()
    found = backend.capabilities()
    assert found.n_qubits == 5 and (0, 1) in found.coupling and found.queue_jobs == 3
    assert 0.001 < found.errors["two_qubit"] < 0.05 and 0.001 < found.errors["readout"] < 0.2
    estimate = backend.estimate(batch_of(CIRCUIT, VALUES, shots=4000))
    assert estimate.run_seconds == pytest.approx(2 + 2 * 4000 * 250e-6)
    assert estimate.cost == pytest.approx(1.6 * estimate.run_seconds)
    assert estimate.queue_seconds is None and "3 jobs wait" in estimate.note
    assert backend.usage()["usage_remaining_seconds"] == 595
    assert server.requests("POST", "/jobs") == []
    with pytest.raises(DoesNotFit, match="5 qubits"):
        connect(device="test_manila").submit(batch_of(Circuit(6).h(5)))


@pytest.mark.parametrize("kind", [404, 500, "cut", "garbage"])
def test_a_calibration_that_does_not_come_is_a_plain_error_and_a_hop(connect, server, kind):
    server.faults = [Fault(kind, "/properties")] * 9
    with pytest.raises(BackendError) as caught:
        connect().capabilities()
    assert server.url not in str(caught.value)
    server.faults = [Fault(kind, "/properties")] * 9
    backends = {"ibm": connect(), "simulator": mock(name="simulator")}
    manager = BackendManager(backends.__getitem__, chains={"ibm": ("ibm", "simulator")})
    _, record = manager.run(batch_of(Circuit(1).x(0), shots=3), wanted="ibm")
    assert record.backend == "simulator" and record.hops[0].backend == "ibm"


def test_a_calibration_that_is_late_is_asked_for_again(connect, server):
    for kind in (500, "cut", "garbage"):
        server.faults = [Fault(kind, "/properties")]
        assert connect().capabilities().n_qubits == 5 and server.faults == []
    backend, strange = connect(optimization_level=0), Fault("empty", "/properties")
    server.faults = [strange] * 3  # the vendor's device then asks again whenever it is looked at
    assert backend.capabilities().n_qubits == 5
    server.faults = [Fault("garbage", "/properties")] * 9
    with pytest.raises(BadAnswer):
        backend.submit(batch_of(Circuit(1).x(0), shots=3))
    with pytest.raises(BadAnswer):
        backend.compile(Circuit(1).x(0), backend._device(), batch_of(Circuit(1).x(0)))


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({}, 10),
        ({"max_execution_seconds": 77}, 77),
        ({"mode": "batch"}, 3600),
        ({"mode": "session", "longest_session_seconds": 60}, 60),
    ],
)
def test_what_is_set_aside_is_all_that_the_job_may_cost(connect, server, options, seconds):
    backend = connect(device="test_manila", optimization_level=0, usd_per_second=0.5, **options)
    batch = batch_of(Circuit(1).x(0), shots=400)
    assert backend.estimate(batch).at_most == seconds * 0.5
    handle = backend.submit(batch)
    body = server.jobs["job-1"]["body"]
    longest = [body["cost"], *(session["max_ttl"] for session in server.sessions.values())]
    assert seconds in longest and seconds == longest[-1]
    wait(backend, handle)
    assert backend.price(handle) == (None if options.get("mode") == "session" else 1.0)


@pytest.mark.parametrize(("level", "n_settings"), [(0, 2 * 3), (1, 2 * 3 + 1), (2, 3 * 2 * 3 + 1)])
def test_time_and_money_count_every_basis_noise_and_calibration(connect, server, level, n_settings):
    """Two rows in three bases: the Estimator takes all shots for each."""
    backend = connect(
        device="test_manila", optimization_level=0, usd_per_second=0.5, resilience_level=level
    )
    words = (Z(0) @ Z(1) + 0.5 * X(0) @ X(1), Y(2) @ Y(1) + Z(2))
    batch = batch_of(CIRCUIT, VALUES, observables=words, shots=8000)
    seconds = 2 + n_settings * 8000 * 250e-6
    found = backend.estimate(batch)
    assert found.run_seconds == pytest.approx(seconds)
    assert found.cost == pytest.approx(seconds * 0.5)
    backend.submit(batch)
    assert server.jobs["job-1"]["body"]["cost"] == 2 * seconds == 2 * found.at_most


@pytest.mark.parametrize(
    "options", [{"max_execution_seconds": 11}, {"mode": "session", "longest_session_seconds": 11}]
)
def test_a_job_that_ibm_would_end_before_it_is_done_is_not_sent(connect, server, options):
    backend = connect(device="test_manila", optimization_level=0, **options)
    batch = batch_of(CIRCUIT, VALUES, observables=(Z(0), X(0)), shots=8000)
    for ask in (backend.estimate, backend.submit):
        with pytest.raises(DoesNotFit, match="about 12 s and be ended after 11 s"):
            ask(batch)
    assert server.requests("POST", "/jobs|/sessions") == []


# In local testing mode


def test_the_local_path_from_circuit_to_means(fake):
    states = []
    batch = batch_of(CIRCUIT, VALUES, observables=OBSERVABLES, shots=4000, seed=3)
    found = run(fake, batch, patience=QUICK, report=lambda handle, status: states.append(status))
    exact = expectations(mock(), CIRCUIT, VALUES, OBSERVABLES)
    means = torch.tensor([one.means for one in found])
    assert torch.allclose(means.double(), exact, atol=0.15) and not torch.equal(means, exact)
    assert states[-1] is Status.SUCCEEDED


def test_a_local_seed_gives_the_same_counts_after_a_restart(fake, tmp_path):
    store = HandleStore(tmp_path)
    batch = batch_of(Circuit(2).h(0).cx(0, 1), shots=200, seed=5, tag="here")
    handle = hand_over(fake, batch, store=store)
    first = wait(fake, handle)
    restarted = IBMBackend(options=IBMOptions(device="fake_manila"))
    assert wait(restarted, store.find("here")) == first


def test_a_local_job_can_be_cancelled(fake):
    handle = fake.submit(batch_of(Circuit(3).h(0).cx(0, 1), shots=20_000))
    fake.cancel(handle)
    if fake.status(handle) is Status.SUCCEEDED:  # it was quicker
        assert sum(fake.result(handle)[0].counts.values()) == 20_000
    else:
        with pytest.raises(JobFailed, match="cancelled"):
            fake.result(handle)


def test_a_local_job_meets_its_deadline(fake):
    batch = batch_of([Circuit(3).h(0).cx(0, 1)] * 10, shots=100_000)
    with pytest.raises(DeadlinePassed):
        run(fake, batch, patience=replace(QUICK, deadline_seconds=0.01))


def test_a_structure_is_compiled_once_and_its_values_are_bound_later(tmp_path, monkeypatch):
    from qiskit import transpiler

    cache = FileCache(tmp_path)
    backend = IBMBackend(options=IBMOptions(device="fake_manila"), cache=cache)
    first = run(backend, batch_of(CIRCUIT, VALUES, shots=50, seed=1), patience=QUICK)
    assert len(cache) == 1

    def fail(*args, **options):
        raise AssertionError("compiled again")

    monkeypatch.setattr(transpiler, "generate_preset_pass_manager", fail)
    again = run(backend, batch_of(CIRCUIT, VALUES, shots=50, seed=1), patience=QUICK)
    assert again == first
    run(backend, batch_of(CIRCUIT, VALUES + 1, shots=50, seed=1), patience=QUICK)


def test_what_is_missing_is_not_configured():
    with pytest.raises(NotConfigured, match="QISKIT_IBM_TOKEN"):
        IBMBackend()
    with pytest.raises(NotConfigured, match="fake_atlantis"):
        IBMBackend(options=IBMOptions(device="fake_atlantis")).capabilities()


@pytest.mark.parametrize(
    "options", [{"mode": "loop"}, {"decoupling": "ABBA"}, {"resilience_level": 3}]
)
def test_options_that_do_not_exist_are_refused(options):
    with pytest.raises(InvalidValues):
        IBMOptions(**options)
