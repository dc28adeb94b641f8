"""Which view answers which path."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from webapp.views import accounts, health

# The admin has no sign-in of its own: allauth's counts the failures.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("start/", accounts.start, name="start"),
    path("healthz/", health.health, name="health"),
    # The local user is the only one without a password, and stays so.
    path("accounts/password/set/", accounts.no_password, name="account_set_password"),
    path("accounts/password/reset/", accounts.password_reset, name="account_reset_password"),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
]
