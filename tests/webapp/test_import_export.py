"""Job files of other programs come in, one job or many; every job goes out as AlphaFold 3 JSON."""

import json
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from folding.inputs import AtomRef, Bond, FoldInput, FoldOptions, Ligand, Modification, ProteinChain
from tests.folding.inputs.examples import data
from tests.webapp import folded
from webapp import jobs
from webapp.models import Job

SEQUENCE = folded.TRP_CAGE


@pytest.fixture
def ada(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def form_data(text: str = "", **changes: str) -> dict[str, object]:
    base = {"mode": "json", "name": "", "json": text, "seeds": "1"}
    base |= {"n_samples": "1", "n_recycles": "0", "n_steps": "2"}
    return base | {"chains-TOTAL_FORMS": "0", "chains-INITIAL_FORMS": "0"} | changes


def server_job(name: str, sequence: str = SEQUENCE) -> dict[str, object]:
    chain = {"proteinChain": {"sequence": sequence, "count": 1}}
    return {"name": name, "modelSeeds": ["3"], "sequences": [chain]}


def upload(name: str) -> dict[str, SimpleUploadedFile]:
    return {"json_file": SimpleUploadedFile(name, data(name).encode())}


def test_a_file_of_several_jobs_becomes_several_jobs(ada):
    batch = json.dumps([server_job("One"), server_job("Two", "ACDEFGHIKL")])
    answer = ada.post(reverse("submit"), form_data(batch), follow=True)
    assert answer.redirect_chain == [(reverse("dashboard"), 302)]
    assert "2 folds are queued." in answer.content.decode()
    found = {job.name: FoldInput.from_json(job.fold_input) for job in Job.objects.all()}
    assert found["One"] == FoldInput("One", (ProteinChain(("A",), SEQUENCE),), seeds=(3,))
    assert found["Two"].chains[0].sequence == "ACDEFGHIKL"


def test_one_bad_job_keeps_all_of_them_out_and_is_named(ada):
    batch = json.dumps([server_job("One"), server_job("Two", "ACDEF1")])
    answer = ada.post(reverse("submit"), form_data(batch))
    assert answer.status_code == 422
    assert "Job 2 (“Two”): Position 6 of the sequence is “1”" in answer.content.decode()
    assert not Job.objects.exists()


def test_a_job_that_is_too_large_keeps_all_of_them_out(ada):
    batch = json.dumps([server_job("One"), server_job("Giant", "ACDEFGHIKL" * 3000)])
    answer = ada.post(reverse("submit"), form_data(batch))
    assert answer.status_code == 422
    assert "Giant: " in answer.content.decode()
    assert not Job.objects.exists()


def test_a_batch_is_stored_whole_or_not_at_all(user, monkeypatch):
    good = FoldInput("good", (ProteinChain(("A",), SEQUENCE),))
    stored, submit = [], jobs.submit

    def fail_at_the_second(*parts, **words):
        if stored:
            raise RuntimeError("the disk is full")
        stored.append(submit(*parts, **words))
        return stored[-1]

    monkeypatch.setattr(jobs, "submit", fail_at_the_second)
    with pytest.raises(RuntimeError):
        jobs.submit_all(user, [good, good], FoldOptions(n_samples=1))
    assert stored
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("name", "n_jobs", "first"),
    [
        ("kinase_alphafold3.json", 1, "Kinase domain with ATP, magnesium and a covalent inhibitor"),
        ("screen_server.json", 2, "Receptor fragment with a glycan"),
        ("covalent_protenix.json", 1, "Cyclic peptide with a covalent ligand"),
        ("macrocycle_boltz.yaml", 1, "macrocycle_boltz"),
        ("complex_boltz.fasta", 1, "complex_boltz"),
        ("complex_chai.fasta", 1, "complex_chai"),
    ],
)
def test_every_dialect_comes_in_through_the_upload(ada, name, n_jobs, first):
    answer = ada.post(reverse("submit"), form_data() | upload(name))
    assert answer.status_code == 302, answer.content.decode()
    assert Job.objects.count() == n_jobs
    assert Job.objects.filter(name=first).exists()


def test_the_check_counts_the_jobs_of_a_batch(ada):
    text = data("screen_server.json")
    answer = ada.post(reverse("validate"), form_data(text)).json()
    assert answer["ok"], answer["errors"]
    assert answer["n_jobs"] == 2
    assert "<dt>Jobs</dt>" in answer["fragments"][0]["html"]
    assert not Job.objects.exists()


def test_a_job_file_opens_in_the_form(ada):
    text = data("covalent_protenix.json")
    page = ada.post(reverse("submit"), form_data(text, edit="1")).content.decode()
    assert "GCAKFNGLCY" in page
    assert "CC(C)Cc1ccc(cc1)C(C)C(=O)O" in page
    assert not Job.objects.exists()


def test_several_jobs_do_not_fit_into_one_form(ada):
    answer = ada.post(reverse("submit"), form_data(data("screen_server.json"), edit="1"))
    assert answer.status_code == 422
    assert "This file holds 2 jobs; the form shows one." in answer.content.decode()
    assert not Job.objects.exists()


