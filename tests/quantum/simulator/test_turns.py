import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.simulator import turns
from quantum.simulator.register import Register
from quantum.simulator.turns import (
    Span,
    SpanTable,
    correlate_columns,
    correlate_spans,
    gradient_of_product,
    product_state,
    span_generators,
    span_matrices,
    turn_columns,
    turn_spans,
)
from tests.quantum.simulator.dense import on_register, turn_matrix

DOUBLE = torch.zeros(0, dtype=torch.float64)


def random_states(copies: int, n_qubits: int, columns: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(n_qubits)
    shape = (copies, 2**n_qubits, columns)
    return torch.randn(shape, generator=generator, dtype=torch.complex128)


def dense_turns(angles: dict[int, float], n_qubits: int) -> torch.Tensor:
    product = np.eye(2**n_qubits)
    for qubit, angle in angles.items():
        product = on_register(turn_matrix(angle), (qubit,), n_qubits) @ product
    return torch.tensor(product)


@pytest.fixture(params=[2**17, 2**5, 2])
def block(request, monkeypatch) -> int:
    """One block, some blocks, and blocks of single rows."""
    monkeypatch.setattr(turns, "_BLOCK", request.param)
    return request.param


@pytest.mark.parametrize("size", [1, 2, 4])
def test_span_matrices_are_kronecker_products(size):
    angles = torch.randn(3, size, dtype=torch.float64)
    for row, matrix in zip(angles.tolist(), span_matrices(angles), strict=True):
        expected = np.eye(1)
        for angle in row:
            expected = np.kron(expected, turn_matrix(angle))
        assert np.allclose(matrix, expected)


@pytest.mark.parametrize(
    ("qubits", "expected"),
    [
        (range(8), [(0, 4), (4, 4)]),
        (range(6), [(0, 4), (4, 2)]),
        ([1, 3, 7], [(1, 3), (7, 1)]),
        ([2], [(2, 1)]),
        ([], []),
        ([0, 4, 5, 9], [(0, 1), (4, 2), (9, 1)]),
    ],
)
def test_spans_cover_the_qubits_with_few_products(qubits, expected):
    table = SpanTable()
    spans = table.add_layer({q: 10 + q for q in qubits})
    assert [(span.first, span.size) for span in spans] == expected


def test_span_tables_number_the_spans_of_every_size():
    table = SpanTable()
    first = table.add_layer({0: 5, 2: 6})
    second = table.add_layer({1: 7, 2: 8, 3: 9})
    assert [span.row for span in (*first, *second)] == [0, 1]
    slots = table.compile(torch.device("cpu"))
    assert slots[3].tolist() == [[5, 0, 6], [7, 8, 9]]  # row 0 is the angle 0


@pytest.mark.parametrize(("n_qubits", "columns"), [(1, 1), (3, 1), (6, 1), (6, 2), (7, 5), (8, 8)])
@pytest.mark.parametrize("copies", [1, 2])
def test_turning_spans(block, n_qubits, columns, copies):
    table = SpanTable()
    spans = table.add_layer({q: q + 1 for q in range(n_qubits)})
    angles = torch.linspace(0, 2, n_qubits + 1, dtype=torch.float64)
    slots = table.compile(torch.device("cpu"))
    matrices = {size: span_matrices(angles[rows]).unbind() for size, rows in slots.items()}
    data = random_states(copies, n_qubits, columns)
    register = Register(data.clone())
    turn_spans(register, spans, matrices)
    full = dense_turns({q: angles[q + 1].item() for q in range(n_qubits)}, n_qubits)
    expected = torch.einsum("ab,cbd->cad", full.to(torch.complex128), data)
    assert torch.allclose(register.data, expected, atol=1e-12)
    turn_spans(register, spans, matrices, undo=True)
    assert torch.allclose(register.data, data, atol=1e-12)


@pytest.mark.parametrize(("n_qubits", "columns"), [(2, 1), (6, 1), (6, 2), (7, 5), (7, 70), (8, 8)])
def test_correlations(block, n_qubits, columns):
    data = random_states(2, n_qubits, columns)
    state, adjoint = data
    table = SpanTable()
    spans = table.add_layer(dict.fromkeys(range(n_qubits), 1))
    totals = {
        size: torch.zeros(len(rows), 2**size, 2**size, dtype=torch.float64).unbind()
        for size, rows in table.compile(torch.device("cpu")).items()
    }
    correlate_spans(Register(data), spans, totals)
    correlate_spans(Register(data), spans, totals)  # adds
    for span in spans:
        left, right = (v.view(1 << span.first, 2**span.size, -1) for v in (adjoint, state))
        expected = 2 * torch.einsum("gac,gbc->ab", left.conj(), right).real
        assert torch.allclose(totals[span.size][span.row], expected, atol=1e-11)


@pytest.mark.parametrize("size", [1, 3])
def test_generators_read_the_slope_of_every_angle(size):
    """d/dθ <adjoint| RY(θ)… |state>, real part, from the correlation behind the turns."""
    angles = torch.randn(1, size, dtype=torch.float64, requires_grad=True)
    state, adjoint = torch.randn(2, 2**size, dtype=torch.float64)
    turned = span_matrices(angles)[0] @ state
    (expected,) = torch.autograd.grad(adjoint @ turned, angles)
    correlation = torch.outer(adjoint, turned.detach())
    found = span_generators(size, DOUBLE) @ correlation.flatten()
    assert torch.allclose(found / 2, expected[0])


@pytest.mark.parametrize("qubit", range(4))
def test_each_column_by_its_own_angle(qubit):
    data = random_states(2, 4, 3)
    angles = torch.tensor([0.4, -1.2, 2.2], dtype=torch.float64)
    register = Register(data.clone())
    turn_columns(register, qubit, angles)
    for column, angle in enumerate(angles.tolist()):
        full = dense_turns({qubit: angle}, 4).to(torch.complex128)
        expected = torch.einsum("ab,cb->ca", full, data[:, :, column])
        assert torch.allclose(register.data[:, :, column], expected)
    turn_columns(register, qubit, angles, undo=True)
    assert torch.allclose(register.data, data)


@pytest.mark.parametrize("qubit", range(3))
def test_slopes_of_each_column(qubit):
    data = random_states(2, 3, 4)
    state, adjoint = data
    generator = torch.tensor(on_register(np.array([[0, -1], [1, 0]]), (qubit,), 3))
    expected = torch.einsum("ac,ab,bc->c", adjoint.conj(), generator, state).real
    assert torch.allclose(correlate_columns(Register(data), qubit), expected)


@pytest.mark.parametrize(("n_qubits", "columns"), [(1, 1), (3, 4), (5, 1)])
def test_product_states(n_qubits, columns):
    angles = torch.randn(n_qubits, columns, dtype=torch.float64)
    found = product_state(angles)
    for column in range(columns):
        full = dense_turns(dict(enumerate(angles[:, column].tolist())), n_qubits)
        assert torch.allclose(found[:, column], full[:, 0])


@pytest.mark.parametrize(("n_qubits", "own_angles"), [(1, True), (4, True), (4, False), (6, True)])
def test_gradients_of_product_states(n_qubits, own_angles):
    columns = 3
    angles = torch.randn(n_qubits, columns if own_angles else 1, dtype=torch.float64)
    adjoint = torch.randn(2**n_qubits, columns, dtype=torch.complex128)
    leaf = angles.clone().requires_grad_()
    overlap = 2 * (adjoint.conj() * product_state(leaf)).real.sum()
    (expected,) = torch.autograd.grad(overlap, leaf)
    assert torch.allclose(gradient_of_product(angles, adjoint), expected)


def test_a_span_names_its_matrix():
    assert Span(2, 3, 0) == Span(first=2, size=3, row=0)


@given(n_qubits=st.integers(1, 8), columns=st.integers(1, 3), seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_a_product_state_measures_every_qubit_by_itself(n_qubits, columns, seed):
    """Odd and even registers split into halves of different kinds."""
    generator = torch.Generator().manual_seed(seed)
    angles = 6 * torch.rand(n_qubits, columns, dtype=torch.float64, generator=generator) - 3
    state = product_state(angles)
    assert state.dtype == torch.complex128 and not state.imag.any()
    chances = state.abs().square().view([2] * n_qubits + [columns])
    for qubit in range(n_qubits):
        zero, one = chances.movedim(qubit, 0).reshape(2, -1, columns).sum(1)
        assert torch.allclose(zero - one, angles[qubit].cos())
        assert torch.allclose(zero + one, torch.ones(columns, dtype=torch.float64))


@given(n_qubits=st.integers(1, 7), own_angles=st.booleans(), seed=st.integers(0, 10**6))
@settings(max_examples=12, deadline=None, derandomize=True)
def test_slopes_of_a_product_state_are_those_of_small_steps(n_qubits, own_angles, seed):
    generator = torch.Generator().manual_seed(seed)
    size = 2 if own_angles else 1
    angles = torch.randn(n_qubits, size, dtype=torch.float64, generator=generator)
    adjoint = torch.randn(2**n_qubits, 2, dtype=torch.complex128, generator=generator)
    found = gradient_of_product(angles, adjoint)

    def overlap(moved: torch.Tensor) -> torch.Tensor:
        return 2 * (adjoint.conj() * product_state(moved)).real

    for qubit in range(n_qubits):
        step = torch.zeros_like(angles)
        step[qubit] = 1e-6
        slope = ((overlap(angles + step) - overlap(angles - step)) / 2e-6).sum(0)
        expected = slope if own_angles else slope.sum()[None]
        assert torch.allclose(found[qubit], expected, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_halves_keep_the_precision(dtype):
    state = product_state(torch.zeros(3, 2, dtype=dtype))
    assert state.dtype == dtype.to_complex()
    assert state[0].tolist() == [1, 1] and not state[1:].any()
