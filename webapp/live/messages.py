"""What a record means to a page: fragments, typed extras, or a binary frame.

A message is built once per record and process, and its pieces are kept as JSON text, so that a
socket that flushes several messages only joins strings. The poll fallback answers with the same
messages.
"""

from __future__ import annotations

import base64
import functools
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID

import redis
from django.utils import timezone

from webapp.live import events, fragments, frames, streams
from webapp.live.events import Gap, LogLine, Record, StatusChanged
from webapp.live.fragments import Fragment
from webapp.models import FINISHED, Job

Entry: TypeAlias = tuple[bytes, dict[bytes, bytes]]
RECENT = 300
GONE = StatusChanged(status="deleted")
LAST_WORDS = timedelta(seconds=3)
"""How long after a job's end the last of what it said is waited for."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Message:
    """One record, ready to send: either JSON pieces or bytes.

    A newer message of the same slot replaces an older one that was not sent yet; messages without
    a slot each count. Compared and hashed by identity.
    """

    id: str
    kind: str
    slot: str | None = None
    fragments: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    binary: bytes | None = None


class JobPage:
    """Builds the messages of one job's page; keeps the row that they were rendered from."""

    def __init__(self, job_id: UUID | str) -> None:
        self._job_id = job_id
        self._job: Job | None = None
        self._recent: OrderedDict[str, Message] = OrderedDict()

    def build(self, entries: Sequence[Entry]) -> list[Message]:
        """The messages of the entries that still say something.

        Skipped are those that a later one of the batch replaces, what an attempt says that was
        given up, and pictures of a fold that has ended. Reads the database.
        """
        records = records_of(entries)
        # Written late, neither the words of an earlier attempt nor a status after the end may hide
        # what replaced them.
        in_order = sorted(records, key=lambda record: (record.attempt, _tells_the_end(record)))
        last = {slot: record.id for record in in_order if (slot := _slot(record))}
        current = [r for r in records if (slot := _slot(r)) is None or last[slot] == r.id]
        built = (self._message(record) for record in current)
        return [message for message in built if message is not None]

    def snapshot(self, since: str) -> list[Message]:
        """Where the row stands now, as if it had been said at `since`."""
        return [self._read_row(since)]

    @property
    def ended_just_now(self) -> bool:
        """Whether the last words of the row that was read may still be on their way."""
        finished_at = self._job.finished_at if self._job else None
        return finished_at is not None and timedelta() <= timezone.now() - finished_at < LAST_WORDS

    def _message(self, record: Record) -> Message | None:
        event = record.event
        if isinstance(event, StatusChanged):
            return self._status(record)
        if self._job is None or record.attempt > self._job.attempt:
            self._job = Job.objects.filter(pk=self._job_id).first()
        if self._job is None or not (isinstance(event, LogLine) or self._is_current(record)):
            return None
        return self._recent.get(record.id) or self._remembered(_shown(self._job, record))

    def _remembered(self, message: Message) -> Message:
        """Messages of which each counts are kept, for the next socket that looks back."""
        if message.slot is None:
            self._recent[message.id] = message
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        return message

    def _is_current(self, record: Record) -> bool:
        job = self._job
        return job is not None and record.attempt == job.attempt and not job.is_finished

    def _status(self, record: Record) -> Message | None:
        """The row as it is now; its end only with the record of it, which the last lines precede.

        The row ends before they are written: an older status, read then, must not tell it.
        """
        message = self._read_row(record.id)
        return None if message.kind == "ended" and not _tells_the_end(record) else message

    def _read_row(self, entry_id: str) -> Message:
        self._job = Job.objects.filter(pk=self._job_id).first()
        if self._job is None:
            return Message(
                id=entry_id, kind="gone", slot="status", events=(text(events.data(GONE)),)
            )
        event = StatusChanged(
            status=self._job.status, stage=self._job.stage, percent=self._job.percent
        )
        return Message(
            id=entry_id,
            kind="ended" if self._job.is_finished else "status",
            slot="status",
            fragments=packed(fragments.status(self._job)),
            events=(text(events.data(event)),),
        )


