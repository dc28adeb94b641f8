"""The sockets: a job's page, a dashboard, the models, and the Lab.

A consumer checks whose page it is, shows the row, and then pumps its mailbox into the socket, at
most ten times a second. What the page may see is asked of the same queryset as over HTTP. The
sockets only talk: whatever a browser says is ignored.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import redis
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from webapp.lab import runs
from webapp.live import dashboard, hub, lab, streams
from webapp.live.hub import Feed
from webapp.live.mailbox import Mailbox
from webapp.live.messages import LAST_WORDS, JobPage, Message, gap, text_frame, valid_id
from webapp.models import Job

logger = logging.getLogger(__name__)
FLUSH_SECONDS = 0.1
SLACK_SECONDS = 0.2
PING_SECONDS = 20.0
RETRY_SECONDS = 2.0
ENDED, WENT_WRONG, NOT_FOUND = 1000, 1011, 4404
OVER = frozenset({"ended", "gone"})
SIGNED_OUT = "You are no longer signed in. Sign in again, then reload this page."
NOBODY = "There is nothing here for you: it was deleted, or it is not yours."


class JobConsumer(AsyncWebsocketConsumer):
    """The page of one job, for its owner, until the job has ended."""

    talk: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        job_id, user = self.scope["url_route"]["kwargs"]["job_id"], self.scope["user"]
        await self.accept()
        if await database_sync_to_async(Job.objects.for_user(user).filter(pk=job_id).exists)():
            self.talk = _started(self, self._live(job_id, since=_since(self.scope)))
        else:
            await _refuse(self)

    async def disconnect(self, code: int) -> None:
        if self.talk is not None:
            await hub.cancel(self.talk)

    async def _live(self, job_id: UUID, *, since: str) -> None:
        mailbox = Mailbox()
        async with _listening(streams.of_job(job_id), JobPage(job_id), mailbox) as feed:
            state = await feed.state(since)
            if _is_over(state):
                await self._tell_the_end(job_id, feed, mailbox, since=since)
            else:
                await _send(self, state)
                await _catch_up(self, feed, mailbox, since=since)
                await self._follow(job_id, feed, mailbox)
        await self.close(ENDED, "finished")

    async def _tell_the_end(
        self, job_id: UUID, feed: Feed, mailbox: Mailbox, *, since: str
    ) -> None:
        """Sends what the page has missed, then the end, which the row knows before the stream.

        Where the last words do not come (the stream is gone, or Redis is away), the row has them.
        """
        try:
            async with asyncio.timeout(LAST_WORDS.total_seconds()):
                await hub.of_this_loop().catch_up(feed, mailbox, since=since)
                await self._follow(job_id, feed, mailbox)
        except (TimeoutError, redis.RedisError):
            await _send(self, await feed.state(since))

    async def _follow(self, job_id: UUID, feed: Feed, mailbox: Mailbox) -> None:
        """Sends what the mailbox gets, until the job has ended.

        A page that hears nothing looks at the row: a worker may have died before its last words.
        """
        pace = Pace()
        while True:
            if not await _has_post(self, mailbox):
                state = await feed.state("")
                if _is_over(state):
                    await _send(self, state)
                    return
                continue
            messages, dropped = mailbox.take()
            if dropped:
                await _send(self, [await database_sync_to_async(gap)(job_id, dropped=dropped)])
            await _send(self, messages)
            if _is_over(messages):
                return
            await pace.rest()


class DashboardConsumer(AsyncWebsocketConsumer):
    """The rows of one person's jobs, and the machine panel."""

    talk: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        user: Any = self.scope["user"]
        await self.accept()
        if user.is_authenticated:
            self.talk = _started(self, self._live(user.pk))
        else:
            await _refuse(self)

    async def disconnect(self, code: int) -> None:
        if self.talk is not None:
            await hub.cancel(self.talk)

    async def _live(self, user_id: Any) -> None:
        mailbox = Mailbox()
        page = dashboard.UserPage(user_id)
        machine = dashboard.MachinePage()
        async with (
            _listening(streams.of_user(user_id), page, mailbox) as jobs_feed,
            _listening(streams.MACHINE, machine, mailbox) as machine_feed,
        ):
            for feed in (jobs_feed, machine_feed):
                await _catch_up(self, feed, mailbox, since="$")
                await _send(self, await feed.state(""))
            pace = Pace()
            while True:
                messages, _ = await _next(self, mailbox)
                await _send(self, await self._with_places(page, messages))
                await pace.rest()

    async def _with_places(
        self, page: dashboard.UserPage, messages: Sequence[Message]
    ) -> list[Message]:
        """The messages; where one says that the queue moved, the rows of the jobs that wait."""
        shown = [message for message in messages if message.kind != dashboard.QUEUE]
        if len(shown) == len(messages):
            return shown
        waiting = database_sync_to_async(page.queued, thread_sensitive=False)
        return [*shown, *await waiting()]


