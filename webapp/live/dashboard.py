"""What hints mean to pages about many things: jobs, the machine panel, models.

A dashboard needs no look back: it is shown the rows as they are when it connects. Its messages
therefore carry no id, and a newer one about the same thing replaces an older one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from webapp import monitor, shelf
from webapp.live import fragments
from webapp.live.messages import Entry, Message, packed, text
from webapp.models import Job, Status

NEWEST = 50
READING = "reading"
QUEUE = "queue"
READY = Message(id="", kind="ready", events=(text({"kind": "ready"}),))
"""Says that the page is current from now on, where there is nothing else to say."""


class UserPage:
    """The rows of one person's jobs."""

    def __init__(self, user_id: Any) -> None:
        self._jobs = Job.objects.filter(owner_id=user_id)

    def build(self, entries: Sequence[Entry]) -> list[Message]:
        """The rows of the jobs that the hints name, each once, as they are now."""
        hints = (json.loads(fields[b"data"]) for _, fields in entries if b"data" in fields)
        changes = {hint["job"]: hint["change"] for hint in hints}
        jobs = {str(job.pk): job for job in self._jobs.filter(pk__in=changes)}
        return [
            _row(jobs[job_id], change) if job_id in jobs else _removed(job_id)
            for job_id, change in changes.items()
        ]

    def snapshot(self, since: str) -> list[Message]:
        """The rows of the newest jobs."""
        return [_row(job, "changed") for job in self._jobs[:NEWEST]]

    def queued(self) -> list[Message]:
        """The rows of the jobs that wait, whose place in the queue may have changed."""
        return [_row(job, "changed") for job in self._jobs.filter(status=Status.QUEUED)[:NEWEST]]


class MachinePage:
    """The machine panel."""

    def build(self, entries: Sequence[Entry]) -> list[Message]:
        """The panel, if a reading came, and a sign that the queue moved, if it did."""
        kinds = {fields.get(b"kind", b"").decode() for _, fields in entries}
        moved = [Message(id="", kind=QUEUE, slot=QUEUE)] if QUEUE in kinds else []
        return [*(self.snapshot("") if READING in kinds else []), *moved]

    def snapshot(self, since: str) -> list[Message]:
        """The panel as it is now."""
        panel = packed([fragments.machine(monitor.snapshot())])
        events = (text({"kind": "machine"}),)
        return [Message(id="", kind="machine", slot="machine", fragments=panel, events=events)]


class WeightsPage:
    """The models, and how far their downloads are."""

    def build(self, entries: Sequence[Entry]) -> list[Message]:
        """The models that the hints name, each once, as they are now."""
        hints = (json.loads(fields[b"data"]) for _, fields in entries if b"data" in fields)
        names = dict.fromkeys(hint["name"] for hint in hints)
        return [self._message(name) for name in names if shelf.known(name)]

    def snapshot(self, since: str) -> list[Message]:
        """All models whose download was ever asked for."""
        return [self._message(name) for name in shelf.asked_for()]

    def _message(self, name: str) -> Message:
        parts = packed([fragments.model(shelf.item(name))])
        events = (text({"kind": "weights", "name": name}),)
        slot = f"weights-{name}"
        return Message(id="", kind="weights", slot=slot, fragments=parts, events=events)


def _row(job: Job, change: str) -> Message:
    extra = {"kind": "job", "job": str(job.pk), "change": change, "status": job.status}
    return _message(job.pk, fragments.row(job), extra)


def _removed(job_id: UUID | str) -> Message:
    extra = {"kind": "job", "job": str(job_id), "change": "deleted", "status": "deleted"}
    return _message(job_id, fragments.removed(job_id), extra)


def _message(job_id: UUID | str, part: fragments.Fragment, extra: dict[str, str]) -> Message:
    parts, events = packed([part]), (text(extra),)
    return Message(id="", kind="job", slot=f"job-{job_id}", fragments=parts, events=events)
