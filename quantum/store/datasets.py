"""Training data in an HDF5 file: rows that are appended in batches, splits, seeded orders."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from quantum.errors import Damaged, InvalidValues, NotFound

_CHUNK_BYTES = 2**18


@runtime_checkable
class Samples(Protocol):
    """What a trainer reads; below are those on disk and those in memory."""

    def __len__(self) -> int: ...

    def rows(self, index: Int[Tensor, " row"]) -> tuple[Tensor, Tensor]:
        """Features and targets of these rows; what is random in them, torch draws."""


class TrainingDataStore:
    """Features and targets of many samples in one file, split once and for all.

    Reading opens the file for each batch, so several processes may read while none writes.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @classmethod
    def create(
        cls,
        path: Path | str,
        features: Num[np.ndarray, "..."] | Tensor,
        targets: Num[np.ndarray, "..."] | Tensor,
        *,
        description: Mapping[str, str] | None = None,
    ) -> "TrainingDataStore":
        """A new file with these samples; replaces one of that name."""
        columns = {"features": _array(features), "targets": _array(targets)}
        _check_lengths(columns)
        store = cls(path)
        store.path.parent.mkdir(parents=True, exist_ok=True)
        draft = store.path.with_name(f".draft-{store.path.name}")
        with _h5py().File(draft, "w") as file:
            for name, values in columns.items():
                rows = max(1, _CHUNK_BYTES // max(1, values[:1].nbytes))
                file.create_dataset(
                    name,
                    data=values,
                    maxshape=(None, *values.shape[1:]),
                    chunks=(rows, *values.shape[1:]),
                    compression="gzip",
                    shuffle=True,
                    fletcher32=True,
                )
            file.create_group("splits")
            file.attrs.update(description or {})
        draft.replace(store.path)
        return store

    def append(
        self,
        features: Num[np.ndarray, "..."] | Tensor,
        targets: Num[np.ndarray, "..."] | Tensor,
    ) -> None:
        """Adds samples; they belong to no split until `split` is called again.

        Raises:
            InvalidValues: where they have another shape than those before.
        """
        columns = {"features": _array(features), "targets": _array(targets)}
        _check_lengths(columns)
        with self._open("r+") as file:
            for name, values in columns.items():
                if file[name].shape[1:] != values.shape[1:]:
                    raise InvalidValues(
                        f"{name} have the shape {file[name].shape[1:]}, not {values.shape[1:]}"
                    )
            before = len(file["targets"])  # features beyond it are of an append that died
            for name, values in columns.items():
                file[name].resize(before + len(values), axis=0)
                file[name][before:] = values

    def __len__(self) -> int:
        with self._open() as file:
            return int(file["targets"].shape[0])

    @property
    def description(self) -> dict[str, str]:
        with self._open() as file:
            return {name: str(value) for name, value in file.attrs.items()}

    def split(
        self, shares: Mapping[str, float], *, seed: int, stratified: bool = False
    ) -> dict[str, int]:
        """Divides all samples at random, for good; gives back the sizes.

        Args:
            shares: of all samples, adding up to 1 at most, such as {"train": 0.8, "test": 0.2}.
            stratified: every part gets its share of each target value (of classes).
        """
        if not shares or min(shares.values()) <= 0 or sum(shares.values()) > 1 + 1e-9:
            raise InvalidValues(f"shares are above 0 and add up to 1 at most, not {dict(shares)}")
        rng = np.random.default_rng(seed)
        with self._open("r+") as file:
            count = file["targets"].shape[0]
            groups = _classes(file["targets"][...]) if stratified else [np.arange(count)]
            parts: dict[str, list[np.ndarray]] = {name: [] for name in shares}
            for group in groups:
                for name, piece in _divide(rng.permutation(group), shares).items():
                    parts[name].append(piece)
            del file["splits"]
            folder = file.create_group("splits")
            folder.attrs["seed"] = seed
            for name, members in parts.items():
                folder[name] = np.sort(np.concatenate(members))
            return {name: len(folder[name]) for name in shares}

    def splits(self) -> dict[str, int]:
        """The sizes of the splits by name."""
        with self._open() as file:
            return {name: int(values.shape[0]) for name, values in file["splits"].items()}

    def part(self, name: str | None = None) -> "StoredSamples":
        """The samples of a split, or all of them; raises `NotFound`."""
        with self._open() as file:
            if name is None:
                return StoredSamples(self.path, np.arange(file["targets"].shape[0]))
            if name not in file["splits"]:
                known = ", ".join(file["splits"]) or "none yet: call split"
                raise NotFound(f"{self.path.name} has no split {name!r}; it has {known}")
            return StoredSamples(self.path, file["splits"][name][...])

    def _open(self, mode: str = "r") -> Any:
        if not self.path.exists():
            raise NotFound(f"there is no data file {self.path}")
        try:
            return _h5py().File(self.path, mode)
        except OSError as error:
            raise Damaged(f"{self.path} cannot be read as HDF5: {error}") from error


@dataclass(frozen=True, eq=False)
class StoredSamples:
    """Some samples of a file, read when they are asked for."""

    path: Path
    members: Int[np.ndarray, " sample"]

    def __len__(self) -> int:
        return len(self.members)

    def rows(self, index: Int[Tensor, " row"]) -> tuple[Tensor, Tensor]:
        """Features and targets of the rows, in this order; repeated rows are allowed."""
        wanted, place = np.unique(self.members[index.numpy()], return_inverse=True)
        try:
            with _h5py().File(self.path, "r") as file:
                found = [_read(file[name], wanted)[place] for name in ("features", "targets")]
        except OSError as error:
            raise Damaged(f"{self.path} cannot be read: {error}") from error
        return torch.from_numpy(found[0]), torch.from_numpy(found[1])


def _h5py() -> Any:
    """Loaded with the first file, not with every training: that takes 0.1 s."""
    import h5py

    return h5py


def _read(dataset: Any, wanted: np.ndarray) -> np.ndarray:
    """The rows: one slice where they are dense, for HDF5 is slow at picking."""
    if not len(wanted):
        return dataset[:0]
    first, last = int(wanted[0]), int(wanted[-1]) + 1
    if last - first <= 8 * len(wanted):
        return dataset[first:last][wanted - first]
    return dataset[wanted]


@dataclass(frozen=True, eq=False)
class TensorSamples:
    """Samples in memory, read in the same way."""

    features: Num[Tensor, "..."]
    targets: Num[Tensor, "..."]

    def __post_init__(self) -> None:
        _check_lengths({"features": self.features, "targets": self.targets})

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, index: Int[Tensor, " row"]) -> tuple[Tensor, Tensor]:
        return self.features[index], self.targets[index]


