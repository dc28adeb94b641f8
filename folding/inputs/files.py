"""Files that a job names, for those who fold from a terminal: read from beside the job's file."""

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

from folding.errors import InvalidInput, MissingFile
from folding.inputs.text import quoted

MAX_FILE_BYTES = 50_000_000
_OPEN: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
_PACKED = {".zst", ".zstd", ".bz2", ".zip"}


def files_beside(folder: Path) -> Callable[[str], str]:
    """A reader of paths, absolute or from `folder`: plain text, or packed with gzip or xz.

    The reader raises `MissingFile` for a file that is not there, `InvalidInput` for one that is too
    large or not text.
    """

    def read(path: str) -> str:
        try:
            return _read(folder / path).decode("utf-8")
        except (OSError, EOFError, lzma.LZMAError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            kind = MissingFile if isinstance(error, FileNotFoundError) else InvalidInput
            raise kind(f"The file {quoted(path)} cannot be read: {reason}.") from error

    return read


def _read(path: Path) -> bytes:
    suffix = path.suffix.lower()
    if suffix in _PACKED:
        raise InvalidInput(
            f"The file {quoted(path.name)} is packed in a way that is not read. Unpack it, or "
            "pack it with gzip or xz."
        )
    # What is unpacked is counted as it comes: a small file can hold a large one.
    with _OPEN.get(suffix, open)(path, "rb") as file:
        content: bytes = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise InvalidInput(
            f"The file {quoted(path.name)} has more than {MAX_FILE_BYTES / 1e6:.0f} MB. Check that "
            "you chose the right file."
        )
    return content
