"""Gates that other programs lack, spelled in gates that all have; exact up to a global phase."""

from collections.abc import Callable, Iterable
from itertools import combinations, pairwise
from math import pi
from typing import TypeAlias

from quantum.circuit import Angle, Circuit, Instruction
from quantum.gates import GATES

# What OpenQASM's stdgates.inc, Qiskit, Cirq and IonQ all understand.
COMMON = frozenset({
    "id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "rx", "ry", "rz", "p", "cx", "cy",
    "cz", "ch", "swap", "crx", "cry", "crz", "cp", "ccx", "cswap",
})  # fmt: skip

Qubits: TypeAlias = tuple[int, ...]
Spelling: TypeAlias = Callable[[Qubits, tuple[Angle, ...]], list[Instruction]]


def decompose(circuit: Circuit, gates: Iterable[str] = COMMON) -> Circuit:
    """The same circuit with every gate outside `gates` spelled out.

    `gates` must hold the common ones; naming more of them keeps those whole.
    """
    kept = COMMON | set(gates)
    instructions: list[Instruction] = []
    waiting = list(reversed(circuit.instructions))
    while waiting:
        instruction = waiting.pop()
        if instruction.gate in kept and not _has_short_name(instruction):
            instructions.append(instruction)
        else:
            waiting.extend(reversed(_spell(instruction)))
    return Circuit(circuit.n_qubits, tuple(instructions))


def _has_short_name(instruction: Instruction) -> bool:
    """Whether `mcp` acts on so few qubits that it is `p` or `cp`."""
    return instruction.gate == "mcp" and len(instruction.qubits) <= 2


def _spell(instruction: Instruction) -> list[Instruction]:
    if instruction.gate == "pauli":
        return _pauli(instruction.word, instruction.qubits, instruction.angles[0])
    return _SPELLINGS[instruction.gate](instruction.qubits, instruction.angles)


def _gate(name: str, *qubits: int, angles: tuple[Angle, ...] = ()) -> Instruction:
    return Instruction(name, qubits, angles)


def _pauli(word: str, qubits: Qubits, angle: Angle) -> list[Instruction]:
    """Each letter is brought to Z; a chain of CNOTs collects the parity on the last qubit."""
    into: list[Instruction] = []
    back: list[Instruction] = []
    for letter, q in zip(word, qubits, strict=True):
        if letter == "X":
            into.append(_gate("h", q))
            back.append(_gate("h", q))
        elif letter == "Y":
            into.append(_gate("rx", q, angles=(pi / 2,)))
            back.append(_gate("rx", q, angles=(-pi / 2,)))
    chain = [_gate("cx", a, b) for a, b in pairwise(qubits)]
    turn = _gate("rz", qubits[-1], angles=(angle,))
    return [*into, *chain, turn, *reversed(chain), *back]


def _phase_on_ones(qubits: Qubits, angles: tuple[Angle, ...]) -> list[Instruction]:
    """All ones is Π (1 - Z)/2: a sum of Z words over every subset of the qubits."""
    (angle,) = angles
    if len(qubits) <= 2:
        return [_gate(("p", "cp")[len(qubits) - 1], *qubits, angles=(angle,))]
    spelled: list[Instruction] = []
    for size in range(1, len(qubits) + 1):
        share = angle * (-2.0 * (-1) ** size / 2 ** len(qubits))
        for subset in combinations(qubits, size):
            spelled += _pauli("Z" * size, subset, share)
    return spelled


def _u(qubits: Qubits, angles: tuple[Angle, ...]) -> list[Instruction]:
    theta, phi, lam = angles
    turns = (("p", lam), ("ry", theta), ("p", phi))
    return [_gate(name, *qubits, angles=(angle,)) for name, angle in turns]


def _gpi(qubits: Qubits, angles: tuple[Angle, ...]) -> list[Instruction]:
    return [_gate("x", *qubits), _gate("rz", *qubits, angles=(angles[0] * 2.0,))]


def _gpi2(qubits: Qubits, angles: tuple[Angle, ...]) -> list[Instruction]:
    turns = (("rz", -angles[0]), ("rx", pi / 2), ("rz", angles[0]))
    return [_gate(name, *qubits, angles=(angle,)) for name, angle in turns]


def _ms(qubits: Qubits, angles: tuple[Angle, ...]) -> list[Instruction]:
    *phases, theta = angles
    frames = list(zip(qubits, phases, strict=True))
    return [
        *(_gate("rz", q, angles=(-phase,)) for q, phase in frames),
        *_pauli("XX", qubits, theta),
        *(_gate("rz", q, angles=(phase,)) for q, phase in frames),
    ]


def _xy(qubits: Qubits, angles: tuple[Angle, ...]) -> list[Instruction]:
    first, second = qubits
    flip = _gate("cx", first, second)
    return [flip, _gate("crx", second, first, angles=angles), flip]


