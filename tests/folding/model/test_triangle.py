"""Triangle updates: what they sum over, and what they are blind to."""

import pytest
import torch

from folding.model.primitives import merge_heads
from folding.model.triangle import PairStack
from tests.folding.model.cases import REDUCED, random_network


@pytest.fixture(scope="module")
def stack() -> PairStack:
    return random_network(REDUCED, 1).pairformer.blocks[0].pair_stack


@pytest.fixture(scope="module")
def z() -> torch.Tensor:
    return torch.randn((7, 7, REDUCED.c_z), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    ("name", "summed"),
    [("multiply_outgoing", "ikc,jkc->ijc"), ("multiply_incoming", "kic,kjc->ijc")],
)
def test_multiplication_sums_over_the_third_corner(stack, z, name, summed):
    module = getattr(stack, name)
    normed = module.layer_norm_in(z)
    gated = torch.sigmoid(module.linear_ab_gate(normed)) * module.linear_ab(normed)
    x = torch.einsum(summed, *gated.chunk(2, dim=-1))
    expected = module.linear_out(module.layer_norm_out(x))
    expected = expected * torch.sigmoid(module.linear_gate(normed))
    torch.testing.assert_close(module(z, None), expected, rtol=0, atol=1e-5)


def test_attention_looks_along_rows_with_the_third_edge_as_bias(stack, z):
    module = stack.attend_starting
    normed = module.layer_norm(z)
    q, k, v = (x.unflatten(-1, (4, 32)) for x in module.linear_qkv(normed).chunk(3, dim=-1))
    logits = torch.einsum("ijhc,ikhc->hijk", q, k) / 32**0.5
    logits = logits + module.linear_bias(normed).permute(2, 0, 1)[:, None]
    o = torch.einsum("hijk,ikhc->ihjc", logits.softmax(-1), v)
    expected = module.linear_out(merge_heads(o) * torch.sigmoid(module.linear_gate(normed)))
    torch.testing.assert_close(module(z, None), expected, rtol=0, atol=1e-5)


def test_attention_around_the_ending_node_is_attention_on_the_transpose(stack, z):
    starting, ending = stack.attend_starting, stack.attend_ending
    state = starting.state_dict()
    kept = {name: x.clone() for name, x in ending.state_dict().items()}
    ending.load_state_dict(state)
    try:
        result = ending(z, None)
    finally:
        ending.load_state_dict(kept)
    torch.testing.assert_close(result, starting(z.transpose(0, 1), None).transpose(0, 1))


def test_the_order_of_tokens_does_not_matter(stack, z):
    order = torch.tensor([4, 2, 6, 0, 3, 5, 1])
    result = stack(z, None)[order][:, order]
    torch.testing.assert_close(stack(z[order][:, order], None), result, rtol=0, atol=2e-5)


@pytest.mark.parametrize("grad", [True, False])
def test_padding_changes_nothing(stack, z, grad):
    room = torch.full((2, 9, 9, REDUCED.c_z), 3.0)
    room[0, :7, :7], room[1, :5, :5] = z, z[:5, :5]
    mask = torch.arange(9) < torch.tensor([[7], [5]])
    with torch.set_grad_enabled(grad):
        result = stack(room, mask)
        torch.testing.assert_close(result[0, :7, :7], stack(z, None), rtol=0, atol=2e-5)
        alone = stack(z[:5, :5], None)
    torch.testing.assert_close(result[1, :5, :5], alone, rtol=0, atol=2e-5)


def test_the_fast_path_is_the_one_that_trains(stack, z):
    with torch.enable_grad():
        slow = stack(z, None)
    with torch.no_grad():
        fast = stack(z, None)
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-5)
