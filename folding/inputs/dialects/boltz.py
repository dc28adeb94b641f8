"""Boltz's YAML: sequences with ids, modifications, cyclic chains, and constraints.

Source: docs/prediction.md of jwohlwend/boltz. YAML is read without types, aliases and tags: every
scalar is text until a key asks for a number, so that a chain called `NO` stays one.
"""

import re
from functools import partial
from typing import Any

import yaml

from folding.errors import InvalidInput
from folding.inputs.alignment import read_alignment
from folding.inputs.bond import AtomRef, Bond
from folding.inputs.chain import DnaChain, ProteinChain, RnaChain
from folding.inputs.dialects.alphafold3 import KINDS, read_ids
from folding.inputs.dialects.fields import (
    Fields,
    Files,
    JobFields,
    entities,
    inside,
    unknown_kind,
    whole_number,
)
from folding.inputs.ligand import Ligand
from folding.inputs.modification import Modification
from folding.inputs.text import check_characters, check_size, quoted

DIALECT = "Boltz"
# Boltz names alignments by file, so that a job is never long.
MAX_YAML_CHARACTERS = 1_000_000
MAX_YAML_EVENTS = 20_000
MAX_YAML_DEPTH = 20
_BEGINS = re.compile(r"(?m)^(?:version|sequences|constraints|templates|properties)[ \t]*:")
_NOT_SUPPORTED = {
    "templates": "structural templates without saying which residues they stand for (give them in "
    "AlphaFold 3 JSON, with “queryIndices” and “templateIndices”)",
    "properties": "an affinity",
}
_CONSTRAINTS = {"pocket": "a pocket to be kept", "contact": "a contact to be kept"}


def is_boltz(text: str) -> bool:
    """True for text that has one of the top keys of a Boltz job at the beginning of a line."""
    return not text.lstrip("\ufeff \t\r\n").startswith(">") and bool(_BEGINS.search(text))


def load_yaml(text: str) -> object:
    """The parsed document: mappings, lists and text.

    Raises:
        InvalidInput: Too long, not YAML, too many parts, an alias, or a key given twice.
    """
    check_size(text, limit=MAX_YAML_CHARACTERS, what="A YAML job", field="")
    check_characters(text, what="A YAML job", field="")
    try:
        _check_events(text)
        document: object = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidInput(
            f"This is not YAML: {error.problem or 'it cannot be read'}{where}. Check the "
            "indentation and quotation marks there."
        ) from error
    except yaml.YAMLError as error:
        raise InvalidInput(f"This is not YAML: {str(error)[:200]}.") from error
    return document


def _check_events(text: str) -> None:
    """Counts what the text is made of before anything is built from it."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=yaml.CBaseLoader)):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise InvalidInput("This YAML uses anchors (& and *). Write the parts out instead.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_YAML_DEPTH:
            raise InvalidInput("This YAML is nested too deeply to be a job.")
        if number > MAX_YAML_EVENTS:
            raise InvalidInput("This YAML has too many parts to be a job.")


class _Loader(yaml.CBaseLoader):
    """Text, lists and mappings; a key may be given once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise InvalidInput("The keys of a job are words, but this YAML has another one.")
            if key.value in seen:
                raise InvalidInput(f"The key {quoted(key.value)} is given twice. Delete one.")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read(
    document: object, *, name: str, seeds: tuple[int, ...], files: Files | None = None
) -> JobFields:
    """What a Boltz job says.

    Args:
        name: Boltz names a job after its file.
        seeds: Boltz jobs have none of their own.
        files: Reads alignments that the job names; without it such a job is refused.

    Raises:
        InvalidInput: Not such a job, or one that asks for what is not supported, by name.
    """
    job = Fields(document, dialect=DIALECT, place="", noun="A job", is_text=True)
    if job.whole("version", default=1) != 1:
        raise InvalidInput(
            f"“version” must be 1, not {quoted(job.raw('version'))}.", field="version"
        )
    job.refuse(_NOT_SUPPORTED)
    chains = tuple(_read_entity(*entity, files) for entity in entities(job))
    constraints = job.items("constraints", "a list of constraints", part="bonds")
    bonds = tuple(_read_bond(job, item, index) for index, item in enumerate(constraints))
    job.done()
    return JobFields(name=name, seeds=seeds, chains=chains, bonds=bonds)


def _read_entity(kind: str, entity: object, place: str, files: Files | None) -> Any:
    kind = kind.lower()
    if kind not in KINDS:
        raise unknown_kind(kind, KINDS, place=place)
    fields = Fields(entity, dialect=DIALECT, place=place, noun=f"“{kind}”", is_text=True)
    ids = read_ids(fields)
    make: Any
    if kind == "ligand":
        several = isinstance(fields.raw("ccd"), list)
        codes = (
            fields.texts("ccd", "a list of codes") if several else [fields.text("ccd", default="")]
        )
        smiles = fields.text("smiles", default="") or None
        make = partial(Ligand, ids, tuple(filter(None, codes)), smiles)
        if fields.truth("cyclic"):
            raise InvalidInput("A ligand cannot be cyclic.", field=fields.at("cyclic"))
    else:
        chain = {"protein": ProteinChain, "rna": RnaChain, "dna": DnaChain}[kind]
        sequence = fields.text("sequence")
        parts: dict[str, Any] = {
            "modifications": _modifications(fields),
            "cyclic": fields.truth("cyclic"),
        }
        if kind == "protein":
            parts |= _alignment(fields, "".join(sequence.split()).upper(), files)
        make = partial(chain, ids, sequence, **parts)
    fields.done()
    return inside(place, make)


def _modifications(fields: Fields) -> tuple[Modification, ...]:
    found = []
    for item in fields.items("modifications", "a list of modifications"):
        part = fields.within(item, part="modifications", noun="A modification")
        code, position = part.text("ccd"), part.whole("position")
        part.done()
        found.append(inside(part.place, partial(Modification, code, position)))
    return tuple(found)


def _alignment(fields: Fields, sequence: str, files: Files | None) -> dict[str, str | None]:
    # “empty” asks for folding without an alignment, a path is one, null says nothing.
    if not fields.has("msa") or fields.raw("msa") in ("null", "~"):
        return {}
    if fields.raw("msa") == "empty":
        return {"msa": ""}
    advice = "upload the alignment with the chain"
    text = fields.read_file("msa", files, advice=advice, part="msa")
    found = inside(fields.place, partial(read_alignment, text, sequence=sequence))
    return {"msa": found.msa, "paired_msa": found.paired_msa}


def _read_bond(job: Fields, item: object, index: int) -> Bond:
    fields = job.within(item, part=f"bonds.{index}", noun="A constraint")
    fields.refuse(_CONSTRAINTS)
    bond = fields.within(fields.raw("bond"), part="bond", noun="“bond”")
    fields.done()
    first, second = (
        _read_atom(bond.items(key, "[chain, residue, atom]"), fields.place)
        for key in ("atom1", "atom2")
    )
    bond.done()
    return inside(fields.place, partial(Bond, first, second))


def _read_atom(atom: list[Any], place: str) -> AtomRef:
    position = whole_number(atom[1], from_text=True) if len(atom) == 3 else None
    if position is None or not isinstance(atom[0], str) or not isinstance(atom[2], str):
        raise InvalidInput(
            f"An atom of a bond is written as [A, 5, SG]: chain, residue, name; not "
            f"{quoted(atom)}.",
            field=place,
        )
    return inside(place, partial(AtomRef, atom[0], position, atom[2]))
