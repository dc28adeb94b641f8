"""Pages and their verbs over HTTP: who sees what, what they say, what they refuse."""

import io
import json
import zipfile
from typing import Any

import gemmi
import numpy as np
import pytest
from django.contrib.auth.models import User
from django.forms import FileField
from django.template.loader import render_to_string
from django.test import AsyncClient, Client
from django.urls import reverse

from folding.inputs import DnaChain, FoldInput, Ligand, ProteinChain, RnaChain
from tests.webapp import folded
from webapp import storage
from webapp.entity_forms import MAX_ROWS, EntityForm
from webapp.models import Job, Status
from webapp.search_request import SearchRequest

SEQUENCE = folded.TRP_CAGE


@pytest.fixture
def ada(client: Client, user: User) -> Client:
    """A browser in which ada has signed in."""
    client.force_login(user)
    return client


@pytest.fixture
def result(user: User, data_dir) -> Job:
    """A finished job of ada's."""
    return folded.finished_job(user)


def form_data(**changes: str) -> dict[str, str]:
    data = {"mode": "chains", "name": "Trp-cage", "seeds": "1"}
    data |= {"n_samples": "2", "n_recycles": "1", "n_steps": "4"}
    data |= {"chains-TOTAL_FORMS": "1", "chains-INITIAL_FORMS": "0"}
    return data | {"chains-0-sequence": SEQUENCE, "chains-0-copies": "1"} | changes


# Ways in ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "0.0.0.0"])
def test_the_landing_page_offers_the_local_user_only_on_loopback(client, db, settings, listens_on):
    settings.LISTENS_ON = listens_on
    page = client.get("/").content.decode()
    assert ("Start as local user" in page) == (listens_on == "127.0.0.1")
    assert "Sign in" in page


def test_whoever_is_in_goes_on_to_the_jobs(ada):
    assert ada.get("/").url == reverse("dashboard")


@pytest.mark.parametrize("name", ["dashboard", "submit"])
def test_pages_of_jobs_ask_strangers_to_sign_in(client, db, name):
    assert client.get(reverse(name)).url.startswith(reverse("account_login"))


def test_every_view_of_anothers_job_is_404(ada, other_user, data_dir):
    job = folded.finished_job(other_user)
    cif = f"{folded.trp_cage().slug}_seed-1_sample-0_model.cif"
    sample = {"job_id": job.pk, "seed": 1, "sample": 0}
    views = [reverse(name, args=[job.pk]) for name in ("job", "job_events", "job_archive")]
    views += [reverse("job_file", args=[job.pk, cif]), reverse("job_sample", kwargs=sample)]
    views += [
        reverse("job_frames", kwargs=sample | {"kind": kind})
        for kind in ("scene", "pae", "trajectory")
    ]
    assert {ada.get(url).status_code for url in views} == {404}
    verbs = [reverse(f"job_{verb}", args=[job.pk]) for verb in ("cancel", "retry", "delete")]
    assert {ada.post(url).status_code for url in verbs} == {404}
    assert ada.get(reverse("submit"), {"job": str(job.pk)}).status_code == 404
    assert Job.objects.get().status == Status.SUCCEEDED


def test_what_is_not_there_is_said_in_words(ada):
    answer = ada.get("/nothing/")
    assert answer.status_code == 404
    assert "belongs to somebody else" in answer.content.decode()


@pytest.mark.parametrize("code", ["400", "403", "403_csrf", "404", "500"])
def test_error_pages_need_nothing_of_the_request(code):
    assert "To the start page" in render_to_string(f"{code}.html")


# Submit -----------------------------------------------------------------------------------------


def test_a_valid_form_becomes_a_queued_job(ada, user):
    answer = ada.post(reverse("submit"), form_data())
    job = Job.objects.get()
    assert answer.url == reverse("job", args=[job.pk])
    assert (job.owner, job.status, job.n_tokens) == (user, Status.QUEUED, 20)
    assert job.options["n_steps"] == 4


def test_a_bad_form_comes_back_whole_and_becomes_no_row(ada):
    typed = form_data(**{"chains-0-sequence": "MQIF1VKT", "seeds": "7", "chains-0-msa": ">kept"})
    answer = ada.post(reverse("submit"), typed)
    page = answer.content.decode()
    assert answer.status_code == 422
    for kept in ("MQIF1VKT", 'value="7"', "&gt;kept", "a sequence holds letters only"):
        assert kept in page
    assert not Job.objects.exists()


def test_what_is_typed_is_escaped(ada):
    page = ada.post(
        reverse("submit"),
        form_data(name="</textarea><script>1", **{"chains-0-sequence": "<script>"}),
    )
    assert "<script>1" not in page.content.decode()
    assert "&lt;script&gt;" in page.content.decode()


