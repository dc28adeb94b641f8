"""AlphaFold 3's own JSON dialect (versions 1 to 4) to plain fields and back.

Source: docs/input.md of google-deepmind/alphafold3. Whatever the dialect can say and this package
does not do yet is refused by name; nothing is skipped in silence.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from folding.errors import InvalidInput
from folding.inputs.chain import ProteinChain
from folding.inputs.text import check_size, quoted

DIALECT = "alphafold3"
VERSIONS = (1, 2, 3, 4)
MAX_JSON_CHARACTERS = 50_000_000
_DESCRIPTION_VERSION = 4

_JOB_KEYS = {"name", "modelSeeds", "sequences", "dialect", "version"}
_PROTEIN_KEYS = {"id", "sequence", "unpairedMsa", "description"}
_UNSUPPORTED_JOB_KEYS = {
    "bondedAtomPairs": "covalent bonds between entities",
    "userCCD": "user-defined chemical components",
    "userCCDPath": "user-defined chemical components",
}
_UNSUPPORTED_ENTITIES = {"rna": "RNA chains", "dna": "DNA chains", "ligand": "Ligands and ions"}
_SERVER_ENTITIES = {"proteinChain", "rnaSequence", "dnaSequence", "ion"}
_UNSUPPORTED_PROTEIN_KEYS = {
    "modifications": "modified residues",
    "pairedMsa": "paired alignments (put the rows into unpairedMsa)",
    "templates": "structural templates",
}
_PATHS = {
    "unpairedMsaPath": "put the alignment itself into unpairedMsa",
    "pairedMsaPath": "put the alignment itself into unpairedMsa",
}


class JobFields(NamedTuple):
    """What a job says, before the rules of a job are applied."""

    name: str
    seeds: tuple[int, ...]
    chains: tuple[Any, ...]


def load_json(text: str) -> object:
    """The parsed document, whatever it is.

    Raises:
        InvalidInput: Too long, not JSON, nested beyond reason, or a key given twice.
    """
    check_size(text, limit=MAX_JSON_CHARACTERS, what="A JSON job", field="")
    try:
        document: object = json.loads(
            text.removeprefix("\ufeff"),
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"This is not JSON: {error.msg} at line {error.lineno}, column {error.colno}. "
            "Check for a missing comma, quote or bracket there."
        ) from error
    except RecursionError as error:
        raise InvalidInput("This JSON is nested too deeply to be a job.") from error
    except InvalidInput:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise InvalidInput("This JSON holds a number that is too long to be one.") from error
    return document


def _unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in pairs:
        if key in document:
            raise InvalidInput(f"The key {quoted(key)} is given twice. Delete one of them.")
        document[key] = value
    return document


def _refuse_constant(constant: str) -> object:
    raise InvalidInput(f"{constant} is not a JSON number. Replace it by a number.")


def read(document: object) -> JobFields:
    """The name, seeds and chains of an AlphaFold 3 job.

    Raises:
        InvalidInput: Not such a job, or one that asks for what is not supported, by name.
    """
    job = _check_job(document)
    chains = tuple(_read_entity(entity, index) for index, entity in enumerate(job["sequences"]))
    return JobFields(name=job["name"], seeds=tuple(job["modelSeeds"]), chains=chains)


def _check_job(document: object) -> dict[str, Any]:
    if isinstance(document, list):
        raise InvalidInput(
            "This is a list of jobs, as AlphaFold Server writes it, which is not supported yet. "
            "Give one job in the alphafold3 dialect."
        )
    if not isinstance(document, dict) or "sequences" not in document:
        raise InvalidInput(
            "This JSON is not a folding job: a job is an object with “name”, “modelSeeds”, "
            "“sequences”, “dialect” and “version”, as AlphaFold 3 defines it."
        )
    _refuse_unsupported(document, _UNSUPPORTED_JOB_KEYS, place="")
    _refuse_unknown(document, _JOB_KEYS | _UNSUPPORTED_JOB_KEYS.keys(), place="")
    _check_dialect(document)
    _require(document, "name", str, "text", place="name")
    seeds = _require(document, "modelSeeds", list, "a list of whole numbers", place="seeds")
    if any(isinstance(seed, bool) or not isinstance(seed, int) for seed in seeds):
        raise InvalidInput(
            f"“modelSeeds” must be a list of whole numbers, not {quoted(seeds)}.", field="seeds"
        )
    _require(document, "sequences", list, "a list of chains", place="chains")
    return document


def _check_dialect(job: Mapping[str, Any]) -> None:
    dialect, version = job.get("dialect"), job.get("version")
    if dialect != DIALECT:
        raise InvalidInput(
            f"“dialect” must be “{DIALECT}”, not {quoted(dialect)}. "
            "Other dialects are not supported yet.",
            field="dialect",
        )
    if isinstance(version, bool) or version not in VERSIONS:
        raise InvalidInput(
            f"“version” must be one of 1, 2, 3 and 4, not {quoted(version)}.", field="version"
        )


def _read_entity(entity: object, index: int) -> ProteinChain:
    place = f"chains.{index}"
    if not isinstance(entity, dict) or len(entity) != 1:
        raise InvalidInput(
            f"Each item of “sequences” must be an object with one key, such as “protein”, not "
            f"{quoted(entity)}.",
            field=place,
        )
    ((kind, fields),) = entity.items()
    if kind in _UNSUPPORTED_ENTITIES:
        raise InvalidInput(
            f"{_UNSUPPORTED_ENTITIES[kind]} (“{kind}”) cannot be folded yet. Remove this entity to "
            "fold the proteins alone.",
            field=place,
        )
    if kind in _SERVER_ENTITIES:
        raise InvalidInput(
            f"“{kind}” belongs to the AlphaFold Server dialect, which is not supported yet. "
            "Write the chain as “protein” with an “id”.",
            field=place,
        )
    if kind != "protein" or not isinstance(fields, dict):
        raise InvalidInput(
            f"{quoted(kind)} is not a kind of chain. A chain is written as “protein”: {{…}}.",
            field=place,
        )
    return _read_protein(fields, place=place)


def _read_protein(protein: Mapping[str, Any], *, place: str) -> ProteinChain:
    for key, advice in _PATHS.items():
        if protein.get(key):
            raise InvalidInput(
                f"“{key}” names a file that cannot be read from here: {advice}.",
                field=f"{place}.msa",
            )
    _refuse_unsupported(protein, _UNSUPPORTED_PROTEIN_KEYS, place=place)
    _refuse_unknown(
        protein, _PROTEIN_KEYS | _UNSUPPORTED_PROTEIN_KEYS.keys() | _PATHS.keys(), place=place
    )
    ids = protein.get("id")
    ids = [ids] if isinstance(ids, str) else ids
    if not isinstance(ids, list) or not all(isinstance(chain_id, str) for chain_id in ids):
        raise InvalidInput(
            f"“id” must be a chain id or a list of them, not {quoted(protein.get('id'))}.",
            field=f"{place}.ids",
        )
    sequence = _require(protein, "sequence", str, "text", place=f"{place}.sequence")
    msa = _optional_text(protein, "unpairedMsa", place=f"{place}.msa")
    description = _optional_text(protein, "description", place=f"{place}.description")
    try:
        return ProteinChain(tuple(ids), sequence, msa=msa or None, description=description)
    except InvalidInput as error:
        raise error.inside(place) from error


def _require(fields: Mapping[str, Any], key: str, kind: type, kind_name: str, *, place: str) -> Any:
    value = fields.get(key)
    if not isinstance(value, kind):
        found = "it is missing" if key not in fields else f"this has {quoted(value)}"
        raise InvalidInput(f"“{key}” must be {kind_name}, but {found}.", field=place)
    return value


def _optional_text(fields: Mapping[str, Any], key: str, *, place: str) -> str:
    value = fields.get(key)
    if value is None:
        return ""
    return str(_require(fields, key, str, "text", place=place))


def _refuse_unsupported(
    fields: Mapping[str, Any], unsupported: Mapping[str, str], *, place: str
) -> None:
    for key, what in unsupported.items():
        if fields.get(key):
            raise InvalidInput(
                f"“{key}” asks for {what}, which is not supported yet. Remove it to fold without.",
                field=place,
            )


def _refuse_unknown(fields: Mapping[str, Any], known: set[str], *, place: str) -> None:
    for key in fields:
        if key not in known:
            raise InvalidInput(
                f"The key {quoted(key)} is not part of the alphafold3 dialect. Remove it or "
                "correct its spelling.",
                field=place,
            )


def write(job: JobFields) -> dict[str, Any]:
    """The job as an AlphaFold 3 document; `read` returns the same job.

    An empty `unpairedMsa` tells AlphaFold 3 too to fold without an alignment.
    """
    described = any(chain.description for chain in job.chains)
    return {
        "dialect": DIALECT,
        "version": _DESCRIPTION_VERSION if described else 1,
        "name": job.name,
        "modelSeeds": list(job.seeds),
        "sequences": [{"protein": _write_protein(chain)} for chain in job.chains],
    }


def _write_protein(chain: ProteinChain) -> dict[str, Any]:
    protein: dict[str, Any] = {
        "id": chain.ids[0] if len(chain.ids) == 1 else list(chain.ids),
        "sequence": chain.sequence,
        "modifications": [],
        "unpairedMsa": chain.msa or "",
        "pairedMsa": "",
        "templates": [],
    }
    if chain.description:
        protein["description"] = chain.description
    return protein
