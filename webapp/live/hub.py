"""One reader of Redis Streams per process, and the fan-out to the sockets of this process.

A feed is one stream with the mailboxes that want it. A single XREAD waits for all feeds at once; an
entry in the hub's own control stream ends it when a feed has come, and it is issued again. When
Redis was away, every feed goes on after the last id it has seen and shows the row afresh.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol
from uuid import uuid4
from weakref import WeakKeyDictionary

import redis
from channels.db import database_sync_to_async
from django.conf import settings
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from webapp.live.frames import stream_id
from webapp.live.mailbox import Mailbox
from webapp.live.messages import Entry, Message, after

logger = logging.getLogger(__name__)
BLOCK_SECONDS = 5
ANSWER_SECONDS = 3
READ_AT_ONCE = 500
CONTROL_LIFETIME_SECONDS = 60
CANCEL_SECONDS = 0.05
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


class Page(Protocol):
    """Builds the messages of one stream. Both methods run in a thread and may read the database."""

    def build(self, entries: Sequence[Entry]) -> list[Message]: ...

    def snapshot(self, since: str) -> list[Message]: ...


class Feed:
    """One stream, how far it was read, and who listens."""

    def __init__(self, stream: str, page: Page) -> None:
        self.stream = stream
        self.page = page
        self.mailboxes: set[Mailbox] = set()
        self.last_id = ""
        self._building = asyncio.Lock()

    async def state(self, since: str) -> list[Message]:
        """What the row says now."""
        async with self._building:
            return await _in_thread(self.page.snapshot, since)

    async def messages(self, entries: Sequence[Entry]) -> list[Message]:
        """The messages of the entries, in order."""
        async with self._building:
            return await _in_thread(self.page.build, entries)

    def put(self, messages: Sequence[Message]) -> None:
        for mailbox in self.mailboxes:
            for message in messages:
                mailbox.put(message)


class Hub:
    """All feeds of one event loop, and the one task that reads them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._feeds: dict[str, Feed] = {}
        self._reader: asyncio.Task[None] | None = None
        self._control = f"hub:{{{uuid4()}}}"
        self._control_id = "0-0"
        self._commands: Redis | None = None

    def enter(self, stream: str, page: Page, mailbox: Mailbox) -> Feed:
        """The feed of the stream, with this mailbox among its listeners.

        `page` builds the messages if nobody listened to this stream before.
        """
        feed = self._feeds.setdefault(stream, Feed(stream, page))
        feed.mailboxes.add(mailbox)
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_while_needed(), name="hub")
        return feed

    async def leave(self, feed: Feed, mailbox: Mailbox) -> None:
        """Takes the mailbox out; an unheard feed goes, and after the last one the reader."""
        feed.mailboxes.discard(mailbox)
        if not feed.mailboxes and self._feeds.get(feed.stream) is feed:
            del self._feeds[feed.stream]
        if not self._feeds:
            await self.close()

    async def close(self) -> None:
        """Ends the reader and closes all connections, even if the caller is cancelled meanwhile."""
        reader, self._reader = self._reader, None
        commands, self._commands = self._commands, None

        async def let_go() -> None:
            if reader is not None:
                await cancel(reader)
            if commands is not None:
                await commands.aclose(close_connection_pool=True)

        await to_the_end(let_go)

    async def catch_up(self, feed: Feed, mailbox: Mailbox, *, since: str) -> None:
        """Fills the mailbox with what the stream holds after `since`, and opens it to what follows.

        Args:
            since: A stream id, "0" for the beginning, or "$" for no look back.

        Raises:
            redis.RedisError: Redis does not answer now.
        """
        end = await self._end_of(feed.stream)
        if not feed.last_id:
            feed.last_id = end
            await self._wake_reader()
        entries = [] if since == "$" else await self._look_back(feed.stream, since, end=end)
        mailbox.begin(await feed.messages(entries) if entries else [])

    async def _end_of(self, stream: str) -> str:
        newest: Any = await self._client().xrevrange(stream, count=1)
        return newest[0][0].decode() if newest else "0-0"

    async def _look_back(self, stream: str, since: str, *, end: str) -> list[Entry]:
        """The entries after `since`; all of them if the stream began anew since then."""
        start = "-" if stream_id(since) > stream_id(end) else after(since)
        entries: Any = await self._client().xrange(stream, start)
        return list(entries)

    async def _wake_reader(self) -> None:
        await self._client().xadd(self._control, {"wake": "1"}, maxlen=1, approximate=False)
        await self._client().expire(self._control, CONTROL_LIFETIME_SECONDS)

    def _client(self) -> Redis:
        if self._commands is None:
            self._commands = _connect(self._url, timeout_seconds=ANSWER_SECONDS, connections=8)
        return self._commands

    async def _read_while_needed(self) -> None:
        patient = BLOCK_SECONDS + ANSWER_SECONDS
        client = _connect(self._url, timeout_seconds=patient, connections=1)
        try:
            await self._read(client)
        finally:
            await to_the_end(lambda: client.aclose(close_connection_pool=True))

    async def _read(self, client: Redis) -> None:
        pause, was_away = FIRST_PAUSE_SECONDS, False
        while True:
            try:
                answer = await self._next(client)
            except (redis.RedisError, OSError) as error:
                if not was_away:
                    logger.warning("Redis is away, pages follow the rows meanwhile: %s", error)
                was_away = True
                await self._show_rows()
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            await asyncio.gather(*(self._deliver(stream, entries) for stream, entries in answer))
            if was_away:
                pause, was_away = FIRST_PAUSE_SECONDS, False
                await self._show_rows()

    async def _next(self, client: Redis) -> list[tuple[str, list[Entry]]]:
        ends = {feed.stream: feed.last_id for feed in self._feeds.values() if feed.last_id}
        answer: Any = await client.xread(
            {self._control: self._control_id, **ends},  # type: ignore[dict-item]
            block=BLOCK_SECONDS * 1000,
            count=READ_AT_ONCE,
        )
        return [(stream.decode(), entries) for stream, entries in answer or []]

    async def _deliver(self, stream: str, entries: list[Entry]) -> None:
        newest = entries[-1][0].decode()
        if stream == self._control:
            self._control_id = newest
            return
        feed = self._feeds.get(stream)
        if feed is not None:
            feed.last_id = newest
            with _reported(stream):
                feed.put(await feed.messages(entries))

    async def _show_rows(self) -> None:
        for feed in list(self._feeds.values()):
            with _reported(feed.stream):
                feed.put(await feed.state(""))


async def cancel(task: asyncio.Task[None]) -> None:
    """Returns when the task has ended, for which it is asked more than once.

    redis-py loses a cancellation that comes while it connects.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_SECONDS)


async def to_the_end(action: Callable[[], Awaitable[None]]) -> None:
    """Awaits the action, again where a cancellation cut it short; then passes that one on.

    A socket's task is cancelled twice where its browser goes while the job ends, or the server
    stops: what it had begun to close would stay open.
    """
    cancelled = None
    while True:
        try:
            await action()
            break
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


@contextlib.contextmanager
def _reported(stream: str) -> Iterator[None]:
    """The boundary of the reader's work: what one page cannot show must not silence the others."""
    try:
        yield
    except Exception:
        logger.exception("Events of %s could not be shown", stream)


async def _in_thread(function: Callable[..., list[Message]], *args: Any) -> list[Message]:
    return await database_sync_to_async(function, thread_sensitive=False)(*args)


def _connect(url: str, *, timeout_seconds: float, connections: int) -> Redis:
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis(connection_pool=pool)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def of_this_loop() -> Hub:
    """The hub of the running event loop: one per process, except in tests."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub(settings.REDIS_URL)
    return _hubs[loop]
