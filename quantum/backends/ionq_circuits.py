"""Our circuits and observables as Cirq's, and back. Cirq is imported where it is used.

Qubit i is `cirq.LineQubit(i)`, and both sides put qubit 0 first. Cirq counts angles in half turns.
"""

from collections.abc import Callable, Collection
from math import pi
from typing import TYPE_CHECKING, Any

from quantum.circuit import Angle, Circuit, Instruction, Parameter
from quantum.decomposition import decompose
from quantum.errors import ConversionError
from quantum.observable import PauliSum

if TYPE_CHECKING:
    import cirq


_WHOLE = frozenset({"sxdg", "iswap", "rxx", "ryy", "rzz", "xy", "ccz", "mcp"})


def to_cirq(circuit: Circuit, *, measure_key: str | None = None) -> "cirq.Circuit":
    """The circuit as Cirq's; with `measure_key`, all qubits are measured at the end."""
    import cirq

    qubits = cirq.LineQubit.range(circuit.n_qubits)
    table = _cirq_gates()
    operations = [
        _to_gate(table, instruction).on(*(qubits[q] for q in instruction.qubits))
        for instruction in decompose(circuit, _WHOLE).instructions
    ]
    idle = set(range(circuit.n_qubits)) - {
        q for instruction in circuit.instructions for q in instruction.qubits
    }
    operations += [cirq.I(qubits[q]) for q in sorted(idle)]  # keeps the register whole
    if measure_key is not None:
        operations.append(cirq.measure(*qubits, key=measure_key))
    return cirq.Circuit(operations)


def _to_gate(table: dict[str, Any], instruction: Instruction) -> "cirq.Gate":
    gate = table[instruction.gate]
    if instruction.gate == "mcp":
        return gate(_symbolic(instruction.angles[0]), len(instruction.qubits))
    return gate(*map(_symbolic, instruction.angles)) if instruction.angles else gate


def _symbolic(angle: Angle) -> Any:
    if isinstance(angle, Parameter):
        import sympy

        return angle.scale * sympy.Symbol(angle.name) + angle.offset
    return angle


def _cirq_gates() -> dict[str, Any]:
    """Our name → Cirq's gate, or a function of angles in radians."""
    import cirq

    def half_turns(kind: Callable[..., Any], shift: float, sign: float = 1.0) -> Callable[..., Any]:
        return lambda angle: kind(exponent=sign * angle / pi, global_shift=shift)

    def phase(angle: Any, n_qubits: int) -> Any:
        gate = cirq.ZPowGate(exponent=angle / pi)
        return gate.controlled(n_qubits - 1) if n_qubits > 1 else gate

    def controlled(gate: Callable[..., Any]) -> Callable[..., Any]:
        return lambda angle: gate(angle).controlled()

    return {
        "id": cirq.I, "x": cirq.X, "y": cirq.Y, "z": cirq.Z, "h": cirq.H, "s": cirq.S,
        "sdg": cirq.S**-1, "t": cirq.T, "tdg": cirq.T**-1, "sx": cirq.X**0.5, "sxdg": cirq.X**-0.5,
        "rx": cirq.rx, "ry": cirq.ry, "rz": cirq.rz, "p": half_turns(cirq.ZPowGate, 0.0),
        "cx": cirq.CNOT, "cy": cirq.Y.controlled(), "cz": cirq.CZ, "ch": cirq.H.controlled(),
        "swap": cirq.SWAP, "iswap": cirq.ISWAP, "crx": controlled(cirq.rx),
        "cry": controlled(cirq.ry), "crz": controlled(cirq.rz),
        "cp": half_turns(cirq.CZPowGate, 0.0), "rxx": half_turns(cirq.XXPowGate, -0.5),
        "ryy": half_turns(cirq.YYPowGate, -0.5), "rzz": half_turns(cirq.ZZPowGate, -0.5),
        "xy": half_turns(cirq.ISwapPowGate, 0.0, -1.0), "ccx": cirq.CCX, "ccz": cirq.CCZ,
        "cswap": cirq.CSWAP, "mcp": phase,
    }  # fmt: skip


def from_cirq(program: "cirq.Circuit", *, inputs: Collection[str] = ()) -> Circuit:
    """Cirq's circuit as ours, up to a global phase. Qubits are numbered in Cirq's order.

    Args:
        inputs: names of the symbols that are inputs; all others are weights.

    Raises:
        ConversionError: for gates without a counterpart or a decomposition into such, measurements
        before the
            end, and angles that are not linear in one symbol.
    """
    import cirq

    if not program.are_all_measurements_terminal():
        raise ConversionError("a gate follows a measurement: measure at the end only")
    order = {qubit: i for i, qubit in enumerate(sorted(program.all_qubits()))}
    circuit = Circuit(max(1, len(order)))
    for operation in program.all_operations():
        if cirq.is_measurement(operation) or isinstance(operation.gate, cirq.IdentityGate):
            continue
        for part in _known_parts(operation):
            qubits = tuple(order[q] for q in part.qubits)
            circuit = circuit.append(*_from_gate(part, qubits, frozenset(inputs)))
    return circuit


