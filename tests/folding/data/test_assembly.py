"""Molecules joined: what leaves, what is bonded, what is a token."""

import numpy as np
import pytest

from folding.data.features import featurize
from folding.data.msa import msa_features
from folding.data.style import ReferenceStyle
from folding.data.tokens import tokenize
from folding.inputs import (
    AtomRef,
    Bond,
    DnaChain,
    FoldInput,
    Ligand,
    Modification,
    ProteinChain,
    RnaChain,
)
from tests.folding.complexes import build, glycoprotein
from tests.folding.inputs.examples import user_component


def atoms_of(tokens, chain: int, number: int) -> list[str]:
    """Names of the atoms of one residue; chains and residues count from 1."""
    token = tokens.atom_to_token
    here = (tokens.asym_id[token] == chain) & (tokens.residue_index[token] == number)
    return [name for name, is_here in zip(tokens.atom_names, here, strict=True) if is_here]


def named(tokens, pairs) -> set[frozenset[str]]:
    """Bonds as pairs of `chain/residue/atom`."""
    token = tokens.atom_to_token
    return {
        frozenset(
            f"{tokens.chain_ids[tokens.asym_id[token[atom]] - 1]}/"
            f"{tokens.residue_index[token[atom]]}/{tokens.name[atom]}"
            for atom in pair
        )
        for pair in pairs.tolist()
    }


def test_what_a_bond_replaces_leaves():
    tokens = glycoprotein().tokens
    assert "O1" not in atoms_of(tokens, 2, 1)
    assert "O4" in atoms_of(tokens, 2, 1)
    assert len(atoms_of(tokens, 2, 1)) == len(atoms_of(tokens, 2, 2)) == 14


@pytest.mark.parametrize(("terminal_atoms", "n_oxygens"), [(False, 1), (True, 2)])
def test_the_end_of_a_chain_keeps_its_oxygen_where_the_network_learnt_so(terminal_atoms, n_oxygens):
    job = FoldInput("job", (ProteinChain(("A",), "GAGA"),))
    tokens = tokenize(job, ReferenceStyle(terminal_atoms=terminal_atoms))
    ends = [name for name in atoms_of(tokens, 1, 4) if name in ("O", "OXT")]
    assert len(ends) == n_oxygens
    assert "OXT" not in atoms_of(tokens, 1, 3)


def test_bonds_across_residues_are_joints():
    tokens = glycoprotein().tokens
    assert named(tokens, tokens.joints) == {
        frozenset({"A/3/ND2", "G/1/C1"}),
        frozenset({"G/1/O4", "G/2/C1"}),
        frozenset({"A/4/SG", "A/7/SG"}),
    }


def test_each_atom_of_a_ligand_and_of_a_modified_residue_is_a_token():
    phospho = ProteinChain(("A",), "GASG", modifications=(Modification("SEP", 3),))
    tokens = build(phospho, Ligand(("B",), ccd=("ATP",)), DnaChain(("C",), "ACG")).tokens
    counts = np.bincount(tokens.asym_id)[1:]
    assert counts.tolist() == [3 + 10, 31, 3]
    assert "OXT" not in atoms_of(tokens, 1, 3)
    serine = tokens.restype[tokens.residue_index == 3][0]
    assert serine == tokens_of_serine()


def tokens_of_serine() -> int:
    return int(tokenize(FoldInput("S", (ProteinChain(("A",), "SGGG"),))).restype[0])


def test_the_first_nucleotide_has_no_oxygen_too_many():
    tokens = build(RnaChain(("A",), "ACGU"), DnaChain(("B",), "ACGT")).tokens
    assert "O2'" in atoms_of(tokens, 1, 2)
    assert "O2'" not in atoms_of(tokens, 2, 2)
    assert "OP3" not in atoms_of(tokens, 1, 2)
    assert [tokens.atom_names[a] for a in tokens.centre_atom] == ["C1'"] * 8


def test_a_ring_has_no_end():
    tokens = build(ProteinChain(("A",), "GAGAGA", cyclic=True)).tokens
    assert "OXT" not in atoms_of(tokens, 1, 6)
    assert named(tokens, tokens.joints) == {frozenset({"A/6/C", "A/1/N"})}
    assert set(tokens.ring_length.tolist()) == {6}


def test_ligands_that_are_alike_are_copies_of_one_entity():
    ligands = (
        Ligand(("B",), smiles="CCO"),
        Ligand(("C",), smiles="CCO"),
        Ligand(("D",), ccd=("MG",)),
    )
    tokens = build(ProteinChain(("A",), "GAGA"), *ligands).tokens
    first = np.unique(tokens.asym_id, return_index=True)[1]
    assert tokens.entity_id[first].tolist() == [1, 2, 2, 3]
    assert tokens.sym_id[first].tolist() == [1, 1, 2, 1]


@pytest.mark.parametrize(
    ("ligand", "n_frames"), [("MG", 0), ("CMO", 0), ("ATP", 31), ("SO4", 5)], ids=str
)
def test_frames_need_three_atoms_off_a_line(ligand, n_frames):
    tokens = build(ProteinChain(("A",), "GAGA"), Ligand(("B",), ccd=(ligand,))).tokens
    assert tokens.has_frame[:4].all()
    assert tokens.has_frame[4:].sum() == n_frames


