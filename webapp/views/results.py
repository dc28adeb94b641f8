"""What belongs to a finished job: its samples, the numbers that the page draws, its files."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.utils.http import content_disposition_header
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from webapp import results, storage, viewer
from webapp.models import Job, Prediction, Status
from webapp.views.jobs import own_job

# What is in the files of a finished job never changes.
unchanging = cache_control(private=True, max_age=7 * 24 * 3600, immutable=True)
# Elements of the page that speak of one sample, each with a template of its name.
OF_A_SAMPLE = ("sample", "sample-files", "molecules", "pairs", "chemistry")
CONTENT_TYPES = {
    "cif": "chemical/x-mmcif",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "h5": "application/x-hdf5",
}


def _own_prediction(request: HttpRequest, job_id: UUID, seed: int, sample: int) -> Prediction:
    job = own_job(request, job_id)
    return get_object_or_404(job.predictions.select_related("job"), seed=seed, sample=sample)


@require_safe
@login_required
def sample(request: HttpRequest, job_id: UUID, seed: int, sample: int) -> HttpResponse:
    """The fragments about one sample: how far to trust it, and its files."""
    prediction = _own_prediction(request, job_id, seed, sample)
    context = results.sample_context(prediction.job, prediction)
    parts = {part: f"{part.replace('-', '_')}.html" for part in OF_A_SAMPLE}
    return JsonResponse(
        {
            "fragments": [
                {"target": target, "html": render_to_string(f"jobs/result/{name}", context)}
                for target, name in parts.items()
            ]
        }
    )


@require_safe
@login_required
@unchanging
def frames(request: HttpRequest, job_id: UUID, seed: int, sample: int, kind: str) -> HttpResponse:
    """What the page draws: `scene` as JSON, `pae` and `trajectory` as bytes; 404 without files."""
    prediction = _own_prediction(request, job_id, seed, sample)
    try:
        match kind:
            case "scene":
                return JsonResponse(viewer.scene(prediction.job, prediction))
            case "pae":
                content = viewer.pae(prediction.job, prediction)
            case "trajectory":
                content = viewer.trajectory(prediction.job, prediction)
            case _:
                raise Http404
    except FileNotFoundError as error:
        raise Http404 from error
    return HttpResponse(content, content_type="application/octet-stream")


@require_safe
@login_required
@unchanging
def file(request: HttpRequest, job_id: UUID, name: str) -> StreamingHttpResponse:
    """One artifact, as a download."""
    try:
        path = storage.find(_finished(request, job_id).pk, name)
    except FileNotFoundError as error:
        raise Http404 from error
    response = StreamingHttpResponse(
        storage.streamed(storage.file_chunks(path)),
        content_type=CONTENT_TYPES.get(path.suffix[1:], "application/octet-stream"),
    )
    response["Content-Length"] = str(path.stat().st_size)
    _name(response, name)
    return response


@require_safe
@login_required
def archive(request: HttpRequest, job_id: UUID) -> StreamingHttpResponse:
    """All artifacts in one zip, made while it is sent."""
    job = _finished(request, job_id)
    chunks = storage.streamed(storage.zip_chunks(job.pk))
    response = StreamingHttpResponse(chunks, content_type="application/zip")
    _name(response, f"{viewer.slug(job)}.zip")
    return response


def _name(response: StreamingHttpResponse, name: str) -> None:
    """Makes the answer a download of this name."""
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"


def _finished(request: HttpRequest, job_id: UUID) -> Job:
    job = own_job(request, job_id)
    if job.status != Status.SUCCEEDED:
        raise Http404
    return job
