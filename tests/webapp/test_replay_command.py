"""`manage.py replay` folds again to the same bits, and says what is different if not."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from folding.inputs import FoldInput, FoldOptions, ProteinChain
from webapp import downloads, pipeline

JOB = FoldInput("Twice", (ProteinChain(("A",), "GSWQLK"),), seeds=(4, 5))
OPTIONS = FoldOptions(n_samples=1, n_recycles=0, n_steps=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of a job."""
    place = tmp_path_factory.mktemp("job")
    loaded = pipeline.load_model("small", downloads.store())
    pipeline.run(
        JOB,
        OPTIONS,
        fold=pipeline.fold_with(loaded.network, JOB, OPTIONS),
        save=pipeline.saver(place, JOB, OPTIONS, weights_sha256=loaded.sha256),
        report=lambda event: None,
    )
    return place


def changed_manifest(folder, name: str, **changes):
    path = folder / name
    manifest = json.loads((folder / "manifest.json").read_text())
    path.write_text(json.dumps({**manifest, **changes}))
    return path


def test_the_same_bits_come_again(folder):
    out = StringIO()
    call_command("replay", str(folder / "manifest.json"), stdout=out)
    assert out.getvalue() == "2 of 2 samples have the same coordinates, bit for bit.\n"


def test_other_coordinates_are_told_with_what_differs(folder):
    path = changed_manifest(
        folder,
        "other.json",
        processor="abacus",
        coordinates_sha256={"seed-4_sample-0": "0" * 64},
    )
    err = StringIO()
    with pytest.raises(CommandError, match=r"1 of 2 samples have other .*seed-4_sample-0.*abacus"):
        call_command("replay", str(path), stderr=err)
    assert "The processor differs: it was abacus" in err.getvalue()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"options": {}}'])
def test_what_is_no_manifest_is_refused(tmp_path, text):
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(CommandError, match="manifest"):
        call_command("replay", str(path))


def test_the_input_has_to_be_there(folder, tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text((folder / "manifest.json").read_text())
    with pytest.raises(CommandError, match="not beside"):
        call_command("replay", str(path))
