import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.circuit import Circuit
from quantum.errors import InvalidObservable, InvalidValues
from quantum.measurement import combine_counts, group_words, word_mean
from quantum.observable import PauliSum, X, Y, Z
from quantum.simulator import count_bits, expectation, probabilities, sample
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


def test_the_error_is_that_of_words_read_from_the_same_shots():
    """Z of both qubits at once is 2 or -2 in a GHZ state, and their difference always 0."""
    observables = [Z(0) + Z(1), Z(0) - Z(1), Z(0) + Z(1) + 3 * X(0) @ X(1)]
    groups = group_words(observables)
    assert [group.basis[0][1] for group in groups] == ["X", "Z"]
    counts = [{"00": 50, "10": 50}, {"00": 50, "11": 50}]
    errors = [error for _, error in combine_counts(observables, groups, counts)]
    assert errors == pytest.approx([0.2, 0.0, (0.2**2 + 0.3**2) ** 0.5])


@given(seed=st.integers(0, 10**6), count=st.integers(1, 4))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_every_word_is_measured_once_in_a_basis_that_shows_it(seed, count):
    observables = random_observables(seed, n_qubits=5, count=count)
    groups = group_words(observables)
    wanted = {word for o in observables for word, _ in o.terms if word}
    measured = [word for group in groups for word in group.words]
    assert sorted(measured) == sorted(wanted)
    for group in groups:
        letters = dict(group.basis)
        assert all(letters[qubit] == letter for word in group.words for qubit, letter in word)
        assert {q for word in group.words for q, _ in word} == set(letters)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=5, deadline=None, derandomize=True)
def test_exact_frequencies_give_exact_means(seed):
    """Counts in the ratio of the probabilities: no shot noise is left, only the arithmetic."""
    circuit = random_circuit(seed, n_qubits=3, n_gates=15, free=False)
    observables = random_observables(seed, n_qubits=3, count=3)
    groups = group_words(observables)
    values = torch.zeros(0, dtype=torch.float64)
    counts = []
    for group in groups:
        chances = probabilities(circuit + group.change_of_basis(3), weights=values)[0]
        rounded = (chances * 10**9).round().long().tolist()
        counts.append({f"{index:03b}": count for index, count in enumerate(rounded) if count})
    found = combine_counts(observables, groups, counts)
    exact = expectation(circuit, observables, weights=values)[0].tolist()
    assert [mean for mean, _ in found] == pytest.approx(exact, abs=1e-7)


def test_words_of_one_letter_share_a_setting_however_many_there_are():
    chain = sum((Z(q) @ Z(q + 1) + X(q) for q in range(8)), PauliSum())
    groups = group_words([chain])
    assert [{letter for _, letter in group.basis} for group in groups] == [{"Z"}, {"X"}]


def test_grouping_does_not_depend_on_the_order_of_the_observables():
    observables = random_observables(5, n_qubits=4, count=5)
    assert group_words(observables) == group_words(observables[::-1])
    assert group_words([sum(observables, PauliSum())]) == group_words(observables)


@pytest.mark.parametrize(("gates", "observable"), [("", Z), ("h", X), ("hs", Y)])
def test_eigenstates_are_measured_without_error(gates, observable):
    circuit = Circuit(2)
    for name in gates:
        circuit = circuit.gate(name, (1,))
    (group,) = group_words([observable(1)])
    counts = count_bits(sample(circuit + group.change_of_basis(2), shots=50, seed=1)[0], 2)
    ((mean, error),) = combine_counts([observable(1)], [group], [counts])
    assert (mean, error) == (1.0, 0.0)


def test_counts_must_come_for_every_group():
    groups = group_words([X(0) + Z(0)])
    with pytest.raises(ValueError, match="shorter"):
        combine_counts([X(0) + Z(0)], groups, [{"0": 5}])
