"""OpenQASM 3: circuits as text, and text as circuits.

Written programs use `stdgates.inc` and define on top what it lacks, so any reader of the standard
understands them. Reading takes the part of the language that describes one fixed circuit:
registers, inputs, constants, gates and gate definitions, the modifiers `ctrl` and `inv`,
broadcasting, final measurements; also the common part of OpenQASM 2. A program's own definition of
a gate is what the gate means there, whatever is known here under its name.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import pi
from typing import Any

from quantum.circuit import Angle, Circuit, Instruction, Parameter
from quantum.decomposition import COMMON, decompose
from quantum.errors import ConversionError, InvalidCircuit
from quantum.gates import GATES

# Words that no input may be called, because gates, the register, constants and the language are.
_RESERVED = frozenset({
    *GATES, "q", "U", "CX", "pi", "tau", "euler",
    "OPENQASM", "include", "defcalgrammar", "def", "cal", "defcal", "gate", "extern", "box",
    "let", "break", "continue", "if", "else", "end", "return", "for", "while", "in", "switch",
    "case", "default", "nop", "pragma", "input", "output", "const", "readonly", "mutable",
    "qreg", "qubit", "creg", "bool", "bit", "int", "uint", "float", "angle", "complex", "array",
    "void", "duration", "stretch", "gphase", "inv", "pow", "ctrl", "negctrl", "dim",
    "durationof", "delay", "reset", "measure", "barrier", "true", "false",
})  # fmt: skip
_DEFINED = ("sxdg", "u", "gpi", "gpi2", "iswap", "rxx", "ryy", "rzz", "xy", "ms", "ccz")
# What `stdgates.inc` defines.
_STANDARD = frozenset(GATES) - {*_DEFINED, "mcp", "pauli"} | {
    "CX", "cu", "cphase", "phase", "u1", "u2", "u3",
}  # fmt: skip


def to_openqasm(circuit: Circuit) -> str:
    """The circuit as an OpenQASM 3 program on the register `q`; parameters become inputs.

    Raises:
        ConversionError: where a parameter has the name of a gate or of the register.
    """
    if taken := _RESERVED.intersection((*circuit.weights, *circuit.inputs)):
        raise ConversionError(f"OpenQASM has other uses for the names {sorted(taken)}: rename them")
    used = dict.fromkeys(_written_name(instruction) for instruction in circuit.instructions)
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";']
    lines += [f"input float[64] {name};" for name in (*circuit.weights, *circuit.inputs)]
    lines += [_definition(name) for name in used if name in _DEFINED or "_" in name]
    lines.append(f"qubit[{circuit.n_qubits}] q;")
    lines += [_call(instruction, "q[{}]".format) for instruction in circuit.instructions]
    return "\n".join(lines) + "\n"


def _written_name(instruction: Instruction) -> str:
    if instruction.gate == "pauli":
        return f"pauli_{instruction.word.lower()}"
    if instruction.gate == "mcp":
        controls = len(instruction.qubits) - 1
        return f"ctrl({controls}) @ p" if controls else "p"
    return instruction.gate


def _call(instruction: Instruction, qubit: Callable[[int], str]) -> str:
    angles = ", ".join(_spell_angle(angle) for angle in instruction.angles)
    qubits = ", ".join(qubit(q) for q in instruction.qubits)
    return f"{_written_name(instruction)}{f'({angles})' if angles else ''} {qubits};"


def _spell_angle(angle: Angle) -> str:
    if not isinstance(angle, Parameter):
        return repr(angle)
    scaled = angle.name if angle.scale == 1.0 else f"{angle.scale!r} * {angle.name}"
    if angle.offset == 0.0:
        return scaled
    return f"{scaled} {'-' if angle.offset < 0 else '+'} {abs(angle.offset)!r}"


def _definition(name: str) -> str:
    """The gate in terms of the standard ones."""
    word = name.removeprefix("pauli_").upper() if name.startswith("pauli_") else ""
    gate = GATES["pauli" if word else name]
    n_qubits = len(word) or gate.n_qubits
    angles = tuple(Parameter(f"a{i}") for i in range(gate.n_angles))
    whole = Instruction(gate.name, tuple(range(n_qubits)), angles, word)
    body = decompose(Circuit(n_qubits, (whole,)), COMMON).instructions
    head = f"({', '.join(angle.name for angle in angles)})" if angles else ""
    qubits = ", ".join(f"q{q}" for q in range(n_qubits))
    inside = " ".join(_call(instruction, "q{}".format) for instruction in body)
    return f"gate {name}{head} {qubits} {{ {inside} }}"


def from_openqasm(text: str, *, inputs: Collection[str] = ()) -> Circuit:
    """The circuit that the program describes, up to a global phase.

    Args:
        inputs: names of the parameters that are inputs; all others are weights.

    Raises:
        ConversionError: names the statement that has no counterpart here.
    """
    reader = _Reader(frozenset(inputs))
    try:
        for statement in _statements(text):
            reader.read(statement)
    except InvalidCircuit as error:
        raise ConversionError(str(error)) from None
    if not reader.n_qubits:
        raise ConversionError("the program declares no qubits")
    return Circuit(reader.n_qubits, tuple(reader.instructions))


_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_ASIDE = re.compile(r"^[ \t]*(?:#?pragma\b|@\w).*$", re.MULTILINE)  # these end with their line
_STATEMENT = re.compile(r"\s*((?:gate|def)\b[^{;]*\{[^}]*\}|[^;{}]*;)")
_IGNORED = re.compile(r"(OPENQASM|barrier|bit|creg|gphase)\b|$")
_INCLUDE = re.compile(r"include\s*([\"'])(.*)\1")
_INPUT = re.compile(r"input\s+\w+(?:\s*\[[^]]*\])?\s+(\w+)")
_CONSTANT = re.compile(r"const\s+float(?:\s*\[[^]]*\])?\s+(\w+)\s*=(.*)", re.DOTALL)
_REGISTER = re.compile(r"qubit(?:\s*\[(\d+)\])?\s+(\w+)|qreg\s+(\w+)\s*\[(\d+)\]")
_GATE = re.compile(r"gate\s+(\w+)\s*(?:\(([^)]*)\))?\s*([^{]*)\{([^}]*)\}")
_MEASURE = re.compile(r"(?:[\w\[\]\s:]+=\s*)?measure\b\s*(.*?)(?:->.*)?$", re.DOTALL)
_MODIFIER = re.compile(r"\s*(ctrl|inv)\s*(?:\((\d+)\))?\s*@")
_NAME_OF_CALL = re.compile(r"\s*(\w+)\s*")
_OPERAND = re.compile(r"(\w+)(?:\[(\d+)\])?$")

# Names in other dialects → ours.
_ALIASES = {
    "U": "u", "u3": "u", "CX": "cx", "phase": "p", "u1": "p", "cphase": "cp", "cu1": "cp",
    "xx_plus_yy": "xy", "i": "id",
}  # fmt: skip
# A gate with one more control.
_CONTROLLED = {
    "x": "cx", "y": "cy", "z": "cz", "h": "ch", "rx": "crx", "ry": "cry", "rz": "crz", "p": "cp",
    "cx": "ccx", "cz": "ccz", "swap": "cswap",
}  # fmt: skip


def _statements(text: str) -> list[str]:
    """The program cut into statements; raises `ConversionError` where it cannot be."""
    code = _ASIDE.sub(" ", _COMMENT.sub(" ", text)).strip()
    found, at = [], 0
    while at < len(code):
        match = _STATEMENT.match(code, at)
        if match is None:
            raise ConversionError(f"cannot read {code[at : at + 40].strip()!r}")
        found.append(match.group(1).rstrip(";").strip())
        at = match.end()
        while at < len(code) and code[at].isspace():
            at += 1
    return found


@dataclass(frozen=True, slots=True)
class _Definition:
    angles: tuple[str, ...]
    qubits: tuple[str, ...]
    body: tuple[str, ...]

    @classmethod
    def of(cls, angles: str | None, qubits: str, body: str) -> "_Definition":
        parts = tuple(part.strip() for part in body.split(";") if part.strip())
        return cls(_names(angles or ""), _names(qubits), parts)


@dataclass
class _Reader:
    """What has been declared and read so far."""

    inputs: frozenset[str]
    instructions: list[Instruction] = field(default_factory=list)
    registers: dict[str, tuple[int, ...]] = field(default_factory=dict)
    definitions: dict[str, _Definition] = field(default_factory=dict)
    constants: dict[str, Angle] = field(default_factory=lambda: dict(_CONSTANTS))
    measured: set[int] = field(default_factory=set)
    has_standard: bool = False  # whether stdgates.inc is included
    n_qubits: int = 0
    n_controls: int = 0  # on what is being spelled out
    open: list[str] = field(default_factory=list)  # definitions that are being spelled out

    def read(self, statement: str) -> None:
        if match := _MEASURE.fullmatch(statement):
            self.measured.update(*(self._qubits(text) for text in match.group(1).split(",")))
        elif match := _INCLUDE.fullmatch(statement):
            self._include(match.group(2))
        elif match := _INPUT.fullmatch(statement):
            name = match.group(1)
            self._name(name, Parameter(name, is_input=name in self.inputs))
        elif match := _CONSTANT.fullmatch(statement):
            self._name(match.group(1), self._angle(match.group(2), {}))
        elif match := _REGISTER.fullmatch(statement):
            self._declare(match.group(2) or match.group(3), match.group(1) or match.group(4))
        elif match := _GATE.fullmatch(statement):
            self._define(*match.groups())
        elif statement.startswith(("input ", "const ")):
            raise ConversionError(f"cannot read {statement!r}: declare a float")
        elif not _IGNORED.match(statement):
            self.instructions += self._call(statement, {}, {})

    def _declare(self, name: str, size: str | None) -> None:
        if name in self.registers:
            raise ConversionError(f"there are two registers {name!r}")
        count = int(size or 1)
        self.registers[name] = tuple(range(self.n_qubits, self.n_qubits + count))
        self.n_qubits += count

    def _include(self, name: str) -> None:
        if name == "stdgates.inc":
            self.has_standard = True
            self._check_standard(*self.definitions)

    def _name(self, name: str, value: Angle) -> None:
        if name in self.constants:
            raise ConversionError(f"there are two values {name!r}")
        self.constants[name] = value

    def _define(self, name: str, angles: str | None, qubits: str, body: str) -> None:
        self._check_standard(name)
        if name in self.definitions:
            raise ConversionError(f"the gate {name} is defined twice")
        definition = _Definition.of(angles, qubits, body)
        if definition != _own(name) or GATES.keys() & self.definitions.keys():
            self.definitions[name] = definition  # else our own gate, written for other readers

    def _check_standard(self, *names: str) -> None:
        if self.has_standard and (taken := _STANDARD.intersection(names)):
            raise ConversionError(
                f"the program defines {', '.join(sorted(taken))}, which stdgates.inc does too: "
                "rename it"
            )

    def _qubits(self, text: str) -> tuple[int, ...]:
        match = _OPERAND.match(text.strip())
        if match is None or match.group(1) not in self.registers:
            raise ConversionError(f"there is no qubit {text.strip()!r}")
        register = self.registers[match.group(1)]
        if match.group(2) is None:
            return register
        if int(match.group(2)) >= len(register):
            raise ConversionError(f"{text.strip()} lies outside its register of {len(register)}")
        return (register[int(match.group(2))],)

    def _call(
        self, statement: str, angles: Mapping[str, Angle], qubits: Mapping[str, int]
    ) -> list[Instruction]:
        """The instructions of one call; the mappings hold the arguments inside a definition."""
        modifiers, at = [], 0
        while match := _MODIFIER.match(statement, at):
            modifiers.append((match.group(1), int(match.group(2) or 1)))
            at = match.end()
        match = _NAME_OF_CALL.match(statement, at)
        if match is None or match.end() == len(statement):
            raise ConversionError(f"cannot read {statement!r}")
        name = match.group(1)
        inside, operands = _brackets(statement[match.end() :])
        if operands.startswith("@"):
            raise ConversionError(f"the modifier {name!r} is not known here: spell the gate out")
        given = [self._angle(part, angles) for part in _split(inside)]
        places = [
            (qubits[text.strip()],) if text.strip() in qubits else self._qubits(text)
            for text in operands.split(",")
        ]
        result = []
        for row in _broadcast(places, statement):
            n_controls = sum(count for kind, count in modifiers if kind == "ctrl")
            self.n_controls += n_controls
            inner = self._gate(name, given, row[n_controls:])
            self.n_controls -= n_controls
            result += _modify(inner, modifiers, row[:n_controls])
        self._check_unmeasured(result)
        return result

    def _check_unmeasured(self, instructions: Sequence[Instruction]) -> None:
        if any(self.measured.intersection(i.qubits) for i in instructions):
            raise ConversionError("a gate follows a measurement: measure at the end only")

    def _gate(
        self, name: str, angles: Sequence[Angle], qubits: tuple[int, ...]
    ) -> list[Instruction]:
        own = _ALIASES.get(name, name)
        if name in self.definitions:
            return self._expand(name, angles, qubits)
        word = own.removeprefix("pauli_").upper() if own.startswith("pauli_") else ""
        if own == "u2":
            own, angles = "u", (pi / 2, *angles)
        if own == "xy" and len(angles) == 2 and angles[1] == 0.0:
            angles = angles[:1]
        return [Instruction("pauli" if word else own, qubits, tuple(angles), word)]

    def _expand(
        self, name: str, angles: Sequence[Angle], qubits: tuple[int, ...]
    ) -> list[Instruction]:
        definition = self.definitions[name]
        if name in self.open:
            raise ConversionError(f"the gate {name} is defined by itself")
        if (len(angles), len(qubits)) != (len(definition.angles), len(definition.qubits)):
            raise ConversionError(
                f"{name} takes {len(definition.angles)} angles and {len(definition.qubits)} "
                f"qubits, not {len(angles)} and {len(qubits)}"
            )
        if self.n_controls and any(part.startswith("gphase") for part in definition.body):
            raise ConversionError(f"{name} has a phase of its own: it cannot be controlled here")
        inside_angles = dict(zip(definition.angles, angles, strict=True))
        inside_qubits = dict(zip(definition.qubits, qubits, strict=True))
        calls = (part for part in definition.body if not _IGNORED.match(part))
        self.open.append(name)
        found = [i for call in calls for i in self._call(call, inside_angles, inside_qubits)]
        self.open.pop()
        return found

    def _angle(self, text: str, arguments: Mapping[str, Angle]) -> Angle:
        def lookup(name: str) -> Angle:
            if name in arguments:
                return arguments[name]
            if name not in self.constants:
                raise ConversionError(f"nothing declares {name!r}: write 'input float {name};'")
            return self.constants[name]

        try:
            # Names are marked, for some of them are words of Python.
            python = _NAME.sub(r"_\g<0>", text.strip().replace("^", "**"))
            value = _evaluate(ast.parse(python, mode="eval").body, lookup)
            angle = value if isinstance(value, Parameter) else float(value)
        except ConversionError:
            raise
        except _NO_ANGLE as error:
            raise ConversionError(
                f"the angle {text.strip()!r} is no number and not linear in one parameter"
            ) from error
        return angle


_WORD = re.compile(r"pauli_[xyz]+")
_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*")
_NO_ANGLE = (SyntaxError, TypeError, KeyError, ValueError, ArithmeticError, RecursionError)


def _own(name: str) -> _Definition | None:
    """What is written here for a gate that the standard lacks."""
    if name not in _DEFINED and not _WORD.fullmatch(name):
        return None
    match = _GATE.fullmatch(_definition(name))
    assert match is not None
    return _Definition.of(*match.groups()[1:])


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _brackets(text: str) -> tuple[str, str]:
    """What stands between the brackets at the start, if there are any, and what follows them."""
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth <= 0:
            return (text[1:at], text[at + 1 :].strip()) if at else ("", text)
    raise ConversionError(f"a bracket stays open in {text!r}")


def _split(text: str) -> list[str]:
    """The arguments between commas that no bracket encloses."""
    parts = re.split(r",(?![^()]*\))", text)
    return [part for part in parts if part.strip()]


def _broadcast(places: Sequence[tuple[int, ...]], statement: str) -> list[tuple[int, ...]]:
    """Whole registers stand for one call per element; single qubits are repeated."""
    length = max(map(len, places))
    if any(len(place) not in (1, length) for place in places):
        raise ConversionError(f"registers of different sizes in {statement!r}")
    rows = [place * length if len(place) == 1 else place for place in places]
    return list(zip(*rows, strict=True))


def _modify(
    instructions: list[Instruction], modifiers: Sequence[tuple[str, int]], controls: tuple[int, ...]
) -> list[Instruction]:
    """Modifiers apply from the innermost outwards; the outermost control comes first."""
    for kind, count in reversed(modifiers):
        if kind == "inv":
            instructions = [i.inverse() for i in reversed(instructions)]
        for _ in range(count if kind == "ctrl" else 0):
            *rest, control = controls
            controls = tuple(rest)
            instructions = [_controlled(i, control) for i in instructions]
    return instructions


def _controlled(instruction: Instruction, control: int) -> Instruction:
    qubits = (control, *instruction.qubits)
    if instruction.gate in ("cp", "mcp"):
        return Instruction("mcp", qubits, instruction.angles)
    name = _CONTROLLED.get(instruction.gate)
    if name is None:
        raise ConversionError(f"there is no controlled {instruction.gate} in the gate set")
    return replace(instruction, gate=name, qubits=qubits)


_CONSTANTS: dict[str, float] = {
    "pi": pi, "π": pi, "tau": 2 * pi, "τ": 2 * pi, "euler": math.e, "ℇ": math.e,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    name: getattr(math, name)
    for name in ("sin", "cos", "tan", "exp", "log", "sqrt")
} | {"arcsin": math.asin, "arccos": math.acos, "arctan": math.atan, "ln": math.log}  # fmt: skip
_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: operator.pow, ast.USub: operator.neg, ast.UAdd: lambda v: v,
}  # fmt: skip


def _evaluate(tree: ast.expr, lookup: Callable[[str], Angle]) -> Angle:
    """The value of an angle expression; `TypeError` for more than numbers and linear terms."""
    if isinstance(tree, ast.Constant) and isinstance(tree.value, (int, float)):
        return float(tree.value)
    if isinstance(tree, ast.Name):
        return lookup(tree.id[1:])
    if isinstance(tree, ast.UnaryOp):
        return _OPERATORS[type(tree.op)](_evaluate(tree.operand, lookup))
    if isinstance(tree, ast.BinOp):
        left, right = _evaluate(tree.left, lookup), _evaluate(tree.right, lookup)
        if isinstance(tree.op, ast.Sub) and isinstance(right, Parameter):
            return _OPERATORS[ast.Add](-right, left)
        return _OPERATORS[type(tree.op)](left, right)
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and len(tree.args) == 1:
        value = _evaluate(tree.args[0], lookup)
        if isinstance(value, Parameter):
            raise TypeError("a function of a parameter is not linear")
        return _FUNCTIONS[tree.func.id[1:]](value)
    raise TypeError(f"not an angle: {ast.dump(tree)}")
