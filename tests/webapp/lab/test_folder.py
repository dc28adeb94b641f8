"""The engine's folder: what is written is whole, and names last as long as they should."""

from webapp.lab.folder import NOTHING, LabFolder


def test_a_run_in_a_terminal_keeps_its_name_until_it_ends(tmp_path):
    folder = LabFolder(tmp_path)
    name = folder.begin("molecules")
    assert folder.begin("molecules") == name, "it was cut off and goes on"
    assert folder.begin("portfolio") != name
    folder.end("molecules")
    assert folder.begin("molecules") != name
    folder.end("never begun")


def test_the_mirror_is_empty_before_anything_was_written(tmp_path):
    folder = LabFolder(tmp_path / "not there yet")
    assert folder.mirror() == NOTHING
    folder.write_mirror({"spent": 1.5})
    assert folder.mirror() == {**NOTHING, "spent": 1.5}
    assert [path.name for path in folder.root.iterdir()] == ["mirror.json"]


def test_a_damaged_mirror_counts_as_none(tmp_path):
    folder = LabFolder(tmp_path)
    (tmp_path / "mirror.json").write_text("{")
    assert folder.mirror() == NOTHING


def test_places_lie_in_the_folder(tmp_path):
    assert all(tmp_path in path.parents for path in LabFolder(tmp_path).places.values())
