"""The Pairformer stack (AF3 SI algorithm 17): pairs first, then singles that listen to them."""

from collections.abc import Callable

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
from folding.model.triangle import PairStack

OnBlock = Callable[[nn.Module], None]
"""Called with each block when it is done; what it raises ends the work there."""


def quietly(block: nn.Module) -> None:
    """An ``OnBlock`` that does nothing."""


class SingleAttention(nn.Module):
    """Self-attention of the single representation with pair bias (algorithm 24 without ``s``)."""

    def __init__(self, c_s: int, c_z: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.layer_norm_a = nn.LayerNorm(c_s)
        self.layer_norm_z = nn.LayerNorm(c_z)
        self.linear_bias = Linear(c_z, n_heads)
        self.linear_q = Linear(c_s, c_s, bias=True)
        self.linear_kv = Linear(c_s, 2 * c_s)
        self.linear_gate = Linear(c_s, c_s, init="zeros")
        self.linear_out = Linear(c_s, c_s, init="zeros")

    def forward(
        self,
        s: Float[Tensor, "*batch token c_s"],
        z: Float[Tensor, "*batch token token c_z"],
        mask: Bool[Tensor, "*batch token"] | None,
    ) -> Float[Tensor, "*batch token c_s"]:
        s = self.layer_norm_a(s)
        bias = self.pair_bias(z) + mask_bias(mask)
        q = split_heads(self.linear_q(s), self.n_heads)
        k, v = (split_heads(x, self.n_heads) for x in self.linear_kv(s).chunk(2, dim=-1))
        o = merge_heads(attend(q, k, v, bias))
        return self.linear_out(o * torch.sigmoid(self.linear_gate(s)))

    def pair_bias(
        self, z: Float[Tensor, "*batch token token c_z"]
    ) -> Float[Tensor, "*batch heads token token"]:
        """What the pairs add to the logits of every head."""
        return inplace.pair_bias(z, self.layer_norm_z, self.linear_bias)


class PairformerBlock(nn.Module):
    """One block of algorithm 17: pair stack, then attention and transition of the singles."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.pair_stack = PairStack(config)
        self.attention = SingleAttention(config.c_s, config.c_z, config.n_single_heads)
        self.transition = Transition(config.c_s, 4)

    def forward(
        self,
        s: Float[Tensor, "*batch token c_s"],
        z: Float[Tensor, "*batch token token c_z"],
        mask: Bool[Tensor, "*batch token"] | None,
    ) -> tuple[Float[Tensor, "*batch token c_s"], Float[Tensor, "*batch token token c_z"]]:
        z = self.pair_stack(z, mask)
        return self.singles(s, z, mask), z

    def advance(
        self,
        s: Float[Tensor, "*batch token c_s"],
        z: Float[Tensor, "*batch token token c_z"],
        mask: Bool[Tensor, "*batch token"] | None,
    ) -> tuple[Float[Tensor, "*batch token c_s"], Float[Tensor, "*batch token token c_z"]]:
        """The same without gradients: ``z`` is worked on in place."""
        z = self.pair_stack.advance(z, mask)
        return self.singles(s, z, mask), z

    def singles(
        self,
        s: Float[Tensor, "*batch token c_s"],
        z: Float[Tensor, "*batch token token c_z"],
        mask: Bool[Tensor, "*batch token"] | None,
    ) -> Float[Tensor, "*batch token c_s"]:
        """The singles after they have listened to the pairs (lines 7-8).

        In float32 under autocast too: a twentieth of the work, three quarters of what bfloat16
        would change in the coordinates.
        """
        with torch.autocast(s.device.type, enabled=False):
            # In training, autocast's products arrive here in its own type.
            s, z = s.float(), z.float()
            s = s + self.attention(s, z, mask)
            return s + self.transition(s)


class Pairformer(nn.Module):
    """A stack of Pairformer blocks."""

    def __init__(self, config: ModelConfig, n_blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(PairformerBlock(config) for _ in range(n_blocks))

    def forward(
        self,
        s: Float[Tensor, "*batch token c_s"],
        z: Float[Tensor, "*batch token token c_z"],
        mask: Bool[Tensor, "*batch token"] | None,
    ) -> tuple[Float[Tensor, "*batch token c_s"], Float[Tensor, "*batch token token c_z"]]:
        if not torch.is_grad_enabled():
            return self.advance(s, z.clone(memory_format=torch.contiguous_format), mask)
        for block in self.blocks:
            s, z = block(s, z, mask)
        return s, z

    def advance(
        self,
        s: Float[Tensor, "*batch token c_s"],
        z: Float[Tensor, "*batch token token c_z"],
        mask: Bool[Tensor, "*batch token"] | None,
        on_block: OnBlock = quietly,
    ) -> tuple[Float[Tensor, "*batch token c_s"], Float[Tensor, "*batch token token c_z"]]:
        """The same without gradients: ``z`` is worked on in place, ``on_block`` hears of each."""
        for block in self.blocks:
            s, z = block.advance(s, z, mask)
            on_block(block)
        return s, z
