"""Complexes without a network: every residue at its reference conformer, one behind the other."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from folding.confidence import assess
from folding.data.building import build_composition, build_structure
from folding.data.tokens import Tokens, tokenize
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
from folding.prediction import Prediction
from folding.structure.composition import Composition
from folding.structure.structure import Structure
from tests.folding.examples import logits
from tests.folding.inputs.examples import user_component

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


SDF = (Path(__file__).parent / "inputs" / "data" / "alaninate.sdf").read_text()


def everything() -> FoldInput:
    """A job with every kind of entity: copies, a ring, a glycan, modified residues, files."""
    own = user_component("OWN-1", ["C1", "C2", "O1", "N1"])
    chains = (
        ProteinChain(("A", "B"), PEPTIDE, modifications=(Modification("SEP", 5),)),
        ProteinChain(("C",), "GAWKGP", cyclic=True, description="a ring"),
        DnaChain(("D",), "ACGT", modifications=(Modification("5CM", 2),)),
        RnaChain(("E",), "ACGUN"),
        Ligand(("G",), ccd=("NAG", "NAG"), description="a glycan"),
        Ligand(("M", "N"), ccd=("MG",)),
        Ligand(("S",), smiles="C[C@H](N)C(=O)[O-]"),
        Ligand(("F",), file=SDF),
        Ligand(("U",), ccd=("OWN-1",)),
    )
    return FoldInput("Everything", chains, bonds=(*GLYCAN, DISULFIDE), user_ccd=own)


def predicted(fold_input: FoldInput, *, seed: int = 1, sample: int = 0) -> Prediction:
    """The job as if it had been folded: molecules apart, heads that say anything."""
    built = build(*fold_input.chains, bonds=fold_input.bonds, user_ccd=fold_input.user_ccd)
    n = built.tokens.n_tokens
    generator = np.random.default_rng(sample)
    contacts = generator.random((n, n), dtype=np.float32)
    return Prediction(
        seed=seed,
        sample=sample,
        structure=built.structure,
        confidence=assess(
            logits(built.structure, seed=sample),
            built.structure,
            contact_probs=contacts,
            frame_mask=built.tokens.has_frame,
        ),
        trajectory=generator.random((2, n, 3), dtype=np.float32),
        composition=built.composition,
    )
