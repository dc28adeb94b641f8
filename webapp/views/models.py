"""The models: which there are, what they are worth, and their way onto this machine."""

from __future__ import annotations

import markdown
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST, require_safe

from folding.errors import WeightsError
from folding.weights import cards
from folding.weights.catalog import CATALOG
from webapp import downloads, shelf

NOT_ALLOWED = "Only whoever runs this server can add or remove models."


@require_safe
@login_required
def shelves(request: HttpRequest) -> HttpResponse:
    """Every model with its state."""
    context = {"items": shelf.items(), "may_ask": downloads.may_ask(request.user)}
    return render(request, "models/models.html", context)


@require_safe
def card(request: HttpRequest, name: str) -> HttpResponse:
    """What is known of a model: its own card where it ships, else what the catalogue says."""
    if name not in cards.names():
        try:
            return render(request, "models/about.html", {"item": shelf.item(name)})
        except WeightsError:
            raise Http404(f"There is no model called {name}.") from None
    # The text is ours, part of the code: it is safe by origin.
    html = mark_safe(markdown.markdown(cards.read_card(name), extensions=["tables"]))
    return render(request, "models/card.html", {"name": name, "card": html})


@require_POST
@login_required
def download(request: HttpRequest, name: str) -> HttpResponse:
    """Queues the download of a model; back to the list."""
    _allow(request)
    if name not in CATALOG or not CATALOG[name].urls:
        raise Http404
    if not downloads.ask(name, by=request.user):
        messages.info(request, "This model is on its way or here already.")
    return redirect("models")


@require_POST
@login_required
def cancel(request: HttpRequest, name: str) -> HttpResponse:
    """Ends the download of a model; back to the list."""
    _allow(request)
    if not downloads.cancel(name):
        messages.info(request, "This download had already ended.")
    return redirect("models")


@require_POST
@login_required
def remove(request: HttpRequest, name: str) -> HttpResponse:
    """Removes the weights of a model from this machine; back to the list."""
    _allow(request)
    try:
        downloads.remove(name)
    except WeightsError as error:
        messages.error(request, str(error))
    return redirect("models")


def _allow(request: HttpRequest) -> None:
    if not downloads.may_ask(request.user):
        raise PermissionDenied(NOT_ALLOWED)
