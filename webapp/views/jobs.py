"""A job's way in, its page while it lives, and what its owner may do to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.safestring import mark_safe
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)

from folding.errors import InvalidInput
from folding.inputs import MAX_SEQUENCE_CHARACTERS, FoldInput, FoldOptions
from webapp import downloads, jobs, viewer
from webapp.examples import BY_SLUG, EXAMPLES
from webapp.forms import SubmitForm
from webapp.live import fragments
from webapp.live.messages import poll
from webapp.models import Job
from webapp.search_forms import SearchForm
from webapp.search_request import SearchRequest

TOO_BIG = (
    "This was too much to read: everything together can have at most {megabytes} MB. Check that "
    "you pasted the right thing; what you typed before is not lost if you go back."
)

CONSENT_AGAIN = (
    "This job has an outside server look for alignments, so it asks for your consent again. Agree "
    "below, or choose another source, and press Fold."
)
SEVERAL = "This file holds {n} jobs; the form shows one. Press Fold to fold them all."


def own_job(request: HttpRequest, job_id: UUID) -> Job:
    """The job, if it belongs to whoever asks; 404 for everybody else."""
    return get_object_or_404(Job.objects.for_user(request.user), pk=job_id)


# Submit -----------------------------------------------------------------------------------------


@csrf_exempt  # what it calls is protected; the token lies in a body that may be too big to read
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def submit(request: HttpRequest) -> HttpResponse:
    """The form of a new fold, and the job's page once it is queued; or its JSON to download."""
    try:
        return _submit(request)
    except RequestDataTooBig:
        form = SubmitForm()
        form.whole_errors = [too_big()]
        return _form_page(request, form, status=413)


