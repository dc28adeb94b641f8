"""Pairs and alignments without gradients: in place, a few rows at a time.

Each function adds what a module of the trunk would give to the representation that it is handed,
and equals ``x + module(x)`` to rounding. Rows are taken in pieces that stay in the
processor's cache, so that nothing as large as the pair representation is written but the two
operands of the triangle multiplication; on a GPU pieces are large enough to fill it. What a piece
needs is written over the piece before: fresh memory for each would cost as much as a tenth of the
products. Under autocast the products are in its type, and norms and sums stay in float32. Pieces
are shared by a team of threads, where there is one.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from folding.model.kernels import attend_rows
from folding.model.primitives import Transition, mask_bias
from folding.model.team import share, slices

if TYPE_CHECKING:
    from folding.model.msa import OuterProductMean, PairWeightedAveraging
    from folding.model.triangle import PairStack, TriangleAttention, TriangleMultiplication

VALUES_AT_ONCE = {"cpu": 2**17, "cuda": 2**26}
"""Numbers of a representation in one piece, by device. On a processor the results of its products
leave the second-level cache, which costs less than what each operation takes to begin."""
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
    yield from slices(x.shape[0], max(1, values // (x.shape[1] * x.shape[2])))


class Scratch:
    """Memory for one piece after the other, of the type and device of what it is like."""

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._written: Tensor | None = None

    def __call__(self, *shape: int) -> Tensor:
        """What the piece before was written on, where it has the same shape."""
        if self._written is None or self._written.shape != shape:
            self._written = self._like.new_empty(shape)
        return self._written


def normed(x: Float[Tensor, "*shape c"], norm: nn.LayerNorm) -> Float[Tensor, "*shape c"]:
    """The LayerNorm's result; in float32, whatever the rest is computed in."""
    return functional.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def working_type(x: Tensor) -> torch.dtype:
    """What products are computed in: autocast's type where it is on."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def maps(*linear: nn.Linear, like: Tensor) -> Float[Tensor, "c_in c_out"]:
    """The weights of some maps side by side, in the working type, to multiply from the right."""
    weights = [one.weight for one in linear]
    joined = weights[0] if len(weights) == 1 else torch.cat(weights)
    return joined.to(working_type(like)).t()


def add_product(
    z: Float[Tensor, "n c"], x: Float[Tensor, "n c_in"], weight: Float[Tensor, "c_in c"]
) -> None:
    """Adds ``x @ weight`` to ``z``."""
    if x.dtype == z.dtype:
        z.addmm_(x, weight)
    else:
        z += torch.mm(x, weight)


def add_triangle_multiplication(
    module: "TriangleMultiplication",
    z: Float[Tensor, "i j c_z"],
    mask: Bool[Tensor, " j"] | None,
) -> None:
    """Adds a triangle multiplication (algorithms 12 and 13) to ``z``.

    The products take the place of their first operand.
    """
    a, b = operands(module, z, mask).chunk(2)

    def multiply() -> Callable[[slice], None]:
        products = a.new_empty(min(CHANNELS_AT_ONCE, len(a)), *a.shape[1:])

        def channels(some: slice) -> None:
            some_a, some_b = a[some], b[some]
            pair = (
                (some_a, some_b.transpose(-1, -2))
                if module.outgoing
                else (some_a.transpose(-1, -2), some_b)
            )
            some_a.copy_(torch.bmm(*pair, out=products[: len(some_a)]))

        return channels

    share(slices(module.c_hidden, CHANNELS_AT_ONCE), multiply)
    to_gate, to_out = maps(module.linear_gate, like=z), maps(module.linear_out, like=z)

    def add(rows: slice) -> None:
        flat = z[rows].view(-1, z.shape[-1])
        gate = torch.mm(normed(flat, module.layer_norm_in).to(to_gate.dtype), to_gate).sigmoid_()
        x = normed(a[:, rows].flatten(1).t().contiguous(), module.layer_norm_out)
        flat += torch.mm(x.to(to_out.dtype), to_out).mul_(gate)

    share(pieces(z), lambda: add)


def operands(
    module: "TriangleMultiplication",
    z: Float[Tensor, "i j c_z"],
    mask: Bool[Tensor, " j"] | None,
) -> Float[Tensor, "two_c i j"]:
    """Both operands of the products, channels first: the maps write them that way."""
    to_gate, to_value = (
        maps(linear, like=z).t() for linear in (module.linear_ab_gate, module.linear_ab)
    )
    ab = to_value.new_empty(len(to_value), *z.shape[:2])

    def map_rows() -> Callable[[slice], None]:
        written = Scratch(ab)

        def one(rows: slice) -> None:
            flat = z[rows].flatten(0, 1)
            x = normed(flat, module.layer_norm_in).to(to_gate.dtype).t()
            for_gate, for_value = written(2, len(ab), x.shape[1])
            gate = torch.mm(to_gate, x, out=for_gate).sigmoid_().unflatten(1, (-1, z.shape[1]))
            value = torch.mm(to_value, x, out=for_value).unflatten(1, (-1, z.shape[1]))
            if mask is not None:
                gate *= mask[rows, None] & mask
            torch.mul(gate, value, out=ab[:, rows])

        return one

    share(pieces(z), map_rows)
    return ab


def add_triangle_attention(
    module: "TriangleAttention", z: Float[Tensor, "i j c_z"], mask: Bool[Tensor, " j"] | None
) -> None:
    """Adds a triangle attention (algorithms 14 and 15) to ``z``."""
    z = z if module.starting else z.transpose(0, 1)
    bias = attention_bias(module, z, mask)
    weight, to_out = (
        maps(module.linear_qkv, module.linear_gate, like=z),
        maps(module.linear_out, like=z),
    )

    def attend() -> Callable[[slice], None]:
        written = Scratch(weight)

        def one(rows: slice) -> None:
            x = normed(z[rows], module.layer_norm).flatten(0, 1).to(weight.dtype)
            mapped = torch.mm(x, weight, out=written(len(x), weight.shape[1]))
            parts = mapped.view(-1, z.shape[1], 4, module.n_heads, head_width(module, weight))
            q, k, v, gate = parts.permute(2, 0, 3, 1, 4)
            o = attend_rows(q, k, v, bias).mul_(gate.sigmoid())
            o = o.transpose(1, 2).flatten(-2).flatten(0, 1)
            if module.starting:
                add_product(z[rows].view(-1, z.shape[-1]), o, to_out)
            else:
                z[rows] += torch.mm(o, to_out).unflatten(0, (-1, z.shape[1]))

        return one

    share(pieces(z), attend)


def head_width(module: "TriangleAttention", weight: Tensor) -> int:
    """Channels of one head: the maps give queries, keys, values and gates of every head."""
    return weight.shape[1] // (4 * module.n_heads)


def attention_bias(
    module: "TriangleAttention", z: Float[Tensor, "i j c_z"], mask: Bool[Tensor, " j"] | None
) -> Float[Tensor, "heads i j"]:
    """What pairs add to the logits of every head, and what switches masked keys off."""
    bias = mapped_pairs(z, module.layer_norm, module.linear_bias)
    bias = (bias.transpose(-1, -2) if module.flip_bias else bias) + mask_bias(mask)
    return bias.to(working_type(z))


def mapped_pairs(
    z: Float[Tensor, "i j c_z"], norm: nn.LayerNorm, linear: nn.Linear
) -> Float[Tensor, "c i j"]:
    """Pairs through a norm and a map to few channels, which come first."""
    weight = maps(linear, like=z).t()
    result = z.new_empty(len(weight), *z.shape[:2])

    def of_rows(rows: slice) -> None:
        x = normed(z[rows], norm).flatten(0, 1).to(weight.dtype)
        result[:, rows] = torch.mm(weight, x.t()).unflatten(1, (-1, z.shape[1]))

    share(pieces(z), lambda: of_rows, n_products=z.numel() * len(weight))
    return result


def pair_bias(
    z: Float[Tensor, "*batch i j c_z"], norm: nn.LayerNorm, linear: nn.Linear
) -> Float[Tensor, "*batch c i j"]:
    """The same of several jobs or windows, with gradients where they are on."""
    if torch.is_grad_enabled():
        biases: Tensor = linear(norm(z)).movedim(-1, -3)
        return biases
    found = mapped_pairs(z.reshape(-1, *z.shape[-2:]), norm, linear)
    return found.unflatten(1, z.shape[:-2]).movedim(0, -3)


def add_transition(module: Transition, z: Float[Tensor, "i j c"]) -> None:
    """Adds a transition (algorithm 11) to ``z``."""
    weight, to_out = maps(module.linear_ab, like=z), maps(module.linear_out, like=z)
    flat, width = z.view(-1, z.shape[-1]), len(to_out)
    step = max(1, VALUES_AT_ONCE.get(z.device.type, VALUES_AT_ONCE["cuda"]) // z.shape[-1])

    def add() -> Callable[[Tensor], None]:
        ab = Scratch(weight)

        def to(rows: Tensor) -> None:
            x = normed(rows, module.layer_norm).to(weight.dtype)
            a, b = torch.mm(x, weight, out=ab(len(x), 2 * width)).chunk(2, dim=-1)
            add_product(rows, functional.silu(a).mul_(b), to_out)

        return to

    share(flat.split(min(step, len(flat))), add)


def add_to_each(module: Transition, z: Float[Tensor, "*batch i j c"]) -> None:
    """The same for several jobs."""
    for one, _ in jobs(z, None):
        add_transition(module, one)


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

    def add(rows: slice) -> None:
        z[rows] += (products(rows) + module.linear_out.bias) / (n_rows + 1e-3)

    share(pieces(z), lambda: add)


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

    def weigh(rows: slice) -> None:
        bias = module.linear_bias(normed(z[rows], module.layer_norm_z)).movedim(-1, 0)
        weights[:, rows] = torch.softmax(bias + mask_bias(mask), dim=-1).to(weights.dtype)

    def add(rows: slice) -> None:
        x = normed(m[rows], module.layer_norm_m)
        v = module.linear_v(x).unflatten(-1, (module.n_heads, -1))
        o = torch.einsum("hij,mjhc->mihc", weights.to(v.dtype), v).flatten(-2)
        m[rows] += module.linear_out(torch.sigmoid(module.linear_gate(x)) * o)

    share(pieces(z), lambda: weigh)
    share(pieces(m), lambda: add)
