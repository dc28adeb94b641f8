"""Which view answers which path."""

from django.contrib import admin
from django.urls import include, path

from webapp.views import accounts, health

urlpatterns = [
    path("start/", accounts.start, name="start"),
    path("healthz/", health.health, name="health"),
    # The local user is the only one without a password, and stays so.
    path("accounts/password/set/", accounts.no_password, name="account_set_password"),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
]
