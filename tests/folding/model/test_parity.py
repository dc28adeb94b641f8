"""Every part of the network against what Protenix 2.0.0 computes from the same weights and inputs.

`python -m benchmarks.parity_protenix --golden` writes the reference; `reduced.json` says how.
"""

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from tests.folding.model.cases import REDUCED, n_real_atoms, random_features, random_network
from tests.folding.model.parts import our_parts

GOLDEN = Path(__file__).parents[2] / "golden" / "protenix"
ORIGIN = json.loads((GOLDEN / "reduced.json").read_text())


@cache
def reference() -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "reduced.npz") as file:
        return dict(file)


@cache
def ours() -> dict[str, Tensor]:
    seed = ORIGIN["seed"]
    return our_parts(random_network(REDUCED, seed), random_features(seed, **ORIGIN["job"]), seed)


def test_the_reference_was_made_with_this_configuration():
    assert ORIGIN["config"] == json.loads(json.dumps(asdict(REDUCED)))


def test_the_reference_job_is_long_enough_for_the_atom_windows_to_matter():
    n_atoms = n_real_atoms(random_features(ORIGIN["seed"], **ORIGIN["job"]))
    assert n_atoms > REDUCED.n_keys
    assert n_atoms % REDUCED.n_queries, "padding is part of the comparison"


def test_the_reference_has_every_part():
    assert ours().keys() == reference().keys()


@pytest.mark.parametrize("part", sorted(reference()))
def test_a_part_agrees_with_protenix(part):
    theirs, result = reference()[part], ours()[part].numpy()
    assert result.shape == theirs.shape
    scale = np.abs(theirs).max()
    assert scale > 0.1, "a part that is nearly zero proves nothing"
    np.testing.assert_allclose(result, theirs, rtol=0, atol=ORIGIN["relative_tolerance"] * scale)
