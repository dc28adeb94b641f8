"""The local user: someone who sits at the machine that folds and needs no account.

The user is offered, and stays signed in, only while the server listens on loopback and the request
comes from loopback. It has no password and can never be given one.
"""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from webapp.address import is_loopback

NAME = "local"
BACKEND = "webapp.local_user.LocalUserBackend"
FORWARDING_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def is_enabled() -> bool:
    """True while the server listens on loopback alone and has no public address."""
    public_host = settings.PUBLIC_HOST
    return is_loopback(settings.LISTENS_ON) and (not public_host or is_loopback(public_host))


def is_offered(request: HttpRequest) -> bool:
    """True if this very request was made at this machine and passed no proxy."""
    direct = not any(header in request.headers for header in FORWARDING_HEADERS)
    return is_enabled() and direct and is_loopback(request.META.get("REMOTE_ADDR", ""))


def in_templates(request: HttpRequest) -> dict[str, Any]:
    """Context processor: the ways in that this server offers to whoever is not signed in yet."""
    return {
        "local_user_is_offered": is_offered(request),
        "sign_up_is_open": settings.SIGN_UP_IS_OPEN,
    }


def get_or_create() -> User:
    """The local user's row, without a usable password.

    Raises:
        PermissionDenied: somebody made an account of that name for themselves.
    """
    user, created = User.objects.get_or_create(username=NAME)
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    if user.is_staff or user.has_usable_password():
        raise PermissionDenied(f"The account named {NAME} is somebody's own.")
    return user


class LocalUserBackend:
    """Keeps the local user's session valid only while the server listens on loopback."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        """Nothing: nobody becomes the local user by naming credentials."""

    def get_user(self, user_id: int) -> User | None:
        """The local user, or nobody as soon as the server listens elsewhere."""
        if not is_enabled():
            return None
        rows = User.objects.filter(username=NAME, is_active=True, is_staff=False)
        return rows.filter(pk=user_id).first()


class PasswordBackend(AuthenticationBackend):
    """Accounts with a password; the local user is not one, whatever its row says."""

    def user_can_authenticate(self, user: AbstractBaseUser | None) -> bool:
        return not _is_local(user) and bool(super().user_can_authenticate(user))

    def get_user(self, user_id: int) -> User | None:
        user: User | None = super().get_user(user_id)
        return None if _is_local(user) else user


class AccountAdapter(DefaultAccountAdapter):
    """Answers allauth's questions about this server's accounts."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGN_UP_IS_OPEN)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        """Whoever gave the right password. allauth lets in users that their backend refuses, to
        tell them why; for the local user there is nothing to tell."""
        user: AbstractBaseUser | None = super().authenticate(request, **credentials)
        return None if _is_local(user) else user


def _is_local(user: AbstractBaseUser | None) -> bool:
    return user is not None and user.get_username() == NAME
