"""Structures out and in again, whatever their names and places; chirality as RDKit sees it."""

import string

import gemmi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from folding.errors import InvalidInput
from folding.inputs import Ligand, ProteinChain
from folding.structure.composition import proteins_alone
from folding.structure.disorder import relative_area, windowed
from folding.structure.mmcif import write_mmcif
from folding.structure.ramachandran import (
    KINDS,
    fraction_favoured,
    ramachandran_regions,
    rarity,
    residue_kinds,
)
from folding.structure.reading import read_mmcif, read_pdb
from folding.structure.stereochemistry import stereochemistry
from folding.structure.structure import Structure
from tests.folding.complexes import build, glycoprotein
from tests.folding.examples import TRP_CAGE, ca, joined, structure
from tests.folding.structure.test_geometry import random_motion

SEEDS = st.integers(0, 2**32 - 1)
CHAIN_NAMES = st.text(string.ascii_letters + string.digits, min_size=1, max_size=4)


def written(structure_, **words):
    return write_mmcif(structure_, name="test", plddt=np.full(structure_.n_atoms, 50.0), **words)


def renamed(structure_, chain_id):
    return type(structure_)(
        **{
            **vars(structure_),
            "chain_id": np.full(structure_.n_atoms, chain_id),
            "token_chain_id": np.full(structure_.n_tokens, chain_id),
        }
    )


# Files ------------------------------------------------------------------------------------------


@given(SEEDS, CHAIN_NAMES)
@settings(max_examples=15)
def test_places_and_chain_names_come_back(seed, name):
    one = renamed(structure("1l2y"), name)
    place = random_motion(np.random.default_rng(seed)).apply(one.coordinates).astype(np.float32)
    again = read_mmcif(written(one.with_coordinates(place)))
    assert again.coordinates == pytest.approx(place, abs=6e-4)
    assert set(again.chain_id.tolist()) == {name}
    assert again.sequence(name) == TRP_CAGE


@pytest.mark.parametrize("far", [-99_000.0, 9_999.999, 99_000.0])
def test_places_beyond_the_columns_of_pdb_come_back_from_mmcif(far):
    place = structure("1l2y").coordinates + np.float32(far)
    again = read_mmcif(written(structure("1l2y").with_coordinates(place)))
    assert again.coordinates == pytest.approx(place, abs=0.01)


def test_gaps_in_the_numbers_come_back():
    one = structure("1crn")
    gapped = one.select(~np.isin(one.residue_number, [4, 5, 30]))
    again = read_mmcif(written(gapped))
    assert again.residue_number.tolist() == gapped.residue_number.tolist()
    assert again.atom_name.tolist() == gapped.atom_name.tolist()


def test_primes_and_quotes_in_atom_names_come_back():
    built = build(Ligand(("A",), ccd=("ATP",)), Ligand(("B",), ccd=("GTP",)))
    text = write_mmcif(
        built.structure,
        name="nucleotides",
        plddt=np.full(built.structure.n_atoms, 50.0),
        composition=built.composition,
    )
    again = read_mmcif(text)
    assert again.atom_name.tolist() == built.structure.atom_name.tolist()
    assert "O5'" in again.atom_name
    assert again.n_tokens == again.n_atoms, "every atom of a ligand is a token"


def test_a_complex_keeps_its_chains_tokens_and_entities():
    built = glycoprotein()
    text = write_mmcif(
        built.structure,
        name="complex",
        plddt=np.full(built.structure.n_atoms, 50.0),
        composition=built.composition,
    )
    again = read_mmcif(text)
    for name in ("element", "atom_name", "residue_name", "residue_number", "chain_id"):
        assert getattr(again, name).tolist() == getattr(built.structure, name).tolist(), name
    assert again.token_index.tolist() == built.structure.token_index.tolist()
    assert again.chain_kinds == built.structure.chain_kinds


