"""A whole job: its name, its chains, the bonds between them, and its seeds."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from folding.errors import InvalidInput
from folding.inputs.bond import MAX_BONDS, AtomRef, Bond
from folding.inputs.chain import (
    DnaChain,
    ProteinChain,
    RnaChain,
    head_to_tail,
    parse_sequences,
    strand,
)
from folding.inputs.components import Components
from folding.inputs.dialects import alphafold3
from folding.inputs.dialects.fields import JobFields
from folding.inputs.fasta import parse_fasta
from folding.inputs.ids import MAX_CHAINS, check_chain_ids
from folding.inputs.joining import Residue, Strand
from folding.inputs.ligand import Ligand
from folding.inputs.molecule import read_molecule
from folding.inputs.sequence import sequence_notes
from folding.inputs.species import species_in
from folding.inputs.text import check_characters, quoted

MAX_NAME_CHARACTERS = 100
MAX_SEEDS = 100
MAX_SEED = 2**32 - 1
_NOT_IN_SLUG = re.compile(r"[^A-Za-z0-9._-]+")
_SLUG_CHARACTERS = 60
_ALIGNMENTS = ("msa", "paired_msa")
# What headers of sequence databases begin with; the accession stands behind it.
_DATABASES = frozenset({"sp", "tr", "gb", "emb", "ref", "pdb"})


Chain = ProteinChain | RnaChain | DnaChain | Ligand
# Below four tokens there is nothing to superpose, and so nothing to score.
MIN_TOKENS = 4

NO_ALIGNMENT = (
    "No alignment is given: the structure is predicted from the sequence alone, which is much less "
    "accurate for natural proteins."
)


NOTHING_PAIRS = (
    "the paired alignment has nothing to pair with, since rows pair between different proteins "
    "only, and most models do not read it. Give it as the alignment of the chain."
)
NO_PARTNER = (
    "no row of the paired alignment has a partner in another chain's, and most models do not read "
    "rows without one. Rows pair where headers name the same species (OX=9606, TaxID=9606, "
    "CRAM_HUMAN) or key (key=1)."
)


@dataclass(frozen=True)
class FoldInput:
    """What to fold: a name, chains and ligands, bonds between them, and random seeds.

    Args:
        name: 1 to 100 printable characters.
        chains: At least one; the ids of all copies differ.
        seeds: Whole numbers from 0 to 2³² - 1, each once; every seed is a fold of its own.
        bonds: Covalent bonds beside those that chains and components have. A bond that closes
            every copy of a chain head to tail makes the chain cyclic instead.
        user_ccd: Components of the user's own, as the PDB's mmCIF.

    Raises:
        InvalidInput: `field` is `"name"`, `"chains"`, `"chains.<i>.<part>"`, `"seeds"`,
            `"bonds.<i>"` or `"user_ccd"`.
    """

    name: str
    chains: tuple[Chain, ...]
    seeds: tuple[int, ...] = (1,)
    bonds: tuple[Bond, ...] = ()
    user_ccd: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _clean_name(self.name))
        object.__setattr__(self, "user_ccd", self.user_ccd or None)
        _check_chains(self.chains)
        _check_seeds(self.seeds)
        self.components  # noqa: B018 - read first, so that its faults are not those of a chain
        self._close_rings()
        _check_bonds(self)
        if self.n_tokens < MIN_TOKENS:
            raise InvalidInput(
                f"There is too little to fold: a job needs at least {MIN_TOKENS} residues or "
                f"ligand atoms, but this has {self.n_tokens}. Add a chain.",
                field="chains",
            )

    def _close_rings(self) -> None:
        """Turns bonds that close every copy of a chain head to tail into cyclic chains."""
        if not self.bonds:
            return
        ends = {bond.ends for bond in self.bonds}
        chains: list[Chain] = []
        closing: set[frozenset[AtomRef]] = set()
        for chain in self.chains:
            rings = set() if isinstance(chain, Ligand) else {b.ends for b in head_to_tail(chain)}
            if not isinstance(chain, Ligand) and rings and rings <= ends:
                closing |= rings
                chain = replace(chain, cyclic=True)
            chains.append(chain)
        object.__setattr__(self, "chains", tuple(chains))
        bonds = tuple(bond for bond in self.bonds if bond.ends not in closing)
        object.__setattr__(self, "bonds", bonds)

    @cached_property
    def components(self) -> Components:
        """The components that this job may name."""
        return Components(self.user_ccd)

    @cached_property
    def strands(self) -> Mapping[tuple[str, ...], Strand]:
        """The residues of every polymer, by the ids of its copies."""
        polymers = (chain for chain in self.chains if not isinstance(chain, Ligand))
        return {chain.ids: strand(chain, self.components) for chain in polymers}

    @cached_property
    def n_tokens(self) -> int:
        """Tokens of the job, copies counted: one for each residue, one for each other atom.

        Raises:
            InvalidInput: A component that is in no dictionary.
        """
        total = 0
        for index, chain in enumerate(self.chains):
            try:
                total += chain.count_tokens(self.components)
            except InvalidInput as error:
                raise error.inside(f"chains.{index}") from error
        return total - sum(site.n_lost for site in _bonded(self).values())

    @property
    def alignments(self) -> tuple[str, ...]:
        """The A3M texts of all chains, those of paired rows too."""
        found = [getattr(chain, name, None) for chain in self.chains for name in _ALIGNMENTS]
        return tuple(text for text in found if text)

    @property
    def has_atom_tokens(self) -> bool:
        """Whether some tokens are single atoms, those of ligands and modified residues."""
        return any(isinstance(c, Ligand) or c.modifications for c in self.chains)

    @property
    def n_chains(self) -> int:
        """Chains of the job, copies counted."""
        return len(self.chain_ids)

    @property
    def chain_ids(self) -> tuple[str, ...]:
        """The id of each copy, entity by entity: the order of the chains in all that comes out."""
        return tuple(chain_id for chain in self.chains for chain_id in chain.ids)

    @property
    def slug(self) -> str:
        """The name as files carry it: ASCII letters, digits and `._-`, never empty."""
        ascii_name = unicodedata.normalize("NFKD", self.name).encode("ascii", "ignore").decode()
        slug = _NOT_IN_SLUG.sub("_", ascii_name)[:_SLUG_CHARACTERS].strip("._-")
        return slug or "job"

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the person who is about to fold this; none of them stops the job."""
        notes = []
        proteins = [chain for chain in self.chains if isinstance(chain, ProteinChain)]
        for chain in proteins:
            label = f"Chain {', '.join(chain.ids)}: "
            notes += [label + note for note in sequence_notes(chain.sequence)]
        pairs = len({chain.sequence for chain in proteins}) > 1
        idle = [chain for chain in proteins if chain.paired_msa and not pairs]
        notes += [f"Chain {', '.join(chain.ids)}: {NOTHING_PAIRS}" for chain in idle]
        lonely = _without_partner(proteins) if pairs else []
        notes += [f"Chain {', '.join(chain.ids)}: {NO_PARTNER}" for chain in lonely]
        if proteins and len(self.alignments) == len(idle):
            notes.append(NO_ALIGNMENT)
        return tuple(notes)

    def to_json(self, *, strict: bool = False) -> dict[str, Any]:
        """The job as AlphaFold 3 JSON; `from_json` returns an equal job.

        Args:
            strict: For AlphaFold 3 itself, which wants both alignments of a protein or neither:
                one that brings paired rows alone declines others.
        """
        chains = tuple(map(_declining, self.chains)) if strict else self.chains
        parts = JobFields(self.name, self.seeds, chains, self.bonds, self.user_ccd)
        return alphafold3.write(parts)

    @classmethod
    def from_json(cls, document: object) -> "FoldInput":
        """The job that a parsed AlphaFold 3 document (versions 1 to 4) describes.

        Raises:
            InvalidInput: Not a job, or one that asks for what is not supported, by name.
        """
        return cls(**alphafold3.read(document)._asdict())

    @classmethod
    def from_fasta(cls, text: str, *, name: str = "", seeds: tuple[int, ...] = (1,)) -> "FoldInput":
        """The job of a pasted sequence or FASTA, called `name` or else after its first header.

        Raises:
            InvalidInput: As `parse_sequences`, and for the name and seeds.
        """
        chains = parse_sequences(text)
        return cls(name=name.strip() or _name_from(text), chains=chains, seeds=seeds)


