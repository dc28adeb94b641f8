"""Every part of the network against what other programs compute from the same weights and inputs.

`python -m benchmarks.parity_protenix --golden` and `python -m benchmarks.parity_openfold3 --golden`
write the references; the `reduced.json` beside each says how.
"""

import pytest

from tests.folding.model.cases import REDUCED, REDUCED_OPENFOLD3, n_real_atoms
from tests.folding.model.golden import Golden

PROTENIX = Golden("protenix", REDUCED, by_token=False)
OPENFOLD3 = Golden("openfold3", REDUCED_OPENFOLD3, by_token=True)
BOTH = pytest.mark.parametrize("golden", [PROTENIX, OPENFOLD3], ids=lambda golden: golden.name)


@BOTH
def test_the_reference_was_made_with_this_configuration(golden):
    assert golden.same_configuration


@BOTH
def test_the_reference_job_is_long_enough_for_the_atom_windows_to_matter(golden):
    n_atoms = n_real_atoms(golden.features)
    assert n_atoms > golden.config.n_keys
    assert n_atoms % golden.config.n_queries, "padding is part of the comparison"


def test_the_references_have_every_part():
    assert PROTENIX.ours.keys() == PROTENIX.theirs.keys()
    assert OPENFOLD3.ours.keys() - {"contact probabilities"} == OPENFOLD3.theirs.keys()


@pytest.mark.parametrize("part", sorted(PROTENIX.theirs))
def test_a_part_agrees_with_protenix(part):
    PROTENIX.check(part)


@pytest.mark.parametrize("part", sorted(OPENFOLD3.theirs))
def test_a_part_agrees_with_openfold3(part):
    OPENFOLD3.check(part)
