"""The sockets, from the row and the stream to the frames that a browser gets."""

import asyncio
import json
import struct
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.utils import timezone

from tests.webapp import making
from webapp import jobs, monitor
from webapp.asgi import application
from webapp.live import consumers, hub, publisher
from webapp.live.events import Frame, LogLine, Progress, StatusChanged
from webapp.models import Job
from webapp.routing import websocket_urlpatterns

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("data_dir", "publishing"),
]
PATIENCE = 10


class Page:
    """The browser's end of a socket."""

    def __init__(self, app, path, *, user=None, headers=()):
        path, _, query = path.partition("?")
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.encode(),
            "headers": list(headers),
            "subprotocols": [],
        }
        self.socket = ApplicationCommunicator(app, {**scope, "user": user} if user else scope)

    async def connect(self):
        """Whether the server took the connection."""
        await self.socket.send_input({"type": "websocket.connect"})
        answer = await self.socket.receive_output(PATIENCE)
        return answer["type"] == "websocket.accept"

    async def disconnect(self):
        await self.socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.socket.wait(PATIENCE)

    async def frame(self):
        """The next frame: parsed text, or bytes. A closing is the dict that says so."""
        output = await self.socket.receive_output(PATIENCE)
        if output["type"] == "websocket.close":
            return {"closed": output.get("code")}
        return json.loads(output["text"]) if output.get("text") else output["bytes"]

    async def events_until(self, is_last):
        """The events of text frames until one satisfies `is_last`, that one included."""
        seen = []
        while not any(map(is_last, seen)):
            frame = await self.frame()
            if isinstance(frame, dict):
                assert "closed" not in frame, f"closed after {seen}"
                seen += frame.get("data", {}).get("events", [])
        return seen

    async def closing(self):
        while "closed" not in (frame := await self.frame()):
            pass
        return frame["closed"]


@asynccontextmanager
async def opened(path, user):
    page = Page(URLRouter(websocket_urlpatterns), path, user=user)
    assert await page.connect()
    try:
        yield page
    finally:
        await page.disconnect()


def job_page(job, user, *, since="0"):
    return opened(f"/ws/jobs/{job.pk}/?since={since}", user)


@pytest.fixture
def job(user):
    return jobs.start(making.job(user).pk, worker="w@elsewhere#1")


def say(job, *said):
    for event in said:
        publisher.publish(job.pk, attempt=job.attempt, event=event)
    assert publisher.flush(timeout_seconds=PATIENCE)


def line(text):
    return LogLine(level="info", message=str(text), at="2026-01-01T00:00:00+00:00")


def picture(step):
    return Frame(
        seed=1,
        seed_index=0,
        sample=0,
        n_samples=1,
        step=step,
        n_steps=9,
        noise_level=1.0,
        count=1,
        bin=b"\x01\x00" * 3,
    )


def is_line(text):
    return lambda event: event.get("message") == str(text)


def lines(events):
    return [event["message"] for event in events if event["kind"] == "log"]


async def test_a_page_gets_the_row_then_the_log_then_what_follows(job, user):
    say(job, line("one"), line("two"))
    async with job_page(job, user) as page:
        first = await page.frame()
        assert first["id"] == "0"
        assert first["data"]["events"][0]["status"] == "running"
        assert lines(await page.events_until(is_line("two"))) == ["one", "two"]
        await sync_to_async(say)(job, line("three"))
        assert lines(await page.events_until(is_line("three"))) == ["three"]


async def test_a_page_comes_back_where_it_was(job, user):
    async with job_page(job, user) as page:
        await sync_to_async(say)(job, line("one"))
        while (frame := await page.frame())["data"]["events"][-1]["kind"] != "log":
            pass
    say(job, line("two"), line("three"))
    async with job_page(job, user, since=frame["id"]) as page:
        assert lines(await page.events_until(is_line("three"))) == ["two", "three"]


async def test_two_pages_agree_and_nothing_is_lost(job, user):
    async with job_page(job, user) as one, job_page(job, user) as other:
        for number in range(0, 300, 100):
            burst = [line(n) for n in range(number, number + 100)]
            await sync_to_async(say)(job, *burst)
        seen = [lines(await page.events_until(is_line(299))) for page in (one, other)]
    assert seen[0] == seen[1] == [str(n) for n in range(300)]


async def test_pictures_come_as_binary_frames_in_the_order_of_ids(job, user):
    async with job_page(job, user) as page:
        await page.frame()
        await sync_to_async(say)(job, line("a"), picture(1), line("b"))
        frames = [await page.frame() for _ in range(2)]
        while isinstance(frames[-1], bytes) or "b" not in lines(frames[-1]["data"]["events"]):
            frames.append(await page.frame())
    (binary,) = (frame for frame in frames if isinstance(frame, bytes))
    header = struct.unpack("<BBHIQIIIIIf", binary[:40])
    assert (header[0], header[3], header[7], header[8]) == (1, 1, 1, 9)
    ids = [
        f"{header[4]}-{header[5]}" if isinstance(frame, bytes) else frame["id"] for frame in frames
    ]
    assert ids == sorted(ids, key=lambda i: tuple(map(int, i.split("-"))))


