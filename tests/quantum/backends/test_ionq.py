"""Both clients of IonQ against a server that speaks IonQ's REST API, on good days and bad ones."""

import time
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

from quantum.backends.base import Handle, Status, batch_of
from quantum.backends.cache import FileCache
from quantum.backends.choose import BackendManager
from quantum.backends.credentials import Credentials
from quantum.backends.handles import HandleStore
from quantum.backends.ionq import IonQBackend, IonQOptions
from quantum.backends.ledger import Ledger
from quantum.backends.line import Breaker, Line, quiet_vendors
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
    RateLimited,
    Unauthorized,
    Unavailable,
)
from quantum.observable import X, Y, Z
from tests.contract.ionq import KEY, IonQServer
from tests.contract.server import Fault
from tests.quantum.random_circuits import random_circuit

CIRCUIT = Circuit(3).ry("a", 0).cx(0, 1).rx("b", 2).rzz(0.4, 1, 2)
VALUES = torch.tensor([[0.3, 0.5], [1.0, 2.0]], dtype=torch.float64)
OBSERVABLES = (Z(0) @ Z(1), X(2) + 0.5 * Y(2))
QUICK = Patience(deadline_seconds=90, first_seconds=0.01, longest_seconds=0.02)
CLIENTS = ["cirq", "qiskit"]


@pytest.fixture(scope="module")
def _server():
    quiet_vendors()
    for client in CLIENTS:  # seconds of loading, which no job's deadline should pay for
        import_module(f"quantum.backends.ionq_{client}")
    with IonQServer().running() as server:
        yield server


@pytest.fixture
def server(_server):
    _server.reset()
    return _server


@pytest.fixture
def connect(server):
    def open_backend(client="cirq", *, key=KEY, limit_seconds=15.0, url="", cache=None, **options):
        line = Line("IonQ", limit_seconds=limit_seconds, sleep=lambda s: time.sleep(min(s, 0.01)))
        credentials = Credentials(key, url or f"{server.url}/v0.4")
        return IonQBackend(credentials, client, IonQOptions(**options), cache, line)

    return open_backend


MACHINES = [
    {},
    {"native": True},
    {"target": "qpu.forte-1"},
    {"target": "qpu.forte-1", "native": True},
    {"target": "qpu.aria-1", "native": True},
]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("options", MACHINES)
def test_means_are_those_of_our_simulator(connect, client, options):
    found = expectations(
        connect(client, **options), CIRCUIT, VALUES, OBSERVABLES, shots=8000, patience=QUICK
    )
    exact = expectations(mock(), CIRCUIT, VALUES, OBSERVABLES)
    assert torch.allclose(found, exact, atol=0.06)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("seed", range(3))
def test_every_gate_arrives(connect, client, seed):
    circuit = random_circuit(seed, n_qubits=3, n_gates=25)
    generator = torch.Generator().manual_seed(seed)
    n_values = len(circuit.weights) + len(circuit.inputs)
    values = torch.rand(1, n_values, dtype=torch.float64, generator=generator)
    machine = connect(client, target="qpu.aria-1")  # the machine's answer is not drawn from
    observables = (Z(0), Z(1) @ Z(2), X(1), Y(2))
    found = expectations(machine, circuit, values, observables, shots=10_000, patience=QUICK)
    assert torch.allclose(found, expectations(mock(), circuit, values, observables), atol=2e-3)


@pytest.mark.parametrize("client", CLIENTS)
def test_one_batch_is_one_job_and_bits_are_in_our_order(connect, server, client):
    circuits = [Circuit(3).x(0), Circuit(2).x(1)]
    found = run(connect(client), batch_of(circuits, shots=20), patience=QUICK)
    assert [m.counts for m in found] == [{"100": 20}, {"01": 20}]
    (posted,) = server.requests("POST", "/v0.4/jobs")
    assert len(posted.body["input"]["circuits"]) == 2


