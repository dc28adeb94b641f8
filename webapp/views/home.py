"""The landing page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from webapp import local_user


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this is, and the ways in; people who are in already go on to their jobs."""
    if request.user.is_authenticated:
        return redirect("dashboard")
    return render(request, "home.html", {"offers_local_user": local_user.is_offered(request)})
