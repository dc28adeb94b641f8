"""Circuits in IonQ's own gates: compiled once per structure, bound to values later.

A turn about Z is no pulse: it shifts the phases of all pulses behind it (McKay et al. 2017), so
that every phase is a sum of a number and multiples of parameters. Phases and angles are in turns,
as IonQ counts them. Gates: GPI(φ) turns by π about the axis at φ in the XY plane, GPI2(φ) by π/2;
MS(φ0, φ1, θ) = e^{-iπθ A⊗B} with A and B these axes, and ZZ(θ) = e^{-iπθ Z⊗Z}.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import pi
from typing import Any, NamedTuple

from quantum.circuit import Angle, Circuit, Instruction, Parameter
from quantum.decomposition import decompose, to_cnots

FORMAT = 2  # of the bytes of a program and of what they mean: part of the names of kept ones
Form = dict[str, float]  # multiples of parameters by name; "" is the number
_Z_TURNS = {"id": 0.0, "z": 0.5, "s": 0.25, "sdg": -0.25, "t": 0.125, "tdg": -0.125}
_PULSES = {"x": ("gpi", 0.0), "y": ("gpi", 0.25), "sx": ("gpi2", 0.0), "sxdg": ("gpi2", 0.5)}
_BASIS = (*_Z_TURNS, *_PULSES, "h", "p", "rx", "ry", "rz", "cx", "cz", "rzz")
_AXES = {"rxx": 0.0, "ryy": 0.25}  # one MS each, where the machine has MS
_FULL, _EPSILON = 0.25, 1e-12  # no gate on two qubits goes further than a quarter turn


class Pulse(NamedTuple):
    """A native gate with numbers: phases of its qubits and, on two qubits, the angle, in turns."""

    gate: str
    qubits: tuple[int, ...]
    phases: tuple[float, ...] = ()
    angle: float = 0.0


@dataclass(frozen=True)
class NativeProgram:
    """A circuit in native gates; the turns about Z behind the last pulse of each qubit are left
    out, since no measurement sees them.

    Args:
        gates: name, qubits, phases and angle, the last two as forms.
    """

    n_qubits: int
    gates: tuple[tuple[str, tuple[int, ...], tuple[Form, ...], Form], ...]

    def bind(self, values: Mapping[str, float]) -> list[Pulse]:
        """The pulses; angles between two qubits are brought to 0 … 0.25 turns."""
        turned = [0.0] * self.n_qubits  # about Z, which too large an angle left behind
        pulses: list[Pulse] = []
        for gate, qubits, phases, angle in self.gates:
            shift = [turned[q] for q in qubits]
            numbers = [(_number(f, values) - s) % 1.0 for f, s in zip(phases, shift, strict=False)]
            if gate in ("gpi", "gpi2"):
                pulses.append(Pulse(gate, qubits, tuple(numbers)))
            elif gate == "ms":
                pulses += _ms(qubits, numbers, _number(angle, values))
            else:
                parts, left_over = _zz(qubits, _number(angle, values))
                pulses += parts
                for q in qubits:
                    turned[q] += left_over
        return pulses

    def to_bytes(self) -> bytes:
        return json.dumps([self.n_qubits, self.gates]).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "NativeProgram":
        n_qubits, gates = json.loads(data)
        return cls(n_qubits, tuple((g, tuple(q), tuple(p), a) for g, q, p, a in gates))


def compile_native(circuit: Circuit, *, pair: str) -> NativeProgram:
    """The circuit in native gates, up to a global phase, with its parameters free.

    Args:
        pair: `ms` or `zz`, the machine's gate on two qubits.
    """
    compiler = _Compiler(circuit.n_qubits, pair)
    basis = (*_BASIS, *_AXES) if pair == "ms" else _BASIS
    for instruction in decompose(circuit, basis).instructions:
        compiler.add(instruction)
    return NativeProgram(circuit.n_qubits, tuple(compiler.gates))


class _Compiler:
    """Gates so far, and the turn about Z that each qubit still owes to what follows."""

    def __init__(self, n_qubits: int, pair: str) -> None:
        self.gates: list[tuple[str, tuple[int, ...], tuple[Form, ...], Form]] = []
        self._owed: list[Form] = [{} for _ in range(n_qubits)]
        self._pair = pair

    def add(self, instruction: Instruction) -> None:
        gate, qubits = instruction.gate, instruction.qubits
        turns = [_turns(angle) for angle in instruction.angles]
        if gate in _Z_TURNS:
            self._turn(qubits[0], {"": _Z_TURNS[gate]})
        elif gate in ("rz", "p"):
            self._turn(qubits[0], turns[0])
        elif gate in _PULSES:
            self._pulse(qubits[0], *_PULSES[gate])
        elif gate == "h":
            self._hadamard(qubits[0])
        elif gate in ("rx", "ry"):  # tilt the axis to Z, turn about it, tilt it back
            there, back = (0.75, 0.25) if gate == "rx" else (0.0, 0.5)
            self._pulse(qubits[0], "gpi2", there)
            self._turn(qubits[0], turns[0])
            self._pulse(qubits[0], "gpi2", back)
        elif gate in _AXES:
            self._ms(qubits, _AXES[gate], turns[0])
        elif gate == "rzz":
            self._rzz(qubits, turns[0])
        elif gate in ("cx", "cz"):
            self._controlled(gate, qubits)
        else:
            for part in to_cnots(Circuit(len(self._owed), (instruction,))).instructions:
                self.add(part)

    def _controlled(self, gate: str, qubits: tuple[int, ...]) -> None:
        """CZ = RZ(π/2) ⊗ RZ(π/2) · RZZ(-π/2); CX is CZ between Hadamards."""
        if gate == "cx":
            self._hadamard(qubits[1])
        self._rzz(qubits, {"": -0.25})
        for q in qubits:
            self._turn(q, {"": 0.25})
        if gate == "cx":
            self._hadamard(qubits[1])

    def _hadamard(self, qubit: int) -> None:
        self._turn(qubit, {"": 0.5})
        self._pulse(qubit, "gpi2", 0.25)

    def _rzz(self, qubits: tuple[int, ...], turns: Form) -> None:
        if self._pair == "zz":
            self.gates.append(("zz", qubits, (), turns))
            return
        for q in qubits:
            self._pulse(q, "gpi2", 0.25)
        self._ms(qubits, 0.0, turns)
        for q in qubits:
            self._pulse(q, "gpi2", 0.75)

    def _ms(self, qubits: tuple[int, ...], axis: float, turns: Form) -> None:
        phases = tuple(_sum({"": axis}, self._owed[q], sign=-1.0) for q in qubits)
        self.gates.append(("ms", qubits, phases, turns))

    def _pulse(self, qubit: int, gate: str, phase: float) -> None:
        form = _sum({"": phase}, self._owed[qubit], sign=-1.0)
        self.gates.append((gate, (qubit,), (form,), {}))

    def _turn(self, qubit: int, turns: Form) -> None:
        self._owed[qubit] = _sum(self._owed[qubit], turns)


def _ms(qubits: tuple[int, ...], phases: list[float], angle: float) -> list[Pulse]:
    """A half turn too many is a flip of both qubits about the gate's axes; a negative angle is a
    positive one about the opposite axis."""
    angle, flips = _reduced(angle)
    pulses = [Pulse("gpi", (q,), (p,)) for q, p in zip(qubits, phases, strict=True) if flips]
    if angle < 0:
        phases = [(phases[0] + 0.5) % 1.0, phases[1]]
    return [*pulses, Pulse("ms", qubits, tuple(phases), abs(angle))]


def _zz(qubits: tuple[int, ...], angle: float) -> tuple[list[Pulse], float]:
    """The pulses, and the turn about Z of both qubits that is left over; a negative angle is a
    positive one between two flips, about whatever axis."""
    angle, flips = _reduced(angle)
    pulses = [Pulse("zz", qubits, (), abs(angle))]
    if angle < 0:
        flip = Pulse("gpi", qubits[:1], (0.0,))
        pulses = [flip, *pulses, flip]
    return pulses, 0.5 * flips


def _reduced(angle: float) -> tuple[float, bool]:
    """The angle within a quarter turn, and whether a half turn was taken off; whole turns are no
    more than a global phase."""
    angle -= round(angle)
    if -_FULL + _EPSILON < angle <= _FULL + _EPSILON:
        return angle, False
    return angle - (0.5 if angle > 0 else -0.5), True


def _turns(angle: Angle) -> Form:
    """The angle in turns, as a form."""
    if isinstance(angle, Parameter):
        return {angle.name: angle.scale / (2 * pi), "": angle.offset / (2 * pi)}
    return {"": float(angle) / (2 * pi)}


def _sum(first: Form, second: Form, *, sign: float = 1.0) -> Form:
    names = {**first, **second}
    return {name: first.get(name, 0.0) + sign * second.get(name, 0.0) for name in names}


def _number(form: Mapping[str, Any], values: Mapping[str, float]) -> float:
    return float(sum(factor * (values[name] if name else 1.0) for name, factor in form.items()))
