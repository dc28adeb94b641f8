"""One large file over HTTP: goes on where it stopped, tries again, tries mirrors, says what failed.

What has come so far lies in `TARGET.part`; `TARGET.part.json` says which version of the file it
belongs to, so that a file that changed meanwhile is fetched anew instead of being sewn together.
"""

import errno
import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

from folding.errors import DownloadError
from folding.weights.store import Progress, hash_file

# What is lost when a connection breaks.
CHUNK = 64 * 1024
RESERVE_BYTES = 512 * 1024 * 1024
_TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504))
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_REFUSALS = {
    401: "asks for a sign-in, which this download has not",
    403: "refuses to give the file out (403)",
    404: "does not have the file any more (404)",
    410: "does not have the file any more (410)",
    429: "is asked too often at the moment (429)",
}


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait and how often to try.

    Args:
        connect_seconds: For a server to answer at all.
        stall_seconds: For the next bytes.
        attempts: Failures in a row, without a byte in between, after which an address is given up.
        first_pause_seconds: Before the second attempt; doubles with each, up to the longest.
    """

    connect_seconds: float = 15.0
    stall_seconds: float = 20.0
    attempts: int = 6
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 60.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures, scattered so that many do not come at once."""
        pause = self.first_pause_seconds * 2.0 ** (failures - 1)
        return min(pause, self.longest_pause_seconds) * random.uniform(0.75, 1.25)


@dataclass(frozen=True)
class Origin:
    """Which version of which file a part belongs to: address, validator (RFC 9110), size."""

    url: str
    validator: str
    total: int