@pytest.mark.parametrize("name", ["submit", "validate"])
def test_a_request_beyond_the_limit_gets_a_sentence(ada, settings, name):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2**20
    answer = ada.post(reverse(name), form_data(**{"chains-0-sequence": "A" * 2**21}))
    assert answer.status_code == 413
    assert "at most 1 MB" in answer.content.decode()
    assert not Job.objects.exists()


@pytest.mark.parametrize("name", ["submit", "validate"])
def test_a_job_of_as_many_rows_as_the_form_takes_is_read(ada, name):
    """As a browser sends it without the page's script: every field of every row, files too."""
    data: dict[str, Any] = form_data(**{"chains-TOTAL_FORMS": str(MAX_ROWS)})
    fields = EntityForm().fields.items()
    rows = [(f"chains-{row}-{key}", field) for row in range(MAX_ROWS) for key, field in fields]
    data = {key: "" for key, field in rows if not isinstance(field, FileField)} | data
    parts = [f'Content-Disposition: form-data; name="{k}"\r\n\r\n{v}' for k, v in data.items()]
    parts += [
        f'Content-Disposition: form-data; name="{key}"; filename=""\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
        for key, field in rows
        if isinstance(field, FileField)
    ]
    body = "".join(f"--edge\r\n{part}\r\n" for part in parts) + "--edge--\r\n"
    answer = ada.post(reverse(name), body, content_type="multipart/form-data; boundary=edge")
    assert answer.status_code == {"submit": 302, "validate": 200}[name]


def test_forms_without_the_token_are_refused(user):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    for name in ("submit", "validate"):
        assert browser.post(reverse(name), form_data()).status_code == 403


def test_validate_counts_and_estimates_and_stores_nothing(ada):
    answer = ada.post(reverse("validate"), form_data(**{"chains-0-copies": "2"})).json()
    assert answer["ok"] is True
    assert answer["n_tokens"] == 40
    assert answer["estimate_seconds"] > 0
    assert answer["estimate_bytes"] > 0
    assert answer["errors"] == {}
    ((fragment),) = answer["fragments"]
    assert fragment["target"] == "check"
    assert "40" in fragment["html"]
    assert not Job.objects.exists()


def test_validate_names_the_fields(ada):
    answer = ada.post(
        reverse("validate"), form_data(seeds="x", **{"chains-0-sequence": "M"})
    ).json()
    assert answer["ok"] is False
    assert set(answer["errors"]) == {"seeds", "chains-0-sequence"}
    assert answer["n_tokens"] is None


@pytest.mark.parametrize(
    ("query", "shown"), [("example=villin", "LSDEDFKAVFGM"), ("example=no", "")]
)
def test_examples_are_one_click_away(ada, query, shown):
    answer = ada.get(f"{reverse('submit')}?{query}")
    area = answer.context["form"].rows[0]["sequence"].value() or ""
    assert answer.status_code == 200
    assert shown in area
    assert bool(area) == bool(shown)


def test_a_job_can_be_edited_and_folded_again(ada, user):
    job = folded.queued_job(user, folded.trp_cage(name="Before", copies=2, seeds=(4, 5)))
    form = ada.get(reverse("submit"), {"job": str(job.pk)}).context["form"]
    assert form.job["name"].value() == "Before"
    assert form.job["seeds"].value() == "4, 5"
    assert form.rows[0]["copies"].value() == "2"


# Dashboard --------------------------------------------------------------------------------------


def test_the_dashboard_shows_my_jobs_and_nobody_elses(ada, user, other_user):
    folded.queued_job(user, folded.trp_cage(name="Mine"))
    folded.queued_job(other_user, folded.trp_cage(name="Not mine"))
    page = ada.get(reverse("dashboard")).content.decode()
    assert "Mine" in page
    assert "Not mine" not in page
    assert "Next in the queue" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "alph"}, ["Alpha"]),
        ({"q": "iqw lkd"}, ["Beta", "Alpha"]),
        ({"status": "failed"}, ["Beta"]),
        ({"q": "alpha", "status": "failed"}, []),
        ({"status": "no such"}, ["Beta", "Alpha"]),
        ({"q": "nul\0"}, []),
    ],
)
def test_search_and_filter(ada, user, query, found):
    folded.queued_job(user, folded.trp_cage(name="Alpha"))
    folded.queued_job(user, folded.trp_cage(name="Beta"), status=Status.FAILED)
    page = ada.get(reverse("dashboard"), query).context["page"]
    assert [job.name for job in page] == found


