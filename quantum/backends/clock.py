"""The time of day, as records write it."""

from datetime import UTC, datetime


def now() -> str:
    """The present in UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