@pytest.mark.parametrize("client", CLIENTS)
def test_circuits_of_a_batch_are_drawn_on_their_own_and_alike_again(connect, client, small_jobs):
    """Shots drawn with one seed for all would share their errors, which would not average out."""
    batch = batch_of([Circuit(4).h(0).h(1).h(2).h(3)] * 5, shots=200, seed=7)
    first, again = (run(connect(client), replace(batch, tag=tag), patience=QUICK) for tag in "ab")
    assert len({tuple(sorted(one.counts.items())) for one in first}) == 5
    assert first == again


@pytest.mark.parametrize("client", CLIENTS)
def test_what_a_noise_model_read_is_not_drawn_again(connect, client):
    """IonQ draws its shots: what it sends are their frequencies."""
    batch = batch_of([Circuit(1).h(0)] * 2, shots=1000, seed=1)
    for found in run(connect(client, noise_model="aria-1"), batch, patience=QUICK):
        assert found.counts == {"0": 500, "1": 500}


@pytest.mark.parametrize("client", CLIENTS)
def test_noise_mitigation_and_tag_reach_the_provider(connect, server, client):
    run(
        connect(client, noise_model="aria-1"),
        batch_of(Circuit(1).x(0), shots=5, tag="mine"),
        patience=QUICK,
    )
    options = {"target": "qpu.aria-1", "debiasing": True, "native": True}
    run(connect(client, **options), batch_of(Circuit(2).cx(0, 1), shots=500), patience=QUICK)
    noisy, debiased = (r.body for r in server.requests("POST", "/v0.4/jobs"))
    assert noisy["noise"]["model"] == "aria-1" and noisy["name"] == "mine"
    assert debiased["settings"]["error_mitigation"] == {"debiasing": True}
    assert debiased["backend"] == "qpu.aria-1" and debiased["input"]["gateset"] == "native"
    assert str(debiased["shots"]) == "500"
    assert "error_mitigation" not in (noisy.get("settings") or {})


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("n_circuits", [1, 2])
def test_a_machine_is_told_that_it_shall_not_debias(connect, server, client, n_circuits):
    """It would, where nothing is said of it, and take more than its estimate without it says."""
    backend = connect(client, target="qpu.forte-1")
    batch = batch_of([Circuit(2).cx(0, 1)] * n_circuits, shots=1000)
    backend.estimate(batch)
    backend.submit(batch)
    (asked,) = server.requests("GET", ".*/jobs/estimate")
    (sent,) = server.requests("POST", "/v0.4/jobs")
    assert asked.query["error_mitigation"] == "false"
    assert sent.body["settings"]["error_mitigation"] == {"debiasing": False}


def test_too_few_shots_to_debias_are_refused_before_anything_is_sent(connect, server):
    backend = connect(target="qpu.forte-1", debiasing=True)
    few = batch_of(Circuit(2).cx(0, 1), shots=499)
    for ask in (backend.estimate, backend.submit):
        with pytest.raises(InvalidValues, match="500 shots or more, not 499"):
            ask(few)
    assert server.requests("POST", ".*") == server.requests("GET", ".*/estimate") == []
    backend.submit(replace(few, shots=500))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_single_job_is_read_after_a_batch_and_a_batch_after_a_restart(connect, client):
    backend = connect(client)
    single = backend.submit(batch_of(Circuit(2).x(0), shots=4))
    several = backend.submit(batch_of([Circuit(1).x(0), Circuit(1)], shots=4))
    assert run_on(backend, single)[0].counts == {"10": 4}
    again = Handle.from_json(several.to_json())
    assert [m.counts for m in run_on(connect(client), again)] == [{"1": 4}, {"0": 4}]


