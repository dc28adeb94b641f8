import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.ansatz import hardware_efficient
from quantum.circuit import Circuit, Parameter
from quantum.errors import InvalidValues
from quantum.observable import PauliSum, X, Z
from quantum.simulator import expectation
from quantum.training.optimizer import NaturalGradient, Rotosolve, Spsa, make_optimizer

CIRCUIT = hardware_efficient(3, 2)
ENERGY = sum((-1.0 * Z(q) @ Z(q + 1) for q in range(2)), PauliSum()) - 0.7 * (X(0) + X(1) + X(2))
EXACT = np.linalg.eigvalsh(ENERGY.matrix(3))[0]


def start(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    n_weights = len(CIRCUIT.weights)
    return torch.rand(n_weights, generator=generator, dtype=torch.float64).requires_grad_()


def closure_for(weights, optimizer, circuit=CIRCUIT, observable=ENERGY):
    def closure():
        optimizer.zero_grad()
        loss = expectation(circuit, [observable], weights=weights)[0, 0]
        if loss.requires_grad:
            loss.backward()
        return loss

    return closure


@pytest.mark.parametrize(
    ("name", "learning_rate", "n_steps", "gap"),
    [
        ("adam", 0.1, 60, 0.1),
        ("lbfgs", 0.3, 8, 0.1),
        ("qng", 0.1, 25, 0.1),
        ("rotosolve", 0.0, 4, 0.1),
        ("spsa", 0.2, 150, 0.4),
    ],
)
def test_each_comes_near_the_ground_state(name, learning_rate, n_steps, gap):
    weights = start()
    optimizer = make_optimizer(name, [weights], learning_rate=learning_rate, circuit=CIRCUIT)
    closure = closure_for(weights, optimizer)
    before = closure().item()
    for _ in range(n_steps):
        optimizer.step(closure)
    after = closure().item()
    assert EXACT <= after < EXACT + gap < before


@pytest.mark.parametrize("name", ["spsa", "adam", "sgd"])
def test_resuming_continues_exactly(name):
    weights = start()
    optimizer = make_optimizer(name, [weights], circuit=CIRCUIT, seed=5)
    for _ in range(3):
        optimizer.step(closure_for(weights, optimizer))
    again = weights.detach().clone().requires_grad_()
    resumed = make_optimizer(name, [again], circuit=CIRCUIT, seed=99)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for _ in range(3):
        optimizer.step(closure_for(weights, optimizer))
        resumed.step(closure_for(again, resumed))
    assert torch.equal(weights, again)


def test_spsa_uses_two_losses_whatever_the_number_of_weights():
    weights = torch.zeros(500, dtype=torch.float64)
    calls = []

    def closure():
        calls.append(weights.clone())
        return weights.square().sum()

    Spsa([weights], perturbation=0.1, seed=1).step(closure)
    assert len(calls) == 2
    assert torch.allclose(calls[0], -calls[1])
    assert torch.allclose(calls[0].abs(), torch.full_like(weights, 0.1))


def test_rotosolve_finds_the_minimum_of_one_weight_at_once():
    circuit = Circuit(2).ry("a", 0).crx(0.8 * Parameter("a"), 0, 1).rx("b", 1)
    observable = Z(0) + 0.5 * X(0) @ X(1)
    weights = torch.tensor([0.3, 1.0], dtype=torch.float64)
    optimizer = Rotosolve(weights, circuit=circuit)
    closure = closure_for(weights, optimizer, circuit, observable)
    predicted = optimizer.step(closure)
    assert predicted.item() == pytest.approx(closure().item(), abs=1e-9)
    scan = torch.stack([weights.expand(400, -1)[:, 0], torch.linspace(-4, 4, 400).double()], 1)
    landscape = expectation(circuit, [observable], weights=scan)
    assert closure().item() <= landscape.min().item() + 1e-9


def test_rotosolve_leaves_a_weight_alone_that_changes_nothing():
    circuit = Circuit(1).ry("a", 0).rz(0.0 * Parameter("b"), 0)
    idle = Circuit(1).rz(0.0 * Parameter("b"), 0)
    for one, n_weights, lowest in ((circuit, 2, -1.0), (idle, 1, 1.0)):
        weights = torch.full((n_weights,), 0.4, dtype=torch.float64)
        optimizer = Rotosolve(weights, circuit=one)
        loss = optimizer.step(closure_for(weights, optimizer, one, Z(0)))
        assert loss.item() == pytest.approx(lowest)
        assert weights[-1] == 0.4


def test_the_natural_step_does_not_depend_on_the_scale_of_a_weight():
    plain, scaled = Circuit(1).ry("a", 0), Circuit(1).ry(3 * Parameter("a"), 0)
    ends = []
    for circuit, value in ((plain, 0.9), (scaled, 0.3)):
        weights = torch.tensor([value], dtype=torch.float64, requires_grad=True)
        optimizer = NaturalGradient(weights, circuit=circuit, learning_rate=0.1, damping=0.0)
        optimizer.step(closure_for(weights, optimizer, circuit, Z(0)))
        ends.append(weights.item())
    assert ends[0] == pytest.approx(3 * ends[1])


def test_unknown_names_and_missing_circuits_are_refused():
    with pytest.raises(InvalidValues, match="adam, adamw"):
        make_optimizer("newton", [start()])
    for name in ("qng", "rotosolve"):
        with pytest.raises(InvalidValues, match="needs the circuit"):
            make_optimizer(name, [start()])


# What each step is, by arithmetic


@settings(deadline=None, max_examples=25)
@given(
    amplitude=st.floats(0.1, 5), phase=st.floats(-3, 3), level=st.floats(-5, 5),
    at=st.floats(-6, 6),
)  # fmt: skip
def test_rotosolve_minimises_any_sinusoid_in_one_visit(amplitude, phase, level, at):
    weights = torch.tensor([at], dtype=torch.float64)
    optimizer = Rotosolve(weights, circuit=Circuit(1).rx("a", 0))
    predicted = optimizer.step(lambda: level + amplitude * torch.cos(weights[0] - phase))
    assert float(predicted) == pytest.approx(level - amplitude, abs=1e-6)
    reached = level + amplitude * np.cos(float(weights[0]) - phase)
    assert reached == pytest.approx(level - amplitude, abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(
    slope=st.lists(st.floats(-3, 3), min_size=3, max_size=3), rate=st.floats(0.01, 0.5),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_spsa_s_first_step_is_along_its_signs_by_the_measured_slope(slope, rate, seed):
    """On a plane the estimate is exact along the direction: Δ (g · Δ) times the rate."""
    gradient = torch.tensor(slope, dtype=torch.float64)
    weights = torch.zeros(3, dtype=torch.float64)
    optimizer = Spsa([weights], learning_rate=rate, seed=seed)
    loss = optimizer.step(lambda: gradient @ weights)
    drawn = torch.randint(0, 2, (3,), generator=torch.Generator().manual_seed(seed))
    signs = (2 * drawn - 1).double()
    assert torch.allclose(weights, -rate * signs * (gradient @ signs), atol=1e-9)
    assert float(loss) == pytest.approx(0.0, abs=1e-9)


def test_spsa_s_steps_fall_as_spall_says():
    weights = torch.zeros(1, dtype=torch.float64)
    optimizer = Spsa([weights], learning_rate=0.1, stability=10.0)
    moves = []
    for _ in range(30):
        before = weights.clone()
        optimizer.step(lambda: weights.sum())
        moves.append(float((weights - before).abs()))
    wanted = [0.1 * (11 / (k + 11)) ** 0.602 for k in range(30)]
    assert moves == pytest.approx(wanted, rel=1e-6)


def test_the_natural_gradient_of_one_turn_is_four_times_the_plain_one():
    """The metric of a turn about Y from |0⟩ is ¼ (Stokes et al. 2020, section 3)."""
    circuit = Circuit(1).ry("a", 0)
    weights = torch.tensor([0.4], dtype=torch.float64, requires_grad=True)
    optimizer = NaturalGradient(weights, circuit=circuit, learning_rate=0.01, damping=0.0)

    def closure():
        optimizer.zero_grad()
        loss = expectation(circuit, [Z(0)], weights=weights)[0, 0]
        loss.backward()
        return loss

    optimizer.step(closure)
    assert weights.item() == pytest.approx(0.4 + 0.01 * 4 * np.sin(0.4), rel=1e-4)


@pytest.mark.parametrize("name", ["spsa", "rotosolve"])
def test_optimizers_without_gradients_never_ask_for_one(name):
    weights = start()
    optimizer = make_optimizer(name, [weights], learning_rate=0.1, circuit=CIRCUIT)
    recorded = []

    def closure():
        loss = expectation(CIRCUIT, [ENERGY], weights=weights)[0, 0]
        recorded.append(loss.requires_grad)
        return loss

    optimizer.step(closure)
    assert not any(recorded) and weights.grad is None


def test_a_seed_draws_spsa_s_directions():
    def moved(seed):
        weights = torch.zeros(8, dtype=torch.float64)
        Spsa([weights], seed=seed).step(lambda: weights.sum())
        return weights

    assert torch.equal(moved(1), moved(1)) and not torch.equal(moved(1), moved(2))
