"""Tokens and atoms of a job, in the order in which the network sees them (AF3 SI section 2.6).

A standard residue is one token; every other residue and every ligand has one token for each of its
atoms. Atoms follow their residue in the dictionary's order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped, UInt8

from folding.chemistry.elements import SYMBOLS
from folding.chemistry.residues import (
    LETTERS,
    frame_names,
    representative_name,
    standard_residues,
)
from folding.data.assembly import Assembly, Joint, Site, assemble
from folding.data.style import ReferenceStyle
from folding.inputs import FoldInput
from folding.inputs.chain import READ_AS

IDEAL = ReferenceStyle()
MIN_FRAME_ANGLE = 25.0
"""Degrees by which a frame's atoms must be off a line (AF3 SI section 4.3.2)."""


@dataclass(frozen=True)
class Tokens:
    """Per-token identities and per-atom reference data of a job, unpadded.

    ``asym_id``, ``entity_id`` and ``sym_id`` count from 1 as in AF3 SI table 5: the chain, its
    entity, and which copy of that entity it is. ``residue_index`` counts from 1 in each chain.

    Args:
        ring_length: Residues of the ring that the token's chain is, 0 where it is none.
        representative_atom: Stands for the token in distances.
        centre_atom: CA, C1', or the only atom.
        frame_atoms: Three atoms, of which the second is the token's own.
        has_frame: Whether these three make a frame.
        bonds: Token pairs that the network is told of (AF3 SI table 5, ``token_bonds``).
        residue: Index of the atom's residue in the job (``ref_space_uid``).
        position: Of the reference conformer, Å, centred in each residue.
        joints: Atom pairs that are bonded across residues, other than along a chain.
        covalent: All bonded atom pairs outside of standard residues, those in ``joints`` included.
        assembly: The molecules that this was made of; None in training.
        notes: What a person should know about how the conformers were made.
    """

    chain_ids: tuple[str, ...]
    restype: Int64[np.ndarray, " token"]
    residue_index: Int64[np.ndarray, " token"]
    asym_id: Int64[np.ndarray, " token"]
    entity_id: Int64[np.ndarray, " token"]
    sym_id: Int64[np.ndarray, " token"]
    ring_length: Int64[np.ndarray, " token"]
    representative_atom: Int64[np.ndarray, " token"]
    centre_atom: Int64[np.ndarray, " token"]
    frame_atoms: Int64[np.ndarray, "token 3"]
    has_frame: Bool[np.ndarray, " token"]
    bonds: Int64[np.ndarray, "bond 2"]
    atom_to_token: Int64[np.ndarray, " atom"]
    atom_slot: Int64[np.ndarray, " atom"]
    residue: Int64[np.ndarray, " atom"]
    position: Float32[np.ndarray, "atom 3"]
    charge: Float32[np.ndarray, " atom"]
    element: Int64[np.ndarray, " atom"]
    name: Shaped[np.ndarray, " atom"]
    residue_name: Shaped[np.ndarray, " atom"]
    joints: Int64[np.ndarray, "joint 2"] = field(default_factory=lambda: _NO_PAIRS)
    covalent: Int64[np.ndarray, "covalent 2"] = field(default_factory=lambda: _NO_PAIRS)
    style: ReferenceStyle = IDEAL
    assembly: Assembly | None = None
    notes: tuple[str, ...] = ()

    @property
    def n_tokens(self) -> int:
        """How many tokens the job has."""
        return len(self.restype)

    @property
    def n_atoms(self) -> int:
        """How many atoms the job has."""
        return len(self.atom_to_token)

    @property
    def atom_names(self) -> list[str]:
        """The name of every atom."""
        return [str(name) for name in self.name]

    @property
    def name_chars(self) -> Int64[np.ndarray, "atom 4"]:
        """The first four letters of every name as codes 0-63 (AF3 SI table 5)."""
        padded = "".join(f"{name:4.4}" for name in self.atom_names).encode("ascii", "replace")
        codes = np.frombuffer(padded, np.uint8).astype(np.int64) - 32
        return codes.clip(0, 63).reshape(-1, 4)