def run_on(backend, handle):
    while not backend.status(handle).is_final:
        pass
    return backend.result(handle)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_submission_whose_answer_was_lost_is_not_sent_twice(connect, server, tmp_path, client):
    store = HandleStore(tmp_path)
    batch = batch_of(Circuit(1).x(0), shots=4, tag="once")
    server.faults = [Fault("lost", "/jobs$", "POST")]
    with pytest.raises(Unavailable):
        hand_over(connect(client), batch, store=store)
    assert store.find("once").job_id == ""
    (found,) = run(connect(client), batch, store=store, patience=QUICK)
    assert found.counts == {"1": 4}
    assert len(server.requests("POST", "/v0.4/jobs")) == 1


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("kind", [429, 500, 503, 521, "cut", "garbage"])
def test_questions_survive_a_bad_moment(connect, server, client, kind):
    backend = connect(client)
    handle = backend.submit(batch_of(Circuit(1).x(0), shots=3))
    server.faults = [Fault(kind, "/jobs/.*", "GET"), Fault(kind, "/results/", "GET")]
    assert run_on(backend, handle)[0].counts == {"1": 3}
    assert server.faults == []


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (400, BackendError),
        (429, RateLimited),
        (500, Unavailable),
        (503, Unavailable),
        ("cut", Unavailable),
        ("garbage", BadAnswer),
        ("empty", BadAnswer),
    ],
)
def test_a_failed_submission_is_one_plain_error_and_one_request(
    connect, server, client, kind, error
):
    server.faults = [Fault(kind, "/jobs$", "POST")]
    with pytest.raises(error) as caught:
        connect(client).submit(batch_of(Circuit(1), shots=3))
    assert type(caught.value) is error
    assert KEY not in str(caught.value)
    assert len(server.requests("POST", "/v0.4/jobs")) == 1


@pytest.mark.parametrize("client", CLIENTS)
def test_wrong_credentials_are_said_so_and_never_shown(connect, client):
    backend = connect(client, key="wrong-key-xyz")
    with pytest.raises(Unauthorized, match="IonQ refuses the credentials") as caught:
        backend.capabilities()
    assert "wrong-key-xyz" not in str(caught.value) + repr(backend)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_stalls_costs_no_more_than_the_limit(connect, server, client):
    backend = connect(client)
    handle = backend.submit(batch_of(Circuit(1), shots=3))
    backend.line.limit_seconds = 0.3
    server.faults = [Fault("stall")]
    start = time.monotonic()
    with pytest.raises(Unavailable):
        backend.status(handle)
    server.faults = [Fault("stall", "/jobs$", "POST")]
    with pytest.raises(Unavailable):
        backend.submit(batch_of(Circuit(1), shots=3))
    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize("client", CLIENTS)
def test_a_pause_that_is_too_long_is_an_error_and_not_a_wait(connect, server, client):
    backend = connect(client)
    handle = backend.submit(batch_of(Circuit(1), shots=3))
    server.faults = [Fault(429, "/jobs/", "GET", {"Retry-After": "3600"})]
    start = time.monotonic()
    with pytest.raises(RateLimited, match="3600 s") as caught:
        backend.status(handle)
    assert caught.value.retry_after_seconds == 3600 and time.monotonic() - start < 1


@pytest.mark.parametrize("client", CLIENTS)
def test_a_job_that_never_ends_ends_at_the_deadline_and_can_be_cancelled(
    connect, server, tmp_path, client
):
    server.hold = True
    backend, store = connect(client), HandleStore(tmp_path)
    batch = batch_of(Circuit(1), shots=3, tag="slow")
    with pytest.raises(DeadlinePassed):
        run(backend, batch, store=store, patience=replace(QUICK, deadline_seconds=0.2))
    handle = store.find("slow")
    backend.cancel(handle)
    assert backend.status(handle) is Status.CANCELLED
    with pytest.raises(JobFailed):
        run(backend, batch, store=store, patience=QUICK)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_failed_job_says_why_and_a_finished_one_is_not_cancelled(connect, server, client):
    backend = connect(client)
    server.fail_with = "the trap lost its ions"
    with pytest.raises(JobFailed, match="lost its ions"):
        run(backend, batch_of(Circuit(1), shots=3), patience=QUICK)
    server.fail_with = ""
    handle = backend.submit(batch_of(Circuit(1), shots=3))
    run_on(backend, handle)
    backend.cancel(handle)
    assert backend.status(handle) is Status.SUCCEEDED
    with pytest.raises(JobNotFound):
        backend.status(handle.submitted("job-99"))


