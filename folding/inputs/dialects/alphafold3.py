"""AlphaFold 3's own JSON dialect (versions 1 to 4) to plain fields and back.

Source: docs/input.md of google-deepmind/alphafold3. Two things are said differently here: a cyclic
chain is written as a bond from its tail to its head, which AlphaFold 3 itself refuses, and a ligand
from a file as a component in `userCCD`.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from folding.errors import InvalidInput
from folding.inputs.bond import AtomRef, Bond
from folding.inputs.chain import DnaChain, ProteinChain, RnaChain, head_to_tail
from folding.inputs.components import Components, write_component
from folding.inputs.dialects.fields import (
    Fields,
    Files,
    JobFields,
    entities,
    inside,
    unknown_kind,
)
from folding.inputs.ligand import Ligand
from folding.inputs.modification import Modification
from folding.inputs.molecule import read_molecule
from folding.inputs.template import Template
from folding.inputs.text import quoted

DIALECT = "alphafold3"
VERSIONS = (1, 2, 3, 4)
KINDS = ("protein", "rna", "dna", "ligand")
_DESCRIPTION_VERSION = 4
_SERVER_ENTITIES = {"proteinChain", "rnaSequence", "dnaSequence", "ion"}


def read(document: object, *, files: Files | None = None) -> JobFields:
    """What an AlphaFold 3 job says.

    Args:
        files: Reads files that the job names; without it such a job is refused.

    Raises:
        InvalidInput: Not such a job, or one that asks for what is not supported, by name.
    """
    if not isinstance(document, dict) or "sequences" not in document:
        raise InvalidInput(
            "This JSON is not a folding job: a job is an object with “name”, “modelSeeds”, "
            "“sequences”, “dialect” and “version”, as AlphaFold 3 defines it."
        )
    job = Fields(document, dialect=DIALECT, place="", noun="A job")
    _check_dialect(job)
    found = JobFields(
        name=job.text("name"),
        seeds=_seeds(job),
        chains=tuple(_read_entity(*entity, files) for entity in entities(job)),
        bonds=_bonds(job),
        user_ccd=_text_or_file(job, "userCCD", files, part="user_ccd"),
    )
    job.done()
    return found


def _check_dialect(job: Fields) -> None:
    dialect, version = job.raw("dialect"), job.raw("version")
    if dialect != DIALECT:
        raise InvalidInput(
            f"“dialect” must be “{DIALECT}” or “alphafoldserver”, not {quoted(dialect)}.",
            field="dialect",
        )
    if isinstance(version, bool) or version not in VERSIONS:
        raise InvalidInput(
            f"“version” must be one of 1, 2, 3 and 4, not {quoted(version)}.", field="version"
        )


def _seeds(job: Fields) -> tuple[int, ...]:
    return tuple(job.wholes("modelSeeds", part="seeds", required=True))


def _text_or_file(fields: Fields, key: str, files: Files | None, *, part: str) -> str | None:
    """The text under a key, or in the file under the same key with “Path”; None for neither.

    Empty text is an answer of its own: an alignment that is empty is one that is not wanted.
    """
    path_key = f"{key}Path"
    if fields.has(key) and fields.has(path_key):
        raise InvalidInput(
            f"“{key}” and “{path_key}” say the same thing. Keep one of them.",
            field=fields.at(part),
        )
    if fields.has(path_key):
        advice = f"put its text into “{key}”"
        return fields.read_file(path_key, files, advice=advice, part=part)
    return None if fields.raw(key) is None else fields.text(key, part=part)


def _bonds(job: Fields) -> tuple[Bond, ...]:
    pairs = job.items("bondedAtomPairs", "a list of pairs of atoms", part="bonds")
    return tuple(_read_bond(pair, index) for index, pair in enumerate(pairs))


def _read_bond(pair: object, index: int) -> Bond:
    place = f"bonds.{index}"
    if not isinstance(pair, list) or len(pair) != 2:
        raise InvalidInput(
            f"A bond is a pair of atoms such as [[“A”, 5, “SG”], [“B”, 1, “C1”]], not "
            f"{quoted(pair)}.",
            field=place,
        )
    first, second = (_read_atom(atom, place=place) for atom in pair)
    return inside(place, lambda: Bond(first, second))


def _read_atom(atom: object, *, place: str) -> AtomRef:
    if not isinstance(atom, list) or [type(part) for part in atom] != [str, int, str]:
        raise InvalidInput(
            f"An atom of a bond is written as [“A”, 5, “SG”]: chain, residue, name; not "
            f"{quoted(atom)}.",
            field=place,
        )
    return inside(place, lambda: AtomRef(*atom))


def _read_entity(kind: str, entity: object, place: str, files: Files | None) -> Any:
    if kind in _SERVER_ENTITIES:
        raise InvalidInput(
            f"“{kind}” belongs to the dialect of AlphaFold Server. Set “dialect” to "
            "“alphafoldserver”, or write the chain as “protein” with an “id”.",
            field=place,
        )
    if kind not in KINDS:
        raise unknown_kind(kind, KINDS, place=place)
    fields = Fields(entity, dialect=DIALECT, place=place, noun=f"“{kind}”")
    parts: dict[str, Any] = {"ids": read_ids(fields)}
    if kind == "ligand":
        parts |= {"ccd": tuple(fields.texts("ccdCodes", "a list of codes", part="ccd"))}
        parts |= {"smiles": fields.text("smiles", default="") or None}
    else:
        parts |= {"sequence": fields.text("sequence"), **_polymer(kind, fields, files)}
    parts["description"] = fields.text("description", default="")
    fields.done()
    make = {"protein": ProteinChain, "rna": RnaChain, "dna": DnaChain, "ligand": Ligand}[kind]
    return inside(place, lambda: make(**parts))


def _polymer(kind: str, fields: Fields, files: Files | None) -> dict[str, Any]:
    parts: dict[str, Any] = {"modifications": read_modifications(kind, fields)}
    if kind in ("protein", "rna"):
        parts["msa"] = _text_or_file(fields, "unpairedMsa", files, part="msa")
    if kind == "protein":
        paired = _text_or_file(fields, "pairedMsa", files, part="paired_msa")
        parts["paired_msa"] = paired or None
        parts["templates"] = _templates(fields, files)
    return parts


def read_ids(fields: Fields) -> tuple[str, ...]:
    """The ids under `id`: one, or a list of them.

    Raises:
        InvalidInput: Neither.
    """
    value = fields.raw("id")
    ids = [value] if isinstance(value, str) else value
    if not isinstance(ids, list) or not all(isinstance(chain_id, str) for chain_id in ids):
        raise InvalidInput(
            f"“id” must be a chain id or a list of them, not {quoted(value)}.",
            field=fields.at("ids"),
        )
    return tuple(ids)


def read_modifications(kind: str, fields: Fields) -> tuple[Modification, ...]:
    """The modifications of a chain, as AlphaFold 3, its server and Protenix write them.

    Args:
        kind: `protein`, `rna` or `dna`.

    Raises:
        InvalidInput: Not a list of them.
    """
    code, position = ("ptmType", "ptmPosition")
    if kind != "protein":
        code, position = ("modificationType", "basePosition")
    found = []
    for item in fields.items("modifications", "a list of modifications"):
        part = fields.within(item, part="modifications", noun="A modification")
        ccd, where = part.text(code), part.whole(position)
        part.done()
        found.append(inside(part.place, partial(Modification, ccd, where)))
    return tuple(found)


def _templates(fields: Fields, files: Files | None) -> tuple[Template, ...] | None:
    if fields.raw("templates") is None:
        return None
    return tuple(
        _read_template(fields.within(item, part=f"templates.{index}", noun="A template"), files)
        for index, item in enumerate(fields.items("templates", "a list of templates"))
    )


def _read_template(template: Fields, files: Files | None) -> Template:
    cif = _text_or_file(template, "mmcif", files, part="cif")
    query, matched = (
        tuple(template.wholes(key, part="mapping", required=True))
        for key in ("queryIndices", "templateIndices")
    )
    template.done()
    return inside(template.place, partial(Template, cif or "", query, matched))


# Writing ----------------------------------------------------------------------------------------


def write(job: JobFields) -> dict[str, Any]:
    """The job as an AlphaFold 3 document; `read` returns the same job.

    For AlphaFold 3 too an empty `unpairedMsa` means to fold without an alignment, and null to look
    for one. It wants `pairedMsa` beside it, if only empty.
    """
    described = any(chain.description for chain in job.chains)
    chains, user_ccd = _files_as_components(job)
    document: dict[str, Any] = {
        "dialect": DIALECT,
        "version": _DESCRIPTION_VERSION if described else 1,
        "name": job.name,
        "modelSeeds": list(job.seeds),
        "sequences": [_write_entity(chain) for chain in chains],
    }
    rings = [bond for c in chains if getattr(c, "cyclic", False) for bond in head_to_tail(c)]
    if bonds := [*job.bonds, *rings]:
        document["bondedAtomPairs"] = [
            [[a.chain_id, a.position, a.atom] for a in (bond.first, bond.second)] for bond in bonds
        ]
    if user_ccd:
        document["userCCD"] = user_ccd
    return document


def _files_as_components(job: JobFields) -> tuple[list[Any], str]:
    """The chains and the user's components once ligands from files are components too."""
    taken = set(Components(job.user_ccd).own)
    texts = [job.user_ccd.rstrip() + "\n"] if job.user_ccd else []
    codes: dict[str, str] = {}
    chains = []
    for chain in job.chains:
        if isinstance(chain, Ligand) and chain.file is not None:
            if chain.file not in codes:
                numbers = range(1, len(taken) + 2)
                code = next(c for c in (f"LIG-{n}" for n in numbers) if c not in taken)
                taken.add(code)
                codes[chain.file] = code
                texts.append(write_component(code, read_molecule(chain.file)))
            chain = Ligand(chain.ids, ccd=(codes[chain.file],), description=chain.description)
        chains.append(chain)
    return chains, "".join(texts) if codes else job.user_ccd or ""


