"""Parameters: what forms, files and command lines may give, and what is said otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantum.applications import applications, find_application
from quantum.applications.base import Parameter
from quantum.backends.names import NAMES, QUANTUM
from quantum.backends.simulated import SimulatorBackend
from quantum.errors import InvalidValues

WHOLE = Parameter("count", "int", 5, 1, 100)
REAL = Parameter("rate", "float", 0.5, -2.0, 2.0)
CHOICE = Parameter("colour", "choice", "red", choices=("red", "green"))
TRUTH = Parameter("loud", "bool", False)


@given(st.integers(1, 100))
def test_whole_numbers_may_be_typed_in_several_ways(value):
    for given_ in (value, str(value), f" {value} ", float(value)):
        assert WHOLE.read(given_) == value and isinstance(WHOLE.read(given_), int)


@given(st.floats(-2, 2))
def test_numbers_come_back_exactly_from_their_text(value):
    assert REAL.read(repr(value)) == value == REAL.read(value)


@given(st.one_of(st.integers(max_value=0), st.integers(min_value=101)))
def test_what_lies_outside_is_refused_with_the_range(value):
    with pytest.raises(InvalidValues, match=r"count lies between 1 and 100, not at"):
        WHOLE.read(value)


@pytest.mark.parametrize("given_", ["", "five", "1.5", 2.5, None, [], {}, "nan", "inf", "1e400"])
def test_what_is_no_whole_number_is_called_so(given_):
    with pytest.raises(InvalidValues, match="count is a whole number"):
        WHOLE.read(given_)


@pytest.mark.parametrize("given_", [True, False])
def test_a_truth_value_is_no_number(given_):
    for parameter in (WHOLE, REAL):
        with pytest.raises(InvalidValues):
            parameter.read(given_)


@pytest.mark.parametrize("given_", ["nan", float("nan"), "inf", "-inf", float("inf")])
def test_numbers_that_are_none_are_refused(given_):
    with pytest.raises(InvalidValues, match="rate"):
        REAL.read(given_)


@given(st.text(max_size=10))
def test_any_other_word_is_no_choice(text):
    if text in CHOICE.choices:
        assert CHOICE.read(text) == text
    else:
        with pytest.raises(InvalidValues, match="colour is one of red, green"):
            CHOICE.read(text)


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [(True, True), (False, False), ("on", True), ("OFF", False), ("True", True), ("0", False),
     (1, True), (0, False)],
)  # fmt: skip
def test_truth_is_said_in_many_ways(given_, wanted):
    assert TRUTH.read(given_) is wanted


@pytest.mark.parametrize("given_", ["", "yes please", None, 2, 0.5])
def test_what_is_neither_true_nor_false(given_):
    with pytest.raises(InvalidValues, match="loud is true or false"):
        TRUTH.read(given_)


@pytest.mark.parametrize("application", applications(), ids=lambda a: a.name)
def test_every_default_lies_in_its_range_and_everything_is_explained(application):
    for parameter in application.parameters:
        assert parameter.read(parameter.default) == parameter.default
        assert parameter.read(str(parameter.default)) == parameter.default
        if parameter.kind in ("int", "float"):
            assert parameter.low <= parameter.high
            assert parameter.read(parameter.low) == parameter.low
            assert parameter.read(parameter.high) == parameter.high
    assert application.title and application.summary.endswith(".")


@pytest.mark.parametrize("application", applications(), ids=lambda a: a.name)
def test_every_application_runs_where_the_user_says(application):
    names = [parameter.name for parameter in application.parameters]
    assert names[-3:] == ["backend", "shots", "seed"] and len(set(names)) == len(names)
    backend = next(p for p in application.parameters if p.name == "backend")
    assert backend.choices == (*NAMES, QUANTUM)
    assert "classical" in backend.help
    elsewhere = SimulatorBackend(name="elsewhere")
    assert application.values({"backend": elsewhere})["backend"] is elsewhere
    with pytest.raises(InvalidValues, match="backend is one of simulator"):
        application.values({"backend": "abacus"})


def test_several_unknown_names_are_all_told():
    with pytest.raises(InvalidValues, match="no parameter blue, red; it has assets"):
        find_application("portfolio").values({"red": 1, "blue": 2, "assets": 5})
