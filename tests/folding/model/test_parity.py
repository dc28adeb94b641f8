"""Every part of the network against what other programs compute from the same weights and inputs.

`benchmarks.parity_protenix`, `…_openfold3` and `…_alphafold3` write the references with `--golden`;
the `reduced.json` beside each says how.
"""

from functools import partial

import pytest

from folding.model.alphafold3 import AlphaFold3
from folding.model.config import ModelConfig
from folding.weights.alphafold3 import to_own
from folding.weights.records import read_records
from tests.folding.model.cases import (
    REDUCED,
    REDUCED_ALPHAFOLD3,
    REDUCED_OPENFOLD3,
    n_real_atoms,
    network_of,
    random_network,
    templates_by_atom,
    templates_by_token,
)
from tests.folding.model.golden import FOLDER, Golden


def written_by_alphafold3(config: ModelConfig, seed: int) -> AlphaFold3:
    """The network in a file that AlphaFold 3's own code wrote."""
    return network_of(config, to_own(read_records(FOLDER / "alphafold3/reduced.bin.zst"), config))


TIED = partial(random_network, tied=True)
PROTENIX = Golden("protenix", REDUCED, random_network, lambda features, seed: features)
OPENFOLD3 = Golden("openfold3", REDUCED_OPENFOLD3, TIED, templates_by_token)
ALPHAFOLD3 = Golden("alphafold3", REDUCED_ALPHAFOLD3, written_by_alphafold3, templates_by_atom)
ALL = pytest.mark.parametrize("golden", [PROTENIX, OPENFOLD3, ALPHAFOLD3], ids=lambda g: g.name)


@ALL
def test_the_reference_was_made_with_this_configuration(golden):
    assert golden.same_configuration


@ALL
def test_the_reference_job_is_long_enough_for_the_atom_windows_to_matter(golden):
    n_atoms = n_real_atoms(golden.features)
    assert n_atoms > golden.config.n_keys
    assert n_atoms % golden.config.n_queries, "padding is part of the comparison"


def test_the_references_have_every_part():
    assert PROTENIX.ours.keys() == PROTENIX.theirs.keys()
    assert OPENFOLD3.ours.keys() - {"contact probabilities"} == OPENFOLD3.theirs.keys()
    assert ALPHAFOLD3.ours.keys() == ALPHAFOLD3.theirs.keys()


@pytest.mark.parametrize("part", sorted(PROTENIX.theirs))
def test_a_part_agrees_with_protenix(part):
    PROTENIX.check(part)


@pytest.mark.parametrize("part", sorted(OPENFOLD3.theirs))
def test_a_part_agrees_with_openfold3(part):
    OPENFOLD3.check(part)


@pytest.mark.parametrize("part", sorted(ALPHAFOLD3.theirs))
def test_a_part_agrees_with_alphafold3(part):
    ALPHAFOLD3.check(part)


def test_the_programs_do_not_agree_with_each_other():
    """Each variant is one of its own: what is equal in all would be no comparison."""
    for other in (OPENFOLD3, ALPHAFOLD3):
        for part in ("trunk, 1 cycles, pair", "denoised at 4 Å", "pae"):
            ours, theirs = PROTENIX.theirs[part], other.theirs[part]
            assert abs(ours - theirs).max() > 0.01 * abs(ours).max()