_NO_PAIRS = np.zeros((0, 2), np.int64)


@dataclass(frozen=True)
class AtomTable:
    """Reference data of the standard amino acids as padded arrays, by residue class."""

    n_atoms: Int64[np.ndarray, " restype"]
    position: Float32[np.ndarray, "restype slot 3"]
    charge: Float32[np.ndarray, "restype slot"]
    element: Int64[np.ndarray, "restype slot"]
    name: Shaped[np.ndarray, "restype slot"]
    name_chars: UInt8[np.ndarray, "restype slot 4"]
    representative: Int64[np.ndarray, " restype"]


@cache
def atom_table() -> AtomTable:
    """The table for the 21 standard amino acids, at most 14 heavy atoms each."""
    residues = standard_residues()
    slots = max(len(residue.atom_names) for residue in residues)
    n = len(residues)
    table = AtomTable(
        n_atoms=np.array([len(residue.atom_names) for residue in residues]),
        position=np.zeros((n, slots, 3), np.float32),
        charge=np.zeros((n, slots), np.float32),
        element=np.zeros((n, slots), np.int64),
        name=np.full((n, slots), "", dtype="<U4"),
        name_chars=np.zeros((n, slots, 4), np.uint8),
        representative=np.array([residue.representative for residue in residues]),
    )
    for row, residue in enumerate(residues):
        count = len(residue.atom_names)
        table.position[row, :count] = residue.positions
        table.charge[row, :count] = residue.charges
        table.element[row, :count] = residue.elements
        table.name[row, :count] = residue.atom_names
        names = [[ord(char) - 32 for char in name.ljust(4)] for name in residue.atom_names]
        table.name_chars[row, :count] = names
    return table


def tokens_of(
    restypes: Sequence[Int64[np.ndarray, " _"]],
    *,
    chain_ids: Sequence[str],
    entity_ids: Sequence[int],
    sym_ids: Sequence[int],
) -> Tokens:
    """Tokens of protein chains that are given as classes of standard amino acids."""
    lengths = [len(restype) for restype in restypes]
    restype = np.concatenate(restypes)
    table = atom_table()
    counts = table.n_atoms[restype]
    first = np.cumsum(counts) - counts
    atom_to_token = np.repeat(np.arange(len(restype)), counts)
    slot = np.arange(len(atom_to_token)) - first[atom_to_token]
    where = (restype[atom_to_token], slot)
    codes = np.array([residue.code for residue in standard_residues()])
    return Tokens(
        chain_ids=tuple(chain_ids),
        restype=restype,
        residue_index=np.concatenate([np.arange(1, n + 1) for n in lengths]),
        asym_id=np.repeat(np.arange(1, len(lengths) + 1), lengths),
        entity_id=np.repeat(np.array(entity_ids), lengths),
        sym_id=np.repeat(np.array(sym_ids), lengths),
        ring_length=np.zeros(len(restype), np.int64),
        representative_atom=first + table.representative[restype],
        centre_atom=first + 1,
        frame_atoms=first[:, None] + np.arange(3),
        has_frame=np.ones(len(restype), bool),
        bonds=_NO_PAIRS,
        atom_to_token=atom_to_token,
        atom_slot=slot,
        residue=atom_to_token,
        position=table.position[where],
        charge=table.charge[where],
        element=table.element[where],
        name=table.name[where],
        residue_name=codes[where[0]],
    )


