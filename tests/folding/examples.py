"""Small real structures and made-up predictions that several tests share."""

from functools import cache
from pathlib import Path

import numpy as np

from folding.confidence import HeadLogits, assess
from folding.inputs import FoldInput, ProteinChain
from folding.prediction import Prediction
from folding.structure.reading import read_pdb
from folding.structure.structure import Structure

GOLDEN = Path(__file__).parents[1] / "golden"

TRP_CAGE = "NLYIQWLKDGGPSSGRPPPS"
PROTEIN_G = "MTYKLILNGKTLKGETTTEAVDAATAEKVFKQYANDNGVDGEWTYDDATKTFTVTE"
CRAMBIN = "TTCCPSIVARSNFNVCRLPGTPEAICATYTGCIIIPGATCPGDYAN"


@cache
def structure(pdb_id: str) -> Structure:
    """The chain of a PDB entry that lies in `golden/structures`: 1l2y, 1pga or 1crn."""
    return read_pdb((GOLDEN / "structures" / f"{pdb_id}.pdb").read_text())


def ca(pdb_id: str) -> np.ndarray:
    """Its CA atoms as float64 [residue, 3]."""
    found = structure(pdb_id)
    return found.coordinates[found.centre_atoms].astype(np.float64)


def joined(*chains: Structure, entities: tuple[int, ...] | None = None) -> Structure:
    """The structures as chains A, B, … of one."""
    names = "ABCDEFGH"
    sizes = np.cumsum([0, *(chain.n_tokens for chain in chains)])
    return Structure(
        coordinates=np.concatenate([c.coordinates for c in chains]),
        element=np.concatenate([c.element for c in chains]),
        atom_name=np.concatenate([c.atom_name for c in chains]),
        residue_name=np.concatenate([c.residue_name for c in chains]),
        residue_number=np.concatenate([c.residue_number for c in chains]),
        chain_id=np.concatenate([[names[i]] * c.n_atoms for i, c in enumerate(chains)]),
        entity_id=np.concatenate(
            [
                np.full(c.n_atoms, i + 1 if entities is None else entities[i])
                for i, c in enumerate(chains)
            ]
        ),
        token_index=np.concatenate([c.token_index + sizes[i] for i, c in enumerate(chains)]),
        token_chain_id=np.concatenate([[names[i]] * c.n_tokens for i, c in enumerate(chains)]),
    )


def moved(structure_: Structure, shift: tuple[float, float, float]) -> Structure:
    """The structure somewhere else."""
    return structure_.with_coordinates(structure_.coordinates + np.array(shift, dtype=np.float32))


def dimer(distance: float = 40.0) -> Structure:
    """Two Trp-cages side by side, copies of one entity."""
    one = structure("1l2y")
    return joined(one, moved(one, (distance, 0.0, 0.0)), entities=(1, 1))


def logits(structure_: Structure, *, seed: int = 0) -> HeadLogits:
    """Random logits of the confidence heads."""
    generator = np.random.default_rng(seed)
    n_atoms, n_tokens = structure_.n_atoms, structure_.n_tokens
    shapes = [(n_atoms, 50), (n_tokens, n_tokens, 64), (n_tokens, n_tokens, 64), (n_atoms, 2)]
    return HeadLogits(*(generator.normal(size=s).astype(np.float32) for s in shapes))


def prediction(
    structure_: Structure | None = None, *, seed: int = 1, sample: int = 0
) -> Prediction:
    """A prediction of Trp-cage, or of the given structure, with random confidence."""
    structure_ = structure("1l2y") if structure_ is None else structure_
    generator = np.random.default_rng(sample)
    n_tokens = structure_.n_tokens
    contact_probs = generator.random((n_tokens, n_tokens), dtype=np.float32)
    return Prediction(
        seed=seed,
        sample=sample,
        structure=structure_,
        confidence=assess(logits(structure_, seed=sample), structure_, contact_probs=contact_probs),
        trajectory=generator.random((3, n_tokens, 3), dtype=np.float32),
        distogram=np.full((n_tokens, n_tokens, 64), 1 / 64, dtype=np.float16),
    )


def fold_input(*, copies: int = 1) -> FoldInput:
    """Trp-cage as a job."""
    ids = tuple("ABCDEFGH"[:copies])
    return FoldInput(name="Trp-cage", chains=(ProteinChain(ids, TRP_CAGE),), seeds=(1,))
