"""What a user of the simulator relies on, whatever the circuit."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.circuit import Circuit, parameter_input
from quantum.errors import InvalidObservable, InvalidValues
from quantum.observable import PauliSum, X, Y, Z, identity
from quantum.simulator import count_bits, expectation, probabilities, run, sample
from tests.quantum.random_circuits import random_circuit, random_observables, random_values

SEEDS = st.integers(0, 10**6)
FEW = settings(max_examples=8, deadline=None, derandomize=True)
NONE = torch.zeros(0, dtype=torch.float64)


@given(seed=SEEDS, n_qubits=st.integers(1, 6), batch=st.integers(1, 4))
@FEW
def test_states_have_length_one_and_chances_add_up(seed, n_qubits, batch):
    circuit = random_circuit(seed, n_qubits=n_qubits, n_gates=15)
    weights, inputs = random_values(circuit, seed, batch=batch)
    chances = probabilities(circuit, weights=weights, inputs=inputs)
    assert (chances >= 0).all()
    assert torch.allclose(chances.sum(1), torch.ones(batch, dtype=torch.float64), atol=1e-12)


@given(seed=SEEDS, n_qubits=st.integers(1, 5))
@FEW
def test_a_circuit_and_its_inverse_lead_back(seed, n_qubits):
    circuit = random_circuit(seed, n_qubits=n_qubits, n_gates=15)
    weights, inputs = random_values(circuit, seed, batch=2)
    state = run(circuit + circuit.inverse(), weights=weights, inputs=inputs)
    assert torch.allclose(state[:, 0], torch.ones(2, dtype=state.dtype), atol=1e-12)


@given(seed=SEEDS)
@FEW
def test_the_mean_of_a_sum_lies_between_its_lowest_and_highest_level(seed):
    circuit = random_circuit(seed, n_qubits=3, n_gates=15, free=False)
    observables = random_observables(seed, n_qubits=3, count=3)
    values = expectation(circuit, observables, weights=NONE)[0].tolist()
    for value, observable in zip(values, observables, strict=True):
        levels = torch.linalg.eigvalsh(torch.tensor(observable.matrix(3)))
        assert levels[0] - 1e-10 <= value <= levels[-1] + 1e-10


@given(seed=SEEDS)
@FEW
def test_means_are_linear_and_the_identity_is_one(seed):
    circuit = random_circuit(seed, n_qubits=3, n_gates=15, free=False)
    a, b = random_observables(seed, n_qubits=3, count=2)
    values = expectation(circuit, [a, b, 2 * a - 0.5 * b + 3, identity()], weights=NONE)[0]
    assert values[2].item() == pytest.approx((2 * values[0] - 0.5 * values[1] + 3).item())
    assert values[3].item() == pytest.approx(1)


@given(seed=SEEDS)
@FEW
def test_means_of_z_are_those_of_the_chances(seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=20, free=False)
    chances = probabilities(circuit, weights=NONE)[0].view([2] * 4)
    for qubit in range(4):
        zero, one = chances.movedim(qubit, 0).reshape(2, -1).sum(1).tolist()
        assert expectation(circuit, [Z(qubit)], weights=NONE).item() == pytest.approx(zero - one)


@given(seed=SEEDS)
@FEW
def test_elements_of_a_batch_do_not_know_of_each_other(seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=20)
    weights, inputs = random_values(circuit, seed, batch=5, batched_weights=True)
    observables = random_observables(seed, n_qubits=4, count=2)
    together = expectation(circuit, observables, weights=weights, inputs=inputs)
    for row in range(5):
        alone = expectation(circuit, observables, weights=weights[row], inputs=inputs[row])
        assert torch.allclose(together[row], alone[0], atol=1e-12)
    turned = expectation(circuit, observables, weights=weights.flip(0), inputs=inputs.flip(0))
    assert torch.allclose(turned.flip(0), together, atol=1e-12)


@pytest.mark.parametrize("qubit", range(3))
def test_bits_are_written_from_qubit_zero(qubit):
    circuit = Circuit(3).x(qubit)
    expected = ["0", "0", "0"]
    expected[qubit] = "1"
    index = sample(circuit, shots=4, seed=0)[0]
    assert count_bits(index, 3) == {"".join(expected): 4}
    assert probabilities(circuit)[0].argmax().item() == 1 << (2 - qubit)
    values = expectation(circuit, [Z(q) for q in range(3)])[0].tolist()
    assert values == [-1.0 if q == qubit else 1.0 for q in range(3)]


def test_a_controlled_gate_reads_its_control_first():
    for control, target, lands in ((0, 1, "110"), (2, 0, "101")):
        circuit = Circuit(3).x(control).cx(control, target)
        assert count_bits(sample(circuit, shots=1, seed=0)[0], 3) == {lands: 1}


@given(seed=SEEDS)
@FEW
def test_a_seed_gives_the_same_shots_and_another_seed_others(seed):
    circuit = Circuit(5)
    for qubit in range(5):
        circuit = circuit.h(qubit)
    first, again, other = (sample(circuit, shots=200, seed=s) for s in (seed, seed, seed + 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_global_seed_of_torch_plays_no_part():
    circuit = Circuit(3).h(0).h(1).h(2)
    torch.manual_seed(1)
    first = sample(circuit, shots=50, seed=3)
    before = torch.rand(1)
    torch.manual_seed(1)
    again = sample(circuit, shots=50, seed=3)
    assert torch.equal(first, again)
    assert torch.equal(torch.rand(1), before)


def test_sampled_frequencies_pass_a_chi_square_test():
    circuit = random_circuit(5, n_qubits=3, n_gates=25, free=False)
    chances = probabilities(circuit, weights=NONE)[0]
    shots = 40_000
    found = torch.bincount(sample(circuit, shots=shots, seed=11, weights=NONE)[0], minlength=8)
    expected = chances * shots
    likely = expected > 5
    statistic = ((found - expected)[likely] ** 2 / expected[likely]).sum().item()
    assert statistic < 24.3  # 0.1 % of samples exceed this with 7 degrees of freedom


def test_nothing_is_drawn_from_what_is_no_number():
    circuit = Circuit(2).ry("a", 0)
    with pytest.raises(InvalidValues, match="no numbers"):
        sample(circuit, shots=5, seed=0, weights=torch.tensor([torch.nan]))
    with pytest.raises(InvalidValues, match="-3 times"):
        sample(circuit, shots=-3, seed=0, weights=torch.tensor([0.1]))
    assert sample(circuit, shots=0, seed=0, weights=torch.tensor([0.1])).shape == (1, 0)


@pytest.mark.parametrize("observable", [1j * Z(0), X(0) @ Y(0), Z(0) + 1j * X(1)])
def test_only_what_can_be_measured_has_a_mean(observable):
    with pytest.raises(InvalidObservable, match="real coefficients"):
        expectation(Circuit(2), [observable])


def test_an_observable_of_no_words_is_zero_and_no_observables_are_none():
    assert expectation(Circuit(2).h(0), [PauliSum()]).tolist() == [[0.0]]
    assert expectation(Circuit(2).h(0), []).shape == (1, 0)


def test_the_same_circuit_may_be_run_again_and_again():
    """Programs are kept; what one run leaves behind must not reach the next."""
    circuit = Circuit(3).ry("a", 0).cx(0, 1).rz("b", 1).ry(parameter_input("x"), 2).cx(1, 2)
    inputs = torch.rand(3, 1, dtype=torch.float64)
    weights = torch.rand(4, 2, dtype=torch.float64)
    first = [expectation(circuit, [Z(2)], weights=w, inputs=inputs) for w in weights]
    leaf = weights[0].clone().requires_grad_()
    expectation(circuit, [Z(2), X(0)], weights=leaf, inputs=inputs).sum().backward()
    expectation(circuit, [Z(2)], weights=weights[0].float(), inputs=inputs[:1].float())
    again = [expectation(circuit, [Z(2)], weights=w, inputs=inputs) for w in weights]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_values_may_be_wanted_without_gradients_and_twice_with_them():
    circuit = Circuit(2).ry("a", 0).cx(0, 1)
    leaf = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        assert not expectation(circuit, [Z(1)], weights=leaf).requires_grad
    value = expectation(circuit, [Z(1)], weights=leaf).sum()
    once = torch.autograd.grad(value, leaf, retain_graph=True)[0]
    twice = torch.autograd.grad(value, leaf)[0]
    assert torch.equal(once, twice)
    assert once.item() == pytest.approx(-torch.sin(leaf).item())


@pytest.mark.parametrize("power", [1, 2])
def test_a_second_derivative_is_refused_rather_than_left_out(power):
    """As a penalty on slopes would be: half of its gradient is there without it."""
    leaf = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    for value in (
        expectation(Circuit(1).ry("a", 0), [Z(0)], weights=leaf).sum(),
        probabilities(Circuit(1).ry("a", 0), weights=leaf)[0, 0],
    ):
        (slope,) = torch.autograd.grad(value**power, leaf, create_graph=True)
        with pytest.raises(InvalidValues, match="first derivatives only"):
            (value + slope.square().sum()).backward()
