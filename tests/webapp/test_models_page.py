"""The models that people can read about, choose, and have downloaded."""

import html

import pytest
from django.contrib.auth.models import User
from django.test import Client

from folding.inputs import FoldOptions
from folding.weights import cards
from folding.weights.catalog import CATALOG
from folding.weights.store import Facts, Store, hash_file
from tests.webapp import making
from webapp import queue
from webapp.models import Job, WeightsDownload

pytestmark = pytest.mark.django_db
MINI = "protenix_mini_default_v0.5.0"
BASE = "protenix_base_default_v1.0.0"


@pytest.fixture(autouse=True)
def store(tmp_path, settings, monkeypatch):
    monkeypatch.setattr(queue, "send_fetch", lambda name: True)
    settings.WEIGHTS_DIR = tmp_path / "weights"
    settings.WEIGHTS_DIR.mkdir()
    return Store(settings.WEIGHTS_DIR)


@pytest.fixture
def staff(client: Client):
    client.force_login(User.objects.create_user("root2", is_staff=True))
    return client


@pytest.fixture
def guest(client: Client, user):
    client.force_login(user)
    return client


def put(store, name, config=MINI):
    """Files as a conversion leaves them; the pages never read the tensors."""
    store.path(name).write_bytes(b"tensors")
    store.record(
        Facts(
            name=name,
            sha256=hash_file(store.path(name)),
            bytes=7,
            source="https://example.org/file.pt",
            source_sha256="a" * 64,
            source_checked=False,
            dialect="Protenix",
            config=config,
            parameters=134_000_000,
            made_by="0.1.0",
            made_at="2026-11-21T10:00:00+00:00",
        )
    )


def text(response) -> str:
    return response.content.decode()


def card(page: str, name: str) -> str:
    start = page.index(f'id="model-{name.replace(".", "-")}"')
    return page[start : page.index("</li>", start)]


def test_every_shipped_network_has_a_card_with_scores(client: Client):
    assert cards.names() == ["small"]
    page = client.get("/models/small/")
    assert page.status_code == 200
    assert b"<table>" in page.content
    assert b"lDDT" in page.content


@pytest.mark.parametrize("name", ["huge", "..%2Fsmall", "a b", "x" * 200])
def test_unknown_networks_are_not_found(client: Client, name):
    assert client.get(f"/models/{name}/").status_code == 404


@pytest.mark.parametrize("name", [name for name in CATALOG if name != "small"])
def test_every_published_model_has_a_page(client: Client, name):
    page = text(client.get(f"/models/{name}/"))
    assert CATALOG[name].title in page
    assert "Apache-2.0" in page
    assert CATALOG[name].homepage in page


def test_a_model_that_is_here_says_where_its_file_came_from(client: Client, store):
    put(store, MINI)
    page = text(client.get(f"/models/{MINI}/"))
    assert "a" * 64 in page
    assert "the publisher names none" in page


def test_the_list_needs_somebody_who_signed_in(client: Client):
    assert client.get("/models/").status_code == 302


def test_the_list_says_what_each_is_and_whether_it_is_here(guest, store):
    put(store, MINI)
    put(store, "my-own")
    page = text(guest.get("/models/"))
    assert "Ships with Foldstream" in card(page, "small")
    assert ">Here<" in card(page, MINI)
    assert ">Not here<" in card(page, BASE)
    assert "30 Sep 2021" in card(page, BASE)
    assert "1.5 GB to download" in card(page, BASE)
    assert "proteins, DNA, RNA, ligands and ions, modified residues" in card(page, BASE)
    assert "my-own" in card(page, "my-own")
    assert "data-may-ask" not in page


def test_only_owners_of_the_server_are_offered_downloads(staff):
    page = text(staff.get("/models/"))
    assert "data-may-ask" in page
    assert "protenix.tos-cn-beijing.volces.com" in card(page, BASE)
    assert "Free for research and commercial use" in card(page, BASE)