def test_what_gemmi_reads_has_the_mass_and_the_radius_of_what_was_written():
    one = structure("1crn")
    read = gemmi.make_structure_from_block(gemmi.cif.read_string(written(one)).sole_block())
    masses = np.array([gemmi.Element(e).weight for e in one.element.tolist()])
    assert read[0].calculate_mass() == pytest.approx(masses.sum(), rel=1e-6)
    centre = read[0].calculate_center_of_mass().tolist()
    expected = (masses[:, None] * one.coordinates).sum(0) / masses.sum()
    assert centre == pytest.approx(expected.tolist(), abs=1e-2)


def pdb_atom(number, name, residue, chain, at, *, alt=" ", occupancy=1.0):
    """A line of a PDB file."""
    x, y, z = at
    return (
        f"ATOM  {number:>5}  {name:<3}{alt}{residue:>3} {chain}   1    "
        f"{x:8.3f}{y:8.3f}{z:8.3f}{occupancy:6.2f}  0.00          {name[0]:>2}\n"
    )


def test_of_alternative_places_the_first_is_read():
    text = pdb_atom(1, "N", "ALA", "A", (0, 0, 0))
    text += pdb_atom(2, "CA", "ALA", "A", (1, 0, 0), alt="B", occupancy=0.4)
    text += pdb_atom(3, "CA", "ALA", "A", (9, 0, 0), alt="A", occupancy=0.6)
    text += pdb_atom(4, "C", "ALA", "A", (2, 0, 0)) + "END\n"
    found = read_pdb(text)
    assert found.atom_name.tolist() == ["N", "CA", "C"]
    assert found.coordinates[1, 0] in (1.0, 9.0)


def test_chains_of_one_letter_of_two_cases_are_two_chains():
    text = pdb_atom(1, "CA", "ALA", "A", (0, 0, 0)) + pdb_atom(2, "CA", "GLY", "a", (5, 0, 0))
    found = read_pdb(text + "END\n")
    assert found.chain_ids == ("A", "a")
    assert [found.sequence(chain) for chain in "Aa"] == ["A", "G"]


@pytest.mark.parametrize("value", ["nan", "inf", "1e9", "?"])
def test_a_place_that_is_none_is_refused_in_words(value):
    text = written(structure("1l2y")).replace("-8.901", value, 1)
    with pytest.raises(InvalidInput, match=r"without a sensible place|not an mmCIF"):
        read_mmcif(text)


def test_two_blocks_are_no_structure():
    text = written(structure("1l2y"))
    with pytest.raises(InvalidInput, match="not an mmCIF file"):
        read_mmcif(text + text.replace("data_test", "data_two"))


# Arrays -----------------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=25)
def test_any_selection_is_a_structure_of_its_own(data):
    both = joined(structure("1l2y"), structure("1crn"))
    generator = np.random.default_rng(data.draw(SEEDS))
    mask = generator.random(both.n_atoms) < data.draw(st.floats(0.05, 0.95))
    mask[0] = True
    part = both.select(mask)
    assert part.n_atoms == mask.sum()
    assert (np.diff(part.token_index) >= 0).all()
    assert part.token_index[0] == 0
    assert part.token_index[-1] == part.n_tokens - 1
    assert (part.token_chain_id[part.token_index] == part.chain_id).all()
    assert (part.token_index[part.centre_atoms] == np.arange(part.n_tokens)).all()
    twice = part.select(np.ones(part.n_atoms, dtype=bool))
    assert all(np.array_equal(getattr(twice, name), value) for name, value in vars(part).items())


def test_a_residue_without_its_ca_is_centred_on_its_first_atom():
    one = structure("1l2y")
    bare = one.select(~((one.residue_number == 3) & (one.atom_name == "CA")))
    assert bare.atom_name[bare.centre_atoms].tolist() == ["CA"] * 2 + ["N"] + ["CA"] * 17
    assert bare.token_residue_number.tolist() == list(range(1, 21))


# Chirality --------------------------------------------------------------------------------------

MOLECULES = {
    "one centre": "C[C@H](O)Cc1ccccc1",
    "three centres": "C[C@@H](O)[C@H](N)[C@@H](C)Cl",
    "a fused ring": "C[C@]12CC[C@H](O)C[C@@H]1CC[C@@H]1[C@@H]2CCCC1",
}


