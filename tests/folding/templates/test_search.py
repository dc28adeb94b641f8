"""Templates are found in a folder of mmCIF files."""

import gzip
import os
from datetime import date
from pathlib import Path

import pytest

from folding.errors import Cancelled
from folding.templates import search as search_module
from folding.templates.search import FolderMissing, index_folder, search_templates
from tests.folding.search.relatives import letters, relative
from tests.folding.templates.structures import HEADER, mmcif

QUERY = letters(80, seed=1)


def named(name: str, released: str) -> str:
    return HEADER.replace("1ABC", name).replace("2019-05-01", released)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "structures"
    (folder / "sub").mkdir(parents=True)
    near, far = relative(QUERY, identity=0.8, seed=2), relative(QUERY, identity=0.5, seed=3)
    old, young = named("OLD1", "2010-01-01"), named("NEW1", "2021-09-30")
    (folder / "far.cif").write_text(mmcif({"A": far[:60], "B": letters(50, seed=9)}, header=old))
    packed = gzip.compress(mmcif({"X": near}, header=young).encode())
    (folder / "sub" / "near.cif.gz").write_bytes(packed)
    (folder / "other.cif").write_text(mmcif({"A": letters(90, seed=11)}, header=old))
    (folder / "broken.cif").write_text("data_nothing\n")
    (folder / "broken.cif.gz").write_bytes(b"no gzip")
    (folder / "notes.txt").write_text("no structure")
    return folder


@pytest.fixture
def chains(folder, tmp_path):
    return index_folder(folder, index=tmp_path / "cache" / "index.json")


def test_the_folder_is_indexed_and_what_is_broken_is_passed(chains):
    assert [(c.path, c.chain_id, c.released) for c in chains] == [
        ("far.cif", "A", "2010-01-01"),
        ("far.cif", "B", "2010-01-01"),
        ("other.cif", "A", "2010-01-01"),
        ("sub/near.cif.gz", "X", "2021-09-30"),
    ]


def test_a_link_that_leads_nowhere_is_passed(chains, folder, tmp_path):
    (folder / "gone.cif").symlink_to(tmp_path / "nowhere.cif")
    assert index_folder(folder, index=tmp_path / "i.json") == chains


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(FolderMissing, match="cannot be read"):
        index_folder(tmp_path / "nowhere", index=tmp_path / "i.json")


def test_two_workers_may_index_at_once(chains, folder, tmp_path, monkeypatch):
    index, rename = tmp_path / "i.json", Path.rename

    def beaten(draft, target):
        monkeypatch.setattr(Path, "rename", rename)
        assert index_folder(folder, index=index) == chains
        return rename(draft, target)

    monkeypatch.setattr(Path, "rename", beaten)
    assert index_folder(folder, index=index) == chains
    assert [path.name for path in tmp_path.iterdir() if "i.json" in path.name] == ["i.json"]


def test_relatives_are_found_the_best_first(chains, folder):
    near, far = search_templates(QUERY, chains, folder)
    assert (near.name, far.name) == ("NEW1_X", "OLD1_A")
    assert near.e_value < far.e_value < 1e-5
    assert near.identity == pytest.approx(0.8, abs=0.1)
    assert far.template.query_indices[:50] == tuple(range(50))


def test_the_cut_off_leaves_out_what_is_younger(chains, folder):
    def names(before):
        return [f.name for f in search_templates(QUERY, chains, folder, before=before)]

    assert names(date(2021, 9, 30)) == ["OLD1_A"]
    assert names(date(2021, 10, 1)) == ["NEW1_X", "OLD1_A"]
    assert names(date(2009, 1, 1)) == []


def test_files_are_read_again_only_when_they_change(chains, folder, tmp_path, monkeypatch):
    index, read = tmp_path / "cache" / "index.json", []
    true_read = search_module._read
    monkeypatch.setattr(
        search_module, "_read", lambda path: read.append(path.name) or true_read(path)
    )
    assert index_folder(folder, index=index) == chains
    assert read == []
    (folder / "other.cif").write_text(mmcif({"A": QUERY}))
    os.utime(folder / "other.cif", (1, 1))
    (folder / "far.cif").unlink()
    again = index_folder(folder, index=index)
    assert read == ["other.cif"]
    assert [(c.path, len(c.sequence)) for c in again] == [
        ("other.cif", 80),
        ("sub/near.cif.gz", 80),
    ]


def test_a_damaged_index_is_made_anew(chains, folder, tmp_path):
    index = tmp_path / "cache" / "index.json"
    for text in ("{", "[1]"):
        index.write_text(text)
        assert index_folder(folder, index=index) == chains


def test_at_most_four_are_taken(folder, tmp_path):
    for number in range(6):
        text = mmcif({"A": relative(QUERY, identity=0.9, seed=30 + number)})
        (folder / f"more{number}.cif").write_text(text)
    chains = index_folder(folder, index=tmp_path / "i.json")
    assert len(search_templates(QUERY, chains, folder)) == 4


def test_the_listener_can_end_it(folder, tmp_path):
    def report():
        raise Cancelled

    with pytest.raises(Cancelled):
        index_folder(folder, index=tmp_path / "i.json", report=report)


def test_nothing_to_search_for_or_in(folder, chains):
    assert search_templates("GGGGGGGG", chains, folder) == ()
    assert search_templates(QUERY, (), folder) == ()