def test_a_job_that_came_to_nothing_is_sent_again_under_its_tag(connect, server, tmp_path):
    backend, store = connect(), HandleStore(tmp_path)
    batch = batch_of(Circuit(1).x(0), shots=4, tag="again")
    server.fail_with = "the trap lost its ions"
    with pytest.raises(JobFailed):
        run(backend, batch, store=store, patience=QUICK)
    server.fail_with, server.hold = "", True
    handle = hand_over(backend, batch, store=store)
    assert handle.job_id == "job-2" and backend.submit(batch).job_id == "job-2"
    backend.cancel(handle)
    assert backend.submit(batch).job_id == "job-3"


@pytest.mark.parametrize("client", CLIENTS)
def test_qubits_are_the_targets_and_never_a_guess(connect, client):
    assert connect(client).capabilities().n_qubits == 29
    assert connect(client, target="qpu.forte-1").capabilities().n_qubits == 36
    with pytest.raises(DoesNotFit, match="29 qubits"):
        connect(client).submit(batch_of(Circuit(30).h(29)))
    offline = connect(client, url="http://127.0.0.1:9/v0.4", limit_seconds=1)
    with pytest.raises(Unavailable):
        offline.submit(batch_of(Circuit(2), shots=1))


def test_price_and_queue_are_known_before_anything_is_sent(connect, server):
    batch = batch_of(CIRCUIT, VALUES, shots=1000)
    machine = connect(target="qpu.forte-1").estimate(batch)
    assert machine.queue_seconds == 3600 and machine.currency == "USD"
    assert machine.cost == pytest.approx(2 * 1000 * (2 * 0.0001 + 2 * 0.001))
    assert len(server.requests("GET", ".*/estimate")) == 1  # both rows are of one size
    server.faults = [Fault("empty", "/estimate")]
    with pytest.raises(BadAnswer, match="estimated cost"):
        connect(target="qpu.forte-1").estimate(batch)
    simulator = connect().estimate(batch)
    assert simulator.cost == 0 and simulator.queue_seconds == 120
    assert server.requests("POST", ".*") == []


def test_a_dead_provider_is_left_alone_for_a_while():
    moment = [0.0]
    breaker = Breaker(failures=2, pause_seconds=30, clock=lambda: moment[0])
    line = Line("X", tries=1, breaker=breaker)
    calls = []

    def fail():
        calls.append(1)
        raise ConnectionError("refused")

    for _ in range(2):
        with pytest.raises(Unavailable):
            line.ask(fail)
    with pytest.raises(Unavailable, match="left alone for 30 s"):
        line.ask(fail)
    assert len(calls) == 2
    moment[0] = 31
    assert line.ask(lambda: 5) == 5
    assert line.ask(lambda: 6) == 6


@pytest.mark.parametrize(
    "options", [{"target": "forte"}, {"noise_model": "loud"}, {"client": "pennylane"}]
)
def test_options_that_do_not_exist_are_refused(connect, options):
    with pytest.raises(InvalidValues):
        connect(**options)


@pytest.fixture
def small_jobs(monkeypatch):
    """A job holds two circuits, so that three become two jobs; the second holds one."""
    monkeypatch.setattr("quantum.backends.ionq._MOST_CIRCUITS", 2)


@pytest.mark.parametrize("client", CLIENTS)
def test_more_circuits_than_a_job_holds_become_several_jobs(connect, server, small_jobs, client):
    values = torch.tensor([[0.0], [torch.pi], [torch.pi]], dtype=torch.float64)
    batch = batch_of(Circuit(1).ry("a", 0), values, shots=4, tag="large")
    found = run(connect(client), batch, patience=QUICK)
    assert [m.counts for m in found] == [{"0": 4}, {"1": 4}, {"1": 4}]
    posted = [r.body for r in server.requests("POST", "/v0.4/jobs")]
    assert [body["name"] for body in posted] == ["large.0", "large.1"]


