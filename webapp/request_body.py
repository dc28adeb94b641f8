"""How much of a request's body is kept, settled before Django writes all of it to a file.

Of what is too long the rest is dropped, and Django is told the length alone: it refuses such a
request by itself, and pages that have a sentence for it say theirs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

STRANGER_BYTES = 2**20
"""Enough for every form that is open to people who have not signed in."""
FILES_FACTOR = 4
"""Fields may take what `DATA_UPLOAD_MAX_MEMORY_SIZE` says; with files it is so much more."""
DROPPED_BYTES = 2**30
"""So much of a body that is not wanted is heard out, for the answer to be heard; no more."""
FORM = b"application/x-www-form-urlencoded"


def limited(pages: Any) -> Any:
    """The ASGI application `pages`, which gets to see bodies of bounded length alone."""

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        scope = {**scope}
        await pages(scope, _Body(scope, receive).receive, send)

    return application


class _Body:
    """Passes a body on while it counts it. Changes the headers of `scope` if it is too long."""

    def __init__(self, scope: Message, receive: Receive) -> None:
        self._scope, self._receive = scope, receive
        self._read, self._limit = 0, STRANGER_BYTES

    async def receive(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if message["type"] != "http.request" or not await self._is_too_long():
            return message
        while message.get("more_body") and self._read <= DROPPED_BYTES:
            message = await self._receive()
            self._read += len(message.get("body", b""))
        if message.get("more_body") or message["type"] != "http.request":
            return {"type": "http.disconnect"}
        self._scope["headers"] = _of_a_form(self._scope["headers"], length=self._read)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _is_too_long(self) -> bool:
        """Whether it is; who asks is looked up for long ones alone."""
        if self._limit < self._read <= _most() and await _is_signed_in(self._scope["headers"]):
            self._limit = _most()
        return self._read > self._limit


def _most() -> int:
    return FILES_FACTOR * int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def _of_a_form(headers: Headers, *, length: int) -> list[tuple[bytes, bytes]]:
    """The headers of a form of this length: Django compares it before it reads a form's fields."""
    said = {b"content-type": FORM, b"content-length": str(max(length, _most() + 1)).encode()}
    kept = [(name, value) for name, value in headers if name.lower() not in said]
    return [*kept, *said.items()]


async def _is_signed_in(headers: Headers) -> bool:
    cookies = SimpleCookie()
    try:
        for name, value in headers:
            if name.lower() == b"cookie":
                cookies.load(value.decode("latin-1"))
    except CookieError:
        return False
    found = cookies.get(settings.SESSION_COOKIE_NAME)
    return found is not None and await database_sync_to_async(_has_user)(found.value)


def _has_user(session_key: str) -> bool:
    store = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return SESSION_KEY in store