def _without_partner(proteins: Sequence[ProteinChain]) -> list[ProteinChain]:
    """Those whose paired rows are all of species that no other protein's paired rows have."""
    known = [(chain, species_in(chain.paired_msa)) for chain in proteins if chain.paired_msa]
    return [
        chain
        for chain, species in known
        if not any(species & o for other, o in known if other.sequence != chain.sequence)
    ]


def _declining(chain: Chain) -> Chain:
    if isinstance(chain, ProteinChain) and chain.msa is None and chain.paired_msa:
        return replace(chain, msa="")
    return chain


def _name_from(text: str) -> str:
    header = parse_fasta(text)[0].header if ">" in text else ""
    words = header.replace("|", " ").split()
    if len(words) > 1 and words[0] in _DATABASES:
        words = words[1:]
    return words[0][:MAX_NAME_CHARACTERS] if words else "Untitled"


def _clean_name(name: str) -> str:
    check_characters(name, what="The name", field="name")
    name = " ".join(name.split())
    if not name:
        raise InvalidInput("The job needs a name. Any short text will do.", field="name")
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidInput(
            f"A name can have at most {MAX_NAME_CHARACTERS} characters, but this has {len(name)}. "
            "Shorten it.",
            field="name",
        )
    return name


class _Bonded:
    """A residue or component that bonds reach, and the atoms that they name, in order.

    All bonds are named before the first question about what is left.
    """

    def __init__(self, job: FoldInput, chain: Chain, position: int) -> None:
        self.joints: list[str] = []
        if isinstance(chain, Ligand):
            code = chain.ccd[position - 1]
            self.residue = Residue(job.components.find(code, field="ccd"), False)
        else:
            residues = job.strands[chain.ids]
            self.residue = residues.residue(position)
            self.joints = residues.joints(position)
        self.named: list[str] = []

    @cached_property
    def atoms(self) -> tuple[str, ...]:
        """The atoms that a bond may name."""
        return self.residue.kept(self.joints)

    @cached_property
    def left(self) -> tuple[str, ...]:
        """The atoms that are left once all bonds are made."""
        return self.residue.kept([*self.joints, *self.named])

    @property
    def n_lost(self) -> int:
        """Tokens that the bonds cost."""
        return 0 if self.residue.is_token else len(self.atoms) - len(self.left)


