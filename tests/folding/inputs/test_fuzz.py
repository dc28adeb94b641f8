"""Mutated inputs end in a job or in a sentence; `benchmarks/fuzz_inputs.py` runs many more."""

from benchmarks.fuzz_inputs import corpus, fuzz


def test_mutated_inputs_are_read_or_refused():
    outcome = fuzz(corpus(), n=3000, seed=1)
    assert outcome.n_read + outcome.n_refused == 3000
    assert outcome.n_read > 300, "the mutations should leave some inputs whole"
    assert outcome.n_refused > 300, "the mutations should break some inputs"
