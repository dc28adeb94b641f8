"""States and measurement records on disk, with where they came from; old unused ones go.

A state is a vector of amplitudes (qubit 0 is the most significant bit of the index), a record is
counts of bit strings. Each is one file: written whole, then renamed, so that readers never see
half of one. It names the SHA-256 of what it holds, so that a damaged one is found out.
"""

import hashlib
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from jaxtyping import Complex
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from quantum.circuit import Number
from quantum.errors import Damaged, InvalidValues, QuantumError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class StateNotFound(QuantumError, KeyError):
    """There is no such state: it was never saved, or was evicted since."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a state came from.

    Args:
        circuit: structure hash; `values` those of its parameters.
        created: seconds since 1970.
        note: whatever else should be remembered; plain JSON.
    """

    backend: str = ""
    circuit: str = ""
    values: dict[str, float] = field(default_factory=dict)
    shots: int | None = None
    seed: int | None = None
    created: float = 0.0
    note: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored item.

    Args:
        kind: `state` or `counts`; `damaged` where the file does not say any more.
        last_used: seconds since 1970; `uses` counts loads.
    """

    name: str
    kind: str
    bytes: int
    last_used: float
    uses: int
    provenance: Provenance


@dataclass(frozen=True)
class StateManager:
    """A folder of states and records.

    What stays is decided by a score that decays: uses, halved for every `half_life_seconds` since
    the last one. When the folder is full, the lowest scores go first.

    Args:
        max_age_seconds: unused for longer, an entry goes at the next `evict`; None keeps it.
        clock: seconds since 1970.
    """

    folder: Path
    max_bytes: int = 2**30
    max_age_seconds: float | int | None = None
    half_life_seconds: float | int = 7 * 86400
    clock: Callable[[], float] = time.time

    def save_state(
        self,
        name: str,
        state: Complex[Tensor, " amplitude"],
        *,
        provenance: Provenance | None = None,
    ) -> Entry:
        """Stores the amplitudes, exactly as they are.

        Raises:
            InvalidValues: not 2^n amplitudes, or not of norm 1.
        """
        norm = float(state.abs().square().sum())
        if state.numel() < 2 or state.numel() & (state.numel() - 1) or not math.isclose(
            norm, 1.0, abs_tol=1e-3
        ):  # fmt: skip
            raise InvalidValues(
                f"a state has 2^n amplitudes and norm 1, not {state.numel()} and {norm:.4g}"
            )
        tensors = {"amplitudes": torch.view_as_real(state.detach().cpu()).contiguous()}
        return self._save(name, "state", tensors, {}, provenance)

    def save_counts(
        self, name: str, counts: Mapping[str, int], *, provenance: Provenance | None = None
    ) -> Entry:
        """Stores how often each bit string was read, qubit 0 first."""
        _check_counts(counts)
        return self._save(name, "counts", {}, dict(counts), provenance)

    def load_state(self, name: str) -> Complex[Tensor, " amplitude"]:
        """The amplitudes; raises `StateNotFound` and `Damaged`."""
        _, tensors = self._held(name, "state")
        self._use(name)
        return torch.view_as_complex(tensors["amplitudes"].contiguous())

    def load_counts(self, name: str) -> dict[str, int]:
        """The counts; raises `StateNotFound` and `Damaged`."""
        known, _ = self._held(name, "counts")
        self._use(name)
        return dict(json.loads(known["counts"]))

    def entry(self, name: str) -> Entry:
        """What is known of the item, without counting as a use.

        Raises:
            StateNotFound: there is no such item.
            Damaged: its description is not as written; amplitudes are checked when loaded.
        """
        with self._open(name) as file:
            known = _metadata(file)
            return self._entry(name, known["kind"], Provenance(**json.loads(known["provenance"])))

    def entries(self) -> list[Entry]:
        """Everything that is stored, by name, damaged items included."""
        found = []
        for path in sorted(self.folder.glob("[!.]*.safetensors")):
            with suppress(StateNotFound):  # evicted meanwhile
                found.append(self._listed(path.name.removesuffix(".safetensors")))
        return found

    def _listed(self, name: str) -> Entry:
        try:
            return self.entry(name)
        except Damaged:
            with _absent(name):
                return self._entry(name, "damaged", Provenance())

    def _entry(self, name: str, kind: str, provenance: Provenance) -> Entry:
        moment, uses = self._uses(name)
        return Entry(name, kind, self._path(name).stat().st_size, moment, uses, provenance)

    def fidelity(self, first: str, second: str) -> float:
        """How alike two items are, from 0 to 1.

        |⟨a|b⟩|² of states (Nielsen and Chuang 2010, eq. 9.60); (Σ √(p q))² of records, the same
        for their distributions; of a state and a record, that of what the state would be read as.
        """
        kinds = {name: self.entry(name).kind for name in (first, second)}
        if all(kind == "state" for kind in kinds.values()):
            return state_fidelity(self.load_state(first), self.load_state(second))
        return counts_fidelity(*(self._chances(name, kinds[name]) for name in (first, second)))

    def remove(self, name: str) -> None:
        """Forgets the item; nothing happens where there is none."""
        self._path(name).unlink(missing_ok=True)
        self._path(name).with_suffix(".used").unlink(missing_ok=True)

    def evict(self) -> list[str]:
        """Removes what is too old, then what is least worth its place; gives the names."""
        return self._evict()

    def _evict(self, keep: str = "") -> list[str]:
        """As `evict`, but for the item that was just saved."""
        present = [e for e in self.entries() if e.name != keep]
        room = self.max_bytes - (self._path(keep).stat().st_size if keep else 0)
        moment = self.clock()
        gone = [
            e.name
            for e in present
            if self.max_age_seconds is not None and moment - e.last_used > self.max_age_seconds
        ]
        kept = sorted((e for e in present if e.name not in gone), key=self.score)
        total = sum(e.bytes for e in kept)
        while kept and total > room:
            worst = kept.pop(0)
            total -= worst.bytes
            gone.append(worst.name)
        for name in gone:
            self.remove(name)
        return gone

    def score(self, entry: Entry) -> float:
        """What an entry is worth now; what is damaged is worth nothing."""
        if entry.kind == "damaged":
            return 0.0
        age = max(0.0, self.clock() - entry.last_used)
        return (1 + entry.uses) * 0.5 ** (age / self.half_life_seconds)

    def _save(
        self,
        name: str,
        kind: str,
        tensors: dict[str, Tensor],
        counts: dict[str, int],
        provenance: Provenance | None,
    ) -> Entry:
        path = self._path(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        known = asdict(provenance or Provenance())
        known["created"] = known["created"] or self.clock()
        metadata = {"kind": kind, "counts": json.dumps(counts), "provenance": json.dumps(known)}
        metadata["sha256"] = _digest(tensors)
        metadata["described"] = _description(metadata)
        draft = path.with_name(f".{path.name}.{uuid4().hex}")
        save_file(tensors, draft, metadata)
        if (size := draft.stat().st_size) > self.max_bytes:
            draft.unlink()
            raise InvalidValues(f"{name!r} takes {size} bytes; the folder holds {self.max_bytes}")
        draft.replace(path)
        self._note(name, self.clock(), 0)
        self._evict(keep=name)
        return self.entry(name)

    def _held(self, name: str, kind: str) -> tuple[dict[str, str], dict[str, Tensor]]:
        """The description and the tensors of an item, as they were written."""
        with self._open(name) as file:
            known = _metadata(file)
            if known["kind"] != kind:
                raise StateNotFound(f"{name!r} is no {kind}, but {known['kind']}")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            if known.get("sha256", told := _digest(tensors)) != told:
                raise Damaged(f"{name!r} {_NOT_AS_WRITTEN}")
            return known, tensors

    @contextmanager
    def _open(self, name: str) -> Iterator[Any]:
        """The file; what cannot be read of it in the block is `Damaged`."""
        path = self._path(name)
        try:
            with _absent(name), safe_open(path, framework="pt") as file:
                yield file
        except QuantumError:
            raise
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise Damaged(f"{name!r} cannot be read ({error}): restore it or delete it") from error

    def _use(self, name: str) -> None:
        _, uses = self._uses(name)
        self._note(name, self.clock(), uses + 1)

    def _uses(self, name: str) -> tuple[float, int]:
        """When the item was used last, and how often; its file's own time where that is lost."""
        try:
            moment, uses = self._path(name).with_suffix(".used").read_text().split()
        except (FileNotFoundError, ValueError):
            return self._path(name).stat().st_mtime, 0
        return float(moment), int(uses)

    def _note(self, name: str, moment: float, uses: int) -> None:
        path = self._path(name).with_suffix(".used")
        draft = path.with_name(f".{path.name}.{uuid4().hex}")
        draft.write_text(f"{moment!r} {uses}")
        draft.replace(path)

    def _chances(self, name: str, kind: str) -> dict[str, float]:
        if kind == "counts":
            return {bits: float(count) for bits, count in self.load_counts(name).items()}
        squares = self.load_state(name).abs().square().tolist()
        width = len(squares).bit_length() - 1
        return {f"{i:0{width}b}": value for i, value in enumerate(squares) if value > 0}

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or name.endswith((".safetensors", ".used")):
            raise InvalidValues(f"a name is letters, digits, '.', '_' and '-', not {name!r}")
        return self.folder / f"{name}.safetensors"


