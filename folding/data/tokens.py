"""Tokens and atoms of a job, in the order in which the network sees them (AF3 SI section 2.6).

One token per residue; atoms follow their token in the dictionary's order.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from folding.chemistry.residues import residue_classes, standard_residues
from folding.inputs import FoldInput


@dataclass(frozen=True)
class Tokens:
    """Per-token identities and per-atom reference data of a job, unpadded.

    ``asym_id``, ``entity_id`` and ``sym_id`` count from 1 as in AF3 SI table 5: the chain, its
    sequence, and which copy of that sequence it is. ``residue_index`` counts from 1 in each chain.
    """

    chain_ids: tuple[str, ...]
    restype: Int64[np.ndarray, " token"]
    residue_index: Int64[np.ndarray, " token"]
    asym_id: Int64[np.ndarray, " token"]
    entity_id: Int64[np.ndarray, " token"]
    sym_id: Int64[np.ndarray, " token"]
    atom_to_token: Int64[np.ndarray, " atom"]
    atom_slot: Int64[np.ndarray, " atom"]

    @property
    def n_tokens(self) -> int:
        """How many tokens the job has."""
        return len(self.restype)

    @property
    def atom_names(self) -> list[str]:
        """The name of every atom."""
        residues = standard_residues()
        classes = self.restype[self.atom_to_token]
        return [residues[c].atom_names[s] for c, s in zip(classes, self.atom_slot, strict=True)]


@dataclass(frozen=True)
class AtomTable:
    """Reference data of all standard residues as padded arrays, for look-ups by residue class."""

    n_atoms: Int64[np.ndarray, " restype"]
    position: Float32[np.ndarray, "restype slot 3"]
    charge: Float32[np.ndarray, "restype slot"]
    element: Int64[np.ndarray, "restype slot"]
    name_chars: UInt8[np.ndarray, "restype slot 4"]
    representative: Int64[np.ndarray, " restype"]


@cache
def atom_table() -> AtomTable:
    """The table for the 21 standard residues, at most 14 heavy atoms each."""
    residues = standard_residues()
    slots = max(len(residue.atom_names) for residue in residues)
    n = len(residues)
    table = AtomTable(
        n_atoms=np.array([len(residue.atom_names) for residue in residues]),
        position=np.zeros((n, slots, 3), np.float32),
        charge=np.zeros((n, slots), np.float32),
        element=np.zeros((n, slots), np.int64),
        name_chars=np.zeros((n, slots, 4), np.uint8),
        representative=np.array([residue.representative for residue in residues]),
    )
    for row, residue in enumerate(residues):
        count = len(residue.atom_names)
        table.position[row, :count] = residue.positions
        table.charge[row, :count] = residue.charges
        table.element[row, :count] = residue.elements
        names = [[ord(char) - 32 for char in name.ljust(4)] for name in residue.atom_names]
        table.name_chars[row, :count] = names
    return table


def tokenize(fold_input: FoldInput) -> Tokens:
    """The tokens of all chains; chains of the same sequence are copies of one entity."""
    entities = list(dict.fromkeys(chain.sequence for chain in fold_input.chains))
    copies: Counter[int] = Counter()
    chains = []
    for chain in fold_input.chains:
        entity = entities.index(chain.sequence) + 1
        for chain_id in chain.ids:
            copies[entity] += 1
            chains.append((chain_id, chain.sequence, entity, copies[entity]))
    restypes = [residue_classes(sequence) for _, sequence, _, _ in chains]
    return tokens_of(
        restypes,
        chain_ids=[chain_id for chain_id, _, _, _ in chains],
        entity_ids=[entity for _, _, entity, _ in chains],
        sym_ids=[copy for _, _, _, copy in chains],
    )


def tokens_of(
    restypes: Sequence[Int64[np.ndarray, " _"]],
    *,
    chain_ids: Sequence[str],
    entity_ids: Sequence[int],
    sym_ids: Sequence[int],
) -> Tokens:
    """Tokens of chains that are given as residue classes."""
    lengths = [len(restype) for restype in restypes]
    restype = np.concatenate(restypes)
    counts = atom_table().n_atoms[restype]
    first = np.cumsum(counts) - counts
    atom_to_token = np.repeat(np.arange(len(restype)), counts)
    return Tokens(
        chain_ids=tuple(chain_ids),
        restype=restype,
        residue_index=np.concatenate([np.arange(1, n + 1) for n in lengths]),
        asym_id=np.repeat(np.arange(1, len(lengths) + 1), lengths),
        entity_id=np.repeat(np.array(entity_ids), lengths),
        sym_id=np.repeat(np.array(sym_ids), lengths),
        atom_to_token=atom_to_token,
        atom_slot=np.arange(len(atom_to_token)) - first[atom_to_token],
    )
