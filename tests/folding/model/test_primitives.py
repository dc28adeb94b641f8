"""The layers that everything is made of."""

import math

import pytest
import torch
from torch.nn import functional

from folding.model.primitives import (
    AdaptiveLayerNorm,
    Linear,
    PreciseLinear,
    Transition,
    attend,
    mask_bias,
    merge_heads,
    split_heads,
)
from tests.folding.model.cases import random_tensor


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def filled(module: torch.nn.Module) -> torch.nn.Module:
    """The module with no number left at its initial value."""
    state = {name: random_tensor(name, x.shape, 5) for name, x in module.state_dict().items()}
    module.load_state_dict(state)
    return module.eval()


@pytest.mark.parametrize(("init", "gain"), [("default", 1.0), ("relu", 2.0)])
def test_linear_maps_start_with_the_variance_of_their_name(init, gain):
    torch.manual_seed(0)
    weight = Linear(400, 300, init=init).weight
    # Cut at two standard deviations, a normal keeps 88 % of its spread.
    assert weight.std().item() == pytest.approx(0.88 * math.sqrt(gain / 400), rel=0.02)
    assert weight.abs().max() <= 2 * math.sqrt(gain / 400)


def test_gates_and_last_layers_start_closed():
    gate = Linear(4, 3, bias=True, init="zeros", gate_bias=-2.0)
    assert torch.equal(gate(draw(5, 4)), torch.full((5, 3), -2.0))
    assert Linear(4, 3).bias is None


def test_a_precise_map_ignores_autocast():
    x, layer = 100 + draw(6, 3), filled(PreciseLinear(3, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        precise, blurred = layer(x), functional.linear(x, layer.weight)
    assert precise.dtype == torch.float32
    assert torch.equal(precise, layer(x))
    assert (blurred - precise).abs().max() > 0.01


def test_an_adaptive_layer_norm_scales_and_shifts_by_the_conditioning():
    norm, a, s = filled(AdaptiveLayerNorm(6, 4)), draw(3, 6), draw(3, 4, seed=1)
    normed = functional.layer_norm(s, (4,), norm.layer_norm_s.weight)
    scale = torch.sigmoid(norm.linear_scale(normed))
    expected = scale * functional.layer_norm(a, (6,)) + norm.linear_shift(normed)
    torch.testing.assert_close(norm(a, norm.modulation(s)), expected)


def test_an_adaptive_layer_norm_ignores_the_size_of_both_inputs():
    norm, a, s = filled(AdaptiveLayerNorm(6, 4)), draw(3, 6), draw(3, 4, seed=1)
    result = norm(a, norm.modulation(s))
    torch.testing.assert_close(
        norm(7 * a + 3, norm.modulation(5 * s - 1)), result, rtol=0, atol=1e-3
    )


def test_a_transition_is_a_swiglu_after_a_layer_norm():
    transition, x = filled(Transition(5, 3)), draw(2, 7, 5)
    normed = transition.layer_norm(x)
    a, b = (normed @ w.t() for w in transition.linear_ab.weight.split(15))
    expected = (a * torch.sigmoid(a) * b) @ transition.linear_out.weight.t()
    torch.testing.assert_close(transition(x), expected)


def test_a_transition_treats_every_row_by_itself():
    transition, x = filled(Transition(5, 3)), draw(6, 5)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(transition(x)[order], transition(x[order]))


def test_heads_come_together_as_they_were_split():
    x = draw(2, 7, 12)
    heads = split_heads(x, 3)
    assert heads.shape == (2, 3, 7, 4)
    assert torch.equal(heads[1, 2, 5], x[1, 5, 8:])
    assert torch.equal(merge_heads(heads), x)


def test_attention_averages_values_with_softmax_weights():
    q, k, v, bias = (draw(2, 3, 5, 4, seed=i) for i in range(4))
    bias = draw(2, 3, 5, 5, seed=9)
    logits = torch.einsum("bhqc,bhkc->bhqk", q, k) / 2 + bias
    expected = torch.einsum("bhqk,bhkc->bhqc", logits.softmax(-1), v)
    with torch.no_grad():
        torch.testing.assert_close(attend(q, k, v, bias), expected)


@pytest.mark.parametrize("bias_shape", [(1, 1, 6), (3, 5, 6), (2, 1, 5, 6), (1, 2, 3, 5, 6)])
def test_the_fast_path_is_the_one_that_trains(bias_shape):
    q, k, v = draw(4, 2, 3, 5, 8), draw(4, 2, 3, 6, 8, seed=1), draw(4, 2, 3, 6, 8, seed=2)
    bias = draw(*bias_shape, seed=3)
    with torch.enable_grad():
        slow = attend(q, k, v, bias)
    with torch.no_grad():
        fast = attend(q, k, v, bias)
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-6)


@pytest.mark.parametrize("grad", [True, False])
def test_masked_keys_get_no_weight(grad):
    q, k, v = (draw(2, 3, 5, 4, seed=i) for i in range(3))
    mask = torch.tensor([[True] * 3 + [False] * 2, [True] * 5])
    other_k, other_v = k.clone(), v.clone()
    other_k[0, :, 3:], other_v[0, :, 3:] = 1e3, -1e3
    with torch.set_grad_enabled(grad):
        result = attend(q, k, v, mask_bias(mask))
        assert torch.equal(attend(q, other_k, other_v, mask_bias(mask)), result)
        alone = attend(q[:1], k[:1, :, :3], v[:1, :, :3], torch.zeros(1, 1, 3))
    torch.testing.assert_close(result[:1], alone, rtol=0, atol=1e-6)


def test_a_query_without_any_key_stays_finite():
    q, k, v = (draw(1, 2, 3, 4, seed=i) for i in range(3))
    nothing = torch.zeros(1, 3, dtype=torch.bool)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            assert torch.isfinite(attend(q, k, v, mask_bias(nothing))).all()


def test_without_a_mask_nothing_is_added():
    assert mask_bias(None) == 0.0
