"""Where handles wait for their results: one small JSON file per tag."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from quantum.backends.base import Handle
from quantum.errors import Damaged, InvalidValues

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class HandleStore:
    """A folder of handles that survives restarts; processes may share it."""

    folder: Path

    def save(self, handle: Handle) -> None:
        """Writes the handle under its tag, whole or not at all."""
        path = self._path(handle.tag)
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{uuid4().hex}")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(handle.to_json(), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def find(self, tag: str) -> Handle | None:
        """The handle with this tag.

        Raises:
            Damaged: it cannot be read, so nobody knows whether its job was sent.
        """
        path = self._path(tag)
        try:
            return Handle.from_json(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Damaged(
                f"the submission {path} cannot be read: restore it, or delete it once its job is "
                "settled with the provider"
            ) from None

    def remove(self, tag: str) -> None:
        """Forgets the tag; nothing happens where there is none."""
        self._path(tag).unlink(missing_ok=True)

    def __iter__(self) -> Iterator[Handle]:
        """Every handle that can be read."""
        for path in sorted(self.folder.glob("[!.]*.json")):
            with suppress(Damaged):
                if handle := self.find(path.stem):
                    yield handle

    def _path(self, tag: str) -> Path:
        if not _TAG.fullmatch(tag):
            raise InvalidValues(f"a tag is letters, digits, '.', '_' and '-', not {tag!r}")
        return self.folder / f"{tag}.json"
