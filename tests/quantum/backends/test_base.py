"""Batches and handles as data: what is refused, what comes back from JSON, what decides a seed."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.backends.base import (
    Backend,
    Batch,
    Estimate,
    Handle,
    Status,
    batch_of,
    is_local,
    seed_of,
)
from quantum.backends.ibm import IBMBackend, IBMOptions
from quantum.backends.noisy import NoisyBackend
from quantum.backends.simulated import SimulatorBackend, mock
from quantum.circuit import Circuit, parameter_input
from quantum.errors import InvalidObservable, InvalidValues
from quantum.observable import X, Z
from tests.quantum.random_circuits import random_circuit, random_observables

TURN = Circuit(2).ry("a", 0).rx(parameter_input("x"), 1)


def rows(*values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 999),
    n_rows=st.integers(0, 4),
    shots=st.none() | st.integers(1, 10**6),
    draw=st.none() | st.integers(0, 2**31),
    n_observables=st.integers(0, 2),
)
def test_a_batch_survives_its_way_through_json(seed, n_rows, shots, draw, n_observables):
    circuits = [random_circuit(seed + i, n_qubits=3, n_gates=8) for i in (0, 1)]
    generator = torch.Generator().manual_seed(seed)
    values = [
        torch.randn(n_rows, len(c.weights) + len(c.inputs), generator=generator).double()
        for c in circuits
    ]
    observables = tuple(random_observables(seed, n_qubits=3, count=n_observables))
    batch = batch_of(circuits, values, shots=shots, seed=draw, observables=observables)
    text = json.dumps(batch.to_json())
    again = Batch.from_json(json.loads(text))
    assert again.circuits == batch.circuits and again.observables == observables
    assert (again.shots, again.seed, again.tag) == (shots, draw, batch.tag)
    assert all(torch.equal(a, b) for a, b in zip(again.values, batch.values, strict=True))
    assert again.n_runs == batch.n_runs == 2 * n_rows


def test_runs_go_circuit_by_circuit_and_row_by_row():
    other = Circuit(1).rz("b", 0)
    batch = batch_of([TURN, other], [rows([1, 2], [3, 4]), rows([5])], shots=1)
    assert [values for _, values in batch.runs()] == [
        {"a": 1.0, "x": 2.0}, {"a": 3.0, "x": 4.0}, {"b": 5.0},
    ]  # fmt: skip
    assert [circuit for circuit, _ in batch.runs()] == [TURN, TURN, other]
    assert batch.n_runs == 3 and batch.n_qubits == 2
    assert batch.bound()[2] == other.bind({"b": 5.0})


def test_a_single_row_and_no_rows_at_all_may_be_given():
    assert batch_of(TURN, torch.tensor([0.1, 0.2])).values[0].shape == (1, 2)
    assert batch_of(Circuit(1).h(0)).n_runs == 1
    assert batch_of(TURN, torch.zeros(0, 2)).n_runs == 0


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: batch_of([]), InvalidValues, "0 circuits"),
        (lambda: batch_of([TURN], []), InvalidValues, "as many tables"),
        (lambda: batch_of(TURN), InvalidValues, r"\[row, 2\]"),
        (lambda: batch_of(TURN, torch.zeros(2, 3)), InvalidValues, r"not \[2, 3\]"),
        (lambda: batch_of(TURN, torch.zeros(1, 2), shots=0), InvalidValues, "at least 1, not 0"),
        (lambda: batch_of(TURN, torch.zeros(1, 2), shots=-5), InvalidValues, "not -5"),
        (
            lambda: batch_of([Circuit(3).x(0), Circuit(1).x(0)], observables=(X(2),)),
            InvalidObservable,
            "qubit",
        ),
    ],
)
def test_batches_that_make_no_sense_say_why(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_every_batch_has_a_tag_of_its_own():
    tags = {batch_of(Circuit(1).x(0)).tag for _ in range(50)}
    assert len(tags) == 50 and all(tag.startswith("fs-") for tag in tags)


@given(st.lists(st.one_of(st.integers(), st.text(max_size=5), st.floats(allow_nan=False))))
def test_a_seed_depends_on_all_parts_and_their_order(parts):
    seed = seed_of(*parts)
    assert 0 <= seed < 2**56 and seed == seed_of(*parts)
    assert seed != seed_of(*parts, 0)
    if parts != parts[::-1]:
        assert seed != seed_of(*parts[::-1])


def test_what_has_to_be_set_aside_is_the_ceiling_where_there_is_one():
    assert Estimate(0.0, 1.0, 2.0).at_most == 2.0
    assert Estimate(0.0, 1.0, 2.0, ceiling=5.0).at_most == 5.0
    assert Estimate(0.0, 1.0, None).at_most is None
    assert Estimate(0.0, 1.0, 2.0, ceiling=0.0).at_most == 0.0


def test_a_job_is_over_when_it_succeeded_failed_or_was_cancelled():
    over = {status for status in Status if status.is_final}
    assert over == {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}
    assert json.loads(json.dumps({"status": Status.QUEUED})) == {"status": "queued"}


def test_a_submitted_handle_is_a_new_one():
    before = Handle("ibm", batch_of(TURN, rows([1, 2])), extra={"client": "a"})
    after = before.submitted("job-7", client="b", device="x")
    assert before.job_id == "" and before.extra == {"client": "a"}
    assert after.job_id == "job-7" and after.extra == {"client": "b", "device": "x"}
    assert after.tag == before.tag and after.created == before.created


def test_what_computes_here_needs_nobody():
    assert is_local(mock()) and is_local(SimulatorBackend()) and is_local(NoisyBackend())
    fake = IBMBackend(options=IBMOptions(device="fake_sherbrooke"))
    assert not is_local(fake)  # a job in a thread of a vendor's, which is waited for
    assert isinstance(fake, Backend)


def test_observables_must_fit_the_narrowest_circuit():
    batch = batch_of([Circuit(2).x(0), Circuit(1).x(0)], observables=(Z(0),))
    assert batch.n_qubits == 2
