import pytest

from webapp import first_fold
from webapp.models import Job

pytestmark = pytest.mark.django_db


def test_an_empty_server_folds_ubiquitin_for_the_local_user():
    job = first_fold.submit_if_empty()
    assert (job.owner.username, job.n_tokens, job.status) == ("local", 76, "queued")
    assert job.fold_input["sequences"][0]["protein"]["sequence"].startswith("MQIFVKTLTGKTITLEV")
    assert not job.owner.has_usable_password()


def test_a_server_that_has_folded_before_is_left_alone():
    first_fold.submit_if_empty()
    assert first_fold.submit_if_empty() is None
    assert Job.objects.count() == 1
