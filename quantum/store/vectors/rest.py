"""Requests to hosted stores: deadlines, retries for what may pass, errors in our words."""

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from quantum.errors import (
    BackendError,
    BadAnswer,
    InvalidValues,
    RateLimited,
    Unauthorized,
    Unavailable,
)

_BUSY = (429, 500, 502, 503, 504)


class _NoRedirect(HTTPRedirectHandler):
    """A token must not follow a redirect to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(frozen=True)
class Retries:
    """How often to try what may pass, with pauses that double.

    Every request of the stores may be made twice without harm, so all are retried.

    Args:
        tries: the first one included.
        sleep: waits so many seconds.
    """

    tries: int = 4
    first_pause_seconds: float | int = 0.5
    longest_pause_seconds: float | int = 30.0
    sleep: Callable[[float], None] = time.sleep

    def call(self, action: Callable[[], Any]) -> Any:
        """What the action gives, as soon as it is not `Unavailable`; else the last error."""
        pause = self.first_pause_seconds
        for _ in range(self.tries - 1):
            try:
                return action()
            except Unavailable as error:
                wanted = error.retry_after_seconds or pause
                self.sleep(min(wanted, self.longest_pause_seconds))
                pause *= 2
        return action()


def check_address(url: str, service: str) -> None:
    """Raises `InvalidValues` where a token would travel in the open to another machine."""
    try:
        parts = urlsplit(url)
        is_local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    except ValueError:
        raise InvalidValues(f"{service} is reached over https, not at {url!r}") from None
    if not is_local and (parts.scheme != "https" or not parts.hostname):
        raise InvalidValues(f"{service} is reached over https, not at {url!r}")


@dataclass(frozen=True)
class RestClient:
    """JSON over HTTP to one host.

    Args:
        headers: with the token; never shown.
        timeout_seconds: of one try.
    """

    url: str
    headers: dict[str, str] = field(repr=False)
    service: str
    timeout_seconds: float | int = 20
    retries: Retries = Retries()

    def __post_init__(self) -> None:
        check_address(self.url, self.service)

    def call(self, path: str, body: Any = None) -> Any:
        """What the service answers; POST with a body, GET without.

        Raises:
            Unauthorized, RateLimited, Unavailable, BadAnswer, InvalidValues: by what went wrong.
        """
        return self.retries.call(lambda: self._once(path, body))

    def _once(self, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {**self.headers, "Content-Type": "application/json"}
        request = Request(self.url.rstrip("/") + path, data=data, headers=headers)
        try:
            with _opener().open(request, timeout=self.timeout_seconds) as answer:
                content = answer.read()
        except HTTPError as error:
            raise self._refusal(error) from None
        except (URLError, TimeoutError, http.client.HTTPException, OSError) as error:
            raise Unavailable(f"{self.service} does not answer: {error}") from error
        try:
            return json.loads(content) if content else {}
        except ValueError as error:
            raise BadAnswer(f"{self.service} answered something that is no JSON") from error

    def _refusal(self, error: HTTPError) -> BackendError:
        try:
            detail = error.read(500).decode(errors="replace").strip()
        except (OSError, http.client.HTTPException):
            detail = ""
        finally:
            error.close()
        return refusal(self.service, error.code, detail, error.headers.get("Retry-After"))


def refusal(service: str, status: int, detail: str, retry_after: str | None) -> BackendError:
    """An HTTP status in our words; `detail` is the service's own."""
    if status in (401, 403):
        return Unauthorized(f"{service} refuses the token (HTTP {status})")
    if status in _BUSY:
        kind = RateLimited if status == 429 else Unavailable
        found = kind(f"{service} is busy (HTTP {status}): try again later")
        found.retry_after_seconds = _seconds(retry_after)
        return found
    return BadAnswer(f"{service} refuses the request (HTTP {status}): {detail[:200]}")


def _opener() -> OpenerDirector:
    return build_opener(_NoRedirect)


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None  # a date: the usual pause will do


def in_pieces(items: list[Any], size: int) -> list[list[Any]]:
    """The items in lists of at most `size`."""
    return [items[at : at + size] for at in range(0, len(items), size)]
