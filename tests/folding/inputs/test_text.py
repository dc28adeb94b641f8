"""Raw text: its size, its characters, and how a message quotes it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.errors import InvalidInput
from folding.inputs.text import check_characters, check_size, quoted, without_invisible


def test_size_is_counted_in_characters():
    check_size("é" * 10, limit=10, what="A name", field="name")
    with pytest.raises(InvalidInput) as caught:
        check_size("é" * 11, limit=10, what="A name", field="name")
    assert str(caught.value).startswith("A name can have at most 10 characters, but this has 11.")
    assert caught.value.field == "name"


@pytest.mark.parametrize(
    "character", ["\t", "\n", "\r", "\v", "\f", " ", "é", "あ", "🧬", "\u2028"]
)
def test_printable_text_and_white_space_pass(character):
    check_characters(f"a{character}b", what="Text", field="")


@pytest.mark.parametrize(
    "character",
    [
        "\0",
        "\1",
        "\x08",
        "\x0e",
        "\x1b",
        "\x1c",
        "\x1f",
        "\x7f",
        "\x80",
        "\x9f",
        "\ud800",
        "\udfff",
    ],
)
def test_control_characters_and_half_surrogates_are_named(character):
    with pytest.raises(InvalidInput) as caught:
        check_characters(f"one\ntwo\nth{character}ree", what="The text", field="name")
    assert "line 3" in str(caught.value)
    assert f"U+{ord(character):04X}" in str(caught.value)
    assert caught.value.field == "name"


def test_the_first_of_several_is_named():
    with pytest.raises(InvalidInput, match=r"line 1 .* U\+0007"):
        check_characters("a\7b\n\0", what="The text", field="")


def test_a_long_text_is_checked_quickly():
    started = time.perf_counter()
    check_characters("ACDEF\n" * 3_000_000, what="The text", field="")
    assert time.perf_counter() - started < 2


def test_invisible_characters_go_and_others_stay():
    assert without_invisible("\ufeffA\u200bC\u00adD\u2060E F") == "ACDE F"


@given(st.text(max_size=100) | st.integers() | st.none() | st.lists(st.integers()))
def test_a_quotation_is_short_and_on_one_line(value):
    found = quoted(value)
    assert found.startswith("“")
    assert found.endswith("”")
    assert len(found) <= 43
    assert found.isprintable()


def test_what_is_quoted():
    assert quoted("abc") == "“abc”"
    assert quoted(3) == "“3”"
    assert quoted(None) == "“None”"
    assert quoted("a\nb") == "“a\ufffdb”"
    assert quoted("x" * 40) == f"“{'x' * 40}”"
    assert quoted("x" * 41) == f"“{'x' * 40}…”"


def test_a_quotation_of_something_huge_or_deep_is_quick():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert len(quoted(deep)) < 50
    assert len(quoted([0] * 1_000_000)) < 50
    assert len(quoted({str(i): i for i in range(100_000)})) < 50
