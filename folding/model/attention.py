"""The conditioned transformer of the diffusion module (AF3 SI algorithms 7 and 23-26).

What depends on the conditioning alone is computed apart from what depends on the activations: a
block's ``condition`` gives scales, shifts, gates and pair biases once per job (atoms) or once per
step (tokens), and ``forward`` only works on the activations. A team of threads shares the windows
of local attention.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from folding.model import inplace, team
from folding.model.primitives import (
    MASKED,
    AdaptiveLayerNorm,
    Linear,
    Modulation,
    attend,
    merge_heads,
    split_heads,
)

GATE_BIAS = -2.0
"""Initial offset of the adaLN-Zero output gates: blocks start nearly closed."""


class KeyPlaces(NamedTuple):
    """Which places the keys of each window of queries come from, and where there is none."""

    index: Int[Tensor, "*batch windows n_keys"]
    valid: Bool[Tensor, "*batch windows n_keys"]


class Conditioning(NamedTuple):
    """What one block needs of the conditioning: modulations and gates [*batch, n, c_a].

    ``places`` is None where the keys of a window are centred on its queries.
    """

    queries: Modulation
    keys: Modulation | None
    attention_gate: Tensor
    transition: Modulation
    transition_gate: Tensor
    places: KeyPlaces | None = None

    def rows(self, some: slice) -> "Conditioning":
        """That of neighbouring activations; ``places`` are of all."""
        parts = (self.queries, self.keys, self.transition)
        queries, keys, transition = (part and part.rows(some) for part in parts)
        gates = (self.attention_gate[..., some, :], self.transition_gate[..., some, :])
        return Conditioning(queries, keys, gates[0], transition, gates[1])


class ConditionedAttention(nn.Module):
    """Attention with pair bias, conditioned on ``s`` (algorithm 24 with ``s``).

    Args:
        cross: keys and values get an adaptive LayerNorm of their own. Departure, as in Protenix:
            it is applied on top of the queries' one, unless ``separate`` (AF3's code).
    """

    def __init__(
        self, widths: tuple[int, int, int], n_heads: int, *, cross: bool, separate: bool = False
    ) -> None:
        c_a, c_s, c_z = widths
        super().__init__()
        self.n_heads = n_heads
        self.separate = separate
        self.norm_queries = AdaptiveLayerNorm(c_a, c_s)
        self.norm_keys = AdaptiveLayerNorm(c_a, c_s) if cross else None
        self.layer_norm_z = nn.LayerNorm(c_z, bias=False)
        self.linear_bias = Linear(c_z, n_heads)
        self.linear_q = Linear(c_a, c_a, bias=True)
        self.linear_kv = Linear(c_a, 2 * c_a)
        self.linear_gate = Linear(c_a, c_a, init="zeros")
        self.linear_out = Linear(c_a, c_a)
        self.linear_last = Linear(c_s, c_a, bias=True, init="zeros", gate_bias=GATE_BIAS)

    def pair_bias(
        self, z: Float[Tensor, "*batch query key c_z"]
    ) -> Float[Tensor, "*batch heads query key"]:
        """The bias that the pairs add to the logits of every head."""
        return inplace.pair_bias(z, self.layer_norm_z, self.linear_bias)

    def normed(
        self, a: Float[Tensor, "*batch n c_a"], conditioning: Conditioning
    ) -> tuple[Float[Tensor, "*batch n c_a"], Float[Tensor, "*batch n c_a"]]:
        """Queries and keys after their adaptive LayerNorms."""
        queries = self.norm_queries(a, conditioning.queries)
        if self.norm_keys is None or conditioning.keys is None:
            return queries, queries
        return queries, self.norm_keys(a if self.separate else queries, conditioning.keys)

    def output(
        self, o: Tensor, queries: Tensor, conditioning: Conditioning
    ) -> Float[Tensor, "*batch n c_a"]:
        """Gated output projection (lines 11-13)."""
        o = self.linear_out(o * torch.sigmoid(self.linear_gate(queries)))
        return conditioning.attention_gate * o

    def forward(
        self,
        a: Float[Tensor, "*batch n c_a"],
        conditioning: Conditioning,
        bias: Float[Tensor, "*wide heads n n"],
    ) -> Float[Tensor, "*batch n c_a"]:
        queries, keys = self.normed(a, conditioning)
        q = split_heads(self.linear_q(queries), self.n_heads)
        k, v = (split_heads(x, self.n_heads) for x in self.linear_kv(keys).chunk(2, dim=-1))
        return self.output(merge_heads(attend(q, k, v, bias)), queries, conditioning)


class LocalAttention(ConditionedAttention):
    """The same attention in a band: windows of queries see windows of keys around them (alg. 7)."""

    def __init__(
        self,
        widths: tuple[int, int, int],
        n_heads: int,
        window: tuple[int, int],
        *,
        separate: bool = False,
    ) -> None:
        super().__init__(widths, n_heads, cross=True, separate=separate)
        self.window = window

    def forward(
        self,
        a: Float[Tensor, "*batch n c_a"],
        conditioning: Conditioning,
        bias: Float[Tensor, "*wide heads n_queries n_keys"],
    ) -> Float[Tensor, "*batch n c_a"]:
        queries, keys = self.normed(a, conditioning)
        q = split_heads(query_windows(self.linear_q(queries), self.window), self.n_heads)
        kv = key_windows(self.linear_kv(keys), self.window, conditioning.places)
        k, v = (split_heads(x, self.n_heads) for x in kv.chunk(2, dim=-1))
        o = merge_heads(attend(q, k, v, bias)).flatten(-3, -2)
        return self.output(o, queries, conditioning)


class ConditionedTransition(nn.Module):
    """SwiGLU transition with adaptive LayerNorm and a conditioned gate (algorithm 25)."""

    def __init__(self, c_a: int, c_s: int, n: int = 2) -> None:
        super().__init__()
        self.norm = AdaptiveLayerNorm(c_a, c_s)
        self.linear_ab = Linear(c_a, 2 * n * c_a, init="relu")
        self.linear_out = Linear(n * c_a, c_a)
        self.linear_last = Linear(c_s, c_a, bias=True, init="zeros", gate_bias=GATE_BIAS)

    def forward(
        self, a: Float[Tensor, "*batch n c_a"], conditioning: Conditioning
    ) -> Float[Tensor, "*batch n c_a"]:
        x, y = self.linear_ab(self.norm(a, conditioning.transition)).chunk(2, dim=-1)
        return conditioning.transition_gate * self.linear_out(functional.silu(x) * y)


class ConditionedBlock(nn.Module):
    """Attention and transition one after the other (algorithm 23; sequential as in AF3's code)."""

    def __init__(self, attention: ConditionedAttention, c_a: int, c_s: int) -> None:
        super().__init__()
        self.attention = attention
        self.transition = ConditionedTransition(c_a, c_s)

    def condition(
        self, s: Float[Tensor, "*batch n c_s"], places: KeyPlaces | None = None
    ) -> Conditioning:
        """What this block needs of the conditioning signal."""
        attention, transition = self.attention, self.transition
        return Conditioning(
            queries=attention.norm_queries.modulation(s),
            keys=attention.norm_keys.modulation(s) if attention.norm_keys is not None else None,
            attention_gate=torch.sigmoid(attention.linear_last(s)),
            transition=transition.norm.modulation(s),
            transition_gate=torch.sigmoid(transition.linear_last(s)),
            places=places,
        )

    def forward(
        self, a: Float[Tensor, "*batch n c_a"], conditioning: Conditioning, bias: Tensor
    ) -> Float[Tensor, "*batch n c_a"]:
        a = a + self.attention(a, conditioning, bias)
        return a + self.transition(a, conditioning)


class ConditionedTransformer(nn.Module):
    """A stack of conditioned blocks (algorithm 23)."""

    def __init__(self, blocks: list[ConditionedBlock]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def pair_biases(
        self, z: Float[Tensor, "*batch query key c_z"], mask: Tensor | float
    ) -> list[Float[Tensor, "*batch heads query key"]]:
        """The pair bias of every block, with what masks keys already added.

        Laid out as attention reads it, which would copy it at every step otherwise.
        """
        return [(block.attention.pair_bias(z) + mask).contiguous() for block in self.blocks]

    def condition(
        self, s: Float[Tensor, "*batch n c_s"], places: KeyPlaces | None = None
    ) -> list[Conditioning]:
        """The conditioning of every block."""
        return [block.condition(s, places) for block in self.blocks]

    def forward(
        self,
        a: Float[Tensor, "*batch n c_a"],
        conditioning: list[Conditioning],
        biases: list[Tensor],
    ) -> Float[Tensor, "*batch n c_a"]:
        for block, block_conditioning, bias in zip(self.blocks, conditioning, biases, strict=True):
            if can_share(block, a, block_conditioning):
                a = shared_windows(block, a, block_conditioning, bias)
            else:
                a = block(a, block_conditioning, bias)
        return a


def can_share(block: ConditionedBlock, a: Tensor, conditioning: Conditioning) -> bool:
    """Whether a team does a block sooner: windows with their keys around them, and enough of them.

    Operations are short here, and more of the work is done twice.
    """
    is_local = isinstance(block.attention, LocalAttention) and conditioning.places is None
    is_large = 2 * a.numel() * a.shape[-1] >= team.WORTH_SHARING
    return is_local and is_large and team.size() > 1 and not torch.is_grad_enabled()


FEWEST_WINDOWS = 8
"""Windows of a piece: those beside them are computed as well, for their keys."""


def shared_windows(
    block: ConditionedBlock,
    a: Float[Tensor, "*batch n c_a"],
    conditioning: Conditioning,
    bias: Float[Tensor, "*wide windows heads n_queries n_keys"],
) -> Float[Tensor, "*batch n c_a"]:
    """What a block of local attention makes of the activations, its windows shared by the team."""
    assert isinstance(block.attention, LocalAttention)
    n_queries, n_keys = block.attention.window
    n_windows = a.shape[-2] // n_queries
    beside = -(-(n_keys - n_queries) // (2 * n_queries))
    result = torch.empty_like(a)

    def some(windows: slice) -> None:
        first = max(0, windows.start - beside)
        wide = slice(first, min(windows.stop + beside, n_windows))
        rows, wide_rows = (slice(n_queries * x.start, n_queries * x.stop) for x in (windows, wide))
        there = block(a[..., wide_rows, :], conditioning.rows(wide_rows), bias[..., wide, :, :, :])
        first *= n_queries
        result[..., rows, :] = there[..., rows.start - first : rows.stop - first, :]

    step = max(FEWEST_WINDOWS, -(-n_windows // team.size()))
    team.share(team.slices(n_windows, step), lambda: some)
    return result


def query_windows(
    x: Float[Tensor, "*batch n c"], window: tuple[int, int]
) -> Float[Tensor, "*batch windows n_queries c"]:
    """The sequence axis cut into windows of queries; ``n`` is a multiple of the window."""
    return x.unflatten(-2, (-1, window[0]))


def places_inside(mask: Bool[Tensor, "*batch n"], window: tuple[int, int]) -> KeyPlaces:
    """Windows of keys centred on their queries, but moved inside where they pass an end.

    As AF3's code and OpenFold3 do. Real atoms come first in ``mask``; where there are fewer than a
    window holds, the rest is not valid.
    """
    n_queries, n_keys = window
    first = torch.arange(0, mask.shape[-1], n_queries, device=mask.device)
    first = first + (n_queries - n_keys) // 2
    n_real = mask.sum(-1, keepdim=True)
    first = torch.where(first < 0, 0, torch.minimum(first, n_real - n_keys))
    index = first.unsqueeze(-1) + torch.arange(n_keys, device=mask.device)
    valid = (index >= 0) & (index < n_real.unsqueeze(-1))
    return KeyPlaces(index.clamp(0, mask.shape[-1] - 1), valid)


def key_windows(
    x: Float[Tensor, "*batch n c"], window: tuple[int, int], places: KeyPlaces | None = None
) -> Float[Tensor, "*batch windows n_keys c"]:
    """For each window of queries its keys, zeros where there is none.

    Without ``places`` they are centred on the queries. Windows overlap: without gradients they are
    views, otherwise the axis is cut into half-margins whose rows are picked in one go.
    """
    if places is not None:
        return picked_keys(x, places)
    n_queries, n_keys = window
    margin = (n_keys - n_queries) // 2
    if not torch.is_grad_enabled():
        padded = functional.pad(x, (0, 0, margin, margin))
        return padded.unfold(-2, n_keys, n_queries).transpose(-1, -2)
    piece = math.gcd(margin, n_queries)
    n_windows = x.shape[-2] // n_queries
    pieces = functional.pad(x, (0, 0, margin, margin)).unflatten(-2, (-1, piece))
    first = torch.arange(n_windows, device=x.device) * (n_queries // piece)
    index = first.unsqueeze(-1) + torch.arange(n_keys // piece, device=x.device)
    picked = pieces.index_select(-3, index.flatten())
    return picked.unflatten(-3, (n_windows, -1)).flatten(-3, -2)


def picked_keys(
    x: Float[Tensor, "*batch n c"], places: KeyPlaces
) -> Float[Tensor, "*batch windows n_keys c"]:
    """The keys at these places; axes that the places lack (samples) share them."""
    index, valid = places
    for _ in range(x.dim() - index.dim()):
        index, valid = index.unsqueeze(-3), valid.unsqueeze(-3)
    rows = index.flatten(-2).unsqueeze(-1).expand(*x.shape[:-2], -1, x.shape[-1])
    return torch.gather(x, -2, rows).unflatten(-2, index.shape[-2:]) * valid.unsqueeze(-1)


def key_window_bias(
    mask: Bool[Tensor, "*batch n"], window: tuple[int, int], places: KeyPlaces | None = None
) -> Float[Tensor, "*batch windows 1 1 n_keys"]:
    """What switches off keys that are padding or beyond the ends."""
    valid = key_windows(mask.unsqueeze(-1).float(), window, places).squeeze(-1)
    return ((1.0 - valid) * MASKED)[..., None, None, :]
