"""`manage.py replay` folds again to the same bits, and says what is different if not."""

import json
import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from django.core.management import CommandError, call_command

from folding import cost
from folding.inputs import (
    DnaChain,
    FoldInput,
    FoldOptions,
    Ligand,
    Modification,
    ProteinChain,
    RnaChain,
)
from folding.model.alphafold3 import AlphaFold3
from folding.templates.mapping import make_template
from tests.folding.inputs.examples import data
from tests.folding.model.cases import REDUCED
from tests.folding.templates.structures import mmcif
from webapp import downloads, pipeline

JOB = FoldInput("Twice", (ProteinChain(("A",), "GSWQLK"),), seeds=(4, 5))
OPTIONS = FoldOptions(n_samples=1, n_recycles=0, n_steps=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of a job."""
    place = tmp_path_factory.mktemp("job")
    fold_and_save(pipeline.load_model("small", downloads.store()), place)
    return place


def fold_and_save(loaded: pipeline.Loaded, place: Path) -> None:
    pipeline.run(
        JOB,
        OPTIONS,
        fold=pipeline.fold_with(loaded.network, JOB, OPTIONS),
        save=pipeline.saver(place, JOB, OPTIONS, weights_sha256=loaded.sha256),
        report=lambda event: None,
    )


def changed_manifest(folder, name: str, **changes):
    path = folder / name
    manifest = json.loads((folder / "manifest.json").read_text())
    path.write_text(json.dumps({**manifest, **changes}))
    return path


def test_a_ligand_file_of_many_digits_folds_to_the_same_bits_again(tmp_path):
    document = {
        "name": "Fine",
        "modelSeeds": [1],
        "sequences": [
            {"proteinChain": {"sequence": "GSWQLK", "count": 1}},
            {"ligand": {"ligand": "FILE_fine.mol", "count": 1}},
        ],
        "covalent_bonds": [],
    }
    (tmp_path / "fine.mol").write_text(data("alaninate_v3000.mol"))
    (tmp_path / "in.json").write_text(json.dumps(document))
    quick = ("--samples", "1", "--recycles", "0", "--steps", "2")
    words = (str(tmp_path / "in.json"), "--out", str(tmp_path / "out"), *quick)
    call_command("fold", *words, stdout=StringIO())
    out = StringIO()
    call_command("replay", str(tmp_path / "out" / "manifest.json"), stdout=out)
    assert "1 of 1 samples have the same coordinates, bit for bit." in out.getvalue()


def test_the_same_bits_come_again(folder):
    out = StringIO()
    call_command("replay", str(folder / "manifest.json"), stdout=out)
    assert out.getvalue() == "2 of 2 samples have the same coordinates, bit for bit.\n"


@pytest.mark.parametrize(("then", "now"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_a_fold_is_done_again_in_the_numbers_that_it_was_done_in(monkeypatch, tmp_path, then, now):
    loaded = pipeline.load_model("small", downloads.store())
    monkeypatch.setenv("FOLDSTREAM_NUMBERS", then)
    fold_and_save(loaded, tmp_path)
    monkeypatch.setenv("FOLDSTREAM_NUMBERS", now)
    done, _, heard = replayed(tmp_path, loaded)
    assert heard == []
    assert done.changed == []


@pytest.mark.parametrize("wanted", ["float32", "bfloat16"])
def test_a_manifest_that_names_no_numbers_is_done_in_those_of_this_site(monkeypatch, wanted):
    monkeypatch.setenv("FOLDSTREAM_NUMBERS", wanted)
    assert pipeline.numbers_of({}) == pipeline.numbers_of({"dtype": "posit16"}) == wanted


def test_a_fold_without_free_memory_is_not_done_again(folder, monkeypatch):
    memory = cost.psutil.virtual_memory()
    monkeypatch.setattr(cost.psutil, "virtual_memory", lambda: memory._replace(available=-(2**40)))
    with pytest.raises(CommandError, match="other programs on this machine"):
        call_command("replay", str(folder / "manifest.json"))


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


# Everything that a job can hold ------------------------------------------------------------------

PROTEIN, DIFFERENT = "MKGAYIAKQRWL", "GSHMQLAAEK"


def everything() -> FoldInput:
    """Alignments that were found, a template, and every kind of molecule."""
    template = make_template(mmcif({"A": PROTEIN}), sequence=PROTEIN)
    rows = f">q\n{PROTEIN}\n>r OX=9606\nMKGAYLAKQRWI\n"
    first = ProteinChain(("A",), PROTEIN, msa=rows, paired_msa=rows, templates=(template,))
    rows = f">q\n{DIFFERENT}\n>r OX=9606\nGSHMQIAAEK\n"
    second = ProteinChain(("B",), DIFFERENT, msa=rows, paired_msa=rows)
    modified = replace(second, modifications=(Modification("SEP", 2),))
    others = (
        DnaChain(("C",), "ACGT"),
        RnaChain(("D",), "GGCA"),
        Ligand(("E",), smiles="CC(N)C(=O)O"),
        Ligand(("F",), ccd=("MG",)),
    )
    return FoldInput("All", (first, modified, *others), seeds=(3,))


@pytest.fixture(scope="module")
def network():
    """A network of reduced dimensions that reads templates, as an imported model would be."""
    torch.manual_seed(1)
    model = AlphaFold3(REDUCED).eval()
    generator = torch.Generator().manual_seed(2)
    for weight in model.parameters():
        weight.data.normal_(0, 0.1, generator=generator)
    return pipeline.Loaded(model, "a" * 64, 0)


@pytest.fixture(scope="module")
def folder_of_everything(tmp_path_factory, network):
    place, job = tmp_path_factory.mktemp("all"), everything()
    options = replace(OPTIONS, model="my-own")
    pipeline.run(
        job,
        options,
        fold=pipeline.fold_with(network.network, job, options),
        save=pipeline.saver(place, job, options, weights_sha256=network.sha256),
        report=lambda event: None,
    )
    return place


def replayed(folder, network):
    asked, heard = [], []

    def load(name):
        asked.append(name)
        return network

    done = pipeline.replay(folder / "manifest.json", load, begin=heard.extend)
    return done, asked, heard


def test_a_complex_with_alignments_and_templates_comes_again(folder_of_everything, network):
    done, asked, heard = replayed(folder_of_everything, network)
    assert asked == ["my-own"]
    assert heard == []
    assert done.changed == []


@pytest.mark.parametrize("part", ["alignments", "templates"])
def test_an_input_that_was_changed_is_noticed(folder_of_everything, network, tmp_path, part):
    shutil.copytree(folder_of_everything, tmp_path / "copy")
    (data,) = (tmp_path / "copy").glob("*_data.json")
    document = json.loads(data.read_text())
    protein = document["sequences"][0]["protein"]
    if part == "templates":
        protein["templates"] = []
    else:
        protein["unpairedMsa"] = protein["unpairedMsa"].replace("MKGAYLAKQRWI", "MKGAYLAKQRWV")
    data.write_text(json.dumps(document))
    done, _, heard = replayed(tmp_path / "copy", network)
    assert any(sentence.startswith("The input differs") for sentence in heard)
    assert any(sentence.startswith(f"The {part} differs") for sentence in heard)
    assert done.changed == ["seed-3_sample-0"]
