"""The alignment track."""

import pytest
import torch

from tests.folding.model.cases import REDUCED, random_network


@pytest.fixture(scope="module")
def module():
    return random_network(REDUCED, 1).msa_module


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_outer_product_is_the_mean_over_rows(module):
    update, m = module.blocks[0].outer_product_mean, draw(5, 4, REDUCED.c_m)
    a, b = update.linear_ab(update.layer_norm(m)).chunk(2, dim=-1)
    outer = sum(torch.einsum("ic,jd->ijcd", x, y) for x, y in zip(a, b, strict=True))
    expected = update.linear_out(outer.flatten(-2)) / (5 + 1e-3)
    torch.testing.assert_close(update(m, None), expected, rtol=0, atol=1e-4)


def test_the_order_of_rows_does_not_matter_to_the_pairs(module):
    update, m = module.blocks[0].outer_product_mean, draw(5, 4, REDUCED.c_m)
    shuffled = m[torch.tensor([3, 0, 4, 1, 2])]
    torch.testing.assert_close(update(shuffled, None), update(m, None), rtol=0, atol=1e-5)


def test_masked_rows_do_not_count(module):
    update, m = module.blocks[0].outer_product_mean, draw(5, 4, REDUCED.c_m)
    mask = torch.tensor([True, True, True, False, False])
    torch.testing.assert_close(update(m, mask), update(m[:3], None), rtol=0, atol=1e-5)


def test_averaging_moves_values_between_tokens_of_a_row(module):
    averaging = module.blocks[0].averaging
    m, z = draw(3, 4, REDUCED.c_m), draw(4, 4, REDUCED.c_z, seed=1)
    normed = averaging.layer_norm_m(m)
    weights = averaging.linear_bias(averaging.layer_norm_z(z)).softmax(-2)
    v = averaging.linear_v(normed).unflatten(-1, (8, 8))
    o = torch.einsum("ijh,rjhc->rihc", weights, v).flatten(-2)
    expected = averaging.linear_out(torch.sigmoid(averaging.linear_gate(normed)) * o)
    torch.testing.assert_close(averaging(m, z, None), expected, rtol=0, atol=1e-5)


def test_every_row_is_averaged_by_itself(module):
    averaging = module.blocks[0].averaging
    m, z = draw(3, 4, REDUCED.c_m), draw(4, 4, REDUCED.c_z, seed=1)
    torch.testing.assert_close(averaging(m, z, None)[1:2], averaging(m[1:2], z, None))


def test_masked_tokens_get_no_weight(module):
    averaging = module.blocks[0].averaging
    m, z = draw(3, 6, REDUCED.c_m), draw(6, 6, REDUCED.c_z, seed=1)
    result = averaging(m, z, torch.arange(6) < 4)[:, :4]
    alone = averaging(m[:, :4], z[:4, :4], None)
    torch.testing.assert_close(result, alone, rtol=0, atol=1e-5)


def test_the_last_block_only_writes_into_the_pairs(module):
    m, z = draw(3, 4, REDUCED.c_m), draw(4, 4, REDUCED.c_z, seed=1)
    last = module.blocks[-1]
    assert last.averaging is None and last.transition is None
    kept, _ = last(m, z, (None, None))
    assert torch.equal(kept, m)
    changed, _ = module.blocks[0](m, z, (None, None))
    assert (changed - m).abs().max() > 0.1
