"""Training crops from a file of experimental protein chains.

The file is HDF5: all residues of all chains one after the other (`aatype`, `atom_mask`,
`res_index_delta`, cut by `res_offset`), all atoms likewise (`qx`, `qy`, `qz` in 0.01 Å, cut by
`atom_offset`; Cα absolute, the others relative to it), and a `table` with one row per chain.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor
from torch.nn import functional

from folding.chemistry.residues import LETTERS, standard_residues
from folding.data.features import ATOM_MULTIPLE, FRAME_SLOTS, Features, atom_features
from folding.data.tokens import atom_table, tokens_of

N_SLOTS = 14

PEPTIDE_SHARE = 0.35
"""Of the draws that are among clusters of chains up to ``PEPTIDE_LENGTH`` residues alone."""

PEPTIDE_LENGTH = 60

SHORT_SHARE = 0.2
"""Of the crops that are shorter than they could be."""

MIN_CROP = 16
"""Residues in the shortest of them."""

LEAST_SEEN = 16
"""Cα atoms that a chain must show to be drawn."""


@dataclass(frozen=True)
class Chain:
    """One experimental chain: residue classes, indices, coordinates in Å and what was observed."""

    name: str
    restype: Int64[np.ndarray, " residue"]
    residue_index: Int64[np.ndarray, " residue"]
    coordinates: Float32[np.ndarray, "residue slot 3"]
    observed: Bool[np.ndarray, "residue slot"]

    def __len__(self) -> int:
        return len(self.restype)

    @property
    def sequence(self) -> str:
        """One-letter codes."""
        return "".join(LETTERS[restype] for restype in self.restype)

    def cut(self, start: int, stop: int) -> "Chain":
        """Residues ``start`` to ``stop`` (exclusive)."""
        part = slice(start, stop)
        return Chain(
            self.name,
            self.restype[part],
            self.residue_index[part],
            self.coordinates[part],
            self.observed[part],
        )


class ChainFile:
    """Random access to the chains of a file; the arrays stay in memory (about 150 MB)."""

    def __init__(self, path: Path) -> None:
        with h5py.File(path) as file:
            self._quantised = np.stack([file["q" + axis][:] for axis in "xyz"], 1)
            self._aatype = file["aatype"][:].astype(np.int64)
            self._mask = file["atom_mask"][:]
            self._delta = file["res_index_delta"][:].astype(np.int64)
            self._residue_offset = file["res_offset"][:]
            self._atom_offset = file["atom_offset"][:]
            self._slots = slot_permutation(json.loads(file.attrs["atom14"]))
            table = file["table"]
            self.table = {
                key: table[key].asstr()[:]
                if h5py.check_string_dtype(table[key].dtype)
                else table[key][:]
                for key in table
            }

    def __len__(self) -> int:
        return len(self._residue_offset) - 1

    def __getitem__(self, index: int) -> Chain:
        start, stop = self._residue_offset[index], self._residue_offset[index + 1]
        observed = ((self._mask[start:stop, None] >> np.arange(N_SLOTS)) & 1).astype(bool)
        coordinates = np.zeros((*observed.shape, 3), np.float32)
        atoms = slice(self._atom_offset[index], self._atom_offset[index + 1])
        coordinates[observed] = self._quantised[atoms] / 100
        alpha = coordinates[:, 1:2].copy()
        coordinates += alpha
        coordinates[:, 1] = alpha[:, 0]
        aatype = self._aatype[start:stop]
        order = self._slots[aatype]
        observed = np.take_along_axis(observed, order.clip(0), 1) & (order >= 0)
        coordinates = np.take_along_axis(coordinates, order.clip(0)[..., None], 1)
        return Chain(
            name=str(self.table["id"][index]) if "id" in self.table else str(index),
            restype=aatype,
            residue_index=np.cumsum(self._delta[start:stop]),
            coordinates=coordinates * observed[..., None],
            observed=observed,
        )

    @property
    def lengths(self) -> Int64[np.ndarray, " chain"]:
        """Residues of each chain."""
        return np.diff(self._residue_offset).astype(np.int64)

    def clusters(self, split: str) -> list[list[int]]:
        """Indices of the chains of a split, grouped by sequence cluster."""
        groups: dict[object, list[int]] = defaultdict(list)
        for index, (name, cluster) in enumerate(
            zip(self.table["split"], self.table["cluster30"], strict=True)
        ):
            if name == split:
                groups[cluster].append(index)
        return list(groups.values())


def slot_permutation(atom14: dict[str, list[str]]) -> Int64[np.ndarray, "restype slot"]:
    """For each residue class and dictionary slot the file's atom14 slot, or -1."""
    order = np.full((len(LETTERS), N_SLOTS), -1)
    for residue in standard_residues():
        names = atom14.get(residue.code) or atom14.get(residue.letter) or []
        for slot, name in enumerate(residue.atom_names):
            if name in names:
                order[residue.restype, slot] = names.index(name)
    return order


class Crop(NamedTuple):
    """What one training step sees of its chains, batched and padded."""

    features: Features
    coordinates: Float[Tensor, "batch atom 3"]
    """Observed coordinates, zeros elsewhere."""
    observed: Bool[Tensor, "batch atom"]


