"""The token transformer of a denoising step without gradients: its maps laid out for few rows.

A step multiplies a row per token with a gigabyte of weights. On a processor each product takes the
weights transposed, in slabs as wide as the activations, and at most 128 rows: with so few rows the
layout decides (half as fast again at 64 rows, a fifth at 256). The maps are laid out once per job.
What depends on the noise level alone is computed once for all samples at that level. Sums, norms,
gates and attention are in float32 whatever the products are in. Products and heads are shared by a
team of threads, where there is one.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from folding.model import team
from folding.model.attention import ConditionedBlock, ConditionedTransformer
from folding.model.pairformer import OnBlock, quietly

ROWS_AT_ONCE = 128
"""Rows of a product: more leave the second-level cache."""
FEWEST_COLUMNS = 64
"""Columns of a product: fewer are not worth a thread."""


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
    pairs = zip(slabs, given, strict=True)
    team.share(pairs, lambda: lambda pair: pair[0].copy_(pair[1].t()), n_products=32 * len(store))
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
    offsets = dict(zip((0, 2), block.scale_biases, strict=True))
    modulation = Products(normed, block.modulate, n_results=4, gates=offsets)
    gates = Products(s, block.gates, n_results=2, gates=dict(enumerate(block.gate_biases)))
    multiply(modulation, gates)
    scale, shift, scale_after, shift_after = modulation.results
    gate, gate_after = gates.results
    x = functional.layer_norm(a, a.shape[-1:]).mul_(scale).add_(shift)
    a.addcmul_(gate, attend(x, block, bias))
    x = functional.layer_norm(a, a.shape[-1:]).mul_(scale_after).add_(shift_after)
    a.addcmul_(gate_after, transition(x, block))


def attend(x: Tensor, block: TokenBlock, bias: Tensor) -> Tensor:
    """Gated attention with pair bias, its output map included."""
    seen = Products(x, block.attend, n_results=2, offsets={0: block.query_bias})
    given = Products(x, block.project, n_results=2, gates={1: None})
    multiply(seen, given)
    shape = (-1, x.shape[-2], block.n_heads, x.shape[-1] // block.n_heads)
    q, k, v, gate = (y.reshape(shape) for y in (*seen.results, *given.results))
    wide = bias.expand(*x.shape[:-2], *bias.shape[-3:]).reshape(-1, *bias.shape[-3:])
    o = torch.empty_like(q)

    def some(heads: slice) -> None:
        parts = (y[:, :, heads].transpose(1, 2) for y in (q, k, v))
        found = functional.scaled_dot_product_attention(*parts, attn_mask=wide[:, heads])
        torch.mul(found.transpose(1, 2), gate[:, :, heads], out=o[:, :, heads])

    heads = team.slices(block.n_heads, -(-block.n_heads // team.size()))
    team.share(heads, lambda: some, n_products=2 * q.numel() * q.shape[1])
    return product(o.view(x.shape), [block.out])


def transition(x: Tensor, block: TokenBlock) -> Tensor:
    """The SwiGLU transition without its norm."""
    rows = x.reshape(-1, x.shape[-1]).to(block.narrow.dtype)
    half = len(block.widen) // 2
    wide = rows.new_empty(len(rows), len(block.narrow))
    places = wide.split(block.widen[0].shape[1], dim=-1)
    halves = zip(block.widen[:half], block.widen[half:], places, strict=True)
    maps = [(first, second, place) for first, second, place in halves]

    def some(piece: tuple[int, slice, slice]) -> None:
        index, some_rows, columns = piece
        first, second, place = maps[index]
        opened = functional.silu(torch.mm(rows[some_rows], first[:, columns]))
        torch.mul(
            opened, torch.mm(rows[some_rows], second[:, columns]), out=place[some_rows, columns]
        )

    n_products = 2 * len(rows) * wide.shape[1] * rows.shape[1]
    team.share(cut(len(maps), *places[0].shape), lambda: some, n_products=n_products)
    return product(wide.view(*x.shape[:-1], -1), [block.narrow])


class Products:
    """The rows times each slab, as results of as many neighbouring slabs each, in float32.

    Args:
        offsets: What is added to a result, by its number.
        gates: The same for results that become gates (sigmoid); None adds nothing.
    """

    def __init__(
        self,
        x: Float[Tensor, "*batch c_in"],
        slabs: list[Tensor],
        *,
        n_results: int = 1,
        offsets: Mapping[int, Tensor] | None = None,
        gates: Mapping[int, Tensor | None] | None = None,
    ) -> None:
        self.slabs, self.each = slabs, len(slabs) // n_results
        self.offsets, self.gates = offsets or {}, gates or {}
        self.rows = x.reshape(-1, x.shape[-1]).to(slabs[0].dtype)
        self.width = slabs[0].shape[1]
        shape = (n_results, len(self.rows), self.each * self.width)
        self._written = torch.empty(shape, dtype=torch.float32, device=x.device)
        self.results = self._written.view(n_results, *x.shape[:-1], -1)

    def write(self, piece: tuple[int, slice, slice]) -> None:
        """One slab's product in these rows and columns."""
        index, rows, columns = piece
        number, place = divmod(index, self.each)
        first = place * self.width + columns.start
        columns_there = slice(first, first + columns.stop - columns.start)
        there = self._written[number, rows, columns_there]
        x, slab = self.rows[rows], self.slabs[index][:, columns]
        if slab.dtype == there.dtype:
            torch.mm(x, slab, out=there)
        else:
            there.copy_(torch.mm(x, slab))
        offset = self.gates.get(number, self.offsets.get(number))
        if offset is not None:
            there += offset[columns_there]
        if number in self.gates:
            there.sigmoid_()


def multiply(*products: Products) -> None:
    """Computes these products, which do not need each other."""
    n_slabs = sum(len(each.slabs) for each in products)
    pieces = [
        (each, piece)
        for each in products
        for piece in cut(len(each.slabs), len(each.rows), each.width, others=n_slabs)
    ]
    n_products = sum(each.rows.numel() * len(each.slabs) * each.width for each in products)
    team.share(pieces, lambda: lambda piece: piece[0].write(piece[1]), n_products=n_products)


def product(x: Float[Tensor, "*batch c_in"], slabs: list[Tensor]) -> Float[Tensor, "*batch c"]:
    """The rows times slabs side by side."""
    one = Products(x, slabs)
    multiply(one)
    return one.results[0]


def cut(
    n_slabs: int, n_rows: int, width: int, *, others: int = 0
) -> Iterator[tuple[int, slice, slice]]:
    """Products with slabs in pieces of rows and columns: at least one for each of the team.

    Args:
        others: Slabs that are shared out together, these included.
    """
    rows = list(row_pieces(n_rows))
    n_there = max(others, n_slabs) * len(rows)
    n_columns = min(-(-team.size() // n_there), max(1, width // FEWEST_COLUMNS))
    columns = list(team.slices(width, -(-width // n_columns)))
    for index in range(n_slabs):
        for some in rows:
            for across in columns:
                yield index, some, across


def row_pieces(n_rows: int) -> Iterator[slice]:
    """As few pieces of as equal length as products of at most ``ROWS_AT_ONCE`` rows allow."""
    n_pieces = -(-n_rows // ROWS_AT_ONCE)
    return team.slices(n_rows, -(-n_rows // n_pieces))
