"""Between a job's row and its fold."""

import pytest

from folding.errors import FoldingError
from tests.webapp import making
from webapp import jobs, tasks
from webapp.models import Job
from webapp.preparation import prepare
from webapp.search_request import SearchRequest

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_dir")]


def test_a_search_where_the_worker_cannot_look_fails_the_job_in_words(user):
    job = jobs.start(making.job(user).pk, worker="w@elsewhere#1")
    job.search = SearchRequest(msa="local").to_json()
    tasks.work_on(job)
    assert Job.objects.get().status == "failed"
    assert "FOLDSTREAM_MSA_DATABASES is not set there" in Job.objects.get().error


def test_templates_are_not_left_out_in_silence(user, tmp_path, settings):
    settings.TEMPLATE_FOLDER = ""
    job = making.job(user)
    job.search = SearchRequest(templates=True).to_json()
    given = {"folder": tmp_path, "report": lambda event: None}
    with pytest.raises(FoldingError, match="FOLDSTREAM_TEMPLATES is not set there"):
        prepare(job, making.fold_input(), reads_templates=True, **given)
    asked = making.fold_input()
    assert prepare(job, asked, reads_templates=False, **given) == asked, "the model reads none"