COMPLEX = FoldInput(
    "Complex (test)",
    (
        ProteinChain(("A", "B"), SEQUENCE, modifications=(Modification("SEP", 13),), cyclic=True),
        Ligand(("C",), ccd=("NAG",), description="a sugar"),
    ),
    seeds=(5, 6),
    bonds=(Bond(AtomRef("A", 1, "ND2"), AtomRef("C", 1, "C1")),),
)


def test_a_job_goes_out_as_alphafold3_json(ada, user):
    job = folded.queued_job(user, COMPLEX)
    answer = ada.get(reverse("job_export", args=[job.pk]))
    assert answer["Content-Disposition"] == 'attachment; filename="Complex_test.json"'
    assert answer["Content-Type"] == "application/json"
    document = json.loads(answer.content)
    assert document["dialect"] == "alphafold3"
    assert FoldInput.from_json(document) == COMPLEX


def rows(**row: str) -> dict[str, object]:
    chain = {f"chains-0-{name}": value for name, value in row.items()}
    return form_data(mode="chains", name="Form", **{"chains-TOTAL_FORMS": "1"}, **chain)


def test_the_form_goes_out_as_alphafold3_json_before_anything_is_queued(ada):
    answer = ada.post(reverse("submit"), rows(sequence=SEQUENCE, copies="2") | {"export": "1"})
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == 'attachment; filename="Form.json"'
    found = FoldInput.from_json(json.loads(answer.content))
    assert found == FoldInput("Form", (ProteinChain(("A", "B"), SEQUENCE),))
    assert not Job.objects.exists()


def test_a_batch_goes_out_as_a_list(ada):
    batch = json.dumps([server_job("One"), server_job("Two", "ACDEFGHIKL")])
    answer = ada.post(reverse("submit"), form_data(batch, export="1"))
    assert [document["name"] for document in json.loads(answer.content)] == ["One", "Two"]
    again = ada.post(reverse("submit"), form_data(answer.content.decode()))
    assert again.status_code == 302
    assert Job.objects.count() == 2


def test_a_form_with_a_mistake_is_no_download(ada):
    answer = ada.post(reverse("submit"), rows(sequence="ACDEF1") | {"export": "1"})
    assert answer.status_code == 422
    assert "Position 6 of the sequence" in answer.content.decode()
    assert "Content-Disposition" not in answer


def test_the_form_offers_its_json_behind_folding(ada):
    page = ada.get(reverse("submit")).content.decode()
    fold, out = page.index(">Fold</button>"), page.index('name="export"')
    assert fold < min(out, page.index('name="edit"')), "Enter in a field presses the first button"


def test_the_page_of_a_job_offers_its_json(ada, user):
    job = folded.queued_job(user, COMPLEX)
    page = ada.get(reverse("job", args=[job.pk])).content.decode()
    assert f'href="{reverse("job_export", args=[job.pk])}" download' in page


def test_a_stranger_gets_no_json(client, user, db):
    job = folded.queued_job(user, COMPLEX)
    client.force_login(User.objects.create_user("eve"))
    assert client.get(reverse("job_export", args=[job.pk])).status_code == 404


def test_what_went_out_comes_in_again(ada, user):
    job = folded.queued_job(user, COMPLEX)
    exported = ada.get(reverse("job_export", args=[job.pk])).content
    file = SimpleUploadedFile(Path("again.json").name, exported)
    assert ada.post(reverse("submit"), form_data() | {"json_file": file}).status_code == 302
    assert Job.objects.exclude(pk=job.pk).get().fold_input == job.fold_input


# What was stored before the rules that refuse it -------------------------------------------------


@pytest.fixture
def refused(user: User) -> Job:
    """A job whose stored bond is given twice."""
    job = folded.queued_job(user, COMPLEX, options=FoldOptions(n_samples=3))
    job.fold_input["bondedAtomPairs"] *= 2
    job.save()
    return job


def test_a_stored_job_that_is_refused_by_now_comes_back_to_the_form(ada, refused):
    answer = ada.get(reverse("submit"), {"job": str(refused.pk)})
    assert answer.status_code == 200
    form = answer.context["form"]
    assert ["is given twice" in text for text in form.whole_errors] == [True]
    assert "is given twice" in answer.content.decode()
    assert json.loads(form.job.initial["json"]) == refused.fold_input
    assert form.job.initial["n_samples"] == "3"


def test_a_stored_job_that_is_refused_by_now_goes_out_as_it_is(ada, refused):
    answer = ada.get(reverse("job_export", args=[refused.pk]))
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == f'attachment; filename="{refused.pk}.json"'
    assert json.loads(answer.content) == refused.fold_input


def test_a_stored_job_that_is_refused_by_now_is_not_tried_again(ada, refused):
    answer = ada.post(reverse("job_retry", args=[refused.pk]), follow=True)
    assert answer.redirect_chain[-1][0] == reverse("job", args=[refused.pk])
    assert "is given twice" in answer.content.decode()
    assert list(Job.objects.all()) == [refused]
