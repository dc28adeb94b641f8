"""Confidence scores against their equations, written out in plain loops of float64.

AF3 SI section 4.3, eq. 17 to 19, and section 5.9. Tolerance 1e-4: the product sums in float32.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from folding.confidence import (
    ERROR_RANGE,
    HeadLogits,
    aligned_error,
    assess,
    chain_pair_minimum,
    chain_pair_tm,
    expected_value,
    interface_tm,
    predicted_tm,
)
from tests.folding.examples import dimer, joined, logits, structure

TOLERANCE = 1e-4
N_BINS = 64


def probabilities(values: np.ndarray) -> list[float]:
    top = max(values)
    weights = [math.exp(float(v) - float(top)) for v in values]
    return [w / sum(weights) for w in weights]


def mean_error(values: np.ndarray) -> float:
    """Expected error of one pair of tokens: bins of half an ångström, by their middle."""
    return sum(p * (k + 0.5) * 0.5 for k, p in enumerate(probabilities(values)))


def tm_term(values: np.ndarray, n_tokens: int) -> float:
    d0 = 1.24 * (max(n_tokens, 19) - 15) ** (1 / 3) - 1.8
    return sum(p / (1 + ((k + 0.5) * 0.5 / d0) ** 2) for k, p in enumerate(probabilities(values)))


def scores(pae_logits: np.ndarray, chains: list[str], frames: list[bool]) -> dict:
    """pTM, ipTM and the scores of pairs of chains, one frame and one token after the other."""
    n = len(chains)
    seen = [i for i in range(n) if frames[i]]
    term = [[tm_term(pae_logits[i, j], n) for j in range(n)] for i in range(n)]
    ptm = max((sum(term[i]) / n for i in seen), default=0.0)
    beyond = [
        np.mean([term[i][j] for j in range(n) if chains[j] != chains[i]])
        for i in seen
        if len(set(chains)) > 1
    ]
    names = list(dict.fromkeys(chains))
    pairs = {}
    for a in names:
        for b in names:
            size = chains.count(a) + (chains.count(b) if a != b else 0)
            views = [
                np.mean([tm_term(pae_logits[i, j], size) for j in range(n) if chains[j] == other])
                for this, other in ((a, b), (b, a))
                for i in seen
                if chains[i] == this
            ]
            pairs[a, b] = max(views, default=math.nan)
    return {"ptm": ptm, "iptm": max(beyond, default=None), "pairs": pairs, "names": names}


@st.composite
def cases(draw):
    n = draw(st.integers(2, 7))
    chains = sorted(draw(st.lists(st.sampled_from("ABC"), min_size=n, max_size=n)))
    frames = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    seed = draw(st.integers(0, 10_000))
    spread = draw(st.sampled_from([0.1, 1.0, 8.0]))
    values = np.random.default_rng(seed).normal(scale=spread, size=(n, n, N_BINS))
    return values.astype(np.float32), chains, frames


@settings(max_examples=25)
@given(cases())
def test_scores_are_those_of_the_equations(case):
    values, chains, frames = case
    expected = scores(values, chains, frames)
    ids, mask = np.array(chains), np.array(frames)
    error = aligned_error(values, ids)
    assert predicted_tm(error.tm_global, mask) == pytest.approx(expected["ptm"], abs=TOLERANCE)
    found = interface_tm(error.tm_global, mask, ids)
    if expected["iptm"] is None:
        assert found is None
    else:
        assert found == pytest.approx(expected["iptm"], abs=TOLERANCE)
    pairs = chain_pair_tm(error.tm_pair, mask, ids)
    wanted = [[expected["pairs"][a, b] for b in expected["names"]] for a in expected["names"]]
    np.testing.assert_allclose(pairs, wanted, atol=TOLERANCE)


@settings(max_examples=15)
@given(cases())
def test_pae_is_the_mean_error_of_each_pair(case):
    values, chains, frames = case
    n = len(chains)
    expected = np.array([[mean_error(values[i, j]) for j in range(n)] for i in range(n)])
    ids = np.array(chains)
    np.testing.assert_allclose(aligned_error(values, ids).pae, expected, rtol=TOLERANCE)
    np.testing.assert_allclose(
        expected_value(values, largest=ERROR_RANGE), expected, rtol=TOLERANCE
    )
    names = list(dict.fromkeys(chains))
    lowest = chain_pair_minimum(expected.astype(np.float32), np.array(frames), ids)
    for a, b in np.ndindex(lowest.shape):
        rows = [i for i in range(n) if chains[i] == names[a] and frames[i]]
        columns = [j for j in range(n) if chains[j] == names[b]]
        if rows:
            assert lowest[a, b] == pytest.approx(expected[np.ix_(rows, columns)].min(), rel=1e-5)
        else:
            assert np.isnan(lowest[a, b])


@settings(max_examples=20)
@given(cases())
def test_scores_lie_between_nothing_and_certainty(case):
    values, chains, frames = case
    ids, mask = np.array(chains), np.array(frames)
    error = aligned_error(values, ids)
    assert 0 <= predicted_tm(error.tm_global, mask) <= 1
    assert (error.pae >= 0.25).all()
    assert (error.pae <= 31.75).all()
    pairs = chain_pair_tm(error.tm_pair, mask, ids)
    known = pairs[~np.isnan(pairs)]
    assert ((known >= 0) & (known <= 1)).all()


def test_a_smaller_error_never_lowers_a_score():
    chains = np.array(list("AAABBB"))
    generator = np.random.default_rng(5)
    values = generator.normal(size=(6, 6, N_BINS)).astype(np.float32)
    surer = values.copy()
    surer[..., :8] += 2.0
    everything = np.ones(6, dtype=bool)
    one, two = (aligned_error(v, chains) for v in (values, surer))
    assert (two.pae < one.pae).all()
    assert predicted_tm(two.tm_global, everything) > predicted_tm(one.tm_global, everything)
    assert interface_tm(two.tm_global, everything, chains) > interface_tm(
        one.tm_global, everything, chains
    )


def test_a_certain_interface_between_unsure_chains_is_an_interface():
    chains = np.array(list("AABB"))
    sure = np.zeros(N_BINS, np.float32)
    sure[0] = 60.0
    values = np.zeros((4, 4, N_BINS), np.float32)
    values[:2, 2:] = values[2:, :2] = sure
    error = aligned_error(values, chains)
    everything = np.ones(4, dtype=bool)
    iptm = interface_tm(error.tm_global, everything, chains)
    # d0 of so few tokens is that of 19: 0.168 Å, against an error of a quarter.
    d0 = 1.24 * 4 ** (1 / 3) - 1.8
    assert iptm == pytest.approx(1 / (1 + (0.25 / d0) ** 2), abs=TOLERANCE)
    assert iptm > predicted_tm(error.tm_global, everything)


def test_pae_is_not_symmetric_and_pairs_of_chains_are():
    chains = np.array(list("AAB"))
    values = np.random.default_rng(1).normal(scale=4, size=(3, 3, N_BINS)).astype(np.float32)
    error = aligned_error(values, chains)
    assert not np.allclose(error.pae, error.pae.T)
    everything = np.ones(3, dtype=bool)
    pairs = chain_pair_tm(error.tm_pair, everything, chains)
    np.testing.assert_array_equal(pairs, pairs.T)
    lowest = chain_pair_minimum(error.pae, everything, chains)
    assert lowest[0, 1] == error.pae[:2, 2].min()
    assert lowest[1, 0] == error.pae[2, :2].min()


def shuffled(values: HeadLogits, order: np.ndarray, atoms: np.ndarray) -> HeadLogits:
    pairs = np.ix_(order, order)
    return HeadLogits(
        values.plddt[atoms], values.pae[pairs], values.pde[pairs], values.resolved[atoms]
    )


def test_chains_in_another_order_get_the_same_scores():
    both = joined(structure("1l2y"), structure("1crn"))
    swapped = joined(structure("1crn"), structure("1l2y"))
    first, n = structure("1l2y").n_tokens, both.n_tokens
    order = np.concatenate([np.arange(first, n), np.arange(first)])
    n_first = structure("1l2y").n_atoms
    atoms = np.concatenate([np.arange(n_first, both.n_atoms), np.arange(n_first)])
    values = logits(both, seed=3)
    contacts = np.zeros((n, n), np.float32)
    one = assess(values, both, contact_probs=contacts)
    two = assess(shuffled(values, order, atoms), swapped, contact_probs=contacts)
    assert two.ptm == pytest.approx(one.ptm, abs=1e-6)
    assert two.iptm == pytest.approx(one.iptm, abs=1e-6)
    assert two.ranking_score == pytest.approx(one.ranking_score, abs=1e-5)
    np.testing.assert_allclose(two.chain_ptm, one.chain_ptm[::-1], atol=1e-6)
    np.testing.assert_allclose(two.chain_pair_pae_min, one.chain_pair_pae_min[::-1, ::-1])


def test_a_dimer_that_ran_into_itself_comes_last():
    contacts = np.zeros((40, 40), np.float32)
    apart, inside = dimer(40.0), dimer(0.5)
    values = logits(apart)
    good, bad = (assess(values, s, contact_probs=contacts) for s in (apart, inside))
    assert (good.has_clash, bad.has_clash) == (False, True)
    assert bad.ranking_score < good.ranking_score - 99
    assert bad.ptm == good.ptm


def test_without_frames_a_complex_has_no_iptm_and_no_view():
    both = dimer()
    n = both.n_tokens
    found = assess(
        logits(both),
        both,
        contact_probs=np.zeros((n, n), np.float32),
        frame_mask=np.zeros(n, dtype=bool),
    )
    assert (found.ptm, found.iptm) == (0.0, None)
    assert np.isnan(found.chain_pair_iptm).all()
    assert np.isfinite(found.ranking_score)
