"""What happens between a job's row and its fold: alignments and templates are found and shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from folding.errors import FoldingError
from folding.inputs import FoldInput, ProteinChain
from webapp.alignment_plot import ENDING
from webapp.alignments import STAGE_PERCENT, Aligner
from webapp.live.events import AlignmentReady, Event, LogLine, Progress
from webapp.models import Job
from webapp.search_request import SearchRequest, not_set, site


def prepare(
    job: Job,
    fold_input: FoldInput,
    *,
    reads_templates: bool,
    paired_as_own: bool = False,
    folder: Path,
    report: Callable[[Event], None],
) -> FoldInput:
    """The job with what was found for it; the page shows how deep its alignments are.

    Args:
        reads_templates: Whether the model does; none are looked for where it does not.
        paired_as_own: Whether the model reads paired rows that find no partner.
        folder: Gets the artifact of what the page draws.

    Raises:
        FoldingError: A source failed, or an alignment does not fit.
        Cancelled: `report` said so.
    """
    from webapp import pipeline

    request, here = SearchRequest.from_json(job.search), site()
    if request.msa:
        aligner = Aligner(here, request, search=pipeline.search_alignment, report=report)
        fold_input = aligner.complete(fold_input)
    if request.templates and reads_templates and _wants_templates(fold_input):
        if here.template_folder is None:
            raise FoldingError(not_set("a folder of structures", "FOLDSTREAM_TEMPLATES"))
        fold_input = pipeline.search_templates(
            fold_input,
            here.template_folder,
            index=here.cache_folder / "templates.json",
            before=request.before,
            report=_teller(report),
        )
    shown = {
        "source": source_words(request),
        "reads_templates": reads_templates,
        **pipeline.alignment_summary(fold_input, paired_as_own=paired_as_own),
    }
    report(AlignmentReady(summary=shown))
    path = folder / f"{fold_input.slug}{ENDING}"
    path.write_text(json.dumps(shown, separators=(",", ":")), encoding="utf-8")
    return fold_input


def first_percent(job: Job) -> float:
    """Where the fold's own percent begins: behind a search, if there is one."""
    return 0.0 if SearchRequest.from_json(job.search).is_empty else STAGE_PERCENT


def source_words(request: SearchRequest) -> str:
    """Where alignments came from that the job did not bring."""
    match request.msa:
        case "server":
            return request.server
        case "local":
            return "this machine's databases"
        case _:
            return ""


def _wants_templates(fold_input: FoldInput) -> bool:
    """Whether some protein says nothing about templates."""
    proteins = (chain for chain in fold_input.chains if isinstance(chain, ProteinChain))
    return any(chain.templates is None for chain in proteins)


def _teller(report: Callable[[Event], None]) -> Callable[[str], None]:
    def tell(message: str) -> None:
        if not message:
            detail = "looking for templates"
            report(Progress(stage="msa", percent=STAGE_PERCENT, detail=detail))
            return
        report(LogLine(level="info", message=message, at=datetime.now(UTC).isoformat()))

    return tell