async def test_a_socket_is_flushed_at_most_ten_times_a_second(job, user):
    async with job_page(job, user) as page:
        await page.frame()
        loop = asyncio.get_running_loop()
        started, n_frames, last = loop.time(), 0, {}
        for number in range(60):
            await sync_to_async(say)(job, Progress(stage="trunk", percent=float(number)))
            await asyncio.sleep(0.01)
        while last.get("percent") != 59.0:
            last = (await page.frame())["data"]["events"][-1]
            n_frames += 1
        assert n_frames <= 10 * (loop.time() - started) + 4


async def test_the_end_is_told_and_the_socket_closes(job, user):
    async with job_page(job, user) as page:
        await sync_to_async(say)(job, line("up to date"))
        await page.events_until(is_line("up to date"))
        await sync_to_async(jobs.fail)(job, "No.")
        events = await page.events_until(lambda e: e.get("status") == "failed")
        assert lines(events) == ["No."]
        assert await page.closing() == 1000


async def test_a_page_that_opens_after_the_end_is_told_at_once(job, user):
    jobs.stop(job)
    assert publisher.flush(timeout_seconds=PATIENCE)
    async with job_page(job, user) as page:
        events = (await page.frame())["data"]["events"]
        assert [event.get("message", event.get("status")) for event in events] == [
            "Cancelled.",
            "cancelled",
        ]
        assert await page.closing() == 1000


async def test_a_page_that_opens_in_the_moment_of_the_end_hears_the_last_line_first(job, user):
    say(job, line("almost"))
    ended = {"status": "failed", "error": "No.", "finished_at": timezone.now()}
    await sync_to_async(Job.objects.filter(pk=job.pk).update)(**ended)
    async with job_page(job, user) as page:
        early = await page.events_until(is_line("almost"))
        await asyncio.sleep(0.1)
        await sync_to_async(say)(job, line("No."), StatusChanged(status="failed"))
        late = await page.events_until(lambda e: e.get("status") == "failed")
        assert await page.closing() == 1000
    assert lines(early + late) == ["almost", "No."]
    assert "failed" not in [event.get("status") for event in early + late[:-1]]


async def test_a_page_that_follows_hears_the_last_line_first(job, user):
    say(job, StatusChanged(status="running"))
    async with job_page(job, user) as page:
        await page.frame()
        await sync_to_async(Job.objects.filter(pk=job.pk).update)(status="failed", error="No.")
        await sync_to_async(say)(job, StatusChanged(status="running"), line("almost"))
        early = await page.events_until(is_line("almost"))
        await sync_to_async(say)(job, line("No."), StatusChanged(status="failed"))
        late = await page.events_until(lambda e: e.get("status") == "failed")
    assert lines(early + late) == ["almost", "No."]
    assert "failed" not in [event.get("status") for event in early + late[:-1]]


async def test_an_end_whose_stream_is_gone_is_told_by_the_row(job, user, redis_server, monkeypatch):
    monkeypatch.setattr(consumers, "LAST_WORDS", timedelta(seconds=0.1))
    await sync_to_async(jobs.stop)(job)
    assert publisher.flush(timeout_seconds=PATIENCE)
    with redis_server.client() as client:
        client.flushall()
    async with job_page(job, user, since="5-0") as page:
        frame = await page.frame()
        assert (frame["id"], frame["data"]["events"][0]["status"]) == ("5-0", "cancelled")
        assert await page.closing() == 1000


async def test_an_end_without_redis_is_told_by_the_row(job, user, redis_server):
    await sync_to_async(jobs.stop)(job)
    assert publisher.flush(timeout_seconds=PATIENCE)
    await sync_to_async(redis_server.stop)()
    async with job_page(job, user) as page:
        assert (await page.frame())["data"]["events"][0]["status"] == "cancelled"
        assert await page.closing() == 1000


async def test_a_worker_that_died_before_its_last_words_leaves_no_page_waiting(
    job, user, monkeypatch
):
    monkeypatch.setattr(consumers, "PING_SECONDS", 0.1)
    async with job_page(job, user) as page:
        await page.frame()
        await sync_to_async(Job.objects.filter(pk=job.pk).update)(status="failed", error="No.")
        await page.events_until(lambda e: e.get("status") == "failed")
        assert await page.closing() == 1000


async def test_a_deleted_job_is_told(job, user):
    async with job_page(job, user) as page:
        await page.frame()
        await sync_to_async(jobs.delete)(job)
        await page.events_until(lambda e: e.get("status") == "deleted")
        assert await page.closing() == 1000


