"""Counts of work grow as the algorithms say, and hold for every part that is counted."""

from dataclasses import replace

import pytest

from folding import work
from folding.model.config import SMALL
from folding.weights.configs import BASE
from folding.work import Size, Work

STAGES = {
    "cycle": work.cycle,
    "context": work.context,
    "step": work.step,
    "confidence": work.confidence,
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("config", [SMALL, BASE], ids=["small", "base"])
def test_more_tokens_are_more_work(stage, config):
    sizes = [Size(n, 8 * n) for n in (16, 64, 256)]
    counts = [sum(STAGES[stage](size, config).terms[:3]) for size in sizes]
    assert counts == sorted(counts)
    assert counts[0] > 0


def test_triangles_grow_with_the_third_power():
    widths = (128, 128, 32, 4)
    one, two = (work.pair_stack(n, widths).attention for n in (1000, 2000))
    assert two == 8 * one


def test_the_transition_of_pairs_is_counted_as_it_is_multiplied():
    """A fourfold SwiGLU transition: two maps of c × 4c in, one of 4c × c out."""
    n, widths = 10, (64, 32, 8, 4)
    difference = work.pair_stack(n, widths, 4).products - work.pair_stack(n, widths, 0).products
    assert difference == 2 * n * n * (64 * 2 * 256 + 256 * 64)


def test_each_block_adds_the_same():
    size = Size(50, 400)
    less, more, most = (
        work.cycle(size, replace(BASE, n_pairformer_blocks=n)).products for n in (1, 2, 3)
    )
    assert more - less == pytest.approx(most - more)


def test_a_shallow_alignment_is_cheap_and_a_deep_one_is_not():
    none, few, many = (work.cycle(Size(100, 800, rows), BASE).products for rows in (1, 8, 512))
    assert none < few < many
    outer = 2 * 100**2 * 32**2 * 128 * BASE.n_msa_blocks
    assert many - none > outer


def test_samples_and_atoms_cost_in_the_step_alone():
    few, many = Size(100, 500), Size(100, 5000)
    assert work.step(few, BASE).products < work.step(many, BASE).products
    assert work.cycle(few, BASE) == work.cycle(many, BASE)


def test_work_adds_and_multiplies():
    unit = Work(1.0, 2.0, 3.0, 4.0, 5.0)
    assert (unit + unit).terms == (unit * 2).terms == (2, 4, 6, 8, 10)


def test_arrays_are_bytes():
    pairs, operands, biases, logits, windows, rows = work.arrays(Size(10, 80, 3), BASE)
    assert pairs == 4 * 10 * 10 * 128
    assert operands == 2 * pairs
    assert biases == 4 * 100 * 24 * 16
    assert logits == 4 * 100 * 128
    assert windows == 4 * 80 * 128 * 16
    assert rows == 4 * 3 * 10 * 64
