import pytest
import torch

from quantum.errors import InvalidObservable, InvalidValues
from quantum.measurement import combine_counts, group_words, word_mean
from quantum.observable import PauliSum, X, Y, Z
from quantum.simulator import count_bits, expectation, sample
from tests.quantum.random_circuits import random_circuit, random_observables


@pytest.mark.parametrize("seed", range(4))
def test_sampled_means_approach_the_exact_ones(seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=30, free=False)
    observables = [*random_observables(seed, n_qubits=4, count=3), Z(0) + 0.5]
    groups = group_words(observables)
    counts = [
        count_bits(sample(circuit + g.change_of_basis(4), shots=20_000, seed=seed)[0], 4)
        for g in groups
    ]
    exact = expectation(circuit, observables)[0]
    for (mean, error), value in zip(
        combine_counts(observables, groups, counts), exact, strict=True
    ):
        assert abs(mean - value.item()) < 6 * error + 1e-6
        assert error < 0.1


def test_words_that_agree_are_measured_together():
    observable = Z(0) @ Z(1) + Z(2) + X(0) @ X(1) + X(3) + Y(2) + 3
    groups = group_words([observable])
    assert len(groups) == 2
    assert {word for group in groups for word in group.words} == {
        word for word, _ in observable.terms if word
    }
    for group in groups:
        basis = dict(group.basis)
        assert all(basis[q] == letter for word in group.words for q, letter in word)


def test_the_basis_is_turned_to_z():
    (group,) = group_words([X(0) @ Y(1) @ Z(2)])
    assert group.change_of_basis(3).count_gates() == {"h": 2, "sdg": 1}


def test_parity_of_the_bits_is_the_value():
    word = Z(0) @ Z(2)
    assert word_mean(word.terms[0][0], {"000": 1, "101": 1, "001": 2}) == 0
    assert word_mean(word.terms[0][0], {"010": 7}) == 1


def test_a_constant_needs_no_shots():
    assert group_words([PauliSum() + 2]) == ()
    assert combine_counts([PauliSum() + 2], (), ()) == [(2.0, 0.0)]


def test_nothing_is_made_up():
    groups = group_words([Z(0)])
    with pytest.raises(InvalidValues, match="no shots"):
        combine_counts([Z(0)], groups, [{}])
    with pytest.raises(InvalidObservable, match="Hermitian"):
        combine_counts([1j * Z(0)], groups, [{"0": 1}])


def test_the_error_falls_with_the_shots():
    groups = group_words([X(0)])
    errors = [combine_counts([X(0)], groups, [{"0": n, "1": n}])[0][1] for n in (50, 5000)]
    assert errors == pytest.approx([0.1, 0.01])
    assert torch.tensor(errors).diff().item() < 0
