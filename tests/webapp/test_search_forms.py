"""What the form offers, and that nothing leaves without consent."""

import sys

import pytest

from folding.inputs import DnaChain, FoldInput, ProteinChain
from webapp.search_forms import SearchForm
from webapp.search_request import NOTHING, SearchRequest, most_rows, site


@pytest.fixture
def everything(settings, tmp_path):
    settings.MSA_SERVER_URL = "https://msa.example.org"
    settings.MSA_DATABASES = [f"small={tmp_path}/small.fasta"]
    settings.RNA_DATABASES = [f"{tmp_path}/rfam.fasta"]
    settings.TEMPLATE_FOLDER = str(tmp_path)


def judged(**data) -> SearchForm:
    form = SearchForm(data)
    form.is_valid()
    return form


def test_a_site_that_set_up_nothing_offers_nothing():
    form = judged()
    assert not form.is_offered
    assert form.request == NOTHING
    assert NOTHING.is_empty
    assert "msa_source" in judged(msa_source="server").errors


def test_the_sites_sources_are_offered(everything):
    form = SearchForm()
    assert [name for name, _ in form.fields["msa_source"].choices] == ["", "local", "server"]
    assert dict(form.fields["msa_source"].choices)["server"] == "Ask msa.example.org"
    assert [(d.name, d.kind) for d in site().databases] == [("small", "protein"), ("rfam", "rna")]
    assert form["msa_source"].value() == "local", "what stays on this machine is the default"


def test_nothing_leaves_without_consent(everything):
    form = judged(msa_source="server")
    assert "msa.example.org" in form.errors["msa_consent"][0]
    agreed = judged(msa_source="server", msa_consent="on")
    assert agreed.request == SearchRequest(msa="server", server="msa.example.org")


def test_consent_is_not_carried_over_to_another_job(everything):
    request = SearchRequest(msa="server", server="msa.example.org")
    form = SearchForm.of_request(request)
    assert form["msa_source"].value() == "server"
    assert not form["msa_consent"].value()


def test_templates_and_their_cut_off(everything):
    form = judged(msa_source="", search_templates="on", templates_before="2021-09-30")
    assert form.request == SearchRequest(templates=True, templates_before="2021-09-30")
    assert form.request.before.year == 2021
    for wrong in ("30.9.2021", "2021-13-01", "soon"):
        assert "2021-09-30" in judged(templates_before=wrong).errors["templates_before"][0]


def test_requests_survive_their_row():
    request = SearchRequest(msa="local", templates=True, templates_before="2020-01-01")
    assert SearchRequest.from_json(request.to_json()) == request
    assert SearchRequest.from_json({}) == NOTHING
    assert SearchRequest.from_json({"msa": "local", "unknown": 1}).msa == "local"


def test_the_most_rows_that_a_search_may_find(everything, settings):
    settings.MSA_ROWS = 500
    job = FoldInput("job", (ProteinChain(("A",), "GSWQ"), DnaChain(("B",), "ACGT")))
    assert most_rows(SearchRequest(msa="local"), job) == 501
    assert most_rows(SearchRequest(msa="server", server="msa.example.org"), job) == sys.maxsize
    assert most_rows(SearchRequest(templates=True), job) == 1
    for msa in ("", ">q\nGSWQ\n"):
        brought = FoldInput("job", (ProteinChain(("A",), "GSWQ", msa),))
        assert most_rows(SearchRequest(msa="local"), brought) == 1


def test_every_page_says_who_may_get_sequences(client, db, settings):
    settings.MSA_SERVER_URL = ""
    assert "Sequences and structures stay here." in client.get("/").content.decode()
    settings.MSA_SERVER_URL = "https://ada:secret@msa.example.org/api"
    page = client.get("/").content.decode()
    assert "except where you agree that msa.example.org gets them" in page
    assert "Sequences and structures stay here." not in page
    assert "secret" not in page
