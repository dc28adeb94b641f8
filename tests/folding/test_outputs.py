"""The files of a job: names, keys and numbers as AlphaFold 3 has them."""

import csv
import hashlib
import io
import json
from pathlib import Path

import gemmi
import h5py
import numpy as np
import pytest

import folding
from folding.inputs import parse_json
from folding.outputs import (
    RESIDUE_COLUMNS,
    full_confidences,
    ranking_csv,
    residue_csv,
    sample_name,
    summary_confidences,
    write_outputs,
)
from folding.structure.mmcif import read_mmcif
from tests.folding.examples import TRP_CAGE, dimer, fold_input, prediction, structure

# docs/output.md of google-deepmind/alphafold3, version 3.0.
SUMMARY_KEYS = {
    "chain_ids",
    "chain_iptm",
    "chain_pair_iptm",
    "chain_pair_pae_min",
    "chain_ptm",
    "fraction_disordered",
    "has_clash",
    "iptm",
    "ptm",
    "ranking_score",
}
FULL_KEYS = {
    "atom_chain_ids",
    "atom_plddts",
    "contact_probs",
    "pae",
    "token_chain_ids",
    "token_res_ids",
}


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, list[str]]:
    """The files of two seeds with two samples each."""
    predictions = [prediction(seed=seed, sample=sample) for seed in (7, 1) for sample in (1, 0)]
    names = write_outputs(
        tmp_path,
        name="Trp-cage",
        fold_input=fold_input(),
        predictions=predictions,
        manifest={"options": {"model": "small"}, "weights_sha256": "0123456789abcdef" * 4},
    )
    return tmp_path, names


def test_the_names_of_the_files(written):
    directory, names = written
    samples = [f"Trp-cage_seed-{seed}_sample-{sample}" for seed in (7, 1) for sample in (1, 0)]
    kinds = ["_model.cif", "_summary_confidences.json", "_confidences.json", "_residues.csv"]
    kinds.append("_chemistry.json")
    assert names == [
        *(sample + kind for sample in samples for kind in kinds),
        "Trp-cage_data.json",
        "ranking_scores.csv",
        "Trp-cage.h5",
        "manifest.json",
    ]
    assert sorted(p.name for p in directory.iterdir()) == sorted(names), "nothing half-written"


def test_the_model_has_the_sequence_and_the_confidence(written):
    directory, _ = written
    text = (directory / "Trp-cage_seed-7_sample-1_model.cif").read_text()
    found = read_mmcif(text)
    assert found.sequence("A") == TRP_CAGE
    block = gemmi.cif.read_string(text)[0]
    expected = prediction(seed=7, sample=1)
    plddt = [float(b) for b in block.find_values("_atom_site.B_iso_or_equiv")]
    np.testing.assert_allclose(plddt, expected.confidence.atom_plddt, atol=0.006)
    model_name = gemmi.cif.as_string(block.find_value("_ma_model_list.model_name"))
    assert model_name == "small, weights 0123456789ab, seed 7, sample 1"
    assert block.find_value("_struct.pdbx_model_details").strip("'").endswith(f": {model_name}")
    assert "pTM" in list(block.find_values("_ma_qa_metric.name"))
    assert "ipTM" not in list(block.find_values("_ma_qa_metric.name"))


def test_the_summary_has_alphafold3s_keys_and_the_numbers(written):
    directory, _ = written
    text = (directory / "Trp-cage_seed-1_sample-0_summary_confidences.json").read_text()
    summary = json.loads(text)
    expected = prediction(seed=1, sample=0).confidence
    assert set(summary) == SUMMARY_KEYS
    assert summary["chain_ids"] == ["A"]
    assert summary["iptm"] is None
    assert summary["chain_iptm"] == [None]
    assert summary["has_clash"] == 0.0
    assert summary["ptm"] == pytest.approx(expected.ptm, abs=0.005)
    assert summary["ranking_score"] == pytest.approx(expected.ranking_score, abs=0.005)


def test_a_complex_has_numbers_for_pairs_of_chains():
    summary = summary_confidences(prediction(dimer()))
    assert summary["chain_ids"] == ["A", "B"]
    assert len(summary["chain_pair_iptm"]) == len(summary["chain_pair_iptm"][0]) == 2
    assert summary["iptm"] is not None
    assert summary["chain_iptm"] == [summary["chain_pair_iptm"][0][1]] * 2


def test_full_confidences_have_alphafold3s_keys_and_shapes(written):
    directory, _ = written
    full = json.loads((directory / "Trp-cage_seed-1_sample-0_confidences.json").read_text())
    expected = prediction(seed=1, sample=0)
    assert set(full) == FULL_KEYS
    assert np.shape(full["pae"]) == np.shape(full["contact_probs"]) == (20, 20)
    np.testing.assert_allclose(full["pae"], expected.confidence.pae, atol=0.006)
    assert full["token_res_ids"] == list(range(1, 21))
    assert full["token_chain_ids"] == ["A"] * 20
    assert full["atom_chain_ids"] == ["A"] * expected.structure.n_atoms
    np.testing.assert_allclose(full["atom_plddts"], expected.confidence.atom_plddt, atol=0.006)


