"""Runs on a paid provider: nothing is bought twice, whatever happens to the worker or the run."""

from dataclasses import replace

import pytest

from quantum.errors import Cancelled
from tests.contract import ibm
from tests.contract.ibm import IBMServer
from tests.contract.ionq import KEY, IonQServer
from webapp.lab import engine, rehearsal, runs, training, trainings
from webapp.lab.folder import LabFolder

# The provider's library takes long to load on a busy machine.
pytestmark = pytest.mark.timeout(300)
SMALL = {"molecule": "H2", "steps": 2, "backend": "ionq", "shots": 100}


class Lost(BaseException):
    """The process is gone: nothing after it runs."""


@pytest.fixture(scope="module")
def _server():
    with IonQServer().running() as server:
        yield server


@pytest.fixture
def server(_server):
    _server.reset()
    return _server


@pytest.fixture
def site(tmp_path, server):
    environment = {"IONQ_API_KEY": KEY, "IONQ_API_URL": f"{server.url}/v0.4"}
    return engine.Site(LabFolder(tmp_path / "lab"), environment, wait_seconds=600.0)


def n_jobs(server) -> int:
    """Jobs that were created there."""
    return len(server.requests("POST", "/v0.4/jobs"))


def run(site, report=lambda event: None, *, name="r1", **changes):
    return engine.run_application(site, "molecules", {**SMALL, **changes}, run=name, report=report)


def dying_at(status):
    """A report that dies when an execution on IonQ has this status."""

    def report(event):
        if event["kind"] != "execution" or event["backend"] != "ionq":
            return
        if event["status"] == status and event["handle_id"]:
            raise Lost

    return report


def test_whoever_wants_a_quantum_machine_gets_the_one_that_is_there(site, server):
    told = []
    run(site, told.append, backend="quantum")
    (last,) = [e for e in told if e["kind"] == "execution" and e["status"] == "succeeded"]
    assert (last["wanted"], last["backend"]) == ("quantum", "ionq")
    assert not last["hops"]
    assert n_jobs(server) >= 1


def test_a_rehearsal_asks_for_prices_and_sends_nothing(tmp_path, site, server):
    values = {**SMALL, "backend": "quantum"}
    machine = replace(site, targets={"ionq": "qpu.aria-1"}, cap=1000.0, wait_seconds=7200.0)
    (batch,) = rehearsal.rehearse(machine, "molecules", values, report=lambda event: None)
    assert (batch["n_qubits"], batch["shots"]) == (4, 100)
    assert [o["backend"] for o in batch["tried"]] == ["ionq", "ibm", "simulator"]
    assert [o["backend"] for o in batch["others"]] == ["mock", "noisy"]
    dear, missing, free = batch["tried"]
    assert dear["at_most"] >= dear["cost"] > 0
    assert dear["currency"] == "USD"
    assert "QISKIT_IBM_TOKEN" in missing["reason"]
    assert (free["cost"], free["reason"]) == (0.0, "")
    poor = replace(machine, cap=0.5 * dear["cost"])
    (batch,) = rehearsal.rehearse(poor, "molecules", values, report=lambda event: None)
    (reason,) = [o["reason"] for o in batch["tried"] if o["backend"] == "ionq"]
    assert f"cost {dear['at_most']:.2f} USD" in reason
    assert n_jobs(server) == 0
    assert (engine.executions(site), site.ledger.spent()) == ([], 0.0)


def test_a_run_on_ionq_says_what_ran_there(site, server):
    told = []
    found = run(site, told.append)
    assert found["numbers"]["standard_error_hartree"] > 0
    assert n_jobs(server) == 1
    last = [event for event in told if event["kind"] == "execution"][-1]
    assert (last["backend"], last["status"], last["hops"]) == ("ionq", "succeeded", ())


@pytest.mark.parametrize("status", ["queued", "succeeded"])
def test_a_run_that_lost_its_worker_buys_nothing_twice(site, server, status):
    with pytest.raises(Lost):
        run(site, dying_at(status))
    assert n_jobs(server) == 1
    run(site)
    assert n_jobs(server) == 1


