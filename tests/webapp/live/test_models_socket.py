"""The socket of the Models page: who may listen, and that downloads move on it."""

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser

from tests.webapp.live.test_consumers import Page
from webapp import downloads
from webapp.live import dashboard
from webapp.models import WeightsDownload
from webapp.routing import websocket_urlpatterns

MINI = "protenix_mini_default_v0.5.0"


@pytest.fixture(autouse=True)
def weights_dir(tmp_path, settings):
    settings.WEIGHTS_DIR = tmp_path / "weights"


def opened(user) -> Page:
    return Page(URLRouter(websocket_urlpatterns), "/ws/models/", user=user)


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_strangers_are_refused():
    page = opened(AnonymousUser())
    assert await page.connect()
    assert "Sign in" in (await page.frame())["error"]
    assert await page.closing() == 4404


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_a_download_moves_on_the_page(user, publishing):
    await sync_to_async(WeightsDownload.objects.create)(name=MINI, status="queued")
    page = opened(user)
    assert await page.connect()
    (first,) = (await page.frame())["fragments"]
    assert first["target"] == "model-protenix_mini_default_v0-5-0"
    assert "Waits for its download" in first["html"]
    row = await sync_to_async(downloads.start)(MINI, worker="weights-1@a#1")
    await sync_to_async(downloads.Reporter(row))("downloading", 30, 120)
    shown = ""
    while "25 %" not in shown:
        shown = "".join(part["html"] for part in (await page.frame())["fragments"])
    assert 'data-state="running"' in shown
    await page.disconnect()


@pytest.mark.django_db
def test_hints_about_models_that_are_gone_are_skipped():
    hint = {b"kind": b"weights", b"data": b'{"name": "gone"}'}
    known = {b"kind": b"weights", b"data": b'{"name": "small"}'}
    messages = dashboard.WeightsPage().build([(b"1-0", hint), (b"2-0", known), (b"3-0", known)])
    assert [message.slot for message in messages] == ["weights-small"]
