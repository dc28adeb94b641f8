"""Compiled circuits step by step: every step can be undone, and memory stays what it is."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.circuit import Circuit
from quantum.observable import Z
from quantum.simulator import adjoint, expectation
from quantum.simulator.adjoint import backward_sweep, chunks, forward_sweep
from quantum.simulator.program import Program, compile_program
from quantum.simulator.register import Register
from quantum.simulator.steps import Step
from tests.quantum.random_circuits import random_circuit, random_values

CPU = torch.device("cpu")
FEW = settings(max_examples=10, deadline=None, derandomize=True)
SEEDS = st.integers(0, 10**6)


def compiled(circuit: Circuit, *, batched_weights: bool = False, dtype=torch.float64) -> Program:
    return compile_program(circuit, batched_weights=batched_weights, dtype=dtype, device=CPU)


def prepared(seed: int, *, n_qubits: int = 3, batch: int = 3, batched_weights: bool = False):
    """A program of a random circuit, its values, and its batched angles."""
    circuit = random_circuit(seed, n_qubits=n_qubits, n_gates=15)
    values = random_values(circuit, seed, batch=batch, batched_weights=batched_weights)
    weights, inputs = (value.detach() for value in values)
    weights = weights if batched_weights else weights[None]
    program = compiled(circuit, batched_weights=batched_weights)
    shared, batched = program.angles(weights, inputs)
    return program, program.values(shared), batched


def random_register(n_qubits: int, columns: int, seed: int) -> Register:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(2, 2**n_qubits, columns, dtype=torch.complex128, generator=generator)
    return Register(drawn)


@given(seed=SEEDS, batched=st.booleans())
@FEW
def test_going_back_through_a_step_undoes_it_for_both_copies(seed, batched):
    program, values, angles = prepared(seed, batched_weights=batched)
    for step in program.steps:
        assert isinstance(step, Step)
        register = random_register(3, angles.shape[1], seed)
        before = register.data.clone()
        step.forward(register, values, angles)
        assert torch.allclose(register.data.norm(dim=1), before.norm(dim=1), atol=1e-10)
        gradients = program.no_gradients(values, angles, wants_batched=True)
        step.backward(register, values, angles, gradients)
        assert torch.allclose(register.data, before, atol=1e-10)


@given(seed=SEEDS)
@FEW
def test_a_sweep_back_ends_at_the_start(seed):
    program, values, angles = prepared(seed)
    final = forward_sweep(program, values, angles)
    register = Register(torch.stack([final, final]))
    gradients = program.no_gradients(values, angles, wants_batched=True)
    backward_sweep(program, values, angles, register, gradients)
    begin = program.start.state(values, angles)[0]
    assert torch.allclose(register.now.copies[0], begin, atol=1e-10)


@given(seed=SEEDS)
@FEW
def test_the_length_of_the_state_has_no_slope(seed):
    """From the state itself as adjoint: what is measured is constant, so all gradients are 0."""
    program, values, angles = prepared(seed)
    final = forward_sweep(program, values, angles)
    register = Register(torch.stack([final, final]))
    gradients = program.no_gradients(values, angles, wants_batched=True)
    backward_sweep(program, values, angles, register, gradients)
    shared = program.collect(gradients)
    assert torch.allclose(shared, torch.zeros_like(shared), atol=1e-10)
    assert torch.allclose(gradients.batched, torch.zeros_like(gradients.batched), atol=1e-10)


@pytest.mark.parametrize(("n_qubits", "batch"), [(1, 1), (3, 40), (18, 5), (19, 9), (25, 3)])
def test_chunks_cover_the_batch_once_and_fit_the_cache(n_qubits, batch):
    parts = list(chunks(n_qubits, batch))
    covered = [column for part in parts for column in range(part.start, part.stop)]
    assert covered == list(range(batch))
    widest = max(part.stop - part.start for part in parts)
    assert widest << n_qubits <= max(adjoint.CHUNK, 8 << n_qubits)


def test_a_program_is_made_once_per_structure_and_precision():
    circuit = Circuit(2).ry("a", 0).cx(0, 1)
    same = Circuit(2).ry("a", 0).cx(0, 1)
    assert compiled(circuit) is compiled(same)
    assert compiled(circuit) is not compiled(circuit, batched_weights=True)
    assert compiled(circuit) is not compiled(circuit, dtype=torch.float32)
    assert compiled(circuit) is not compiled(Circuit(2).ry("b", 0).cx(0, 1))


def test_turns_at_the_start_cost_no_step():
    circuit = Circuit(3)
    for qubit in range(3):
        circuit = circuit.ry(f"a_{qubit}", qubit)
    assert compiled(circuit).steps == ()
    assert len(compiled(circuit.cx(0, 1)).steps) == 1
    assert compiled(Circuit(3)).steps == ()


def test_the_register_swaps_without_copying():
    register = random_register(2, 3, 0)
    first, second = register.now.data, register.spare.data
    register.flip()
    assert register.data is second and register.spare.data is first
    assert (register.n_qubits, register.n_columns, register.n_copies) == (2, 3, 2)
    register.now.real.zero_()
    assert not register.data.any()


def test_memory_does_not_grow_with_the_depth():
    """The adjoint method keeps the final state; backpropagation would keep every layer's."""

    def kept(depth: int) -> int:
        circuit = Circuit(6)
        for layer in range(depth):
            for qubit in range(6):
                circuit = circuit.ry(f"a_{layer}_{qubit}", qubit).cx(qubit, (qubit + 1) % 6)
        weights = torch.zeros(6 * depth, requires_grad=True)
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: (sizes.append(t.numel() * t.is_complex()), t)[1], lambda t: t
        ):
            expectation(circuit, [Z(0)], weights=weights)
        return sum(sizes)

    assert kept(2) == kept(20) == 64
