"""The line to a provider: every call has a time limit, few tries, and plain errors.

Vendors' clients wait without limit, retry for hours, or obey a server that asks for an hour's
pause. Behind a `Line` none of that reaches the caller: a call answers, or raises one of this
package's errors, within its limit. A line that failed several times in a row is left alone for a
while (the circuit-breaker pattern), so that a dead provider costs nobody's time.
"""

import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from quantum.circuit import Number
from quantum.errors import (
    BackendError,
    BadAnswer,
    JobNotFound,
    QuantumError,
    RateLimited,
    Unauthorized,
    Unavailable,
)

CONNECT_SECONDS = 5.0
LEAST_SECONDS = 5.0  # that a question has, however late it is: so a job can be cancelled
READ_SECONDS = 20.0
# Vendors' warnings, also those that are charged to the lines of ours that call them.
_VENDORS = r"(qiskit|cirq_ionq|ibm_|quantum\.backends\.(ibm|ionq))"
_T = TypeVar("_T")
_DEADLINE: ContextVar[float] = ContextVar("when all must be over", default=float("inf"))
_END: ContextVar[float] = ContextVar("when the call in progress must be over", default=float("inf"))


@contextmanager
def until(end: float) -> Iterator[None]:
    """Lets no question within the block outlast the end, on `time.monotonic`'s clock, by more than
    `LEAST_SECONDS`. A submission keeps its own limit: who breaks it off knows nothing of it."""
    token = _DEADLINE.set(min(end, _DEADLINE.get()))
    try:
        yield
    finally:
        _DEADLINE.reset(token)


@dataclass
class Breaker:
    """Opens after some failures in a row; then lets one call through per pause.

    Args:
        clock: seconds, always forward.
    """

    failures: int = 4
    pause_seconds: Number = 30.0
    clock: Callable[[], float] = time.monotonic
    _count: int = 0
    _until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def check(self, provider: str) -> None:
        """Raises `Unavailable` while the line rests."""
        with self._lock:
            left = self._until - self.clock()
            if self._count >= self.failures and left > 0:
                raise Unavailable(
                    f"{provider} failed {self._count} times in a row and is left alone for "
                    f"{left:.0f} s more"
                )
            if self._count >= self.failures:
                self._until = self.clock() + self.pause_seconds  # this call is the trial

    def note(self, *, worked: bool) -> None:
        with self._lock:
            self._count = 0 if worked else self._count + 1
            if self._count >= self.failures:
                self._until = self.clock() + self.pause_seconds


@dataclass
class Line:
    """Calls to one provider.

    Args:
        limit_seconds: for a call with all its tries.
        tries: of calls that may be repeated without harm.
        secrets: never shown in a message.
        sleep: waits so many seconds.
    """

    provider: str
    limit_seconds: Number = 60.0
    tries: int = 3
    secrets: tuple[str, ...] = field(default=(), repr=False)
    breaker: Breaker = field(default_factory=Breaker)
    sleep: Callable[[float], None] = time.sleep

    def ask(self, question: Callable[[], _T]) -> _T:
        """The answer to a question that may be asked twice.

        Raises:
            BackendError: its subclass says what is wrong.
        """
        now = time.monotonic()
        end = min(now + self.limit_seconds, max(_DEADLINE.get(), now + LEAST_SECONDS))
        pause = 0.2
        for left in reversed(range(self.tries)):
            try:
                return self.once(question, end=end)
            except BackendError as error:
                wait = error.retry_after_seconds
                pause = pause if wait is None else wait
                if not error.transient or not left or time.monotonic() + pause >= end:
                    raise
            self.sleep(pause)
            pause = min(2 * pause, 5.0)
        raise AssertionError("the last try returns or raises")

    def once(self, act: Callable[[], _T], *, end: float | None = None) -> _T:
        """The result of one call that must not be repeated here."""
        self.breaker.check(self.provider)
        quiet_vendors()
        token = _END.set(time.monotonic() + self.limit_seconds if end is None else end)
        try:
            answer = act()
        except Exception as error:
            found = self._translate(error)
            self.breaker.note(worked=not isinstance(found, Unavailable))
            raise found from None
        finally:
            _END.reset(token)
        self.breaker.note(worked=True)
        return answer

    def _translate(self, error: Exception) -> QuantumError:
        if isinstance(error, QuantumError):
            return error
        found = translate(error, self.provider)
        for secret in filter(None, self.secrets):
            found.args = tuple(str(arg).replace(secret, "…") for arg in found.args)
        return found


def quiet_vendors() -> None:
    """Keeps vendors' warnings (deprecations, options without effect) from our users."""
    warnings.filterwarnings("ignore", module=_VENDORS)