def labels(mol, positions):
    """CIP labels of the centres, as RDKit reads them off coordinates."""
    mol = Chem.Mol(mol)
    mol.RemoveAllConformers()
    conformer = Chem.Conformer(mol.GetNumAtoms())
    for index, place in enumerate(positions):
        conformer.SetAtomPosition(index, [float(x) for x in place])
    mol.AddConformer(conformer)
    Chem.AssignStereochemistryFrom3D(mol)
    return dict(Chem.FindMolChiralCenters(mol, useLegacyImplementation=False))


@pytest.mark.parametrize("smiles", MOLECULES.values(), ids=MOLECULES)
@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_kept_is_what_rdkit_reads_off_the_model(smiles, seed):
    # A conformer of the same graph with stereochemistry left to chance: RDKit says what it became.
    built = build(Ligand(("A",), smiles=smiles))
    flat = Chem.MolFromSmiles(smiles)
    wanted = labels(flat, embed(flat, seed=7))
    Chem.RemoveStereochemistry(flat)
    positions = embed(flat, seed=seed)
    found = labels(Chem.MolFromSmiles(smiles), positions)
    model = built.structure.with_coordinates(positions.astype(np.float32))
    (report,) = stereochemistry(model, built.composition)
    index = {name: k for k, name in enumerate(built.structure.atom_name.tolist())}
    assert {index[element.atoms[0]] for element in report.elements} == wanted.keys()
    for element in report.elements:
        centre = index[element.atoms[0]]
        assert element.kept == (found[centre] == wanted[centre]), element


@pytest.mark.parametrize("smiles", ["C/C=C/C(=O)O", "C/C=C\\C(=O)O", "F/C(Cl)=C(/Br)C"])
def test_a_double_bond_is_kept_where_its_ends_lie_as_rdkit_lays_them(smiles):
    built = build(Ligand(("A",), smiles=smiles))
    flat = Chem.MolFromSmiles(smiles)
    right = embed(flat, seed=7).astype(np.float32)
    (report,) = stereochemistry(built.structure.with_coordinates(right), built.composition)
    (element,) = report.elements
    assert element.kept
    wrong = embed(Chem.MolFromSmiles(turned_round(smiles)), seed=7).astype(np.float32)
    (report,) = stereochemistry(built.structure.with_coordinates(wrong), built.composition)
    assert [e.kept for e in report.elements] == [False]


def turned_round(smiles):
    """The other isomer: the last mark the other way."""
    place = max(smiles.rfind("/"), smiles.rfind("\\"))
    return smiles[:place] + ("\\" if smiles[place] == "/" else "/") + smiles[place + 1 :]


def embed(mol, *, seed):
    whole = Chem.AddHs(mol)
    assert rdDistGeom.EmbedMolecule(whole, randomSeed=seed) == 0
    return whole.GetConformer().GetPositions()[: mol.GetNumAtoms()]


def test_swapping_two_neighbours_turns_that_centre_alone():
    built = build(ProteinChain(("A",), "GAGA"), Ligand(("B",), ccd=("GLC",)))
    (before,) = stereochemistry(built.structure, built.composition)
    assert before.n_kept == len(before.elements) == 5
    place = built.structure.coordinates.copy()
    names, chain = built.structure.atom_name, built.structure.chain_id
    centre, oxygen = (np.flatnonzero((names == name) & (chain == "B"))[0] for name in ("C3", "O3"))
    c2, c4 = (np.flatnonzero((names == name) & (chain == "B"))[0] for name in ("C2", "C4"))
    normal = np.cross(place[c2] - place[centre], place[c4] - place[centre])
    normal /= np.linalg.norm(normal)
    offset = place[oxygen] - place[centre]
    place[oxygen] -= 2 * np.dot(offset, normal) * normal  # to the other face of the ring
    (after,) = stereochemistry(built.structure.with_coordinates(place), built.composition)
    lost = [element.atoms for element in after.elements if not element.kept]
    assert lost == [("C3",)]


def test_a_centre_that_is_flat_is_not_kept():
    built = build(Ligand(("A",), smiles="C[C@H](O)F"))
    (report,) = stereochemistry(built.structure, built.composition)
    assert report.n_kept == 1
    place = built.structure.coordinates.copy()
    place[:, 2] = 0.0
    (flat,) = stereochemistry(built.structure.with_coordinates(place), built.composition)
    assert flat.n_kept == 0


