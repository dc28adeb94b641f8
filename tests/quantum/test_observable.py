import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import SparsePauliOp

from quantum.errors import InvalidObservable
from quantum.observable import PauliSum, X, Y, Z, identity
from tests.quantum.random_circuits import random_observables

LETTERS = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}


def kron_matrix(words: dict[str, complex]) -> np.ndarray:
    """The definition: a sum of Kronecker products, qubit 0 first."""
    total = 0
    for word, coefficient in words.items():
        product = np.eye(1)
        for letter in word:
            product = np.kron(product, LETTERS[letter])
        total = total + coefficient * product
    return total


@pytest.mark.parametrize("seed", range(5))
def test_matrix_is_the_sum_of_kronecker_products(seed):
    (observable,) = random_observables(seed, n_qubits=4, count=1)
    expected = kron_matrix(observable.to_words(4))
    assert np.allclose(observable.matrix(4), expected)


@pytest.mark.parametrize("seed", range(10))
def test_algebra_is_that_of_matrices(seed):
    a, b = random_observables(seed, n_qubits=3, count=2)
    assert np.allclose((a @ b).matrix(3), a.matrix(3) @ b.matrix(3))
    assert np.allclose((2 * a - b + 1).matrix(3), 2 * a.matrix(3) - b.matrix(3) + np.eye(8))
    assert np.allclose((1 - a).matrix(3), np.eye(8) - a.matrix(3))
    assert np.allclose((1j * a).adjoint().matrix(3), -1j * a.matrix(3))
    assert a.commutes_with(a) and a.commutes_with(identity())
    assert a.commutes_with(b) == np.allclose(a.matrix(3) @ b.matrix(3), b.matrix(3) @ a.matrix(3))


def test_it_reads_as_on_paper():
    observable = 0.5 * Z(0) @ Z(1) - X(2)
    assert observable.to_words(3) == {"ZZI": 0.5, "IIX": -1}
    assert str(observable) == "0.5 Z0 Z1 + -1 X2"
    assert str(PauliSum()) == "0"


def test_like_words_add_up_and_cancel():
    assert (Z(0) + Z(0)).terms == ((((0, "Z"),), 2.0),)
    assert (X(1) - X(1)).terms == ()
    assert (Y(0) @ Y(0)) == identity()
    assert X(0) @ Y(0) == 1j * Z(0)


def test_order_of_summation_does_not_matter():
    terms = [X(0), 2 * Z(3), Y(1) @ X(2), identity(0.3)]
    random.Random(0).shuffle(terms)
    shuffled = sum(terms, PauliSum())
    assert shuffled == X(0) + 2 * Z(3) + Y(1) @ X(2) + 0.3
    assert hash(shuffled) == hash(X(0) + 2 * Z(3) + Y(1) @ X(2) + 0.3)


def test_json_keeps_everything():
    for observable in random_observables(1, n_qubits=5, count=3):
        assert PauliSum.from_json(json.loads(json.dumps(observable.to_json()))) == observable


def test_properties():
    assert (Z(0) + 2).is_diagonal and not X(0).is_diagonal
    assert X(0).is_hermitian and not (1j * X(0)).is_hermitian
    assert (Z(4) + 2).constant == 2 and Z(4).constant == 0
    assert Z(4).n_qubits == 5 and identity().n_qubits == 1


def test_an_observable_must_fit():
    with pytest.raises(InvalidObservable, match="qubit 3"):
        Z(3).matrix(3)
    with pytest.raises(InvalidObservable, match="I, X, Y and Z"):
        PauliSum.from_words({"ZA": 1})


WORDS = st.dictionaries(
    st.text("IXYZ", min_size=3, max_size=3), st.floats(-2, 2).map(lambda v: round(v, 3)), max_size=4
)


@given(a=WORDS, b=WORDS, c=WORDS)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_sums_form_an_algebra(a, b, c):
    a, b, c = map(PauliSum.from_words, (a, b, c))
    for left, right in (
        ((a @ b) @ c, a @ (b @ c)),
        (a @ (b + c), a @ b + a @ c),
        ((a + b) @ c, a @ c + b @ c),
        ((a @ b).adjoint(), b.adjoint() @ a.adjoint()),
    ):
        assert np.allclose(left.matrix(3), right.matrix(3))
    assert a + b == b + a and a - a == PauliSum() and a @ identity() == a
    assert (a @ a).is_hermitian


@given(words=WORDS)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_a_sum_reads_back_from_words_and_json(words):
    observable = PauliSum.from_words(words)
    assert PauliSum.from_words(observable.to_words(3)) == observable
    again = PauliSum.from_json(json.loads(json.dumps(observable.to_json())))
    assert again == observable and hash(again) == hash(observable)


@given(words=WORDS)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_what_is_said_of_a_sum_is_true_of_its_matrix(words):
    observable = PauliSum.from_words(words)
    matrix = observable.matrix(3)
    assert observable.is_diagonal == np.allclose(matrix, np.diag(matrix.diagonal()))
    assert np.allclose(matrix, matrix.conj().T)
    assert observable.constant == pytest.approx(np.trace(matrix) / 8)
    assert np.allclose((1j * observable).matrix(3), 1j * matrix)


@pytest.mark.parametrize(
    "word",
    [((-1, "Z"),), ((0, "A"),), ((0, "I"),), ((0, "z"),), ((1, "X"), (0, "X")),
     ((0, "X"), (0, "Z")), ((0, "XY"),), ((0, ""),)],
)  # fmt: skip
def test_a_word_that_is_none_is_refused(word):
    """As anything else it would be taken for the identity, or for another qubit."""
    with pytest.raises(InvalidObservable, match="each once, not"):
        PauliSum.of([(word, 1.0)])
    with pytest.raises(InvalidObservable, match="each once, not"):
        PauliSum.from_json([[[list(pair) for pair in word], 1.0, 0.0]])


def test_negative_qubits_do_not_count_from_the_end():
    for pauli in (X, Y, Z):
        with pytest.raises(InvalidObservable, match="from 0 upwards"):
            pauli(-1)


@pytest.mark.parametrize("words", [{"ZZ": 1, "XI": 0.5}, {"YX": 2.0}, {"II": 1.5, "IZ": -1}])
def test_qiskit_has_the_same_matrix(words):
    theirs = SparsePauliOp.from_list([(word, value) for word, value in words.items()]).to_matrix()
    assert np.allclose(PauliSum.from_words(words).matrix(2), theirs)
