import numpy as np
import pytest
import torch
from scipy.linalg import expm

from quantum.circuit import Circuit
from quantum.gates import GATES
from quantum.simulator.gate_by_gate import unitary
from quantum.simulator.matrices import fixed_matrix, gate_matrix

I2, X, Y, Z = (
    np.array(m)
    for m in ([[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]])
)
ROOT = 2**-0.5
ONE = np.diag([0, 1])

FIXED = {
    "id": I2,
    "x": X,
    "y": Y,
    "z": Z,
    "h": ROOT * (X + Z),
    "s": np.diag([1, 1j]),
    "sdg": np.diag([1, -1j]),
    "t": np.diag([1, ROOT + ROOT * 1j]),
    "tdg": np.diag([1, ROOT - ROOT * 1j]),
    "sx": np.exp(0.25j * np.pi) * expm(-0.25j * np.pi * X),
    "sxdg": np.exp(-0.25j * np.pi) * expm(0.25j * np.pi * X),
    "cx": np.eye(4)[[0, 1, 3, 2]],
    "cy": np.kron(I2 - ONE, I2) + np.kron(ONE, Y),
    "cz": np.diag([1, 1, 1, -1]),
    "ch": np.kron(I2 - ONE, I2) + np.kron(ONE, ROOT * (X + Z)),
    "swap": np.eye(4)[[0, 2, 1, 3]],
    "iswap": expm(0.25j * np.pi * (np.kron(X, X) + np.kron(Y, Y))),
    "ccx": np.eye(8)[[0, 1, 2, 3, 4, 5, 7, 6]],
    "ccz": np.diag([1] * 7 + [-1]),
    "cswap": np.eye(8)[[0, 1, 2, 3, 4, 6, 5, 7]],
}
# The Hermitian G of e^{-i angle G}.
GENERATORS = {
    "rx": X / 2,
    "ry": Y / 2,
    "rz": Z / 2,
    "p": -ONE,
    "crx": np.kron(ONE, X) / 2,
    "cry": np.kron(ONE, Y) / 2,
    "crz": np.kron(ONE, Z) / 2,
    "cp": -np.kron(ONE, ONE),
    "rxx": np.kron(X, X) / 2,
    "ryy": np.kron(Y, Y) / 2,
    "rzz": np.kron(Z, Z) / 2,
    "xy": (np.kron(X, X) + np.kron(Y, Y)) / 4,
}


def matrix(name: str, *angles: float, word: str = "", n_qubits: int = 1) -> np.ndarray:
    values = torch.tensor(angles, dtype=torch.float64)
    return gate_matrix(name, values, word=word, n_qubits=n_qubits).numpy()


@pytest.mark.parametrize("name", FIXED)
def test_fixed_gates(name):
    assert np.allclose(fixed_matrix(name), FIXED[name], atol=1e-15)
    assert np.allclose(matrix(name), FIXED[name], atol=1e-15)


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5, np.pi, 7.0])
@pytest.mark.parametrize("name", GENERATORS)
def test_rotations_are_exponentials_of_their_generators(name, angle):
    assert np.allclose(matrix(name, angle), expm(-1j * angle * GENERATORS[name]), atol=1e-14)


def test_the_tables_cover_the_gate_set():
    special = {"u", "gpi", "gpi2", "ms", "mcp", "pauli"}
    assert set(FIXED) | set(GENERATORS) | special == set(GATES)


def test_the_general_gate_is_three_turns():
    theta, phi, lam = 0.4, 1.3, -0.8
    expected = np.array(
        [
            [np.cos(0.2), -np.exp(1j * lam) * np.sin(0.2)],
            [np.exp(1j * phi) * np.sin(0.2), np.exp(1j * (phi + lam)) * np.cos(0.2)],
        ]
    )
    assert np.allclose(matrix("u", theta, phi, lam), expected)


def test_the_native_gates_of_ions():
    phi, other, theta = 0.6, -0.4, 1.1
    gpi = np.array([[0, np.exp(-1j * phi)], [np.exp(1j * phi), 0]])
    gpi2 = ROOT * np.array([[1, -1j * np.exp(-1j * phi)], [-1j * np.exp(1j * phi), 1]])
    assert np.allclose(matrix("gpi", phi), gpi)
    assert np.allclose(matrix("gpi2", phi), gpi2)
    second = np.array([[0, np.exp(-1j * other)], [np.exp(1j * other), 0]])
    expected = expm(-0.5j * theta * np.kron(gpi, second))
    assert np.allclose(matrix("ms", phi, other, theta), expected)


