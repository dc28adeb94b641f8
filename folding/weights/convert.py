"""A checkpoint of any dialect, once, into the safetensors file that every start maps.

Checkpoints are read as data: PyTorch's unpickler for weights builds tensors and plain containers
and nothing else, so that a file that wants to run code is refused, not run.
"""

import json
import pickle
import struct
import zipfile
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from folding.errors import WeightsError
from folding.weights import dialects
from folding.weights.own import check, read_tensors, skeleton
from folding.weights.records import are_records, read_records
from folding.weights.store import Facts, Progress, Store

ALIGNMENT = 64
_ZIP = b"PK\x03\x04"
_WRAPPERS = ("model", "state_dict", "params", "module")
# Settings that OpenFold3's checkpoints carry beside the tensors; read as nothing.
_IGNORED = (
    "openfold3.projects.of3_all_atom.model.OpenFold3",
    "ml_collections.config_dict.config_dict.ConfigDict",
    "ml_collections.config_dict.config_dict.FieldReference",
    "ml_collections.config_dict.config_dict._Op",
    "_operator.add",
    "builtins.int",
    "builtins.bool",
    "builtins.float",
    "pathlib.PosixPath",
    "pathlib._local.PosixPath",
)


@dataclass(frozen=True)
class Source:
    """A checkpoint to convert: its file, where it came from, its checksum, and if that was met."""

    path: Path
    origin: str
    sha256: str
    checked: bool = False