def _bonded(job: FoldInput) -> dict[tuple[str, int], _Bonded]:
    """What bonds reach, by chain and position; ligands from files lose nothing and are not here."""
    chains = {chain_id: chain for chain in job.chains for chain_id in chain.ids}
    found: dict[tuple[str, int], _Bonded] = {}
    for bond in job.bonds:
        for atom in (bond.first, bond.second):
            chain, place = chains[atom.chain_id], (atom.chain_id, atom.position)
            if isinstance(chain, Ligand) and not chain.ccd:
                continue
            if place not in found:
                found[place] = _Bonded(job, chain, atom.position)
            found[place].named.append(atom.atom)
    return found


def _check_bonds(job: FoldInput) -> None:
    if len(job.bonds) > MAX_BONDS:
        raise InvalidInput(
            f"A job can have at most {MAX_BONDS} bonds, but this has {len(job.bonds)}.",
            field="bonds",
        )
    chains = {chain_id: chain for chain in job.chains for chain_id in chain.ids}
    seen: set[frozenset[AtomRef]] = set()
    names: dict[tuple[str, int], tuple[str, ...]] = {}
    for index, bond in enumerate(job.bonds):
        field = f"bonds.{index}"
        if bond.ends in seen:
            raise InvalidInput(f"The bond {bond} is given twice. Delete one.", field=field)
        seen.add(bond.ends)
        for atom in (bond.first, bond.second):
            _check_position(atom, chains, field=field)
            place = (atom.chain_id, atom.position)
            if place not in names:
                names[place] = _atom_names(job, chains[place[0]], place[1], field=field)
            _check_atom(atom, names[place], field=field)
    _check_left(job)


