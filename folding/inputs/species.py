"""The species that headers of alignments name: rows of one species pair across chains."""

import re
from collections.abc import Iterator

from folding.inputs.keyed_csv import KEY_PREFIX

_HEADER = re.compile(r"^[ \t]*>(.*)$", re.MULTILINE)
_SPECIES = (
    re.compile(rf"(?:^|\s){KEY_PREFIX}(?P<key>\S+)"),
    re.compile(r"\bOX=(?P<key>\d+)"),
    re.compile(r"\bTaxID=(?P<key>\d+)"),
    # UniProt: tr|A0A146SKV9|A0A146SKV9_FUNHE/1-100
    re.compile(r"^(?:tr|sp)\|[A-Z0-9]{6,10}(?:_\d+)?\|[A-Z0-9]{1,10}_(?P<key>[A-Z0-9]{1,5})"),
    # UniRef100 as AF3's database has it: UniRef100_A0A009_9606/1-100
    re.compile(r"^UniRef100_[^_\s]+_(?P<key>[^_/\s]+)"),
)


def species_of(header: str) -> str:
    """The species that a header names, or "" where it names none.

    An explicit `key=…` counts before UniProt's `OX=`, UniRef's `TaxID=`, UniProt's mnemonic and
    the taxonomy id in names such as `UniRef100_A0A009_9606`.
    """
    for pattern in _SPECIES:
        if found := pattern.search(header):
            return found["key"]
    return ""


def species_in(a3m: str) -> frozenset[str]:
    """All species that the headers of an alignment name, its first row left out."""
    headers = _headers(a3m)
    next(headers, None)
    return frozenset(map(species_of, headers)) - {""}


def _headers(a3m: str) -> Iterator[str]:
    return (found[1].strip() for found in _HEADER.finditer(a3m))
