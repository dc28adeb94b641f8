"""Chains of proteins, RNA and DNA with their copies, and the chains of a paste."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from folding.errors import InvalidInput
from folding.inputs.a3m import read_a3m
from folding.inputs.bond import AtomRef, Bond
from folding.inputs.components import Component, Components
from folding.inputs.fasta import MAX_FASTA_CHARACTERS, FastaRecord, parse_fasta
from folding.inputs.ids import (
    MAX_CHAINS,
    MAX_DESCRIPTION_CHARACTERS,
    all_chain_ids,
    check_chain_ids,
    check_description,
)
from folding.inputs.joining import Strand
from folding.inputs.modification import Modification, check_modifications
from folding.inputs.sequence import (
    AMINO_ACID_RESIDUES,
    DNA,
    RNA,
    clean_nucleotides,
    clean_sequence,
)
from folding.inputs.template import Template, check_templates
from folding.inputs.text import check_size

# A ring of fewer residues than this closes onto itself.
MIN_CYCLIC = 3


@dataclass(frozen=True)
class ProteinChain:
    """One protein sequence and the ids of its copies.

    Args:
        ids: One id for each copy: capital letters, `A` to `Z`, then `AA`, `BA` and so on.
        sequence: One-letter codes; cleaned of white space and put into capitals.
        msa: A3M text whose first row is the sequence; None where nothing is said about one, empty
            to fold without.
        paired_msa: A3M text of rows that stand beside rows of other proteins, where both headers
            name the same species or `key=…`.
        templates: Structures to look at; None where nothing is said about templates, empty to
            fold without.
        modifications: Residues that are other components than their letters say.
        cyclic: The last residue is bonded to the first.
        description: A remark that travels with the chain.

    Raises:
        InvalidInput: `field` is the name of the part.
    """

    ids: tuple[str, ...]
    sequence: str
    msa: str | None = None
    paired_msa: str | None = None
    templates: tuple[Template, ...] | None = None
    modifications: tuple[Modification, ...] = ()
    cyclic: bool = False
    description: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sequence", clean_sequence(self.sequence))
        _check_polymer(self)
        if self.msa:
            read_a3m(self.msa, sequence=self.sequence, field="msa")
        if self.paired_msa is not None:
            read_a3m(self.paired_msa, sequence=self.sequence, field="paired_msa")
        if self.templates is not None:
            check_templates(self.templates, n_residues=len(self.sequence), field="templates")

    @property
    def residue_names(self) -> tuple[str, ...]:
        """The component of each residue, modifications included."""
        return _residue_names(self, AMINO_ACID_RESIDUES)

    @property
    def n_tokens(self) -> int:
        """Tokens of all copies together; components of the user are counted by the job."""
        return self.count_tokens(Components())

    def count_tokens(self, components: Components) -> int:
        """Tokens of all copies: one for each residue, one for each atom of a modified residue."""
        return _count_tokens(self, components, strangers=("DNA", "RNA", "SACCHARIDE"))


@dataclass(frozen=True)
class RnaChain:
    """One RNA sequence, from 5' to 3', and the ids of its copies.

    Args:
        ids: As of `ProteinChain`, and so are `msa`, `modifications`, `cyclic` and `description`.
        sequence: The letters A, C, G, U and N (unknown).

    Raises:
        InvalidInput: `field` is the name of the part.
    """

    ids: tuple[str, ...]
    sequence: str
    msa: str | None = None
    modifications: tuple[Modification, ...] = ()
    cyclic: bool = False
    description: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sequence", clean_nucleotides(self.sequence, alphabet=RNA))
        _check_polymer(self)
        if self.msa:
            read_a3m(self.msa, sequence=self.sequence, field="msa")

    @property
    def residue_names(self) -> tuple[str, ...]:
        """The component of each residue, modifications included."""
        return _residue_names(self, RNA.residues)

    @property
    def n_tokens(self) -> int:
        """Tokens of all copies together; components of the user are counted by the job."""
        return self.count_tokens(Components())

    def count_tokens(self, components: Components) -> int:
        """Tokens of all copies: one for each residue, one for each atom of a modified residue."""
        return _count_tokens(self, components, strangers=("PEPTIDE", "SACCHARIDE"))


@dataclass(frozen=True)
class DnaChain:
    """One strand of DNA, from 5' to 3', and the ids of its copies.

    Args:
        ids: As of `ProteinChain`, and so are `modifications`, `cyclic` and `description`.
        sequence: The letters A, C, G, T and N (unknown).

    Raises:
        InvalidInput: `field` is the name of the part.
    """

    ids: tuple[str, ...]
    sequence: str
    modifications: tuple[Modification, ...] = ()
    cyclic: bool = False
    description: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sequence", clean_nucleotides(self.sequence, alphabet=DNA))
        _check_polymer(self)

    @property
    def residue_names(self) -> tuple[str, ...]:
        """The component of each residue, modifications included."""
        return _residue_names(self, DNA.residues)

    @property
    def n_tokens(self) -> int:
        """Tokens of all copies together; components of the user are counted by the job."""
        return self.count_tokens(Components())

    def count_tokens(self, components: Components) -> int:
        """Tokens of all copies: one for each residue, one for each atom of a modified residue."""
        return _count_tokens(self, components, strangers=("PEPTIDE", "SACCHARIDE"))


Polymer = ProteinChain | RnaChain | DnaChain


def link_atoms(chain: Polymer) -> tuple[str, str]:
    """The atoms that bond neighbours of a chain: of the one before, of the one behind."""
    return ("C", "N") if isinstance(chain, ProteinChain) else ("O3'", "P")


def strand(chain: Polymer, components: Components) -> Strand:
    """The residues of one copy of a chain."""
    return Strand(
        chain.residue_names,
        components,
        modified={modification.position for modification in chain.modifications},
        ends=link_atoms(chain),
        cyclic=chain.cyclic,
    )


def head_to_tail(chain: Polymer) -> list[Bond]:
    """The bonds that would close each copy of a chain into a ring."""
    tail, head = link_atoms(chain)
    n_residues = len(chain.sequence)
    if n_residues < MIN_CYCLIC:
        return []
    return [Bond(AtomRef(i, n_residues, tail), AtomRef(i, 1, head)) for i in chain.ids]


def _check_polymer(chain: Polymer) -> None:
    check_chain_ids(chain.ids, field="ids")
    check_description(chain.description)
    n_residues = len(chain.sequence)
    check_modifications(chain.modifications, n_residues=n_residues, field="modifications")
    # However they are written, the same modifications make the same chain.
    in_order = tuple(sorted(chain.modifications, key=lambda m: m.position))
    object.__setattr__(chain, "modifications", in_order)
    if chain.cyclic and n_residues < MIN_CYCLIC:
        raise InvalidInput(
            f"A cyclic chain needs at least {MIN_CYCLIC} residues, but this has {n_residues}.",
            field="cyclic",
        )


READ_AS = {"MSE": "MET"}
"""Selenomethionine is read as methionine (AF3 SI section 2.1)."""


def _residue_names(chain: Polymer, names: Mapping[str, str]) -> tuple[str, ...]:
    modified = {m.position: READ_AS.get(m.ccd, m.ccd) for m in chain.modifications}
    residues = enumerate(chain.sequence, start=1)
    return tuple(modified.get(position, names[letter]) for position, letter in residues)


def _count_tokens(chain: Polymer, components: Components, *, strangers: Sequence[str]) -> int:
    n_tokens = len(chain.sequence)
    residues = strand(chain, components)
    for modification in chain.modifications:
        component = components.find(modification.ccd, field="modifications")
        _check_kind(component, strangers)
        found = residues.residue(modification.position)
        if not found.is_token:
            n_tokens += len(found.kept(residues.joints(modification.position))) - 1
    if chain.cyclic and chain.modifications:
        _check_ring(chain, residues)
    return n_tokens * len(chain.ids)


def _check_ring(chain: Polymer, residues: Strand) -> None:
    """Refuses a ring whose ends cannot be bonded to each other."""
    tail, head = link_atoms(chain)
    for position, atom in ((1, head), (len(chain.sequence), tail)):
        component = residues.residue(position).component
        if atom not in component.atom_names:
            raise InvalidInput(
                f"A cyclic chain is closed by the atom {atom} of residue {position}, which "
                f"{component.code} does not have. Open the chain, or take off what caps it.",
                field="cyclic",
            )


def _check_kind(component: Component, strangers: Sequence[str]) -> None:
    """Refuses a residue of another kind of polymer."""
    if any(stranger in component.type.upper() for stranger in strangers):
        raise InvalidInput(
            f"{component.code} cannot be a residue of this chain: the chemical component "
            f"dictionary calls it “{component.type.lower()}”.",
            field="modifications",
        )


def parse_sequences(text: str, *, field: str = "sequence") -> tuple[ProteinChain, ...]:
    """The chains of a paste: one bare sequence, or FASTA with one record for each chain.

    Records of the same sequence become copies of one chain; “:” within a sequence separates chains.
    Ids are given in order of appearance.

    Raises:
        InvalidInput: Broken FASTA or a sequence that is not one, named by its header.
    """
    check_size(text, limit=MAX_FASTA_CHARACTERS, what="A paste", field=field)
    records: Sequence[FastaRecord] = (
        parse_fasta(text, field=field) if ">" in text else [FastaRecord("", text, 1)]
    )
    sequences = [
        (_clean_record(record, part, field=field), record.header)
        for record in records
        for part in record.sequence.split(":")
    ]
    if len(sequences) > MAX_CHAINS:
        raise InvalidInput(
            f"A job can have at most {MAX_CHAINS} chains, but this has {len(sequences)}. "
            "Fold them in several jobs.",
            field=field,
        )
    return _group_copies(sequences)


def _clean_record(record: FastaRecord, part: str, *, field: str) -> str:
    try:
        return clean_sequence(part, field=field)
    except InvalidInput as error:
        if not record.header:
            raise
        raise InvalidInput(f"In {record.label}: {error}", field=field) from error


def _group_copies(sequences: Sequence[tuple[str, str]]) -> tuple[ProteinChain, ...]:
    ids: dict[str, list[str]] = {}
    descriptions: dict[str, str] = {}
    names = islice(all_chain_ids(), len(sequences))
    for chain_id, (sequence, header) in zip(names, sequences, strict=True):
        ids.setdefault(sequence, []).append(chain_id)
        descriptions.setdefault(sequence, header[:MAX_DESCRIPTION_CHARACTERS])
    return tuple(
        ProteinChain(tuple(chain_ids), sequence, description=descriptions[sequence])
        for sequence, chain_ids in ids.items()
    )
