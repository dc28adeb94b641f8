"""The conditioned transformer and its windows."""

import pytest
import torch

from folding.model.attention import key_window_bias, key_windows, query_windows
from tests.folding.model.cases import REDUCED, random_network

WINDOW = (REDUCED.n_queries, REDUCED.n_keys)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def tokens():
    return random_network(REDUCED, 1).diffusion.transformer


@pytest.fixture(scope="module")
def atoms():
    return random_network(REDUCED, 1).diffusion.atom_encoder.transformer


def test_query_windows_cut_the_sequence():
    x = torch.arange(12.0).reshape(12, 1)
    windows = query_windows(x, (4, 8))
    assert windows[..., 0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_key_windows_are_centred_on_their_queries_with_zeros_beyond_the_ends():
    x = torch.arange(1.0, 13.0).reshape(12, 1)
    windows = key_windows(x, (4, 8))
    assert windows[..., 0].tolist() == [
        [0, 0, 1, 2, 3, 4, 5, 6],
        [3, 4, 5, 6, 7, 8, 9, 10],
        [7, 8, 9, 10, 11, 12, 0, 0],
    ]


def test_only_real_atoms_are_keys():
    bias = key_window_bias(torch.arange(8) < 6, (4, 8))
    assert bias.shape == (2, 1, 1, 8)
    seen = (bias[:, 0, 0] == 0).tolist()
    assert seen == [[False] * 2 + [True] * 6, [True] * 4 + [False] * 4]


def test_local_attention_is_full_attention_in_a_band(atoms):
    n, c = 160, REDUCED.c_atom
    block, a, s = atoms.blocks[0].attention, draw(n, c), draw(n, c, seed=1)
    conditioning = atoms.blocks[0].condition(s)
    queries, keys = block.normed(a, conditioning)
    q = block.linear_q(queries).unflatten(-1, (REDUCED.n_atom_heads, -1))
    k, v = (x.unflatten(-1, q.shape[-2:]) for x in block.linear_kv(keys).chunk(2, dim=-1))
    logits = torch.einsum("ihc,jhc->hij", q, k) / q.shape[-1] ** 0.5
    middle = torch.arange(n) // 32 * 32 + 15.5
    far = (torch.arange(n) - middle.unsqueeze(-1)).abs() > 64
    o = torch.einsum("hij,jhc->ihc", logits.masked_fill(far, -1e9).softmax(-1), v).flatten(-2)
    expected = block.output(o, queries, conditioning)
    bias = key_window_bias(torch.ones(n, dtype=torch.bool), WINDOW).expand(-1, 4, 32, -1)
    torch.testing.assert_close(block(a, conditioning, bias), expected, rtol=0, atol=1e-5)


def test_keys_are_normed_twice(atoms):
    block, a = atoms.blocks[0].attention, draw(32, REDUCED.c_atom)
    conditioning = atoms.blocks[0].condition(draw(32, REDUCED.c_atom, seed=1))
    queries, keys = block.normed(a, conditioning)
    assert torch.equal(queries, block.norm_queries(a, conditioning.queries))
    assert torch.equal(keys, block.norm_keys(queries, conditioning.keys))


def test_tokens_have_one_norm_for_queries_and_keys(tokens):
    block = tokens.blocks[0]
    a, s = draw(5, REDUCED.c_token), draw(5, REDUCED.c_s, seed=1)
    queries, keys = block.attention.normed(a, block.condition(s))
    assert block.condition(s).keys is None
    assert queries is keys


def test_a_block_adds_attention_first_and_its_transition_after(tokens):
    block = tokens.blocks[0]
    a, s, z = draw(5, REDUCED.c_token), draw(5, REDUCED.c_s, seed=1), draw(5, 5, REDUCED.c_z)
    conditioning, bias = block.condition(s), block.attention.pair_bias(z)
    middle = a + block.attention(a, conditioning, bias)
    expected = middle + block.transition(middle, conditioning)
    assert torch.equal(block(a, conditioning, bias), expected)


def test_closed_gates_leave_the_activations_alone(tokens):
    a, z = draw(5, REDUCED.c_token), draw(5, 5, REDUCED.c_z)
    conditioning = [
        c._replace(attention_gate=torch.zeros(1), transition_gate=torch.zeros(1))
        for c in tokens.condition(draw(5, REDUCED.c_s, seed=1))
    ]
    assert torch.equal(tokens(a, conditioning, tokens.pair_biases(z, 0.0)), a)


def test_conditioning_is_needed_for_every_block(tokens):
    conditioning = tokens.condition(draw(5, REDUCED.c_s))
    with pytest.raises(ValueError, match="shorter"):
        tokens(draw(5, REDUCED.c_token), conditioning[:-1], [torch.zeros(16, 5, 5)] * 2)


def test_the_order_of_tokens_does_not_matter(tokens):
    order = torch.tensor([3, 0, 4, 1, 2])
    a, s, z = draw(5, REDUCED.c_token), draw(5, REDUCED.c_s, seed=1), draw(5, 5, REDUCED.c_z)
    result = tokens(a, tokens.condition(s), tokens.pair_biases(z, 0.0))
    biases = tokens.pair_biases(z[order][:, order], 0.0)
    moved = tokens(a[order], tokens.condition(s[order]), biases)
    torch.testing.assert_close(moved, result[order], rtol=0, atol=5e-5)


def test_the_fast_path_is_the_one_that_trains(atoms):
    a, c = draw(2, 64, REDUCED.c_atom), draw(2, 64, REDUCED.c_atom, seed=1)
    p = draw(2, 2, 32, 128, REDUCED.c_atompair, seed=2)
    mask = key_window_bias((torch.arange(64) < 50).expand(2, -1), WINDOW)
    results = []
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            results.append(atoms(a, atoms.condition(c), atoms.pair_biases(p, mask)))
    torch.testing.assert_close(*results, rtol=0, atol=2e-5)
