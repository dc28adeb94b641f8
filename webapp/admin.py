"""The rows in Django's admin, to look at: jobs are moved by `webapp/jobs.py` alone.

What people leave behind can be deleted here: a job, and an account with all that is its own.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from webapp.models import BackendReading, Execution, Job, LabRun, Prediction, WeightsDownload

Deleted = tuple[list[Any], dict[str, int], set[str], list[Any]]
"""What Django finds that goes with a row: as text, by kind, what may not go, what keeps it."""


def with_its_own(found: Deleted) -> Deleted:
    """The same, where rows of this app that nobody may delete alone go with what they are of."""
    texts, counts, forbidden, keeping = found
    ours = {str(model._meta.verbose_name) for model in apps.get_app_config("webapp").get_models()}
    return texts, counts, {name for name in forbidden if str(name) not in ours}, keeping


def delete_job(job: Job) -> None:
    """Deletes a job with its files."""
    # Not at the top: every command of Django loads the admin, and few need the science's rules.
    from webapp import jobs

    jobs.delete(job)


def delete_account(user: User) -> None:
    """Deletes an account with its jobs, their files, and its runs of the Lab."""
    from webapp.lab import runs

    for job in Job.objects.filter(owner=user):
        delete_job(job)
    for run in runs.of_user(user):
        runs.cancel(run)
        runs.delete(run)
    user.delete()


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows rows and changes none."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Who asked for what, where it stands, and which worker has it."""

    list_display = ["name", "owner", "model", "status", "stage", "percent", "attempt", "worker"]
    list_filter = ["status"]
    search_fields = ["name", "id", "owner__username"]
    date_hierarchy = "created_at"

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Deleted:
        return with_its_own(super().get_deleted_objects(objs, request))

    def delete_model(self, request: HttpRequest, obj: Job) -> None:
        self.delete_queryset(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: Iterable[Job]) -> None:
        """Not before the admin has written down who did it: files do not come back."""
        for job in queryset:
            transaction.on_commit(functools.partial(delete_job, job))


admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(UserAdmin):  # type: ignore[type-arg]
    """Django's own, which deletes what belongs to an account too."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Deleted:
        return with_its_own(super().get_deleted_objects(objs, request))

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        self.delete_queryset(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: Iterable[User]) -> None:
        for user in queryset:
            transaction.on_commit(functools.partial(delete_account, user))


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdmin):
    """The scores of every sample."""

    list_display = ["job", "seed", "sample", "rank", "ranking_score", "mean_plddt", "ptm"]
    list_select_related = ["job"]


@admin.register(WeightsDownload)
class WeightsDownloadAdmin(ReadOnlyAdmin):
    """Who asked for which weights, and how far they are."""

    list_display = ["name", "requested_by", "status", "stage", "attempt", "worker"]
    list_filter = ["status"]


@admin.register(LabRun)
class LabRunAdmin(ReadOnlyAdmin):
    """Who ran what in the Lab, and where it stands."""

    list_display = ["name", "kind", "owner", "status", "attempt", "worker"]
    list_filter = ["kind", "status"]
    date_hierarchy = "created_at"


@admin.register(Execution)
class ExecutionAdmin(ReadOnlyAdmin):
    """What ran on which backend, and what it cost."""

    list_display = ["id", "run", "wanted", "backend", "status", "shots", "seconds", "cost"]
    list_filter = ["backend", "status"]
    list_select_related = ["run"]


@admin.register(BackendReading)
class BackendReadingAdmin(ReadOnlyAdmin):
    """What backends said of themselves."""

    list_display = ["name", "configured", "online", "n_qubits", "read_at", "seen_at"]
