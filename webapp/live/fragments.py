"""Events as pieces of HTML: rendered once per process, sent to every page that shows them.

A fragment whose root element has the target's id replaces that element. Any other fragment is added
to the target, unless an element of its id is there already. `static/js/swap.js` does it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zlib import crc32

from django.template.loader import render_to_string

from webapp import alignment_plot, results, stages
from webapp.live.events import (
    AlignmentReady,
    ContactMap,
    Event,
    Frame,
    Gap,
    LogLine,
    OutlineReady,
    Progress,
    SampleReady,
    StatusChanged,
)
from webapp.models import Job


@dataclass(frozen=True)
class Fragment:
    """HTML for the element of this id."""

    target: str
    html: str


def render(job: Job, event: Event | Gap) -> list[Fragment]:
    """What the event changes on the job's page; nothing for coordinates, which travel as numbers.

    `job` is the row as it is now: what the page says about status and result comes from there.
    """
    match event:
        case StatusChanged():
            return status(job)
        case Progress():
            return progress(job, event)
        case LogLine():
            return [Fragment("job-log", _html("log_line", line=event, key=log_key(event)))]
        case AlignmentReady():
            return [Fragment("job-alignment", alignment(event.summary))]
        case OutlineReady():
            return [Fragment("live-outline", outline(event))]
        case SampleReady():
            return [Fragment("job-samples", _html("sample", job=job, sample=event))]
        case Gap():
            return [Fragment("job-log", _html("gap", gap=event))]
        case ContactMap() | Frame():
            return []


def status(job: Job) -> list[Fragment]:
    """The head, and the panel below it: live while the job lives, then its result or its end."""
    if job.is_finished:
        return [Fragment("job-head", _html("head", job=job)), Fragment("job-panel", panel(job))]
    now = Progress(stage=job.stage, percent=job.percent, eta_seconds=job.eta_seconds)
    return [Fragment("job-head", _html("head", job=job)), *progress(job, now)]


def progress(job: Job, event: Progress) -> list[Fragment]:
    """The bar with its words, and the timeline."""
    timeline = stages.timeline(job, now=event.stage)
    return [
        Fragment("job-progress", _html("progress", job=job, progress=event)),
        Fragment("job-stages", _html("stages", timeline=timeline)),
    ]


def alignment(summary: dict[str, Any]) -> str:
    """The depth and coverage of the job's alignments."""
    return render_to_string("jobs/alignment/figure.html", alignment_plot.context(summary))


def outline(event: OutlineReady) -> str:
    """What the page's scripts need to draw tokens as chains and atoms."""
    drawn = {"tubes": event.tubes, "beads": event.beads, "bonds": event.bonds}
    return _html("outline", outline=json.dumps(drawn, separators=(",", ":")))


def panel(job: Job) -> str:
    """The HTML of everything below the job's head."""
    if job.status == "succeeded":
        return _result(job)
    if job.is_finished:
        return render_to_string("jobs/ended/panel.html", {"job": job})
    now = Progress(stage=job.stage, percent=job.percent, eta_seconds=job.eta_seconds)
    timeline = stages.timeline(job, now=job.stage)
    context = {"job": job, "progress": now, "timeline": timeline}
    return render_to_string("jobs/live/panel.html", context)


def _result(job: Job) -> str:
    try:
        return render_to_string("jobs/result/panel.html", results.context(job))
    except (FileNotFoundError, IndexError):
        return render_to_string("jobs/ended/panel.html", {"job": job, "files_are_gone": True})


def log_key(line: LogLine) -> str:
    """An id for the line in its page: the same line, replayed, has the same id."""
    return f"log-{crc32(f'{line.at} {line.message}'.encode()):08x}"


# The dashboard ----------------------------------------------------------------------------------


def row(job: Job) -> Fragment:
    """The job's row in its owner's dashboard."""
    return Fragment(f"job-{job.pk}", render_to_string("jobs/list/row.html", {"job": job}))


def removed(job_id: UUID | str) -> Fragment:
    """An empty place where a deleted job's row was."""
    return Fragment(f"job-{job_id}", f'<li id="job-{job_id}" class="job-row gone" hidden></li>')


def machine(readings: Any) -> Fragment:
    """The panel of what this machine is doing."""
    return Fragment("machine", render_to_string("jobs/list/machine.html", {"machine": readings}))


def model(item: Any) -> Fragment:
    """A model's card on the Models page."""
    html = render_to_string("models/item.html", {"item": item})
    return Fragment(item.element, html)


def _html(name: str, **context: Any) -> str:
    return render_to_string(f"jobs/live/{name}.html", context)
