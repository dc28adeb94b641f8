"""The admin shows jobs and changes none."""

import pytest
from django.urls import reverse

from tests.webapp import making
from webapp.models import Job

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("model", ["job", "prediction"])
def test_an_admin_sees_the_rows(admin_client, user, model):
    job = making.job(user, name="Visible", status="failed")
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
    page = admin_client.get(reverse(f"admin:webapp_{model}_changelist"))
    assert page.status_code == 200
    assert "Visible" in page.content.decode()


def test_an_admin_can_neither_add_change_nor_delete(admin_client, user):
    job = making.job(user)
    assert admin_client.get(reverse("admin:webapp_job_add")).status_code == 403
    change = reverse("admin:webapp_job_change", args=[job.pk])
    assert admin_client.post(change, {"status": "succeeded"}).status_code == 403
    assert admin_client.post(reverse("admin:webapp_job_delete", args=[job.pk])).status_code == 403
    assert Job.objects.get().status == "queued"


def test_others_do_not_get_in(client, user):
    client.force_login(user)
    assert client.get(reverse("admin:webapp_job_changelist")).status_code == 302
