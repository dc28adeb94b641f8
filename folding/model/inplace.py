"""Pairs and alignments without gradients: in place, a few rows at a time.

Each function adds what a module of the trunk would give to the representation that it is handed,
and equals ``x + module(x)`` to rounding. Rows are taken in pieces that stay in the
processor's cache, so that nothing as large as the pair representation is written but the two
operands of the triangle multiplication; on a GPU pieces are large enough to fill it.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from folding.model.primitives import Transition, mask_bias

if TYPE_CHECKING:
    from folding.model.msa import OuterProductMean, PairWeightedAveraging
    from folding.model.triangle import PairStack, TriangleAttention, TriangleMultiplication

VALUES_AT_ONCE = {"cpu": 2**16, "cuda": 2**26}
"""Numbers of a representation in one piece, by device: what a fourfold transition makes of 65,536
of them fills 2 MB, a core's second-level cache."""
CHANNELS_AT_ONCE = 16
"""Channels of a triangle multiplication whose products are computed before they are stored."""


def add_pair_stack(
    stack: "PairStack",
    z: Float[Tensor, "*batch token token c_z"],
    mask: Bool[Tensor, "*batch token"] | None,
) -> None:
    """Adds every update of a pair stack to ``z``."""
    for one, one_mask in jobs(z, mask):
        add_triangle_multiplication(stack.multiply_outgoing, one, one_mask)
        add_triangle_multiplication(stack.multiply_incoming, one, one_mask)
        add_triangle_attention(stack.attend_starting, one, one_mask)
        add_triangle_attention(stack.attend_ending, one, one_mask)
        add_transition(stack.transition, one)


def jobs(
    x: Float[Tensor, "*batch i j c"], mask: Bool[Tensor, "*batch n"] | None
) -> Iterator[tuple[Float[Tensor, "i j c"], Bool[Tensor, " n"] | None]]:
    """The jobs of a batch one by one, as views."""
    flat = x.view(-1, *x.shape[-3:])
    masks = [None] * len(flat) if mask is None else list(mask.reshape(-1, mask.shape[-1]))
    yield from zip(flat, masks, strict=True)


