"""What can go wrong in `folding`, and whose turn it is to act.

Every class says its default message in its docstring. `transient` tells a worker whether the same
job can succeed when it is simply tried again.
"""


class FoldingError(Exception):
    """Folding failed."""

    transient: bool = False

    def __init__(self, message: str = "") -> None:
        super().__init__(message or type(self).__doc__ or "")


class InvalidInput(FoldingError, ValueError):
    """This input cannot be folded.

    The message is one or two sentences for the person who typed the input: the rule, what was
    found instead, the way out.

    Args:
        field: Where the problem sits, as a dotted path into the job: `"name"`, `"seeds"`,
            `"sequence"`, `"chains.1.msa"` (chains count from 0), or `""` for the job as a whole.
    """

    def __init__(self, message: str = "", *, field: str = "") -> None:
        super().__init__(message)
        self.field = field

    def inside(self, place: str) -> "InvalidInput":
        """The same problem as seen from outside: `field` gets `place` in front."""
        return InvalidInput(str(self), field=f"{place}.{self.field}" if self.field else place)


class MissingFile(InvalidInput):
    """The job names a file that is not there."""


class Cancelled(FoldingError):
    """The job was cancelled."""


class Paused(FoldingError):
    """The job was paused; what is done is kept."""


class WeightsError(FoldingError, ValueError):
    """The weights do not fit the network."""


class DownloadError(FoldingError):
    """The file could not be downloaded.

    Args:
        transient: Whether the same download can succeed when it is simply tried again.
        retry_after_seconds: How long the server asks to be left alone.
    """

    def __init__(
        self, message: str = "", *, transient: bool = False, retry_after_seconds: float = 0.0
    ) -> None:
        super().__init__(message)
        self.transient = transient
        self.retry_after_seconds = retry_after_seconds