@csrf_protect
def _submit(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _form_page(request, _prefilled(request))
    form = SubmitForm(request.POST, request.FILES)
    if not form.is_valid() or form.fold_input is None:
        return _form_page(request, form, status=422)
    if "edit" in request.POST:
        if len(form.fold_inputs) == 1:
            search = form.search.request
            return _form_page(
                request, SubmitForm.of_job(form.fold_input, form.options, search=search)
            )
        form.whole_errors = [SEVERAL.format(n=len(form.fold_inputs))]
        return _form_page(request, form, status=422)
    if "export" in request.POST:
        return _as_json(form.fold_inputs)
    found = jobs.submit_all(
        request.user, form.fold_inputs, form.options, search=form.search.request
    )
    if len(found) > 1:
        messages.success(request, f"{len(found)} folds are queued.")
        return redirect("dashboard")
    return redirect("job", found[0].pk)


@csrf_exempt
@require_POST
@login_required
def validate(request: HttpRequest) -> HttpResponse:
    """What the form would say if it was sent now, as JSON; nothing is stored."""
    try:
        return _validate(request)
    except RequestDataTooBig:
        return JsonResponse({"ok": False, "errors": {"": [too_big()]}, "fragments": []}, status=413)


@csrf_protect
def _validate(request: HttpRequest) -> HttpResponse:
    form = SubmitForm(request.POST, request.FILES)
    ok = form.is_valid()
    html = render_to_string("jobs/submit/check.html", {"form": form})
    answer: dict[str, Any] = {
        "ok": ok,
        "errors": form.errors,
        "notes": [],
        "n_tokens": None,
        "estimate_seconds": None,
        "estimate_bytes": None,
        "fragments": [{"target": "check", "html": html}],
    }
    if form.fold_input and form.estimate:
        answer |= {
            "notes": form.fold_input.notes,
            "n_jobs": len(form.fold_inputs),
            "n_tokens": sum(fold_input.n_tokens for fold_input in form.fold_inputs),
            "estimate_seconds": form.estimate.seconds,
            "estimate_bytes": form.estimate.bytes,
        }
    return JsonResponse(answer)


def too_big() -> str:
    """What to say to a request that is larger than the server reads."""
    return TOO_BIG.format(megabytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20)


def _prefilled(request: HttpRequest) -> SubmitForm:
    """The form, filled by `?example=`, `?model=` or `?job=`."""
    if example := BY_SLUG.get(request.GET.get("example", "")):
        return SubmitForm.of_example(example)
    if downloads.store().is_here(name := request.GET.get("model", "")):
        return SubmitForm.of_model(name)
    try:
        job_id = UUID(request.GET.get("job", ""))
    except ValueError:
        return SubmitForm()
    return _form_of(own_job(request, job_id))


def _form_of(job: Job) -> SubmitForm:
    """The form that would submit the job once more; what is refused by now, as it was stored."""
    search = SearchRequest.from_json(job.search)
    try:
        fold_input = FoldInput.from_json(job.fold_input)
        return SubmitForm.of_job(fold_input, FoldOptions(**job.options), search=search)
    except InvalidInput as error:
        initial = {name: str(value) for name, value in job.options.items() if value is not False}
        initial |= {"mode": "json", "json": _json_text(job.fold_input)}
        form = SubmitForm(initial=initial)
        form.search = SearchForm.of_request(search)
        form.whole_errors = [str(error)]
        return form


def _form_page(request: HttpRequest, form: SubmitForm, *, status: int = 200) -> HttpResponse:
    context = {"form": form, "examples": EXAMPLES, "most_characters": MAX_SEQUENCE_CHARACTERS}
    return render(request, "jobs/submit.html", context, status=status)


# The page ---------------------------------------------------------------------------------------


@require_safe
@login_required
def job(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The live page, or the result, whichever the row says."""
    row = own_job(request, job_id)
    # A page that opens replays what the stream holds: the log, and the newest of everything else.
    since = "" if row.is_finished else "0"
    panel = mark_safe(fragments.panel(row))
    return render(request, "jobs/job.html", {"job": row, "panel": panel, "since": since})


@require_GET
@login_required
def events(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """What a socket would have sent since `?since=`, for pages that no socket reaches."""
    row = own_job(request, job_id)
    return JsonResponse(poll(row, request.GET.get("since", "0")))


@require_safe
@login_required
def export(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """What was asked for as AlphaFold 3 JSON, to download; as stored where it is refused by now."""
    row = own_job(request, job_id)
    try:
        return _as_json((FoldInput.from_json(row.fold_input),))
    except InvalidInput:
        return _json_file(row.fold_input, name=viewer.slug(row))


def _as_json(fold_inputs: Sequence[FoldInput]) -> HttpResponse:
    """A job, or a list of several, as a file of AlphaFold 3 JSON."""
    documents = [fold_input.to_json(strict=True) for fold_input in fold_inputs]
    document = documents[0] if len(documents) == 1 else documents
    return _json_file(document, name=fold_inputs[0].slug)


def _json_file(document: object, *, name: str) -> HttpResponse:
    response = HttpResponse(_json_text(document), content_type="application/json")
    disposition = content_disposition_header(True, f"{name}.json")
    response["Content-Disposition"] = disposition or "attachment"
    return response


def _json_text(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


# Its owner's verbs ------------------------------------------------------------------------------


@require_POST
@login_required
def cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Ends the job at its next step; back to its page."""
    if not jobs.cancel(own_job(request, job_id)):
        messages.info(request, "This fold had already ended.")
    return redirect("job", job_id)


@require_POST
@login_required
def pause(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Lets the job rest at its next step; back to its page."""
    if not jobs.pause(own_job(request, job_id)):
        messages.info(request, "This fold does not run any more.")
    return redirect("job", job_id)


@require_POST
@login_required
def resume(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Lets a paused job go on; back to its page."""
    if not jobs.resume(own_job(request, job_id)):
        messages.info(request, "This fold was not paused.")
    return redirect("job", job_id)


@require_POST
@login_required
def retry(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """A new job with the same input, on to its page; or the form, where consent is needed again."""
    row = own_job(request, job_id)
    if SearchRequest.from_json(row.search).needs_consent:
        messages.info(request, CONSENT_AGAIN)
        return redirect(f"{reverse('submit')}?job={row.pk}")
    try:
        return redirect("job", jobs.retry(row).pk)
    except InvalidInput as error:
        messages.error(request, str(error))
        return redirect("job", job_id)


@require_POST
@login_required
def delete(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Removes the job and its files; back to the dashboard."""
    row = own_job(request, job_id)
    jobs.delete(row)
    messages.success(request, f"{row.name} was deleted.")
    return redirect("dashboard")
