"""Diagonal operators as small tables, whole and cut into parts."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.observable import PauliSum, Z, identity
from quantum.simulator import cost as cost_tables
from quantum.simulator.cost import compile_cost

TERMS = st.lists(st.tuples(st.sets(st.integers(0, 5), max_size=4), st.floats(-2, 2)), max_size=6)


def diagonal_sum(terms) -> PauliSum:
    return PauliSum.of(
        (tuple((q, "Z") for q in sorted(qubits)), coefficient) for qubits, coefficient in terms
    )


@pytest.fixture(params=[16, 4, 2])
def block(request, monkeypatch) -> int:
    monkeypatch.setattr(cost_tables, "BLOCK", request.param)
    return request.param


@given(terms=TERMS, block=st.sampled_from([16, 4, 2]))
@settings(max_examples=12, deadline=None, derandomize=True)
def test_any_sum_of_words_of_z_is_its_diagonal(terms, block):
    observable = diagonal_sum(terms)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost_tables, "BLOCK", block)
        found = compile_cost(observable, 6, dtype=torch.float64)
    expected = sum(
        (c * np.prod([1 - 2 * (np.arange(64) >> (5 - q) & 1) for q in qubits], axis=0)
         for qubits, c in terms), np.zeros(64),
    )  # fmt: skip
    assert np.allclose(found.diagonal(), expected)


def test_parts_are_the_parts_of_the_whole(block):
    observable = diagonal_sum([({0, 3}, 1.0), ({5}, 0.3), ({1, 2, 4}, -0.7), (set(), 2.0)])
    tables = compile_cost(observable, 6, dtype=torch.float64)
    whole = tables.diagonal().view(tables.shape)
    for axis in (0, 1, 2):
        for first in range(0, tables.shape[axis], 2):
            cut = slice(first, first + 2)
            part = whole[(slice(None),) * axis + (cut,)]
            assert torch.allclose(tables.energies(axis, cut).expand(part.shape), part)


@pytest.mark.parametrize("observable", [PauliSum(), identity(1.5)])
def test_a_cost_without_words_is_flat(block, observable):
    found = compile_cost(observable, 5, dtype=torch.float64).diagonal()
    assert torch.equal(found, torch.full((32,), observable.constant.real, dtype=torch.float64))


def test_pairs_on_many_qubits_take_little_memory():
    """24 qubits: three tables of two groups, and never one of all."""
    pairs = sum((Z(a) @ Z(b) for a in range(0, 24, 5) for b in range(a)), PauliSum())
    tables = compile_cost(pairs, 24)
    assert tables.n_amplitudes == 2**24
    assert sum(table.numel() for table in tables.tables) <= 3 * 2**16
    three = compile_cost(Z(0) @ Z(10) @ Z(19), 20)
    assert max(table.numel() for table in three.tables) <= 2**20


def test_tables_map_one_by_one():
    tables = compile_cost(Z(0) + Z(1) @ Z(2), 3, dtype=torch.float64)
    doubled = tables.map_tables(lambda table: 2 * table)
    assert all(torch.equal(a, 2 * b) for a, b in zip(doubled, tables.tables, strict=True))
