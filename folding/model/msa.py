"""The alignment track (AF3 SI algorithms 8-10): it writes what evolution says into the pairs."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from folding.data.features import Features
from folding.model import inplace
from folding.model.config import ModelConfig
from folding.model.embedding import classes
from folding.model.pairformer import OnBlock, quietly
from folding.model.primitives import Linear, Transition, mask_bias
from folding.model.triangle import PairStack


class OuterProductMean(nn.Module):
    """Pair update from the mean outer product of alignment columns (algorithm 9).

    Departure, as in the open reproductions: the sum is divided by the row count + 1e-3 after the
    output map, offset included.
    """

    def __init__(self, c_m: int, c_z: int, c_hidden: int) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(c_m)
        self.linear_ab = Linear(c_m, 2 * c_hidden)
        self.linear_out = Linear(c_hidden**2, c_z, bias=True, init="zeros")

    def forward(
        self, m: Float[Tensor, "*batch row token c_m"], mask: Bool[Tensor, "*batch row"] | None
    ) -> Float[Tensor, "*batch token token c_z"]:
        ab = self.linear_ab(self.layer_norm(m))
        n_rows: Tensor | int = m.shape[-3]
        if mask is not None:
            ab = ab * mask[..., None, None]
            n_rows = mask.sum(-1)[..., None, None, None]
        a, b = ab.chunk(2, dim=-1)
        outer = torch.einsum("...mic,...mjd->...ijcd", a, b).flatten(-2)
        return self.linear_out(outer) / (n_rows + 1e-3)


class PairWeightedAveraging(nn.Module):
    """Alignment update: rows averaged over tokens with weights from the pairs (algorithm 10)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.n_heads = config.n_msa_heads
        width = config.n_msa_heads * config.c_msa_head
        self.layer_norm_m = nn.LayerNorm(config.c_m)
        self.layer_norm_z = nn.LayerNorm(config.c_z)
        self.linear_v = Linear(config.c_m, width)
        self.linear_gate = Linear(config.c_m, width, init="zeros")
        self.linear_bias = Linear(config.c_z, config.n_msa_heads)
        self.linear_out = Linear(width, config.c_m, init="zeros")

    def forward(
        self,
        m: Float[Tensor, "*batch row token c_m"],
        z: Float[Tensor, "*batch token token c_z"],
        mask: Bool[Tensor, "*batch token"] | None,
    ) -> Float[Tensor, "*batch row token c_m"]:
        m = self.layer_norm_m(m)
        bias = self.linear_bias(self.layer_norm_z(z)).movedim(-1, -3) + mask_bias(mask)
        v = self.linear_v(m).unflatten(-1, (self.n_heads, -1))
        o = torch.einsum("...hij,...mjhc->...mihc", torch.softmax(bias, dim=-1), v).flatten(-2)
        return self.linear_out(torch.sigmoid(self.linear_gate(m)) * o)


class MsaBlock(nn.Module):
    """One block of algorithm 8; the last one has no alignment update, since nothing reads it."""

    def __init__(self, config: ModelConfig, *, last: bool) -> None:
        super().__init__()
        self.outer_product_mean = OuterProductMean(config.c_m, config.c_z, config.c_outer)
        self.averaging = None if last else PairWeightedAveraging(config)
        self.transition = None if last else Transition(config.c_m, 4)
        self.pair_stack = PairStack(config)

    def forward(
        self,
        m: Float[Tensor, "*batch row token c_m"],
        z: Float[Tensor, "*batch token token c_z"],
        masks: tuple[Bool[Tensor, "*batch row"] | None, Bool[Tensor, "*batch token"] | None],
    ) -> tuple[Float[Tensor, "*batch row token c_m"], Float[Tensor, "*batch token token c_z"]]:
        row_mask, token_mask = masks
        z = z + self.outer_product_mean(m, row_mask)
        if self.averaging is not None and self.transition is not None:
            m = m + self.averaging(m, z, token_mask)
            m = m + self.transition(m)
        return m, self.pair_stack(z, token_mask)

    def advance(
        self,
        m: Float[Tensor, "*batch row token c_m"],
        z: Float[Tensor, "*batch token token c_z"],
        masks: tuple[Bool[Tensor, "*batch row"] | None, Bool[Tensor, "*batch token"] | None],
    ) -> None:
        """The same in place, without gradients."""
        row_mask, token_mask = masks
        alignments = inplace.jobs(m, row_mask)
        for (one_m, rows), (one_z, tokens) in zip(
            alignments, inplace.jobs(z, token_mask), strict=True
        ):
            inplace.add_outer_product_mean(self.outer_product_mean, one_z, one_m, rows)
            if self.averaging is not None and self.transition is not None:
                inplace.add_averaging(self.averaging, one_m, one_z, tokens)
                inplace.add_transition(self.transition, one_m)
        self.pair_stack.advance(z, token_mask)


class MsaModule(nn.Module):
    """The pair representation after a look at the alignment (algorithm 8).

    Departure, as in Protenix: the result replaces ``z`` (no second residual outside).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.linear_m = Linear(34, config.c_m)
        self.linear_s = Linear(config.c_s_inputs, config.c_m)
        last = config.n_msa_blocks - 1
        self.blocks = nn.ModuleList(
            MsaBlock(config, last=index == last) for index in range(config.n_msa_blocks)
        )

    def forward(
        self,
        features: Features,
        s_inputs: Float[Tensor, "*batch token c_s_inputs"],
        z: Float[Tensor, "*batch token token c_z"],
    ) -> Float[Tensor, "*batch token token c_z"]:
        if not torch.is_grad_enabled():
            z = z.clone(memory_format=torch.contiguous_format)
            return self.advance(features, s_inputs, z)
        m = self.embed(features, s_inputs)
        for block in self.blocks:
            m, z = block(m, z, (features.msa_mask, features.token_mask))
        return z

    def advance(
        self,
        features: Features,
        s_inputs: Float[Tensor, "*batch token c_s_inputs"],
        z: Float[Tensor, "*batch token token c_z"],
        on_block: OnBlock = quietly,
    ) -> Float[Tensor, "*batch token token c_z"]:
        """The same without gradients: ``z`` is worked on in place, ``on_block`` hears of each."""
        m = self.embed(features, s_inputs)
        for block in self.blocks:
            block.advance(m, z, (features.msa_mask, features.token_mask))
            on_block(block)
        return z

    def embed(
        self, features: Features, s_inputs: Float[Tensor, "*batch token c_s_inputs"]
    ) -> Float[Tensor, "*batch row token c_m"]:
        """The alignment as the first block reads it (lines 2-4)."""
        rows = functional.one_hot(classes(features.msa, self.config), 32).to(s_inputs.dtype)
        extra = torch.stack([features.has_deletion, features.deletion_value], dim=-1)
        m = self.linear_m(torch.cat([rows, extra], dim=-1))
        return m + self.linear_s(s_inputs).unsqueeze(-3)
