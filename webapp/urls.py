"""Which view answers which path."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from webapp.views import accounts, dashboard, health, home, jobs, lab, ligands, models, results

# The admin has no sign-in of its own: allauth's counts the failures.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

_JOB = "jobs/<uuid:job_id>/"
_RUN = "lab/runs/<uuid:run_id>/"
_MODEL = "lab/registry/<str:name>/"
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
    path("lab/", lab.apps, name="lab"),
    path("lab/applications/<str:name>/", lab.application, name="lab_application"),
    path("lab/training/", lab.train, name="lab_training"),
    path("lab/runs/", lab.run_list, name="lab_runs"),
    path("lab/runs/compare/", lab.compare, name="lab_compare"),
    path(_RUN, lab.run, name="lab_run"),
    path(f"{_RUN}run.json", lab.run_json, name="lab_run_json"),
    path(f"{_RUN}config.json", lab.config, name="lab_config"),
    path(f"{_RUN}cancel/", lab.run_cancel, name="lab_cancel"),
    path(f"{_RUN}resume/", lab.run_resume, name="lab_resume"),
    path(f"{_RUN}again/", lab.run_again, name="lab_again"),
    path(f"{_RUN}delete/", lab.run_delete, name="lab_delete"),
    path("lab/executions/", lab.executions, name="lab_executions"),
    path("lab/backends/", lab.backends, name="lab_backends"),
    path("lab/backends/<str:name>/test/", lab.backend_test, name="lab_test"),
    path("lab/registry/", lab.registry, name="lab_registry"),
    path(f"{_MODEL}<int:version>/<str:stage>/", lab.promote, name="lab_promote"),
    path(f"{_MODEL}rollback/", lab.roll_back, name="lab_rollback"),
    path("lab/settings/", lab.lab_settings, name="lab_settings"),
    path("start/", accounts.start, name="start"),
    path("healthz/", health.health, name="health"),
    # The local user is the only one without a password, and stays so.
    path("accounts/password/set/", accounts.no_password, name="account_set_password"),
    path("accounts/password/reset/", accounts.password_reset, name="account_reset_password"),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
]
