"""The gate set: one row per gate. What a row means as a matrix stands in `simulator/matrices.py`.

Angles are radians. A controlled gate names its controls first. Names follow OpenQASM 3's
`stdgates.inc` where it has one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Any, TypeAlias

from quantum.errors import InvalidCircuit

Angles: TypeAlias = tuple[Any, ...]  # numbers, or parameters that scale and shift like numbers

# A gate's expectation value is a trigonometric polynomial in each angle; its frequencies are the
# differences between the generator's eigenvalues (Wierichs et al. 2022, eq. 5).
PAULI = (1.0,)
CONTROLLED = (0.5, 1.0)
CONJUGATED = (1.0, 2.0)


def _same(angles: Angles) -> Angles:
    return angles


def _negated(angles: Angles) -> Angles:
    return tuple(-angle for angle in angles)


def _last_negated(angles: Angles) -> Angles:
    return (*angles[:-1], -angles[-1])


def _euler_inverse(angles: Angles) -> Angles:
    theta, phi, lam = angles
    return (-theta, -lam, -phi)


def _half_turn(angles: Angles) -> Angles:
    return (angles[0] + pi,)


def _full_exchange(_: Angles) -> Angles:
    return (pi,)


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate of the set.

    Args:
        n_qubits: how many qubits it acts on; 0 means any number.
        frequencies: per angle, the frequencies of an expectation value in that angle.
        inverse: name of the inverse gate, and `inverse_angles` its angles.
    """

    name: str
    n_qubits: int
    frequencies: tuple[tuple[float, ...], ...] = ()
    diagonal: bool = False
    inverse: str = ""
    inverse_angles: Callable[[Angles], Angles] = _negated

    @property
    def n_angles(self) -> int:
        return len(self.frequencies)


def _fixed(name: str, n_qubits: int, *, diagonal: bool = False, inverse: str = "") -> Gate:
    return Gate(name, n_qubits, (), diagonal, inverse or name, _same)


def _rotation(
    name: str, n_qubits: int, frequencies: tuple[float, ...] = PAULI, *, diagonal: bool = False
) -> Gate:
    return Gate(name, n_qubits, (frequencies,), diagonal, name, _negated)


_ROWS = (
    _fixed("id", 1, diagonal=True),
    _fixed("x", 1),
    _fixed("y", 1),
    _fixed("z", 1, diagonal=True),
    _fixed("h", 1),
    _fixed("s", 1, diagonal=True, inverse="sdg"),
    _fixed("sdg", 1, diagonal=True, inverse="s"),
    _fixed("t", 1, diagonal=True, inverse="tdg"),
    _fixed("tdg", 1, diagonal=True, inverse="t"),
    _fixed("sx", 1, inverse="sxdg"),
    _fixed("sxdg", 1, inverse="sx"),
    _rotation("rx", 1),
    _rotation("ry", 1),
    _rotation("rz", 1, diagonal=True),
    _rotation("p", 1, diagonal=True),
    Gate("u", 1, (PAULI, PAULI, PAULI), False, "u", _euler_inverse),
    Gate("gpi", 1, ((2.0,),), False, "gpi", _same),
    Gate("gpi2", 1, (CONJUGATED,), False, "gpi2", _half_turn),
    _fixed("cx", 2),
    _fixed("cy", 2),
    _fixed("cz", 2, diagonal=True),
    _fixed("ch", 2),
    _fixed("swap", 2),
    Gate("iswap", 2, (), False, "xy", _full_exchange),
    _rotation("crx", 2, CONTROLLED),
    _rotation("cry", 2, CONTROLLED),
    _rotation("crz", 2, CONTROLLED, diagonal=True),
    _rotation("cp", 2, diagonal=True),
    _rotation("rxx", 2),
    _rotation("ryy", 2),
    _rotation("rzz", 2, diagonal=True),
    _rotation("xy", 2, CONTROLLED),
    Gate("ms", 2, (CONJUGATED, CONJUGATED, PAULI), False, "ms", _last_negated),
    _fixed("ccx", 3),
    _fixed("ccz", 3, diagonal=True),
    _fixed("cswap", 3),
    _rotation("mcp", 0, diagonal=True),
    _rotation("pauli", 0),
)

GATES: dict[str, Gate] = {gate.name: gate for gate in _ROWS}


def find_gate(name: str) -> Gate:
    """The gate called `name`; raises `InvalidCircuit` where there is none."""
    try:
        return GATES[name]
    except KeyError:
        known = ", ".join(GATES)
        raise InvalidCircuit(f"there is no gate {name!r}; the gate set is: {known}") from None