def test_a_job_that_was_sent_is_found_among_many_newer_ones(
    connect, server, small_jobs, monkeypatch
):
    monkeypatch.setattr("quantum.backends.ionq._PAGE_JOBS", 2)
    backend, bit = connect(), Circuit(1).x(0)
    first = backend.submit(batch_of([bit] * 3, shots=1, tag="first"))
    for number in range(4):
        backend.submit(batch_of(bit, shots=1, tag=f"other-{number}"))
    server.log.clear()
    assert backend.submit(batch_of([bit] * 3, shots=1, tag="first")).job_id == first.job_id
    assert len(server.requests("GET", "/v0.4/jobs")) == 3
    assert server.requests("POST", "/v0.4/jobs") == []
    backend.submit(batch_of(bit, shots=1, tag="new"))
    assert len(server.requests("GET", "/v0.4/jobs")) == 6  # and then there are no more pages


def test_of_several_jobs_only_those_are_sent_that_were_not_before(
    connect, server, small_jobs, tmp_path
):
    store = HandleStore(tmp_path)
    batch = batch_of([Circuit(1).x(0), Circuit(1), Circuit(1)], shots=4, tag="large")
    create = connect()._create
    backend = connect()
    object.__setattr__(
        backend, "_create", lambda part, b, name: create(part, b, name) if "0" in name else fail()
    )

    def fail():
        raise Unavailable("IonQ broke off")

    with pytest.raises(Unavailable):
        hand_over(backend, batch, store=store)
    found = run(connect(), batch, store=store, patience=QUICK)
    assert [m.counts for m in found] == [{"1": 4}, {"0": 4}, {"0": 4}]
    posted = [r.body["name"] for r in server.requests("POST", "/v0.4/jobs")]
    assert posted == ["large.0", "large.1"]


def test_jobs_are_found_by_their_tag_while_they_may_have_a_result(connect, server, small_jobs):
    server.hold = True
    backend = connect()
    lost = Handle("ionq", batch_of([Circuit(1).x(0)] * 3, shots=40, tag="lost"))
    assert backend.find(lost) is None
    sent = backend.submit(lost.batch)
    assert backend.find(lost).job_id == sent.job_id and "," in sent.job_id
    backend.cancel(sent)
    assert backend.find(lost) is None


def manager_whose_second_job_meets(fault, backend, server, ledger) -> BackendManager:
    """IonQ, then the simulator; the server answers the second job of a batch with this fault."""
    create = backend._create

    def create_or_fault(part, batch, name):
        server.faults = [fault] if name.endswith(".1") else []
        return create(part, batch, name)

    object.__setattr__(backend, "_create", create_or_fault)
    backends = {"ionq": backend, "simulator": mock(name="simulator")}
    return BackendManager(
        backends.__getitem__,
        ledger=ledger,
        chains={"ionq": ("ionq", "simulator")},
        patience=replace(QUICK, deadline_seconds=7200),
        sleep=lambda seconds: None,
    )


@pytest.mark.parametrize("client", CLIENTS)
def test_where_a_later_job_is_refused_the_first_is_cancelled_and_its_money_kept(
    connect, server, small_jobs, tmp_path, client
):
    server.hold = True
    backend, ledger = connect(client, target="qpu.forte-1"), Ledger(tmp_path / "spent.jsonl", 50.0)
    manager = manager_whose_second_job_meets(Fault(402, "/jobs$", "POST"), backend, server, ledger)
    batch = batch_of([Circuit(2).cx(0, 1)] * 3, shots=100, tag="large")
    cost = backend.estimate(batch).cost
    _, record = manager.run(batch, wanted="ionq")
    assert record.backend == "simulator" and "1 of 2 jobs" in record.hops[0].reason
    assert server.jobs["job-1"]["status"] == "canceled"
    assert ledger.spent() == cost > 0


