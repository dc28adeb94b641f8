import copy

import numpy as np
import pytest
import torch

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