class RowsConsumer(AsyncWebsocketConsumer, ABC):
    """A page that shows rows as they are, and looks at them again whenever a hint comes."""

    talk: asyncio.Task[None] | None = None

    @abstractmethod
    async def feeds(self, user: Any) -> Sequence[tuple[str, hub.Page]]:
        """The streams of hints, each with what it means to the page; none for a stranger."""

    async def connect(self) -> None:
        await self.accept()
        user: Any = self.scope["user"]
        feeds = await self.feeds(user) if user.is_authenticated else ()
        if feeds:
            self.talk = _started(self, self._live(feeds))
        else:
            await _refuse(self)

    async def disconnect(self, code: int) -> None:
        if self.talk is not None:
            await hub.cancel(self.talk)

    async def _live(self, feeds: Sequence[tuple[str, hub.Page]]) -> None:
        mailbox = Mailbox()
        async with contextlib.AsyncExitStack() as stack:
            for stream, page in feeds:
                feed = await stack.enter_async_context(_listening(stream, page, mailbox))
                await _catch_up(self, feed, mailbox, since="$")
                await _send(self, await feed.state(""))
            await _send(self, [dashboard.READY])
            pace = Pace()
            while True:
                messages, _ = await _next(self, mailbox)
                await _send(self, messages)
                await pace.rest()


class ModelsConsumer(RowsConsumer):
    """The models and their downloads, for everybody who has signed in."""

    async def feeds(self, user: Any) -> Sequence[tuple[str, hub.Page]]:
        return [(streams.WEIGHTS, dashboard.WeightsPage())]


class LabConsumer(RowsConsumer):
    """The lists of the Lab: one's own runs and executions; backends and models for everybody."""

    async def feeds(self, user: Any) -> Sequence[tuple[str, hub.Page]]:
        own = lab.OwnPage(user.pk)
        return [(streams.of_lab_user(user.pk), own), (streams.LAB, lab.SharedPage())]


class LabRunConsumer(RowsConsumer):
    """One run of the Lab, for its owner."""

    async def feeds(self, user: Any) -> Sequence[tuple[str, hub.Page]]:
        run_id = self.scope["url_route"]["kwargs"]["run_id"]
        is_own = await database_sync_to_async(runs.of_user(user).filter(pk=run_id).exists)()
        return [(streams.of_lab_run(run_id), lab.RunPage(run_id))] if is_own else []


class Pace:
    """At most ten flushes a second over time, and two more in a row after a pause.

    Without those two, one hiccup would delay every later event of a source that speaks ten times
    a second (the "generic cell rate algorithm" and its tolerance).
    """

    def __init__(self) -> None:
        self._due = 0.0

    async def rest(self) -> None:
        """Waits after a flush until the next one may come."""
        now = asyncio.get_running_loop().time()
        self._due = max(self._due, now) + FLUSH_SECONDS
        await asyncio.sleep(max(0.0, self._due - SLACK_SECONDS - now))


def _since(scope: Any) -> str:
    query = parse_qs(scope["query_string"].decode("latin-1"))
    return valid_id(query.get("since", ["0"])[0])


def _started(consumer: AsyncWebsocketConsumer, talk: Coroutine[Any, Any, None]) -> Any:
    return asyncio.create_task(_guarded(consumer, talk))


async def _guarded(consumer: AsyncWebsocketConsumer, talk: Coroutine[Any, Any, None]) -> None:
    """The boundary of a socket's task: nobody awaits it, so it reports its own failures."""
    try:
        await talk
    except OSError:
        logger.info("A browser went away while it was sent something")
    except Exception:
        logger.exception("A socket ended early")
        with contextlib.suppress(OSError):
            await consumer.close(WENT_WRONG)


async def _refuse(consumer: AsyncWebsocketConsumer) -> None:
    """Says why, then closes: browsers do not always see a code that follows the handshake."""
    user: Any = consumer.scope["user"]
    words = NOBODY if user.is_authenticated else SIGNED_OUT
    await consumer.send(text_data=json.dumps({"error": words}))
    await consumer.close(NOT_FOUND)


@contextlib.asynccontextmanager
async def _listening(stream: str, page: hub.Page, mailbox: Mailbox) -> AsyncIterator[Feed]:
    feeds = hub.of_this_loop()
    feed = feeds.enter(stream, page, mailbox)
    try:
        yield feed
    finally:
        await feeds.leave(feed, mailbox)


async def _catch_up(
    consumer: AsyncWebsocketConsumer, feed: Feed, mailbox: Mailbox, *, since: str
) -> None:
    """Opens the mailbox; while Redis is away the page follows the row."""
    while True:
        try:
            return await hub.of_this_loop().catch_up(feed, mailbox, since=since)
        except redis.RedisError:
            await asyncio.sleep(RETRY_SECONDS)
            await _send(consumer, await feed.state(""))


async def _next(
    consumer: AsyncWebsocketConsumer, mailbox: Mailbox
) -> tuple[tuple[Message, ...], int]:
    """What waits in the mailbox; a sign of life while nothing does."""
    while not await _has_post(consumer, mailbox):
        pass
    return mailbox.take()


async def _has_post(consumer: AsyncWebsocketConsumer, mailbox: Mailbox) -> bool:
    """Waits for something to send; a sign of life and False when nothing came."""
    if await mailbox.wait(timeout_seconds=PING_SECONDS):
        return True
    await consumer.send(text_data='{"ping":true}')
    return False


async def _send(consumer: AsyncWebsocketConsumer, messages: Sequence[Message]) -> None:
    """Sends in order: neighbouring texts in one frame, each picture in its own."""
    for is_text, group in itertools.groupby(messages, lambda message: message.binary is None):
        if is_text:
            await consumer.send(text_data=text_frame(tuple(group)))
            continue
        for picture in group:
            await consumer.send(bytes_data=picture.binary)


def _is_over(messages: Sequence[Message]) -> bool:
    return any(message.kind in OVER for message in messages)