async def test_a_new_attempt_is_told(job, user):
    async with job_page(job, user) as page:
        await page.frame()
        await sync_to_async(jobs.give_back)(job, crashed=True)
        await page.events_until(lambda e: e.get("status") == "queued")
        await sync_to_async(jobs.start)(job.pk, worker="w@elsewhere#2")
        await page.events_until(lambda e: e.get("status") == "running")


class Clock:
    """An event loop whose time passes only in sleeps and when a test says so."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(consumers.asyncio, "get_running_loop", lambda: self)
        monkeypatch.setattr(consumers.asyncio, "sleep", self.sleep)

    def time(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds


async def test_a_busy_source_gets_ten_flushes_a_second(monkeypatch):
    clock, pace = Clock(monkeypatch), consumers.Pace()
    for _ in range(100):
        await pace.rest()
    assert clock.now - 1000.0 == pytest.approx(100 * 0.1, abs=0.25)


async def test_a_hiccup_does_not_delay_what_follows(monkeypatch):
    clock, pace = Clock(monkeypatch), consumers.Pace()
    late = []
    for number in range(50):
        arrives = 1000.0 + 0.1 * number
        clock.now = max(clock.now, arrives + (0.15 if number == 20 else 0.0))
        late.append(clock.now - arrives)
        await pace.rest()
    assert late[20] == pytest.approx(0.15)
    assert max(late[23:]) == pytest.approx(0.0)


async def test_a_browser_that_goes_away_is_no_error(job, user, monkeypatch, caplog):
    async def gone(*args, **words):
        raise OSError("the browser is gone")

    async with job_page(job, user) as page:
        await page.frame()
        monkeypatch.setattr(consumers, "_send", gone)
        await sync_to_async(say)(job, line("a"))
        await asyncio.sleep(0.3)
    assert "ended early" not in caplog.text


# whose page -------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["other", "nobody"])
async def test_a_page_of_somebody_else_says_so_and_closes(job, other_user, who):
    visitor = other_user if who == "other" else AnonymousUser()
    async with job_page(job, visitor) as page:
        assert "error" in await page.frame()
        assert await page.closing() == 4404


async def test_a_job_that_never_was_looks_the_same_as_somebody_elses(job, user, other_user):
    async with job_page(job, other_user) as page:
        refusal = await page.frame()
    unknown = "00000000-0000-4000-8000-000000000000"
    async with opened(f"/ws/jobs/{unknown}/", user) as page:
        assert await page.frame() == refusal


async def test_a_dashboard_needs_a_person():
    async with opened("/ws/dashboard/", AnonymousUser()) as page:
        assert "error" in await page.frame()
        assert await page.closing() == 4404


def headers(client, origin):
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return [(b"host", b"localhost"), (b"origin", origin), (b"cookie", cookies.encode())]


@pytest.fixture
def browser_of(user):
    client = Client()
    client.force_login(user)
    return client


async def test_the_session_opens_the_page(job, browser_of):
    own = headers(browser_of, b"http://localhost")
    page = Page(application, f"/ws/jobs/{job.pk}/", headers=own)
    assert await page.connect()
    assert (await page.frame())["data"]["events"][0]["status"] == "running"
    await page.disconnect()


async def test_a_foreign_site_cannot_open_the_socket(job, browser_of):
    foreign = headers(browser_of, b"http://evil.example")
    page = Page(application, f"/ws/jobs/{job.pk}/", headers=foreign)
    assert not await page.connect()


# slow sockets, lost Redis -----------------------------------------------------------------------


async def test_a_stuck_socket_holds_nobody_up(job, user):
    """The stuck one never takes a frame; the other one gets everything meanwhile."""
    stuck = hub.Mailbox()
    feeds = hub.of_this_loop()
    async with job_page(job, user) as page:
        await sync_to_async(say)(job, line("start"))
        await page.events_until(is_line("start"))
        (feed,) = feeds._feeds.values()
        feed.mailboxes.add(stuck)
        stuck.begin([])
        await sync_to_async(say)(job, *(line(n) for n in range(1000)))
        seen = await page.events_until(is_line(999))
        feed.mailboxes.discard(stuck)
    waiting, dropped = stuck.take()
    assert len(waiting) + dropped == 1000
    assert len(waiting) <= 500
    assert seen[-1]["message"] == "999"


async def test_a_gap_is_marked(job, user, monkeypatch):
    monkeypatch.setattr("webapp.live.mailbox.CAPACITY", 20)
    async with job_page(job, user) as page:
        await page.frame()
        await sync_to_async(say)(job, *(line(n) for n in range(100)))
        events = await page.events_until(is_line(99))
    gap = sum(event["dropped"] for event in events if event["kind"] == "gap")
    assert gap > 0
    assert gap + len(lines(events)) == 100


async def test_redis_can_go_and_come_back(job, user, redis_server):
    async with job_page(job, user) as page:
        await sync_to_async(say)(job, line("before"))
        await page.events_until(is_line("before"))
        await sync_to_async(redis_server.stop)()
        publisher.publish(job.pk, attempt=1, event=line("meanwhile"))
        await sync_to_async(Job.objects.update)(percent=33.0)
        await page.events_until(lambda e: e.get("percent") == 33.0)
        await sync_to_async(redis_server.start)()
        assert lines(await page.events_until(is_line("meanwhile"))) == ["meanwhile"]
        await sync_to_async(say)(job, line("after"))
        assert lines(await page.events_until(is_line("after"))) == ["after"]


async def test_a_page_that_opens_without_redis_follows_the_row(
    job, user, redis_server, monkeypatch
):
    monkeypatch.setattr(consumers, "RETRY_SECONDS", 0.1)
    redis_server.stop()
    async with job_page(job, user) as page:
        assert (await page.frame())["data"]["events"][0]["status"] == "running"
        await sync_to_async(Job.objects.update)(percent=12.0)
        await page.events_until(lambda e: e.get("percent") == 12.0)
        await sync_to_async(redis_server.start)()
        await sync_to_async(say)(job, line("back"))
        await page.events_until(is_line("back"))


async def test_an_emptied_stream_leaves_the_row(job, user, redis_server):
    say(job, line("a"))
    with redis_server.client() as client:
        client.flushall()
    async with job_page(job, user, since="99999999999999-0") as page:
        assert (await page.frame())["data"]["events"][0]["status"] == "running"
        await sync_to_async(jobs.stop)(job)
        await page.events_until(lambda e: e.get("status") == "cancelled")


async def test_an_event_that_cannot_be_shown_silences_nobody(job, user, monkeypatch, caplog):
    original = hub.Feed.messages

    async def fails_once(feed, entries):
        monkeypatch.setattr(hub.Feed, "messages", original)
        raise RuntimeError("template")

    async with job_page(job, user) as page:
        await page.frame()
        await asyncio.sleep(0.2)
        monkeypatch.setattr(hub.Feed, "messages", fails_once)
        await sync_to_async(say)(job, line("broken"))
        await asyncio.sleep(0.2)
        await sync_to_async(say)(job, line("whole"))
        assert lines(await page.events_until(is_line("whole"))) == ["whole"]
    assert "could not be shown" in caplog.text


async def test_a_silent_socket_is_pinged(job, user, monkeypatch):
    monkeypatch.setattr(consumers, "PING_SECONDS", 0.05)
    async with job_page(job, user) as page:
        while (await page.frame()) != {"ping": True}:
            pass


async def test_the_last_page_takes_the_reader_with_it(job, user):
    async with job_page(job, user) as page:
        await page.frame()
    feeds = hub.of_this_loop()
    assert feeds._reader is None
    assert feeds._feeds == {}
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "hub"]


# the dashboard ----------------------------------------------------------------------------------


def about(job, change):
    return lambda e: e.get("job") == str(job.pk) and e.get("change") == change


async def test_a_dashboard_shows_its_owners_jobs_live(job, user, other_user):
    foreign = making.job(other_user)
    async with opened("/ws/dashboard/", user) as page:
        first = await page.events_until(lambda e: e["kind"] == "machine")
        assert [e["job"] for e in first if e["kind"] == "job"] == [str(job.pk)]
        new = await sync_to_async(jobs.submit)(user, making.fold_input(), making.FoldOptions())
        await page.events_until(about(new, "created"))
        await sync_to_async(jobs.cancel)(foreign)
        await sync_to_async(jobs.stop)(job)
        events = await page.events_until(about(job, "changed"))
        await sync_to_async(jobs.delete)(new)
        events += await page.events_until(about(new, "deleted"))
    assert str(foreign.pk) not in json.dumps(events)


async def test_waiting_rows_move_up_when_the_queue_does(user, other_user):
    ahead, mine = making.job(other_user), making.job(user)
    async with opened("/ws/dashboard/", user) as page:
        await page.events_until(lambda e: e["kind"] == "machine")
        await asyncio.sleep(0.2)
        await sync_to_async(jobs.start)(ahead.pk, worker="w@elsewhere#1")
        await page.events_until(about(mine, "changed"))


async def test_a_reading_moves_the_machine_panel(user):
    async with opened("/ws/dashboard/", user) as page:
        await page.events_until(lambda e: e["kind"] == "machine")
        await asyncio.sleep(0.2)
        assert await sync_to_async(monitor.publish)(monitor.read("fold@here"))
        await page.events_until(lambda e: e["kind"] == "machine")
