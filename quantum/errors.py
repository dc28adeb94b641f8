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


class Cancelled(QuantumError):
    """Somebody asked for the work to stop."""


class BackendError(QuantumError):
    """The backend could not do what was asked."""

    retry_after_seconds: float | None = None  # the pause that the provider asks for
    was_refused: bool = False  # True where the provider answered that it did not take the request


class NotConfigured(BackendError):
    """The backend needs credentials or a package that this machine does not have."""


class Unauthorized(BackendError):
    """The provider refuses the credentials: check the token in the environment."""


class Unavailable(BackendError):
    """The backend does not answer: try again later, or choose another one."""

    transient = True


class RateLimited(Unavailable):
    """The provider asks for fewer requests: try again later."""


class BadAnswer(BackendError):
    """The provider's answer makes no sense: the job is kept, try to read it again later."""

    transient = True


class JobNotFound(BackendError):
    """The provider knows no such job: it was deleted, or belongs to another account."""


class JobFailed(BackendError):
    """The provider could not run the job."""


class DeadlinePassed(BackendError, TimeoutError):
    """The time for this job is over: its handle is kept, and the result can be fetched later."""

    transient = True


class DoesNotFit(BackendError, ValueError):
    """The batch asks for more than the backend has."""


class BudgetExceeded(BackendError):
    """The job would cost more than may be spent."""


class NotFound(QuantumError, LookupError):
    """There is nothing of that name in the store."""


class Damaged(QuantumError):
    """What the store holds is not what was written: restore it, or delete it."""


class TrainingDiverged(QuantumError):
    """The loss is no number any more: try a lower learning rate."""


class WorkerLost(QuantumError):
    """A process that shared the work is gone: start again, the last checkpoint is kept."""

    transient = True