def _check_left(job: FoldInput) -> None:
    """Refuses bonds to atoms that other bonds replace, such as a sugar's O1 once C1 is bonded."""
    left = {place: frozenset(site.left) for place, site in _bonded(job).items()}
    for index, bond in enumerate(job.bonds):
        for atom in (bond.first, bond.second):
            names = left.get((atom.chain_id, atom.position))
            if names is not None and atom.atom not in names:
                raise InvalidInput(
                    f"The bond {bond} needs the atom {atom.atom} of {atom.chain_id}/"
                    f"{atom.position}, which leaves where another bond is made. Bond the atom "
                    "that stays, or delete the other bond.",
                    field=f"bonds.{index}",
                )


def _check_position(atom: AtomRef, chains: Mapping[str, Chain], *, field: str) -> None:
    chain = chains.get(atom.chain_id)
    if chain is None:
        raise InvalidInput(
            f"A bond names the chain {quoted(atom.chain_id)}, but the chains of this job are "
            f"{', '.join(chains)}.",
            field=field,
        )
    n_positions = _n_positions(chain)
    if not 1 <= atom.position <= n_positions:
        raise InvalidInput(
            f"A bond names residue {atom.position} of chain {atom.chain_id}, which has residues 1 "
            f"to {n_positions}.",
            field=field,
        )


def _check_atom(atom: AtomRef, names: tuple[str, ...], *, field: str) -> None:
    if atom.atom not in names:
        shown = ", ".join(names[:40]) + (", …" if len(names) > 40 else "")
        raise InvalidInput(
            f"A bond names the atom {quoted(atom.atom)} of {atom.chain_id}/{atom.position}, which "
            f"has the atoms {shown}.",
            field=field,
        )


def _n_positions(chain: Chain) -> int:
    if isinstance(chain, Ligand):
        return len(chain.ccd) or 1
    return len(chain.sequence)


def _atom_names(job: FoldInput, chain: Chain, position: int, *, field: str) -> tuple[str, ...]:
    if isinstance(chain, Ligand) and chain.file is not None:
        return read_molecule(chain.file).heavy_names
    if isinstance(chain, Ligand) and chain.smiles is not None:
        raise InvalidInput(
            "Atoms of a SMILES ligand have no names that a bond could use. Give the ligand by its "
            "code, or as an SDF file, whose atoms are called C1, C2, O1 and so on in their order.",
            field=field,
        )
    try:
        return _Bonded(job, chain, position).atoms
    except InvalidInput as error:
        raise InvalidInput(str(error), field=field) from error


def _check_chains(chains: tuple[Chain, ...]) -> None:
    if not chains:
        raise InvalidInput(
            "There is nothing to fold. Add at least one protein chain.", field="chains"
        )
    n_chains = sum(len(chain.ids) for chain in chains)
    if n_chains > MAX_CHAINS:
        raise InvalidInput(
            f"A job can have at most {MAX_CHAINS} chains, copies counted, but this has {n_chains}. "
            "Fold them in several jobs.",
            field="chains",
        )
    seen: list[str] = []
    for index, chain in enumerate(chains):
        seen += chain.ids
        check_chain_ids(seen, field=f"chains.{index}.ids")


def _check_seeds(seeds: tuple[int, ...]) -> None:
    if not 1 <= len(seeds) <= MAX_SEEDS:
        raise InvalidInput(
            f"A job needs 1 to {MAX_SEEDS} seeds, but this has {len(seeds)}. Write 1, 2, 3.",
            field="seeds",
        )
    for index, seed in enumerate(seeds):
        if isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
            raise InvalidInput(
                f"A seed is a whole number from 0 to {MAX_SEED}, not {quoted(seed)}.", field="seeds"
            )
        if seed in seeds[:index]:
            raise InvalidInput(
                f"Each seed can be given once, but {seed} is given twice: the same seed gives the "
                "same structures.",
                field="seeds",
            )