def test_a_job_is_found_by_the_beginning_of_its_id(ada, user):
    job = folded.queued_job(user)
    page = ada.get(reverse("dashboard"), {"q": str(job.pk)[:13]}).context["page"]
    assert [found.pk for found in page] == [job.pk]


def test_pages_keep_the_filter(ada, user):
    for number in range(21):
        folded.queued_job(user, folded.trp_cage(name=f"Job {number}"))
    first = ada.get(reverse("dashboard"), {"q": "Job"})
    assert "?q=Job&amp;page=2" in first.content.decode()
    last = ada.get(reverse("dashboard"), {"q": "Job", "page": "99"})
    assert [job.name for job in last.context["page"]] == ["Job 0"]


def test_the_list_alone_is_a_fragment(ada, user):
    folded.queued_job(user)
    part = ada.get(reverse("dashboard"), {"part": "list"}).content.decode()
    assert part.startswith('<section id="jobs"')
    assert "<html" not in part


def test_an_empty_dashboard_shows_the_way(ada):
    page = ada.get(reverse("dashboard")).content.decode()
    assert "Nothing folded yet" in page
    assert f"{reverse('submit')}?example=ubiquitin" in page


# Verbs ------------------------------------------------------------------------------------------


def test_cancel_retry_and_delete(ada, user):
    job = folded.queued_job(user)
    assert ada.post(reverse("job_cancel", args=[job.pk])).url == reverse("job", args=[job.pk])
    job.refresh_from_db()
    assert job.status == Status.CANCELLED
    again = ada.post(reverse("job_retry", args=[job.pk])).url
    new = Job.objects.get(status=Status.QUEUED)
    assert again == reverse("job", args=[new.pk])
    assert (new.retry_of, new.fold_input) == (job, job.fold_input)
    assert ada.post(reverse("job_delete", args=[job.pk])).url == reverse("dashboard")
    assert list(Job.objects.all()) == [new]


def test_trying_again_asks_anew_whether_sequences_may_leave(ada, user, settings):
    settings.MSA_SERVER_URL = "https://msa.example.org"
    sent_before = SearchRequest(msa="server", server="msa.example.org")
    job = folded.queued_job(user, status=Status.FAILED, search=sent_before.to_json())
    answer = ada.post(reverse("job_retry", args=[job.pk]), follow=True)
    assert Job.objects.get() == job
    page = answer.content.decode()
    assert "asks for your consent again" in page
    assert folded.TRP_CAGE in page
    form = answer.context["form"].search
    assert (form["msa_source"].value(), form["msa_consent"].value()) == ("server", None)


@pytest.mark.parametrize("piece", ["GACG", "ACGT ACG", "UUGA", "c1ccccc1", "HEM", "LAST"])
def test_the_search_looks_into_every_kind_of_molecule(ada, user, piece):
    chains = (
        ProteinChain(("A",), "MKTAYIAK"),
        DnaChain(("B",), "GACGTACGTACG"),
        RnaChain(("C",), "GGUUGACC"),
        Ligand(("D",), smiles="Oc1ccccc1"),
        Ligand(("E",), ccd=("HEM",)),
        ProteinChain(("F",), "GGLASTGG"),
    )
    sought = folded.queued_job(user, FoldInput(name="Sought", chains=chains))
    folded.queued_job(user, folded.trp_cage(name="Other"))
    page = ada.get(reverse("dashboard"), {"q": piece}).context["page"]
    assert list(page) == [sought]


@pytest.mark.parametrize("verb", ["cancel", "retry", "delete"])
def test_verbs_want_a_post(ada, user, verb):
    job = folded.queued_job(user)
    assert ada.get(reverse(f"job_{verb}", args=[job.pk])).status_code == 405


# The page of a job ------------------------------------------------------------------------------


def test_an_unfinished_job_shows_the_live_panel_and_replays_from_the_start(ada, user):
    job = folded.queued_job(user, status=Status.RUNNING, stage="trunk", percent=12.5)
    page = ada.get(reverse("job", args=[job.pk])).content.decode()
    assert 'data-panel="live"' in page
    assert 'data-since="0"' in page
    assert 'data-percent="12.5"' in page
    assert 'id="live-outline" data-outline=""' in page


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"status": Status.FAILED, "error": "Too <large>."}, "Too &lt;large&gt;."),
        ({"status": Status.CANCELLED}, "It had not started."),
        ({"status": Status.SUCCEEDED}, "files of this fold are gone"),
    ],
)
def test_jobs_without_a_result_say_why_and_offer_another_try(ada, user, data_dir, fields, says):
    job = folded.queued_job(user, **fields)
    page = ada.get(reverse("job", args=[job.pk])).content.decode()
    assert says in page
    assert reverse("job_retry", args=[job.pk]) in page
    assert 'data-since=""' in page


