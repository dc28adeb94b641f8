"""Confidence numbers: their definitions on cases that can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from folding.confidence import (
    ERROR_RANGE,
    PLDDT_RANGE,
    HeadLogits,
    aligned_error,
    assess,
    bin_centres,
    chain_pair_minimum,
    chain_pair_tm,
    expected_value,
    interface_tm,
    predicted_tm,
    ranking_score,
    softmax,
)
from tests.folding.examples import dimer, joined, logits, structure

SEEDS = st.integers(0, 2**32 - 1)


def certain(bins: np.ndarray, n_bins: int) -> np.ndarray:
    """Logits that are sure of the given bin."""
    return np.where(bins[..., None] == np.arange(n_bins), 50.0, 0.0).astype(np.float32)


def test_bins_of_error_are_half_an_angstrom_wide():
    centres = bin_centres(64, largest=ERROR_RANGE)
    assert centres[:2].tolist() == [0.25, 0.75]
    assert centres[-1] == 31.75
    assert bin_centres(50, largest=PLDDT_RANGE)[[0, -1]].tolist() == [1.0, 99.0]


@given(SEEDS)
def test_probabilities_sum_to_one_whatever_the_logits(seed):
    values = np.random.default_rng(seed).normal(scale=30, size=(4, 5)).astype(np.float32)
    probabilities = softmax(values)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(softmax(values + 100), probabilities, atol=1e-5)
    assert probabilities.min() >= 0


def test_an_expectation_weighs_the_bins():
    sure = certain(np.array([0, 24, 49]), 50)
    np.testing.assert_allclose(expected_value(sure, largest=PLDDT_RANGE), [1, 49, 99], atol=1e-4)
    torn = np.full((1, 64), -50.0, dtype=np.float32)
    torn[0, [0, 63]] = 0
    np.testing.assert_allclose(expected_value(torn, largest=ERROR_RANGE), [16.0], atol=1e-4)
    unsure = np.zeros((200, 3, 64), dtype=np.float32)
    np.testing.assert_allclose(expected_value(unsure, largest=ERROR_RANGE), 16.0, atol=1e-4)
    assert expected_value(unsure, largest=ERROR_RANGE).shape == (200, 3)
    assert expected_value(np.zeros((0, 64), np.float32), largest=ERROR_RANGE).shape == (0,)


def test_aligned_error_of_one_chain():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(70, 70, 64)).astype(np.float32)
    chain = np.full(70, "A")
    found = aligned_error(values, chain)
    np.testing.assert_allclose(found.pae, expected_value(values, largest=ERROR_RANGE), atol=1e-4)
    # AF3 SI eq. 17: the TM term of every bin, weighed by its probability.
    d0 = 1.24 * (70 - 15) ** (1 / 3) - 1.8
    terms = 1 / (1 + (bin_centres(64, largest=ERROR_RANGE) / d0) ** 2)
    np.testing.assert_allclose(found.tm_global, softmax(values) @ terms, atol=1e-5)
    np.testing.assert_allclose(found.tm_pair, found.tm_global, atol=1e-6)


def test_each_pair_of_chains_has_its_own_scale():
    values = certain(np.full((60, 60), 4), 64)
    chain = np.array(["A"] * 20 + ["B"] * 40)
    found = aligned_error(values, chain)

    def term(size: int) -> float:
        return 1 / (1 + (2.25 / (1.24 * (max(size, 19) - 15) ** (1 / 3) - 1.8)) ** 2)

    np.testing.assert_allclose(found.tm_global, term(60), atol=1e-5)
    np.testing.assert_allclose(found.tm_pair[:20, :20], term(20), atol=1e-5)
    np.testing.assert_allclose(found.tm_pair[20:, 20:], term(40), atol=1e-5)
    np.testing.assert_allclose(found.tm_pair[:20, 20:], term(60), atol=1e-5)


def test_ptm_is_the_view_from_the_best_frame():
    tm = np.array([[1.0, 0.2, 0.3], [0.5, 1.0, 0.9], [0.9, 0.9, 0.9]], dtype=np.float32)
    assert predicted_tm(tm, np.array([True, True, True])) == pytest.approx(0.9)
    assert predicted_tm(tm, np.array([True, True, False])) == pytest.approx(0.8)
    assert predicted_tm(tm, np.array([True, False, False])) == pytest.approx(0.5)
    assert predicted_tm(tm, np.zeros(3, dtype=bool)) == 0.0


def test_iptm_counts_other_chains_only():
    tm = np.array([[1.0, 1.0, 0.2], [1.0, 1.0, 0.4], [0.3, 0.1, 1.0]], dtype=np.float32)
    chain = np.array(["A", "A", "B"])
    everyone = np.ones(3, dtype=bool)
    assert interface_tm(tm, everyone, chain) == pytest.approx(0.4)
    assert interface_tm(tm, np.array([False, False, True]), chain) == pytest.approx(0.2)
    assert interface_tm(tm, everyone, np.array(["A", "A", "A"])) is None
    assert interface_tm(tm, np.zeros(3, dtype=bool), chain) is None


def test_chain_pairs_are_symmetric_with_ptm_on_the_diagonal():
    tm = np.array([[0.8, 0.6, 0.2], [0.4, 1.0, 0.4], [0.5, 0.3, 0.9]], dtype=np.float32)
    chain = np.array(["B", "B", "A"])
    everyone = np.ones(3, dtype=bool)
    np.testing.assert_allclose(
        chain_pair_tm(tm, everyone, chain), [[0.7, 0.4], [0.4, 0.9]], atol=1e-6
    )
    only_a = np.array([False, False, True])
    found = chain_pair_tm(tm, only_a, chain)
    np.testing.assert_allclose(found[0, 1], 0.4, atol=1e-6)
    assert np.isnan(found[0, 0])


def test_the_lowest_pae_between_chains():
    pae = np.array([[1.0, 2.0, 9.0], [3.0, 1.0, 7.0], [8.0, 5.0, 0.5]], dtype=np.float32)
    chain = np.array(["A", "A", "B"])
    everyone = np.ones(3, dtype=bool)
    assert chain_pair_minimum(pae, everyone, chain).tolist() == [[1.0, 7.0], [5.0, 0.5]]
    found = chain_pair_minimum(pae, np.array([True, True, False]), chain)
    assert found[0].tolist() == [1.0, 7.0]
    assert np.isnan(found[1]).all()


def test_the_ranking_score():
    good = {"ptm": 0.5, "fraction_disordered": 0.2, "has_clash": False}
    assert ranking_score(iptm=0.75, **good) == pytest.approx(0.8 * 0.75 + 0.2 * 0.5 + 0.1)
    assert ranking_score(iptm=None, **good) == pytest.approx(0.6)
    assert ranking_score(iptm=None, **{**good, "has_clash": True}) == pytest.approx(-99.4)


def test_a_certain_prediction_is_trusted():
    one = structure("1pga")
    n_tokens = one.n_tokens
    sure = HeadLogits(
        plddt=certain(np.full(one.n_atoms, 49), 50),
        pae=certain(np.zeros((n_tokens, n_tokens)), 64),
        pde=certain(np.zeros((n_tokens, n_tokens)), 64),
        resolved=certain(np.ones(one.n_atoms), 2),
    )
    contacts = np.zeros((n_tokens, n_tokens), dtype=np.float32)
    found = assess(sure, one, contact_probs=contacts)
    np.testing.assert_allclose(found.atom_plddt, 99, atol=1e-3)
    assert found.mean_plddt == pytest.approx(99, abs=1e-3)
    np.testing.assert_allclose(found.pae, 0.25, atol=1e-3)
    np.testing.assert_allclose(found.pde, 0.25, atol=1e-3)
    np.testing.assert_allclose(found.resolved, 1, atol=1e-3)
    assert found.ptm == pytest.approx(0.99, abs=0.01)
    assert found.iptm is None
    assert found.chain_ptm.tolist() == pytest.approx([found.ptm], abs=1e-6)
    assert np.isnan(found.chain_iptm).all()
    assert not found.has_clash
    assert found.fraction_disordered == 0
    assert found.ranking_score == pytest.approx(found.ptm)
    assert found.contact_probs is contacts


def test_a_dimer_has_an_interface():
    both = dimer()
    found = assess(logits(both), both, contact_probs=np.zeros((40, 40), dtype=np.float32))
    assert found.iptm is not None
    assert 0 < found.iptm < found.ptm + 0.2
    assert found.chain_pair_iptm.shape == (2, 2)
    np.testing.assert_allclose(found.chain_pair_iptm, found.chain_pair_iptm.T)
    np.testing.assert_allclose(found.chain_ptm, np.diagonal(found.chain_pair_iptm))
    np.testing.assert_allclose(found.chain_iptm, found.chain_pair_iptm[0, 1])
    assert found.chain_pair_pae_min[0, 1] == found.pae[:20, 20:].min()
    assert found.ranking_score == pytest.approx(
        0.8 * found.iptm + 0.2 * found.ptm + 0.5 * found.fraction_disordered
    )


def test_chains_through_each_other_lose_the_ranking():
    both = dimer(0.5)
    found = assess(logits(both), both, contact_probs=np.zeros((40, 40), dtype=np.float32))
    assert found.has_clash
    assert found.ranking_score < -98


def test_tokens_without_a_frame_do_not_judge():
    both = dimer()
    contacts = np.zeros((40, 40), dtype=np.float32)
    frames = np.array([True] * 20 + [False] * 20)
    found = assess(logits(both), both, contact_probs=contacts, frame_mask=frames)
    assert np.isnan(found.chain_pair_pae_min[1]).all()
    assert np.isnan(found.chain_ptm[1])
    assert not np.isnan(found.chain_iptm).any()


@given(SEEDS)
@settings(max_examples=10)
def test_the_order_of_chains_does_not_matter(seed):
    a, b = structure("1l2y"), structure("1l2y")
    both = joined(a, b.with_coordinates(b.coordinates + np.float32(30)))
    raw = logits(both, seed=seed)
    order = np.r_[20:40, 0:20]
    swapped = HeadLogits(
        plddt=raw.plddt,
        pae=raw.pae[np.ix_(order, order)],
        pde=raw.pde[np.ix_(order, order)],
        resolved=raw.resolved,
    )
    contacts = np.zeros((40, 40), dtype=np.float32)
    first = assess(raw, both, contact_probs=contacts)
    second = assess(swapped, both, contact_probs=contacts)
    assert first.ptm == pytest.approx(second.ptm)
    assert first.iptm == pytest.approx(second.iptm)
    np.testing.assert_allclose(first.chain_pair_iptm, second.chain_pair_iptm[::-1, ::-1])
    np.testing.assert_allclose(first.chain_pair_pae_min, second.chain_pair_pae_min[::-1, ::-1])