def shuffled(count: int, *, seed: int, epoch: int) -> Int[Tensor, " sample"]:
    """The order of an epoch: the same for the same seed and epoch, whatever came before."""
    mixed = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]
    generator = torch.Generator().manual_seed(int(mixed >> np.uint64(1)))
    return torch.randperm(count, generator=generator)


def batches(order: Int[Tensor, " sample"], size: int) -> Iterator[Int[Tensor, " row"]]:
    """The order in pieces; the last may be smaller."""
    if size < 1:
        raise InvalidValues(f"a batch has at least one sample, not {size}")
    yield from order.split(size) if len(order) else ()


def standardised(
    features: Float[Tensor, "sample feature"],
) -> tuple[Float[Tensor, "sample feature"], Float[Tensor, " feature"], Float[Tensor, " feature"]]:
    """Features with mean 0 and deviation 1, and what was taken off: mean and deviation."""
    mean, deviation = features.mean(0), features.std(0, correction=0)
    deviation = torch.where(deviation > 0, deviation, torch.ones_like(deviation))
    return (features - mean) / deviation, mean, deviation


def _array(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _check_lengths(columns: Mapping[str, Any]) -> None:
    sizes = {name: len(values) for name, values in columns.items()}
    if len(set(sizes.values())) != 1:
        raise InvalidValues(f"features and targets have different lengths: {sizes}")


def _classes(targets: np.ndarray) -> list[np.ndarray]:
    if targets.ndim != 1:
        raise InvalidValues("only targets that are one number each can be stratified")
    return [np.flatnonzero(targets == value) for value in np.unique(targets)]


def _divide(members: np.ndarray, shares: Mapping[str, float]) -> dict[str, np.ndarray]:
    """The members in pieces as long as the shares say; pieces end at rounded sums of shares."""
    ends = np.rint(np.cumsum(list(shares.values())) * len(members)).astype(int)
    pieces = np.split(members, ends)[: len(shares)]
    return dict(zip(shares, pieces, strict=True))
