"""The whole network (AF3 SI algorithm 1)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from folding.data.features import Features
from folding.model.config import ModelConfig
from folding.model.diffusion import DiffusionModule, Trunk
from folding.model.embedding import InputEmbedder, RelativePositionEncoding
from folding.model.heads import ConfidenceHead, DistogramHead
from folding.model.msa import MsaModule
from folding.model.pairformer import OnBlock, Pairformer, quietly
from folding.model.primitives import Linear
from folding.model.template import TemplateEmbedder

Recycled = Callable[[Tensor], Tensor]
"""Pairs [*batch, token, token, c_z] of the pass before, and what of them the next one adds."""


def unchanged(z: Tensor) -> Tensor:
    """All of what is recycled."""
    return z


class AlphaFold3(nn.Module):
    """Trunk, diffusion module and heads. Callers drive the cycles and steps themselves.

    ``start`` embeds the input, ``cycle`` is one pass of the trunk, ``diffusion`` denoises,
    ``distogram`` and ``confidence`` judge.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        c_s, c_z = config.c_s, config.c_z
        self.input_embedder = InputEmbedder(config)
        self.relative_position = RelativePositionEncoding(c_z)
        self.linear_s_init = Linear(config.c_s_inputs, c_s)
        c_start = config.c_s_inputs if config.variant.pairs_from_inputs else c_s
        self.linear_z_init_1 = Linear(c_start, c_z)
        self.linear_z_init_2 = Linear(c_start, c_z)
        self.linear_token_bond = Linear(1, c_z)
        self.layer_norm_z = nn.LayerNorm(c_z)
        self.linear_z_cycle = Linear(c_z, c_z, init="zeros")
        self.layer_norm_s = nn.LayerNorm(c_s)
        self.linear_s_cycle = Linear(c_s, c_s, init="zeros")
        self.template_embedder = TemplateEmbedder(config) if config.c_template else None
        self.msa_module = MsaModule(config)
        self.pairformer = Pairformer(config, config.n_pairformer_blocks)
        self.diffusion = DiffusionModule(config)
        self.distogram = DistogramHead(config)
        self.confidence = ConfidenceHead(config)

    @property
    def reads_templates(self) -> bool:
        """Whether templates change anything: small networks have no blocks for them."""
        return self.template_embedder is not None and self.config.n_template_blocks > 0

    def start(self, features: Features) -> tuple[Trunk, Trunk]:
        """What every cycle adds to (lines 1-5), and the empty trunk before the first (line 6)."""
        s_inputs = self.input_embedder(features)
        s = self.linear_s_init(s_inputs)
        start = s_inputs if self.config.variant.pairs_from_inputs else s
        z = self.linear_z_init_1(start).unsqueeze(-2) + self.linear_z_init_2(start).unsqueeze(-3)
        z = z + self.relative_position(features)
        z = z + self.linear_token_bond(features.token_bonds.unsqueeze(-1))
        initial = Trunk(s_inputs, s, z)
        return initial, Trunk(s_inputs, s.new_zeros(s.shape), z.new_zeros(z.shape))

    def cycle(
        self,
        features: Features,
        initial: Trunk,
        trunk: Trunk,
        on_block: OnBlock = quietly,
        recycled: Recycled = unchanged,
    ) -> Trunk:
        """The trunk after one more pass (lines 8-13).

        Args:
            on_block: called after each block, without gradients only.
            recycled: changes what the pairs of the pass before add to this one.
        """
        z = initial.z + recycled(self.linear_z_cycle(self.layer_norm_z(trunk.z)))
        if self.template_embedder is not None:
            z = z + self.template_embedder(features, z)
        s = initial.s + self.linear_s_cycle(self.layer_norm_s(trunk.s))
        if torch.is_grad_enabled():
            z = self.msa_module(features, initial.s_inputs, z)
            return Trunk(initial.s_inputs, *self.pairformer(s, z, features.token_mask))
        z = self.msa_module.advance(features, initial.s_inputs, z, on_block)
        s, z = self.pairformer.advance(s, z, features.token_mask, on_block)
        return Trunk(initial.s_inputs, s, z)

    @property
    def n_trunk_blocks(self) -> int:
        """Blocks of one cycle that ``on_block`` hears of."""
        return self.config.n_msa_blocks + self.config.n_pairformer_blocks

    def run_trunk(self, features: Features, n_cycles: int) -> Trunk:
        """The trunk after ``n_cycles`` passes."""
        initial, trunk = self.start(features)
        for _ in range(n_cycles):
            trunk = self.cycle(features, initial, trunk)
        return trunk

    def contact_probabilities(self, trunk: Trunk) -> Float[Tensor, "*batch token token"]:
        """Probability that representative atoms are closer than 8 Å, from the distogram.

        Bins as AF3 SI section 4.4: 64 from 2 Å to 22 Å; those whose upper edge is below 8 Å count.
        """
        probabilities = self.distogram(trunk.z).softmax(-1)
        width = 20.0 / self.config.n_distogram_bins
        return probabilities[..., : int((8.0 - 2.0) / width)].sum(-1)