def test_what_was_answered_before_the_worker_was_lost_is_read_again(site, server):
    first = run(site)
    told = []
    second = run(site, told.append)
    assert n_jobs(server) == 1
    assert second["numbers"]["energy_hartree"] == first["numbers"]["energy_hartree"]
    (read,) = [event for event in told if event["kind"] == "execution"]
    assert (read["backend"], read["status"], read["cost"]) == ("ionq", "succeeded", 0.0)


def test_another_run_is_another_submission(site, server):
    run(site)
    run(site, name="r2")
    assert n_jobs(server) == 2


def test_a_stopped_job_is_not_taken_for_the_answer_of_a_resumed_run(site, server):
    def stopping(event):
        if event["kind"] == "execution" and event["handle_id"]:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(site, stopping)
    told = []
    run(site, told.append)
    last = [event for event in told if event["kind"] == "execution"][-1]
    assert (last["backend"], last["hops"]) == ("ionq", ())
    assert n_jobs(server) == 2


def test_a_training_on_ionq_goes_through_the_manager(site, server):
    config = training.read_config(
        {"model": "ion", "samples": 40, "qubits": 2, "depth": 1, "epochs": 1, "batch_size": 40,
         "backend": "ionq", "gradient": "spsa", "shots": 50}
    )  # fmt: skip
    told = []
    found = trainings.run_training(site, config, run="t1", report=told.append)
    assert found["model"] == "ion:1"
    ran = [e for e in told if e["kind"] == "execution" and e["status"] == "succeeded"]
    assert {e["backend"] for e in ran} == {"ionq"}
    assert len({e["tag"] for e in ran}) == len(ran)


def test_the_site_shows_no_secret(site):
    assert KEY not in repr(site)


def test_a_provider_is_read_and_tested_without_a_job(site, server):
    reading = engine.read_backend(site, "ionq")
    assert (reading["configured"], reading["online"]) == (True, True)
    assert reading["n_qubits"] > 10
    passed, message = engine.test_backend(site, "ionq")
    assert passed
    assert message.startswith("Answers in")
    assert n_jobs(server) == 0


def test_a_refused_key_is_said_without_the_key(site, server):
    wrong = engine.Site(site.folder, {**site.environment, "IONQ_API_KEY": "wrong-key-7"})
    passed, message = engine.test_backend(wrong, "ionq")
    assert not passed
    assert "wrong-key-7" not in message
    assert not engine.read_backend(wrong, "ionq")["online"]


@pytest.mark.filterwarnings("ignore:The .*V2 class is deprecated:DeprecationWarning")
def test_ibms_free_plan_needs_no_budget(tmp_path, settings, monkeypatch):
    """What a second of IBM's machines costs is the site's to say; 0 is free, and books nothing."""
    settings.IBM_USD_PER_SECOND, settings.QUANTUM_BUDGET = 0.0, 0.0
    words = {**runs.site_words(), "folder": LabFolder(tmp_path / "lab"), "wait_seconds": 600.0}
    monkeypatch.setenv("QISKIT_FUNCTIONS_EXPERIMENTAL", "1")  # no search for accounts
    with IBMServer().running() as server:
        monkeypatch.setenv("IAM_URL", server.url)
        given = {"QISKIT_IBM_TOKEN": ibm.KEY, "QISKIT_IBM_INSTANCE": ibm.CRN,
                 "QISKIT_IBM_URL": server.url}  # fmt: skip
        site = engine.Site(**{**words, "environment": given, "targets": {"ibm": "test_manila"}})
        told = []
        run(site, told.append, backend="ibm", steps=1)
        assert len(server.requests("POST", "/jobs")) == 1
    last = [event for event in told if event["kind"] == "execution"][-1]
    assert (last["backend"], last["hops"], last["cost"]) == ("ibm", (), 0.0)
    assert site.ledger.spent() == 0.0
