"""Circuits: immutable, provider-neutral, with named parameters.

Conventions, said here once: qubit 0 is the most significant bit of a basis state's index, so on
three qubits |100⟩ is index 4 and the bit string "100" reads qubit 0 first. Angles are radians.
A circuit starts in |0…0⟩, and whoever samples it measures every qubit at its end.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite
from typing import Any, TypeAlias

from quantum.errors import InvalidCircuit, InvalidValues
from quantum.gates import find_gate

Number: TypeAlias = float | int
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Parameter:
    """The angle `scale * value + offset`, where `value` is given when the circuit is run.

    Args:
        is_input: True for a feature of the data, which differs within a batch; False for a weight,
            which is learnt and shared by it.
    """

    name: str
    scale: float = 1.0
    offset: float = 0.0
    is_input: bool = False

    def __post_init__(self) -> None:
        if not _IDENTIFIER.fullmatch(self.name):
            raise InvalidCircuit(
                f"parameter name {self.name!r} must be letters, digits and underscores"
            )
        if not (isfinite(self.scale) and isfinite(self.offset)):
            raise InvalidCircuit(f"scale and offset must be finite: {self}")

    def __mul__(self, factor: Number) -> "Parameter":
        return replace(self, scale=float(self.scale * factor), offset=float(self.offset * factor))

    __rmul__ = __mul__

    def __truediv__(self, divisor: Number) -> "Parameter":
        return self * (1.0 / divisor)

    def __neg__(self) -> "Parameter":
        return self * -1.0

    def __add__(self, shift: Number) -> "Parameter":
        return replace(self, offset=float(self.offset + shift))

    __radd__ = __add__

    def __sub__(self, shift: Number) -> "Parameter":
        return self + (-shift)

    def __rsub__(self, start: Number) -> "Parameter":
        return -self + start

    def at(self, value: Number) -> float:
        """The angle in radians where the parameter has this value."""
        return self.scale * value + self.offset


def parameter_input(name: str) -> Parameter:
    """The parameter `name` that carries a feature of the data."""
    return Parameter(name, is_input=True)


Angle: TypeAlias = float | Parameter
AngleLike: TypeAlias = float | int | str | Parameter


def _angle(value: AngleLike) -> Angle:
    if isinstance(value, str):
        return Parameter(value)
    return value if isinstance(value, Parameter) else float(value)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One gate on some qubits.

    Args:
        gate: a name from `quantum.gates.GATES`.
        word: for the gate `pauli` its letters, one of X Y Z per qubit; otherwise empty.
    """

    gate: str
    qubits: tuple[int, ...]
    angles: tuple[Angle, ...] = ()
    word: str = ""

    def __post_init__(self) -> None:
        gate = find_gate(self.gate)
        if not self.qubits or (gate.n_qubits and len(self.qubits) != gate.n_qubits):
            wanted = gate.n_qubits or "one or more"
            raise InvalidCircuit(f"{self.gate} acts on {wanted} qubits, not on {self.qubits}")
        if len(set(self.qubits)) != len(self.qubits) or min(self.qubits) < 0:
            raise InvalidCircuit(f"{self.gate} needs different qubits ≥ 0, not {self.qubits}")
        if len(self.angles) != gate.n_angles:
            raise InvalidCircuit(f"{self.gate} takes {gate.n_angles} angles, not {self.angles}")
        if not all(isinstance(angle, Parameter) or isfinite(angle) for angle in self.angles):
            raise InvalidCircuit(f"an angle of {self.gate} is no finite number: {self.angles}")
        if (self.gate == "pauli") != bool(self.word) or set(self.word) - set("XYZ"):
            raise InvalidCircuit(f"only pauli takes a word of X, Y and Z, not {self.word!r}")
        if self.word and len(self.word) != len(self.qubits):
            raise InvalidCircuit(f"{self.word!r} needs one letter for each of {self.qubits}")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return tuple(angle for angle in self.angles if isinstance(angle, Parameter))

    def inverse(self) -> "Instruction":
        """The instruction that undoes this one."""
        gate = find_gate(self.gate)
        return Instruction(gate.inverse, self.qubits, gate.inverse_angles(self.angles), self.word)

    def to_json(self) -> list[Any]:
        angles = [_angle_to_json(angle) for angle in self.angles]
        return [self.gate, list(self.qubits), angles, self.word]

    @classmethod
    def from_json(cls, data: Sequence[Any]) -> "Instruction":
        gate, qubits, angles, word = data
        return cls(gate, tuple(qubits), tuple(_angle_from_json(angle) for angle in angles), word)


def _angle_to_json(angle: Angle) -> float | list[Any]:
    if isinstance(angle, Parameter):
        return [angle.name, angle.scale, angle.offset, angle.is_input]
    return angle


def _angle_from_json(data: Number | list[Any]) -> Angle:
    if not isinstance(data, list):
        return float(data)
    name, scale, offset, is_input = data
    return Parameter(name, float(scale), float(offset), is_input)