def test_the_host_that_is_asked_first_is_named(staff, settings):
    settings.WEIGHTS_MIRRORS = ["https://mirror.example.org/weights"]
    page = card(text(staff.get("/models/")), BASE)
    assert "from mirror.example.org." in page
    assert "volces.com" not in page


def test_models_that_read_templates_are_told_apart(guest):
    page = text(guest.get("/models/"))
    assert "<dt>Templates</dt><dd>read</dd>" in card(page, BASE)
    assert "<dt>Templates</dt><dd>not read</dd>" in card(page, MINI)


@pytest.mark.parametrize("verb", ["download", "cancel", "remove"])
def test_a_guest_may_change_nothing(guest, store, verb):
    put(store, MINI)
    assert guest.post(f"/models/{MINI}/{verb}/").status_code == 403
    assert store.is_here(MINI)
    assert not WeightsDownload.objects.exists()
    assert guest.get(f"/models/{MINI}/{verb}/").status_code == 405


def test_a_download_is_asked_for_shown_and_cancelled(staff):
    assert staff.post(f"/models/{BASE}/download/").status_code == 302
    page = card(text(staff.get("/models/")), BASE)
    assert "Waits for its download" in page
    assert f"/models/{BASE}/cancel/" in page
    answer = staff.post(f"/models/{BASE}/download/", follow=True)
    assert "on its way or here already" in text(answer)
    staff.post(f"/models/{BASE}/cancel/")
    assert ">Not here<" in card(text(staff.get("/models/")), BASE)
    assert "had already ended" in text(staff.post(f"/models/{BASE}/cancel/", follow=True))


def test_a_running_download_shows_how_far_it_is(guest):
    WeightsDownload.objects.create(
        name=BASE, status="running", stage="downloading", done_bytes=5 * 10**8, total_bytes=10**9
    )
    page = card(text(guest.get("/models/")), BASE)
    assert 'value="50.0"' in page
    assert "Downloading: 50 %, 500 MB of 1.0 GB" in page


def test_a_failed_download_says_why_and_can_be_tried_again(staff):
    WeightsDownload.objects.create(name=BASE, status="failed", error="example.org refuses <b>.")
    page = card(text(staff.get("/models/")), BASE)
    assert "example.org refuses &lt;b&gt;." in page
    assert f"/models/{BASE}/download/" in page


def test_what_an_unfinished_download_left_is_said(staff, store):
    (store.folder / f"{BASE}.checkpoint.part").write_bytes(bytes(2_000_000))
    assert "2 MB of an unfinished download are kept" in card(text(staff.get("/models/")), BASE)


@pytest.mark.parametrize("name", ["small", "huge", "my-own"])
def test_only_published_models_can_be_downloaded(staff, store, name):
    assert staff.post(f"/models/{name}/download/").status_code == 404


def test_a_model_is_removed(staff, store):
    put(store, MINI)
    staff.post(f"/models/{MINI}/remove/")
    assert not store.is_here(MINI)
    answer = staff.post("/models/small/remove/", follow=True)
    assert "cannot be removed" in text(answer)


# The choice in the form -------------------------------------------------------------------------


def fields(**changes):
    return {
        "mode": "chains",
        "model": "small",
        "seeds": "1",
        "n_samples": "1",
        "n_recycles": "0",
        "n_steps": "2",
        **changes,
    }


def test_the_form_lets_choose_what_is_here_with_its_defaults(guest, store):
    put(store, MINI)
    page = text(guest.get("/jobs/new/"))
    options = options_of(page)
    assert 'data-n-steps="5"' in options[MINI]
    assert "disabled" not in options[MINI]
    assert "disabled" in options[BASE]
    assert "not here yet" in options[BASE]
    assert list(options)[:2] == ["small", MINI]


def options_of(page: str) -> dict[str, str]:
    """The model list of the form: what stands in each option, by name."""
    choice = page[page.index('<select name="model"') :].partition("</select>")[0]
    parts = choice.split('<option value="')[1:]
    return {part.partition('"')[0]: part.partition("</option>")[0] for part in parts}