def _known_parts(operation: "cirq.Operation") -> "list[cirq.Operation]":
    import cirq

    def keep(part: "cirq.Operation") -> bool:
        return _find_rule(part) is not None or isinstance(part.gate, cirq.GlobalPhaseGate)

    def fail(part: object) -> Exception:
        return ConversionError(f"{part} is not a gate of ours and has no decomposition")

    parts = cirq.decompose(operation, keep=keep, on_stuck_raise=fail)
    return [part for part in parts if not isinstance(part.gate, cirq.GlobalPhaseGate)]


def _find_rule(operation: "cirq.Operation") -> tuple[str, float] | None:
    """Our rotation for a power gate of Cirq's, and radians per unit of its exponent."""
    import cirq

    rules: dict[type, tuple[str, float]] = {
        cirq.XPowGate: ("rx", pi), cirq.YPowGate: ("ry", pi), cirq.ZPowGate: ("rz", pi),
        cirq.XXPowGate: ("rxx", pi), cirq.YYPowGate: ("ryy", pi), cirq.ZZPowGate: ("rzz", pi),
        cirq.CZPowGate: ("cp", pi), cirq.ISwapPowGate: ("xy", -pi),
    }  # fmt: skip
    gate = operation.gate
    for kind, rule in rules.items():
        if isinstance(gate, kind):
            return rule
    if gate in (cirq.H, cirq.CNOT, cirq.SWAP, cirq.CCX, cirq.CCZ, cirq.CSWAP):
        return "", 0.0
    if isinstance(gate, cirq.ControlledGate):
        return _find_controlled_rule(gate)
    return None


def _find_controlled_rule(gate: "cirq.ControlledGate") -> tuple[str, float] | None:
    import cirq

    if gate.control_values != cirq.ProductOfSums([1] * gate.num_controls()):
        return None
    below = gate.sub_gate
    if isinstance(below, (cirq.ZPowGate, cirq.CZPowGate)) and below.global_shift == 0:
        return "mcp", pi
    turns = isinstance(below, (cirq.XPowGate, cirq.YPowGate, cirq.ZPowGate))
    return ("controlled", pi) if turns and gate.num_controls() == 1 else None


def _from_gate(
    operation: "cirq.Operation", qubits: tuple[int, ...], inputs: Collection[str]
) -> list[Instruction]:
    import cirq

    names = {
        cirq.H: "h", cirq.CNOT: "cx", cirq.SWAP: "swap", cirq.CCX: "ccx", cirq.CCZ: "ccz",
        cirq.CSWAP: "cswap",
    }  # fmt: skip
    gate: Any = operation.gate
    rule, unit = _find_rule(operation) or ("", 0.0)
    if not rule:
        return [Instruction(names[gate], qubits)]
    if rule == "controlled":
        return _controlled(gate.sub_gate, qubits, inputs)
    exponent = gate.sub_gate.exponent if rule == "mcp" else gate.exponent
    return [Instruction(rule, qubits, (_angle(exponent * unit, inputs),))]


def _controlled(below: Any, qubits: tuple[int, ...], inputs: Collection[str]) -> list[Instruction]:
    """A controlled power: the phase that a power carries becomes a phase of its control."""
    import cirq

    letter = {cirq.XPowGate: "x", cirq.YPowGate: "y", cirq.ZPowGate: "z"}
    name = next(f"cr{v}" for kind, v in letter.items() if isinstance(below, kind))
    angle = _angle(below.exponent * pi, inputs)
    shift = below.global_shift + 0.5
    phase = [Instruction("p", qubits[:1], (angle * shift,))] if shift else []
    return [*phase, Instruction(name, qubits, (angle,))]


def _angle(value: Any, inputs: Collection[str]) -> Angle:
    free = getattr(value, "free_symbols", ())
    if not free:
        return float(value)
    if len(free) > 1:
        raise ConversionError(f"the angle {value} has several symbols; resolve all but one")
    (symbol,) = free
    slope = value.diff(symbol)
    if slope.free_symbols:
        raise ConversionError(f"the angle {value} is not linear in {symbol}")
    offset = float(value.subs(symbol, 0))
    return Parameter(symbol.name, float(slope), offset, symbol.name in inputs)


def to_pauli_sum(observable: PauliSum) -> "cirq.PauliSum":
    """The observable as Cirq's."""
    import cirq

    letters = {"X": cirq.X, "Y": cirq.Y, "Z": cirq.Z}
    total = cirq.PauliSum()
    for word, coefficient in observable.terms:
        factors = {cirq.LineQubit(q): letters[letter] for q, letter in word}
        total += cirq.PauliString(factors, coefficient=coefficient)
    return total
