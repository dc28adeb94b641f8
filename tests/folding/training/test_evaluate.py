"""Scores of held-out proteins."""

from dataclasses import replace

import numpy as np
import pytest

from folding.inputs import FoldOptions
from folding.training.dataset import Chain, ChainFile
from folding.training.evaluate import (
    Score,
    chain_like,
    held_out,
    score,
    summary,
)
from folding.weights.own import load


def test_chain_likeness_counts_sound_distances():
    alpha = np.zeros((5, 3))
    alpha[:, 0] = np.cumsum([0, 3.8, 3.55, 4.2, 3.8])
    assert chain_like(alpha) == 0.75


def test_validation_takes_one_of_each_cluster_and_only_short_ones(chains):
    assert [c.name for c in held_out(chains, "val", 100)] == ["chain3"]
    assert held_out(chains, "val", 19) == []
    assert [c.name for c in held_out(chains, "train", 50)] == ["chain1", "chain2"]


class Cluster(ChainFile):
    """Chains in memory that are one cluster."""

    def __init__(self, *members: Chain) -> None:
        self.members = members

    def __getitem__(self, index: int) -> Chain:
        return self.members[index]

    def clusters(self, split: str) -> list[list[int]]:
        return [list(range(len(self.members)))]


def with_unseen(chain: Chain, n: int) -> Chain:
    observed = chain.observed.copy()
    observed[:n] = False
    return replace(chain, name=f"{n} unseen", observed=observed)


def test_of_a_cluster_the_chain_that_shows_most_is_scored(chains):
    cluster = Cluster(*(with_unseen(chains[3], n) for n in (2, 1, 5)))
    assert [c.name for c in held_out(cluster, "val", 100)] == ["1 unseen"]
    assert [c.name for c in held_out(cluster, "bench", 100)] == ["1 unseen", "2 unseen"]


def test_a_chain_with_large_gaps_is_not_scored(chains):
    assert held_out(Cluster(with_unseen(chains[3], 3)), "val", 100) == []


def test_a_prediction_is_scored_against_the_experiment(chains):
    options = FoldOptions(n_samples=1, n_recycles=0, n_steps=3)
    found = score(load(), chains[2], options)
    assert found.length == 20
    assert 0 <= found.lddt <= 100
    assert 0 <= found.tm_score <= 1
    assert 0 <= found.plddt <= 100


def test_the_summary_holds_means_and_the_correlation():
    scores = [Score("p", 30, x, x / 100, 2 * x, 1.0) for x in (10.0, 20.0, 30.0)]
    found = summary(scores)
    assert found["n"] == 3
    assert found["lddt"] == 20
    assert found["plddt_lddt_correlation"] == pytest.approx(1)