def test_several_jobs_are_cancelled_and_fail_together(connect, server, small_jobs):
    backend = connect()
    batch = batch_of([Circuit(1)] * 3, shots=1)
    server.hold = True
    handle = backend.submit(batch)
    assert backend.status(handle) is Status.QUEUED
    server.jobs["job-1"]["status"] = "completed"
    assert backend.status(handle) is Status.RUNNING
    backend.cancel(handle)
    assert server.jobs["job-1"]["status"] == "completed"  # it is not undone
    assert backend.status(handle) is Status.CANCELLED
    server.jobs["job-2"]["status"] = "failed"
    assert backend.status(handle) is Status.FAILED


def test_more_circuits_than_a_batch_holds_are_refused(connect, monkeypatch):
    monkeypatch.setattr("quantum.backends.ionq._MOST_JOBS", 1)
    values = torch.zeros(51, 1, dtype=torch.float64)
    with pytest.raises(InvalidValues, match="50 circuits"):
        connect().submit(batch_of(Circuit(1).ry("a", 0), values, shots=1))


def test_a_machine_tells_its_errors_and_its_price(connect, server, small_jobs):
    machine = connect(target="qpu.forte-1")
    assert machine.capabilities().errors == {"two_qubit": 0.006, "readout": 0.004}
    assert connect().capabilities().errors == {}
    handle = machine.submit(batch_of([Circuit(1)] * 3, shots=3))
    run_on(machine, handle)
    assert machine.price(handle) == 0.5  # 0.25 for each of two jobs
    assert connect().price(handle) == 0.0
    server.faults = [Fault("empty", "/cost")]
    assert machine.price(handle) is None
    server.faults = [Fault(404, "/characterizations")]
    assert connect(target="qpu.forte-1").capabilities().errors == {}


def test_a_stranger_s_probabilities_are_counted_as_they_come(connect):
    machine = connect(target="qpu.forte-1")
    (found,) = run(machine, batch_of(Circuit(2).h(0), shots=10), patience=QUICK)
    assert found.counts == {"00": 5, "10": 5}
    assert np.isclose(sum(found.counts.values()), 10)


@pytest.fixture
def counted(monkeypatch):
    """How often anything was compiled, by the name of the function."""
    from quantum.backends import ionq_cirq, ionq_qiskit

    calls = []

    def watch(module, name):
        compiler = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, **o: calls.append(name) or compiler(*a, **o))

    watch(ionq_cirq, "to_cirq")
    watch(ionq_cirq, "compile_native")
    watch(ionq_qiskit, "transpile")
    watch(ionq_qiskit, "compile_native")
    return calls


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("options", MACHINES)
def test_a_structure_is_compiled_once_for_all_values_jobs_and_processes(
    connect, tmp_path, counted, client, options
):
    cache, other = FileCache(tmp_path), VALUES + 1.7
    first = connect(client, cache=cache, **options)
    expectations(first, CIRCUIT, VALUES, OBSERVABLES[:1], shots=100)
    assert len(counted) == 1 and len(cache) == 1
    found = expectations(first, CIRCUIT, other, OBSERVABLES[:1], shots=10_000, seed=1)
    again = connect(client, cache=FileCache(tmp_path), **options)  # as after a restart
    assert torch.equal(
        found, expectations(again, CIRCUIT, other, OBSERVABLES[:1], shots=10_000, seed=1)
    )
    assert len(counted) == 1
    exact = expectations(mock(), CIRCUIT, other, OBSERVABLES[:1])
    assert torch.allclose(found, exact, atol=0.05)


@pytest.mark.parametrize("client", CLIENTS)
def test_without_a_folder_a_job_compiles_a_structure_once(connect, counted, client):
    expectations(connect(client), CIRCUIT, VALUES.repeat(3, 1), (Z(0),), shots=10)
    assert len(counted) == 1


def test_clients_gate_sets_and_machines_share_no_compiled_circuit(connect, tmp_path):
    cache = FileCache(tmp_path)
    for client in CLIENTS:
        for options in ({}, {"native": True}, {"native": True, "target": "qpu.forte-1"}):
            expectations(connect(client, cache=cache, **options), CIRCUIT, VALUES, (Z(0),), shots=9)
    assert len(cache) == 6  # MS, ZZ and the common gates, for each client


