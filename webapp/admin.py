"""The rows in Django's admin, to look at: jobs are moved by `webapp/jobs.py` alone."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from webapp.models import BackendReading, Execution, Job, LabRun, Prediction, WeightsDownload


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
