"""The Lab's sockets: who may listen, and that curves, lists and backends move on them."""

from contextlib import asynccontextmanager

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser

from tests.webapp.live.test_consumers import Page
from webapp.lab import chores, runs, work
from webapp.models import LabRun
from webapp.routing import websocket_urlpatterns

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True)]


@asynccontextmanager
async def opened(path, user):
    page = Page(URLRouter(websocket_urlpatterns), path, user=user)
    assert await page.connect()
    try:
        yield page
    finally:
        await page.disconnect()


def html(frames) -> str:
    return "".join(part["html"] for frame in frames for part in frame["fragments"])


async def until(page, is_last) -> list[dict]:
    """Frames until one satisfies `is_last`, that one included."""
    frames = []
    while not frames or not is_last(frames[-1]):
        frames.append(await page.frame())
    return frames


def is_ready(frame) -> bool:
    return any(event["kind"] == "ready" for event in frame["data"]["events"])


@pytest.mark.parametrize(
    ("who", "words"), [("nobody", "no longer signed in"), ("another", "nothing here for you")]
)
async def test_a_run_is_for_its_owner(user, other_user, make_run, who, words):
    run = await sync_to_async(make_run)()
    stranger = other_user if who == "another" else AnonymousUser()
    page = Page(URLRouter(websocket_urlpatterns), f"/ws/lab/runs/{run.pk}/", user=stranger)
    assert await page.connect()
    assert words in (await page.frame())["error"]
    assert await page.closing() == 4404


async def test_the_lists_need_somebody_who_signed_in():
    page = Page(URLRouter(websocket_urlpatterns), "/ws/lab/", user=AnonymousUser())
    assert await page.connect()
    assert "error" in await page.frame()


async def test_curves_and_status_come_as_they_move(user, make_run, publishing):
    run = await sync_to_async(make_run)()
    async with opened(f"/ws/lab/runs/{run.pk}/", user) as page:
        assert "Waits for the Lab" in html(await until(page, is_ready))
        started = await sync_to_async(runs.start)(run.pk, worker="lab-1@x#1")
        reporter = work.Reporter(started, work.Held(started))
        event = {"kind": "metric", "step": 3, "epoch": 0, "loss": 0.25, "gradient_norm": 0.5}
        await sync_to_async(reporter)(event)

        def has_curves(frame):
            found = [e for e in frame["data"]["events"] if e["kind"] == "figures" and e["figures"]]
            return bool(found) and found[-1]["figures"][0]["lines"][0]["y"] == [0.25]

        frames = await until(page, has_curves)
        titles = [f["title"] for e in frames[-1]["data"]["events"] if e["kind"] == "figures"
                  for f in e["figures"]]  # fmt: skip
        assert titles == ["Loss", "Gradient norm"]
        await sync_to_async(runs.succeed)(
            started, {"summary": "Well done.", "winner": "tie", "numbers": {}, "seconds": 1.0}
        )
        frames = await until(page, lambda frame: "Well done." in html([frame]))
        assert 'data-status="succeeded"' in html(frames)


async def test_a_deleted_run_is_said(user, make_run, publishing):
    run = await sync_to_async(make_run)()
    await sync_to_async(runs.cancel)(run)
    async with opened(f"/ws/lab/runs/{run.pk}/", user) as page:
        await until(page, is_ready)
        await sync_to_async(runs.delete)(run)
        frames = await until(page, lambda f: any(e["kind"] == "gone" for e in f["data"]["events"]))
        assert frames[-1]["fragments"] == []


async def test_the_lists_hear_of_own_runs_and_of_backends(user, other_user, make_run, publishing):
    run = await sync_to_async(make_run)()
    theirs = await sync_to_async(make_run)(owner=other_user)
    async with opened("/ws/lab/", user) as page:
        first = html(await until(page, is_ready))
        assert f'id="run-{run.pk}"' in first
        assert str(theirs.pk) not in first
        assert 'id="backend-ionq"' in first
        await sync_to_async(runs.cancel)(theirs)
        await sync_to_async(runs.start)(run.pk, worker="lab-1@x#1")
        frames = await until(page, lambda frame: 'data-status="running"' in html([frame]))
        assert str(theirs.pk) not in html(frames)
        note = sync_to_async(chores.note_test)
        await note("mock", passed=True, message="Read alike in 200 of 200.")
        frames = await until(page, lambda frame: "200 of 200" in html([frame]))
        assert 'data-test="passed"' in html(frames)
        assert 'id="connection-mock"' in html(frames)


async def test_the_rows_of_a_run_that_is_gone_are_asked_for_again(user, make_run, publishing):
    run = await sync_to_async(make_run)()
    async with opened("/ws/lab/", user) as page:
        await until(page, is_ready)
        await sync_to_async(LabRun.objects.filter(pk=run.pk).update)(status="cancelled")
        await sync_to_async(runs.delete)(run)

        def says_deleted(frame):
            return any(e.get("status") == "deleted" for e in frame["data"]["events"])

        frames = await until(page, says_deleted)
        assert str(run.pk) in str(frames[-1])
