"""The step with its maps laid out is the step."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from folding.model import denoising
from folding.model.attention import ConditionedTransformer
from folding.model.config import ModelConfig
from folding.model.diffusion import token_transformer
from folding.model.primitives import mask_bias
from tests.folding.model.cases import REDUCED, random_features, random_network, random_tensor

NARROW = ModelConfig(c_token=24, c_s=20, c_z=8, n_token_heads=3, n_token_blocks=2)


def transformer(config: ModelConfig = NARROW) -> ConditionedTransformer:
    with torch.device("meta"):
        model = token_transformer(config)
    state = {name: random_tensor(name, x.shape, 3) for name, x in model.state_dict().items()}
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(False)


def case(n: int, n_samples: int, *, config: ModelConfig = NARROW):
    """Activations, conditioning of one level, pair biases with the last token masked."""
    generator = torch.Generator().manual_seed(n)
    a = torch.randn(n_samples, n, config.c_token, generator=generator)
    s = torch.randn(1, n, config.c_s, generator=generator)
    z = torch.randn(n, n, config.c_z, generator=generator)
    mask = torch.arange(n) < max(1, n - 1)
    biases = transformer(config).pair_biases(z, mask_bias(mask))
    return a, s, [bias.unsqueeze(-4) for bias in biases]


@torch.no_grad()
@pytest.mark.parametrize("n_samples", [1, 3], ids=["one sample", "three at one level"])
@pytest.mark.parametrize("n", [1, 7, 130], ids=["one token", "few", "more than at once"])
def test_blocks_laid_out_are_the_blocks(n, n_samples):
    model, (a, s, biases) = transformer(), case(n, n_samples)
    expected = model(a, model.condition(s), biases)
    found = denoising.advance(a, s, denoising.laid_out(model), biases)
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=2e-5)


@torch.no_grad()
def test_samples_at_levels_of_their_own_keep_them():
    model, (a, s, biases) = transformer(), case(9, 2)
    levels = torch.stack([s[0], 2 * s[0] + 1])
    blocks = denoising.laid_out(model)
    together = denoising.advance(a, levels, blocks, biases)
    for one, level, found in zip(a, levels, together, strict=True):
        alone = denoising.advance(one[None], level[None], blocks, biases)
        torch.testing.assert_close(found, alone[0], rtol=2e-5, atol=2e-5)


@torch.no_grad()
def test_the_activations_that_are_given_stay_as_they_are():
    a, s, biases = case(5, 1)
    before = a.clone()
    denoising.advance(a, s, denoising.laid_out(transformer()), biases)
    torch.testing.assert_close(a, before, rtol=0, atol=0)


@torch.no_grad()
def test_each_block_is_heard_of_once_it_is_laid_out_and_not_read_again():
    model, (a, s, biases) = transformer(), case(6, 1)
    expected = model(a, model.condition(s), biases)
    heard = []

    def spoil(block):
        heard.append(block)
        for name, weight in block.named_parameters():
            if name.endswith("weight"):
                weight.fill_(torch.nan)

    blocks = denoising.laid_out(model, spoil)
    assert heard == list(model.blocks)
    found = denoising.advance(a, s, blocks, biases)
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=2e-5)


def test_with_gradients_the_maps_themselves_serve():
    assert denoising.laid_out(transformer()) is None


def test_a_step_of_the_network_with_gradients_is_the_step_without():
    model, features = random_network(REDUCED, 5), random_features(5, n_tokens=12)
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(1, len(features.ref_pos), 3, generator=generator)
    t_hat = torch.tensor([3.0])
    with torch.no_grad():
        trunk = model.run_trunk(features, 1)
        context = model.diffusion.context(features, trunk)
        without = model.diffusion(x, t_hat, context)
        assert context.token_blocks is not None
    with torch.enable_grad():
        kept = model.diffusion(x, t_hat, context)
        plain = model.diffusion(x, t_hat, model.diffusion.context(features, trunk))
    torch.testing.assert_close(without, kept, rtol=2e-5, atol=2e-5)
    torch.testing.assert_close(without, plain, rtol=2e-5, atol=2e-5)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 1000))
def test_pieces_cover_all_rows_once_and_none_is_too_long(n_rows):
    pieces = list(denoising.row_pieces(n_rows))
    assert [row for piece in pieces for row in range(n_rows)[piece]] == list(range(n_rows))
    lengths = [piece.stop - piece.start for piece in pieces]
    assert max(lengths) <= denoising.ROWS_AT_ONCE
    assert len(pieces) == -(-n_rows // denoising.ROWS_AT_ONCE)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 300), st.integers(1, 3), st.integers(1, 2))
def test_products_are_those_of_the_maps_side_by_side(n_rows, n_results, each):
    generator = torch.Generator().manual_seed(n_rows)
    x = torch.randn(2, n_rows, 5, generator=generator)
    weights = [torch.randn(4, 5, generator=generator) for _ in range(n_results * each)]
    slabs = denoising.slabs_of(weights, torch.float32)
    products = denoising.Products(x, slabs, n_results=n_results)
    denoising.multiply(products)
    expected = (x @ torch.cat(weights).t()).unflatten(-1, (n_results, -1)).movedim(-2, 0)
    torch.testing.assert_close(products.results, expected)


@torch.no_grad()
def test_wider_networks_than_the_published_ones_are_laid_out_too():
    config = replace(NARROW, c_token=48, n_token_heads=4, c_s=12)
    model, (a, s, biases) = transformer(config), case(8, 2, config=config)
    expected = model(a, model.condition(s), biases)
    found = denoising.advance(a, s, denoising.laid_out(model), biases)
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=2e-5)


@torch.no_grad()
def test_bfloat16_rounds_products_and_nothing_else():
    model, (a, s, biases) = transformer(), case(20, 1)
    exact = denoising.advance(a, s, denoising.laid_out(model), biases)
    found = denoising.advance(a, s, denoising.laid_out(model, dtype=torch.bfloat16), biases)
    assert found.dtype == torch.float32
    difference = (found - exact).norm() / exact.norm()
    assert 0 < difference < 0.01
    # What was there before is not rounded: only what the blocks add to it is.
    large = denoising.advance(a + 1000, s, denoising.laid_out(model, dtype=torch.bfloat16), biases)
    kept = denoising.advance(a + 1000, s, denoising.laid_out(model), biases)
    assert (large - kept).abs().max() < 1


@torch.no_grad()
def test_one_level_for_all_samples_is_that_level_for_each():
    model, features = random_network(REDUCED, 5), random_features(5, n_tokens=12)
    x = torch.randn(3, len(features.ref_pos), 3, generator=torch.Generator().manual_seed(2))
    context = model.diffusion.context(features, model.run_trunk(features, 1))
    shared = model.diffusion(x, torch.tensor([3.0]), context)
    each = model.diffusion(x, torch.full((3,), 3.0), context)
    torch.testing.assert_close(shared, each, rtol=2e-5, atol=2e-5)
