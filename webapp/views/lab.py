"""The Lab: applications, trainings, their runs, where they ran, and the models they made."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from quantum.applications import applications, find_application
from quantum.applications.base import Application
from quantum.backends.names import NAMES
from quantum.errors import NotFound
from webapp.lab import chores, pages, runs, training
from webapp.lab.forms import ApplicationForm, TrainingForm, again
from webapp.models import Execution, LabRun

NOT_ALLOWED = "Only whoever runs this server can test connections and promote models."
PAGE_SIZE = 30


def own_run(request: HttpRequest, run_id: UUID | str) -> LabRun:
    """The run, if it belongs to whoever asks; 404 for everybody else."""
    return get_object_or_404(runs.of_user(request.user), pk=run_id)


# What can be run --------------------------------------------------------------------------------


@require_safe
@login_required
def apps(request: HttpRequest) -> HttpResponse:
    """Every application, and the trainings."""
    context = {"applications": applications(), "examples": training.examples()}
    return render(request, "lab/applications.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def application(request: HttpRequest, name: str) -> HttpResponse:
    """The form of an application; the run's page once it is queued."""
    found = _application(name)
    may_pay = runs.may_manage(request.user)
    if request.method == "POST":
        form = ApplicationForm(found, request.POST, may_pay=may_pay)
        if form.is_valid():
            kind = LabRun.Kind.APPLICATION
            return redirect("lab_run", runs.submit(request.user, kind, name, form.values).pk)
    else:
        form = ApplicationForm(found, initial=_earlier(request, found), may_pay=may_pay)
    context = {"application": found, "form": form, "money": pages.money(request.user)}
    return render(request, "lab/application.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def train(request: HttpRequest) -> HttpResponse:
    """The form of a training; the run's page once it is queued."""
    may_pay = runs.may_manage(request.user)
    if request.method == "POST":
        form = TrainingForm(request.POST, may_pay=may_pay)
        if form.is_valid():
            values, kind = form.values, LabRun.Kind.TRAINING
            run = runs.submit(request.user, kind, values["model"], values)
            return redirect("lab_run", run.pk)
    else:
        form = TrainingForm(initial=_example(request), may_pay=may_pay)
    context = {
        "form": form,
        "examples": training.examples(),
        "example": request.GET.get("example", ""),
        "money": pages.money(request.user),
    }
    return render(request, "lab/training.html", context, status=422 if form.errors else 200)


def _application(name: str) -> Application:
    try:
        return find_application(name)
    except NotFound:
        raise Http404(f"There is no application called {name}.") from None


def _earlier(request: HttpRequest, found: Application) -> Any:
    """The values of the run that `?run=` names, if it is one's own run of this application."""
    run = _named_run(request)
    fits = run is not None and not run.is_training and run.name == found.name
    return again(run, found.parameters) if run is not None and fits else {}


def _example(request: HttpRequest) -> Any:
    run = _named_run(request)
    if run is not None and run.is_training:
        return again(run, training.PARAMETERS)
    return training.examples().get(request.GET.get("example", ""), {})


def _named_run(request: HttpRequest) -> LabRun | None:
    chosen = _ids([request.GET.get("run", "")])
    return runs.of_user(request.user).filter(pk__in=chosen).first() if chosen else None


# Runs -------------------------------------------------------------------------------------------


@require_safe
@login_required
def run_list(request: HttpRequest) -> HttpResponse:
    """One's own runs, newest first; the list alone with `?part=list`."""
    mine = runs.of_user(request.user)
    page = Paginator(mine, PAGE_SIZE).get_page(request.GET.get("page", "1"))
    name = "lab/run_list.html" if request.GET.get("part") == "list" else "lab/runs.html"
    return render(request, name, {"page": page, "most": pages.MOST_COMPARED})


@require_safe
@login_required
def run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """One run, live."""
    found = own_run(request, run_id)
    return render(
        request, "lab/run.html", {**pages.run_context(found), "figures": pages.figures(found)}
    )


@require_safe
@login_required
def run_json(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The run as JSON: settings, curves, result, executions."""
    found = own_run(request, run_id)
    answer = {
        "kind": found.kind,
        "name": found.name,
        "status": found.status,
        "values": found.values,
        "curves": found.series,
        "result": found.result,
        "error": found.error,
        "executions": list(found.executions.values()),
    }
    name = f"lab-{found.name}-{found.pk.hex[:8]}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return JsonResponse(answer, headers=headers, json_dumps_params={"indent": 1})


@require_safe
@login_required
def config(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The settings of a training as the file that `manage.py quantum train` reads."""
    found = own_run(request, run_id)
    if not found.is_training:
        raise Http404
    headers = {"Content-Disposition": f'attachment; filename="{found.name}.json"'}
    return JsonResponse(found.values, headers=headers, json_dumps_params={"indent": 2})


@require_safe
@login_required
def compare(request: HttpRequest) -> HttpResponse:
    """Several of one's own runs side by side."""
    chosen = runs.of_user(request.user).filter(pk__in=_ids(request.GET.getlist("run")))
    found = list(chosen[: pages.MOST_COMPARED])
    if len(found) < 2:
        messages.info(request, "Choose two or more runs to compare.")
        return redirect("lab_runs")
    return render(request, "lab/compare.html", pages.compared(found))


def _ids(given: list[str]) -> list[UUID]:
    """The ids among the words."""
    found = []
    for word in given:
        try:
            found.append(UUID(word))
        except ValueError:
            continue
    return found


@require_POST
@login_required
def run_cancel(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Ends a run; back to its page."""
    found = own_run(request, run_id)
    if not runs.cancel(found):
        messages.info(request, "This run had already ended.")
    return redirect("lab_run", found.pk)


@require_POST
@login_required
def run_resume(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Goes on with a training that was stopped; back to its page."""
    found = own_run(request, run_id)
    if not runs.resume(found):
        messages.info(request, "Only a training that was stopped, or failed, can go on.")
    return redirect("lab_run", found.pk)


@require_POST
@login_required
def run_again(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """A new run with the same settings."""
    found = own_run(request, run_id)
    if found.values.get("backend") in runs.PAID and not runs.may_manage(request.user):
        raise PermissionDenied(NOT_ALLOWED)
    return redirect("lab_run", runs.submit(request.user, found.kind, found.name, found.values).pk)


@require_POST
@login_required
def run_delete(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Removes a run that has ended."""
    if not runs.delete(own_run(request, run_id)):
        messages.info(request, "Stop the run before you delete it.")
        return redirect("lab_run", run_id)
    return redirect("lab_runs")


# Where they ran ---------------------------------------------------------------------------------


@require_safe
@login_required
def executions(request: HttpRequest) -> HttpResponse:
    """What one's runs sent to backends; the list alone with `?part=list`."""
    mine = Execution.objects.filter(run__owner=request.user.pk).select_related("run")
    page = Paginator(mine, PAGE_SIZE).get_page(request.GET.get("page", "1"))
    context = {"page": page, "money": pages.money(request.user)}
    is_part = request.GET.get("part") == "list"
    return render(request, "lab/execution_list.html" if is_part else "lab/executions.html", context)


@require_safe
@login_required
def backends(request: HttpRequest) -> HttpResponse:
    """Every backend as it was read last; old readings are asked for again."""
    chores.refresh_if_old()
    context = {
        "backends": pages.backends(),
        "may_manage": runs.may_manage(request.user),
    }
    return render(request, "lab/backends.html", context)


@require_POST
@login_required
def backend_test(request: HttpRequest, name: str) -> HttpResponse:
    """Has a connection tested; back to the backends."""
    _allow(request)
    if name not in NAMES:
        raise Http404
    chores.ask_test(name)
    return redirect("lab_backends")


# Models -----------------------------------------------------------------------------------------


@require_safe
@login_required
def registry(request: HttpRequest) -> HttpResponse:
    """Trained models: versions, stages, where each came from."""
    context = {**pages.registry(), "may_manage": runs.may_manage(request.user)}
    return render(request, "lab/registry.html", context)


@require_POST
@login_required
def promote(request: HttpRequest, name: str, version: int, stage: str) -> HttpResponse:
    """Has a version moved to a stage; back to the registry."""
    _allow(request)
    if stage not in chores.STAGES or not _is_registered(name, version):
        raise Http404
    chores.ask_promotion(name, version, stage, by=_who(request))
    messages.info(request, f"{name}:{version} moves to {chores.STAGES[stage].lower()}.")
    return redirect("lab_registry")


@require_POST
@login_required
def roll_back(request: HttpRequest, name: str) -> HttpResponse:
    """Has the version put into production that was there before; back to the registry."""
    _allow(request)
    if not _is_registered(name):
        raise Http404
    chores.ask_rollback(name, by=_who(request))
    messages.info(request, f"{name} goes back to the version before.")
    return redirect("lab_registry")


def _is_registered(name: str, version: int | None = None) -> bool:
    for model in runs.folder().mirror()["models"]:
        if model["name"] == name:
            return version is None or version in {v["version"] for v in model["versions"]}
    return False


@require_safe
@login_required
def lab_settings(request: HttpRequest) -> HttpResponse:
    """What is configured, what may be spent, where files lie; never a secret."""
    may_manage = runs.may_manage(request.user)
    context = {
        "credentials": pages.credentials(),
        "money": pages.money(request.user),
        "wait_seconds": settings.QUANTUM_WAIT_SECONDS,
        # Paths are the business of whoever runs the server.
        "places": runs.folder().places if may_manage else {},
        "may_manage": may_manage,
    }
    return render(request, "lab/settings.html", context)


def _allow(request: HttpRequest) -> None:
    if not runs.may_manage(request.user):
        raise PermissionDenied(NOT_ALLOWED)


def _who(request: HttpRequest) -> str:
    return request.user.get_username()
