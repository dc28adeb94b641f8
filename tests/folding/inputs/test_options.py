"""Options have ranges."""

import pytest

from folding.errors import InvalidInput
from folding.inputs import FoldOptions
from folding.inputs.options import RANGES


def test_defaults_are_within_range():
    options = FoldOptions()
    assert (options.n_samples, options.n_recycles, options.n_steps) == (5, 3, 20)
    assert options.model == "small"
    assert options.diversity is False


@pytest.mark.parametrize("name", list(RANGES))
def test_the_ends_of_a_range_are_allowed_and_beyond_is_not(name):
    low, high = RANGES[name]
    for value in (low, high):
        assert getattr(FoldOptions(**{name: value}), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(InvalidInput, match=f"from {low} to {high}, not “{value}”") as caught:
            FoldOptions(**{name: value})
        assert caught.value.field == name


def test_true_is_no_number():
    with pytest.raises(InvalidInput, match="whole number"):
        FoldOptions(n_samples=True)


@pytest.mark.parametrize("model", ["", "../secret", "a/b", "a b", "x" * 65, "-rf"])
def test_a_model_has_a_plain_name(model):
    with pytest.raises(InvalidInput) as caught:
        FoldOptions(model=model)
    assert caught.value.field == "model"
