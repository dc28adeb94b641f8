"""AlphaFold Server's JSON: entities without ids but with counts, glycans, ions.

Source: server/README.md of google-deepmind/alphafold. A glycan becomes a ligand of its own that is
bonded to the protein. Seeds are text there, and an empty list leaves the choice to the program.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from folding.errors import InvalidInput
from folding.inputs.bond import AtomRef, Bond
from folding.inputs.chain import DnaChain, ProteinChain, RnaChain
from folding.inputs.dialects.alphafold3 import read_modifications
from folding.inputs.dialects.fields import (
    Fields,
    JobFields,
    entities,
    inside,
    unknown_kind,
)
from folding.inputs.dialects.glycan import Glycan, protein_atom, read_glycan
from folding.inputs.ids import MAX_CHAINS, all_chain_ids
from folding.inputs.ligand import Ligand
from folding.inputs.text import quoted

DIALECT = "alphafoldserver"
KINDS = ("proteinChain", "dnaSequence", "rnaSequence", "ligand", "ion")
# The server's way to say “no templates”: none was released before this day.
_NO_TEMPLATES_BEFORE = "1976-01-01"


def read(document: object, *, seeds: tuple[int, ...]) -> JobFields:
    """What one job of AlphaFold Server says.

    Args:
        seeds: For a job that leaves its seeds to the program.

    Raises:
        InvalidInput: Not such a job, or one that asks for what is not supported, by name.
    """
    job = Fields(document, dialect=DIALECT, place="", noun="A job")
    dialect, version = job.raw("dialect"), job.raw("version")
    if dialect not in (None, DIALECT) or isinstance(version, bool) or version not in (None, 1):
        raise InvalidInput(
            f"A job of AlphaFold Server has the “dialect” “{DIALECT}” and the “version” 1, not "
            f"{quoted(dialect)} and {quoted(version)}.",
            field="version",
        )
    chains: list[Any] = []
    bonds: list[Bond] = []
    free = all_chain_ids()
    for kind, entity, place in entities(job):
        found, links = _read_entity(kind, entity, place, free)
        chains += found
        bonds += links
    result = JobFields(
        name=job.text("name"),
        seeds=read_seeds(job) or seeds,
        chains=tuple(chains),
        bonds=tuple(bonds),
    )
    job.done()
    return result


def read_seeds(job: Fields) -> tuple[int, ...]:
    """The seeds under `modelSeeds`, which may be numbers or text; none where there are none.

    Raises:
        InvalidInput: Not a list of them.
    """
    return tuple(job.wholes("modelSeeds", part="seeds", from_text=True))


def read_count(fields: Fields) -> int:
    """How many copies `count` asks for.

    Raises:
        InvalidInput: Not a number of copies.
    """
    count = fields.whole("count", part="copies", default=1)
    if not 1 <= count <= MAX_CHAINS:
        raise InvalidInput(
            f"The number of copies must be from 1 to {MAX_CHAINS}, not {quoted(count)}.",
            field=fields.at("copies"),
        )
    return count


def _read_entity(
    kind: str, entity: object, place: str, free: Iterator[str]
) -> tuple[list[Any], list[Bond]]:
    """The chains of an entity, glycans behind it, and the bonds that hold these."""
    if kind not in KINDS:
        raise unknown_kind(kind, KINDS, place=place)
    fields = Fields(entity, dialect=DIALECT, place=place, noun=f"“{kind}”")
    ids = tuple(next(free) for _ in range(read_count(fields)))
    if kind in ("ligand", "ion"):
        code = fields.text(kind, part="ccd")
        fields.done()
        return [inside(place, partial(Ligand, ids, ccd=(code,)))], []
    sequence = fields.text("sequence")
    glycans: list[Any] = []
    if kind == "proteinChain":
        chain = _read_protein(ids, sequence, fields)
        glycans = fields.items("glycans", "a list of glycans")
    else:
        nucleic, make = ("dna", DnaChain) if kind == "dnaSequence" else ("rna", RnaChain)
        modifications = read_modifications(nucleic, fields)
        chain = inside(place, partial(make, ids, sequence, modifications=modifications))
    chains: list[Any] = [chain]
    bonds: list[Bond] = []
    for item in glycans:
        ligand, links = _read_glycan(fields, item, chain, free)
        chains.append(ligand)
        bonds += links
    fields.done()
    return chains, bonds


def _read_protein(ids: tuple[str, ...], sequence: str, fields: Fields) -> ProteinChain:
    templates = None if fields.truth("useStructureTemplate", default=True) else ()
    latest = fields.text("maxTemplateDate", default="")
    if latest and templates is None:
        if latest > _NO_TEMPLATES_BEFORE:
            raise InvalidInput(
                "“maxTemplateDate” asks for templates up to a day, which is not supported. Remove "
                "it, or set “useStructureTemplate” to false.",
                field=fields.at("templates"),
            )
        templates = ()
    modifications = read_modifications("protein", fields)
    make = partial(ProteinChain, templates=templates, modifications=modifications)
    return inside(fields.place, partial(make, ids, sequence))


def _read_glycan(
    protein: Fields, item: object, chain: ProteinChain, free: Iterator[str]
) -> tuple[Ligand, list[Bond]]:
    """One glycan of each copy of a protein as a ligand, and its bonds."""
    fields = protein.within(item, part="glycans", noun="A glycan")
    text, position = fields.text("residues"), fields.whole("position")
    fields.done()
    if not 1 <= position <= len(chain.sequence):
        raise InvalidInput(
            f"A glycan is put at residue {position}, but the chain has residues 1 to "
            f"{len(chain.sequence)}.",
            field=fields.place,
        )
    glycan: Glycan = inside(protein.place, partial(read_glycan, text))
    letter = chain.sequence[position - 1]
    anchor: str = inside(protein.place, partial(protein_atom, letter, position=position))
    ids = tuple(next(free) for _ in chain.ids)
    bonds: list[Bond] = []
    for protein_id, ligand_id in zip(chain.ids, ids, strict=True):
        reach = AtomRef(ligand_id, 1, glycan.reach)
        bonds.append(Bond(AtomRef(protein_id, position, anchor), reach))
        bonds += glycan.bonds(ligand_id)
    remark = f"Glycan {text} on {letter}{position}, bonded where such sugars usually are"
    return inside(fields.place, partial(Ligand, ids, ccd=glycan.codes, description=remark)), bonds
