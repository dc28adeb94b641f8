"""What the result panel of a finished job says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapp import alignment_plot, molecules, shelf, storage, verdict, viewer
from webapp.models import Job, Prediction

KINDS = (
    ("_model.cif", "Structure (mmCIF)"),
    ("_summary_confidences.json", "Scores (JSON)"),
    ("_confidences.json", "Confidence of atoms and pairs (JSON)"),
    ("_residues.csv", "Numbers by residue (CSV)"),
    ("_chemistry.json", "Stereochemistry of ligands and clashes (JSON)"),
)
OF_THE_JOB = (
    (".h5", "All arrays (HDF5)"),
    ("_data.json", "Input (AlphaFold 3 JSON)"),
    ("ranking_scores.csv", "Ranking (CSV)"),
    ("_alignment.json", "Depth of the alignments (JSON)"),
    ("manifest.json", "Manifest: model, options, checksums (JSON)"),
)


@dataclass(frozen=True)
class File:
    """One artifact to download."""

    name: str
    label: str
    bytes: int


def context(job: Job) -> dict[str, Any]:
    """The variables of `jobs/result/panel.html`, with the best sample selected."""
    predictions = list(job.predictions.all())
    return {
        "job": job,
        "predictions": predictions,
        "has_seeds": len({prediction.seed for prediction in predictions}) > 1,
        "has_iptm": any(prediction.iptm is not None for prediction in predictions),
        "files": files(job, OF_THE_JOB),
        "provenance": provenance(job),
        "model": shelf.model(job.model),
        "model_is_known": shelf.known(job.model),
        "alignment": alignment(job),
        **sample_context(job, predictions[0]),
    }


def sample_context(job: Job, prediction: Prediction) -> dict[str, Any]:
    """The variables of `jobs/result/sample.html`."""
    stem = f"_{viewer.file_stem(prediction)}"
    chains = viewer.chains(job, prediction)
    return {
        "job": job,
        "prediction": prediction,
        "sentences": [
            *verdict.unseen(shelf.model(job.model), chains),
            *verdict.sentences(prediction, chains),
        ],
        **molecules.context(job, chains, molecules.summary(job, prediction)),
        "chemistry": viewer.chemistry(job, prediction),
        "structure": viewer.file_name(job, prediction, "_model.cif"),
        "sample_files": files(job, [(stem + ending, label) for ending, label in KINDS]),
    }


def files(job: Job, kinds: Iterable[tuple[str, str]]) -> list[File]:
    """The job's artifacts whose names end so, each with its size."""
    names = storage.names(job.pk)
    return [
        File(name, label, (storage.folder(job.pk) / name).stat().st_size)
        for ending, label in kinds
        for name in names
        if name.endswith(ending)
    ]


def alignment(job: Job) -> dict[str, Any] | None:
    """What the page draws of the job's alignments."""
    summary = alignment_plot.read_summary(storage.folder(job.pk))
    return alignment_plot.context(summary) if summary else None


def provenance(job: Job) -> dict[str, Any]:
    """What the manifest says about how the result came about; empty where it is missing."""
    path: Path = storage.folder(job.pk) / "manifest.json"
    if not path.is_file():
        return {}
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest
