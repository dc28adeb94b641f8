"""What was worked out once: bytes in files, such as circuits compiled for a device.

A compiled circuit keeps its parameters: values are bound later, so one entry serves every step of
a training. Entries are files; processes may share a folder. The least recently used go first.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from quantum.circuit import Circuit

logger = logging.getLogger(__name__)
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class FileCache:
    """Bytes by key, in a folder that never holds more than it may.

    A folder that cannot be read or written costs time, and never a result.

    Args:
        max_entries, max_bytes: beyond either, the least recently used entries are removed.
    """

    folder: Path
    max_entries: int = 512
    max_bytes: int = 64 * 2**20

    def get(self, key: str) -> bytes | None:
        """The bytes last stored under the key; None where there are none, or they are damaged."""
        path = self._path(key)
        try:
            found = path.read_bytes()
        except OSError:
            return None
        with suppress(OSError):
            os.utime(path)
        digest, data = found[:_DIGEST_BYTES], found[_DIGEST_BYTES:]
        if sha256(data).digest() != digest:
            _remove(path)
            return None
        return data

    def put(self, key: str, data: bytes) -> None:
        """Stores the bytes, whole or not at all, and makes room."""
        path = self._path(key)
        draft = path.with_suffix(f".{uuid4().hex}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(sha256(data).digest() + data)
            draft.replace(path)
        except OSError as error:
            logger.warning("%s takes nothing more: %s", self.folder, error)
            _remove(draft)
        else:
            self._make_room(keep=path)

    def remember(self, key: str, work: Callable[[], bytes]) -> bytes:
        """The stored bytes, or those of the work, which are stored."""
        found = self.get(key)
        if found is None:
            found = work()
            self.put(key, found)
        return found

    def clear(self) -> None:
        for _, _, path in self._entries():
            _remove(path)

    def __len__(self) -> int:
        return sum(1 for _ in self._entries())

    def _make_room(self, keep: Path) -> None:
        entries = sorted(self._entries(), reverse=True)  # the most recently used first
        total = 0
        for position, (_, size, path) in enumerate(entries):
            total += size
            crowded = position >= self.max_entries or total > self.max_bytes
            if crowded and path != keep:
                _remove(path)

    def _entries(self) -> Iterator[tuple[int, int, Path]]:
        for path in self.folder.glob("*.entry"):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue
            yield state.st_mtime_ns, state.st_size, path

    def _path(self, key: str) -> Path:
        return self.folder / f"{sha256(key.encode()).hexdigest()}.entry"


def _remove(path: Path) -> None:
    with suppress(OSError):  # another process may have been quicker
        path.unlink()


def compiled_key(circuit: Circuit, *target: Any) -> str:
    """Names the circuit's structure as compiled for a target: device, calibration, options."""
    return json.dumps(["compiled", circuit.structure_hash, *target], default=str)
