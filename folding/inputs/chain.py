"""A protein chain and its copies, and how chains get their ids."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from string import ascii_uppercase

from folding.errors import InvalidInput
from folding.inputs.a3m import read_a3m
from folding.inputs.fasta import MAX_FASTA_CHARACTERS, FastaRecord, parse_fasta
from folding.inputs.sequence import clean_sequence
from folding.inputs.text import check_characters, check_size, quoted

MAX_CHAINS = 100
# mmCIF allows more, but viewers and the PDB's own tools stop at four letters.
_CHAIN_ID = re.compile("[A-Z]{1,4}")
MAX_DESCRIPTION_CHARACTERS = 500


@dataclass(frozen=True)
class ProteinChain:
    """One protein sequence and the ids of its copies.

    Args:
        ids: One id for each copy: capital letters, `A` to `Z`, then `AA`, `BA` and so on.
        sequence: One-letter codes; cleaned of white space and put into capitals.
        msa: A3M text whose first row is the sequence, or None to fold without an alignment.
        description: A remark that travels with the chain.

    Raises:
        InvalidInput: `field` is `"ids"`, `"sequence"`, `"msa"` or `"description"`.
    """

    ids: tuple[str, ...]
    sequence: str
    msa: str | None = None
    description: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sequence", clean_sequence(self.sequence))
        check_chain_ids(self.ids, field="ids")
        if self.msa is not None:
            read_a3m(self.msa, sequence=self.sequence, field="msa")
        check_size(
            self.description,
            limit=MAX_DESCRIPTION_CHARACTERS,
            what="A description",
            field="description",
        )
        check_characters(self.description, what="A description", field="description")

    @property
    def n_tokens(self) -> int:
        """Residues of all copies together."""
        return len(self.sequence) * len(self.ids)


def check_chain_ids(ids: Sequence[str], *, field: str) -> None:
    """Refuses ids that are missing, malformed or used twice.

    Raises:
        InvalidInput: Names the id.
    """
    if not ids:
        raise InvalidInput("A chain needs an id for each copy, such as A.", field=field)
    seen: set[str] = set()
    for chain_id in ids:
        if not _CHAIN_ID.fullmatch(chain_id):
            raise InvalidInput(
                f"A chain id is one to four capital letters (A to Z, then AA, BA, …), not "
                f"{quoted(chain_id)}.",
                field=field,
            )
        if chain_id in seen:
            raise InvalidInput(
                f"Each chain needs an id of its own, but {chain_id} is used twice. Rename one.",
                field=field,
            )
        seen.add(chain_id)


def assign_chain_ids(
    copies: Sequence[int], *, taken: Collection[str] = ()
) -> tuple[tuple[str, ...], ...]:
    """Ids for entities with so many copies each, in AF3's order: A … Z, AA, BA … ZA, AB ….

    Args:
        taken: Ids that are in use already.

    Raises:
        InvalidInput: A number of copies below 1, or more chains than a job can have.
    """
    for index, number in enumerate(copies):
        if not 1 <= number <= MAX_CHAINS:
            raise InvalidInput(
                f"The number of copies must be from 1 to {MAX_CHAINS}, not {quoted(number)}.",
                field=f"chains.{index}.copies",
            )
    free = (chain_id for chain_id in _all_chain_ids() if chain_id not in taken)
    return tuple(tuple(islice(free, number)) for number in copies)


def _all_chain_ids() -> Iterator[str]:
    for index in count():
        letters, rest = "", index
        while True:
            letters += ascii_uppercase[rest % 26]
            rest = rest // 26 - 1
            if rest < 0:
                break
        yield letters


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
    names = islice(_all_chain_ids(), len(sequences))
    for chain_id, (sequence, header) in zip(names, sequences, strict=True):
        ids.setdefault(sequence, []).append(chain_id)
        descriptions.setdefault(sequence, header[:MAX_DESCRIPTION_CHARACTERS])
    return tuple(
        ProteinChain(tuple(chain_ids), sequence, description=descriptions[sequence])
        for sequence, chain_ids in ids.items()
    )
