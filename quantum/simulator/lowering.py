"""Every gate as turns, phases and moves: the three kinds of step that the fused simulator knows.

A *turn* is RY on one qubit: real, so that it acts on real and imaginary parts alike. A *phase*
multiplies each amplitude by e^{i angle d(x)} with d(x) = -1/2 (-1)^{parity} or d(x) = 1 where all
bits are one. A *move* permutes basis states. All one-qubit gates are phase · turn · phase (Euler
angles), and these three kinds are closed under what the gate set needs; global phases are kept.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from quantum.circuit import Angle, Instruction, Parameter

_QUARTER = math.pi / 2


@dataclass(frozen=True, slots=True)
class Line:
    """An angle that is linear in the parameters: constant + Σ scale · value."""

    constant: float
    parts: tuple[tuple[str, bool, float], ...] = ()  # (name, is_input, scale)

    def __add__(self, other: "Line") -> "Line":
        scales: dict[tuple[str, bool], float] = {}
        for name, is_input, scale in (*self.parts, *other.parts):
            scales[name, is_input] = scales.get((name, is_input), 0.0) + scale
        kept = tuple((*key, scale) for key, scale in scales.items() if scale)
        return Line(self.constant + other.constant, kept)

    def __mul__(self, factor: float) -> "Line":
        parts = tuple((name, is_input, scale * factor) for name, is_input, scale in self.parts)
        return Line(self.constant * factor, parts)

    @property
    def is_zero(self) -> bool:
        return not self.parts and abs(self.constant) < 1e-15


@dataclass(frozen=True, slots=True)
class Turn:
    """RY(angle) on a qubit."""

    qubit: int
    angle: Line

    @property
    def qubits(self) -> tuple[int, ...]:
        return (self.qubit,)


@dataclass(frozen=True, slots=True)
class Phase:
    """e^{i angle d(x)}: d is -1/2 (-1)^{parity}, or with `on_ones` 1 where all qubits are one."""

    qubits: tuple[int, ...]
    angle: Line
    on_ones: bool


@dataclass(frozen=True, slots=True)
class Move:
    """A gate that permutes basis states: x, cx, swap, ccx or cswap."""

    gate: str
    qubits: tuple[int, ...]


Step: TypeAlias = Turn | Phase | Move


def lower(instruction: Instruction) -> list[Step]:
    """The steps, in time order, that equal the instruction exactly."""
    angles = [_line(angle) for angle in instruction.angles]
    if instruction.gate == "pauli":
        return _pauli(instruction.word, instruction.qubits, angles[0])
    return _RULES[instruction.gate](*instruction.qubits, *angles)


def _line(angle: Angle) -> Line:
    if isinstance(angle, Parameter):
        return Line(angle.offset, ((angle.name, angle.is_input, angle.scale),))
    return Line(angle)


def _ones(angle: Line | float, *qubits: int) -> Phase:
    line = angle if isinstance(angle, Line) else Line(angle)
    return Phase(tuple(sorted(qubits)), line, on_ones=True)


def _parity(angle: Line | float, *qubits: int) -> Phase:
    line = angle if isinstance(angle, Line) else Line(angle)
    return Phase(tuple(sorted(qubits)), line, on_ones=False)


def _turn(angle: Line | float, qubit: int) -> Turn:
    return Turn(qubit, angle if isinstance(angle, Line) else Line(angle))


def _move(gate: str) -> Callable[..., list[Step]]:
    return lambda *qubits: [Move(gate, qubits)]


def _fixed_phase(angle: float) -> Callable[..., list[Step]]:
    return lambda *qubits: [_ones(angle, *qubits)]


def _h(q: int) -> list[Step]:
    return [_ones(math.pi, q), _turn(_QUARTER, q)]


def _rx(q: int, angle: Line | float) -> list[Step]:
    return [_parity(_QUARTER, q), _turn(angle, q), _parity(-_QUARTER, q)]


def _root_of_x(sign: int) -> Callable[..., list[Step]]:
    return lambda q: [_ones(sign * math.pi / 4), *_rx(q, sign * _QUARTER)]


def _y(q: int) -> list[Step]:
    return [_ones(math.pi, q), Move("x", (q,)), _ones(_QUARTER)]


def _u(q: int, theta: Line, phi: Line, lam: Line) -> list[Step]:
    return [_ones(lam, q), _turn(theta, q), _ones(phi, q)]


def _cy(control: int, target: int) -> list[Step]:
    return [_ones(-_QUARTER, target), Move("cx", (control, target)), _ones(_QUARTER, target)]


def _ch(control: int, target: int) -> list[Step]:
    eighth = math.pi / 4
    return [_turn(-eighth, target), _ones(math.pi, control, target), _turn(eighth, target)]


def _iswap(a: int, b: int) -> list[Step]:
    return [
        Move("swap", (a, b)), _ones(_QUARTER, a), _ones(_QUARTER, b), _ones(math.pi, a, b)
    ]  # fmt: skip


def _cry(control: int, target: int, angle: Line) -> list[Step]:
    flip = Move("cx", (control, target))
    return [flip, _turn(angle * -0.5, target), flip, _turn(angle * 0.5, target)]


def _crx(control: int, target: int, angle: Line) -> list[Step]:
    turned = _cry(control, target, angle)
    return [_parity(_QUARTER, target), *turned, _parity(-_QUARTER, target)]


def _crz(control: int, target: int, angle: Line) -> list[Step]:
    return [_parity(angle * 0.5, target), _parity(angle * -0.5, control, target)]


def _xy(a: int, b: int, angle: Line) -> list[Step]:
    """XX + YY is XI - (-1)^b XI behind a CNOT from a to b, that is, twice a controlled X."""
    flip = Move("cx", (a, b))
    return [flip, *_crx(b, a, angle), flip]


def _gpi(q: int, phi: Line) -> list[Step]:
    return [Move("x", (q,)), _parity(phi * 2.0, q)]


def _gpi2(q: int, phi: Line) -> list[Step]:
    return [_parity(phi * -1.0, q), *_rx(q, _QUARTER), _parity(phi, q)]


def _ms(a: int, b: int, phi0: Line, phi1: Line, theta: Line) -> list[Step]:
    undo = [_parity(phi0 * -1.0, a), _parity(phi1 * -1.0, b)]
    return [*undo, *_pauli("XX", (a, b), theta), _parity(phi0, a), _parity(phi1, b)]


def _pauli(word: str, qubits: tuple[int, ...], angle: Line) -> list[Step]:
    """A parity phase between the turns that bring each letter to Z and back."""
    before: list[Step] = []
    after: list[Step] = []
    for letter, q in zip(word, qubits, strict=True):
        if letter == "X":
            before.append(_turn(-_QUARTER, q))
            after.append(_turn(_QUARTER, q))
        if letter == "Y":
            before += [_parity(_QUARTER, q), _turn(_QUARTER, q)]
            after += [_turn(-_QUARTER, q), _parity(-_QUARTER, q)]
    return [*before, _parity(angle, *qubits), *after]


_RULES: dict[str, Callable[..., list[Step]]] = {
    "id": lambda q: [],
    "x": _move("x"),
    "y": _y,
    "z": _fixed_phase(math.pi),
    "h": _h,
    "s": _fixed_phase(_QUARTER),
    "sdg": _fixed_phase(-_QUARTER),
    "t": _fixed_phase(math.pi / 4),
    "tdg": _fixed_phase(-math.pi / 4),
    "sx": _root_of_x(1),
    "sxdg": _root_of_x(-1),
    "rx": _rx,
    "ry": lambda q, angle: [_turn(angle, q)],
    "rz": lambda q, angle: [_parity(angle, q)],
    "p": lambda q, angle: [_ones(angle, q)],
    "u": _u,
    "gpi": _gpi,
    "gpi2": _gpi2,
    "cx": _move("cx"),
    "cy": _cy,
    "cz": _fixed_phase(math.pi),
    "ch": _ch,
    "swap": _move("swap"),
    "iswap": _iswap,
    "crx": _crx,
    "cry": _cry,
    "crz": _crz,
    "cp": lambda a, b, angle: [_ones(angle, a, b)],
    "rxx": lambda a, b, angle: _pauli("XX", (a, b), angle),
    "ryy": lambda a, b, angle: _pauli("YY", (a, b), angle),
    "rzz": lambda a, b, angle: [_parity(angle, a, b)],
    "xy": _xy,
    "ms": _ms,
    "ccx": _move("ccx"),
    "ccz": _fixed_phase(math.pi),
    "cswap": _move("cswap"),
    "mcp": lambda *args: [_ones(args[-1], *args[:-1])],
}
