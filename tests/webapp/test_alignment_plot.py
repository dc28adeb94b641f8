"""The picture of an alignment."""

import re

import pytest
from django.template.loader import render_to_string

from folding.inputs import FoldInput, ProteinChain
from webapp import alignment_plot, pipeline

QUERY = "ACDEFGHIKL"
OTHER = "MNPQR"


def summary(*rows: str, others: tuple = (), **more):
    msa = "".join(f">{i}\n{row}\n" for i, row in enumerate([QUERY, *rows])) if rows else None
    job = FoldInput("job", (ProteinChain(("A",), QUERY, msa=msa), *others))
    return {"source": "", **pipeline.alignment_summary(job), **more}


def html(found) -> str:
    return render_to_string("jobs/alignment/figure.html", alignment_plot.context(found))


def test_areas_stack_from_the_most_alike_upwards():
    paths = alignment_plot.areas([[1, 1], [0, 0], [1, 0]], left=10.0, width=20.0, deepest=2.0)
    top = "M10.0,80.0 L20.0,80.0 L20.0,80.0 L30.0,80.0"
    bottom = "L30.0,160.0 L20.0,160.0 L20.0,160.0 L10.0,160.0Z"
    above = "M10.0,0.0 L20.0,0.0 L20.0,80.0 L30.0,80.0 L30.0,80.0 L20.0,80.0 L20.0,80.0 L10.0,80.0Z"
    assert paths == ((0, f"{top} {bottom}"), (2, above))


def test_numbers_are_said_in_words():
    shown = html(summary("ACDEFGHIKV", "VVVVVVVVVV"))
    assert "3 sequences, 2 effective" in shown
    assert "fewer than 30 effective sequences say little" in shown
    assert shown.count("<path") == 2
    assert "No alignment" not in shown


def test_chains_stand_beside_each_other_as_wide_as_they_are_long():
    other = ProteinChain(("B", "C"), QUERY * 3, msa=f">q\n{QUERY * 3}\n>a\n{'-' * 30}\n")
    first, second = alignment_plot.context(summary(others=(other,)))["panels"]
    assert second.label == "B, C"
    assert second.width == pytest.approx(3 * first.width)
    assert second.left + second.width == pytest.approx(alignment_plot.WIDTH)


def test_without_an_alignment_it_says_so_loudly():
    shown = html(summary())
    assert "folded from the sequence alone" in shown
    assert "0.28" in shown
    assert "<svg" not in shown


def test_one_chain_without_an_alignment_beside_one_with():
    other = ProteinChain(("B",), QUERY, msa=f">q\n{QUERY}\n>a\n{'V' * 10}\n")
    shown = html(summary(others=(other,)))
    assert "Chain A</strong> no alignment" in shown
    assert "<svg" in shown


def test_a_chain_that_declines_an_alignment_is_told_from_one_that_has_none():
    others = (
        ProteinChain(("B",), QUERY, msa=f">q\n{QUERY}\n>a\n{'V' * 10}\n"),
        ProteinChain(("C", "D"), QUERY, msa=""),
        ProteinChain(("E",), QUERY, msa="", paired_msa=f">q\n{QUERY}\n>a key=1\n{'V' * 10}\n"),
        ProteinChain(("F",), OTHER, paired_msa=f">q\n{OTHER}\n>a key=1\n{'V' * 5}\n"),
    )
    found = summary(others=others)
    assert [chain["declines"] for chain in found["chains"]] == [False, False, True, True, False]
    shown = html(found)
    assert "Chain A</strong> no alignment</li>" in shown
    assert "Chain C, D</strong> no alignment, as this chain asks</li>" in shown
    assert "Chain E</strong> 2 sequences, 2 effective, 1 that can pair" in shown


def test_what_was_kept_before_chains_could_decline_is_still_shown():
    found = summary()
    del found["chains"][0]["declines"]
    assert "Chain A</strong> no alignment</li>" in html(found)


def test_templates_and_the_source_are_named():
    used = {"name": "1ABC_B", "chain": "A", "n_residues": 30, "identity": 62}
    shown = html(summary("ACDEFGHIKV", templates=[used], source="msa.example.org"))
    assert "1ABC_B" in shown
    assert "30 residues, 62 % identical" in re.sub(r"\s+", " ", shown)
    assert "from msa.example.org" in shown


def test_names_of_others_are_text_and_no_markup():
    used = {"name": "<b>x</b>", "chain": "A", "n_residues": 1, "identity": 1}
    assert "<b>x" not in html(summary(templates=[used]))


def test_long_chains_are_drawn_in_few_columns():
    chain = ProteinChain(("A",), QUERY * 100)
    found = pipeline.alignment_summary(FoldInput("long", (chain,)))
    assert {len(band) for band in found["chains"][0]["coverage"]} == {240}
    assert found["chains"][0]["n_residues"] == 1000
