"""Steps, layers and matrices spelled out on the whole register: slow, and plain enough to trust."""

import numpy as np

from quantum.simulator.lowering import Move, Phase, Step, Turn


def on_register(matrix: np.ndarray, qubits: tuple[int, ...], n_qubits: int) -> np.ndarray:
    """The matrix acting on `qubits` of the register, entry by entry of the definition."""
    size = 2**n_qubits
    full = np.zeros((size, size), dtype=complex)
    shifts = [n_qubits - 1 - q for q in qubits]
    for column in range(size):
        inner = 0
        for shift in shifts:
            inner = 2 * inner + (column >> shift & 1)
        rest = column
        for shift in shifts:
            rest &= ~(1 << shift)
        for row_inner in range(len(matrix)):
            row = rest
            for position, shift in enumerate(reversed(shifts)):
                row |= (row_inner >> position & 1) << shift
            full[row, column] += matrix[row_inner, inner]
    return full


def turn_matrix(angle: float) -> np.ndarray:
    """RY(angle)."""
    cos, sin = np.cos(angle / 2), np.sin(angle / 2)
    return np.array([[cos, -sin], [sin, cos]])


def phase_exponent(phase: Phase, n_qubits: int) -> np.ndarray:
    """d(x) of a phase, basis state by basis state."""
    index = np.arange(2**n_qubits)
    bits = [index >> (n_qubits - 1 - q) & 1 for q in phase.qubits]
    if phase.on_ones:
        return np.prod(bits, axis=0) * np.ones(len(index))
    return -0.5 * np.prod([1 - 2 * bit for bit in bits], axis=0) * np.ones(len(index))


def move_image(move: Move, bits: list[int]) -> list[int]:
    """Where a basis state goes, told as `if` statements."""
    bits = list(bits)
    *controls, last = move.qubits
    if move.gate == "x":
        bits[last] ^= 1
    elif move.gate in ("cx", "ccx"):
        if all(bits[q] for q in controls):
            bits[last] ^= 1
    elif move.gate == "swap" or bits[move.qubits[0]]:
        a, b = move.qubits[-2:]
        bits[a], bits[b] = bits[b], bits[a]
    return bits


def move_matrix(move: Move, n_qubits: int) -> np.ndarray:
    size = 2**n_qubits
    full = np.zeros((size, size))
    for column in range(size):
        bits = [column >> (n_qubits - 1 - q) & 1 for q in range(n_qubits)]
        row = int("".join(map(str, move_image(move, bits))), 2)
        full[row, column] = 1
    return full


def step_matrix(step: Step, n_qubits: int, values: dict[str, float]) -> np.ndarray:
    """The step on the whole register at these values of its parameters."""
    if isinstance(step, Move):
        return move_matrix(step, n_qubits)
    angle = step.angle.constant
    angle += sum(scale * values[name] for name, _, scale in step.angle.parts)
    if isinstance(step, Turn):
        return on_register(turn_matrix(angle), (step.qubit,), n_qubits)
    return np.diag(np.exp(1j * angle * phase_exponent(step, n_qubits)))