@given(SEEDS)
@settings(max_examples=8)
def test_chirality_does_not_depend_on_where_a_molecule_lies(seed):
    built = build(Ligand(("A",), ccd=("GLC",)))
    motion = random_motion(np.random.default_rng(seed))
    turned = motion.apply(built.structure.coordinates).astype(np.float32)
    (report,) = stereochemistry(built.structure.with_coordinates(turned), built.composition)
    assert report.n_kept == 5


# Ramachandran, surface --------------------------------------------------------------------------


@given(st.floats(-np.pi, np.pi), st.floats(-np.pi, np.pi), st.integers(0, len(KINDS) - 1))
def test_a_full_turn_changes_no_region(phi, psi, kind):
    def share(a, b):
        return rarity(np.array([a]), np.array([b]), np.array([kind]))[0]

    # A millionth inside, so that rounding does not carry an angle over the edge of a bin.
    phi, psi = (0.999 * angle + 1e-6 for angle in (phi, psi))
    assert share(phi + 2 * np.pi, psi) == pytest.approx(share(phi, psi), abs=0.05)
    assert 0.0 <= share(phi, psi) <= 1.0


def test_shares_add_up_over_the_reference():
    # The share of residues rarer than a cell, weighted by how common cells are, is uniform: few
    # cells of the plane hold most residues.
    grid = np.linspace(-np.pi, np.pi, 72, endpoint=False) + np.pi / 72
    phi, psi = (a.ravel() for a in np.meshgrid(grid, grid))
    for kind in range(len(KINDS)):
        shares = rarity(phi, psi, np.full(len(phi), kind))
        assert (shares < 0.02).mean() > 0.5, "most of the plane is forbidden"
        assert shares.max() == pytest.approx(1.0, abs=0.1)


def test_regions_do_not_change_with_motion_and_do_in_the_mirror():
    one = structure("1crn")
    motion = random_motion(np.random.default_rng(3))
    turned = one.with_coordinates(motion.apply(one.coordinates).astype(np.float32))
    assert ramachandran_regions(turned).tolist() == ramachandran_regions(one).tolist()
    mirrored = one.with_coordinates(one.coordinates * np.float32([1, -1, 1]))
    assert fraction_favoured(mirrored) < 0.6 < 0.9 < fraction_favoured(one)


def test_kinds_follow_the_names_of_the_neighbours():
    one = structure("1l2y")  # NLYIQWLKDGGPSSGRPPPS
    kinds = [KINDS[k] for k in residue_kinds(one)]
    expected = []
    sequence = one.sequence("A")
    for k, letter in enumerate(sequence):
        after = sequence[k + 1 : k + 2]
        special = {"G": "glycine", "P": "proline"}.get(letter)
        expected.append(special or ("before proline" if after == "P" else "general"))
    assert kinds == expected


@pytest.mark.parametrize("n", [1, 2, 12, 13, 25, 60])
def test_a_window_keeps_the_length_and_the_bounds(n):
    values = np.random.default_rng(n).random(n)
    found = windowed(values)
    assert found.shape == (n,)
    assert values.min() - 1e-9 <= found.min() <= found.max() <= values.max() + 1e-9
    assert windowed(np.full(n, 0.3)) == pytest.approx(0.3)


def test_areas_do_not_depend_on_where_the_structure_lies():
    one = structure("1l2y")
    motion = random_motion(np.random.default_rng(5))
    turned = one.with_coordinates(motion.apply(one.coordinates).astype(np.float32))
    assert relative_area(turned) == pytest.approx(relative_area(one), abs=0.06)


def test_a_single_residue_is_as_open_as_can_be():
    one = structure("1l2y")
    alone = one.select(one.residue_number == 6)
    assert relative_area(alone)[0] == 1.0
    assert relative_area(one)[5] < 0.3, "the tryptophan in the middle of its cage"
    assert isinstance(alone, Structure)
    assert proteins_alone(alone).kind("A") == "protein"
    assert len(ca("1l2y")) == 20
