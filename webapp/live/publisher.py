"""Publishing that never blocks or fails its caller: a backlog and one thread per process.

While Redis is away, events whose every single one counts (log lines, samples, status) wait in the
backlog; of the others (percent, coordinates, contact maps) only the newest waits. The same rule
keeps the streams short: a newer event deletes the one that it replaces.

A batch whose answer never came may or may not have been written. Each entry therefore carries a
`key`, and after a failure the thread first reads the tail of the streams and drops what already
stands there.
"""

from __future__ import annotations

import functools
import itertools
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import redis

from webapp.live import events, streams

logger = logging.getLogger(__name__)
BATCH = 200
BACKLOG_LIMIT = 20_000
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
KNOWN_STREAMS = 500


@dataclass(frozen=True, kw_only=True)
class Item:
    """One entry to write. A newer item of the same stream and slot replaces an older one."""

    stream: str
    fields: dict[str, str | bytes]
    slot: str | None = None
    max_entries: int = streams.MAX_ENTRIES
    lifetime_seconds: int = streams.JOB_LIFETIME_SECONDS


@dataclass
class Written:
    """What this process has written into one stream."""

    last_id: str = ""
    by_slot: dict[str, str] = field(default_factory=dict)


class Publisher:
    """A backlog, and the thread that empties it into Redis."""

    def __init__(self, connect: Callable[[], redis.Redis] = streams.connect) -> None:
        self._connect = connect
        self._io = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._client: redis.Redis | None = None
        self._writer = uuid4().hex[:12]
        self._numbers = itertools.count()
        self._change = threading.Condition()
        self._backlog: list[Item] = []
        self._sending = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self._written: dict[str, Written] = {}

    def close(self) -> None:
        """Ends the thread after what it is sending now; what waits is forgotten."""
        with self._change:
            self._closed = True
            self._change.notify_all()

    def hold(self) -> None:
        """Waits until the thread is between two conversations with Redis, and keeps it there."""
        self._io.acquire()

    def let_go(self) -> None:
        self._io.release()

    def begin_anew(self) -> None:
        """After a fork the thread and the connection belong to the parent."""
        self._io = threading.Lock()
        self._reset()

    def publish(self, item: Item) -> None:
        """Puts the item into the backlog and returns at once."""
        with self._change:
            if item.slot is not None:
                self._backlog = [old for old in self._backlog if not _replaces(item, old)]
            self._backlog.append(item)
            if len(self._backlog) > BACKLOG_LIMIT:
                del self._backlog[0]
            self._start_thread()
            self._change.notify_all()

    def flush(self, *, timeout_seconds: float) -> bool:
        """Waits until everything is written; whether that happened in time."""
        with self._change:
            return self._change.wait_for(
                lambda: not self._backlog and not self._sending, timeout=timeout_seconds
            )

    def last_id(self, stream: str) -> str:
        """The id of the newest entry that this process has written into the stream, or ""."""
        written = self._written.get(stream)
        return written.last_id if written else ""

    def _start_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while batch := self._take():
            keyed = [(f"{self._writer}-{next(self._numbers)}", item) for item in batch]
            self._deliver(keyed)
            with self._change:
                self._sending = 0
                self._change.notify_all()

    def _take(self) -> list[Item]:
        with self._change:
            self._change.wait_for(lambda: bool(self._backlog) or self._closed)
            if self._closed:
                return []
            batch, self._backlog = self._backlog[:BATCH], self._backlog[BATCH:]
            self._sending = len(batch)
            return batch

    def _deliver(self, keyed: list[tuple[str, Item]]) -> None:
        """Tries until the batch stands in Redis, each entry once."""
        pause, in_doubt = FIRST_PAUSE_SECONDS, False
        while not self._closed:
            try:
                with self._io:
                    if in_doubt:
                        keyed = self._without_written(keyed)
                    self._write(keyed)
                return
            except redis.RedisError as error:
                if pause == FIRST_PAUSE_SECONDS:
                    logger.warning("Redis does not take events, they wait: %s", error)
                in_doubt = True
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _redis(self) -> redis.Redis:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _write(self, keyed: list[tuple[str, Item]]) -> None:
        if not keyed:
            return
        pipeline = self._redis().pipeline(transaction=True)
        for key, item in keyed:
            pipeline.xadd(
                item.stream,
                {**item.fields, "key": key},  # type: ignore[dict-item]
                maxlen=item.max_entries,
                approximate=True,
            )
            pipeline.expire(item.stream, item.lifetime_seconds)
        answers = pipeline.execute()
        replaced = [
            self._note(item, answer.decode())
            for (_, item), answer in zip(keyed, answers[::2], strict=True)
        ]
        self._delete(old for old in replaced if old is not None)

    def _note(self, item: Item, entry_id: str) -> tuple[str, str] | None:
        """Remembers the id; (stream, id) of the entry that the new one replaces, if any."""
        written = self._written.setdefault(item.stream, Written())
        written.last_id = entry_id
        while len(self._written) > KNOWN_STREAMS:
            del self._written[next(iter(self._written))]
        if item.slot is None:
            return None
        old = written.by_slot.get(item.slot)
        written.by_slot[item.slot] = entry_id
        return (item.stream, old) if old else None

    def _delete(self, entries: Iterable[tuple[str, str]]) -> None:
        """Replaced entries only cost memory: a failure here is not worth a second try."""
        pipeline = self._redis().pipeline(transaction=False)
        for stream, entry_id in entries:
            pipeline.xdel(stream, entry_id)
        try:
            pipeline.execute()
        except redis.RedisError:
            logger.info("Replaced events stay in their stream")

    def _without_written(self, keyed: list[tuple[str, Item]]) -> list[tuple[str, Item]]:
        found: set[str] = set()
        for stream in {item.stream for _, item in keyed}:
            tail: Any = self._redis().xrevrange(stream, count=2 * BATCH)
            found |= {fields.get(b"key", b"").decode() for _, fields in tail}
        return [(key, item) for key, item in keyed if key not in found]