def test_tokens_of_copies_are_numbered_in_their_chain():
    full = full_confidences(prediction(dimer()))
    assert full["token_res_ids"] == [*range(1, 21), *range(1, 21)]
    assert full["token_chain_ids"] == ["A"] * 20 + ["B"] * 20


def test_every_residue_has_a_line():
    one = prediction(dimer())
    rows = list(csv.DictReader(io.StringIO(residue_csv(one))))
    assert tuple(rows[0]) == RESIDUE_COLUMNS
    assert "".join(row["letter"] for row in rows) == TRP_CAGE * 2
    assert [row["chain_id"] for row in rows] == ["A"] * 20 + ["B"] * 20
    assert "".join(row["secondary_structure"] for row in rows).count("H") >= 12
    first = one.structure.residue_number[: one.structure.n_atoms // 2] == 1
    expected = one.confidence.atom_plddt[: len(first)][first].mean()
    assert float(rows[0]["plddt"]) == pytest.approx(expected, abs=0.006)
    assert rows[0]["phi_degrees"] == rows[19]["psi_degrees"] == ""
    assert -80 < float(rows[4]["phi_degrees"]) < -40
    assert all(0 <= float(row["relative_accessible_area"]) <= 1 for row in rows)


def test_the_ranking_is_best_first():
    predictions = sorted(
        (prediction(sample=sample) for sample in range(3)), key=lambda p: -p.ranking_score
    )
    rows = list(csv.DictReader(io.StringIO(ranking_csv(predictions))))
    scores = [float(row["ranking_score"]) for row in rows]
    assert list(rows[0]) == ["seed", "sample", "ranking_score"]
    assert scores == sorted(scores, reverse=True)
    assert [int(row["sample"]) for row in rows] == [p.sample for p in predictions]


def test_hdf5_holds_every_array(written):
    directory, _ = written
    expected = prediction(seed=7, sample=1)
    with h5py.File(directory / "Trp-cage.h5") as file:
        assert set(file) == {f"seed-{s}_sample-{k}" for s in (7, 1) for k in (0, 1)} | {
            *("seed-7", "seed-1"),
            *("token_index", "bonds"),
        }
        np.testing.assert_array_equal(file["token_index"][:], structure("1l2y").token_index)
        assert file["bonds"].shape == (0, 2)
        group = file["seed-7_sample-1"]
        np.testing.assert_array_equal(group["pae"][:], expected.confidence.pae)
        np.testing.assert_array_equal(group["pde"][:], expected.confidence.pde)
        np.testing.assert_array_equal(group["plddt"][:], expected.confidence.atom_plddt)
        np.testing.assert_array_equal(group["resolved"][:], expected.confidence.resolved)
        np.testing.assert_array_equal(group["contact_probs"][:], expected.confidence.contact_probs)
        np.testing.assert_array_equal(group["trajectory"][:], expected.trajectory)
        np.testing.assert_array_equal(group["coordinates"][:], structure("1l2y").coordinates)
        assert group.attrs["ptm"] == pytest.approx(expected.confidence.ptm, abs=0.005)
        assert file["seed-7/distogram"].shape == (20, 20, 64)
        assert "Å" in file.attrs["units"]


def test_the_input_can_be_folded_again(written):
    directory, _ = written
    assert parse_json((directory / "Trp-cage_data.json").read_text()) == fold_input()


def test_the_manifest_vouches_for_every_file(written):
    directory, names = written
    manifest = json.loads((directory / "manifest.json").read_text())
    assert manifest["options"]["model"] == "small"
    assert manifest["foldstream"] == folding.__version__
    assert list(manifest["files"]) == names[:-1]
    for name, fingerprint in manifest["files"].items():
        content = (directory / name).read_bytes()
        assert fingerprint == {
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }


def test_the_same_predictions_give_the_same_bytes(tmp_path):
    manifests = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_outputs(
            tmp_path / name,
            name="x",
            fold_input=fold_input(),
            predictions=[prediction()],
            manifest={},
        )
        manifests.append((tmp_path / name / "manifest.json").read_text())
    assert manifests[0] == manifests[1]


def test_files_are_replaced(tmp_path):
    for seed in (1, 2):
        names = write_outputs(
            tmp_path,
            name="x",
            fold_input=fold_input(),
            predictions=[prediction(seed=seed)],
            manifest={"seed": seed},
        )
    assert json.loads((tmp_path / names[-1]).read_text())["seed"] == 2
    with h5py.File(tmp_path / "x.h5") as file:
        assert sorted(file) == ["bonds", "seed-2", "seed-2_sample-0", "token_index"]


def test_the_version_is_the_projects():
    project = Path(folding.__file__).parents[1] / "pyproject.toml"
    assert f'version = "{folding.__version__}"' in project.read_text()


def test_names_of_samples():
    assert sample_name("x", prediction(seed=3, sample=2)) == "x_seed-3_sample-2"
