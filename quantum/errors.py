"""Every error that this package raises on purpose.

A message is the rule, the offending value and a way out.
"""

from typing import ClassVar


class QuantumError(Exception):
    """The quantum engine could not do what was asked."""

    transient: ClassVar[bool] = False  # True where the same call may succeed later

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class InvalidCircuit(QuantumError, ValueError):
    """The circuit breaks a rule of the gate set."""


class InvalidObservable(QuantumError, ValueError):
    """The observable is not a Hermitian Pauli sum on the circuit's qubits."""


class InvalidValues(QuantumError, ValueError):
    """The numbers do not fit the parameters they are meant for."""


class ConversionError(QuantumError, ValueError):
    """The circuit has no counterpart in the other language."""
