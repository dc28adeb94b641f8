"""Submit, wait, fetch: on the simulator, and on backends that misbehave on purpose."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from quantum.backends.base import Handle, Measured, Status, batch_of
from quantum.backends.handles import HandleStore
from quantum.backends.readings import combine_results, construct_circuits
from quantum.backends.run import Patience, expectations, run
from quantum.backends.simulated import SimulatorBackend, mock
from quantum.circuit import Circuit, parameter_input
from quantum.errors import (
    BadAnswer,
    Cancelled,
    DeadlinePassed,
    DoesNotFit,
    InvalidObservable,
    InvalidValues,
    JobFailed,
    Unauthorized,
    Unavailable,
)
from quantum.gradients import GradientComputer, adjoint_jacobian
from quantum.observable import X, Y, Z, identity
from quantum.simulator import expectation
from tests.quantum.random_circuits import random_circuit, random_observables

CIRCUIT = Circuit(3).ry("a", 0).cx(0, 1).rx(2 * parameter_input("x"), 2).rzz("b", 1, 2)
OBSERVABLES = (Z(0) @ Z(1) + 0.5 * X(2), Y(2) - 2 * Z(1) + 3, identity(1.5))


def rows(n_rows: int, n_parameters: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 6 * torch.rand(n_rows, n_parameters, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("seed", range(4))
def test_exact_means_are_the_simulators(seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=25)
    observables = random_observables(seed, n_qubits=4, count=3)
    values = rows(5, len(circuit.weights) + len(circuit.inputs), seed)
    n_weights = len(circuit.weights)
    wanted = expectation(
        circuit, observables, weights=values[:, :n_weights], inputs=values[:, n_weights:]
    )
    assert torch.allclose(expectations(SimulatorBackend(), circuit, values, observables), wanted)


class Elsewhere:
    """A simulator that is none of ours by its class."""

    def __init__(self) -> None:
        self.inner = SimulatorBackend()

    def __getattr__(self, name):
        return getattr(self.inner, name)


def test_exact_means_of_another_backend_keep_all_their_digits():
    values = rows(5, 3)
    near = expectations(SimulatorBackend(), CIRCUIT, values, OBSERVABLES)
    far = expectations(Elsewhere(), CIRCUIT, values, OBSERVABLES)
    assert torch.allclose(far, near, rtol=0, atol=1e-14)


def test_shots_scatter_around_the_exact_mean_by_their_standard_error():
    values = rows(40, 3)
    batch = batch_of(CIRCUIT, values, observables=OBSERVABLES, shots=500, seed=4)
    found = run(SimulatorBackend(), batch)
    exact = expectations(SimulatorBackend(), CIRCUIT, values, OBSERVABLES).numpy()
    means = np.array([m.means for m in found])
    errors = np.array([m.errors for m in found])
    scores = (means - exact)[:, :2] / np.maximum(errors[:, :2], 1e-3)
    assert abs(scores.mean()) < 0.4 and 0.7 < scores.std() < 1.35
    assert np.all(means[:, 2] == 1.5) and np.all(errors[:, 2] == 0)


def test_a_seed_gives_the_same_shots_and_another_one_others():
    values = rows(2, 3)

    def draw(seed, backend=mock()):  # noqa: B008
        return expectations(backend, CIRCUIT, values, OBSERVABLES, shots=100, seed=seed)

    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))
    assert torch.equal(draw(None), draw(None, mock(name="other")))
    assert not torch.equal(draw(None), draw(None, mock(seed=1)))


def test_counts_name_qubit_zero_first():
    (found,) = run(mock(), batch_of(Circuit(3).x(0), shots=7))
    assert found == Measured(counts={"100": 7})


def test_one_circuit_many_rows_and_many_circuits_keep_their_order():
    first = Circuit(1).ry("a", 0)
    values = torch.tensor([[0.0], [torch.pi]], dtype=torch.float64)
    batch = batch_of(
        [first, Circuit(2).x(1)], [values, torch.zeros(1, 0, dtype=torch.float64)], shots=5
    )
    assert [m.counts for m in run(mock(), batch)] == [{"0": 5}, {"1": 5}, {"01": 5}]


def test_the_halves_around_a_backend_that_reads_bits():
    batch = batch_of(CIRCUIT, rows(3, 3), observables=OBSERVABLES, shots=40_000, seed=2)
    constructed = construct_circuits(batch)
    assert not constructed.observables and len(constructed.circuits) == 2
    found = combine_results(batch, run(mock(), constructed))
    exact = expectations(mock(), CIRCUIT, batch.values[0], OBSERVABLES)
    assert np.allclose([m.means for m in found], exact, atol=0.05)


def test_multiples_of_the_identity_need_one_circuit_and_no_counts():
    batch = batch_of(CIRCUIT, rows(2, 3), observables=(identity(2.0),), shots=10)
    found = combine_results(batch, run(mock(), construct_circuits(batch)))
    assert [m.means for m in found] == [(2.0,), (2.0,)]


def test_gradients_of_devices_are_those_of_the_simulator():
    values = rows(2, 3)

    def evaluate(circuit, observables, angles):
        return expectations(mock(), circuit, angles, observables)

    found = GradientComputer(evaluate=evaluate).jacobian(
        CIRCUIT, OBSERVABLES, weights=values[:, :2], inputs=values[:, 2:]
    )
    assert torch.allclose(found, adjoint_jacobian(CIRCUIT, OBSERVABLES, parameters=values))


def test_values_in_single_precision_come_back_so():
    values = rows(2, 3).float()
    assert expectations(mock(), CIRCUIT, values, OBSERVABLES).dtype == torch.float32
    assert expectations(mock(), CIRCUIT, values, OBSERVABLES, shots=9).dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"values": rows(2, 2)}, InvalidValues),
        ({"values": rows(2, 3), "shots": 0}, InvalidValues),
        ({"values": rows(2, 3), "observables": (Z(7),)}, InvalidObservable),
    ],
)
def test_batches_that_make_no_sense_are_refused(options, error):
    with pytest.raises(error):
        batch_of(CIRCUIT, **options)


def test_too_many_qubits_are_refused_before_anything_runs():
    with pytest.raises(DoesNotFit, match="40"):
        SimulatorBackend().submit(batch_of(Circuit(40).h(0)))


def test_handles_are_json(tmp_path):
    batch = batch_of(CIRCUIT, rows(3, 3), observables=OBSERVABLES, shots=50, seed=9, tag="mine")
    store = HandleStore(tmp_path)
    store.save(mock().submit(batch))
    again = store.find("mine")
    assert again.to_json() == mock().submit(batch).to_json() | {"created": again.created}
    assert mock().result(again) == mock().result(mock().submit(batch))
    no_values = batch_of(Circuit(2).h(0), tag="bare")
    store.save(Handle("mock", no_values))
    assert store.find("bare").batch.values[0].shape == (1, 0)
    assert [handle.tag for handle in store] == ["bare", "mine"]
    store.remove("mine")
    assert store.find("mine") is None
    with pytest.raises(InvalidValues, match="tag"):
        store.find("../elsewhere")


@dataclass
class Scripted:
    """The simulator behind a provider that goes through a script."""

    script: list = field(default_factory=list)
    name: str = "scripted"
    jobs: dict = field(default_factory=dict)
    sent: int = 0
    cancelled: list = field(default_factory=list)

    def capabilities(self):
        return mock().capabilities()

    def estimate(self, batch):
        return mock().estimate(batch)

    def submit(self, batch):
        if batch.tag not in self.jobs:
            self.sent += 1
            self.jobs[batch.tag] = f"job-{self.sent}"
        return Handle(self.name, batch, job_id=self.jobs[batch.tag])

    def status(self, handle):
        step = self.script.pop(0) if self.script else Status.SUCCEEDED
        if isinstance(step, Exception):
            raise step
        return step

    def result(self, handle):
        return mock().result(handle)

    def cancel(self, handle):
        self.cancelled.append(handle.job_id)


BATCH = batch_of(Circuit(1).x(0), shots=3, tag="t-1")
NO_WAIT = {"sleep": lambda seconds: None}


def test_waiting_grows_and_hiccups_are_forgiven():
    pauses = []
    backend = Scripted([Status.QUEUED, BadAnswer(), Status.RUNNING, Status.RUNNING])
    (found,) = run(backend, BATCH, sleep=pauses.append)
    assert found.counts == {"1": 3}
    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_lasting_trouble_is_told():
    with pytest.raises(BadAnswer):
        run(Scripted([BadAnswer()] * 9), BATCH, **NO_WAIT)
    with pytest.raises(Unauthorized):
        run(Scripted([Unauthorized()]), BATCH, **NO_WAIT)


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_a_job_that_ended_badly_is_an_error(status):
    with pytest.raises(JobFailed, match="job-1"):
        run(Scripted([status]), BATCH, **NO_WAIT)


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_a_job_that_ended_badly_is_not_waited_for_again(tmp_path, status):
    store, backend = HandleStore(tmp_path), Scripted([status])
    with pytest.raises(JobFailed):
        run(backend, BATCH, store=store, **NO_WAIT)
    assert list(store) == []
    backend.jobs.clear()  # as providers do that look only for jobs that may still have a result
    (found,) = run(backend, BATCH, store=store, **NO_WAIT)
    assert found.counts == {"1": 3} and backend.sent == 2


def test_a_deadline_leaves_the_job_where_it_can_be_picked_up(tmp_path):
    store = HandleStore(tmp_path)
    backend = Scripted([Status.QUEUED] * 100)
    soon = Patience(deadline_seconds=0.05, first_seconds=0.01, longest_seconds=0.01)
    with pytest.raises(DeadlinePassed, match="t-1"):
        run(backend, BATCH, store=store, patience=soon)
    backend.script.clear()
    (found,) = run(backend, BATCH, store=store)  # as after a restart: the same tag
    assert found.counts == {"1": 3} and backend.sent == 1
    assert list(store) == []


def test_the_tag_is_on_disk_before_anything_is_sent(tmp_path):
    store = HandleStore(tmp_path)

    class Dies(Scripted):
        def submit(self, batch):
            known = store.find(batch.tag)
            assert known is not None and known.job_id == ""
            super().submit(batch)
            raise KeyboardInterrupt

    backend = Dies()
    with pytest.raises(KeyboardInterrupt):
        run(backend, BATCH, store=store)
    survivor = Scripted(jobs=backend.jobs, sent=backend.sent)
    run(survivor, BATCH, store=store)
    assert survivor.sent == 1


class Killed(Scripted):
    """A provider whose caller dies while it waits, where the script says False."""

    def status(self, handle):
        if self.script.pop(0):
            return Status.SUCCEEDED
        raise KeyboardInterrupt


def test_means_asked_for_by_name_are_bought_once_though_the_process_dies(tmp_path):
    backend, store, values = Killed([False, True, True, True]), HandleStore(tmp_path), rows(2, 3)
    here = {"shots": 50, "seed": 1, "store": store, "patience": Patience(5.0, None, 0.0, 0.0)}
    with pytest.raises(KeyboardInterrupt):
        expectations(backend, CIRCUIT, values, OBSERVABLES, run_name="mine", **here)
    found = expectations(backend, CIRCUIT, values, OBSERVABLES, run_name="mine", **here)
    assert backend.sent == 1 and list(store) == []
    assert torch.equal(found, expectations(mock(), CIRCUIT, values, OBSERVABLES, shots=50, seed=1))
    expectations(backend, CIRCUIT, values + 1, OBSERVABLES, run_name="mine", **here)
    expectations(backend, CIRCUIT, values, OBSERVABLES, run_name="other", **here)
    assert backend.sent == 3
    for name in ("", "no spaces", "x" * 61):
        with pytest.raises(InvalidValues, match="run's name"):
            expectations(backend, CIRCUIT, values, OBSERVABLES, run_name=name, **here)


def test_a_report_can_cancel_the_job():
    backend = Scripted([Status.QUEUED] * 3)

    def stop(handle, status):
        raise Cancelled

    with pytest.raises(Cancelled):
        run(backend, BATCH, report=stop)
    assert backend.cancelled == ["job-1"]

    def cannot_cancel(handle):
        raise Unavailable

    backend.cancel = cannot_cancel
    with pytest.raises(Cancelled):
        run(backend, BATCH, report=stop)


def put_off(batch):
    error = Unavailable("asks for a pause")
    error.was_refused, error.retry_after_seconds = True, 201.0
    raise error


def test_a_pause_before_a_submission_is_ended_by_whoever_cancels():
    backend, pauses, heard = Scripted(), [], []
    backend.submit = put_off

    def stop(handle, status):
        heard.append((handle.job_id, handle.tag, status))
        if len(heard) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(backend, BATCH, patience=Patience(7200.0), report=stop, sleep=pauses.append)
    assert pauses == [2.0, 2.0] and set(heard) == {("", "t-1", Status.QUEUED)}


def test_a_pause_that_nobody_ends_is_as_long_as_it_was_asked_for():
    backend, pauses = Scripted(), []
    backend.submit = put_off
    with pytest.raises(Unavailable):
        run(backend, BATCH, patience=Patience(7200.0, trouble=2), sleep=pauses.append)
    assert sum(pauses) == 201.0 and pauses[-1] == 1.0


def test_a_handle_of_another_backend_is_not_mistaken_for_ours(tmp_path):
    store = HandleStore(tmp_path)
    store.save(replace(mock().submit(BATCH), backend="elsewhere"))
    backend = Scripted()
    run(backend, BATCH, store=store)
    assert backend.sent == 1
