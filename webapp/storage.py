"""Artifacts: the files that belong to a job, in `DATA_DIR/jobs/<job id>/`.

They are written into a draft folder of the attempt and moved into place as one folder, so that a
folder that bears a job's id is complete. Drafts lie on the same disk, under `jobs/.drafts/`.
"""

from __future__ import annotations

import io
import os
import shutil
import time
import zipfile
from collections.abc import AsyncIterator, Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from asgiref.sync import sync_to_async
from django.conf import settings

CHUNK = 256 * 1024
GRACE_SECONDS = 60
REPLACED, REMOVED = "replaced-", "removed-"
LEFT_OVER = (REPLACED, REMOVED)


def folder(job_id: UUID | str) -> Path:
    """Where the artifacts of a finished job lie."""
    return _root() / str(job_id)


def draft(job_id: UUID | str, *, attempt: int) -> Path:
    """An empty folder for the files of this attempt."""
    path = _drafts() / draft_name(job_id, attempt=attempt)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True, mode=0o700)
    return path


def draft_name(job_id: UUID | str, *, attempt: int) -> str:
    return f"{job_id}.{attempt}"


def install(job_id: UUID | str, *, attempt: int) -> None:
    """Moves the attempt's draft into place. Only whoever holds the job may call it.

    A folder that is already there is what a worker left that died between this move and its commit.
    """
    target = folder(job_id)
    if target.exists():
        target.rename(_drafts() / f"{job_id}.{REPLACED}{uuid4().hex[:8]}")
    (_drafts() / draft_name(job_id, attempt=attempt)).rename(target)


def discard(job_id: UUID | str, *, attempt: int) -> None:
    """Removes the draft of the attempt, and what attempts before it left when they died."""
    for number in range(1, attempt + 1):
        shutil.rmtree(_drafts() / draft_name(job_id, attempt=number), ignore_errors=True)


def state(job_id: UUID | str) -> Path:
    """Where a fold keeps what is done, for attempts to come; made by whoever writes there first."""
    return _drafts() / state_name(job_id)


def state_name(job_id: UUID | str) -> str:
    return f"{job_id}.state"


def has_news(path: Path, *, since: datetime | None) -> bool:
    """Whether something in this folder was written, to its end, since then."""
    try:
        whole = (e for e in os.scandir(path) if not e.name.startswith("."))
        written = [e.stat().st_mtime for e in whole if not e.name.endswith(".partial")]
    except OSError:
        return False
    return since is not None and max(written, default=0.0) >= since.timestamp()


def forget(job_id: UUID | str) -> None:
    """Removes what the attempts of a job have kept for each other."""
    shutil.rmtree(state(job_id), ignore_errors=True)


def remove(job_id: UUID | str) -> None:
    """Removes the artifacts of a job; a draft of a worker that still runs is its own to discard."""
    forget(job_id)
    target = folder(job_id)
    if target.exists():
        doomed = _drafts() / f"{job_id}.{REMOVED}{uuid4().hex[:8]}"
        target.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def sweep(
    *, keep_drafts: Collection[str], known: Collection[str], deleted: Collection[str]
) -> None:
    """Removes what nobody needs: drafts of attempts that do not run, and files of deleted jobs.

    Young ones stay, their owner may be about to be known. Those of jobs that are neither `known`
    nor `deleted` stay too: somebody else may know them.
    """
    for path in _drafts().iterdir():
        job_id, _, kind = path.name.partition(".")
        is_ours = job_id in known or job_id in deleted or kind.startswith(LEFT_OVER)
        if is_ours and path.name not in keep_drafts and _is_old(path):
            shutil.rmtree(path, ignore_errors=True)
    for name in job_ids():
        if name in deleted and _is_old(folder(name)):
            shutil.rmtree(folder(name), ignore_errors=True)


def job_ids() -> list[str]:
    """The jobs that have a folder of artifacts here."""
    return [path.name for path in _root().iterdir() if not path.name.startswith(".")]


def _is_old(path: Path) -> bool:
    """Whether nobody can be about to claim it; False where another sweep was quicker.

    Or where the disk does not say: a network's may fail for a moment.
    """
    try:
        return path.stat().st_mtime < time.time() - GRACE_SECONDS
    except OSError:
        return False


def names(job_id: UUID | str) -> list[str]:
    """The names of a job's artifacts, sorted; none before it has finished."""
    if not folder(job_id).is_dir():
        return []
    entries = os.scandir(folder(job_id))
    return sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))


def find(job_id: UUID | str, name: str) -> Path:
    """The path of one artifact.

    Raises:
        FileNotFoundError: the job has no file of exactly this name.
    """
    if name not in names(job_id):
        raise FileNotFoundError(name)
    return folder(job_id) / name


def file_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, piece by piece."""
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece


def zip_chunks(job_id: UUID | str) -> Iterator[bytes]:
    """A zip archive of the job's artifacts, made while it is sent."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names(job_id):
            entry = zipfile.ZipInfo.from_file(folder(job_id) / name, arcname=name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as packed:
                for piece in file_chunks(folder(job_id) / name):
                    packed.write(piece)
                    yield sink.take()
    yield sink.take()


async def streamed(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces for an ASGI response, read outside the event loop."""
    following = sync_to_async(lambda: next(chunks, None), thread_sensitive=False)
    while (piece := await following()) is not None:
        if piece:
            yield piece


class _Sink(io.RawIOBase):
    """What `zipfile` writes to: a file that cannot seek and forgets what was taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _root() -> Path:
    root = Path(settings.DATA_DIR) / "jobs"
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    return root


def _drafts() -> Path:
    path = _root() / ".drafts"
    path.mkdir(exist_ok=True, mode=0o700)
    return path
