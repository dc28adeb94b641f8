"""Verbs on backends and on the registry: a page asks, a worker does, the pages hear of it.

Anybody may have the backends read; testing a connection, promoting and rolling back are for whoever
runs this server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from quantum.backends.names import NAMES
from webapp import queue
from webapp.live import publisher
from webapp.models import BackendReading

STAGES = {
    "draft": "Draft",
    "staging": "Staging",
    "production": "Production",
    "archived": "Archived",
}
FRESH = timedelta(minutes=5)
PATIENCE = timedelta(minutes=3)  # from the question whether a backend answers
_NO_ANSWER = "The Lab's worker did not answer in time: see that it runs, then try again."


def readings() -> list[BackendReading]:
    """Every backend as it was read last; one that never was has nothing but its name.

    A test that nobody answered in time, since its worker is gone, counts as failed.
    """
    known = {reading.name: reading for reading in BackendReading.objects.all()}
    for reading in known.values():
        asked = reading.tested_at if reading.test_status == "asked" else None
        if asked is not None and asked < now() - PATIENCE:
            reading.test_status, reading.test_message = "failed", _NO_ANSWER
    return [known.get(name) or BackendReading(name=name) for name in NAMES]


def refresh_if_old() -> bool:
    """Has the backends read again if that was long ago; whether it was."""
    oldest = BackendReading.objects.order_by("read_at").first()
    n_fresh = BackendReading.objects.filter(read_at__gt=timezone.now() - FRESH).count()
    if oldest is not None and n_fresh >= len(NAMES):
        return False
    queue.send_lab_chore("read")
    return True


def ask_test(name: str) -> None:
    """Has the connection to a backend tested; the answer comes to the Backends page."""
    BackendReading.objects.update_or_create(
        name=name, defaults={"test_status": "asked", "test_message": "", "tested_at": now()}
    )
    publisher.lab_changed("backends")
    if not queue.send_lab_chore("test", name):
        note_test(name, passed=False, message="The broker takes no task now: try again soon.")


def ask_promotion(name: str, version: int, stage: str, *, by: str) -> None:
    """Has a version moved to a stage."""
    queue.send_lab_chore("promote", name, version, stage, by)


def ask_rollback(name: str, *, by: str) -> None:
    """Has the version put into production again that was there before."""
    queue.send_lab_chore("roll_back", name, by)


def now() -> Any:
    return timezone.now()


# The worker's part ------------------------------------------------------------------------------


def note_readings(found: Iterable[Mapping[str, Any]]) -> None:
    """Writes down what the backends said of themselves."""
    for one in found:
        fields = {name: value for name, value in one.items() if name != "name"}
        fields |= {"read_at": now(), **({"seen_at": now()} if one["online"] else {})}
        BackendReading.objects.update_or_create(name=one["name"], defaults=fields)
    publisher.lab_changed("backends")


def note_test(name: str, *, passed: bool, message: str) -> None:
    """Writes down how a test ended."""
    fields = {
        "test_status": "passed" if passed else "failed",
        "test_message": message,
        "tested_at": now(),
        **({"seen_at": now()} if passed else {}),
    }
    BackendReading.objects.update_or_create(name=name, defaults=fields)
    publisher.lab_changed("backends")
