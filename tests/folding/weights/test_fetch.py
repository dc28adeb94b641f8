"""From a publisher's server, or somebody's file, to a network that loads."""

from dataclasses import replace
from hashlib import sha256

import pytest
import torch

from folding.errors import Cancelled, DownloadError, WeightsError
from folding.weights import dialects, fetch
from folding.weights.catalog import CATALOG
from folding.weights.download import Patience
from folding.weights.fetch import import_file, name_of, pull
from folding.weights.own import load_file
from folding.weights.store import hash_file
from tests.folding.model.cases import REDUCED, random_network
from tests.folding.weights.downloads import NAME, published
from tests.folding.weights.server import Shelf, serving

HASTY = Patience(stall_seconds=2.0, attempts=3, first_pause_seconds=0.0)


@pytest.fixture
def shelf(checkpoint, monkeypatch):
    with published(checkpoint, monkeypatch) as shelf:
        yield shelf


def get(store, **words):
    return pull(NAME, store, patience=HASTY, **words)


def left(store) -> list[str]:
    return sorted(path.name for path in store.folder.iterdir() if not path.name.startswith("."))


def test_a_pulled_network_loads_and_says_where_it_came_from(store, shelf):
    said = []
    facts = get(store, report=lambda *event: said.append(event))
    assert left(store) == [f"{NAME}.json", f"{NAME}.safetensors"]
    assert facts.source == shelf.url
    assert facts.source_sha256 == sha256(shelf.content).hexdigest()
    assert not facts.source_checked, "the publisher names no checksum: it is only recorded"
    assert store.verify(NAME) == facts.sha256
    model = load_file(store.path(NAME), REDUCED)
    wanted = random_network(REDUCED, 2).state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in model.state_dict().items())
    assert [stage for i, (stage, *_) in enumerate(said) if i == 0 or said[i - 1][0] != stage] == [
        "downloading",
        "checking",
        "converting",
    ]


def test_what_is_here_is_not_fetched_again(store, shelf):
    first = get(store)
    assert get(store) == first
    assert len(shelf.requests) == 1


def test_a_known_checksum_is_met_and_recorded_as_met(store, shelf, monkeypatch):
    right = sha256(shelf.content).hexdigest()
    monkeypatch.setitem(CATALOG, NAME, replace(CATALOG[NAME], sha256=right))
    assert get(store).source_checked
    store.remove(NAME)
    monkeypatch.setitem(CATALOG, NAME, replace(CATALOG[NAME], sha256="f" * 64))
    with pytest.raises(DownloadError, match="not the published file"):
        get(store)
    assert left(store) == []


def test_a_mirror_is_asked_first_and_the_publisher_after(store, shelf):
    with serving(Shelf(shelf.content, faults=[404])) as mirror:
        facts = get(store, mirrors=[mirror.url.rpartition("/")[0] + "/"])
        assert [request["path"] for request in mirror.requests] == ["/weights.pt"]
    assert len(shelf.requests) == 1
    assert facts.source == shelf.url


def test_a_mirror_that_gave_it_is_recorded_without_its_password(store, shelf):
    with serving(Shelf(shelf.content)) as mirror:
        folder = mirror.url.rpartition("/")[0].replace("://", "://ada:secret@")
        facts = get(store, mirrors=[folder])
        assert mirror.requests[0]["Authorization"].startswith("Basic ")
    assert facts.source == mirror.url
    assert shelf.requests == []


def test_a_cancelled_download_goes_on_where_it_stopped(store, shelf):
    def stop(stage, done, total):
        if done > total // 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        get(store, report=stop)
    assert left(store) == [f"{NAME}.checkpoint.part", f"{NAME}.checkpoint.part.json"]
    get(store)
    assert "Range" in shelf.requests[1]
    assert left(store) == [f"{NAME}.json", f"{NAME}.safetensors"]


def test_a_process_that_died_while_converting_need_not_download_again(store, shelf, checkpoint):
    store.folder.mkdir()
    (store.folder / f"{NAME}.checkpoint").write_bytes(checkpoint.read_bytes())
    stages = []
    facts = get(store, report=lambda stage, *_: stages.append(stage))
    assert shelf.requests == []
    assert set(stages) == {"checking", "converting"}
    assert facts.source_sha256 == hash_file(checkpoint)


def test_a_file_that_is_not_the_network_is_said_and_thrown_away(store, shelf):
    shelf.content = b"PK\x03\x04" + b"x" * len(shelf.content)
    with pytest.raises(WeightsError, match="no checkpoint that can be read"):
        get(store)
    assert left(store) == []


@pytest.mark.parametrize("name", ["small", "huge", "../x"])
def test_what_cannot_be_pulled_is_answered_with_what_can(store, name):
    with pytest.raises(WeightsError, match=r"There are: protenix_tiny_default_v0\.5\.0, "):
        pull(name, store)


# Files that people bring ------------------------------------------------------------------------


def test_a_file_is_imported_under_its_own_name_or_another(store, shelf, checkpoint):
    facts = import_file(checkpoint, store)
    assert (facts.name, facts.config, facts.source) == ("checkpoint", NAME, "checkpoint.pt")
    assert import_file(checkpoint, store, name="my-model").sha256 == facts.sha256
    assert store.imported() == ["checkpoint", "my-model"]
    assert checkpoint.exists()


def test_a_name_of_the_catalogue_is_kept_for_what_fits_it(store, shelf, checkpoint, monkeypatch):
    assert import_file(checkpoint, store, name=NAME).config == NAME
    store.remove(NAME)
    deeper = replace(REDUCED, n_pairformer_blocks=3)
    monkeypatch.setattr(dialects, "PROTENIX", {NAME: deeper})
    with pytest.raises(WeightsError, match="The weights lack pairformer_stack"):
        import_file(checkpoint, store, name=NAME)


def test_what_is_taken_is_not_overwritten(store, shelf, checkpoint):
    import_file(checkpoint, store, name="mine")
    with pytest.raises(WeightsError, match="There is a model mine already"):
        import_file(checkpoint, store, name="mine")
    with pytest.raises(WeightsError, match="name of weights that ship"):
        import_file(checkpoint, store, name="small")
    with pytest.raises(WeightsError, match="lies in the weights folder"):
        import_file(store.path("mine"), store, name="mine")


def test_what_cannot_be_imported_is_said(store, tmp_path):
    with pytest.raises(WeightsError, match="There is no file"):
        import_file(tmp_path / "none.pt", store)
    with pytest.raises(WeightsError, match="cannot be the name"):
        import_file(tmp_path / "none.pt", store, name="a b")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("protenix_base_default_v1.0.0.pt", "protenix_base_default_v1.0.0"),
        ("my model (2).safetensors", "my-model-2"),
        ("af3.bin.zst", "af3"),
        ("x" * 99 + ".ckpt", "x" * 64),
    ],
)
def test_a_model_is_named_after_its_file(file, name, tmp_path):
    assert name_of(tmp_path / file) == name


def test_the_report_may_be_left_out():
    assert fetch.silent("downloading", 1, 2) is None
