"""Numbers in words: durations, amounts of memory, what a confidence means."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone

from webapp.models import Job, Stage, Status
from webapp.monitor import Gpu, Reading

register = template.Library()
# (at least, name in CSS, in words): the bands of the AlphaFold Protein Structure Database.
PLDDT_BANDS = (
    (90.0, "very-high", "very high"),
    (70.0, "high", "confident"),
    (50.0, "low", "low"),
    (0.0, "very-low", "very low"),
)


@register.filter
def duration(seconds: float | None) -> str:
    """`8 s`, `3 min 05 s`, `2 h 10 min`; empty for None."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


@register.filter
def memory(count: float | None) -> str:
    """`512 kB`, `840 MB`, `2.1 GB`; empty for None."""
    if count is None:
        return ""
    if round(count / 1e3) < 1000:
        return f"{max(1, round(count / 1e3))} kB"
    if round(count / 1e6) < 1000:
        return f"{round(count / 1e6)} MB"
    return f"{count / 1e9:.1f} GB"


def plddt_band(plddt: float) -> tuple[str, str]:
    """The name of the band that a pLDDT falls into, for CSS and for people."""
    return next((name, words) for least, name, words in PLDDT_BANDS if plddt >= least or least == 0)


@register.filter
def band(plddt: float) -> str:
    """The band's name in CSS: `very-high`, `high`, `low` or `very-low`."""
    return plddt_band(plddt)[0]


@register.filter
def in_words(plddt: float) -> str:
    """The band in words: `very high`, `confident`, `low` or `very low`."""
    return plddt_band(plddt)[1]


@register.filter
def size_words(job: Job) -> str:
    """`76 residues`; `246 tokens` where ligands and modified residues count by their atoms."""
    entities = [next(iter(entry.items())) for entry in job.fold_input["sequences"]]
    by_atom = any(kind == "ligand" or entity.get("modifications") for kind, entity in entities)
    return f"{job.n_tokens} {'tokens' if by_atom else 'residues'}"


@register.filter
def clock(moment: str) -> str:
    """`14:05:09`, in the server's time zone, of an ISO 8601 time."""
    return timezone.localtime(datetime.fromisoformat(moment)).strftime("%H:%M:%S")


@register.filter
def stage_words(stage: str) -> str:
    """The stage's label: `Diffusion` for `diffusion`."""
    return str(Stage(stage).label) if stage in Stage.values else stage


@register.filter
def queue_words(job: Job) -> str:
    """Where a queued job stands: `Next in the queue`, `Queued, 3 jobs ahead`."""
    position = job.queue_position
    if position is None:
        return ""
    if position == 1:
        return "Next in the queue"
    ahead = position - 1
    return f"Queued, {ahead} job{'' if ahead == 1 else 's'} ahead"


@register.filter
def row_words(job: Job) -> str:
    """What a dashboard says beside the status: place in the queue, stage, or how long it took."""
    if job.status == Status.QUEUED:
        return queue_words(job)
    if job.status == Status.RUNNING:
        left = f", about {duration(job.eta_seconds)} left" if job.eta_seconds is not None else ""
        return f"{job.percent:.0f} %, {stage_words(job.stage).lower()}{left}"
    if job.status == Status.FAILED:
        return job.error
    return took(job) if job.status == Status.SUCCEEDED else ""


@register.filter
def took(job: Job) -> str:
    """`in 12 s`, all its attempts together; empty for a job without a start or an end."""
    if job.started_at is None or job.finished_at is None:
        return ""
    last = (job.finished_at - job.started_at).total_seconds()
    return f"in {duration(job.earlier_seconds + last)}"


@register.filter
def cpu_words(reading: Reading) -> str:
    """`38 % of 2 cores`."""
    cores = f"{reading.cpu_count} core{'' if reading.cpu_count == 1 else 's'}"
    return f"{reading.cpu_percent:.0f} % of {cores}"


@register.filter
def memory_words(of: Reading | Gpu) -> str:
    """`3.1 GB of 16.0 GB`, of a machine or a GPU."""
    return f"{memory(of.memory_used)} of {memory(of.memory_total)}"
