"""The admin shows jobs and changes none; it deletes them, and accounts with all they own."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from tests.webapp import making
from webapp import queue, storage
from webapp.lab import runs
from webapp.models import Job, LabRun

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_dir")]


@pytest.mark.parametrize("model", ["job", "prediction"])
def test_an_admin_sees_the_rows(admin_client, user, model):
    with_sample(making.job(user, name="Visible", status="failed"))
    page = admin_client.get(reverse(f"admin:webapp_{model}_changelist"))
    assert page.status_code == 200
    assert "Visible" in page.content.decode()


def test_an_admin_can_neither_add_nor_change(admin_client, user):
    job = making.job(user)
    assert admin_client.get(reverse("admin:webapp_job_add")).status_code == 403
    change = reverse("admin:webapp_job_change", args=[job.pk])
    assert admin_client.post(change, {"status": "succeeded"}).status_code == 403
    assert Job.objects.get().status == "queued"


def test_what_belongs_to_a_job_is_not_deleted_alone(admin_client, user):
    sample = with_sample(making.job(user, status="succeeded")).predictions.get()
    delete = reverse("admin:webapp_prediction_delete", args=[sample.pk])
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    assert Job.objects.get().predictions.count() == 1


def with_sample(job):
    job.predictions.create(
        seed=1,
        sample=0,
        rank=1,
        ranking_score=0.5,
        mean_plddt=70.0,
        ptm=0.5,
        has_clash=False,
        fraction_disordered=0.0,
    )
    storage.draft(job.pk, attempt=1)
    storage.install(job.pk, attempt=1)
    return job


@pytest.mark.parametrize("several", [False, True], ids=["its page", "the list"])
def test_an_admin_deletes_a_job_with_its_files(admin_client, user, published, several):
    job = with_sample(making.job(user, status="succeeded"))
    kept = with_sample(making.job(user, status="succeeded"))
    if several:
        page, chosen = "admin:webapp_job_changelist", {"action": "delete_selected"}
        where, data = reverse(page), chosen | {"_selected_action": str(job.pk)}
    else:
        where, data = reverse("admin:webapp_job_delete", args=[job.pk]), {}
    asked = admin_client.post(where, data) if several else admin_client.get(where)
    assert "Are you sure" in asked.content.decode()
    assert admin_client.post(where, data | {"post": "yes"}).status_code == 302
    assert Job.objects.get() == kept
    assert (storage.folder(job.pk).exists(), storage.folder(kept.pk).exists()) == (False, True)
    assert published.kinds(job) == ["status"], "pages that show it hear of it"


@pytest.mark.parametrize("several", [False, True], ids=["its page", "the list"])
def test_an_admin_deletes_an_account_with_all_it_owns(admin_client, user, monkeypatch, several):
    monkeypatch.setattr(queue, "send_lab", lambda run_id: True)
    job = with_sample(making.job(user, status="running"))
    run = runs.submit(user, LabRun.Kind.TRAINING, "rings", {})
    (checkpoints := runs.folder().checkpoints(run.pk.hex)).mkdir(parents=True)
    other = with_sample(making.job(User.objects.create_user("grace")))
    if several:
        where = reverse("admin:auth_user_changelist")
        data = {"action": "delete_selected", "_selected_action": str(user.pk)}
    else:
        where, data = reverse("admin:auth_user_delete", args=[user.pk]), {}
    assert admin_client.post(where, data | {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=user.pk).exists()
    assert (Job.objects.get(), LabRun.objects.count()) == (other, 0)
    assert (storage.folder(job.pk).exists(), storage.folder(other.pk).exists()) == (False, True)
    assert not checkpoints.exists()


def test_others_do_not_get_in(client, user):
    client.force_login(user)
    assert client.get(reverse("admin:webapp_job_changelist")).status_code == 302
