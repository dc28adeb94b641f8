"""Small true things to test with: inputs, rows, predictions, of the product's own classes."""

from typing import Any

import numpy as np
from django.contrib.auth.models import User

from folding.confidence import Confidence
from folding.inputs import FoldInput, FoldOptions, ProteinChain
from folding.prediction import Prediction
from folding.structure.structure import Structure
from webapp.models import Job

SEQUENCE = "GAGAG"


def fold_input(sequence: str = SEQUENCE, *, name: str = "Five", seeds: tuple = (1,)) -> FoldInput:
    return FoldInput(name=name, chains=(ProteinChain(ids=("A",), sequence=sequence),), seeds=seeds)


def job(owner: User, **fields: Any) -> Job:
    """A row that nobody was told about."""
    given = fold_input()
    values = {"name": given.name, "fold_input": given.to_json(), "n_tokens": given.n_tokens}
    options = FoldOptions(n_samples=1, n_recycles=0, n_steps=2)
    return Job.objects.create(owner=owner, **{**values, "options": vars(options), **fields})


def structure(n: int = len(SEQUENCE)) -> Structure:
    """A chain of CA atoms along a line, 3.8 Å apart."""
    coordinates = np.zeros((n, 3), dtype=np.float32)
    coordinates[:, 0] = 3.8 * np.arange(n)
    return Structure(
        coordinates=coordinates,
        element=np.full(n, "C"),
        atom_name=np.full(n, "CA"),
        residue_name=np.array(["GLY", "ALA"] * n)[:n],
        residue_number=np.arange(1, n + 1),
        chain_id=np.full(n, "A"),
        entity_id=np.ones(n, dtype=int),
        token_index=np.arange(n),
        token_chain_id=np.full(n, "A"),
    )


def confidence(n: int = len(SEQUENCE), *, ranking_score: float = 0.5) -> Confidence:
    pairs = np.full((n, n), 4.0, dtype=np.float32)
    return Confidence(
        atom_plddt=np.full(n, 70.0, dtype=np.float32),
        pae=pairs,
        pde=pairs,
        resolved=np.ones(n, dtype=np.float32),
        contact_probs=np.eye(n, dtype=np.float32),
        ptm=0.6,
        iptm=None,
        chain_ptm=np.array([0.6], dtype=np.float32),
        chain_pair_iptm=np.array([[0.6]], dtype=np.float32),
        chain_pair_pae_min=np.array([[1.0]], dtype=np.float32),
        has_clash=False,
        fraction_disordered=0.25,
        ranking_score=ranking_score,
    )


def prediction(seed: int = 1, sample: int = 0, *, ranking_score: float = 0.5) -> Prediction:
    given = structure()
    return Prediction(
        seed=seed,
        sample=sample,
        structure=given,
        confidence=confidence(ranking_score=ranking_score),
        trajectory=np.stack([given.coordinates] * 2),
    )