def _write_entity(chain: Any) -> dict[str, Any]:
    entity: dict[str, Any] = {"id": chain.ids[0] if len(chain.ids) == 1 else list(chain.ids)}
    match chain:
        case ProteinChain():
            kind = "protein"
            entity |= _write_protein(chain)
        case RnaChain():
            kind = "rna"
            entity |= {**_write_nucleotides(chain), "unpairedMsa": chain.msa}
        case DnaChain():
            kind = "dna"
            entity |= _write_nucleotides(chain)
        case _:
            kind = "ligand"
            entity |= {"smiles": chain.smiles} if chain.smiles else {"ccdCodes": list(chain.ccd)}
    if chain.description:
        entity["description"] = chain.description
    return {kind: entity}


def _write_protein(chain: ProteinChain) -> Mapping[str, Any]:
    return {
        "sequence": chain.sequence,
        "modifications": [
            {"ptmType": m.ccd, "ptmPosition": m.position} for m in chain.modifications
        ],
        "unpairedMsa": chain.msa,
        "pairedMsa": chain.paired_msa or (None if chain.msa is None else ""),
        "templates": None
        if chain.templates is None
        else [
            {
                "mmcif": template.cif,
                "queryIndices": list(template.query_indices),
                "templateIndices": list(template.template_indices),
            }
            for template in chain.templates
        ],
    }


def _write_nucleotides(chain: RnaChain | DnaChain) -> Mapping[str, Any]:
    return {
        "sequence": chain.sequence,
        "modifications": [
            {"modificationType": m.ccd, "basePosition": m.position} for m in chain.modifications
        ],
    }