@pytest.mark.parametrize("word", ["X", "ZY", "XYZ", "ZZZZ"])
def test_pauli_rotations(word):
    product = np.eye(1)
    for letter in word:
        product = np.kron(product, {"X": X, "Y": Y, "Z": Z}[letter])
    assert np.allclose(matrix("pauli", 0.9, word=word), expm(-0.45j * product))


@pytest.mark.parametrize("n_qubits", [1, 2, 4])
def test_the_phase_on_ones_touches_the_last_state_alone(n_qubits):
    expected = np.ones(2**n_qubits, dtype=complex)
    expected[-1] = np.exp(0.3j)
    assert np.allclose(matrix("mcp", 0.3, n_qubits=n_qubits), np.diag(expected))


def angles_for(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(len(name))
    return torch.randn(*shape, GATES[name].n_angles, generator=generator, dtype=dtype)


@pytest.mark.parametrize("name", GATES)
def test_every_gate_is_unitary_for_a_whole_batch(name):
    word, n_qubits = ("XYZ", 3) if name == "pauli" else ("", GATES[name].n_qubits or 3)
    angles = angles_for(name, (5, 2), torch.float64)
    found = gate_matrix(name, angles, word=word, n_qubits=n_qubits)
    one = torch.eye(2**n_qubits, dtype=torch.complex128)
    assert found.shape == (5, 2, *one.shape)
    assert (found @ found.mH - one).abs().max() < 1e-14


@pytest.mark.parametrize("name", GATES)
def test_single_precision_angles_give_single_precision_matrices(name):
    word, n_qubits = ("XY", 2) if name == "pauli" else ("", GATES[name].n_qubits or 2)
    angles = angles_for(name, (), torch.float32)
    single = gate_matrix(name, angles, word=word, n_qubits=n_qubits)
    double = gate_matrix(name, angles.double(), word=word, n_qubits=n_qubits)
    assert single.dtype == torch.complex64
    assert (single - double).abs().max() < 1e-6


@pytest.mark.parametrize("name", GATES)
def test_what_is_called_diagonal_is_diagonal_and_nothing_else(name):
    word, n_qubits = ("XY", 2) if name == "pauli" else ("", GATES[name].n_qubits or 2)
    angles = angles_for(name, (), torch.float64)
    found = gate_matrix(name, angles, word=word, n_qubits=n_qubits)
    off = found - torch.diag_embed(found.diagonal())
    assert (off.abs().max() < 1e-15) == GATES[name].diagonal


@pytest.mark.parametrize("name", [name for name, gate in GATES.items() if gate.n_angles])
def test_frequencies_are_those_of_the_matrix(name):
    """Entries of U† O U, as a function of one angle, hold these frequencies and no others."""
    gate = GATES[name]
    word, n_qubits = ("XY", 2) if name == "pauli" else ("", gate.n_qubits or 2)
    generator = np.random.default_rng(0)
    raw = generator.normal(size=(2**n_qubits,) * 2) + 1j * generator.normal(size=(2**n_qubits,) * 2)
    observable = raw + raw.conj().T
    points = np.arange(32) * 4 * np.pi / 32  # one period of the lowest frequency, 1/2
    for slot, frequencies in enumerate(gate.frequencies):
        angles = np.full((32, gate.n_angles), 0.37)
        angles[:, slot] = points
        matrices = gate_matrix(name, torch.tensor(angles), word=word, n_qubits=n_qubits).numpy()
        curve = np.einsum("aji,jk,akl->ail", matrices.conj(), observable, matrices)
        spectrum = np.abs(np.fft.fft(curve, axis=0)).max((1, 2))[1:16]
        found = {(index + 1) / 2 for index in np.nonzero(spectrum > 1e-9)[0]}
        assert found == set(frequencies), (name, slot)


def test_matrices_are_differentiable():
    angle = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    for name in GENERATORS:
        assert torch.autograd.gradcheck(
            lambda a, n=name: torch.view_as_real(gate_matrix(n, a)), angle
        )


def test_the_first_qubit_is_the_most_significant_of_a_matrix():
    assert np.allclose(unitary(Circuit(2).cx(0, 1)), FIXED["cx"])
    assert np.allclose(unitary(Circuit(2).cx(1, 0)), np.eye(4)[[0, 3, 2, 1]])
