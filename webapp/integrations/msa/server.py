"""A ColabFold-compatible alignment server: submit sequences, wait, download.

The API (Mirdita et al. 2022): `POST ticket/msa` or `ticket/pair` gives a ticket, `GET ticket/ID`
its status, `GET result/download/ID` a tar of A3M files. Whatever the server does, a call ends:
each request has a deadline, failures are tried again with growing pauses, and both are counted.
"""

from __future__ import annotations

import base64
import json
import random
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from tempfile import TemporaryFile
from typing import IO, Any, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from folding.errors import FoldingError

State = Literal[
    "submitting",
    "pending",
    "running",
    "rate_limited",
    "maintenance",
    "retrying",
    "downloading",
]
Kind = Literal["msa", "pair"]
FIRST_NUMBER = 101
"""Number of the first sequence of a request, by convention of ColabFold."""
MAX_DOWNLOAD_BYTES = 512 * 2**20
MAX_UNPACKED_BYTES = 2 * 2**30
MAX_ANSWER_BYTES = 2**20
CHUNK_BYTES = 2**16
USER_AGENT = "foldstream/1 (alignment client)"
_TOO_MANY, _SERVER_ERROR = 429, 500
_MAINTENANCE, _NOT_FOUND = 503, 404
_UNPAIRED_FILES = ("uniref.a3m", "bfd.mgnify30.metaeuk30.smag30.a3m")
_PAIRED_FILES = ("pair.a3m",)


class ServerFailed(FoldingError):
    """The alignment server gave no alignment."""


class _Unfinished(ServerFailed):
    """The server may have a result yet: its ticket is worth another look."""


class _Again(Exception):
    """Worth another try; `pause_seconds` is what the server asked for, if it did."""

    def __init__(self, why: str, *, state: State = "retrying", pause_seconds: float = 0) -> None:
        super().__init__(why)
        self.state: State = state
        self.pause_seconds = pause_seconds


class _Lost(_Again):
    """The server does not know the ticket any more."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds.

    Args:
        request: One request, from its start to its last byte.
        download: The download of a result.
        poll: Between two looks at a ticket, growing from the first to the second.
        pause: After a failure, growing from the first to the second.
        total: From the first submission to the result.
        failures: Failures in a row that are borne.
    """

    request: float = 60.0
    download: float = 1800.0
    poll: tuple[float, float] = (2.0, 20.0)
    pause: tuple[float, float] = (5.0, 120.0)
    total: float = 6 * 3600.0
    failures: int = 8


@dataclass(frozen=True)
class Waiting:
    """Where a request stands."""

    state: State
    seconds: float
    why: str = ""


Report = Callable[[Waiting], None]


class TicketStore:
    """Remembers a ticket across restarts of the worker. This one forgets."""

    def load(self) -> str:
        return ""

    def save(self, ticket: str) -> None:
        pass


class Server:
    """One server, and how patient to be with it.

    Args:
        url: Its root, such as `https://msa.example.org`; `https://user:password@…` signs in.
        uses_env: Whether environmental sequences are searched too.
        sleep: Waits so many seconds.
        clock: Seconds, growing.
    """

    def __init__(
        self,
        url: str,
        *,
        uses_env: bool = True,
        patience: Patience = Patience(),
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url.rstrip("/"))
        who, _, host = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=host).geturl()
        self.password = base64.b64encode(unquote(who).encode()).decode("ascii")
        self.uses_env = uses_env
        self._patience, self._sleep, self._clock = patience, sleep, clock

    @property
    def host(self) -> str:
        """The name that people know it by."""
        return urlsplit(self.url).netloc

    def unpaired(
        self, sequences: Sequence[str], *, report: Report, tickets: TicketStore | None = None
    ) -> tuple[str, ...]:
        """An A3M alignment for each sequence.

        Raises:
            ServerFailed: Says what the server did, and what would help.
        """
        mode = "env" if self.uses_env else "all"
        names = _UNPAIRED_FILES if self.uses_env else _UNPAIRED_FILES[:1]
        return self._ask("msa", mode, sequences, names, report=report, tickets=tickets)

    def paired(
        self, sequences: Sequence[str], *, report: Report, tickets: TicketStore | None = None
    ) -> tuple[str, ...]:
        """An A3M alignment for each sequence; rows with the same `key=` pair.

        Raises:
            ServerFailed: Says what the server did, and what would help.
        """
        found = self._ask(
            "pair", "pairgreedy", sequences, _PAIRED_FILES, report=report, tickets=tickets
        )
        return tuple(_keyed(text) for text in found)

    def _ask(
        self,
        kind: Kind,
        mode: str,
        sequences: Sequence[str],
        names: Sequence[str],
        *,
        report: Report,
        tickets: TicketStore | None,
    ) -> tuple[str, ...]:
        conversation = _Conversation(self, self._patience, report, self._sleep, self._clock)
        return conversation.run(kind, mode, sequences, names, tickets or TicketStore())


