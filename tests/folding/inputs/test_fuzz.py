"""Mutated inputs end in a result or in a sentence; `benchmarks/fuzz_inputs.py` runs many more."""

import pytest

from benchmarks.fuzz_inputs import READERS, fuzz


@pytest.mark.parametrize("name", READERS)
def test_mutated_inputs_are_read_or_refused(name):
    outcome = fuzz(READERS[name], n=200, seed=1)
    assert outcome.n_read + outcome.n_refused == 200
    assert outcome.n_read > 10, "the mutations should leave some inputs whole"
    assert outcome.n_refused > 10, "the mutations should break some inputs"
