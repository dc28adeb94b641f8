"""The files of a job with every kind of molecule, read back by programs of others."""

import csv
import io
import json
from pathlib import Path

import gemmi
import h5py
import numpy as np
import pytest
from biotite.structure.io import pdbx

from folding.inputs import FoldInput, Ligand, ProteinChain
from folding.outputs import chemistry, residue_csv, summary_confidences, write_outputs
from tests.folding.complexes import everything, predicted

CHAINS = list("ABCDEGMNSFU")
KINDS = ["protein"] * 3 + ["dna", "rna"] + ["ligand"] * 6


@pytest.fixture(scope="module")
def job() -> FoldInput:
    return everything()


@pytest.fixture(scope="module")
def prediction(job):
    return predicted(job)


@pytest.fixture(scope="module")
def folder(job, prediction, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("everything")
    write_outputs(place, name="x", fold_input=job, predictions=[prediction], manifest={})
    return place


@pytest.fixture(scope="module")
def block(folder) -> gemmi.cif.Block:
    return gemmi.cif.read(str(folder / "x_seed-1_sample-0_model.cif")).sole_block()


@pytest.fixture(scope="module")
def summary(folder) -> dict:
    return json.loads((folder / "x_seed-1_sample-0_summary_confidences.json").read_text())


@pytest.fixture(scope="module")
def full(folder) -> dict:
    return json.loads((folder / "x_seed-1_sample-0_confidences.json").read_text())


def rows(block: gemmi.cif.Block, prefix: str, *names: str) -> list[list[str]]:
    return [[gemmi.cif.as_string(v) for v in row] for row in block.find(prefix, list(names))]


def test_chains_and_entities_are_those_of_the_job(block):
    found = rows(block, "_struct_asym.", "id", "entity_id")
    assert [chain for chain, _ in found] == CHAINS
    entity = dict(found)
    assert entity["A"] == entity["B"]
    assert entity["M"] == entity["N"]
    assert len(set(entity.values())) == len(CHAINS) - 2


def test_gemmi_reads_the_same_polymers(block):
    structure = gemmi.make_structure_from_block(block)
    polymers = {
        sub: entity.polymer_type
        for entity in structure.entities
        if entity.entity_type == gemmi.EntityType.Polymer
        for sub in entity.subchains
    }
    assert polymers == {
        **dict.fromkeys("ABC", gemmi.PolymerType.PeptideL),
        "D": gemmi.PolymerType.Dna,
        "E": gemmi.PolymerType.Rna,
    }
    sequence = {
        sub: entity.full_sequence for entity in structure.entities for sub in entity.subchains
    }
    assert sequence["A"] == ["GLY", "ALA", "ASN", "CYS", "SEP", "LYS", "CYS", "ALA"]
    assert sequence["D"] == ["DA", "5CM", "DG", "DT"]
    assert sequence["E"] == ["A", "C", "G", "U", "N"]


def test_every_atom_stands_where_the_prediction_has_it(block, prediction):
    atoms = gemmi.make_structure_from_block(block)[0]
    found = [(r.atom.pos, r.atom.name, r.residue.name, r.chain.name) for r in atoms.all()]
    structure = prediction.structure
    assert len(found) == structure.n_atoms
    position = np.array([[p.x, p.y, p.z] for p, *_ in found])
    np.testing.assert_allclose(position, structure.coordinates, atol=1e-3)
    assert [name for _, name, _, _ in found] == structure.atom_name.tolist()
    assert [name for _, _, name, _ in found] == structure.residue_name.tolist()
    assert [name for *_, name in found] == structure.chain_id.tolist()


def test_the_b_factor_of_every_atom_is_its_plddt(block, prediction):
    atoms = gemmi.make_structure_from_block(block)[0]
    found = [site.atom.b_iso for site in atoms.all()]
    np.testing.assert_allclose(found, prediction.confidence.atom_plddt, atol=0.011)


def test_elements_are_those_that_gemmi_knows(block, prediction):
    atoms = gemmi.make_structure_from_block(block)[0]
    known = [site.atom.element.name.upper() for site in atoms.all()]
    assert known == prediction.structure.element.tolist()


def test_biotite_reads_the_same_atoms(folder, prediction):
    file = pdbx.CIFFile.read(folder / "x_seed-1_sample-0_model.cif")
    found = pdbx.get_structure(file, model=1, use_author_fields=False, include_bonds=False)
    assert found.atom_name.tolist() == prediction.structure.atom_name.tolist()
    assert found.res_name.tolist() == prediction.structure.residue_name.tolist()
    polymer = np.isin(found.chain_id, list("ABCDE"))
    np.testing.assert_array_equal(polymer, ~found.hetero | np.isin(found.res_name, ["SEP", "5CM"]))


def test_bonds_across_residues_are_connections(block):
    names = [
        f"ptnr{n}_{part}"
        for n in "12"
        for part in ("label_asym_id", "label_comp_id", "label_atom_id")
    ]
    found = rows(block, "_struct_conn.", "conn_type_id", *names)
    ends = {
        (kind, frozenset({(a, atom_a), (b, atom_b)})) for kind, a, _, atom_a, b, _, atom_b in found
    }
    assert ("disulf", frozenset({("A", "SG")})) in ends
    assert ("covale", frozenset({("A", "ND2"), ("G", "C1")})) in ends
    assert ("covale", frozenset({("C", "C"), ("C", "N")})) in ends
    assert len(found) >= 4


def test_hdf5_has_the_bonds_of_ligands_by_atom(folder, prediction):
    names = prediction.structure.atom_name
    chain = prediction.structure.chain_id
    with h5py.File(folder / "x.h5") as file:
        bonds = file["bonds"][:]
        np.testing.assert_array_equal(file["token_index"][:], prediction.structure.token_index)
    inside = {frozenset((names[a], names[b])) for a, b in bonds if chain[a] == chain[b] == "U"}
    assert inside == {frozenset(p) for p in [("C1", "C2"), ("C2", "O1"), ("O1", "N1")]}
    between = {
        frozenset((f"{chain[a]}/{names[a]}", f"{chain[b]}/{names[b]}"))
        for a, b in bonds
        if chain[a] != chain[b]
    }
    assert between == {frozenset({"A/ND2", "G/C1"})}


def test_lists_go_by_atom_and_by_token(full, prediction):
    n_atoms, n_tokens = prediction.structure.n_atoms, prediction.structure.n_tokens
    assert len(full["atom_plddts"]) == len(full["atom_chain_ids"]) == n_atoms
    assert len(full["token_chain_ids"]) == len(full["token_res_ids"]) == n_tokens
    assert np.shape(full["pae"]) == np.shape(full["contact_probs"]) == (n_tokens, n_tokens)
    assert list(dict.fromkeys(full["token_chain_ids"])) == CHAINS
    ids = list(zip(full["token_chain_ids"], full["token_res_ids"], strict=True))
    assert ids.count(("A", 5)) == 10, "an atom of phosphoserine each"
    assert ids.count(("D", 2)) == 20
    assert ids.count(("G", 1)) == ids.count(("G", 2)) == 14


def test_the_lowest_pae_of_chains_is_in_the_full_array(summary, full, prediction):
    pae, chain = np.array(full["pae"]), np.array(full["token_chain_ids"])
    lowest = np.array(summary["chain_pair_pae_min"], dtype=float)
    for i, a in enumerate(CHAINS):
        for j, b in enumerate(CHAINS):
            block = pae[np.ix_(chain == a, chain == b)]
            if a in "MN":
                assert np.isnan(lowest[i, j]), "an ion has no frame to look from"
            elif a not in "U":
                assert lowest[i, j] == pytest.approx(block.min(), abs=0.011)
            else:
                assert lowest[i, j] >= block.min() - 0.011


def test_chain_numbers_go_together(summary):
    pairs = np.array(summary["chain_pair_iptm"], dtype=float)
    np.testing.assert_array_equal(pairs, pairs.T)
    np.testing.assert_array_equal(np.diagonal(pairs), np.array(summary["chain_ptm"], dtype=float))
    assert summary["chain_ids"] == CHAINS
    off = np.where(np.eye(len(CHAINS), dtype=bool), np.nan, pairs)
    mean = np.nanmean(off, axis=1)
    np.testing.assert_allclose(summary["chain_iptm"], mean, atol=0.011)
    expected = 0.8 * summary["iptm"] + 0.2 * summary["ptm"]
    expected += 0.5 * summary["fraction_disordered"] - 100 * summary["has_clash"]
    assert summary["ranking_score"] == pytest.approx(expected, abs=0.02)


def test_chains_apart_do_not_clash_and_are_disordered(summary):
    assert summary["has_clash"] == 0.0
    assert summary["fraction_disordered"] == 1.0


def test_every_residue_has_a_line_of_its_kind(prediction):
    lines = list(csv.DictReader(io.StringIO(residue_csv(prediction))))
    kinds = {line["chain_id"]: line["kind"] for line in lines}
    assert [kinds[chain] for chain in CHAINS] == KINDS
    sep = next(line for line in lines if line["residue_name"] == "SEP")
    assert (sep["letter"], sep["n_tokens"], sep["residue_number"]) == ("X", "10", "5")
    ion = next(line for line in lines if line["chain_id"] == "M")
    assert ion["relative_accessible_area"] == ion["phi_degrees"] == ion["secondary_structure"] == ""
    assert {line["secondary_structure"] for line in lines if line["kind"] != "protein"} == {""}
    assert all(line["secondary_structure"] for line in lines if line["kind"] == "protein")
    assert sum(int(line["n_tokens"]) for line in lines) == prediction.structure.n_tokens
    first = lines[0]
    assert first["phi_degrees"] == ""
    assert first["psi_degrees"] != ""


def test_plddt_of_a_residue_is_the_mean_of_its_atoms(prediction):
    lines = list(csv.DictReader(io.StringIO(residue_csv(prediction))))
    structure, plddt = prediction.structure, prediction.confidence.atom_plddt
    for line in lines:
        here = (structure.chain_id == line["chain_id"]) & (
            structure.residue_number == int(line["residue_number"])
        )
        assert float(line["plddt"]) == pytest.approx(plddt[here].mean(), abs=0.006)


def test_stereochemistry_is_told_for_what_has_some(prediction):
    found = {(r["chain_id"], r["code"]): r for r in chemistry(prediction)["ligands"]}
    assert found["S", "LIG1"]["n_stereo"] == 1
    assert found["G", "NAG"]["n_stereo"] == 5
    lost = {
        (chain, element["atoms"])
        for (chain, _), report in found.items()
        for element in report["stereo"]
        if not element["kept"]
    }
    # The molecules stand apart, so that what a sugar hangs on is anywhere.
    assert lost <= {("G", ("C1",))}
    assert ("M", "MG") not in found


def test_the_job_is_kept_whole(folder, job):
    kept = FoldInput.from_json(json.loads((folder / "x_data.json").read_text()))
    assert kept.bonds == job.bonds
    assert kept.chain_ids == job.chain_ids
    assert kept.n_tokens == job.n_tokens
    assert [c.description for c in kept.chains] == [c.description for c in job.chains]
    assert kept.chains[1].cyclic


@pytest.mark.parametrize(
    "ligand",
    [Ligand(("A", "B", "C", "D"), ccd=("ZN",)), Ligand(("A", "B"), smiles="[C-]#[O+]")],
    ids=["ions", "carbon monoxide"],
)
def test_a_job_without_any_frame_is_written(ligand, tmp_path):
    job = FoldInput("ions", (ligand,))
    prediction = predicted(job)
    names = write_outputs(tmp_path, name="x", fold_input=job, predictions=[prediction], manifest={})
    assert "manifest.json" in names
    found = summary_confidences(prediction)
    assert found["ptm"] == found["ranking_score"] == found["fraction_disordered"] == 0.0
    assert found["iptm"] is None
    assert found["chain_ptm"] == [None] * len(ligand.ids)
    assert (
        gemmi.read_structure(str(tmp_path / "x_seed-1_sample-0_model.cif"))[0].count_atom_sites()
        == 4
    )


def test_names_that_cif_must_quote_survive(tmp_path):
    job = FoldInput(
        "It's a “job” # data_x\tloop_ ; \\",
        (ProteinChain(("A",), "GAGA", description='5\'-end; "quoted" # not a remark _loop'),),
    )
    prediction = predicted(job)
    write_outputs(tmp_path, name=job.slug, fold_input=job, predictions=[prediction], manifest={})
    (path,) = tmp_path.glob("*_model.cif")
    block = gemmi.cif.read(str(path)).sole_block()
    said = gemmi.cif.as_string(block.find("_entity.", ["pdbx_description"])[0][0])
    assert '"quoted" # not a remark _loop' in said
    assert "5'-end" in said