@dataclass(frozen=True)
class CropSize:
    """Upper bounds of a crop; every batch is padded to them, so that shapes stay the same."""

    n_tokens: int
    n_atoms: int

    @classmethod
    def of(cls, n_tokens: int) -> "CropSize":
        """Room for ``n_tokens`` residues of average size, a bit above 8 heavy atoms each."""
        return cls(n_tokens, -(-n_tokens * 9 // ATOM_MULTIPLE) * ATOM_MULTIPLE)


class CropSampler:
    """Draws crops: a cluster, a chain of it, a contiguous stretch, each uniformly (AF3 SI 2.7).

    Not AF3's: short chains are drawn more often than their clusters are many, and a share of the
    crops is cut to a random length. Otherwise a small network learns what a piece of a large
    protein looks like, and hardly what a peptide does on its own.
    """

    def __init__(self, chains: ChainFile, split: str, generator: np.random.Generator) -> None:
        self.chains = chains
        self.groups = [
            kept
            for group in chains.clusters(split)
            if (kept := [index for index in group if chains.table["state"][index] != "modified"])
        ]
        lengths = chains.lengths
        if not any(max(lengths[group]) >= LEAST_SEEN for group in self.groups):
            raise ValueError(
                f"The file of chains has no chain of {LEAST_SEEN} residues or more to draw from in "
                f"its split “{split}”. Its splits are: "
                f"{', '.join(sorted(set(chains.table['split'].tolist()))) or 'none'}."
            )
        self.peptides = [group for group in self.groups if max(lengths[group]) <= PEPTIDE_LENGTH]
        self.generator = generator

    def chain(self) -> Chain:
        """A chain at random with at least 16 residues whose Cα is seen."""
        while True:
            among = self.groups
            if self.peptides and self.generator.random() < PEPTIDE_SHARE:
                among = self.peptides
            group = among[self.generator.integers(len(among))]
            chain = self.chains[int(self.generator.choice(group))]
            if chain.observed[:, 1].sum() >= LEAST_SEEN:
                return chain

    def crop(self, size: CropSize) -> Chain:
        """A contiguous stretch of a random chain that fits ``size`` and is mostly observed."""
        while True:
            chain, length = self.chain(), size.n_tokens
            if self.generator.random() < SHORT_SHARE:
                length = int(self.generator.integers(min(MIN_CROP, length), length + 1))
            start = int(self.generator.integers(max(1, len(chain) - length + 1)))
            stop = min(len(chain), start + length)
            atoms = np.cumsum(atom_table().n_atoms[chain.restype[start:stop]])
            part = chain.cut(start, start + int((atoms <= size.n_atoms).sum()))
            if part.observed[:, 1].sum() >= 12:
                return part

    def batch(self, n: int, size: CropSize) -> Crop:
        """``n`` crops, padded to ``size``."""
        return collate([self.crop(size) for _ in range(n)], size, self.generator)


def collate(chains: list[Chain], size: CropSize, generator: np.random.Generator) -> Crop:
    """Crops padded to the same size and stacked."""
    rows = [_arrays(chain, size, generator) for chain in chains]
    stacked = {key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]}
    coordinates, observed = stacked.pop("coordinates"), stacked.pop("observed")
    restype = stacked["restype"]
    zeros = torch.zeros(restype.shape)
    features = Features(
        **stacked,
        profile=functional.one_hot(restype, 32).float(),
        deletion_mean=zeros,
        token_bonds=torch.zeros(*restype.shape, restype.shape[-1]),
        msa=restype.unsqueeze(1),
        has_deletion=zeros.unsqueeze(1),
        deletion_value=zeros.unsqueeze(1),
        msa_mask=None,
    )
    return Crop(features, coordinates, observed)


def _arrays(chain: Chain, size: CropSize, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Features and coordinates of one crop, padded."""
    tokens = tokens_of([chain.restype], chain_ids=["A"], entity_ids=[1], sym_ids=[1])
    n = tokens.n_tokens
    first = np.searchsorted(tokens.atom_to_token, np.arange(n))
    where = (tokens.atom_to_token, tokens.atom_slot)
    per_token = {
        "restype": tokens.restype,
        "residue_index": chain.residue_index,
        "token_index": np.arange(n),
        "asym_id": tokens.asym_id,
        "entity_id": tokens.entity_id,
        "sym_id": tokens.sym_id,
        "token_mask": np.ones(n, bool),
        "representative_atom": first + atom_table().representative[tokens.restype],
        "frame_atoms": first[:, None] + np.array(FRAME_SLOTS),
    }
    per_atom = atom_features(tokens, generator) | {
        "coordinates": chain.coordinates[where],
        "observed": chain.observed[where],
    }
    padded = {key: _pad(value, size.n_tokens) for key, value in per_token.items()}
    return padded | {key: _pad(value, size.n_atoms) for key, value in per_atom.items()}


def _pad(x: np.ndarray, n: int) -> np.ndarray:
    """Zeros behind the first axis, up to length ``n``."""
    return np.pad(x, [(0, n - len(x)), *([(0, 0)] * (x.ndim - 1))])


def unbatched(crop: Crop) -> tuple[Features, Tensor, Tensor]:
    """The first crop of a batch without its batch axis."""
    values = {
        field.name: None if (value := getattr(crop.features, field.name)) is None else value[0]
        for field in fields(crop.features)
    }
    return Features(**values), crop.coordinates[0], crop.observed[0]
