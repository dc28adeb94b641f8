"""Confidence scores are DeepMind's: parity with `alphafold3` at commit c0f97ed.

`benchmarks/confidence_reference.py` made the golden file from that program's own functions on the
arrays of its `cases()` (seeds 0 to 3). Tolerance: 1e-5, for sums in another order in float32.
"""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.confidence_reference import GOLDEN, Case, cases
from folding.confidence import (
    AlignedError,
    aligned_error,
    assess,
    chain_pair_minimum,
    chain_pair_tm,
    interface_tm,
    predicted_tm,
    ranking_score,
)
from tests.folding.examples import joined, logits, structure

TOLERANCE = 1e-5
CASES = {case.name: case for case in cases()}


@pytest.fixture(params=list(CASES))
def case(request) -> Case:
    return CASES[request.param]


@pytest.fixture
def expected(case) -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as file:
        return {key.partition("/")[2]: file[key] for key in file if key.startswith(f"{case.name}/")}


@pytest.fixture
def error(case) -> AlignedError:
    return aligned_error(case.logits, chains(case))


def chains(case: Case) -> np.ndarray:
    return np.array(list("ABCD"))[case.asym_id - 1]


def test_pae(error, expected):
    np.testing.assert_allclose(error.pae, expected["pae"], atol=TOLERANCE * 32)


def test_ptm(case, error, expected):
    assert predicted_tm(error.tm_global, case.frames) == pytest.approx(
        float(expected["ptm"]), abs=TOLERANCE
    )


def test_iptm(case, error, expected):
    found = interface_tm(error.tm_global, case.frames, chains(case))
    if len(set(case.asym_id.tolist())) == 1:
        assert found is None
        assert np.isnan(expected["iptm"])
    else:
        assert found == pytest.approx(float(expected["iptm"]), abs=TOLERANCE)


def test_pairs_of_chains(case, error, expected):
    found = chain_pair_tm(error.tm_pair, case.frames, chains(case))
    np.testing.assert_allclose(found, expected["chain_pair_iptm"], atol=TOLERANCE)


def test_the_lowest_pae_of_pairs_of_chains(case, error, expected):
    found = chain_pair_minimum(error.pae, case.frames, chains(case))
    np.testing.assert_allclose(found, expected["chain_pair_pae_min"], atol=TOLERANCE * 32)


def test_the_mean_iptm_of_each_chain(case, error, expected):
    pairs = chain_pair_tm(error.tm_pair, case.frames, chains(case))
    one = structure("1l2y").select(structure("1l2y").residue_number <= 4)
    several = joined(*[one] * len(pairs))
    contacts = np.zeros((several.n_tokens, several.n_tokens), dtype=np.float32)
    some = assess(logits(several), several, contact_probs=contacts)
    found = replace(some, chain_ptm=np.diagonal(pairs).copy(), chain_pair_iptm=pairs).chain_iptm
    if len(pairs) == 1:
        assert np.isnan(found).all()
    else:
        np.testing.assert_allclose(found, expected["chain_iptm"], atol=TOLERANCE)


def test_the_ranking_score(case, error, expected):
    found = ranking_score(
        ptm=predicted_tm(error.tm_global, case.frames),
        iptm=interface_tm(error.tm_global, case.frames, chains(case)),
        fraction_disordered=0.25,
        has_clash=True,
    )
    assert found == pytest.approx(float(expected["ranking_score"]), abs=1e-4)