def pieces(x: Float[Tensor, "i j c"]) -> Iterator[slice]:
    """The rows of a representation in pieces."""
    values = VALUES_AT_ONCE.get(x.device.type, VALUES_AT_ONCE["cuda"])
    step = max(1, values // (x.shape[1] * x.shape[2]))
    for start in range(0, x.shape[0], step):
        yield slice(start, min(start + step, x.shape[0]))


def normed(x: Float[Tensor, "*shape c"], norm: nn.LayerNorm) -> Float[Tensor, "*shape c"]:
    """The LayerNorm's result; in float32, whatever the rest is computed in."""
    return functional.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def add_triangle_multiplication(
    module: "TriangleMultiplication",
    z: Float[Tensor, "i j c_z"],
    mask: Bool[Tensor, " j"] | None,
) -> None:
    """Adds a triangle multiplication (algorithms 12 and 13) to ``z``.

    The products take the place of their first operand.
    """
    ab = operands(module, z, mask)
    a, b = ab.chunk(2)
    for start in range(0, module.c_hidden, CHANNELS_AT_ONCE):
        some_a, some_b = (x[start : start + CHANNELS_AT_ONCE] for x in (a, b))
        if module.outgoing:
            some_a.copy_(torch.matmul(some_a, some_b.transpose(-1, -2)))
        else:
            some_a.copy_(torch.matmul(some_a.transpose(-1, -2), some_b))
    for rows in pieces(z):
        gate = torch.sigmoid(module.linear_gate(normed(z[rows], module.layer_norm_in)))
        x = normed(a[:, rows].movedim(0, -1), module.layer_norm_out)
        z[rows] += module.linear_out(x) * gate


def operands(
    module: "TriangleMultiplication",
    z: Float[Tensor, "i j c_z"],
    mask: Bool[Tensor, " j"] | None,
) -> Float[Tensor, "two_c i j"]:
    """Both operands of the products, channels first: the maps write them that way."""
    weight = torch.cat([module.linear_ab_gate.weight, module.linear_ab.weight])
    ab = None
    for rows in pieces(z):
        x = normed(z[rows], module.layer_norm_in).flatten(0, 1)
        gate, value = torch.matmul(weight, x.t()).chunk(2)
        value = value.mul_(gate.sigmoid_()).unflatten(-1, (-1, z.shape[1]))
        if mask is not None:
            value *= mask[rows, None] & mask
        if ab is None:
            ab = value.new_empty(len(value), *z.shape[:2])
        ab[:, rows] = value
    assert ab is not None
    return ab


def add_triangle_attention(
    module: "TriangleAttention", z: Float[Tensor, "i j c_z"], mask: Bool[Tensor, " j"] | None
) -> None:
    """Adds a triangle attention (algorithms 14 and 15) to ``z``."""
    z = z if module.starting else z.transpose(0, 1)
    bias = z.new_empty(module.n_heads, *z.shape[:2])
    for rows in pieces(z):
        x = module.linear_bias(normed(z[rows], module.layer_norm))
        bias[:, rows] = x.movedim(-1, 0)
    bias = (bias.transpose(-1, -2) if module.flip_bias else bias) + mask_bias(mask)
    weight = torch.cat([module.linear_qkv.weight, module.linear_gate.weight])
    for rows in pieces(z):
        x = functional.linear(normed(z[rows], module.layer_norm), weight)
        q, k, v, gate = x.unflatten(-1, (4, module.n_heads, -1)).unbind(-3)
        q, k, v = (x.transpose(-2, -3) for x in (q, k, v))
        wide = bias.to(q.dtype).expand(len(q), *bias.shape)
        o = functional.scaled_dot_product_attention(q, k, v, attn_mask=wide).transpose(-2, -3)
        z[rows] += module.linear_out((o * gate.sigmoid()).flatten(-2))


def add_transition(module: Transition, z: Float[Tensor, "i j c"]) -> None:
    """Adds a transition (algorithm 11) to ``z``."""
    for rows in pieces(z):
        a, b = module.linear_ab(normed(z[rows], module.layer_norm)).chunk(2, dim=-1)
        z[rows] += module.linear_out(functional.silu(a).mul_(b))


def add_outer_product_mean(
    module: "OuterProductMean",
    z: Float[Tensor, "i j c_z"],
    m: Float[Tensor, "row token c_m"],
    mask: Bool[Tensor, " row"] | None,
) -> None:
    """Adds an outer product mean (algorithm 9) to ``z``.

    The output map is linear in both columns of the alignment: with few rows it meets one column
    first, which spares the products of all pairs.
    """
    ab = module.linear_ab(normed(m, module.layer_norm))
    n_rows: Tensor | int = len(m)
    if mask is not None:
        ab = ab * mask[:, None, None]
        n_rows = mask.sum()
    a, b = ab.chunk(2, dim=-1)
    few = len(m) * FEW_ROWS <= a.shape[-1]
    products = _few_products(module, a, b) if few else _many_products(module, a, b)
    for rows in pieces(z):
        z[rows] += (products(rows) + module.linear_out.bias) / (n_rows + 1e-3)


FEW_ROWS = 4
"""An alignment is shallow if this many times its rows are not more than the columns' channels."""
Products = Callable[[slice], Tensor]


def _few_products(module: "OuterProductMean", a: Tensor, b: Tensor) -> Products:
    """Sums of products through the output map, of rows of pairs: the map first."""
    c_z, c = len(module.linear_out.weight), a.shape[-1]
    weight = module.linear_out.weight.view(c_z, c, c).permute(2, 1, 0).reshape(c, c * c_z)
    n_tokens = a.shape[1]
    mapped = torch.matmul(b, weight).unflatten(-1, (c, c_z)).transpose(-2, -3)
    mapped = mapped.reshape(-1, n_tokens * c_z)
    left = a.transpose(0, 1).flatten(1)
    return lambda rows: torch.matmul(left[rows], mapped).view(-1, n_tokens, c_z)


def _many_products(module: "OuterProductMean", a: Tensor, b: Tensor) -> Products:
    """The same, products first."""
    c, n_tokens = a.shape[-1], a.shape[1]
    right = b.flatten(1)

    def products(rows: slice) -> Tensor:
        outer = torch.matmul(a[:, rows].flatten(1).t(), right)
        outer = outer.view(-1, c, n_tokens, c).transpose(1, 2).flatten(-2)
        return torch.matmul(outer, module.linear_out.weight.t())

    return products


def add_averaging(
    module: "PairWeightedAveraging",
    m: Float[Tensor, "row token c_m"],
    z: Float[Tensor, "i j c_z"],
    mask: Bool[Tensor, " j"] | None,
) -> None:
    """Adds a pair weighted averaging (algorithm 10) to ``m``."""
    weights = z.new_empty(module.n_heads, *z.shape[:2])
    for rows in pieces(z):
        bias = module.linear_bias(normed(z[rows], module.layer_norm_z)).movedim(-1, 0)
        weights[:, rows] = torch.softmax(bias + mask_bias(mask), dim=-1).to(weights.dtype)
    for rows in pieces(m):
        x = normed(m[rows], module.layer_norm_m)
        v = module.linear_v(x).unflatten(-1, (module.n_heads, -1))
        o = torch.einsum("hij,mjhc->mihc", weights.to(v.dtype), v).flatten(-2)
        m[rows] += module.linear_out(torch.sigmoid(module.linear_gate(x)) * o)