def _replaces(new: Item, old: Item) -> bool:
    return old.stream == new.stream and old.slot == new.slot


@functools.cache
def of_this_process() -> Publisher:
    """The publisher of this process, which survives forks and says its last words at the end."""
    publisher = Publisher()
    os.register_at_fork(
        before=publisher.hold,
        after_in_parent=publisher.let_go,
        after_in_child=publisher.begin_anew,
    )
    return publisher


def publish_item(item: Item) -> None:
    """Puts the item into the backlog of this process."""
    of_this_process().publish(item)


def publish(job_id: UUID | str, *, attempt: int, event: events.Event, last: bool = False) -> None:
    """Sends the event to the pages that show this job. `last`: the stream may go a day later."""
    publish_item(
        Item(
            stream=streams.of_job(job_id),
            fields=events.to_fields(event, attempt=attempt),
            slot=events.slot(event),
            lifetime_seconds=(
                streams.FINISHED_LIFETIME_SECONDS if last else streams.JOB_LIFETIME_SECONDS
            ),
        )
    )


def hint(user_id: Any, *, job_id: UUID | str, change: str) -> None:
    """Tells the user's dashboards to read the row again: "created", "changed" or "deleted"."""
    publish_item(
        Item(
            stream=streams.of_user(user_id),
            fields={"kind": "job", "data": json.dumps({"job": str(job_id), "change": change})},
            slot=f"{job_id}",
            max_entries=streams.MAX_HINTS,
            lifetime_seconds=streams.HINT_LIFETIME_SECONDS,
        )
    )


def queue_moved() -> None:
    """Tells all dashboards that jobs that wait may have another place in the queue now."""
    _machine_hint("queue")


def reading_taken() -> None:
    """Tells all dashboards that a worker has read its machine."""
    _machine_hint("reading")


def weights_changed(name: str) -> None:
    """Tells all Models pages to look at this model again."""
    publish_item(
        Item(
            stream=streams.WEIGHTS,
            fields={"kind": "weights", "data": json.dumps({"name": name})},
            slot=name,
            max_entries=streams.MAX_HINTS,
            lifetime_seconds=streams.HINT_LIFETIME_SECONDS,
        )
    )


def lab_run_changed(run_id: UUID | str, *, owner: Any, change: str) -> None:
    """Tells the pages that show this run of the Lab what to look at again."""
    hinted = {"kind": "lab", "data": json.dumps({"run": str(run_id), "change": change})}
    for stream in (streams.of_lab_run(run_id), streams.of_lab_user(owner)):
        publish_item(
            Item(
                stream=stream,
                fields=dict(hinted),
                slot=f"{run_id}-{change}",
                max_entries=streams.MAX_HINTS,
                lifetime_seconds=streams.HINT_LIFETIME_SECONDS,
            )
        )


def lab_changed(what: str) -> None:
    """Tells all pages of the Lab to look at the "backends" or the "registry" again."""
    publish_item(
        Item(
            stream=streams.LAB,
            fields={"kind": "lab", "data": json.dumps({"change": what})},
            slot=what,
            max_entries=streams.MAX_HINTS,
            lifetime_seconds=streams.HINT_LIFETIME_SECONDS,
        )
    )


def _machine_hint(kind: str) -> None:
    publish_item(
        Item(
            stream=streams.MACHINE,
            fields={"kind": kind},
            slot=kind,
            max_entries=streams.MAX_HINTS,
            lifetime_seconds=streams.HINT_LIFETIME_SECONDS,
        )
    )


def last_event(job_id: UUID | str) -> str:
    """The id of the newest event of the job that this process has written, or ""."""
    return of_this_process().last_id(streams.of_job(job_id))


def flush(*, timeout_seconds: float) -> bool:
    """Waits for the backlog of this process; whether it was emptied in time."""
    return of_this_process().flush(timeout_seconds=timeout_seconds)
