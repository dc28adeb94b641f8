"""Protenix's JSON: AlphaFold Server's entities, any ligand, and covalent bonds.

Source: docs/infer_json_format.md of bytedance/Protenix, and the handling of copies and alignments
in its reader (2.0.0).
"""

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from folding.errors import InvalidInput, MissingFile
from folding.inputs.bond import AtomRef, Bond
from folding.inputs.chain import DnaChain, ProteinChain, RnaChain
from folding.inputs.dialects.alphafold3 import read_ids, read_modifications
from folding.inputs.dialects.fields import (
    Fields,
    Files,
    JobFields,
    entities,
    inside,
    unknown_kind,
    whole_number,
)
from folding.inputs.dialects.server import KINDS, read_count, read_seeds
from folding.inputs.ids import all_chain_ids
from folding.inputs.ligand import Ligand
from folding.inputs.molecule import read_molecule
from folding.inputs.text import quoted

DIALECT = "protenix"
_NOT_SUPPORTED = {
    "constraint": "contacts or a pocket to be kept",
    "constraints": "contacts or a pocket to be kept",
    "epitopes": "an epitope to be kept",
    "properties": "properties beside the structure",
}
_NOT_SUPPORTED_OF_CHAINS = {
    "templatesPath": "templates from the output of a search",
    "glycans": "glycans by name (write them as a ligand and its bonds)",
}
_NOT_SUPPORTED_OF_ALIGNMENTS = {"pairing_db": "rows to be paired by a database of your choice"}
# Rows are paired by their species, which headers of this database hold too.
_PAIRING = (None, "", "uniref100")
_ALIGNMENTS = {
    "protein": {"msa": "unpairedMsa", "paired_msa": "pairedMsa"},
    "rna": {"msa": "unpairedMsa"},
}
_FOLDER = "precomputed_msa_dir"
# What Protenix's maker of jobs notes about the structure that it read; it changes no fold.
_NOTED_OF_JOBS = ("assembly_id",)
_NOTED_OF_CHAINS = ("label_entity_id", "label_asym_id")
_BOND_KEYS = ("entity", "copy", "position", "atom")
_MSA_ADVICE = "upload the alignment with the chain"


def read(document: object, *, seeds: tuple[int, ...], files: Files | None = None) -> JobFields:
    """What one job of Protenix says.

    Args:
        seeds: For a job without seeds.
        files: Reads files that the job names; without it such a job is refused.

    Raises:
        InvalidInput: Not such a job, or one that asks for what is not supported, by name.
    """
    job = Fields(document, dialect=DIALECT, place="", noun="A job")
    job.refuse(_NOT_SUPPORTED)
    job.ignore(_NOTED_OF_JOBS)
    free = all_chain_ids()
    chains = tuple(_read_entity(*entity, free, files) for entity in entities(job))
    result = JobFields(
        name=job.text("name"),
        seeds=read_seeds(job) or seeds,
        chains=chains,
        bonds=tuple(_bonds(job, chains)),
    )
    job.done()
    return result


def _read_entity(
    kind: str, entity: object, place: str, free: Iterator[str], files: Files | None
) -> Any:
    if kind not in KINDS:
        raise unknown_kind(kind, KINDS, place=place)
    fields = Fields(entity, dialect=DIALECT, place=place, noun=f"“{kind}”")
    fields.refuse(_NOT_SUPPORTED_OF_CHAINS)
    fields.ignore(_NOTED_OF_CHAINS)
    ids = _ids(fields, free)
    parts: dict[str, Any] = {}
    if kind in ("ligand", "ion"):
        make: Any = Ligand
        parts = _ligand(kind, fields, files)
    else:
        name, make = {
            "proteinChain": ("protein", ProteinChain),
            "dnaSequence": ("dna", DnaChain),
            "rnaSequence": ("rna", RnaChain),
        }[kind]
        parts = {"sequence": fields.text("sequence")}
        parts["modifications"] = read_modifications(name, fields)
        parts |= _alignments(name, fields, files)
    fields.done()
    return inside(place, partial(make, ids, **parts))


def _ids(fields: Fields, free: Iterator[str]) -> tuple[str, ...]:
    count = read_count(fields)
    if not fields.has("id"):
        return tuple(next(free) for _ in range(count))
    ids = read_ids(fields)
    if len(ids) != count:
        raise InvalidInput(
            f"Each copy needs an id of its own, but there are {len(ids)} ids for {count} copies.",
            field=fields.at("ids"),
        )
    return ids


def _ligand(kind: str, fields: Fields, files: Files | None) -> dict[str, Any]:
    text = fields.text(kind, part="ccd" if kind == "ion" else "smiles")
    if kind == "ion":
        return {"ccd": (text,)}
    if text.startswith("CCD_"):
        return {"ccd": tuple(text.removeprefix("CCD_").split("_"))}
    if not text.startswith("FILE_"):
        return {"smiles": text}
    path = text.removeprefix("FILE_")
    if PurePosixPath(path).suffix.lower() == ".pdb":
        raise InvalidInput(
            "A ligand from a PDB file is not supported, since PDB files hold no bond orders. Save "
            "it as SDF or MOL2.",
            field=fields.at("file"),
        )
    file = Fields({"ligand": path}, dialect=DIALECT, place=fields.place, noun="A ligand")
    advice = "upload the ligand's SDF or MOL2 file"
    return {"file": file.read_file("ligand", files, advice=advice, part="file")}


