"""Ids of chains: what they may look like, and how they are given out."""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import count, islice
from string import ascii_uppercase

from folding.errors import InvalidInput
from folding.inputs.text import check_characters, check_size, quoted

MAX_CHAINS = 100
# mmCIF allows more, but viewers and the PDB's own tools stop at four letters.
_CHAIN_ID = re.compile("[A-Z]{1,4}")
MAX_DESCRIPTION_CHARACTERS = 500


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


def check_description(description: str) -> None:
    """Refuses a remark that is too long or not plain text.

    Raises:
        InvalidInput: `field` is `"description"`.
    """
    field = "description"
    check_size(description, limit=MAX_DESCRIPTION_CHARACTERS, what="A description", field=field)
    check_characters(description, what="A description", field=field)


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
    free = (chain_id for chain_id in all_chain_ids() if chain_id not in taken)
    return tuple(tuple(islice(free, number)) for number in copies)


def all_chain_ids() -> Iterator[str]:
    """A … Z, AA, BA … ZA, AB …, without end."""
    for index in count():
        letters, rest = "", index
        while True:
            letters += ascii_uppercase[rest % 26]
            rest = rest // 26 - 1
            if rest < 0:
                break
        yield letters
