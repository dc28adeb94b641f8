"""The door of the simulator: which numbers are let in, and as what."""

import math
import subprocess
import sys

import pytest
import torch

from quantum.circuit import Circuit, Parameter, parameter_input
from quantum.errors import InvalidValues
from quantum.observable import Z
from quantum.simulator import expectation, probabilities, run, sample
from quantum.simulator.values import angle_values, check_values, weights_from

CIRCUIT = Circuit(2).ry("a", 0).cx(0, 1).rx("b", 1).ry(parameter_input("x"), 0)
WEIGHTS = torch.tensor([0.4, -1.1])
INPUTS = torch.tensor([[0.3], [0.9], [2.0]])


def test_single_rows_get_a_batch_of_one():
    weights, inputs = check_values(CIRCUIT, WEIGHTS, INPUTS[0])
    assert weights.shape == (1, 2) and inputs.shape == (1, 1)
    weights, inputs = check_values(Circuit(1).h(0), None, None)
    assert weights.shape == inputs.shape == (1, 0)


@pytest.mark.parametrize(
    ("weights", "inputs", "message"),
    [
        (torch.zeros(3), INPUTS, r"2 weights \(a, b\); give \[2\] or \[batch, 2\], not \[1, 3\]"),
        (WEIGHTS, torch.zeros(5, 2), r"1 inputs \(x\).*not \[5, 2\]"),
        (WEIGHTS, None, r"1 inputs \(x\)"),
        (None, INPUTS, r"2 weights"),
        (torch.zeros(1, 2, 2), INPUTS, r"not \[1, 2, 2\]"),
        (torch.zeros(2, 2), INPUTS, r"different batch sizes \[2, 3\]"),
        (WEIGHTS, torch.zeros(0, 1), "one row or more"),
        (torch.zeros(0, 2), INPUTS[:1], "one row or more"),
    ],
)
def test_numbers_that_do_not_fit_are_refused_in_words(weights, inputs, message):
    for function in (run, probabilities):
        with pytest.raises(InvalidValues, match=message):
            function(CIRCUIT, weights=weights, inputs=inputs)
    with pytest.raises(InvalidValues, match=message):
        expectation(CIRCUIT, [Z(0)], weights=weights, inputs=inputs)
    with pytest.raises(InvalidValues, match=message):
        sample(CIRCUIT, shots=1, seed=0, weights=weights, inputs=inputs)


@pytest.mark.parametrize(
    ("weights", "inputs", "result"),
    [
        (torch.float32, torch.float32, torch.complex64),
        (torch.float64, torch.float64, torch.complex128),
        (torch.float32, torch.float64, torch.complex128),
        (torch.float64, torch.float32, torch.complex128),
        (torch.float16, torch.bfloat16, torch.complex64),
    ],
)
def test_the_wider_of_both_precisions_is_used(weights, inputs, result):
    state = run(CIRCUIT, weights=WEIGHTS.to(weights), inputs=INPUTS.to(inputs))
    assert state.dtype == result
    norms = state.abs().square().sum(1)
    assert torch.allclose(norms, torch.ones_like(norms), atol=1e-5)


def test_gradients_come_back_in_the_precision_of_each():
    weights, inputs = WEIGHTS.clone().requires_grad_(), INPUTS.double().requires_grad_()
    expectation(CIRCUIT, [Z(0)], weights=weights, inputs=inputs).sum().backward()
    assert weights.grad.dtype == torch.float32 and inputs.grad.dtype == torch.float64
    both = [v.detach().double().requires_grad_() for v in (weights, inputs)]
    expectation(CIRCUIT, [Z(0)], weights=both[0], inputs=both[1]).sum().backward()
    assert torch.allclose(weights.grad.double(), both[0].grad, atol=1e-6)
    assert torch.allclose(inputs.grad, both[1].grad, atol=1e-6)


def test_wrong_types_and_lengths_outside_the_tests():
    """Where nothing else checks them: whole numbers are what they are, the rest is refused."""
    program = """
import torch
from quantum.circuit import Circuit
from quantum.observable import Z
from quantum.simulator import expectation
from quantum.simulator.cost import compile_cost
from quantum.simulator.one_hot import one_hot_cost, one_hot_qaoa
from quantum.simulator.qaoa import qaoa_energy, qaoa_state
circuit, cost = Circuit(1).ry("a", 0), compile_cost(Z(0), 1)
one_hot = one_hot_cost([torch.zeros(2)], {})
one, two = torch.zeros(1), torch.zeros(2)
print(expectation(circuit, [Z(0)], weights=torch.tensor([1])).item())
for attempt in (
    lambda: expectation(circuit, [Z(0)], weights=torch.tensor([1j])),
    lambda: expectation(circuit, [Z(0)], weights=torch.tensor(0.5)),
    lambda: qaoa_energy(cost, gammas=two, betas=one),
    lambda: qaoa_state(cost, gammas=one, betas=two),
    lambda: one_hot_qaoa(one_hot, gammas=two, betas=one),
    lambda: one_hot_qaoa(one_hot, gammas=one, betas=one, mixer="circle"),
):
    try:
        print(attempt())
    except ValueError as error:
        print(error)
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    value, *messages = answer.stdout.splitlines()
    assert float(value) == pytest.approx(math.cos(1), abs=1e-6)
    wanted = ("not complex", "give [1] or [batch, 1]", "2 gammas need as many betas, not 1",
              "1 gammas need as many", "2 gammas need", "not 'circle'")  # fmt: skip
    assert len(messages) == len(wanted)
    assert all(part in message for part, message in zip(wanted, messages, strict=True))


def test_a_row_without_numbers_spoils_only_itself():
    inputs = INPUTS.clone()
    inputs[1] = torch.nan
    values = expectation(CIRCUIT, [Z(0), Z(1)], weights=WEIGHTS, inputs=inputs)
    clean = expectation(CIRCUIT, [Z(0), Z(1)], weights=WEIGHTS, inputs=INPUTS)
    assert values[1].isnan().any()
    assert torch.allclose(values[[0, 2]], clean[[0, 2]])


def test_named_values_are_put_in_the_order_of_the_circuit():
    found = weights_from(CIRCUIT, {"b": 2, "a": -1.5, "unused": 7})
    assert found.tolist() == [-1.5, 2.0] and found.dtype == torch.float64
    with pytest.raises(InvalidValues, match=r"\['b'\]"):
        weights_from(CIRCUIT, {"a": 1.0})


def test_angles_of_an_instruction_are_batched_where_a_value_is():
    circuit = Circuit(1).u(2 * Parameter("w") + 1, parameter_input("x"), 0.25, 0)
    weights, inputs = torch.tensor([[0.5]]), torch.tensor([[1.0], [2.0]])
    (instruction,) = circuit.instructions
    found = angle_values(instruction.angles, circuit, weights, inputs)
    assert found.tolist() == [[2.0, 1.0, 0.25], [2.0, 2.0, 0.25]]
    assert angle_values((), circuit, weights, inputs).shape == (1, 0)
