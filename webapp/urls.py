"""Which view answers which path."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from webapp.views import accounts, dashboard, health, home, jobs, ligands, models, results

# The admin has no sign-in of its own: allauth's counts the failures.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

_JOB = "jobs/<uuid:job_id>/"
_SAMPLE = f"{_JOB}samples/<int:seed>-<int:sample>/"

urlpatterns = [
    path("", home.home, name="home"),
    path("jobs/", dashboard.dashboard, name="dashboard"),
    path("jobs/new/", jobs.submit, name="submit"),
    path("jobs/validate/", jobs.validate, name="validate"),
    path("ligands/", ligands.suggest, name="ligand_suggest"),
    path("ligands/drawing/", ligands.drawing, name="ligand_drawing"),
    path(_JOB, jobs.job, name="job"),
    path(f"{_JOB}alphafold3.json", jobs.export, name="job_export"),
    path(f"{_JOB}cancel/", jobs.cancel, name="job_cancel"),
    path(f"{_JOB}pause/", jobs.pause, name="job_pause"),
    path(f"{_JOB}resume/", jobs.resume, name="job_resume"),
    path(f"{_JOB}retry/", jobs.retry, name="job_retry"),
    path(f"{_JOB}delete/", jobs.delete, name="job_delete"),
    path(f"{_JOB}events/", jobs.events, name="job_events"),
    path(f"{_JOB}files/<str:name>", results.file, name="job_file"),
    path(f"{_JOB}archive.zip", results.archive, name="job_archive"),
    path(_SAMPLE, results.sample, name="job_sample"),
    path(f"{_SAMPLE}<str:kind>", results.frames, name="job_frames"),
    path("models/", models.shelves, name="models"),
    path("models/<str:name>/", models.card, name="model_card"),
    path("models/<str:name>/download/", models.download, name="model_download"),
    path("models/<str:name>/cancel/", models.cancel, name="model_cancel"),
    path("models/<str:name>/remove/", models.remove, name="model_remove"),
    path("start/", accounts.start, name="start"),
    path("healthz/", health.health, name="health"),
    # The local user is the only one without a password, and stays so.
    path("accounts/password/set/", accounts.no_password, name="account_set_password"),
    path("accounts/password/reset/", accounts.password_reset, name="account_reset_password"),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
]
