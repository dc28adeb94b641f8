import pytest
import torch

from quantum.circuit import Circuit, parameter_input
from quantum.simulator import count_bits, probabilities, sample
from quantum.simulator.samples import sample_probabilities


def test_a_seed_gives_the_same_shots():
    circuit = Circuit(4).h(0).cx(0, 1).ry(0.7, 2).h(3)
    first = sample(circuit, shots=500, seed=7)
    assert torch.equal(first, sample(circuit, shots=500, seed=7))
    assert not torch.equal(first, sample(circuit, shots=500, seed=8))


def test_frequencies_follow_the_probabilities():
    circuit = Circuit(3).ry(0.9, 0).ry(2.0, 1).cx(1, 2).rx(0.4, 0)
    shots = 200_000
    drawn = sample(circuit, shots=shots, seed=1)[0]
    found = torch.bincount(drawn, minlength=8) / shots
    # Five standard deviations of the widest bin.
    assert (found - probabilities(circuit)[0]).abs().max() < 5 * (0.25 / shots) ** 0.5


def test_impossible_outcomes_never_come():
    drawn = sample(Circuit(2).h(0).cx(0, 1), shots=10_000, seed=3)[0]
    assert set(drawn.tolist()) == {0b00, 0b11}


def test_every_element_of_the_batch_is_measured():
    circuit = Circuit(1).ry(parameter_input("x"), 0)
    drawn = sample(circuit, shots=50, seed=0, inputs=torch.tensor([[0.0], [torch.pi]]))
    assert drawn.shape == (2, 50)
    assert drawn.float().mean(1).tolist() == [0, 1]


def test_bit_strings_start_with_qubit_zero():
    drawn = sample(Circuit(3).x(0), shots=5, seed=0)[0]
    assert count_bits(drawn, 3) == {"100": 5}


def test_the_most_frequent_comes_first():
    assert list(count_bits(torch.tensor([1, 0, 1, 2, 2, 2]), 2)) == ["10", "01", "00"]


@pytest.mark.parametrize("total", [0.25, 1.0])
def test_rounding_of_the_sum_cannot_leave_the_register(total):
    chances = torch.tensor([[0.0, total, 0.0]])
    generator = torch.Generator().manual_seed(0)
    assert set(sample_probabilities(chances, shots=100, generator=generator)[0].tolist()) == {1}
