"""The Pairformer."""

import pytest
import torch

from tests.folding.model.cases import REDUCED, random_network


@pytest.fixture(scope="module")
def pairformer():
    return random_network(REDUCED, 1).pairformer


@pytest.fixture(scope="module")
def sz() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    s = torch.randn((6, REDUCED.c_s), generator=generator)
    return s, torch.randn((6, 6, REDUCED.c_z), generator=generator)


def test_single_attention_is_biased_by_the_pairs(pairformer, sz):
    s, z = sz
    attention, n_heads = pairformer.blocks[0].attention, REDUCED.n_single_heads
    normed = attention.layer_norm_a(s)
    q = attention.linear_q(normed).unflatten(-1, (n_heads, -1))
    k, v = (x.unflatten(-1, (n_heads, -1)) for x in attention.linear_kv(normed).chunk(2, dim=-1))
    logits = torch.einsum("ihc,jhc->hij", q, k) / q.shape[-1] ** 0.5
    logits = logits + attention.linear_bias(attention.layer_norm_z(z)).permute(2, 0, 1)
    o = torch.einsum("hij,jhc->ihc", logits.softmax(-1), v).flatten(-2)
    expected = attention.linear_out(o * torch.sigmoid(attention.linear_gate(normed)))
    torch.testing.assert_close(attention(s, z, None), expected, rtol=0, atol=1e-5)


def test_singles_listen_to_pairs_but_not_the_other_way_round(pairformer, sz):
    s, z = sz
    new_s, new_z = pairformer(s, z, None)
    other_s, other_z = pairformer(s + 1 + torch.arange(6).unsqueeze(-1).cos(), z, None)
    assert torch.equal(other_z, new_z)
    assert (pairformer(s, z.flip(-1), None)[0] - new_s).abs().max() > 0.1
    assert other_s.shape == new_s.shape


def test_the_order_of_tokens_does_not_matter(pairformer, sz):
    s, z = sz
    order = torch.tensor([4, 2, 0, 3, 5, 1])
    new_s, new_z = pairformer(s, z, None)
    other_s, other_z = pairformer(s[order], z[order][:, order], None)
    torch.testing.assert_close(other_s, new_s[order], rtol=0, atol=5e-5)
    torch.testing.assert_close(other_z, new_z[order][:, order], rtol=0, atol=5e-5)


@pytest.mark.parametrize("grad", [True, False])
def test_padding_changes_nothing(pairformer, sz, grad):
    s, z = sz
    room_s, room_z = torch.full((1, 9, REDUCED.c_s), 2.0), torch.full((1, 9, 9, REDUCED.c_z), 3.0)
    room_s[0, :6], room_z[0, :6, :6] = s, z
    with torch.set_grad_enabled(grad):
        new_s, new_z = pairformer(room_s, room_z, (torch.arange(9) < 6).unsqueeze(0))
        alone_s, alone_z = pairformer(s, z, None)
    torch.testing.assert_close(new_s[0, :6], alone_s, rtol=0, atol=5e-5)
    torch.testing.assert_close(new_z[0, :6, :6], alone_z, rtol=0, atol=5e-5)
