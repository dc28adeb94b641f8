"""Work in place gives what the modules give, whatever the pieces, masks and types."""

import pytest
import torch

from folding.model import inplace
from folding.model.triangle import PairStack
from tests.folding.model.cases import REDUCED, random_network

UPDATES = {
    "multiply_outgoing": inplace.add_triangle_multiplication,
    "multiply_incoming": inplace.add_triangle_multiplication,
    "attend_starting": inplace.add_triangle_attention,
    "attend_ending": inplace.add_triangle_attention,
}
N_TOKENS = 11


@pytest.fixture(scope="module")
def stack() -> PairStack:
    return random_network(REDUCED, 1).pairformer.blocks[0].pair_stack


@pytest.fixture(scope="module")
def z() -> torch.Tensor:
    shape = (N_TOKENS, N_TOKENS, REDUCED.c_z)
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


@pytest.fixture(params=[1, 4, 100], ids=lambda rows: f"{rows} rows")
def rows(request, monkeypatch):
    """Pieces of one row, of some with a rest, and all rows at once."""
    values = request.param * N_TOKENS * REDUCED.c_z
    monkeypatch.setitem(inplace.VALUES_AT_ONCE, "cpu", values)


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", UPDATES)
def test_an_update_in_place_is_the_module_added(stack, z, name, masked):
    module, mask = getattr(stack, name), torch.arange(N_TOKENS) < 8 if masked else None
    expected = z + module(z, mask)
    found = z.clone()
    with torch.inference_mode():
        UPDATES[name](module, found, mask)
    known = slice(None, 8) if masked else slice(None)
    torch.testing.assert_close(found[known, known], expected[known, known], rtol=0, atol=2e-5)


@pytest.mark.usefixtures("rows")
def test_a_transition_in_place_is_the_module_added(stack, z):
    found = z.clone()
    with torch.inference_mode():
        inplace.add_transition(stack.transition, found)
    torch.testing.assert_close(found, z + stack.transition(z), rtol=0, atol=2e-5)


def test_products_in_half_precision_leave_the_sums_in_full(stack, z):
    """Under autocast: bfloat16 has 8 bits, so a block may differ by some parts in a thousand."""
    with torch.inference_mode():
        full, half = z.clone(), z.clone()
        inplace.add_pair_stack(stack, full, None)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert inplace.working_type(half) == torch.bfloat16
            inplace.add_pair_stack(stack, half, None)
    assert half.dtype == torch.float32
    error = torch.linalg.norm(half - full) / torch.linalg.norm(full - z)
    assert 1e-5 < error < 0.03


def test_what_cannot_be_written_in_place_is_refused(stack, z):
    """A transposed representation would be copied, and the update lost."""
    with torch.inference_mode(), pytest.raises(RuntimeError, match="view"):
        inplace.add_transition(stack.transition, z.clone().transpose(0, 1))


def test_maps_side_by_side_multiply_as_each_alone(stack, z):
    attention = stack.attend_starting
    both = z @ inplace.maps(attention.linear_qkv, attention.linear_gate, like=z)
    apart = torch.cat([attention.linear_qkv(z), attention.linear_gate(z)], dim=-1)
    torch.testing.assert_close(both, apart, rtol=0, atol=1e-5)