@dataclass(frozen=True)
class Circuit:
    """Gates in order. Every method gives back a new circuit; equal circuits have equal hashes.

    `Circuit(2).h(0).cx(0, 1)` makes a Bell state; `.ry("theta", 0)` names a weight, and
    `.ry(2 * Parameter("theta"), 0)` scales it. A name may stand at several gates.
    """

    n_qubits: int
    instructions: tuple[Instruction, ...] = ()

    def __post_init__(self) -> None:
        if self.n_qubits < 1:
            raise InvalidCircuit(f"a circuit needs at least one qubit, not {self.n_qubits}")
        self._check(self.instructions)

    def _check(self, instructions: Iterable[Instruction]) -> None:
        for instruction in instructions:
            if max(instruction.qubits) >= self.n_qubits:
                raise InvalidCircuit(
                    f"{instruction.gate} on qubits {instruction.qubits} does not fit "
                    f"{self.n_qubits} qubits (0 to {self.n_qubits - 1})"
                )

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.n_qubits, self.instructions))

    # Composing

    def append(self, *instructions: Instruction) -> "Circuit":
        """This circuit followed by the instructions."""
        self._check(instructions)
        longer = object.__new__(Circuit)  # what is already inside was checked before
        object.__setattr__(longer, "n_qubits", self.n_qubits)
        object.__setattr__(longer, "instructions", self.instructions + instructions)
        return longer

    def __add__(self, other: "Circuit") -> "Circuit":
        if other.n_qubits != self.n_qubits:
            raise InvalidCircuit(f"cannot join {self.n_qubits} and {other.n_qubits} qubits")
        return self.append(*other.instructions)

    def gate(
        self, name: str, qubits: Sequence[int], angles: Sequence[AngleLike] = (), word: str = ""
    ) -> "Circuit":
        """This circuit followed by the gate `name`."""
        return self.append(
            Instruction(name, tuple(qubits), tuple(_angle(angle) for angle in angles), word)
        )

    def inverse(self) -> "Circuit":
        """The circuit that undoes this one."""
        return Circuit(self.n_qubits, tuple(gate.inverse() for gate in self.instructions[::-1]))

    def on(self, n_qubits: int, qubits: Sequence[int]) -> "Circuit":
        """The same gates in a register of `n_qubits`, qubit i moved to `qubits[i]`."""
        if len(qubits) != self.n_qubits:
            raise InvalidCircuit(f"{self.n_qubits} qubits need as many places, not {qubits}")
        moved = (
            replace(gate, qubits=tuple(qubits[q] for q in gate.qubits))
            for gate in self.instructions
        )
        return Circuit(n_qubits, tuple(moved))

    # Parameters

    @cached_property
    def weights(self) -> tuple[str, ...]:
        """Names of the weights, in order of first appearance: the order of every weight tensor."""
        return self._names(is_input=False)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs, in order of first appearance: the order of every input tensor."""
        names = self._names(is_input=True)
        if both := set(names) & set(self.weights):
            raise InvalidCircuit(f"{sorted(both)} cannot be weights and inputs at once")
        return names

    def _names(self, *, is_input: bool) -> tuple[str, ...]:
        found = (
            parameter.name
            for instruction in self.instructions
            for parameter in instruction.parameters
            if parameter.is_input == is_input
        )
        return tuple(dict.fromkeys(found))

    def bind(self, values: Mapping[str, Number]) -> "Circuit":
        """The circuit with numbers in place of the named parameters; others stay free."""
        if unknown := set(values) - set(self.weights) - set(self.inputs):
            raise InvalidValues(f"the circuit has no parameters {sorted(unknown)}")

        def number(angle: Angle) -> Angle:
            if isinstance(angle, Parameter) and angle.name in values:
                return angle.at(float(values[angle.name]))
            return angle

        return Circuit(
            self.n_qubits,
            tuple(replace(i, angles=tuple(map(number, i.angles))) for i in self.instructions),
        )

    # Size

    @cached_property
    def depth(self) -> int:
        """Number of time steps, where gates on different qubits share a step."""
        levels = [0] * self.n_qubits
        for instruction in self.instructions:
            level = 1 + max(levels[q] for q in instruction.qubits)
            for q in instruction.qubits:
                levels[q] = level
        return max(levels)

    def count_gates(self) -> Counter[str]:
        """How often each gate occurs."""
        return Counter(instruction.gate for instruction in self.instructions)

    @property
    def n_entangling(self) -> int:
        """Number of gates on two or more qubits."""
        return sum(len(instruction.qubits) > 1 for instruction in self.instructions)

    # Identity

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which `from_json` makes an equal circuit."""
        gates = [instruction.to_json() for instruction in self.instructions]
        return {"n_qubits": self.n_qubits, "instructions": gates}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Circuit":
        gates = tuple(Instruction.from_json(gate) for gate in data["instructions"])
        return cls(data["n_qubits"], gates)

    @cached_property
    def structure_hash(self) -> str:
        """Hexadecimal SHA-256 of the gates and parameter names: equal before any value is bound."""
        return _digest(self.to_json())

    def bound_hash(self, values: Mapping[str, Number]) -> str:
        """Hexadecimal SHA-256 of the structure together with the values of its parameters."""
        numbers = {name: float(values[name]) for name in sorted(values)}
        return _digest([self.structure_hash, numbers])

    # Gates on one qubit

    def x(self, qubit: int) -> "Circuit":
        return self.gate("x", (qubit,))

    def y(self, qubit: int) -> "Circuit":
        return self.gate("y", (qubit,))

    def z(self, qubit: int) -> "Circuit":
        return self.gate("z", (qubit,))

    def h(self, qubit: int) -> "Circuit":
        return self.gate("h", (qubit,))

    def s(self, qubit: int) -> "Circuit":
        return self.gate("s", (qubit,))

    def sdg(self, qubit: int) -> "Circuit":
        return self.gate("sdg", (qubit,))

    def t(self, qubit: int) -> "Circuit":
        return self.gate("t", (qubit,))

    def tdg(self, qubit: int) -> "Circuit":
        return self.gate("tdg", (qubit,))

    def sx(self, qubit: int) -> "Circuit":
        return self.gate("sx", (qubit,))

    def rx(self, angle: AngleLike, qubit: int) -> "Circuit":
        return self.gate("rx", (qubit,), (angle,))

    def ry(self, angle: AngleLike, qubit: int) -> "Circuit":
        return self.gate("ry", (qubit,), (angle,))

    def rz(self, angle: AngleLike, qubit: int) -> "Circuit":
        return self.gate("rz", (qubit,), (angle,))

    def p(self, angle: AngleLike, qubit: int) -> "Circuit":
        """Phase gate diag(1, e^{i angle})."""
        return self.gate("p", (qubit,), (angle,))

    def u(self, theta: AngleLike, phi: AngleLike, lam: AngleLike, qubit: int) -> "Circuit":
        """Any one-qubit gate: P(phi) RY(theta) P(lam)."""
        return self.gate("u", (qubit,), (theta, phi, lam))

    # Gates on several qubits

    def cx(self, control: int, target: int) -> "Circuit":
        return self.gate("cx", (control, target))

    def cy(self, control: int, target: int) -> "Circuit":
        return self.gate("cy", (control, target))

    def cz(self, control: int, target: int) -> "Circuit":
        return self.gate("cz", (control, target))

    def ch(self, control: int, target: int) -> "Circuit":
        return self.gate("ch", (control, target))

    def swap(self, first: int, second: int) -> "Circuit":
        return self.gate("swap", (first, second))

    def iswap(self, first: int, second: int) -> "Circuit":
        return self.gate("iswap", (first, second))

    def crx(self, angle: AngleLike, control: int, target: int) -> "Circuit":
        return self.gate("crx", (control, target), (angle,))

    def cry(self, angle: AngleLike, control: int, target: int) -> "Circuit":
        return self.gate("cry", (control, target), (angle,))

    def crz(self, angle: AngleLike, control: int, target: int) -> "Circuit":
        return self.gate("crz", (control, target), (angle,))

    def cp(self, angle: AngleLike, control: int, target: int) -> "Circuit":
        return self.gate("cp", (control, target), (angle,))

    def rxx(self, angle: AngleLike, first: int, second: int) -> "Circuit":
        return self.gate("rxx", (first, second), (angle,))

    def ryy(self, angle: AngleLike, first: int, second: int) -> "Circuit":
        return self.gate("ryy", (first, second), (angle,))

    def rzz(self, angle: AngleLike, first: int, second: int) -> "Circuit":
        return self.gate("rzz", (first, second), (angle,))

    def xy(self, angle: AngleLike, first: int, second: int) -> "Circuit":
        """exp(-i angle (XX + YY) / 4): turns |01⟩ into |10⟩, keeps the number of ones."""
        return self.gate("xy", (first, second), (angle,))

    def ccx(self, first: int, second: int, target: int) -> "Circuit":
        return self.gate("ccx", (first, second, target))

    def ccz(self, first: int, second: int, third: int) -> "Circuit":
        return self.gate("ccz", (first, second, third))

    def cswap(self, control: int, first: int, second: int) -> "Circuit":
        return self.gate("cswap", (control, first, second))

    def mcp(self, angle: AngleLike, qubits: Sequence[int]) -> "Circuit":
        """Phase e^{i angle} where all the qubits are 1."""
        return self.gate("mcp", qubits, (angle,))

    def pauli(self, angle: AngleLike, word: str, qubits: Sequence[int]) -> "Circuit":
        """exp(-i angle/2 P) for the Pauli word P, such as "XYZ" on three qubits."""
        return self.gate("pauli", qubits, (angle,), word)


def _digest(data: Any) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
