"""The token transformer of a denoising step without gradients: its maps laid out for few rows.

A step multiplies a row per token with a gigabyte of weights. On a processor each product takes the
weights transposed, in slabs as wide as the activations, and at most 128 rows: with so few rows the
layout decides (half as fast again at 64 rows, a fifth at 256). The maps are laid out once per job.
What depends on the noise level alone is computed once for all samples at that level. Sums, norms,
gates and attention are in float32 whatever the products are in.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from folding.model.attention import ConditionedBlock, ConditionedTransformer
from folding.model.pairformer import OnBlock, quietly

ROWS_AT_ONCE = 128
"""Rows of a product: more leave the second-level cache."""


class TokenBlock(NamedTuple):
    """The maps of one block, each [c_in, c] and transposed; wider ones in slabs.

    Args:
        modulate: Scale and shift of attention, scale and shift of the transition, for the normed
            conditioning: the weights of its LayerNorms are inside.
        gates: Of attention and transition.
        attend: Queries and keys, in float32: bfloat16 in logits moves coordinates the most.
        project: Values, gate.
        widen: First halves, then second halves of the transition's products.
        scale_biases, gate_biases, query_bias: What is added to those maps.
    """

    modulate: list[Tensor]
    gates: list[Tensor]
    attend: list[Tensor]
    project: list[Tensor]
    out: Tensor
    widen: list[Tensor]
    narrow: Tensor
    scale_biases: tuple[Tensor, Tensor]
    gate_biases: tuple[Tensor, Tensor]
    query_bias: Tensor
    n_heads: int


def laid_out(
    transformer: ConditionedTransformer,
    on_block: OnBlock = quietly,
    dtype: torch.dtype = torch.float32,
) -> list[TokenBlock] | None:
    """The blocks with their maps laid out, to compute products in this type.

    None where that does not help: on a GPU.
    """
    weight = next(transformer.parameters())
    if torch.is_grad_enabled() or weight.device.type != "cpu":
        return None
    blocks = []
    for block in transformer.blocks:
        assert isinstance(block, ConditionedBlock)
        blocks.append(laid_out_block(block, dtype))
        on_block(block)
    return blocks


def laid_out_block(block: ConditionedBlock, dtype: torch.dtype) -> TokenBlock:
    """The maps of one block, in the type of the products."""
    attention, transition = block.attention, block.transition
    norms = attention.norm_queries, transition.norm
    width = attention.linear_out.out_features
    modulate = [
        weight * norm.layer_norm_s.weight
        for norm in norms
        for weight in (norm.linear_scale.weight, norm.linear_shift.weight)
    ]
    maps = (
        modulate,
        [attention.linear_last.weight, transition.linear_last.weight],
        [attention.linear_kv.weight[width:], attention.linear_gate.weight],
        [attention.linear_out.weight],
        [transition.linear_ab.weight],
        [transition.linear_out.weight],
    )
    slabs = iter(slabs_of((slab for some in maps for slab in _split(some, width)), dtype))
    modulate, gates, project, (out,), widen, (narrow,) = (
        [next(slabs) for _ in _split(some, width)] for some in maps
    )
    queries_and_keys = [attention.linear_q.weight, attention.linear_kv.weight[:width]]
    return TokenBlock(
        modulate,
        gates,
        slabs_of(queries_and_keys, torch.float32),
        project,
        out,
        widen,
        narrow,
        scale_biases=(norms[0].linear_scale.bias, norms[1].linear_scale.bias),
        gate_biases=(attention.linear_last.bias, transition.linear_last.bias),
        query_bias=attention.linear_q.bias,
        n_heads=attention.n_heads,
    )


def _split(weights: Iterable[Tensor], width: int) -> list[Tensor]:
    return [part for weight in weights for part in weight.split(width)]


def slabs_of(weights: Iterable[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """The weights transposed, one after the other in one piece of memory."""
    given = list(weights)
    store = torch.empty(sum(weight.numel() for weight in given), dtype=dtype)
    places = store.split([weight.numel() for weight in given])
    slabs = [place.view(weight.shape[::-1]) for place, weight in zip(places, given, strict=True)]
    for slab, weight in zip(slabs, given, strict=True):
        slab.copy_(weight.t())
    return slabs


def advance(
    a: Float[Tensor, "*batch sample n c_a"],
    s: Float[Tensor, "*batch sample_or_one n c_s"],
    blocks: list[TokenBlock],
    biases: list[Tensor],
) -> Float[Tensor, "*batch sample n c_a"]:
    """What ``ConditionedTransformer`` makes of the activations."""
    a = a.clone(memory_format=torch.contiguous_format)
    normed = functional.layer_norm(s, s.shape[-1:])
    for block, bias in zip(blocks, biases, strict=True):
        add_block(a, s, normed, block, bias)
    return a


def add_block(a: Tensor, s: Tensor, normed: Tensor, block: TokenBlock, bias: Tensor) -> None:
    """Adds attention, then the transition (algorithms 23-25), to ``a``."""
    scale, shift, scale_after, shift_after = products(normed, block.modulate, n_results=4).float()
    gate, gate_after = products(s, block.gates, n_results=2).float()
    for x, offset in zip(
        (scale, scale_after, gate, gate_after),
        (*block.scale_biases, *block.gate_biases),
        strict=True,
    ):
        x.add_(offset).sigmoid_()
    x = functional.layer_norm(a, a.shape[-1:]).mul_(scale).add_(shift)
    a.addcmul_(gate, attend(x, block, bias))
    x = functional.layer_norm(a, a.shape[-1:]).mul_(scale_after).add_(shift_after)
    a.addcmul_(gate_after, transition(x, block))


def attend(x: Tensor, block: TokenBlock, bias: Tensor) -> Tensor:
    """Gated attention with pair bias, its output map included."""
    q, k = products(x, block.attend, n_results=2)
    v, gate = products(x, block.project, n_results=2)
    q += block.query_bias
    v = v.to(q.dtype)
    heads = (y.reshape(-1, *y.shape[-2:]).unflatten(-1, (block.n_heads, -1)) for y in (q, k, v))
    q, k, v = (y.transpose(1, 2) for y in heads)
    wide = bias.expand(*x.shape[:-2], *bias.shape[-3:]).reshape(-1, *bias.shape[-3:])
    o = functional.scaled_dot_product_attention(q, k, v, attn_mask=wide)
    o = o.transpose(1, 2).reshape(x.shape).mul_(gate.sigmoid_())
    return products(o, [block.out]).squeeze(0).to(x.dtype)


def transition(x: Tensor, block: TokenBlock) -> Tensor:
    """The SwiGLU transition without its norm."""
    first, second = products(x, block.widen, n_results=2)
    o = products(functional.silu(first).mul_(second), [block.narrow])
    return o.squeeze(0).to(x.dtype)


def products(
    x: Float[Tensor, "*batch c_in"], slabs: list[Tensor], *, n_results: int = 1
) -> Float[Tensor, "n_results *batch c"]:
    """The rows times each slab, as results of as many neighbouring slabs each."""
    flat = x.reshape(-1, x.shape[-1]).to(slabs[0].dtype)
    each, width = len(slabs) // n_results, slabs[0].shape[1]
    written = flat.new_empty(n_results, len(flat), each * width)
    places = [place for result in written for place in result.split(width, dim=-1)]
    for rows in row_pieces(len(flat)):
        for slab, place in zip(slabs, places, strict=True):
            torch.mm(flat[rows], slab, out=place[rows])
    return written.view(n_results, *x.shape[:-1], -1)


def row_pieces(n_rows: int) -> Iterator[slice]:
    """As few pieces of as equal length as products of at most ``ROWS_AT_ONCE`` rows allow."""
    n_pieces = -(-n_rows // ROWS_AT_ONCE)
    step = -(-n_rows // n_pieces)
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))