def _iswap(qubits: Qubits, _: tuple[Angle, ...]) -> list[Instruction]:
    first, second = qubits
    return [_gate("swap", *qubits), _gate("cz", *qubits), _gate("s", first), _gate("s", second)]


def _ccz(qubits: Qubits, _: tuple[Angle, ...]) -> list[Instruction]:
    last = _gate("h", qubits[-1])
    return [last, _gate("ccx", *qubits), last]


def _sxdg(qubits: Qubits, _: tuple[Angle, ...]) -> list[Instruction]:
    return [_gate("rx", *qubits, angles=(-pi / 2,))]


_SPELLINGS: dict[str, Callable[[Qubits, tuple[Angle, ...]], list[Instruction]]] = {
    "sxdg": _sxdg,
    "u": _u,
    "gpi": _gpi,
    "gpi2": _gpi2,
    "iswap": _iswap,
    "rxx": lambda qubits, angles: _pauli("XX", qubits, angles[0]),
    "ryy": lambda qubits, angles: _pauli("YY", qubits, angles[0]),
    "rzz": lambda qubits, angles: _pauli("ZZ", qubits, angles[0]),
    "xy": _xy,
    "ms": _ms,
    "ccz": _ccz,
    "mcp": _phase_on_ones,
}


def to_cnots(circuit: Circuit) -> Circuit:
    """The same circuit in gates on one qubit and CNOTs alone, up to a global phase."""
    single = {name for name, gate in GATES.items() if gate.n_qubits == 1}
    waiting = list(reversed(decompose(circuit, single).instructions))
    instructions: list[Instruction] = []
    while waiting:
        instruction = waiting.pop()
        if len(instruction.qubits) == 1 or instruction.gate == "cx":
            instructions.append(instruction)
        else:
            waiting.extend(reversed(_CNOT_SPELLINGS[instruction.gate](
                instruction.qubits, instruction.angles)))  # fmt: skip
    return Circuit(circuit.n_qubits, tuple(instructions))


def _around(before: str, middle: str, after: str) -> Spelling:
    """A controlled gate between two gates on its target."""
    return lambda q, a: [
        _gate(before, q[1]),
        Instruction(middle, q, a),
        _gate(after, q[1]),
    ]


def _half_turned(name: str) -> Spelling:
    """A controlled rotation: half of it, and half of it back where the control is 0."""
    return lambda q, a: [
        _gate(name, q[1], angles=(a[0] / 2,)),
        _gate("cx", *q),
        _gate(name, q[1], angles=(-a[0] / 2,)),
        _gate("cx", *q),
    ]


def _controlled_phase(q: Qubits, a: tuple[Angle, ...]) -> list[Instruction]:
    half = (a[0] / 2,)
    back = (-a[0] / 2,)
    return [
        _gate("p", q[0], angles=half),
        _gate("p", q[1], angles=half),
        _gate("cx", *q),
        _gate("p", q[1], angles=back),
        _gate("cx", *q),
    ]


def _controlled_h(q: Qubits, _: tuple[Angle, ...]) -> list[Instruction]:
    return [
        _gate("ry", q[1], angles=(-pi / 4,)),
        _gate("cz", *q),
        _gate("ry", q[1], angles=(pi / 4,)),
    ]


def _swapped(q: Qubits, _: tuple[Angle, ...]) -> list[Instruction]:
    return [_gate("cx", *q), _gate("cx", *q[::-1]), _gate("cx", *q)]


def _toffoli(q: Qubits, _: tuple[Angle, ...]) -> list[Instruction]:
    """Nielsen and Chuang 2010, figure 4.9."""
    a, b, c = q
    cx, t, tdg = "cx", "t", "tdg"
    steps: list[tuple[str, *tuple[int, ...]]]
    steps = [("h", c), (cx, b, c), (tdg, c), (cx, a, c), (t, c), (cx, b, c), (tdg, c), (cx, a, c),
             (t, b), (t, c), ("h", c), (cx, a, b), (t, a), (tdg, b), (cx, a, b)]  # fmt: skip
    return [_gate(name, *qubits) for name, *qubits in steps]


def _controlled_swap(q: Qubits, _: tuple[Angle, ...]) -> list[Instruction]:
    control, a, b = q
    return [_gate("cx", b, a), _gate("ccx", control, a, b), _gate("cx", b, a)]


_CNOT_SPELLINGS: dict[str, Spelling] = {
    "cz": _around("h", "cx", "h"),
    "cy": _around("sdg", "cx", "s"),
    "ch": _controlled_h,
    "swap": _swapped,
    "crz": _half_turned("rz"),
    "cry": _half_turned("ry"),
    "crx": _around("h", "crz", "h"),
    "cp": _controlled_phase,
    "ccx": _toffoli,
    "cswap": _controlled_swap,
}