def test_the_result_page_names_scores_and_provenance(ada, result):
    page = ada.get(reverse("job", args=[result.pk])).content.decode()
    best = result.predictions.get(rank=1)
    assert 'data-panel="result"' in page
    assert f"Mean pLDDT is {best.mean_plddt:.0f} of 100" in page
    assert "5 of 20 residues are below 50: 16 to 20." in page
    assert "8 diffusion steps" in page
    assert ">0123456789ab<" in page


def test_a_result_whose_model_was_removed_claims_nothing_of_another(ada, user, data_dir):
    job = folded.finished_complex(user)
    Job.objects.update(model="mine", options=job.options | {"model": "mine"})
    page = ada.get(reverse("job", args=[job.pk])).content.decode()
    assert "mine was imported into this server and is no longer on it" in page
    assert "this project trained itself" not in page
    assert reverse("model_card", args=["small"]) not in page
    assert reverse("model_card", args=["mine"]) not in page
    assert "was never shown" not in page


def test_the_page_follows_the_content_security_policy(ada, result):
    answer = ada.get(reverse("job", args=[result.pk]))
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    page = answer.content.decode()
    assert "<style" not in page
    assert "<script>" not in page
    assert " onclick=" not in page


# Numbers and files ------------------------------------------------------------------------------


def frames_url(job: Job, kind: str, *, sample: int = 0) -> str:
    return reverse("job_frames", args=[job.pk, 1, sample, kind])


def test_the_scene_holds_sequence_and_plddt(ada, result):
    scene = ada.get(frames_url(result, "scene")).json()
    (chain,) = scene["chains"]
    assert (chain["id"], chain["start"], chain["kind"]) == ("A", 0, "protein")
    assert chain["sequence"] == SEQUENCE
    assert chain["codes"][:2] == ["ASN", "LEU"]
    assert chain["sizes"] == [1] * 20
    assert chain["plddt"] == pytest.approx(np.linspace(95, 35, 20), abs=0.01)
    assert scene["bonds"] == []


def test_the_scene_of_a_complex_counts_the_atoms_of_what_is_no_standard_residue(
    ada, user, data_dir
):
    scene = ada.get(frames_url(folded.finished_complex(user), "scene")).json()
    peptide, copy, dna, atp, magnesium = scene["chains"]
    assert [chain["kind"] for chain in scene["chains"]] == [
        *["protein"] * 2,
        "dna",
        *["ligand"] * 2,
    ]
    assert peptide["codes"] == ["GLY", "ALA", "SEP", "GLY"]
    assert peptide["sizes"] == [1, 1, 10, 1]
    assert (copy["start"], dna["start"]) == (13, 26)
    assert dna["sequence"] == "ACGT"
    assert (atp["codes"], atp["sizes"], atp["start"]) == (["ATP"], [31], 30)
    assert (magnesium["sizes"], magnesium["start"]) == ([1], 61)
    # Phosphoserine and its two links to the chain, twice; ATP has three rings.
    assert len(scene["bonds"]) == 2 * (9 + 2) + 33


def test_copies_follow_each_other_in_the_scene(ada, user, data_dir):
    job = folded.finished_job(user, folded.trp_cage(copies=2), n_samples=1)
    scene = ada.get(frames_url(job, "scene")).json()
    assert [(chain["id"], chain["start"]) for chain in scene["chains"]] == [("A", 0), ("B", 20)]
    assert [len(chain["plddt"]) for chain in scene["chains"]] == [20, 20]


def test_the_pae_is_one_byte_for_each_cell(ada, result):
    cells = np.frombuffer(ada.get(frames_url(result, "pae")).content, dtype=np.uint8).reshape(
        20, 20
    )
    apart = np.abs(np.arange(20)[:, None] - np.arange(20)[None, :])
    assert np.abs(cells / 255 * 31.75 - 31.75 * apart / 19).max() <= 31.75 / 255 / 2 + 1e-4


def test_the_trajectory_ends_at_the_structure(ada, result):
    content = ada.get(frames_url(result, "trajectory")).content
    steps = np.frombuffer(content, dtype="<i2").reshape(8, 20, 3) / 100
    structure = folded.helices(folded.trp_cage())
    assert steps[-1] == pytest.approx(structure.coordinates[structure.centre_atoms], abs=0.006)


