"""Our circuits and observables as Qiskit's, and back. Qiskit is imported where it is used.

Qubit i is qubit i on both sides, but Qiskit writes qubit 0 last in every bit string and Pauli word:
`reverse_bits` is the one place where that is turned round.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from quantum.circuit import Angle, Circuit, Instruction, Parameter
from quantum.decomposition import decompose
from quantum.errors import ConversionError
from quantum.observable import PauliSum

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction, ParameterExpression
    from qiskit.quantum_info import SparsePauliOp

# Our name → Qiskit's class; whatever else we have is spelled in these.
_CLASSES = {
    "id": "IGate", "x": "XGate", "y": "YGate", "z": "ZGate", "h": "HGate", "s": "SGate",
    "sdg": "SdgGate", "t": "TGate", "tdg": "TdgGate", "sx": "SXGate", "sxdg": "SXdgGate",
    "rx": "RXGate", "ry": "RYGate", "rz": "RZGate", "p": "PhaseGate", "u": "UGate",
    "cx": "CXGate", "cy": "CYGate", "cz": "CZGate", "ch": "CHGate", "swap": "SwapGate",
    "iswap": "iSwapGate", "crx": "CRXGate", "cry": "CRYGate", "crz": "CRZGate", "cp": "CPhaseGate",
    "rxx": "RXXGate", "ryy": "RYYGate", "rzz": "RZZGate", "xy": "XXPlusYYGate", "ccx": "CCXGate",
    "ccz": "CCZGate", "cswap": "CSwapGate",
}  # fmt: skip
_OWN_NAMES = {"xx_plus_yy": "xy"}  # Qiskit's instruction name → ours, where they differ
_SILENT = frozenset({"barrier", "measure", "delay"})


def reverse_bits(text: str) -> str:
    """A bit string or Pauli word of Qiskit's in our order, and the other way round."""
    return text[::-1]


def counts_from_qiskit(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts keyed by bit strings with qubit 0 first."""
    return {reverse_bits(bits): int(count) for bits, count in counts.items()}


def to_qiskit(circuit: Circuit, *, measure: bool = False) -> "QuantumCircuit":
    """The circuit as Qiskit's; with `measure`, every qubit i goes to bit i of register `meas`."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter as QiskitParameter
    from qiskit.circuit import library

    symbols = {name: QiskitParameter(name) for name in (*circuit.weights, *circuit.inputs)}

    def number(angle: Angle) -> "float | ParameterExpression":
        if isinstance(angle, Parameter):
            return angle.scale * symbols[angle.name] + angle.offset
        return angle

    converted = QuantumCircuit(circuit.n_qubits)
    for instruction in decompose(circuit, (*_CLASSES, "mcp")).instructions:
        angles = [number(angle) for angle in instruction.angles]
        if instruction.gate == "mcp":
            gate = library.MCPhaseGate(angles[0], len(instruction.qubits) - 1)
        else:
            gate = getattr(library, _CLASSES[instruction.gate])(*angles)
        converted.append(gate, instruction.qubits)
    if measure:
        converted.measure_all()
    return converted


def from_qiskit(program: "QuantumCircuit", *, inputs: Collection[str] = ()) -> Circuit:
    """Qiskit's circuit as ours, up to a global phase. Final measurements and barriers are dropped.

    Args:
        inputs: names of the parameters that are inputs; all others are weights. An element
            "x[0]" of a vector is called "x_0" here.

    Raises:
        ConversionError: for resets, conditions, mid-circuit measurements, and angles that are not
            linear in one parameter.
    """
    names = frozenset(inputs)
    circuit = Circuit(program.num_qubits)
    measured: set[int] = set()
    for item in program.data:
        qubits = tuple(program.find_bit(q).index for q in item.qubits)
        if item.operation.name == "measure":
            measured.update(qubits)
        elif measured.intersection(qubits) and item.operation.name not in _SILENT:
            raise ConversionError("a gate follows a measurement: measure at the end only")
        circuit = circuit.append(*_from_item(item, qubits, names))
    return circuit


def _from_item(
    item: "CircuitInstruction", qubits: tuple[int, ...], inputs: Collection[str]
) -> list[Instruction]:
    operation = item.operation
    if operation.name in _SILENT:
        return []
    angles = tuple(_angle(value, inputs) for value in operation.params if _is_angle(value))
    name = _own_name(operation.name)
    if name == "xy" and angles[1] == 0.0:
        return [Instruction("xy", qubits, angles[:1])]
    if name == "mcphase":
        return [Instruction("mcp", qubits, angles)]
    if name in _CLASSES and name != "xy":
        return [Instruction(name, qubits, angles)]
    if operation.definition is None:
        raise ConversionError(f"{operation.name} is not a gate of ours and has no definition")
    inner = from_qiskit(operation.definition, inputs=inputs)
    n_qubits = 1 + max(qubits, default=0)
    return list(inner.on(n_qubits, qubits).instructions)


def _own_name(name: str) -> str:
    return _OWN_NAMES.get(name, name)


def _is_angle(value: object) -> bool:
    return isinstance(value, (int, float)) or hasattr(value, "parameters")


def _angle(value: Any, inputs: Collection[str]) -> Angle:
    free = getattr(value, "parameters", ())
    if not free:
        return float(value)
    if len(free) > 1:
        raise ConversionError(f"the angle {value} has several parameters; bind all but one")
    (symbol,) = free
    slope = value.gradient(symbol)
    if getattr(slope, "parameters", ()):
        raise ConversionError(f"the angle {value} is not linear in {symbol}")
    name = symbol.name.replace("[", "_").replace("]", "")
    offset = float(value.bind({symbol: 0.0}))
    return Parameter(name, float(slope), offset, name in inputs)


def to_sparse_pauli(observable: PauliSum, n_qubits: int) -> "SparsePauliOp":
    """The observable as Qiskit's, on a register of `n_qubits`."""
    from qiskit.quantum_info import SparsePauliOp

    words = observable.to_words(n_qubits) or {"I" * n_qubits: 0.0}
    return SparsePauliOp.from_list([(reverse_bits(word), value) for word, value in words.items()])


def from_sparse_pauli(operator: "SparsePauliOp") -> PauliSum:
    """Qiskit's operator as ours."""
    pairs = operator.to_list()
    return sum(
        (PauliSum.from_words({reverse_bits(word): value}) for word, value in pairs), PauliSum()
    )