def convert(
    source: Source,
    store: Store,
    name: str,
    *,
    config: str | None,
    version: str,
    report: Progress = lambda done, total: None,
) -> Facts:
    """Makes the model be in the store; the caller holds its `sole_writer`.

    Args:
        config: Name of the published network that the tensors must fit; None tries all.
        version: Of the code, for the record.

    Raises:
        WeightsError: the file is no checkpoint, wants to run code, or does not fit.
    """
    state = read_checkpoint(source.path)
    _check_kinds(state, source.path.name)
    dialect, fits, own = dialects.read(state, config=config)
    del state
    _check(own, dialect.configs[fits])
    target = store.path(name)
    draft = target.with_name(f"{target.name}.draft")
    try:
        checksum = write_tensors(draft, own, report=report)
        # Without its JSON a file does not count, so that no moment has one file's facts beside
        # the other's tensors.
        target.with_suffix(".json").unlink(missing_ok=True)
        draft.replace(target)
    except OSError as error:
        raise WeightsError(
            f"The weights cannot be written to {target.parent}: {error.strerror}. Make room there, "
            "or set FOLDSTREAM_WEIGHTS to another folder."
        ) from None
    finally:
        draft.unlink(missing_ok=True)
    facts = Facts(
        name=name,
        sha256=checksum,
        bytes=target.stat().st_size,
        source=source.origin,
        source_sha256=source.sha256,
        source_checked=source.checked,
        dialect=dialect.name,
        config=fits,
        parameters=sum(tensor.numel() for tensor in skeleton(dialect.configs[fits]).parameters()),
        made_by=version,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    store.record(facts)
    return facts


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, mapped where the format allows it; nothing is run.

    Raises:
        WeightsError: the file cannot be read, is no checkpoint, or holds more than data.
    """
    try:
        with path.open("rb") as file:
            start = file.read(20)
    except OSError as error:
        raise WeightsError(f"{path.name} cannot be read: {error.strerror}.") from None
    if start[8:9] == b"{":
        return read_tensors(path)
    if are_records(start):
        return read_records(path)
    return _tensors_in(_unpickled(path, mapped=start[:4] == _ZIP), path.name)


def write_tensors(path: Path, tensors: dict[str, Tensor], *, report: Progress) -> str:
    """Writes a safetensors file, emptying `tensors` on the way; returns its SHA-256.

    One tensor at a time is copied at most, and large ones begin at multiples of 64 bytes.
    """
    order = sorted(tensors, key=lambda name: (tensors[name].nbytes % ALIGNMENT != 0, name))
    total, done = sum(tensor.nbytes for tensor in tensors.values()), 0
    digest = sha256()
    with path.open("wb") as file:
        _put(file, digest, _header(tensors, order))
        for name in order:
            tensor = tensors.pop(name).contiguous()
            _put(file, digest, tensor.reshape(-1).view(torch.uint8).numpy().data)
            done += tensor.nbytes
            report(done, total)
    return digest.hexdigest()


def _header(tensors: Mapping[str, Tensor], order: list[str]) -> bytes:
    """The length and the JSON that a safetensors file begins with, padded with spaces."""
    entries: dict[str, Any] = {}
    start = 0
    for name in order:
        end = start + tensors[name].nbytes
        shape = list(tensors[name].shape)
        entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
        start = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    return struct.pack("<Q", len(text)) + text


def _put(file: IO[bytes], digest: Any, data: Any) -> None:
    file.write(data)
    digest.update(data)


def _check_kinds(state: Mapping[str, Tensor], source: str) -> None:
    """Passes if the maps among the tensors are dense floating-point numbers.

    Raises:
        WeightsError: naming one that is not, as in quantised or pruned weights.
    """
    for name, tensor in state.items():
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise WeightsError(f"{source} holds {name} packed in a way that is not read here.")
        if tensor.ndim > 1 and not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise WeightsError(
                f"{source} holds {name} as {kind} numbers. Quantised weights are not read: bring "
                "those in float32, float16 or bfloat16."
            )


def _check(own: dict[str, Tensor], config: Any) -> None:
    """Makes all of them float32; passes if they are the network's and no number is missing.

    Raises:
        WeightsError: naming a tensor that is not.
    """
    check(skeleton(config), own, source="The checkpoint")
    for name, tensor in own.items():
        own[name] = tensor.to(torch.float32)
        if not torch.isfinite(own[name]).all():
            raise WeightsError(f"{name} holds numbers that are infinite or not numbers at all.")


class _Nothing:
    """Stands where a checkpoint names a class that is not needed: takes all, does nothing."""

    def __new__(cls, *args: Any, **words: Any) -> "_Nothing":
        return super().__new__(cls)

    def __init__(self, *args: Any, **words: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def _unpickled(path: Path, *, mapped: bool) -> Any:
    with _refusals(path), torch.serialization.safe_globals([(_Nothing, n) for n in _IGNORED]):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)


@contextmanager
def _refusals(path: Path) -> Any:
    """Says in words why the unpickler would not read the file."""
    try:
        yield
    except pickle.UnpicklingError as error:
        if "global" in str(error).lower():
            raise WeightsError(
                f"{path.name} holds more than tensors{_strangers(path)}, and opening it could run "
                "code, so it was not opened. Ask for a safetensors file, or one of tensors alone."
            ) from None
        raise _no_checkpoint(path) from None
    except (
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        AssertionError,
        zipfile.BadZipFile,
        OSError,
        struct.error,
        UnicodeDecodeError,
    ):
        raise _no_checkpoint(path) from None


def _no_checkpoint(path: Path) -> WeightsError:
    return WeightsError(
        f"{path.name} is no checkpoint that can be read: neither PyTorch's format nor safetensors, "
        "or cut short."
    )


def _strangers(path: Path) -> str:
    """The first names that the file would import, in brackets; nothing where they are unknown."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # It only makes the sentence better, and the file may be anything.
        return ""
    return f" ({', '.join(sorted(set(names) - set(_IGNORED))[:3])})" if names else ""


def _tensors_in(found: Any, name: str) -> dict[str, Tensor]:
    """The state dict in what a checkpoint holds: itself, averaged weights first, or in a wrapper.

    Raises:
        WeightsError: there is none.
    """
    if isinstance(found, dict):
        found = _averaged(found)
    for wrapper in _WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if not isinstance(found, dict) or not found:
        raise WeightsError(f"{name} holds no named tensors.")
    strange = [key for key, value in found.items() if not isinstance(value, Tensor)]
    if strange:
        raise WeightsError(f"{name} holds {strange[0]!r} among its tensors, which is none.")
    return {str(key): value for key, value in found.items()}


def _averaged(found: dict[Any, Any]) -> Any:
    """The averaged weights, as OpenFold3 and our own training keep them; else what was found."""
    ema = found.get("ema")
    for averaged in (ema.get("params") if isinstance(ema, dict) else None, found.get("average")):
        if isinstance(averaged, dict) and any(isinstance(v, Tensor) for v in averaged.values()):
            return averaged
    return found
