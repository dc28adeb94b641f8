"""Text of any dialect as jobs: one place that tells the dialects apart."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from folding.errors import InvalidInput
from folding.inputs.dialects import alphafold3, boltz, headers, protenix, server
from folding.inputs.dialects.fields import Files, JobFields
from folding.inputs.dialects.json_text import load_json
from folding.inputs.fasta import FastaRecord, parse_fasta
from folding.inputs.job import MAX_NAME_CHARACTERS, FoldInput
from folding.inputs.text import quoted

MAX_JOBS = 100
NO_SEEDS = (1,)
_PROTENIX_JOB_KEYS = {"covalent_bonds", "constraint", "constraints", "epitopes", "assembly_id"}
_PROTENIX_CHAIN_KEYS = {
    *("msa", "id", "unpairedMsa", "unpairedMsaPath", "pairedMsa", "pairedMsaPath"),
    *("templatesPath", "label_entity_id", "label_asym_id"),
}


def read_inputs(
    text: str, *, name: str = "", seeds: tuple[int, ...] = NO_SEEDS, files: Files | None = None
) -> tuple[FoldInput, ...]:
    """The jobs in text of any dialect: AlphaFold 3, AlphaFold Server and Protenix JSON, Boltz YAML,
    a bare sequence or FASTA.

    Args:
        name: Name for a job whose text has none.
        seeds: Seeds for a job whose text has none.
        files: Reads the files that a job names; without it a job that names one is refused.

    Raises:
        InvalidInput: As the reader of that dialect. In a list of several jobs the message names the
            job and `field` begins with `"jobs.<i>."`.
    """
    if is_json(text):
        document = load_json(text)
        if isinstance(document, list):
            return _read_list(document, seeds=seeds, files=files)
        return (_read_json(document, seeds=seeds, files=files),)
    if boltz.is_boltz(text):
        job = boltz.load_yaml(text)
        name = name.strip() or "Untitled"
        return (_build(boltz.read(job, name=name, seeds=seeds, files=files)),)
    return (_read_fasta(text, name=name, seeds=seeds, files=files),)


def read_input(
    text: str, *, name: str = "", seeds: tuple[int, ...] = NO_SEEDS, files: Files | None = None
) -> FoldInput:
    """The one job in text of any dialect.

    Raises:
        InvalidInput: As `read_inputs`, or several jobs.
    """
    found = read_inputs(text, name=name, seeds=seeds, files=files)
    if len(found) > 1:
        raise InvalidInput(f"This holds {len(found)} jobs where one is wanted.")
    return found[0]


def parse_json(text: str) -> FoldInput:
    """The job in AlphaFold 3 JSON text.

    Raises:
        InvalidInput: Not JSON, or as `FoldInput.from_json`.
    """
    return FoldInput.from_json(load_json(text))


def is_json(text: str) -> bool:
    """True for text that begins as an object or a list of JSON."""
    return text.lstrip("\ufeff \t\r\n").startswith(("{", "["))


def _read_list(
    documents: Sequence[object], *, seeds: tuple[int, ...], files: Files | None
) -> tuple[FoldInput, ...]:
    if not 1 <= len(documents) <= MAX_JOBS:
        raise InvalidInput(
            f"A list of jobs can hold 1 to {MAX_JOBS} of them, but this has {len(documents)}."
        )
    jobs = []
    for index, document in enumerate(documents):
        try:
            jobs.append(_read_json(document, seeds=seeds, files=files))
        except InvalidInput as error:
            if len(documents) == 1:
                raise
            place = f"jobs.{index}.{error.field}".strip(".")
            raise InvalidInput(f"{_label(document, index)}: {error}", field=place) from error
    return tuple(jobs)


def _label(document: object, index: int) -> str:
    name = document.get("name") if isinstance(document, dict) else None
    return f"Job {index + 1} ({quoted(name)})" if isinstance(name, str) else f"Job {index + 1}"


def _read_json(document: object, *, seeds: tuple[int, ...], files: Files | None) -> FoldInput:
    readers: dict[str, Callable[[], JobFields]] = {
        alphafold3.DIALECT: partial(alphafold3.read, document, files=files),
        server.DIALECT: partial(server.read, document, seeds=seeds),
        protenix.DIALECT: partial(protenix.read, document, seeds=seeds, files=files),
    }
    return _build(readers[dialect_of(document)]())


def dialect_of(document: Any) -> str:
    """Which JSON dialect a job is written in; AlphaFold 3's for what is no job at all.

    Jobs of AlphaFold Server and of Protenix look alike, and what both can say means the same.
    """
    if not isinstance(document, dict) or not isinstance(document.get("sequences"), list):
        return alphafold3.DIALECT
    if document.get("dialect") is not None:
        named = document["dialect"] == server.DIALECT
        return server.DIALECT if named else alphafold3.DIALECT
    entities = [
        (kind, fields)
        for item in document["sequences"]
        if isinstance(item, dict)
        for kind, fields in item.items()
    ]
    # “ligand” is a kind of all dialects.
    shared = [fields for kind, fields in entities if kind in server.KINDS and kind != "ligand"]
    strings = [f for k, f in entities if k == "ligand" and isinstance(f, dict) and "ligand" in f]
    if not shared and not strings:
        return alphafold3.DIALECT
    is_protenix = bool(_PROTENIX_JOB_KEYS & document.keys()) or any(
        isinstance(fields, dict) and _PROTENIX_CHAIN_KEYS & fields.keys() for fields in shared
    )
    says_ligand = any(not str(fields["ligand"]).startswith("CCD_") for fields in strings)
    several = any(str(fields["ligand"]).count("_") > 1 for fields in strings)
    return protenix.DIALECT if is_protenix or says_ligand or several else server.DIALECT


def _read_fasta(text: str, *, name: str, seeds: tuple[int, ...], files: Files | None) -> FoldInput:
    if ">" in text:
        records: tuple[FastaRecord, ...] = parse_fasta(text)
        if headers.says_what_it_is(records):
            name = name.strip()[:MAX_NAME_CHARACTERS] or "Untitled"
            return _build(headers.read(records, name=name, seeds=seeds, files=files))
    return FoldInput.from_fasta(text, name=name, seeds=seeds)


def _build(fields: JobFields) -> FoldInput:
    return FoldInput(**fields._asdict())
