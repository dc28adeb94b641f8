"""Alignments that were found before, on disk by the hash of what was asked.

The least recently used ones go when all together are larger than the limit. Files are written under
another name and renamed, so that readers see whole ones.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from webapp.integrations.msa.server import TicketStore

# A ticket that is older than this is no longer known to any server.
TICKET_SECONDS = 24 * 3600


def key_of(question: Mapping[str, Any]) -> str:
    """The hash of everything that the answer depends on."""
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


class Cache:
    """Texts by key in a folder, at most so many bytes of them."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.folder, self.max_bytes = folder, max_bytes

    def get(self, key: str) -> str | None:
        """The text, or None; a damaged file counts as none and is removed."""
        path = self._path(key)
        try:
            text = gzip.decompress(path.read_bytes()).decode()
        except FileNotFoundError:
            return None
        except (OSError, EOFError, zlib.error, UnicodeDecodeError):
            path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(FileNotFoundError):  # another worker may have pruned it
            os.utime(path)
        return text

    def put(self, key: str, text: str) -> None:
        """Keeps the text, and forgets what was not used for longest."""
        self._write(self._path(key), gzip.compress(text.encode(), compresslevel=3))
        self.prune()

    def prune(self) -> None:
        """Removes the least recently used texts above the limit."""
        ages = []
        for path in self.folder.glob("*/*.gz"):
            with contextlib.suppress(FileNotFoundError):
                known = path.stat()
                ages.append((known.st_mtime_ns, known.st_size, path))
        total = sum(size for _, size, _ in ages)
        for _, size, path in sorted(ages):
            if total <= self.max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size

    def tickets(self, key: str) -> TicketStore:
        """Where the ticket of a request that is under way is kept."""
        return _KeptTicket(self, self._path(key).with_suffix(".ticket"))

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.gz"

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
        draft.write_bytes(content)
        draft.rename(path)


class _KeptTicket(TicketStore):
    """A ticket in a file, for the worker that goes on after a restart."""

    def __init__(self, cache: Cache, path: Path) -> None:
        self._cache, self._path = cache, path

    def load(self) -> str:
        try:
            if time.time() - self._path.stat().st_mtime > TICKET_SECONDS:
                return ""
            return self._path.read_text()
        except OSError:
            return ""

    def save(self, ticket: str) -> None:
        if ticket:
            self._cache._write(self._path, ticket.encode())
        else:
            self._path.unlink(missing_ok=True)
