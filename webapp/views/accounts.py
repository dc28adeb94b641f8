"""Start as the local user, and what stands in front of allauth's pages."""

from allauth.account.views import password_reset as allauth_password_reset
from django.conf import settings
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from webapp import local_user


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """The dashboard, signed in as the local user; 404 for anyone who is not at this machine."""
    if not local_user.is_offered(request):
        raise Http404
    if not request.user.is_authenticated:
        login(request, local_user.get_or_create(), backend=local_user.BACKEND)
    return redirect("dashboard")


def no_password(request: HttpRequest) -> HttpResponse:
    """404: a user without a password stays without one."""
    raise Http404


def password_reset(request: HttpRequest) -> HttpResponse:
    """allauth's page, where the server can send mail; else a page that says who can help."""
    if not settings.EMAIL_HOST:
        return render(request, "account/password_reset_unavailable.html")
    response: HttpResponse = allauth_password_reset(request)
    return response