def tokenize(fold_input: FoldInput, style: ReferenceStyle = IDEAL) -> Tokens:
    """The tokens of all chains; chains that are alike are copies of one entity.

    Raises:
        InvalidInput: A component that is in no dictionary, or cannot be read.
    """
    ends = {"terminal_atoms": style.terminal_atoms, "bare_ends": style.bare_ends}
    cutter = _Cutter(assemble(fold_input, **ends), style)
    modifications = [m for c in fold_input.chains for m in getattr(c, "modifications", ())]
    for code in sorted({m.ccd for m in modifications} & READ_AS.keys()):
        cutter.notes[f"{code} is read as {READ_AS[code]}, as AlphaFold 3 reads it."] = None
    return cutter.tokens()


class _Cutter:
    """Cuts an assembly into tokens."""

    def __init__(self, assembly: Assembly, style: ReferenceStyle) -> None:
        self.assembly, self.style = assembly, style
        self.sites = assembly.sites
        counts = np.array([len(site.kept) for site in self.sites])
        n_tokens = np.array([1 if s.is_token else len(s.kept) for s in self.sites])
        self.first_atom = np.cumsum(counts) - counts
        self.site_of_atom = np.repeat(np.arange(len(counts)), counts)
        self.site_of_token = np.repeat(np.arange(len(n_tokens)), n_tokens)
        slot = np.arange(len(self.site_of_atom)) - self.first_atom[self.site_of_atom]
        single = np.array([site.is_token for site in self.sites])[self.site_of_atom]
        first_token = np.cumsum(n_tokens) - n_tokens
        self.atom_to_token = first_token[self.site_of_atom] + np.where(single, 0, slot)
        if style.slots_by_name:
            slot = np.concatenate([np.array(site.kept, np.int64) for site in self.sites])
        self.atom_slot = np.where(single, slot, 0)
        self.notes: dict[str, None] = {}

    def tokens(self) -> Tokens:
        chains, sites = self.assembly.chains, self.sites
        chain = np.array([site.chain for site in sites])[self.site_of_token]
        lengths = np.bincount([site.chain for site in sites])
        rings = np.array([n if c.is_ring else 0 for c, n in zip(chains, lengths, strict=True)])
        position = np.concatenate([self.positions(site) for site in sites])
        representative, centre, frames, has_frame = self.frames(position)
        joints = np.array(
            [self.atoms(joint) for joint in self.assembly.joints if not joint.is_link], np.int64
        ).reshape(-1, 2)
        inner = self.inner_bonds()
        links = [self.atoms(joint) for joint in self.assembly.joints if joint.is_link]
        return Tokens(
            chain_ids=tuple(copy.id for copy in chains),
            restype=np.array([site.restype for site in sites])[self.site_of_token],
            residue_index=np.array([site.number for site in sites])[self.site_of_token],
            asym_id=chain + 1,
            entity_id=np.array([copy.entity for copy in chains])[chain],
            sym_id=np.array([copy.copy for copy in chains])[chain],
            ring_length=rings[chain],
            representative_atom=representative,
            centre_atom=centre,
            frame_atoms=frames,
            has_frame=has_frame,
            bonds=self.atom_to_token[np.concatenate([inner, joints])],
            atom_to_token=self.atom_to_token,
            atom_slot=self.atom_slot,
            residue=self.site_of_atom,
            position=position,
            charge=self.per_atom("charges", np.float32),
            element=self.per_atom("numbers", np.int64),
            name=self.per_atom("atom_names", np.str_),
            residue_name=np.array([site.component.code for site in sites])[self.site_of_atom],
            joints=joints,
            covalent=np.concatenate([inner, joints, np.array(links, np.int64).reshape(-1, 2)]),
            style=self.style,
            assembly=self.assembly,
            notes=tuple(self.notes),
        )

    def per_atom(self, name: str, dtype: type) -> np.ndarray:
        """A property of the components, for every atom that is there."""
        values = [
            value
            for site in self.sites
            for every in [getattr(site.component, name)]
            for value in map(every.__getitem__, site.kept)
        ]
        return np.array(values, dtype=dtype)

    def positions(self, site: Site) -> Float32[np.ndarray, "atom 3"]:
        """The conformer of what is left of a component, centred."""
        component = site.component
        if not self.style.embedded and site.is_token and component.positions is not None:
            positions = np.array(component.positions, np.float32)[list(site.kept)]
            return (positions - positions.mean(axis=0)).astype(np.float32)
        # Proteins alone, as the small model folds them, never need RDKit.
        from folding.chemistry.molecules import embedded, ideal

        conformer = ideal(component) if component.is_placed else embedded(component)
        if conformer.note:
            self.notes[conformer.note] = None
        positions = conformer.positions[list(site.kept)]
        return (positions - positions.mean(axis=0)).astype(np.float32)

    def atoms(self, joint: Joint) -> tuple[int, int]:
        """The two atoms of a bond between sites."""
        return (
            self.atom(joint.first_site, joint.first_atom),
            self.atom(joint.second_site, joint.second_atom),
        )

    def atom(self, site: int, atom: int) -> int:
        return int(self.first_atom[site]) + self.sites[site].kept.index(atom)

    def inner_bonds(self) -> Int64[np.ndarray, "bond 2"]:
        """Bonds within ligands and within residues that are not standard."""
        pairs = []
        for index, site in enumerate(self.sites):
            if site.is_token:
                continue
            place = {atom: int(self.first_atom[index]) + i for i, atom in enumerate(site.kept)}
            pairs += [
                (place[bond.first], place[bond.second])
                for bond in site.component.bonds
                if bond.first in place and bond.second in place
            ]
        return np.array(pairs, np.int64).reshape(-1, 2)

    def frames(self, position: np.ndarray) -> tuple[np.ndarray, ...]:
        """Representative and centre atom of each token, its frame, and whether it has one."""
        rows: list[tuple[int, int, tuple[int, ...], bool]] = []
        for index, site in enumerate(self.sites):
            first = int(self.first_atom[index])
            if site.is_token:
                rows.append(_standard(site, first))
                continue
            here = position[first : first + len(site.kept)]
            for atom, (frame, valid) in enumerate(nearest_frames(here)):
                own = first + atom
                rows.append((own, own, tuple(first + i for i in frame), valid))
        representative, centre, frames, valid = zip(*rows, strict=True)
        return np.array(representative), np.array(centre), np.array(frames), np.array(valid)


