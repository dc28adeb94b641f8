"""All gradients agree: shift rule = adjoint = autograd = finite difference."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.circuit import Circuit, Parameter, parameter_input
from quantum.errors import InvalidValues
from quantum.gates import GATES
from quantum.gradients import (
    GradientComputer,
    adjoint_jacobian,
    finite_difference,
    join_parameters,
    parameter_frequencies,
    parameter_shift,
    shift_rule,
    spsa,
)
from quantum.observable import X, Z
from quantum.simulator import expectation
from quantum.simulator.gate_by_gate import run_gate_by_gate
from quantum.simulator.pauli import state_expectation
from tests.quantum.random_circuits import random_circuit, random_observables, random_values

PARAMETRIC = [name for name, gate in GATES.items() if gate.n_angles]


def autograd_jacobian(circuit, observables, parameters):
    """Backpropagation through the plain simulator, gate by gate."""
    leaf = parameters.clone().requires_grad_()
    n_weights = len(circuit.weights)
    state = run_gate_by_gate(circuit, weights=leaf[:, :n_weights], inputs=leaf[:, n_weights:])
    values = state_expectation(state, observables).sum(0)
    columns = [torch.autograd.grad(v, leaf, retain_graph=True)[0] for v in values]
    return torch.stack(columns, 2)


@pytest.mark.parametrize("seed", range(10))
def test_all_four_agree(seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=25)
    weights, inputs = random_values(circuit, seed, batch=3)
    observables = random_observables(seed, n_qubits=4, count=2)
    parameters = join_parameters(circuit, weights, inputs).detach()
    expected = autograd_jacobian(circuit, observables, parameters)
    adjoint = adjoint_jacobian(circuit, observables, parameters=parameters)
    shifted, stepped = (
        GradientComputer(recipe).jacobian(circuit, observables, weights=weights, inputs=inputs)
        for recipe in (parameter_shift, finite_difference)
    )
    assert torch.allclose(adjoint, expected, atol=1e-10, rtol=0)
    assert torch.allclose(shifted, expected, atol=1e-10, rtol=0)
    assert torch.allclose(stepped, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", PARAMETRIC)
def test_the_shift_rule_of_every_gate(name):
    gate = GATES[name]
    n_qubits = gate.n_qubits or 3
    around = Circuit(n_qubits)
    for q in range(n_qubits):
        around = around.u(0.3 + q, 0.5 * q, 0.7, q)
    word = "XYZ" if name == "pauli" else ""
    angles = [f"a_{i}" for i in range(gate.n_angles)]
    circuit = around.gate(name, range(n_qubits), angles, word) + around
    observables = random_observables(len(name), n_qubits=n_qubits, count=2)
    weights = torch.linspace(0.2, 1.1, gate.n_angles, dtype=torch.float64)[None]
    found = GradientComputer().jacobian(circuit, observables, weights=weights)
    expected = adjoint_jacobian(circuit, observables, parameters=weights)
    assert torch.allclose(found, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("frequencies", [(1.0,), (2.0,), (0.5, 1.0), (1.0, 2.0), (0.5, 1.0, 1.5)])
def test_a_rule_differentiates_every_polynomial_of_its_frequencies(frequencies):
    rng = np.random.default_rng(0)
    cos, sin = rng.normal(size=(2, len(frequencies)))
    omega = np.array(frequencies)

    def f(x):
        return 0.7 + (cos * np.cos(omega * x) + sin * np.sin(omega * x)).sum()

    for x in (0.0, 0.8, -2.0):
        slope = (omega * (sin * np.cos(omega * x) - cos * np.sin(omega * x))).sum()
        rule = sum(c * (f(x + s) - f(x - s)) for s, c in shift_rule(frequencies))
        assert rule == pytest.approx(slope, abs=1e-12)


def test_pauli_rotations_take_two_runs_and_controlled_ones_four():
    assert parameter_shift(Circuit(2).rx("a", 0).rzz("b", 0, 1)).n_runs == 4
    assert parameter_shift(Circuit(2).crx("a", 0, 1)).n_runs == 4
    assert parameter_shift(Circuit(1).rx(0.3, 0)).n_runs == 0
    # one weight at two gates is shifted at each
    assert parameter_shift(Circuit(2).rx("a", 0).rx("a", 1)).n_runs == 4


def test_all_runs_share_one_structure():
    circuit = Circuit(2).ry(2 * Parameter("a") + 1, 0).cx(0, 1).rz(parameter_input("x"), 1)
    recipe = parameter_shift(circuit)
    parameters = torch.tensor([[0.5, 0.1], [0.5, 0.2]], dtype=torch.float64)
    shared, angles = recipe.construct_circuits(parameters)
    assert shared.weights == ("angle_0", "angle_1") and shared.inputs == ()
    assert angles.shape == (2 * recipe.n_runs, 2)
    assert angles[: recipe.n_runs].mean(0).tolist() == pytest.approx([2 * 0.5 + 1, 0.1])


def test_the_halves_need_nothing_but_the_values_between_them():
    circuit = Circuit(1).ry("a", 0)
    recipe = parameter_shift(circuit)
    _, angles = recipe.construct_circuits(torch.tensor([[0.4]], dtype=torch.float64))
    measured = angles.cos()  # what any device would answer for Z
    assert recipe.combine_results(measured).item() == pytest.approx(-np.sin(0.4))


def test_spsa_is_right_on_average():
    circuit = Circuit(2).ry("a", 0).ry("b", 1).cx(0, 1)
    weights = torch.tensor([0.3, 1.1], dtype=torch.float64)
    exact = GradientComputer().jacobian(circuit, [X(0) + Z(1)], weights=weights)

    def guess(chosen: Circuit):
        return spsa(chosen, seed=1, step=0.01, repeats=2000)

    found = GradientComputer(guess).jacobian(circuit, [X(0) + Z(1)], weights=weights)
    assert torch.allclose(found, exact, atol=0.05)


def test_spsa_takes_two_runs_and_repeats_with_its_seed():
    circuit = random_circuit(0, n_qubits=3, n_gates=20)
    first, second, other = (spsa(circuit, seed=s) for s in (3, 3, 4))
    assert first.n_runs == 2
    assert torch.equal(first.shifts, second.shifts)
    assert not torch.equal(first.shifts, other.shifts)


def test_a_backend_that_loses_results_is_noticed():
    computer = GradientComputer(evaluate=lambda c, o, w: expectation(c, o, weights=w)[:-1])
    with pytest.raises(InvalidValues, match="2 runs gave 1"):
        computer.jacobian(Circuit(1).ry("a", 0), [Z(0)], weights=torch.tensor([0.1]))


def test_frequencies_of_weights():
    circuit = Circuit(2).ry("a", 0).crx("b", 0, 1).rz(2 * Parameter("c"), 0).rx("c", 1)
    circuit = circuit.ry(parameter_input("x"), 0)
    assert parameter_frequencies(circuit) == [(1.0,), (0.5, 1.0), (1.0, 2.0, 3.0)]


@given(seed=st.integers(0, 10**6))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_exact_methods_agree_on_any_circuit(seed):
    circuit = random_circuit(seed, n_qubits=3, n_gates=12)
    weights, inputs = random_values(circuit, seed, batch=2)
    observables = random_observables(seed, n_qubits=3, count=2)
    parameters = join_parameters(circuit, weights, inputs).detach()
    adjoint = adjoint_jacobian(circuit, observables, parameters=parameters)
    shifted = GradientComputer().jacobian(circuit, observables, weights=weights, inputs=inputs)
    assert torch.allclose(adjoint, shifted, atol=1e-10, rtol=0)
    values = expectation(circuit, observables, weights=weights, inputs=inputs)
    slope = torch.autograd.grad(values.sum(), (weights, inputs), materialize_grads=True)
    n_weights = len(circuit.weights)
    assert torch.allclose(adjoint[:, :n_weights].sum((0, 2)), slope[0], atol=1e-10)
    assert torch.allclose(adjoint[:, n_weights:].sum(2), slope[1], atol=1e-10)


@pytest.mark.parametrize("recipe", [parameter_shift, finite_difference, lambda c: spsa(c, seed=0)])
def test_a_circuit_without_parameters_has_an_empty_jacobian(recipe):
    found = GradientComputer(recipe).jacobian(Circuit(1).h(0), [X(0), Z(0)])
    assert found.shape == (1, 0, 2)


def test_asking_for_some_parameters_gives_those_columns_of_the_whole():
    circuit = random_circuit(4, n_qubits=3, n_gates=20)
    weights, inputs = random_values(circuit, 4, batch=2)
    parameters = join_parameters(circuit, weights, inputs).detach()
    observables = random_observables(4, n_qubits=3, count=1)
    recipe = parameter_shift(circuit)
    chosen = [2, 0]
    some = recipe.only(chosen)
    assert 0 < some.n_runs < recipe.n_runs

    def jacobian(recipe):
        run, angles = recipe.construct_circuits(parameters)
        return recipe.combine_results(expectation(run, observables, weights=angles))

    assert torch.allclose(jacobian(some), jacobian(recipe)[:, chosen], atol=1e-12)
    assert recipe.only([]).n_runs == 0


@pytest.mark.parametrize("step", [0.0, -0.1, math.nan, math.inf])
def test_a_step_must_lead_somewhere(step):
    for recipe in (finite_difference, lambda c, step: spsa(c, seed=0, step=step)):
        with pytest.raises(InvalidValues, match="above 0"):
            recipe(Circuit(1).ry("a", 0), step=step)
    with pytest.raises(InvalidValues, match="one repeat or more, not 0"):
        spsa(Circuit(1).ry("a", 0), seed=0, repeats=0)


@given(scale=st.floats(0.2, 3), offset=st.floats(-3, 3), value=st.floats(-3, 3))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_the_chain_rule_of_scaled_and_repeated_parameters(scale, offset, value):
    """Z after turns by (s a + o) and a is cos of their sum."""
    circuit = Circuit(1).ry(scale * Parameter("a") + offset, 0).ry("a", 0)
    weights = torch.tensor([value], dtype=torch.float64)
    found = GradientComputer().jacobian(circuit, [Z(0)], weights=weights).item()
    expected = -(scale + 1) * math.sin((scale + 1) * value + offset)
    assert found == pytest.approx(expected, abs=1e-9)


def test_gradients_vanish_at_an_extreme_and_are_largest_between():
    circuit = Circuit(1).rx("a", 0)
    at = torch.tensor([[0.0], [math.pi], [math.pi / 2]], dtype=torch.float64)
    found = adjoint_jacobian(circuit, [Z(0)], parameters=at)[:, 0, 0]
    assert torch.allclose(found, torch.tensor([0.0, 0.0, -1.0], dtype=torch.float64), atol=1e-12)


def test_derivatives_are_linear_in_the_observables():
    circuit = random_circuit(9, n_qubits=3, n_gates=15)
    weights, inputs = random_values(circuit, 9, batch=1)
    parameters = join_parameters(circuit, weights, inputs).detach()
    a, b = random_observables(9, n_qubits=3, count=2)
    found = adjoint_jacobian(circuit, [a, b, 2 * a - 3 * b + 1], parameters=parameters)
    assert torch.allclose(found[..., 2], 2 * found[..., 0] - 3 * found[..., 1], atol=1e-10)


@pytest.mark.parametrize("frequencies", [(1.0,), (0.5, 1.0), (1.0, 2.0, 3.0), (0.3, 1.1)])
def test_shift_rules_fade_constants_and_even_parts(frequencies):
    rule = shift_rule(frequencies)
    assert len(rule) == len(frequencies)
    for function, slope in (
        (lambda x: 5.0, 0.0),
        (lambda x: math.cos(frequencies[-1] * x), 0.0),
        (lambda x: math.sin(frequencies[0] * x) - 2 * math.sin(frequencies[-1] * x),
         frequencies[0] - 2 * frequencies[-1]),
    ):  # fmt: skip
        found = sum(c * (function(s) - function(-s)) for s, c in rule)
        assert found == pytest.approx(slope, abs=1e-9)


def test_weights_and_inputs_keep_their_places_in_the_jacobian():
    circuit = Circuit(2).ry(parameter_input("x"), 0).ry("w", 1)
    found = GradientComputer().jacobian(
        circuit,
        [Z(0), Z(1)],
        weights=torch.tensor([math.pi / 2]),
        inputs=torch.tensor([[0.0], [math.pi / 2]]),
    )
    by_w, by_x = found[:, 0], found[:, 1]
    assert torch.allclose(by_w, torch.tensor([[0.0, -1.0]] * 2, dtype=by_w.dtype), atol=1e-6)
    assert torch.allclose(by_x, torch.tensor([[0.0, 0], [-1, 0]], dtype=by_x.dtype), atol=1e-6)
