"""FASTA whose headers say what each record is, as Boltz and Chai write it.

Boltz: `>A|protein|msa.a3m`, `>B|smiles`. Chai: `>protein|name=short`, `>ligand|ATP`. Headers of
sequence databases (`>sp|P01542|CRAM`) are neither, and such text is proteins.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from folding.errors import InvalidInput
from folding.inputs.bond import Bond
from folding.inputs.chain import DnaChain, ProteinChain, RnaChain
from folding.inputs.dialects.fields import Files, JobFields, inside
from folding.inputs.dialects.glycan import read_glycan
from folding.inputs.fasta import FastaRecord
from folding.inputs.ids import all_chain_ids
from folding.inputs.ligand import Ligand
from folding.inputs.modification import Modification
from folding.inputs.text import quoted

_BOLTZ = re.compile(r"[A-Za-z0-9]{1,5}\|(?:protein|dna|rna|ccd|smiles)(?:\|.*)?", re.IGNORECASE)
_CHAI = re.compile(r"(?:protein|dna|rna|ligand|glycan)\|.*", re.IGNORECASE)
_MODIFIED = re.compile(r"\(([A-Za-z0-9]{1,5})\)")
_POLYMERS: dict[str, Any] = {"protein": ProteinChain, "rna": RnaChain, "dna": DnaChain}
_UNKNOWN = {"protein": "X", "rna": "N", "dna": "N"}


def says_what_it_is(records: Sequence[FastaRecord]) -> bool:
    """True if every header has Boltz's form, or every header has Chai's."""
    headers = [record.header for record in records]
    return any(all(form.fullmatch(h) for h in headers) for form in (_BOLTZ, _CHAI))


def read(
    records: Sequence[FastaRecord],
    *,
    name: str,
    seeds: tuple[int, ...],
    files: Files | None = None,
) -> JobFields:
    """What the records say.

    Raises:
        InvalidInput: A record that is not what its header says.
    """
    chains: list[Any] = []
    bonds: list[Bond] = []
    free = all_chain_ids()
    is_chai = bool(_CHAI.fullmatch(records[0].header))
    for index, record in enumerate(records):
        place = f"chains.{index}"
        if is_chai:
            chain, links = inside(place, partial(_read_chai, record, free))
            bonds += links
        else:
            chain = inside(place, partial(_read_boltz, record, files))
        chains.append(chain)
    return JobFields(name=name, seeds=seeds, chains=tuple(chains), bonds=tuple(bonds))


def _read_boltz(record: FastaRecord, files: Files | None) -> Any:
    chain_id, kind, *rest = record.header.split("|")
    kind, msa = kind.lower(), "|".join(rest).strip()
    letters = "".join(record.sequence.split())
    if kind == "ccd":
        return Ligand((chain_id,), ccd=(letters,))
    if kind == "smiles":
        return Ligand((chain_id,), smiles=letters)
    if not msa or (msa == "empty" and kind != "protein"):
        return _POLYMERS[kind]((chain_id,), letters)
    if msa == "empty":
        return ProteinChain((chain_id,), letters, msa="")
    if kind != "protein":
        raise InvalidInput(f"{record.label}: only a protein can name an alignment.", field="msa")
    if files is None:
        raise InvalidInput(
            f"{record.label} names an alignment that cannot be read from here: upload it with the "
            "chain, or fold with “manage.py fold”, which reads files beside the job's.",
            field="msa",
        )
    return ProteinChain((chain_id,), letters, msa=files(msa))


def _read_chai(record: FastaRecord, free: Iterator[str]) -> tuple[Any, tuple[Bond, ...]]:
    kind, _, label = record.header.partition("|")
    kind, remark = kind.lower(), label.strip().removeprefix("name=")
    chain_id = next(free)
    if kind == "glycan":
        glycan = read_glycan(record.sequence.strip())
        ligand = Ligand((chain_id,), ccd=glycan.codes, description=remark)
        return ligand, glycan.bonds(chain_id)
    letters = "".join(record.sequence.split())
    if kind == "ligand":
        return Ligand((chain_id,), smiles=letters, description=remark), ()
    sequence, modifications = _take_modified(letters, unknown=_UNKNOWN[kind])
    make = _POLYMERS[kind]
    chain = make((chain_id,), sequence, modifications=modifications, description=remark)
    return chain, ()


def _take_modified(letters: str, *, unknown: str) -> tuple[str, tuple[Modification, ...]]:
    """The sequence and its modified residues, which stand in it as `(SEP)`."""
    sequence, modifications = "", []
    for index, part in enumerate(_MODIFIED.split(letters)):
        if index % 2:
            sequence += unknown
            modifications.append(Modification(part, len(sequence)))
        else:
            sequence += part
    if "(" in sequence or ")" in sequence:
        raise InvalidInput(
            f"{quoted(letters)} has a parenthesis that is not closed. A modified residue is "
            "written as its code in parentheses, such as (SEP).",
            field="sequence",
        )
    return sequence, tuple(modifications)
