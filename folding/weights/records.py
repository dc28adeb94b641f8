"""The file format of AlphaFold 3's parameters: records of scope, name, type, shape and numbers.

A record begins with five little-endian 32-bit integers: the lengths of scope, name and type, the
number of axes, and the bytes of numbers. Then come those. Files are plain (`.bin`) or compressed
with Zstandard (`.bin.zst`). Nothing in them is run.
"""

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from folding.errors import WeightsError

FOURIER_FILES = ("{stem}_fourier.npz", "intfold_fourier.npz")
"""Where the noise embedding may be that is not among the records; `{stem}` is the file's name."""

_ZSTD = b"\x28\xb5\x2f\xfd"
_HEADER = struct.Struct("<5i")
_TYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "uint8": torch.uint8,
}
_LONGEST_TEXT, _MOST_AXES = 1024, 8


@runtime_checkable
class Stream(Protocol):
    """What bytes can be read from, one after the other."""

    def read(self, size: int, /) -> bytes: ...


def are_records(start: bytes) -> bool:
    """Whether a file that starts with these (at least 20) bytes is one of records, as it seems."""
    if start.startswith(_ZSTD):
        return True
    if len(start) < _HEADER.size:
        return False
    scope, name, kind, axes, size = _HEADER.unpack_from(start)
    plausible = 0 < scope <= _LONGEST_TEXT and 0 < name <= _LONGEST_TEXT
    return plausible and 0 < kind <= 16 and 0 <= axes <= _MOST_AXES and size >= 0


def read_records(path: Path) -> dict[str, Tensor]:
    """The arrays of a file by ``scope:name``; with them what a Fourier file beside it holds.

    Raises:
        WeightsError: the file cannot be read, is damaged, or repeats an array.
    """
    arrays: dict[str, Tensor] = {}
    with _opened(path) as stream:
        for name, array in _records(stream, path.name):
            if name in arrays:
                raise WeightsError(f"{path.name} holds {name} twice.")
            arrays[name] = array
    if not arrays:
        raise WeightsError(f"{path.name} is empty, or cut short.")
    return arrays | _fourier(path)


@contextmanager
def _opened(path: Path) -> Iterator[Stream]:
    try:
        with path.open("rb") as file:
            compressed = file.read(len(_ZSTD)) == _ZSTD
            file.seek(0)
            if not compressed:
                yield file
                return
            import zstandard

            try:
                with zstandard.ZstdDecompressor().stream_reader(file) as stream:
                    yield stream
            except zstandard.ZstdError:
                raise WeightsError(f"{path.name} is damaged: it does not decompress.") from None
    except OSError as error:
        raise WeightsError(f"{path.name} cannot be read: {error.strerror}.") from None


def _records(stream: Stream, source: str) -> Iterator[tuple[str, Tensor]]:
    while header := _read(stream, _HEADER.size, source, may_end=True):
        if not are_records(header):
            raise WeightsError(f"{source} is damaged, or holds no records of AlphaFold 3.")
        scope_length, name_length, type_length, n_axes, n_bytes = _HEADER.unpack(header)
        text = _read(stream, scope_length + name_length + type_length, source)
        try:
            scope = text[:scope_length].decode()
            name = text[scope_length : scope_length + name_length].decode()
            kind = text[scope_length + name_length :].decode()
        except UnicodeDecodeError:
            raise WeightsError(f"{source} is damaged: a name is no text.") from None
        shape = struct.unpack(f"<{n_axes}i", _read(stream, 4 * n_axes, source))
        full = f"{scope}:{name}"
        if kind not in _TYPES:
            raise WeightsError(f"{full} has numbers of type {kind!r}, which AlphaFold 3 has not.")
        dtype = _TYPES[kind]
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != n_bytes:
            raise WeightsError(f"{full} says shape {list(shape)}, but holds {n_bytes} bytes.")
        numbers = bytearray(_read(stream, n_bytes, source))
        yield full, torch.frombuffer(numbers, dtype=dtype).reshape(shape)


def _read(stream: Stream, size: int, source: str, *, may_end: bool = False) -> bytes:
    """So many bytes; none at the end if the stream may end here."""
    pieces = bytearray()
    while len(pieces) < size:
        piece = stream.read(min(size - len(pieces), 2**24))
        if not piece:
            break
        pieces += piece
    if len(pieces) == size or (may_end and not pieces):
        return bytes(pieces)
    raise WeightsError(f"{source} is cut short.")


def _fourier(path: Path) -> dict[str, Tensor]:
    """The noise embedding from a file beside the records, where there is one."""
    stem = path.name.removesuffix(".zst").removesuffix(".bin")
    for pattern in FOURIER_FILES:
        beside = path.with_name(pattern.format(stem=stem))
        if not beside.exists():
            continue
        try:
            with np.load(beside, allow_pickle=False) as file:
                arrays = {f"fourier:{name}": np.asarray(file[name]) for name in ("weight", "bias")}
        except (OSError, ValueError, KeyError):
            raise WeightsError(f"{beside.name} holds no noise embedding.") from None
        return {name: torch.from_numpy(x).float().ravel() for name, x in arrays.items()}
    return {}
