"""The linear map from weights and inputs to all angles, both ways."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.circuit import Circuit, parameter_input
from quantum.simulator.angles import AngleTable, LinearMap
from quantum.simulator.lowering import Line

LIKE = torch.zeros(0, dtype=torch.float64)
CIRCUIT = Circuit(1).ry("a", 0).ry("b", 0).ry(parameter_input("x"), 0)
ROWS = st.lists(
    st.tuples(
        st.floats(-3, 3),
        st.dictionaries(st.sampled_from("abc"), st.floats(-2, 2), max_size=3),
    ),
    min_size=1,
    max_size=6,
)
SOME = settings(max_examples=8, deadline=None, derandomize=True)


def lines_of(rows) -> list[Line]:
    """A line of weights for each (constant, scales by name)."""
    return [
        Line(constant, tuple((name, False, scale) for name, scale in scales.items()))
        for constant, scales in rows
    ]


def dense(rows) -> torch.Tensor:
    scales = [[scales.get(name, 0.0) for name in "abc"] for _, scales in rows]
    return torch.tensor(scales, dtype=torch.float64).view(len(rows), 3)


@given(rows=ROWS, batch=st.integers(1, 3))
@SOME
def test_angles_are_constants_and_scaled_values(rows, batch):
    values = torch.randn(batch, 3, dtype=torch.float64)
    found = LinearMap(lines_of(rows), "abc", LIKE)(values)
    constants = torch.tensor([constant for constant, _ in rows], dtype=torch.float64)[:, None]
    assert found.shape == (len(rows), batch)
    assert torch.allclose(found, dense(rows) @ values.T + constants)


@given(rows=ROWS)
@SOME
def test_gradients_go_back_by_the_transposed_map(rows):
    upstream = torch.randn(len(rows), 2, dtype=torch.float64)
    found = LinearMap(lines_of(rows), "abc", LIKE).gradient(upstream)
    assert torch.allclose(found, (dense(rows).T @ upstream).T)


def test_names_that_a_table_does_not_know_are_left_to_the_other():
    line = Line(0.5, (("a", False, 2.0), ("x", True, 3.0)))
    from_weights, from_inputs = (LinearMap([line], names, LIKE) for names in (("a",), ("x",)))
    one = torch.ones(1, 1, dtype=torch.float64)
    assert from_weights(one).item() == 2.5 and from_inputs(one).item() == 3.5


@pytest.mark.parametrize("batched_weights", [False, True])
def test_an_angle_is_batched_where_anything_in_it_is(batched_weights):
    table = AngleTable(CIRCUIT, batched_weights=batched_weights)
    constant = Line(0.3)
    weight = Line(0.0, (("a", False, 1.0),))
    mixed = Line(0.1, (("b", False, -1.0), ("x", True, 2.0)))
    assert [table.is_batched(line) for line in (constant, weight, mixed)] == [
        False, batched_weights, True
    ]  # fmt: skip
    rows = [table.add(line) for line in (constant, weight, mixed)]
    weights = torch.tensor([[0.5, 0.7]], dtype=torch.float64).expand(2 if batched_weights else 1, 2)
    inputs = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    shared, batched = table.compile(LIKE)(weights, inputs)
    assert shared[0] == 0 and (batched[0] == 0).all()  # row 0 turns nothing
    assert shared[rows[0]].item() == pytest.approx(0.3)
    where = batched[rows[1]] if batched_weights else shared[rows[1]]
    assert torch.allclose(where, torch.tensor(0.5, dtype=torch.float64))
    expected = torch.tensor([0.1 - 0.7 + 2, 0.1 - 0.7 + 4], dtype=torch.float64)
    assert torch.allclose(batched[rows[2]], expected)


@pytest.mark.parametrize("batched_weights", [False, True])
def test_weights_that_serve_many_columns_get_the_sum_of_their_gradients(batched_weights):
    table = AngleTable(CIRCUIT, batched_weights=batched_weights)
    table.add(Line(0.0, (("a", False, 2.0), ("x", True, 3.0))))
    compiled = table.compile(LIKE)
    batch = 3 if batched_weights else 1
    compiled(torch.zeros(batch, 2, dtype=LIKE.dtype), torch.zeros(3, 1, dtype=LIKE.dtype))
    upstream = torch.tensor([[0.0, 0, 0], [1.0, 10, 100]], dtype=torch.float64)
    weights, inputs = compiled.gradients(
        torch.zeros(1, dtype=LIKE.dtype), upstream, weight_batch=batch, input_batch=3
    )
    assert inputs[:, 0].tolist() == [3.0, 30.0, 300.0]
    expected = [2.0, 20.0, 200.0] if batched_weights else [222.0]
    assert weights[:, 0].tolist() == expected
    assert (weights[:, 1] == 0).all()
