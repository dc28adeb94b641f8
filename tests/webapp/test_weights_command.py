"""`manage.py weights`: from a publisher's server, or a file, to a model that folds."""

import re
from dataclasses import replace
from io import StringIO

import pytest
import torch
from django.core.management import CommandError, call_command

from folding.weights import dialects, download, fetch
from folding.weights import store as stores
from folding.weights.catalog import CATALOG
from folding.weights.protenix import from_own
from folding.weights.store import Store
from tests.folding.model.cases import REDUCED, random_network
from tests.folding.weights.server import Shelf, serving
from webapp import pipeline

NAME = "protenix_narrow"


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """A narrow network's checkpoint, which the catalogue knows."""
    path = tmp_path / f"{NAME}.pt"
    torch.save({"model": from_own(random_network(REDUCED, 2).state_dict(), REDUCED)}, path)
    model = replace(
        CATALOG["protenix_mini_default_v0.5.0"],
        name=NAME,
        title="Narrow",
        config=REDUCED,
        urls=(f"http://127.0.0.1:9/{NAME}.pt",),
        download_bytes=path.stat().st_size,
    )
    monkeypatch.setitem(CATALOG, NAME, model)
    monkeypatch.setattr(dialects, "PROTENIX", {NAME: REDUCED})
    monkeypatch.setattr(stores, "PROTENIX", {NAME: REDUCED})
    quick = download.Patience(stall_seconds=2.0, attempts=1, first_pause_seconds=0.0)
    assert fetch.Patience is download.Patience, "read before it is replaced here"
    monkeypatch.setattr(download, "Patience", lambda: quick)
    return path


@pytest.fixture(autouse=True)
def store(tmp_path, settings):
    settings.WEIGHTS_DIR = tmp_path / "weights"
    return Store(settings.WEIGHTS_DIR)


def run(*words) -> str:
    output = StringIO()
    call_command("weights", *map(str, words), stdout=output)
    return output.getvalue()


def line_of(listing: str, name: str) -> str:
    return next(line for line in listing.splitlines() if line.startswith(name))


def test_the_list_says_of_every_model_if_it_is_here():
    listing = run("list")
    assert len(listing.splitlines()) == 1 + len(CATALOG)
    assert re.search(r"shipped +0\.02 GB +- ", line_of(listing, "small"))
    line = line_of(listing, "protenix_base_default_v1.0.0")
    assert re.search(r"no +1\.47 GB +2021-09-30 +Apache-2\.0", line)


def test_a_model_is_pulled_from_a_mirror_listed_verified_and_removed(
    checkpoint, store, settings, capfd
):
    with serving(Shelf(checkpoint.read_bytes())) as shelf:
        # The shelf gives out its one file under every name.
        settings.WEIGHTS_MIRRORS = [shelf.url.rpartition("/")[0]]
        said = run("pull", NAME)
    assert "Apache-2.0. Free for research" in said
    assert f"{NAME} is here" in said
    assert "publisher's is not known: this one is recorded" in said
    bars = capfd.readouterr().err
    assert "Downloading: 100%" in bars
    assert "Converting: 100%" in bars
    assert " yes " in line_of(run("list"), NAME)
    said = run("verify")
    assert f"{NAME}: as it was written, SHA-256 {store.sha256(NAME)}" in said
    assert "small: as it was written" in said
    assert "removed" in run("remove", NAME)
    assert " no " in line_of(run("list"), NAME)


def test_a_damaged_file_is_found_and_the_others_are_read_all_the_same(checkpoint, store):
    run("import", checkpoint)
    content = bytearray(store.path(NAME).read_bytes())
    content[-1] ^= 1
    store.path(NAME).write_bytes(content)
    with pytest.raises(CommandError, match=f"The file of {NAME} is damaged"):
        run("verify")
    assert "small: as it was" in run("verify", "small")


def test_a_file_is_imported_under_another_name_and_loads(checkpoint, store):
    said = run("import", checkpoint, "--as", "mine")
    assert "mine is here: 0." in said
    loaded = pipeline.load_model("mine", store)
    assert loaded.sha256 == store.sha256("mine")
    assert loaded.network.config == REDUCED


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("pull", "huge"), "There is no model 'huge' to download"),
        (("pull", NAME), r"The connection to 127\.0\.0\.1 failed"),
        (("verify", "huge"), "no model called huge"),
        (("import", "/nowhere.pt"), "There is no file"),
        (("remove", "small"), "cannot be removed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_goes_wrong_is_said_in_a_sentence(checkpoint, words, says):
    with pytest.raises(CommandError, match=says):
        run(*words)


# Models in memory -------------------------------------------------------------------------------


@pytest.fixture
def three(checkpoint, store, monkeypatch):
    """Three imported models; loading does not fold anything with them."""
    run("import", checkpoint, "--as", "a")
    for name in ("b", "c"):
        store.path(name).write_bytes(store.path("a").read_bytes())
        store.record(replace(store.facts("a"), name=name))
    monkeypatch.setattr(pipeline, "rehearse", lambda network: None)
    return store.size("a")


def test_a_model_stays_in_memory_until_others_need_its_place(three, store):
    models = pipeline.Models(store, budget_bytes=2 * three)
    first = models.get("a")
    assert models.get("a") is first
    models.get("b")
    assert models.get("a") is first, "there is room for two"
    models.get("c")
    assert models.names == ("a", "c"), "b was not used for longest"
    assert models.get("a") is first


def test_a_budget_that_is_too_small_keeps_the_last_one(three, store):
    models = pipeline.Models(store, budget_bytes=0)
    models.get("a")
    models.get("b")
    assert models.names == ("b",)


def test_a_model_that_vanished_is_said_even_if_it_is_in_memory(three, store):
    models = pipeline.Models(store)
    models.get("a")
    store.remove("a")
    with pytest.raises(ValueError, match="no model called a here"):
        models.get("a")


def test_a_model_that_was_replaced_is_loaded_anew(three, checkpoint, store):
    models = pipeline.Models(store)
    first = models.get("a")
    state = from_own(random_network(REDUCED, 9).state_dict(), REDUCED)
    store.remove("a")
    torch.save({"model": state}, checkpoint)
    run("import", checkpoint, "--as", "a")
    second = models.get("a")
    assert second is not first
    assert second.sha256 != first.sha256