def _shown(job: Job, record: Record) -> Message:
    event = record.event
    if frames.is_binary(record):
        binary = frames.pack(record)
        return Message(id=record.id, kind=event.kind, slot=_slot(record), binary=binary)
    return Message(
        id=record.id,
        kind=event.kind,
        slot=_slot(record),
        fragments=packed(fragments.render(job, event)),
        events=(text(events.data(event)),),
    )


@functools.lru_cache(maxsize=64)
def text_frame(messages: tuple[Message, ...]) -> str:
    """Several messages as one text frame; sockets that flush the same ones share the string."""
    last_id = max((m.id for m in messages if m.id), key=frames.stream_id, default="")
    parts = ",".join(part for message in messages for part in message.fragments)
    extras = ",".join(extra for message in messages for extra in message.events)
    return f'{{"id":"{last_id}","fragments":[{parts}],"data":{{"events":[{extras}]}}}}'


def gap(job_id: UUID | str, *, dropped: int) -> Message:
    """The mark where log lines did not fit into a slow socket's mailbox."""
    event, job = Gap(dropped=dropped), Job.objects.filter(pk=job_id).first()
    parts = packed(fragments.render(job, event)) if job else ()
    return Message(id="", kind=event.kind, fragments=parts, events=(text(events.data(event)),))


def poll(job: Job, since: str) -> dict[str, Any]:
    """What a socket that connects now with `since` would receive: the row, then the log.

    Text frames as objects, binary frames in base64, and the id to ask with next time. Without Redis
    the row alone has to do. The end comes last, and not before its record stands in the stream.
    """
    page, since = JobPage(job.pk), valid_id(since)
    row = page.snapshot(since)
    waits, log = page.ended_just_now, page.build(_stored(job, since))
    if row[0].kind != "ended":
        built = [*row, *log]
    elif any(message.kind == "ended" for message in log) or waits:
        built = log
    else:
        built = [*log, *row]
    texts = [json.loads(text_frame((message,))) for message in built if message.binary is None]
    binaries = [message.binary for message in built if message.binary is not None]
    return {
        "messages": texts,
        "frames": [base64.b64encode(binary).decode() for binary in binaries],
        "last": max((since, *(message.id for message in built)), key=frames.stream_id),
    }


def _stored(job: Job, since: str) -> list[Entry]:
    try:
        with streams.connect() as client:
            entries: Any = client.xrange(streams.of_job(job.pk), min=after(since))
    except redis.RedisError:
        return []
    return list(entries)


def after(since: str) -> str:
    """The lower end of an XRANGE that begins after this id."""
    return f"({since}" if since != "0" else "-"


def valid_id(text: str) -> str:
    """A stream id as a page sent it, or "0" if it is none."""
    milliseconds, _, sequence = text.partition("-")
    is_id = milliseconds.isdecimal() and (sequence or "0").isdecimal() and len(text) <= 40
    return text if is_id and text.isascii() else "0"


def records_of(entries: Iterable[Entry]) -> list[Record]:
    """The records in a stream's entries, without those that this version does not know."""
    known = (e for e in entries if e[1] and e[1].get(b"kind", b"").decode() in events.KINDS)
    return [events.from_fields(entry_id, fields) for entry_id, fields in known]


def _tells_the_end(record: Record) -> bool:
    """Whether this is the last thing that a job says."""
    return isinstance(record.event, StatusChanged) and record.event.status in FINISHED


def _slot(record: Record) -> str | None:
    """Where newer messages replace older ones: a status says all there is to know about the row."""
    return "status" if isinstance(record.event, StatusChanged) else events.slot(record.event)


def packed(parts: Iterable[Fragment]) -> tuple[str, ...]:
    return tuple(text({"target": part.target, "html": part.html}) for part in parts)


def text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
