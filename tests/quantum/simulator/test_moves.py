import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.circuit import Circuit
from quantum.simulator.gate_by_gate import unitary
from quantum.simulator.lowering import Move
from quantum.simulator.moves import move_amplitudes, sources
from quantum.simulator.register import Register
from tests.quantum.simulator.dense import move_matrix

CPU = torch.device("cpu")
MOVES = [
    Move("x", (1,)),
    Move("cx", (0, 3)),
    Move("cx", (3, 0)),
    Move("swap", (0, 2)),
    Move("ccx", (3, 0, 1)),
    Move("cswap", (2, 0, 3)),
]


def dense(moves) -> torch.Tensor:
    product = torch.eye(16, dtype=torch.float64)
    for move in moves:
        product = torch.tensor(move_matrix(move, 4)) @ product
    return product


@pytest.mark.parametrize("move", MOVES)
def test_each_move(move):
    origin, image = sources(4, (move,), CPU)
    vector = torch.arange(16, dtype=torch.float64)
    assert torch.equal(vector[origin.long()], dense([move]) @ vector)
    assert torch.equal(vector[image.long()], dense([move]).T @ vector)


def test_moves_in_a_row_are_one_gather():
    moves = (*MOVES, *MOVES[::-1], MOVES[1], MOVES[4])
    origin, image = sources(4, moves, CPU)
    vector = torch.randn(16, dtype=torch.float64)
    assert torch.equal(vector[origin.long()], dense(moves) @ vector)
    assert torch.equal(origin[image.long()], torch.arange(16, dtype=torch.int32))


def test_a_ring_of_cnots_is_linear_in_the_bits():
    ring = tuple(Move("cx", (q, (q + 1) % 5)) for q in range(5))
    _, image = sources(5, ring, CPU)
    for a, b in [(3, 17), (8, 31), (21, 10)]:
        assert image[a ^ b] == image[a] ^ image[b]
    assert image[0] == 0


@pytest.mark.parametrize("copies", [1, 2])
def test_amplitudes_move_in_every_copy_and_column(copies):
    data = torch.randn(copies, 16, 3, dtype=torch.complex128)
    origin, image = sources(4, tuple(MOVES), CPU)
    register = Register(data.clone())
    move_amplitudes(register, origin)
    expected = torch.einsum("ab,cbd->cad", dense(MOVES).to(torch.complex128), data)
    assert torch.allclose(register.data, expected)
    move_amplitudes(register, image)
    assert torch.equal(register.data, data)


def test_equal_moves_share_their_indices():
    assert sources(4, (MOVES[0],), CPU)[0] is sources(4, (Move("x", (1,)),), CPU)[0]


@given(picked=st.lists(st.sampled_from(MOVES), max_size=8))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_any_row_of_moves_is_a_permutation_and_its_inverse(picked):
    moves = tuple(picked)
    origin, image = sources(4, moves, CPU)
    everything = torch.arange(16, dtype=torch.int32)
    assert torch.equal(origin.sort().values, everything)
    assert torch.equal(origin[image.long()], everything)
    assert torch.equal(image[origin.long()], everything)
    back, _ = sources(4, moves[::-1], CPU)  # every move undoes itself
    assert torch.equal(back, image)


@given(picked=st.lists(st.sampled_from(MOVES), max_size=8))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_moves_are_the_gates_they_are_named_after(picked):
    circuit = Circuit(4)
    for move in picked:
        circuit = circuit.gate(move.gate, move.qubits)
    origin, _ = sources(4, tuple(picked), CPU)
    vector = torch.randn(16, dtype=torch.complex128)
    assert torch.allclose(unitary(circuit) @ vector, vector[origin.long()])
