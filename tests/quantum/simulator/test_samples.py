from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.circuit import Circuit, parameter_input
from quantum.errors import InvalidValues
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


@given(
    chances=st.lists(st.floats(0, 1), min_size=2, max_size=16).filter(lambda p: sum(p) > 1e-6),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_whatever_the_chances_only_possible_outcomes_come(chances, seed):
    probabilities = torch.tensor([chances, chances[::-1]], dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    drawn = sample_probabilities(probabilities, shots=50, generator=generator)
    assert drawn.shape == (2, 50)
    assert (torch.gather(probabilities, 1, drawn) > 0).all()


def test_chances_need_not_add_up_to_one():
    """Rounding leaves states a little shorter or longer than 1."""
    for scale in (1e-3, 0.999, 1.001, 50.0):
        drawn = sample_probabilities(
            scale * torch.tensor([[0.25, 0.75]]),
            shots=20_000,
            generator=torch.Generator().manual_seed(0),
        )
        assert drawn.double().mean().item() == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("row", [[0.0, 0.0], [float("nan"), 1.0], [0.3, float("nan")]])
def test_chances_that_are_none_are_refused(row):
    """Anything drawn from them would be made up."""
    with pytest.raises(InvalidValues, match="no numbers"):
        sample_probabilities(
            torch.tensor([[0.5, 0.5], row]), shots=3, generator=torch.Generator().manual_seed(0)
        )


def test_more_shots_begin_with_the_fewer():
    """One row, one seed: asking for more does not change what was drawn before."""
    chances = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    few, many = (
        sample_probabilities(chances, shots=n, generator=torch.Generator().manual_seed(5))
        for n in (10, 100)
    )
    assert torch.equal(few[0], many[0, :10])


@given(outcomes=st.lists(st.integers(0, 7), max_size=40))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_counts_are_of_the_outcomes_that_came(outcomes):
    counts = count_bits(torch.tensor(outcomes, dtype=torch.int64), 3)
    assert sum(counts.values()) == len(outcomes)
    assert {int(bits, 2): n for bits, n in counts.items()} == Counter(outcomes)
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert all(len(bits) == 3 for bits in counts)