def _standard(site: Site, first: int) -> tuple[int, int, tuple[int, ...], bool]:
    names = [site.component.atom_names[atom] for atom in site.kept]
    code = site.component.code
    frame = frame_names(code)
    centre = "CA" if site.restype < len(LETTERS) else "C1'"
    return (
        first + names.index(representative_name(code)),
        first + names.index(centre),
        tuple(first + names.index(name) for name in frame),
        True,
    )


def nearest_frames(
    position: Float32[np.ndarray, "atom 3"],
) -> list[tuple[tuple[int, int, int], bool]]:
    """For each atom alone in its token: itself between its two nearest atoms, and whether that is
    a frame (AF3 SI section 4.3.2).

    It is none where there are fewer than three atoms, or where they lie within 25 degrees of a
    line.
    """
    n_atoms = len(position)
    if n_atoms < 3:
        return [((atom, atom, atom), False) for atom in range(n_atoms)]
    distance = np.linalg.norm(position[:, None] - position[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :2]
    before, behind = position[nearest[:, 0]] - position, position[nearest[:, 1]] - position
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(behind, axis=1)
    cosine = (before * behind).sum(axis=1) / np.maximum(lengths, 1e-12)
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    valid = (lengths > 1e-8) & (angle > MIN_FRAME_ANGLE) & (angle < 180 - MIN_FRAME_ANGLE)
    return [
        ((int(a), atom, int(c)), bool(valid[atom])) for atom, (a, c) in enumerate(nearest.tolist())
    ]


def element_symbols(tokens: Tokens) -> Shaped[np.ndarray, " atom"]:
    """The element of every atom in capitals, X where the dictionary has none."""
    return np.array([SYMBOLS.get(int(number), "X") for number in tokens.element])
