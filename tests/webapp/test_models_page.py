"""The models that people can read about, choose, and have downloaded."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from folding.weights import cards
from folding.weights.catalog import CATALOG
from folding.weights.store import Facts, Store, hash_file
from webapp import queue
from webapp.models import WeightsDownload

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
    ],
)
def test_a_model_that_is_not_here_is_refused(guest, name, words):
    answer = guest.post("/jobs/validate/", fields(model=name)).json()
    assert not answer["ok"]
    assert words in answer["errors"]["model"][0]