def send(request: Callable[..., _T], *args: Any, **options: Any) -> _T:
    """The answer to one HTTP request, made by `requests` or its like, before the call's time is up.

    The request runs in a thread that is given up when time is over: socket time-outs alone let a
    server that sends a byte now and then hold us for ever. Only the request does; vendors' own
    code stays in the caller's thread (Qiskit's may crash elsewhere).

    Raises:
        Unavailable: time is over.
    """
    left = max(0.05, min(_END.get() - time.monotonic(), CONNECT_SECONDS + READ_SECONDS))
    options["timeout"] = (min(CONNECT_SECONDS, left), min(READ_SECONDS, left))
    outcome: list[_T] = []
    failure: list[Exception] = []

    def work() -> None:
        try:
            outcome.append(request(*args, **options))
        except Exception as error:
            failure.append(error)

    thread = threading.Thread(target=work, name="request", daemon=True)
    thread.start()
    thread.join(left)
    if failure:
        raise failure[0]
    if not outcome:
        raise Unavailable(f"there was no answer within {left:.1f} s")
    return outcome[0]


class TimedRequests:
    """Stands where a vendor's module expects `requests`: its calls end in time."""

    def __getattr__(self, name: str) -> Any:
        import requests

        found = getattr(requests, name)
        if name not in ("get", "post", "put", "delete"):
            return found
        return partial(send, found)


def translate(error: Exception, provider: str) -> BackendError:
    """A vendor's exception as one of ours, by the HTTP status or network error behind it."""
    status, headers = _find_status(error)
    if status in (401, 403):
        return Unauthorized(
            f"{provider} refuses the credentials (HTTP {status}): check the token in the "
            "environment"
        )
    if status == 404:
        return JobNotFound(f"{provider} does not know what was asked for (HTTP 404)")
    if status == 429:
        limited = RateLimited(f"{provider} asks for fewer requests (HTTP 429): try later")
        limited.was_refused = True
        return _with_pause(limited, headers)
    if status is not None and status >= 500:
        broken = Unavailable(f"{provider} is out of order (HTTP {status})")
        broken.was_refused = status == 503
        return _with_pause(broken, headers)
    if status is not None and status >= 400:
        return BackendError(f"{provider} refuses (HTTP {status}): {_said(error)}")
    kinds = {kind.__name__ for link in chain(error) for kind in type(link).__mro__}
    if kinds & {"JSONDecodeError", "UnicodeDecodeError", "ContentDecodingError"}:
        return BadAnswer(f"{provider} sent something that is no answer")
    if kinds & {"ConnectionError", "Timeout", "TimeoutError", "ChunkedEncodingError", "HTTPError"}:
        return Unavailable(f"{provider} cannot be reached or broke off")
    if status is None and kinds & {"KeyError", "TypeError", "AttributeError", "IndexError"}:
        return BadAnswer(f"{provider}'s answer lacks what belongs into it")
    return BackendError(f"{provider} refuses: {_said(error)}")


def _said(error: Exception) -> str:
    """What the provider says, shortened; never the request."""
    for link in chain(error):
        text = getattr(getattr(link, "response", None), "text", None) or getattr(
            link, "message", None
        )
        if isinstance(text, str) and text:
            return text[:300]
    return str(error)[:300]


def chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and everything that led to it, vendors' own links included."""
    seen: set[int] = set()
    queue: list[Any] = [error]
    while queue:
        link = queue.pop(0)
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            queue += [link.__cause__, link.__context__, getattr(link, "_cause", None)]


def _find_status(error: Exception) -> tuple[int | None, Any]:
    """The HTTP status behind the exception, and the answer's headers where they are known."""
    links = list(chain(error))
    for link in links:
        response: Any = getattr(link, "response", None)
        if getattr(response, "status_code", None) is not None:
            return int(response.status_code), response.headers
    for link in links:
        status = getattr(link, "status_code", None)
        if isinstance(status, int) and status > 0:
            return status, getattr(link, "headers", None) or {}
    return None, {}


def _with_pause(error: BackendError, headers: Any) -> BackendError:
    """The error with the pause that the server asks for, in seconds."""
    text = str(headers.get("Retry-After", "")) if headers else ""
    if text.isdigit():
        error.retry_after_seconds = float(text)
        error.args = (f"{error} (it asks for a pause of {text} s)",)
    return error


def read_json(text: str) -> Any:
    """The parsed text; raises `BadAnswer`."""
    try:
        return json.loads(text)
    except ValueError:
        raise BadAnswer("the provider sent something that is no JSON") from None
