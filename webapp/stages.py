"""The stages of a job as a timeline for its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from webapp.models import Job, Stage

State = Literal["done", "now", "ahead"]
ALWAYS = (
    Stage.QUEUED,
    Stage.FEATURES,
    Stage.TRUNK,
    Stage.DIFFUSION,
    Stage.CONFIDENCE,
    Stage.SAVING,
)
MEANING = {
    Stage.QUEUED: "Waits for a worker",
    Stage.MSA: "Finds and reads the alignments",
    Stage.FEATURES: "Turns the input into numbers",
    Stage.TRUNK: "Works out which residues meet",
    Stage.DIFFUSION: "Places the atoms, out of noise",
    Stage.CONFIDENCE: "Judges each structure",
    Stage.REFINEMENT: "Moves side chains",
    Stage.RELAXATION: "Relaxes the geometry",
    Stage.SAVING: "Writes the files",
}


@dataclass(frozen=True)
class Step:
    """One mark of the timeline."""

    stage: str
    label: str
    meaning: str
    state: State


def timeline(job: Job, *, now: str) -> list[Step]:
    """The stages that this job goes through, in order. `now` is the one it is in."""
    passed = [stage for stage in Stage if stage in ALWAYS or stage == now or _has(job, stage)]
    names = [stage.value for stage in passed]
    here = names.index(now) if now in names else -1
    return [
        Step(stage.value, str(stage.label), MEANING[stage], _state(index, here))
        for index, stage in enumerate(passed)
    ]


def _has(job: Job, stage: Stage) -> bool:
    if stage == Stage.MSA and job.search.get("msa"):
        return True
    proteins = (entity.get("protein", {}) for entity in job.fold_input.get("sequences", []))
    return stage == Stage.MSA and any(protein.get("unpairedMsa") for protein in proteins)


def _state(index: int, here: int) -> State:
    if index == here:
        return "now"
    return "done" if index < here else "ahead"
