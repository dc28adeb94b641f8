"""How much of a request the server keeps: in front of Django, as the web process runs it."""

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.test import Client
from django.urls import reverse

from webapp import request_body
from webapp.asgi import application
from webapp.models import Job

pytestmark = pytest.mark.django_db(transaction=True)
PIECE = 2**16
MEGABYTE = 2**20


@pytest.fixture
def kept(monkeypatch):
    """How many bytes Django wrote down of each request."""
    sizes = []
    original = request_body._Body.receive

    async def counted(self):
        message = await original(self)
        sizes.append(len(message.get("body", b"")))
        return message

    monkeypatch.setattr(request_body._Body, "receive", counted)
    return sizes


@pytest.fixture
def cookies(user):
    browser = Client()
    browser.force_login(user)
    browser.get(reverse("submit"))
    return "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())


def post(path: str, size: int, *, cookies: str = "", has_length: bool = True) -> tuple[int, str]:
    """Status and text of the answer to a form with a text of so many bytes."""
    return async_to_sync(_post)(path, b"text=" + b"A" * size, cookies, has_length)


async def _post(path: str, body: bytes, cookies: str, has_length: bool) -> tuple[int, str]:
    headers = [
        (b"host", b"localhost"),
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"cookie", cookies.encode()),
        *([(b"content-length", str(len(body)).encode())] if has_length else []),
    ]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b""}
    communicator = ApplicationCommunicator(application, {**scope, "headers": headers})
    for start in range(0, len(body), PIECE):
        piece, more = body[start : start + PIECE], start + PIECE < len(body)
        await communicator.send_input({"type": "http.request", "body": piece, "more_body": more})
    first = await communicator.receive_output(timeout=10)
    text = b""
    message = {"more_body": True}
    while message.get("more_body"):
        message = await communicator.receive_output(timeout=10)
        text += message.get("body", b"")
    await communicator.wait(timeout=10)
    return first["status"], text.decode()


@pytest.mark.parametrize("has_length", [True, False], ids=["said", "in chunks"])
@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/nowhere/", "/jobs/new/"])
def test_nobody_keeps_what_a_stranger_sends(kept, path, has_length):
    status, _ = post(path, 3 * MEGABYTE, has_length=has_length)
    assert 300 <= status < 500
    assert sum(kept) <= MEGABYTE


def test_a_session_that_is_none_is_a_strangers(kept):
    post(reverse("submit"), 3 * MEGABYTE, cookies="foldstream_session=made-up")
    assert sum(kept) <= MEGABYTE


def test_a_stranger_with_a_long_form_is_sent_to_sign_in():
    """As somebody is whose session ended while they typed."""
    assert post(reverse("submit"), 3 * MEGABYTE)[0] == 302


@pytest.mark.parametrize("has_length", [True, False], ids=["said", "in chunks"])
@pytest.mark.parametrize("name", ["submit", "validate"])
def test_who_has_signed_in_gets_the_pages_own_sentence(kept, settings, cookies, name, has_length):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = MEGABYTE
    status, text = post(reverse(name), 9 * MEGABYTE, cookies=cookies, has_length=has_length)
    assert status == 413
    assert "at most 1 MB" in text
    assert MEGABYTE < sum(kept) <= 4 * MEGABYTE
    assert not Job.objects.exists()


def test_a_long_form_of_theirs_is_read_whole(kept, cookies):
    status, _ = post(reverse("submit"), 3 * MEGABYTE, cookies=cookies)
    assert status == 403, "it came without a token, which is to be found in the body"
    assert sum(kept) == 3 * MEGABYTE + len("text=")


def test_a_body_without_end_is_not_heard_out(monkeypatch):
    monkeypatch.setattr(request_body, "DROPPED_BYTES", 2 * MEGABYTE)
    sent = []

    async def endless():
        sent.append(PIECE)
        return {"type": "http.request", "body": b"A" * PIECE, "more_body": True}

    async def answered(message):
        raise AssertionError("nobody is there to hear it")

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    async_to_sync(application)(scope, endless, answered)
    assert sum(sent) <= 3 * MEGABYTE
