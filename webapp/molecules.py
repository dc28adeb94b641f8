"""The chains and ligands of a sample as its page lists them: what each is, how sure, with whom."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from folding.chemistry.catalog import COMMON_NAMES, component
from webapp import storage, viewer
from webapp.models import Job, Prediction
from webapp.viewer import Chain

NOUNS = {"protein": "Protein", "rna": "RNA", "dna": "DNA"}
LONGEST_NAME = 60
# The PAE from which two chains say nothing about each other, Å; and the steps of the colours.
UNSURE_PAE = 30.0
SHADES = 9


@dataclass(frozen=True)
class Molecule:
    """One copy of a chain or ligand.

    Args:
        noun: `Protein`, `DNA`, `RNA`, `Ligand`, `Ion` or `Glycan`.
        name: What it is called, if anything.
        copy: `copy 1 of 2` where there are several.
        size: `76 residues`, `31 atoms`.
        ptm: Of the chain alone; None where it has no frame, as an ion.
        iptm: The mean with all others.
    """

    id: str
    noun: str
    name: str
    copy: str
    size: str
    mean_plddt: float
    ptm: float | None
    iptm: float | None


@dataclass(frozen=True)
class Cell:
    """A number about two chains, and how strong its colour is, 0 to 9; None where there is none."""

    value: float | None
    shade: int
    row: str
    column: str
    rows: str
    """First and last token of the row's chain, as `0-75`."""
    columns: str


@dataclass(frozen=True)
class Matrix:
    """A square of numbers about pairs of chains."""

    name: str
    title: str
    about: str
    digits: int
    rows: list[tuple[str, list[Cell]]]


def summary(job: Job, prediction: Prediction) -> dict[str, Any]:
    """The scores of the sample as its file has them."""
    path = storage.find(job.pk, viewer.file_name(job, prediction, "_summary_confidences.json"))
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def context(job: Job, chains: Sequence[Chain], scores: Mapping[str, Any]) -> dict[str, Any]:
    """What the page lists: nothing for one plain protein, of which all is said elsewhere."""
    is_plain = len(chains) == 1 and chains[0].kind == "protein" and set(chains[0].n_tokens) == {1}
    return {
        "molecules": [] if is_plain else molecules(job, chains, scores),
        "matrices": matrices(chains, scores) if len(chains) > 1 else [],
    }


def molecules(job: Job, chains: Sequence[Chain], scores: Mapping[str, Any]) -> list[Molecule]:
    """The chains in the order of the files."""
    named = _named(job)
    ptm = dict(zip(scores["chain_ids"], scores["chain_ptm"], strict=True))
    iptm = dict(zip(scores["chain_ids"], scores["chain_iptm"], strict=True))
    found = []
    for chain in chains:
        name, copy = named.get(chain.id, ("", ""))
        found.append(
            Molecule(
                id=chain.id,
                noun=_noun(chain),
                name=name or _name(chain),
                copy=copy,
                size=_size(chain),
                mean_plddt=chain.mean_plddt,
                ptm=ptm.get(chain.id),
                iptm=iptm.get(chain.id),
            )
        )
    return found


def _named(job: Job) -> dict[str, tuple[str, str]]:
    """What the person called each chain, and which copy it is."""
    found = {}
    for entry in job.fold_input.get("sequences", ()):
        entity = next(iter(entry.values()))
        ids = [entity["id"]] if isinstance(entity["id"], str) else entity["id"]
        called = entity.get("description") or entity.get("smiles") or ""
        if len(called) > LONGEST_NAME:
            called = f"{called[: LONGEST_NAME - 1]}…"
        for number, chain_id in enumerate(ids, start=1):
            copy = f"copy {number} of {len(ids)}" if len(ids) > 1 else ""
            found[chain_id] = (called, copy)
    return found


def _noun(chain: Chain) -> str:
    if chain.kind != "ligand":
        return NOUNS[chain.kind]
    if len(chain.codes) > 1:
        return "Glycan" if all(map(_is_sugar, chain.codes)) else "Ligand"
    return "Ion" if sum(chain.n_tokens) == 1 else "Ligand"


def _is_sugar(code: str) -> bool:
    found = component(code)
    return found is not None and "SACCHARIDE" in found.type


def _name(chain: Chain) -> str:
    """Ligands go by the dictionary's names; a chain says which of its residues are modified."""
    if chain.kind == "ligand":
        return ", ".join(dict.fromkeys(map(_component_name, chain.codes)))
    modified = [
        f"{code} {number}"
        for number, (code, n) in enumerate(zip(chain.codes, chain.n_tokens, strict=True), start=1)
        if n > 1
    ]
    return f"with {', '.join(modified)}" if modified else ""


def _component_name(code: str) -> str:
    if common := COMMON_NAMES.get(code):
        return common if common.upper().startswith(code) else f"{common} ({code})"
    found = component(code)
    return f"{found.name.lower()} ({code})" if found else code


def _size(chain: Chain) -> str:
    n_atoms, n = sum(chain.n_tokens), len(chain.sequence)
    if chain.kind == "ligand":
        return "1 atom" if n_atoms == 1 else f"{n_atoms} atoms"
    noun = "residue" if chain.kind == "protein" else "nucleotide"
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def matrices(chains: Sequence[Chain], scores: Mapping[str, Any]) -> list[Matrix]:
    """ipTM and the lowest PAE of every pair of chains."""
    return [
        Matrix(
            "iptm",
            "ipTM",
            "How sure the model is that two chains sit together as shown, 0 to 1; above 0.8 they "
            "probably do, below 0.6 probably not. On the diagonal: pTM of the chain alone.",
            2,
            _rows(chains, scores["chain_pair_iptm"], lambda value: value),
        ),
        Matrix(
            "pae",
            "Lowest PAE",
            "The smallest predicted aligned error between two chains, Å: low where at least one "
            "contact is sure. Row: aligned on; column: judged.",
            1,
            _rows(chains, scores["chain_pair_pae_min"], lambda value: 1 - value / UNSURE_PAE),
        ),
    ]


def _rows(
    chains: Sequence[Chain],
    values: Sequence[Sequence[float | None]],
    sureness: Callable[[float], float],
) -> list[tuple[str, list[Cell]]]:
    return [
        (
            row.id,
            [
                Cell(
                    value, _shade(value, sureness), row.id, column.id, _tokens(row), _tokens(column)
                )
                for column, value in zip(chains, line, strict=True)
            ],
        )
        for row, line in zip(chains, values, strict=True)
    ]


def _shade(value: float | None, sureness: Callable[[float], float]) -> int:
    if value is None:
        return 0
    return round(SHADES * min(max(sureness(value), 0.0), 1.0))


def _tokens(chain: Chain) -> str:
    return f"{chain.start}-{chain.start + sum(chain.n_tokens) - 1}"
