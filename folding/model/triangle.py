"""Triangle updates of the pair representation (AF3 SI algorithms 12-15) and the pair stack."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from folding.model import inplace
from folding.model.config import ModelConfig
from folding.model.primitives import (
    Linear,
    Transition,
    attend,
    mask_bias,
    merge_heads,
    split_heads,
)


class TriangleMultiplication(nn.Module):
    """Update of each edge from the two other edges of its triangles (algorithms 12 and 13).

    Args:
        outgoing: True sums over edges that leave i and j (algorithm 12), False over arriving ones.
    """

    def __init__(self, c_z: int, c_hidden: int, *, outgoing: bool) -> None:
        super().__init__()
        self.outgoing = outgoing
        self.c_hidden = c_hidden
        self.layer_norm_in = nn.LayerNorm(c_z)
        self.linear_ab = Linear(c_z, 2 * c_hidden)
        self.linear_ab_gate = Linear(c_z, 2 * c_hidden, init="zeros")
        self.layer_norm_out = nn.LayerNorm(c_hidden)
        self.linear_out = Linear(c_hidden, c_z, init="zeros")
        self.linear_gate = Linear(c_z, c_z, init="zeros")

    def forward(
        self, z: Float[Tensor, "*batch i j c_z"], mask: Bool[Tensor, "*batch j"] | None
    ) -> Float[Tensor, "*batch i j c_z"]:
        z = self.layer_norm_in(z)
        ab = torch.sigmoid(self.linear_ab_gate(z)) * self.linear_ab(z)
        if mask is not None:
            ab = ab * (mask[..., :, None, None] & mask[..., None, :, None])
        a, b = ab.movedim(-1, -3).chunk(2, dim=-3)
        if self.outgoing:
            x = torch.matmul(a, b.transpose(-1, -2))
        else:
            x = torch.matmul(a.transpose(-1, -2), b)
        x = self.linear_out(self.layer_norm_out(x.movedim(-3, -1)))
        return x * torch.sigmoid(self.linear_gate(z))


class TriangleAttention(nn.Module):
    """Gated self-attention along rows of the pair representation (algorithm 14).

    Args:
        starting: False works on columns: attention around the ending node (algorithm 15).
        bias_by_row: The bias of query i and key k comes from the pair ik around ending nodes too,
            as in AF3's code; algorithm 15 takes ki.
    """

    def __init__(
        self, c_z: int, c_head: int, n_heads: int, *, starting: bool, bias_by_row: bool = False
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.starting = starting
        self.flip_bias = bias_by_row and not starting
        self.layer_norm = nn.LayerNorm(c_z)
        self.linear_bias = Linear(c_z, n_heads)
        self.linear_qkv = Linear(c_z, 3 * c_head * n_heads)
        self.linear_gate = Linear(c_z, c_head * n_heads, init="zeros")
        self.linear_out = Linear(c_head * n_heads, c_z, init="zeros")

    def forward(
        self, z: Float[Tensor, "*batch i j c_z"], mask: Bool[Tensor, "*batch j"] | None
    ) -> Float[Tensor, "*batch i j c_z"]:
        z = z if self.starting else z.transpose(-2, -3)
        z = self.layer_norm(z)
        bias = self.linear_bias(z).movedim(-1, -3)
        bias = (bias.transpose(-1, -2) if self.flip_bias else bias) + mask_bias(mask)
        q, k, v = (split_heads(x, self.n_heads) for x in self.linear_qkv(z).chunk(3, dim=-1))
        o = merge_heads(attend(q, k, v, bias.unsqueeze(-4)))
        o = self.linear_out(o * torch.sigmoid(self.linear_gate(z)))
        return o if self.starting else o.transpose(-2, -3)


class PairStack(nn.Module):
    """The pair track of a block: triangle updates and a transition (algorithm 17 lines 2-6)."""

    def __init__(self, config: ModelConfig, *, n_transition: int = 4) -> None:
        super().__init__()
        c_z, c_head, n_heads = config.c_z, config.c_pair_head, config.n_pair_heads
        self.multiply_outgoing = TriangleMultiplication(c_z, config.c_triangle, outgoing=True)
        self.multiply_incoming = TriangleMultiplication(c_z, config.c_triangle, outgoing=False)
        self.attend_starting = TriangleAttention(c_z, c_head, n_heads, starting=True)
        self.attend_ending = TriangleAttention(
            c_z,
            c_head,
            n_heads,
            starting=False,
            bias_by_row=config.variant.ending_bias_by_row,
        )
        self.transition = Transition(c_z, n_transition)

    def forward(
        self, z: Float[Tensor, "*batch token token c_z"], mask: Bool[Tensor, "*batch token"] | None
    ) -> Float[Tensor, "*batch token token c_z"]:
        if not torch.is_grad_enabled():
            return self.advance(z.clone(memory_format=torch.contiguous_format), mask)
        z = z + self.multiply_outgoing(z, mask)
        z = z + self.multiply_incoming(z, mask)
        z = z + self.attend_starting(z, mask)
        z = z + self.attend_ending(z, mask)
        return z + self.transition(z)

    def advance(
        self, z: Float[Tensor, "*batch token token c_z"], mask: Bool[Tensor, "*batch token"] | None
    ) -> Float[Tensor, "*batch token token c_z"]:
        """The same in place, without gradients: ``z`` is the caller's to give away."""
        inplace.add_pair_stack(self, z, mask)
        return z
