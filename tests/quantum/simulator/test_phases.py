import numpy as np
import pytest
import torch

from quantum.simulator import phases
from quantum.simulator.lowering import Line, Phase
from quantum.simulator.phases import PhaseFactors, PhaseGradients, PhaseTable, overlap
from quantum.simulator.register import Register
from tests.quantum.simulator.dense import phase_exponent

N_QUBITS = 5
LIKE = torch.zeros(0, dtype=torch.float64)
LAYERS = [
    # inside the high half, inside the low half, across, everywhere
    [Phase((0,), Line(0.0), False), Phase((0, 1), Line(0.0), True), Phase((), Line(0.0), True)],
    [Phase((3,), Line(0.0), True), Phase((2, 4), Line(0.0), False)],
    [
        Phase((1, 2), Line(0.0), False),
        Phase((0, 4), Line(0.0), True),
        Phase((0,), Line(0.0), False),
    ],
    [Phase((0, 1, 2, 3, 4), Line(0.0), on) for on in (False, True)],
]


@pytest.fixture(params=[2**20, 0])
def kept(request, monkeypatch) -> int:
    """Factors made once, and factors made when asked for."""
    monkeypatch.setattr(phases, "_KEPT", request.param)
    return request.param


def compiled():
    """All layers, with rows 1, 2, 3, … of the angle table in turn."""
    table = PhaseTable(N_QUBITS)
    row = 1
    for layer in LAYERS:
        table.add_layer([(phase, row + i) for i, phase in enumerate(layer)])
        row += len(layer)
    return table.compile(LIKE), row


def exponents(layer: int, angles: torch.Tensor) -> torch.Tensor:
    first = 1 + sum(map(len, LAYERS[:layer]))
    parts = [
        angles[first + i] * torch.tensor(phase_exponent(phase, N_QUBITS))
        for i, phase in enumerate(LAYERS[layer])
    ]
    return torch.stack(parts).sum(0)


@pytest.mark.parametrize("layer", range(len(LAYERS)))
def test_factors_are_exponentials_of_the_sums(kept, layer):
    tables, n_rows = compiled()
    angles = torch.randn(n_rows, dtype=torch.float64)
    angles[0] = 0
    factors = PhaseFactors(tables, angles)
    expected = torch.exp(1j * exponents(layer, angles))
    assert torch.allclose(factors.of_layer(layer)[:, 0], expected)
    assert torch.allclose(factors.of_layer(layer, undo=True)[:, 0], expected.conj())
    assert torch.allclose(factors.of_layer(layer)[:, 0], expected)  # undoing spoils nothing


def test_gradients_sum_the_overlap_over_states_and_columns(kept):
    tables, n_rows = compiled()
    gradients = PhaseGradients(tables)
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(n_rows, dtype=torch.float64)
    expected = torch.zeros(n_rows, dtype=torch.float64)
    row = 1
    for layer, members in enumerate(LAYERS):
        products = torch.randn(2, 2**N_QUBITS, 3, generator=generator, dtype=torch.complex128)
        for part in products:  # two chunks
            gradients.add(layer, part)
        for phase in members:
            d = torch.tensor(phase_exponent(phase, N_QUBITS))
            expected[row] = -2 * (d[None, :, None] * products.imag).sum()
            row += 1
    gradients.add_to(total)
    assert torch.allclose(total[1:], expected[1:])


def test_the_slope_of_a_phase_is_minus_twice_the_imaginary_overlap():
    """d/dθ of 2 Re<λ|e^{iθd} ψ> is what `add_to` adds for the pair behind the layer."""
    (table := PhaseTable(2)).add_layer([(Phase((0, 1), Line(0.0), False), 1)])
    tables = table.compile(LIKE)
    state, adjoint = torch.randn(2, 4, 1, dtype=torch.complex128)
    angle = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    d = torch.tensor(phase_exponent(Phase((0, 1), Line(0.0), False), 2))[:, None]
    moved = torch.exp(1j * angle * d) * state
    (expected,) = torch.autograd.grad(2 * (adjoint.conj() * moved).real.sum(), angle)
    gradients = PhaseGradients(tables)
    gradients.add(0, overlap(Register(torch.stack([moved.detach(), adjoint]))))
    found = torch.zeros(2, dtype=torch.float64)
    gradients.add_to(found)
    assert found[1].item() == pytest.approx(expected.item())


@pytest.mark.parametrize("n_qubits", [1, 2, 3])
def test_small_registers_have_halves_too(n_qubits):
    table = PhaseTable(n_qubits)
    layer = [Phase((q,), Line(0.0), on) for q in range(n_qubits) for on in (True, False)]
    table.add_layer([(phase, i + 1) for i, phase in enumerate(layer)])
    angles = torch.linspace(0, 1, len(layer) + 1, dtype=torch.float64)
    found = PhaseFactors(table.compile(LIKE), angles).of_layer(0)[:, 0]
    total = sum(
        a * phase_exponent(p, n_qubits) for a, p in zip(angles[1:].tolist(), layer, strict=True)
    )
    assert np.allclose(found, np.exp(1j * total))


def test_no_layers_are_no_trouble():
    tables = PhaseTable(3).compile(LIKE)
    PhaseFactors(tables, torch.zeros(1, dtype=torch.float64))
    total = torch.zeros(1, dtype=torch.float64)
    PhaseGradients(tables).add_to(total)
    assert total.item() == 0