_NOT_AS_WRITTEN = "is not what was written: restore it or delete it"


@contextmanager
def _absent(name: str) -> Iterator[None]:
    """Says in our words that there is no such file."""
    try:
        yield
    except FileNotFoundError:
        raise StateNotFound(f"there is no state {name!r}") from None


def _metadata(file: Any) -> dict[str, str]:
    """What the file says of itself; raises `ValueError` where that was not written so."""
    known: dict[str, str] = file.metadata()
    # Files of before have no digests.
    if known.get("described", told := _description(known)) != told:
        raise ValueError("its description was changed")
    return known


def _description(metadata: Mapping[str, str]) -> str:
    """The digest of all that is said, but for itself."""
    said = sorted((key, value) for key, value in metadata.items() if key != "described")
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.numpy().data)
    return digest.hexdigest()


def state_fidelity(
    first: Complex[Tensor, " amplitude"], second: Complex[Tensor, " other_amplitude"]
) -> float:
    """|⟨first|second⟩|², in double precision."""
    if first.shape != second.shape:
        raise InvalidValues(f"the states have {len(first)} and {len(second)} amplitudes")
    overlap = torch.vdot(first.to(torch.complex128), second.to(torch.complex128))
    return float(overlap.abs().square())


def _check_counts(counts: Mapping[str, Number]) -> None:
    if not counts or len({len(bits) for bits in counts}) != 1 or set("".join(counts)) - {*"01"}:
        raise InvalidValues("counts are of bit strings of one length")
    if not all(value >= 0 for value in counts.values()) or not sum(counts.values()) > 0:
        raise InvalidValues("counts are 0 or more, and not all of them 0")


def counts_fidelity(first: Mapping[str, Number], second: Mapping[str, Number]) -> float:
    """(Σ √(p q))² of two distributions, given as counts or chances; raises `InvalidValues`."""
    for counts in (first, second):
        _check_counts(counts)
    if len(next(iter(first))) != len(next(iter(second))):
        raise InvalidValues("the records are of different numbers of qubits")
    total = sum(first.values()) * sum(second.values())
    overlap = sum(math.sqrt(value * second.get(bits, 0.0)) for bits, value in first.items())
    return overlap**2 / total
