import numpy as np
import pytest
import torch

from quantum.ansatz import qaoa, uniform_state
from quantum.errors import InvalidObservable, InvalidValues
from quantum.observable import PauliSum, X, Z, identity
from quantum.simulator import cost as cost_tables
from quantum.simulator import expectation, run
from quantum.simulator.cost import compile_cost
from quantum.simulator.qaoa import qaoa_energy, qaoa_probabilities, qaoa_state


def ising(n_qubits: int, seed: int = 0) -> PauliSum:
    """Random fields and couplings between all pairs, a constant, and a word of three letters."""
    rng = np.random.default_rng(seed)
    pairs = [(a, b) for a in range(n_qubits) for b in range(a)]
    total = identity(0.3) + sum((rng.normal() * Z(q) for q in range(n_qubits)), PauliSum())
    total += sum((rng.normal() * Z(a) @ Z(b) for a, b in pairs), PauliSum())
    return total + (0.7 * Z(0) @ Z(n_qubits // 2) @ Z(n_qubits - 1) if n_qubits > 2 else 0)


@pytest.fixture(params=[16, 3])
def block(request, monkeypatch) -> int:
    """Blocks that hold everything, and blocks so small that there are many."""
    monkeypatch.setattr(cost_tables, "BLOCK", request.param)
    monkeypatch.setattr("quantum.simulator.qaoa.BLOCK", request.param)
    monkeypatch.setattr("quantum.simulator.turns._BLOCK", 2**request.param)
    return request.param


def angles(depth: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(depth)
    drawn = torch.rand(2, depth, generator=generator, dtype=torch.float64)
    return drawn[0].requires_grad_(), drawn[1].requires_grad_()


@pytest.mark.parametrize("n_qubits", [1, 2, 4, 7])
def test_tables_add_up_to_the_diagonal(block, n_qubits):
    observable = ising(n_qubits)
    found = compile_cost(observable, n_qubits, dtype=torch.float64).diagonal()
    assert np.allclose(found, np.diag(observable.matrix(n_qubits)).real)


@pytest.mark.parametrize("n_qubits", [1, 2, 4, 7, 10])
def test_energies_and_gradients_are_those_of_the_circuit(block, n_qubits):
    observable = ising(n_qubits)
    tables = compile_cost(observable, n_qubits, dtype=torch.float64)
    gammas, betas = angles(3)
    energy = qaoa_energy(tables, gammas=gammas, betas=betas)
    circuit = qaoa(observable, initial=uniform_state(n_qubits), depth=3)
    weights = torch.stack([gammas, betas], 1).flatten()
    expected = expectation(circuit, [observable], weights=weights)[0, 0]
    assert energy.item() == pytest.approx(expected.item(), abs=1e-11)
    found, wanted = (torch.autograd.grad(3 * e, (gammas, betas)) for e in (energy, expected))
    assert torch.allclose(torch.stack(found), torch.stack(wanted), atol=1e-10)


@pytest.mark.parametrize("n_qubits", [2, 5, 6])
def test_states_are_those_of_the_circuit(block, n_qubits):
    observable = ising(n_qubits)
    tables = compile_cost(observable, n_qubits, dtype=torch.float64)
    gammas, betas = angles(2)
    state = qaoa_state(tables, gammas=gammas, betas=betas)
    circuit = qaoa(observable, initial=uniform_state(n_qubits), depth=2)
    expected = run(circuit, weights=torch.stack([gammas, betas], 1).flatten())[0].detach()
    # The circuit leaves out the constant of the cost: a global phase.
    assert torch.vdot(state, expected).abs().item() == pytest.approx(1, abs=1e-12)
    found = qaoa_probabilities(tables, gammas=gammas, betas=betas)
    assert torch.allclose(found, expected.abs().square(), atol=1e-12)


def test_single_precision_is_enough_for_energies():
    observable = ising(10)
    values = [
        qaoa_energy(compile_cost(observable, 10, dtype=d), gammas=g.to(d), betas=b.to(d)).item()
        for d in (torch.float32, torch.float64)
        for g, b in [angles(3)]
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-4)


def test_depth_zero_is_the_uniform_state():
    tables = compile_cost(ising(4), 4)
    none = torch.zeros(0)
    assert qaoa_energy(tables, gammas=none, betas=none).item() == pytest.approx(0.3, abs=1e-6)


def test_a_cost_is_a_real_sum_of_words_of_z():
    for wrong in (X(0), 1j * Z(0)):
        with pytest.raises(InvalidObservable, match="words of Z"):
            compile_cost(wrong, 2)
    with pytest.raises(InvalidObservable, match="qubit 2"):
        compile_cost(Z(2), 2)


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4])
def test_every_depth_ends_in_the_right_sweep(block, depth):
    """Sweeps take turns over low and high qubits: odd and even depths end in different ones."""
    observable = ising(6, seed=depth)
    tables = compile_cost(observable, 6, dtype=torch.float64)
    gammas, betas = angles(depth)
    found = qaoa_energy(tables, gammas=gammas, betas=betas)
    circuit = qaoa(observable, initial=uniform_state(6), depth=depth)
    weights = torch.stack([gammas, betas], 1).flatten()
    expected = expectation(circuit, [observable], weights=weights)[0, 0]
    assert found.item() == pytest.approx(expected.item(), abs=1e-11)
    chances = qaoa_probabilities(tables, gammas=gammas, betas=betas)
    assert chances.sum().item() == pytest.approx(1)
    assert (chances @ tables.diagonal()).item() == pytest.approx(found.item(), abs=1e-11)


def test_gradients_may_be_taken_twice_from_one_energy(block):
    tables = compile_cost(ising(5), 5, dtype=torch.float64)
    values = angles(2)
    energy = qaoa_energy(tables, gammas=values[0], betas=values[1])
    first, again = (torch.autograd.grad(energy, values, retain_graph=True) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_second_derivative_is_refused_rather_than_left_out():
    tables = compile_cost(ising(3), 3, dtype=torch.float64)
    gammas, betas = angles(2)

    def energy(gammas: torch.Tensor) -> torch.Tensor:
        return qaoa_energy(tables, gammas=gammas, betas=betas.detach())

    with pytest.raises(InvalidValues, match="first derivatives only"):
        torch.autograd.functional.hessian(energy, gammas.detach())
    value = qaoa_energy(tables, gammas=gammas, betas=betas)
    slopes = torch.autograd.grad(value, (gammas, betas), create_graph=True)
    plain = torch.autograd.grad(value, (gammas, betas), retain_graph=True)
    assert all(torch.equal(a, b) for a, b in zip(slopes, plain, strict=True))
    with pytest.raises(InvalidValues, match="first derivatives only"):
        (value + sum(slope.square().sum() for slope in slopes)).backward()


def test_a_full_period_of_the_mixer_changes_nothing(block):
    """e^{-iπX} is -1 on every qubit."""
    tables = compile_cost(ising(5), 5, dtype=torch.float64)
    gammas, betas = (v.detach() for v in angles(2))
    found, moved = (
        qaoa_energy(tables, gammas=gammas, betas=b).item() for b in (betas, betas + np.pi)
    )
    assert found == pytest.approx(moved, abs=1e-10)


def test_reversing_all_angles_is_the_complex_conjugate(block):
    tables = compile_cost(ising(5), 5, dtype=torch.float64)
    gammas, betas = (v.detach() for v in angles(3))
    there, back = (qaoa_state(tables, gammas=s * gammas, betas=s * betas) for s in (1, -1))
    assert torch.allclose(there.conj(), back, atol=1e-12)