def _alignments(name: str, fields: Fields, files: Files | None) -> dict[str, Any]:
    """The alignments of a chain: as text, else from files, else from the folder of old jobs."""
    found = {
        part: _text_or_file(fields, key, files, part=part)
        for part, key in _ALIGNMENTS.get(name, {}).items()
    }
    if found and fields.has("msa"):
        folder = fields.within(fields.raw("msa"), part="msa", noun="“msa”")
        if folder.raw("pairing_db") not in _PAIRING:
            folder.refuse(_NOT_SUPPORTED_OF_ALIGNMENTS)
        where = folder.text(_FOLDER, default="")
        folder.done()
        if where and not any(text is not None for text in found.values()):
            found |= _in_folder(where, fields, files, parts=found)
    return found


def _text_or_file(fields: Fields, key: str, files: Files | None, *, part: str) -> str | None:
    path = f"{key}Path"
    named = fields.has(path)
    if fields.raw(key) is not None:
        text = fields.text(key, part=part)
        # Without rows of its own a chain declines others; without paired ones it says nothing.
        return text if part == "msa" else text or None
    return fields.read_file(path, files, advice=_MSA_ADVICE, part=part) or None if named else None


def _in_folder(
    where: str, fields: Fields, files: Files | None, *, parts: Collection[str]
) -> dict[str, str | None]:
    """The alignments in a folder, which need not hold both."""
    names = {"msa": "non_pairing.a3m", "paired_msa": "pairing.a3m"}
    found: dict[str, str | None] = {}
    for part in parts:
        path = {_FOLDER: f"{where.rstrip('/')}/{names[part]}"}
        file = Fields(path, dialect=DIALECT, place=fields.place, noun="“msa”")
        try:
            found[part] = file.read_file(_FOLDER, files, advice=_MSA_ADVICE, part=part) or None
        except InvalidInput as error:
            is_last = part == list(parts)[-1] and not found
            if is_last or not isinstance(error.__cause__, MissingFile):
                raise
    return found


# Bonds ------------------------------------------------------------------------------------------


def _bonds(job: Fields, chains: Sequence[Any]) -> Iterator[Bond]:
    items = job.items("covalent_bonds", "a list of bonds", part="bonds")
    for index, item in enumerate(items):
        fields = job.within(item, part=f"bonds.{index}", noun="A bond")
        first, second = (_end(fields, chains, side) for side in (1, 2))
        fields.done()
        if (len(first) == 1) != (len(second) == 1) or len(first) != len(second):
            raise InvalidInput(
                f"A bond without “copy1” and “copy2” joins each copy of one entity to that of the "
                f"other, but here there are {len(first)} and {len(second)} copies. Say which.",
                field=fields.place,
            )
        for one, other in zip(first, second, strict=True):
            yield inside(fields.place, partial(Bond, one, other))


def _end(fields: Fields, chains: Sequence[Any], side: int) -> tuple[AtomRef, ...]:
    """One side of a bond in each copy that is meant."""
    old = ("left", "right")[side - 1]
    entity, copy, position, atom = (
        fields.raw(f"{key}{side}") if fields.has(f"{key}{side}") else fields.raw(f"{old}_{key}")
        for key in _BOND_KEYS
    )
    number = _number(entity, 1, len(chains), "entity", fields)
    chain = chains[number - 1]
    ids = chain.ids
    if copy is not None:
        ids = (ids[_number(copy, 1, len(ids), "copy", fields) - 1],)
    where = _number(position, 1, 10**6, "position", fields)
    name = _atom_name(atom, chain, fields)
    return tuple(inside(fields.place, partial(AtomRef, i, where, name)) for i in ids)


def _number(value: object, low: int, high: int, key: str, fields: Fields) -> int:
    number = whole_number(value, from_text=True)
    if number is None or not low <= number <= high:
        raise InvalidInput(
            f"“{key}” of a bond must be a whole number from {low} to {high}, not {quoted(value)}.",
            field=fields.place,
        )
    return number


def _atom_name(atom: object, chain: Any, fields: Fields) -> str:
    """The name of an atom; in a file an index from 0 may stand for it."""
    index = whole_number(atom, from_text=True)
    if index is None:
        return str(atom)
    names = read_molecule(chain.file).names if getattr(chain, "file", None) else ()
    if not 0 <= index < len(names):
        raise InvalidInput(
            f"The atom {quoted(atom)} of a bond is a number, which can be used for ligands from "
            "files only. Write the atom's name.",
            field=fields.place,
        )
    return names[index]