class Download:
    """One file on its way to `target`."""

    def __init__(
        self,
        target: Path,
        *,
        sha256: str | None = None,
        at_least_bytes: int = 1,
        space_factor: float = 1.0,
        report: Progress = lambda done, total: None,
        report_check: Progress = lambda done, total: None,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            sha256: What the whole file must have, where it is known.
            at_least_bytes: A shorter file cannot be the right one.
            space_factor: Bytes of disk that must be free for each byte of the file.
            report: Hears the progress, at least twice a second; what it raises ends the download.
            report_check: Hears how far the checksum is, once all has come.
        """
        self.target = target
        self.sha256 = sha256
        self.at_least_bytes = at_least_bytes
        self.space_factor = space_factor
        self.report = report
        self.report_check = report_check
        self.patience = patience or Patience()
        self.sleep = sleep
        self.came_from = ""
        self.part = target.with_name(f"{target.name}.part")
        self.note = target.with_name(f"{target.name}.part.json")

    def run(self, urls: Sequence[str]) -> str:
        """Fetches the file from the first address that gives it; returns its SHA-256.

        `came_from` is that address afterwards, without a password that it may hold.

        Raises:
            DownloadError: no address gave it; says why, for each.
        """
        self.target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        problems: list[DownloadError] = []
        for url in urls:
            try:
                return self._from(url)
            except DownloadError as error:
                problems.append(error)
        transient = any(problem.transient for problem in problems)
        raise DownloadError(" ".join(map(str, problems)) or "No address.", transient=transient)

    def _from(self, url: str) -> str:
        """The whole file from one address, tried as often as it takes."""
        failures, had = 0, self._size()
        while True:
            try:
                self._attempt(url)
                return self._accept(url)
            except DownloadError as error:
                failures = 1 if self._size() > had else failures + 1
                had = self._size()
                if not error.transient or failures >= self.patience.attempts:
                    raise
                asked = min(error.retry_after_seconds, self.patience.longest_pause_seconds)
                self._wait(max(self.patience.pause(failures), asked))

    def _attempt(self, url: str) -> None:
        """Asks for what is missing and writes down what comes.

        Raises:
            DownloadError: it did not come to the file's end.
        """
        offset, origin = self._size(), self._origin(url)
        if offset and origin is None:
            self._forget()
            offset = 0
        with self._request(url, offset, origin) as response:
            if response.status_code == 416 and origin and offset == origin.total:
                return
            self._check(response, url)
            resumes = response.status_code == 206 and _continues(response, offset, origin)
            if response.status_code == 206 and not resumes:
                self._forget()
                raise DownloadError(f"{_host(url)} sent another part than asked.", transient=True)
            if not resumes:
                self._forget()
            self._write(response, url, offset if resumes else 0)

    @contextmanager
    def _request(self, url: str, offset: int, origin: Origin | None) -> Iterator[requests.Response]:
        headers = {"Accept-Encoding": "identity", "User-Agent": "Foldstream"}
        if offset and origin:
            headers |= {"Range": f"bytes={offset}-"}
            headers |= {"If-Range": origin.validator} if origin.validator else {}
        times = (self.patience.connect_seconds, self.patience.stall_seconds)
        try:
            with requests.get(url, headers=headers, stream=True, timeout=times) as response:
                yield response
        except requests.exceptions.InvalidURL:
            raise DownloadError(
                f"{without_password(url)} is no address to download from."
            ) from None
        except requests.exceptions.SSLError:
            raise DownloadError(f"{_host(url)} cannot show that it is who it says.") from None
        except requests.Timeout:
            raise DownloadError(
                f"{_host(url)} did not answer or stopped sending.", transient=True
            ) from None
        except requests.RequestException:
            raise DownloadError(
                f"The connection to {_host(url)} failed or was cut.", transient=True
            ) from None

    def _check(self, response: requests.Response, url: str) -> None:
        """Passes if the answer is the file or a part of it.

        Raises:
            DownloadError: it is anything else.
        """
        status = response.status_code
        if status == 416:
            self._forget()
            raise DownloadError(f"{_host(url)} has another file than before.", transient=True)
        if status not in (200, 206):
            raise DownloadError(
                f"{_host(url)} {_REFUSALS.get(status, f'cannot give the file now ({status})')}.",
                transient=status in _TRANSIENT,
                retry_after_seconds=_retry_after(response),
            )
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise DownloadError(f"{_host(url)} answers with a web page instead of the file.")
        total = _total(response)
        if 0 < total < self.at_least_bytes:
            raise DownloadError(
                f"The file at {_host(url)} has {total:,} bytes, too few to be the weights."
            )

    def _write(self, response: requests.Response, url: str, offset: int) -> None:
        """Appends the body to the part."""
        total = _total(response)
        self._check_space(total, offset)
        with self._room():
            self.note.write_text(json.dumps(asdict(Origin(url, _validator(response), total))))
        done = offset
        self.report(done, total)
        with self._room(), self.part.open("ab") as file:
            for piece in response.iter_content(CHUNK):
                file.write(piece)
                done += len(piece)
                self.report(done, total)
                if 0 < total < done:
                    break
            file.flush()
            os.fsync(file.fileno())
        if 0 < total < done:
            self._forget()
            raise DownloadError(f"{_host(url)} sent more than the {total:,} bytes that it said.")
        if total and done != total:
            raise DownloadError(f"The connection to {_host(url)} was cut.", transient=True)

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Says in words that the disk takes no more; what came so far is kept."""
        try:
            yield
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise DownloadError(
                f"The disk of {self.part.parent} is full. Make room and start the download again: "
                "it goes on where it stopped. Or set FOLDSTREAM_WEIGHTS to a folder on another "
                "disk."
            ) from None

    def _check_space(self, total: int, offset: int) -> None:
        needed = int(total * self.space_factor) - offset + RESERVE_BYTES
        free = shutil.disk_usage(self.part.parent).free
        if free < needed:
            raise DownloadError(
                f"The disk of {self.part.parent} has {free / 1e9:.1f} GB free, and "
                f"{needed / 1e9:.1f} GB are needed. Make room, or set FOLDSTREAM_WEIGHTS to a "
                "folder on another disk."
            )

    def _accept(self, url: str) -> str:
        """Moves the part into place if it is what was wanted."""
        if self._size() < self.at_least_bytes:
            size = self._size()
            self._forget()
            raise DownloadError(f"{_host(url)} sent {size:,} bytes, too few to be the weights.")
        found = hash_file(self.part, report=self.report_check)
        if self.sha256 and found != self.sha256:
            self._forget()
            raise DownloadError(
                f"What {_host(url)} sent is not the published file: its SHA-256 is {found[:16]}… "
                f"instead of {self.sha256[:16]}…. It was thrown away."
            )
        self.came_from = without_password(url)
        self.part.replace(self.target)
        self.note.unlink(missing_ok=True)
        return found

    def _wait(self, seconds: float) -> None:
        """Sleeps in small pieces, so that a cancellation is heard."""
        origin = self._read_note()
        while seconds > 0:
            self.report(self._size(), origin.total if origin else 0)
            self.sleep(min(seconds, 0.5))
            seconds -= 0.5

    def _origin(self, url: str) -> Origin | None:
        """What the part is a part of, if more of it can be asked for at this address.

        Without a validator or a checksum nothing would notice that the file has changed. With a
        checksum, any mirror can go on.
        """
        origin = self._read_note()
        if origin is None or self.sha256:
            return origin and Origin(
                url, "" if origin.url != url else origin.validator, origin.total
            )
        return origin if origin.url == url and origin.validator else None

    def _read_note(self) -> Origin | None:
        try:
            return Origin(**json.loads(self.note.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def without_password(url: str) -> str:
    """The address as it may be shown: whoever keeps a mirror may ask for a password."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _validator(response: requests.Response) -> str:
    """What `If-Range` may name: a strong ETag, or the date of the last change."""
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return str(etag)
    return str(response.headers.get("Last-Modified", ""))


def _continues(response: requests.Response, offset: int, origin: Origin | None) -> bool:
    """Whether a partial answer begins where the part ends, and is of the same version."""
    found = re.match(rf"bytes {offset}-", response.headers.get("Content-Range", ""))
    if found is None or origin is None or _total(response) != origin.total:
        return False
    return not origin.validator or _validator(response) in ("", origin.validator)


def _total(response: requests.Response) -> int:
    """Size of the whole file; 0 where the server does not say."""
    if response.status_code == 206:
        found = re.search(r"/(\d+)$", response.headers.get("Content-Range", ""))
        return int(found[1]) if found else 0
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0


def _retry_after(response: requests.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0