def test_a_model_in_the_address_is_chosen_with_its_defaults(guest, store):
    put(store, MINI)
    page = text(guest.get(f"/jobs/new/?model={MINI}"))
    assert "selected" in options_of(page)[MINI]
    assert 'name="n_steps" value="5"' in page
    assert 'name="n_steps" value="20"' in text(guest.get(f"/jobs/new/?model={BASE}"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (BASE, "download it on the Models page first"),
        ("huge", "no such model here"),
        ("../x", "no such model here"),
        ("", "No model is chosen"),
    ],
)
def test_a_model_that_is_not_here_is_refused(guest, name, words):
    answer = guest.post("/jobs/validate/", fields(model=name)).json()
    assert not answer["ok"]
    assert words in answer["errors"]["model"][0]


def model_of(page: str) -> str:
    """The part of the form that chooses a model, with what it says."""
    return page[page.index('<select name="model"') :].partition("</ul>")[0]


def sent(page: str) -> dict[str, str]:
    """What a browser sends of the choice: the chosen option if it is on, and what is hidden."""
    options = options_of(page)
    (chosen,) = (name for name, words in options.items() if " selected" in words)
    is_on = " disabled" not in options[chosen]
    return {"model_offered": "on"} | ({"model": chosen} if is_on else {})


@pytest.mark.parametrize(
    ("name", "words"),
    [(BASE, "Protenix base 1.0 is not on this machine"), ("mine", "no such model here: “mine”")],
)
def test_a_job_whose_model_is_gone_is_not_folded_with_another(guest, user, name, words):
    options = vars(FoldOptions(model=name, n_samples=1, n_recycles=0, n_steps=2))
    job = making.job(user, options=options, model=name)
    page = text(guest.get(f"/jobs/new/?job={job.pk}"))
    assert words in html.unescape(model_of(page))
    assert 'aria-invalid="true"' in model_of(page)
    rows = {"chains-TOTAL_FORMS": "1", "chains-INITIAL_FORMS": "0", "chains-0-sequence": "GAGAG"}
    filled = {key: value for key, value in fields(**rows).items() if key != "model"}
    answer = guest.post("/jobs/new/", filled | sent(page))
    assert answer.status_code == 422
    assert words in html.unescape(model_of(text(answer)))
    assert sent(text(answer)) == {"model_offered": "on", "model": name}
    assert list(Job.objects.all()) == [job]


def test_a_model_that_goes_while_the_form_is_open_stays_chosen_and_is_refused(guest, store):
    put(store, MINI)
    page = text(guest.get(f"/jobs/new/?model={MINI}"))
    store.remove(MINI)
    answer = guest.post("/jobs/new/", fields() | sent(page))
    assert answer.status_code == 422
    assert sent(text(answer))["model"] == MINI
    assert 'data-n-steps="5"' in options_of(text(answer))[MINI]


def test_a_form_that_offered_models_and_sends_none_is_refused(guest):
    rows = {"chains-TOTAL_FORMS": "1", "chains-INITIAL_FORMS": "0", "chains-0-sequence": "GAGAG"}
    unchosen = {key: value for key, value in fields(**rows).items() if key != "model"}
    assert guest.post("/jobs/validate/", unchosen).json()["ok"]  # a script that names none
    assert 'name="model_offered" value="on"' in text(guest.get("/jobs/new/"))
    answer = guest.post("/jobs/validate/", unchosen | {"model_offered": "on"}).json()
    assert "No model is chosen" in answer["errors"]["model"][0]
    assert not answer["ok"]


def test_what_cannot_be_downloaded_again_says_so_before_it_is_removed(staff, store):
    put(store, MINI)
    put(store, "mine")
    page = text(staff.get("/models/"))
    assert "need it to be downloaded again" in card(page, MINI)
    assert "need its file to be imported again" in card(page, "mine")
