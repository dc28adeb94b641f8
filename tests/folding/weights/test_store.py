"""The folder of weights: what counts as here, what is damaged, who may write."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from folding.errors import WeightsError
from folding.weights.catalog import CATALOG, YOURS
from folding.weights.store import Facts, Store, hash_file

MINI = "protenix_mini_default_v0.5.0"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "weights")


def put(store, name, content=b"tensors", **changes) -> Facts:
    """Files as a conversion leaves them."""
    store.folder.mkdir(exist_ok=True)
    store.path(name).write_bytes(content)
    facts = Facts(
        name=name,
        sha256=hash_file(store.path(name)),
        bytes=len(content),
        source="file.pt",
        source_sha256="0" * 64,
        source_checked=False,
        dialect="Protenix",
        config=MINI,
        parameters=134_000_000,
        made_by="0.1.0",
        made_at="2026-11-21T10:00:00+00:00",
    )
    facts = replace(facts, **changes)
    store.record(facts)
    return facts


def test_at_first_there_is_what_ships_and_no_folder(store):
    assert store.names() == ["small"]
    assert store.is_here("small")
    assert not store.is_here(MINI)
    assert not store.folder.exists()
    assert store.verify("small") == store.sha256("small") == hash_file(store.path("small"))


def test_a_model_is_here_once_both_files_are(store):
    facts = put(store, MINI)
    assert store.names() == ["small", MINI]
    assert store.facts(MINI) == facts
    assert store.size(MINI) == 7
    assert store.model(MINI) is CATALOG[MINI]
    store.path(MINI).with_suffix(".json").unlink()
    assert store.names() == ["small"]
    with pytest.raises(WeightsError, match=f"manage.py weights pull {MINI}"):
        store.facts(MINI)


def test_a_model_that_somebody_brought_is_listed_after_and_described(store):
    put(store, "our.own-1")
    assert store.names() == ["small", "our.own-1"]
    model = store.model("our.own-1")
    assert model.licence is YOURS
    assert model.config == CATALOG[MINI].config
    assert (model.n_recycles, model.n_steps) == (3, 5)
    assert "file.pt" in model.about


@pytest.mark.parametrize(
    ("config", "n_rows"), [("af3", 1024), ("intellifold_v2", 1024), (MINI, 16_384)]
)
def test_a_model_that_somebody_brought_reads_the_rows_of_its_network(store, config, n_rows):
    put(store, "mine", config=config)
    assert store.model("mine").msa_depth == n_rows


@pytest.mark.parametrize("name", ["../small", "", "a/b", "x" * 65, ".hidden", "a b", "a\n"])
def test_names_that_could_leave_the_folder_are_refused(store, name):
    assert not store.is_here(name)
    with pytest.raises(WeightsError, match="cannot be the name of a model"):
        store.path(name)


def test_an_unknown_model_is_said_in_a_sentence(store):
    with pytest.raises(WeightsError, match=r"no model called gone here.*removed"):
        store.model("gone")


def test_a_damaged_file_is_found(store):
    put(store, MINI)
    seen = []
    assert store.verify(MINI, report=lambda *n: seen.append(n)) == store.sha256(MINI)
    assert seen == [(7, 7)]
    store.path(MINI).write_bytes(b"tensorz")
    with pytest.raises(WeightsError, match=f"{MINI} is damaged"):
        store.verify(MINI)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"name": "x", "strange": 1}', "\x00"])
def test_a_damaged_note_is_said(store, text):
    put(store, MINI)
    store.path(MINI).with_suffix(".json").write_text(text)
    with pytest.raises(WeightsError, match=r"json beside the weights cannot be read"):
        store.facts(MINI)


def test_removing_takes_everything_with_it(store):
    put(store, MINI)
    store.path(MINI).with_name(f"{MINI}.checkpoint.part").write_bytes(b"half")
    store.remove(MINI)
    assert [path.name for path in store.folder.iterdir()] == []
    with pytest.raises(WeightsError, match="ships with Foldstream"):
        store.remove("small")


def test_only_one_process_writes_a_model(store):
    script = f"""
from pathlib import Path
from folding.errors import WeightsError
from folding.weights.store import Store
for name in ({MINI!r}, "other"):
    try:
        with Store(Path({str(store.folder)!r})).sole_writer(name):
            print("free")
    except WeightsError as error:
        print(error)
"""
    with store.sole_writer(MINI):
        said = subprocess.check_output([sys.executable, "-c", script], text=True).splitlines()
    assert said == [f"{MINI} is being downloaded or imported by another process.", "free"]
    with store.sole_writer(MINI):
        pass


def test_the_note_is_readable_json(store):
    facts = put(store, MINI)
    assert json.loads(store.path(MINI).with_suffix(".json").read_text()) == asdict(facts)