def test_a_result_without_its_arrays_still_has_its_scene(ada, result):
    (arrays,) = storage.folder(result.pk).glob("*.h5")
    arrays.unlink()
    scene = ada.get(frames_url(result, "scene"))
    assert (scene.status_code, scene.json()["bonds"]) == (200, [])
    for kind in ("pae", "trajectory"):
        answer = ada.get(frames_url(result, kind))
        assert answer.status_code == 404
        assert "immutable" not in answer.get("Cache-Control", "")


@pytest.mark.parametrize("kind", ["nothing", "scene2"])
def test_other_kinds_of_numbers_are_404(ada, result, kind):
    assert ada.get(frames_url(result, kind)).status_code == 404
    assert ada.get(frames_url(result, "scene", sample=9)).status_code == 404


def test_another_sample_comes_as_fragments(ada, result):
    answer = ada.get(reverse("job_sample", args=[result.pk, 1, 1])).json()
    by_target = {part["target"]: part["html"] for part in answer["fragments"]}
    assert 'data-key="1-1"' in by_target["sample"]
    assert "seed-1_sample-1_model.cif" in by_target["sample-files"]


def test_the_page_of_a_complex_lists_its_chains_pairs_and_chemistry(ada, user, data_dir):
    job = folded.finished_complex(user)
    page = ada.get(reverse("job", args=[job.pk])).content.decode()
    for words in (
        "Protein with SEP 3",
        "copy 2 of 2",
        "Ligand ATP",
        "31 atoms",
        "Ion magnesium (MG)",
    ):
        assert words in " ".join(page.split())
    assert page.count('data-shows="') == 5
    assert 'aria-label="ipTM of A and D: 0.50"' in page
    assert 'data-rows="0-12" data-columns="30-60"' in page
    assert 'aria-label="Lowest PAE of C and E: 4.0"' in page
    assert "was never shown DNA, ligands and ions, modified residues" in page
    assert "all 4 centres and double bonds are as asked for" in " ".join(page.split())


def test_a_mirror_image_is_told_by_its_stereochemistry(ada, user, data_dir):
    job = folded.finished_complex(user)
    answer = ada.get(reverse("job_sample", args=[job.pk, 1, 1])).json()
    by_target = {part["target"]: " ".join(part["html"].split()) for part in answer["fragments"]}
    assert "0 of 4 kept" in by_target["chemistry"]
    assert ">C1&#x27;</span> (R)" in by_target["chemistry"]
    assert "Chains and ligands" in by_target["molecules"]
    assert "Lowest PAE" in by_target["pairs"]


def test_a_protein_alone_has_no_list_no_pairs_and_no_chemistry(ada, result):
    page = ada.get(reverse("job", args=[result.pk])).content.decode()
    for empty in ("molecules", "pairs", "chemistry"):
        assert f'<section id="{empty}" class="card {empty}" hidden>' in page
    assert "Chains and ligands" not in page


async def body_of(response) -> bytes:
    return b"".join([piece async for piece in response.streaming_content])


async def signed_in(user: User) -> AsyncClient:
    browser = AsyncClient()
    await browser.aforce_login(user)
    return browser


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_a_downloaded_structure_has_the_sequence(result, user):
    browser = await signed_in(user)
    name = "Trp-cage_seed-1_sample-0_model.cif"
    response = await browser.get(reverse("job_file", args=[result.pk, name]))
    content = await body_of(response)
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert int(response["Content-Length"]) == len(content)
    structure = gemmi.make_structure_from_block(gemmi.cif.read_string(content).sole_block())
    structure.setup_entities()
    assert gemmi.one_letter_code(structure[0]["A"].get_polymer().extract_sequence()) == SEQUENCE


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_the_archive_holds_every_file(result, user):
    browser = await signed_in(user)
    response = await browser.get(reverse("job_archive", args=[result.pk]))
    archive = zipfile.ZipFile(io.BytesIO(await body_of(response)))
    assert response["Content-Disposition"] == 'attachment; filename="Trp-cage.zip"'
    assert {"manifest.json", "Trp-cage.h5", "Trp-cage_data.json"} <= set(archive.namelist())
    assert json.loads(archive.read("Trp-cage_data.json"))["name"] == "Trp-cage"


@pytest.mark.parametrize("name", ["nothing.cif", "..%2f..%2fdb.sqlite3", ".drafts"])
def test_files_that_are_no_artifacts_are_404(ada, result, name):
    assert ada.get(f"/jobs/{result.pk}/files/{name}").status_code == 404


def test_unfinished_jobs_have_no_files(ada, user, data_dir):
    job = folded.queued_job(user)
    assert ada.get(reverse("job_archive", args=[job.pk])).status_code == 404