@pytest.mark.parametrize("client", CLIENTS)
def test_pulses_of_another_format_are_compiled_anew(
    connect, tmp_path, counted, client, monkeypatch
):
    backend = connect(client, cache=FileCache(tmp_path), native=True)
    for form in (1, 2, 2):
        monkeypatch.setattr(f"quantum.backends.ionq_{client}.FORMAT", form)
        expectations(backend, CIRCUIT, VALUES, (Z(0),), shots=10)
    assert len(counted) == 2


@pytest.mark.parametrize("client", CLIENTS)
def test_a_damaged_entry_is_compiled_anew(connect, tmp_path, counted, client):
    cache = FileCache(tmp_path)
    backend = connect(client, cache=cache)
    expectations(backend, CIRCUIT, VALUES, (Z(0),), shots=10)
    (entry,) = tmp_path.glob("*.entry")
    entry.write_bytes(entry.read_bytes()[:-3] + b"xyz")
    expectations(backend, CIRCUIT, VALUES, (Z(0),), shots=10)
    assert len(counted) == 2


def test_price_is_asked_for_the_gates_that_are_sent(connect, server):
    """A Toffoli is six CNOTs, and no single gate on two qubits."""
    backend = connect(target="qpu.forte-1")
    backend.estimate(batch_of(Circuit(3).ccx(0, 1, 2), shots=10))
    (asked,) = server.requests("GET", ".*/jobs/estimate")
    assert asked.query["2q_gates"] == "6"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("machine", ["forte-1", "aria-1"])
def test_price_is_asked_for_the_pulses_that_are_sent(connect, server, client, machine):
    backend = connect(client, target=f"qpu.{machine}", native=True)
    batch = batch_of(Circuit(3).swap(0, 1).ry("a", 1).rzz("b", 1, 2), VALUES[:1], shots=10)
    backend.estimate(batch)
    backend.submit(batch)
    (asked,) = server.requests("GET", ".*/jobs/estimate")
    (sent,) = server.requests("POST", ".*/jobs")
    gates = [gate["gate"] for gate in sent.body["input"]["circuit"]]
    assert int(asked.query["2q_gates"]) == sum(gate in ("ms", "zz") for gate in gates) == 4
    assert int(asked.query["1q_gates"]) == sum(gate in ("gpi", "gpi2") for gate in gates)


def test_of_rows_that_take_more_pulses_and_less_the_most_are_asked_about_once(connect, server):
    """A negative angle is a positive one between two flips."""
    backend = connect(target="qpu.forte-1", native=True)
    rows = torch.tensor([[0.5], [-0.5], [0.5]], dtype=torch.float64)
    cost = backend.estimate(batch_of(Circuit(2).rzz("a", 0, 1), rows, shots=10)).cost
    (asked,) = server.requests("GET", ".*/jobs/estimate")
    assert (asked.query["1q_gates"], asked.query["2q_gates"]) == ("2", "1")
    assert cost == pytest.approx(3 * 10 * (2 * 0.0001 + 0.001))


def test_price_of_a_swap_is_that_of_three_gates(connect, server):
    connect(target="qpu.forte-1").estimate(batch_of(Circuit(2).swap(0, 1), shots=10))
    (asked,) = server.requests("GET", ".*/jobs/estimate")
    assert (asked.query["1q_gates"], asked.query["2q_gates"]) == ("0", "3")


def test_a_later_job_put_off_leaves_the_money_of_the_first_set_aside(
    connect, server, small_jobs, tmp_path
):
    server.hold = True
    backend, ledger = connect(target="qpu.forte-1"), Ledger(tmp_path / "spent.jsonl", 50.0)
    manager = manager_whose_second_job_meets(Fault(429, "/jobs$", "POST"), backend, server, ledger)
    batch = batch_of([Circuit(2).cx(0, 1)] * 3, shots=100, tag="large")
    _, record = manager.run(batch, wanted="ionq")
    assert record.backend == "simulator" and "fewer requests" in record.hops[0].reason
    assert ledger.spent() == backend.estimate(batch).cost > 0
