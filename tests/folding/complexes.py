"""Complexes without a network: every residue at its reference conformer, one behind the other."""

from dataclasses import dataclass

import numpy as np

from folding.data.building import build_composition, build_structure
from folding.data.tokens import Tokens, tokenize
from folding.inputs import AtomRef, Bond, FoldInput, Ligand, ProteinChain
from folding.structure.composition import Composition
from folding.structure.structure import Structure

PEPTIDE = "GANCSKCA"
GLYCAN = (
    Bond(AtomRef("A", 3, "ND2"), AtomRef("G", 1, "C1")),
    Bond(AtomRef("G", 1, "O4"), AtomRef("G", 2, "C1")),
)
DISULFIDE = Bond(AtomRef("A", 4, "SG"), AtomRef("A", 7, "SG"))


@dataclass(frozen=True, eq=False)
class Built:
    """What a job is before it is folded."""

    tokens: Tokens
    structure: Structure
    composition: Composition


def build(*chains, bonds=(), user_ccd=None, mirrored: bool = False) -> Built:
    """The chains, 20 Å apart, their residues 10 Å; perhaps every residue as its mirror image."""
    tokens = tokenize(FoldInput("job", chains, bonds=tuple(bonds), user_ccd=user_ccd))
    chain = tokens.asym_id[tokens.atom_to_token]
    place = np.stack([20.0 * chain, 0.0 * chain, 10.0 * tokens.residue], axis=-1)
    shape = tokens.position * np.array([-1 if mirrored else 1, 1, 1])
    structure = build_structure(tokens, (shape + place).astype(np.float32))
    return Built(tokens, structure, build_composition(tokens))


def glycoprotein() -> Built:
    """A peptide with a disulfide and two sugars, and a magnesium ion."""
    chains = (
        ProteinChain(("A",), PEPTIDE),
        Ligand(("G",), ccd=("NAG", "NAG")),
        Ligand(("M",), ccd=("MG",)),
    )
    return build(*chains, bonds=(*GLYCAN, DISULFIDE))