def test_a_component_of_the_users_own_is_read():
    text = (
        "data_XYZ\n_chem_comp.id XYZ\n_chem_comp.name own\n_chem_comp.type NON-POLYMER\n"
        "loop_\n_chem_comp_atom.comp_id\n_chem_comp_atom.atom_id\n_chem_comp_atom.type_symbol\n"
        "_chem_comp_atom.charge\nXYZ C1 C 0\nXYZ O1 O -1\n"
        "loop_\n_chem_comp_bond.comp_id\n_chem_comp_bond.atom_id_1\n_chem_comp_bond.atom_id_2\n"
        "_chem_comp_bond.value_order\nXYZ C1 O1 SING\n"
    )
    chains = (ProteinChain(("A",), "GAGA"), Ligand(("B",), ccd=("XYZ",)))
    tokens = build(*chains, user_ccd=text).tokens
    assert atoms_of(tokens, 2, 1) == ["C1", "O1"]
    assert tokens.charge[-2:].tolist() == [0, -1]
    assert tokens.bonds.tolist() == [[4, 5]]


def bonded(*pairs: tuple[str, str], chains=()) -> FoldInput:
    """A peptide and other chains with bonds, atoms written as `A/2/SG`."""

    def atom(text: str) -> AtomRef:
        chain, position, name = text.split("/")
        return AtomRef(chain, int(position), name)

    bonds = tuple(Bond(atom(one), atom(other)) for one, other in pairs)
    return FoldInput("job", (ProteinChain(("A",), "GCSKCG"), *chains), bonds=bonds)


def test_a_bond_within_one_residue_is_none_between_tokens():
    job = bonded(("A/2/SG", "A/2/N"))
    tokens = tokenize(job)
    found = featurize(tokens, msa_features(job, tokens), np.random.default_rng(0))
    assert found.token_bonds.sum() == 0
    assert named(tokens, tokens.joints) == {frozenset({"A/2/SG", "A/2/N"})}


def test_a_peptide_bond_that_is_named_too_takes_nothing_more():
    plain, twice = (tokenize(job) for job in (bonded(), bonded(("A/2/C", "A/3/N"))))
    assert twice.atom_names == plain.atom_names
    assert named(twice, twice.joints) == {frozenset({"A/2/C", "A/3/N"})}


def test_an_isopeptide_bond_takes_the_acid_of_the_chain_that_ends_there():
    """Ubiquitin's last glycine on a lysine of another protein."""
    other = ProteinChain(("U",), "LRGG")
    style = ReferenceStyle(terminal_atoms=True)
    free = tokenize(bonded(chains=(other,)), style)
    joined = tokenize(bonded(("U/4/C", "A/4/NZ"), chains=(other,)), style)
    assert atoms_of(free, 2, 4).count("OXT") == 1
    assert atoms_of(joined, 2, 4) == ["N", "CA", "C", "O"]
    assert atoms_of(joined, 1, 6).count("OXT") == 1, "the other end stays as it is"
    assert joined.n_tokens == free.n_tokens


def test_a_metal_is_held_by_several_atoms():
    zinc = Ligand(("Z",), ccd=("ZN",))
    tokens = tokenize(bonded(("A/2/SG", "Z/1/ZN"), ("A/5/SG", "Z/1/ZN"), chains=(zinc,)))
    assert named(tokens, tokens.joints) == {
        frozenset({"A/2/SG", "Z/1/ZN"}),
        frozenset({"A/5/SG", "Z/1/ZN"}),
    }
    assert tokens.bonds.tolist() == [[1, 6], [4, 6]]


def test_only_the_copies_that_a_bond_names_lose_atoms():
    sugars = Ligand(("G", "H"), ccd=("NAG",))
    tokens = tokenize(bonded(("A/2/SG", "G/1/C1"), chains=(sugars,)))
    assert "O1" not in atoms_of(tokens, 2, 1)
    assert "O1" in atoms_of(tokens, 3, 1)
    assert tokens.entity_id[-1] == tokens.entity_id[6], "they are one entity still"


@pytest.mark.parametrize("count", [1, 2, 11])
def test_molecules_without_a_code_are_called_in_their_order(count):
    smiles = ["C" * n for n in range(1, count + 1)]
    ids = "BCDEFGHIJKLM"
    chains = tuple(Ligand((ids[n],), smiles=text) for n, text in enumerate(smiles))
    again = Ligand(("Z",), smiles="C")
    tokens = tokenize(bonded(chains=(*chains, again)))
    of_ligands = tokens.residue_name[tokens.asym_id[tokens.atom_to_token] > 1]
    assert list(dict.fromkeys(of_ligands.tolist())) == [f"LIG{n}" for n in range(1, count + 1)]


def test_a_name_of_the_users_own_is_not_given_to_another_molecule():
    own = user_component("LIG1", ["C1", "C2"])
    chains = (
        ProteinChain(("A",), "GAGA"),
        Ligand(("B",), ccd=("LIG1",)),
        Ligand(("C",), smiles="CCO"),
    )
    tokens = tokenize(FoldInput("job", chains, user_ccd=own))
    assert list(dict.fromkeys(tokens.residue_name[-5:].tolist())) == ["LIG1", "LIG2"]