class _Conversation:
    """One request from its submission to its result, with its failures counted."""

    def __init__(
        self,
        server: Server,
        patience: Patience,
        report: Report,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self.server, self.patience = server, patience
        self._report, self._sleep, self._clock = report, sleep, clock
        self._began = clock()
        self._failures = 0
        self._jitter = random.Random()

    def run(
        self,
        kind: Kind,
        mode: str,
        sequences: Sequence[str],
        names: Sequence[str],
        tickets: TicketStore,
    ) -> tuple[str, ...]:
        try:
            found = self._result(kind, mode, sequences, names, tickets)
        except _Unfinished:
            raise
        except ServerFailed:
            tickets.save("")
            raise
        tickets.save("")
        return found

    def _result(
        self,
        kind: Kind,
        mode: str,
        sequences: Sequence[str],
        names: Sequence[str],
        tickets: TicketStore,
    ) -> tuple[str, ...]:
        ticket = tickets.load()
        while True:
            try:
                if not ticket:
                    ticket = self._submit(kind, mode, sequences)
                    tickets.save(ticket)
                self._wait(ticket)
                return self._download(ticket, names, n_sequences=len(sequences))
            except _Again as failure:
                if failure.state != "downloading":
                    ticket = ""
                    tickets.save("")
                self._bear(failure)

    def _submit(self, kind: Kind, mode: str, sequences: Sequence[str]) -> str:
        self._say("submitting")
        numbered = enumerate(sequences, start=FIRST_NUMBER)
        query = "".join(f">{number}\n{sequence}\n" for number, sequence in numbered)
        answer = self._json(f"ticket/{kind}", {"q": query, "mode": mode})
        status, ticket = str(answer.get("status", "")), str(answer.get("id", ""))
        self._check(status)
        if not ticket or not ticket.replace("-", "").replace("_", "").isalnum():
            raise _Again("it gave no ticket")
        return ticket

    def _wait(self, ticket: str) -> None:
        """Returns when the ticket's result is there."""
        pause, longest = self.patience.poll
        while True:
            try:
                status = str(self._json(f"ticket/{ticket}").get("status", ""))
            except _Lost:
                raise
            except _Again as failure:
                # The ticket is still good: only the look at it failed.
                self._bear(failure)
                continue
            self._check(status)
            if status == "COMPLETE":
                return
            self._failures = 0
            self._rest("running" if status == "RUNNING" else "pending", pause)
            pause = min(1.5 * pause, longest)

    def _check(self, status: str) -> None:
        """Raises for what is neither waiting nor done."""
        match status:
            case "PENDING" | "RUNNING" | "COMPLETE":
                return
            case "RATELIMIT":
                raise _Again("it asks for fewer requests", state="rate_limited")
            case "MAINTENANCE":
                raise _Again("it is in maintenance", state="maintenance")
            case "UNKNOWN":
                raise _Lost("it does not know the request any more")
            case "ERROR":
                raise ServerFailed(
                    f"The alignment server {self.server.host} could not work on this sequence. "
                    "Check the sequence, upload an alignment, or fold without one."
                )
        raise _Again(f"it gave a status that is not known, “{status[:40]}”")

    def _download(self, ticket: str, names: Sequence[str], *, n_sequences: int) -> tuple[str, ...]:
        self._say("downloading")
        with TemporaryFile() as file:
            try:
                with self._open(f"result/download/{ticket}", None) as answer:
                    self._copy(answer, file)
                file.seek(0)
                return unpack(file, names, n_sequences=n_sequences)
            except _Lost:
                raise
            except _Again as failure:
                raise _Again(str(failure), state="downloading") from failure

    def _copy(self, answer: Any, file: IO[bytes]) -> None:
        deadline = self._clock() + self.patience.download
        for piece in self._pieces(answer, deadline, most=MAX_DOWNLOAD_BYTES):
            file.write(piece)
            self._say("downloading")

    def _json(self, path: str, data: Mapping[str, str] | None = None) -> dict[str, Any]:
        deadline = self._clock() + self.patience.request
        with self._open(path, data) as answer:
            body = b"".join(self._pieces(answer, deadline, most=MAX_ANSWER_BYTES))
        try:
            found = json.loads(body)
        except ValueError as error:
            raise _Again("its answer is no JSON") from error
        if not isinstance(found, dict):
            raise _Again("its answer is no JSON object")
        return found

    def _pieces(self, answer: Any, deadline: float, *, most: int) -> Iterator[bytes]:
        size = 0
        while piece := answer.read1(CHUNK_BYTES):
            size += len(piece)
            if size > most:
                raise ServerFailed(
                    f"The answer of the alignment server {self.server.host} is larger than "
                    f"{most // 2**20} MB. Fold fewer chains at once."
                )
            if self._clock() > deadline:
                raise _Again("its answer took too long")
            yield piece
        expected = answer.headers.get("Content-Length", "")
        if expected.isdigit() and size < int(expected):
            raise _Again("its answer was cut off")

    @contextmanager
    def _open(self, path: str, data: Mapping[str, str] | None) -> Iterator[Any]:
        """The answer to a request; every way in which it can fail becomes one of ours."""
        body = urlencode(data).encode() if data is not None else None
        request = Request(f"{self.server.url}/{path}", data=body)
        request.add_header("User-Agent", USER_AGENT)
        if self.server.password:
            request.add_unredirected_header("Authorization", f"Basic {self.server.password}")
        try:
            with build_opener(_Redirects).open(request, timeout=self.patience.request) as answer:
                yield answer
        except HTTPError as error:
            raise self._refused(error) from error
        except URLError as error:
            raise _Again(f"it cannot be reached ({error.reason})") from error
        except TimeoutError as error:
            raise _Again("it did not answer in time") from error
        except (OSError, HTTPException) as error:
            raise _Again(f"the connection broke ({type(error).__name__})") from error

    def _refused(self, error: HTTPError) -> Exception:
        with error:
            if error.code == _TOO_MANY:
                asked = _seconds(error.headers.get("Retry-After", ""))
                return _Again(
                    "it asks for fewer requests", state="rate_limited", pause_seconds=asked
                )
            if error.code == _MAINTENANCE:
                asked = _seconds(error.headers.get("Retry-After", ""))
                return _Again("it is in maintenance", state="maintenance", pause_seconds=asked)
            if error.code >= _SERVER_ERROR:
                return _Again(f"it failed (HTTP {error.code})")
            if error.code == _NOT_FOUND:
                return _Lost("it does not know the request any more")
        return ServerFailed(
            f"The alignment server {self.server.host} refused the request (HTTP {error.code}). "
            "Ask whoever runs this server to check its address."
        )

    def _bear(self, failure: _Again) -> None:
        """Pauses before the next try, longer each time.

        Raises:
            ServerFailed: There were too many.
        """
        self._failures += 1
        if self._failures > self.patience.failures:
            final = ServerFailed if failure.state == "downloading" else _Unfinished
            raise final(
                f"The alignment server {self.server.host} gave no alignment: {failure}, "
                f"{self._failures} times in a row. Try again later, upload an alignment, or fold "
                "without one."
            ) from failure
        first, longest = self.patience.pause
        pause = min(first * 2 ** (self._failures - 1), longest)
        pause = max(pause * self._jitter.uniform(0.75, 1.25), failure.pause_seconds)
        self._rest(failure.state, min(pause, 10 * longest), why=str(failure))

    def _rest(self, state: State, seconds: float, *, why: str = "") -> None:
        """Sleeps in short pieces, so that whoever listens can end it."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            self._say(state, why=why)
            self._sleep(min(left, 1.0))

    def _say(self, state: State, *, why: str = "") -> None:
        waited = self._clock() - self._began
        if waited > self.patience.total:
            raise _Unfinished(
                f"The alignment server {self.server.host} has not finished after "
                f"{waited / 3600:.1f} hours. Try again later, upload an alignment, or fold without "
                "one."
            )
        self._report(Waiting(state=state, seconds=waited, why=why))


class _Redirects(HTTPRedirectHandler):
    """Follows redirects; a password goes on to the same server alone."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        signed = req.unredirected_hdrs.get("Authorization")
        if following is not None and signed and _is_same_server(req.full_url, newurl):
            following.add_unredirected_header("Authorization", signed)
        return following


def _is_same_server(asked: str, sent_to: str) -> bool:
    """Whether an address is at the same server, or at the same one behind TLS."""
    before, after = urlsplit(asked), urlsplit(sent_to)
    if before.hostname != after.hostname:
        return False
    is_safer = (before.scheme, after.scheme) == ("http", "https") and after.port in (None, 443)
    return is_safer or (before.scheme, before.port) == (after.scheme, after.port)


def unpack(file: IO[bytes], names: Sequence[str], *, n_sequences: int) -> tuple[str, ...]:
    """The alignments of a result, one for each sequence, the files' rows one after the other.

    Raises:
        _Again: It is no tar, was cut off, or lacks what was asked for.
    """
    texts: list[list[str]] = [[] for _ in range(n_sequences)]
    try:
        with tarfile.open(fileobj=file, mode="r:*") as archive:
            there = set(archive.getnames())
            wanted = [name for name in names if name in there or name == names[0]]
            found = {name: _member(archive, name) for name in wanted}
    except (tarfile.TarError, zlib.error, EOFError, OSError, KeyError, UnicodeDecodeError) as error:
        raise _Again(f"its result cannot be unpacked ({error})") from error
    for name, text in found.items():
        for index, part in _by_sequence(text).items():
            if index < n_sequences:
                rows = part if not texts[index] else _without_first(part)
                texts[index].append(rows)
        if name == names[0] and not all(texts):
            raise _Again("its result lacks a sequence")
    return tuple("".join(parts) for parts in texts)


def _member(archive: tarfile.TarFile, name: str) -> str:
    """The text of one file of the archive; nothing is unpacked to a path that it names."""
    member = archive.getmember(name)
    file = archive.extractfile(member)
    if file is None or member.size > MAX_UNPACKED_BYTES:
        raise tarfile.TarError(f"{name} is no file of a size that can be read")
    return file.read().decode("utf-8")


def _by_sequence(text: str) -> dict[int, str]:
    """The alignments of one file by the index of their sequence; NUL bytes stand between them."""
    parts: dict[int, str] = {}
    for part in text.split("\0"):
        part = part.strip()
        number, *_ = (*part[1:].split("\n", 1)[0].split(), "")
        if part.startswith(">") and number.isdigit():
            parts[int(number) - FIRST_NUMBER] = part + "\n"
    return parts


def _without_first(a3m: str) -> str:
    """The rows of an alignment but its first, which every file repeats."""
    start = a3m.find("\n>")
    return a3m[start + 1 :] if start >= 0 else ""


def _keyed(a3m: str) -> str:
    """Rows that pair by their place get a key that says so; rows of gaps stand for no partner."""
    lines = a3m.splitlines()
    kept = []
    for place, (header, row) in enumerate(zip(lines[::2], lines[1::2], strict=False)):
        if row.strip("-"):
            kept.append(f"{header} key=pair{place}\n{row}\n" if place else f"{header}\n{row}\n")
    return "".join(kept)


def _seconds(text: str) -> float:
    """The seconds of a `Retry-After`; 0 where it is a date or nothing."""
    return float(text) if text.strip().isdigit() else 0.0
