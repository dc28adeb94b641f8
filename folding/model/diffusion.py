"""The diffusion module: one denoising step (AF3 SI algorithms 20-22)."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from folding.data.features import Features
from folding.model import denoising, inplace
from folding.model.atoms import AtomContext, AtomDecoder, AtomEncoder, key_places
from folding.model.attention import (
    ConditionedAttention,
    ConditionedBlock,
    ConditionedTransformer,
    key_window_bias,
)
from folding.model.config import ModelConfig
from folding.model.embedding import (
    N_RELATIVE_POSITIONS,
    RelativePositionEncoding,
    relative_position_features,
)
from folding.model.pairformer import OnBlock, quietly
from folding.model.primitives import Linear, PreciseLinear, Transition, mask_bias


class Trunk(NamedTuple):
    """What the trunk hands to the heads and to the diffusion module."""

    s_inputs: Tensor
    """[*batch, token, c_s_inputs]"""
    s: Tensor
    """[*batch, token, c_s]"""
    z: Tensor
    """[*batch, token, token, c_z]"""


class DiffusionContext(NamedTuple):
    """What every denoising step of a job shares."""

    features: Features
    s: Tensor
    """Single conditioning before the noise level is added, [*batch, 1, token, c_s]."""
    atoms: AtomContext
    token_biases: list[Tensor]
    token_blocks: list[denoising.TokenBlock] | None = None
    """The token transformer laid out for steps; None where its own maps serve."""


class FourierEmbedding(nn.Module):
    """Random Fourier features of the noise level (algorithm 22); the table is a weight."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(c), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(c), requires_grad=False)
        if not self.weight.is_meta:
            nn.init.normal_(self.weight)
            nn.init.normal_(self.bias)

    def forward(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch c"]:
        return torch.cos(2 * math.pi * (t.unsqueeze(-1) * self.weight + self.bias))


class DiffusionConditioning(nn.Module):
    """Single and pair conditioning of the diffusion module (algorithm 21)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.sigma_data = config.sampler.sigma_data
        c_s, c_z = config.c_s, config.c_z
        raw = config.variant.raw_relative_positions
        self.relative_position = None if raw else RelativePositionEncoding(c_z)
        c_pairs = c_z + (N_RELATIVE_POSITIONS if raw else c_z)
        self.layer_norm_z = nn.LayerNorm(c_pairs, bias=False)
        self.linear_z = Linear(c_pairs, c_z)
        self.transitions_z = nn.ModuleList(Transition(c_z, 2) for _ in range(2))
        self.layer_norm_s = nn.LayerNorm(c_s + config.c_s_inputs, bias=False)
        self.linear_s = Linear(c_s + config.c_s_inputs, c_s)
        self.fourier = FourierEmbedding(config.c_noise)
        self.layer_norm_noise = nn.LayerNorm(config.c_noise, bias=False)
        self.linear_noise = PreciseLinear(config.c_noise, c_s)
        self.transitions_s = nn.ModuleList(Transition(c_s, 2) for _ in range(2))

    def pairs(
        self, features: Features, z_trunk: Float[Tensor, "*batch token token c_z"]
    ) -> Float[Tensor, "*batch token token c_z"]:
        """Pair conditioning (lines 1-5): the same for every noise level."""
        embed = self.relative_position or relative_position_features
        z = torch.cat([z_trunk, embed(features)], dim=-1)
        z = self.linear_z(self.layer_norm_z(z))
        for transition in self.transitions_z:
            if torch.is_grad_enabled():
                z = z + transition(z)
            else:
                inplace.add_to_each(transition, z)
        return z

    def singles(self, trunk: Trunk) -> Float[Tensor, "*batch token c_s"]:
        """Single conditioning before the noise level (lines 6-7)."""
        return self.linear_s(self.layer_norm_s(torch.cat([trunk.s, trunk.s_inputs], dim=-1)))

    def with_noise(
        self, s: Float[Tensor, "*batch one token c_s"], t_hat: Float[Tensor, "*batch sample"]
    ) -> Float[Tensor, "*batch sample token c_s"]:
        """Single conditioning of samples at noise levels ``t_hat`` in Å (lines 8-12)."""
        noise = self.fourier(torch.log(t_hat / self.sigma_data) / 4)
        s = s + self.linear_noise(self.layer_norm_noise(noise)).unsqueeze(-2)
        for transition in self.transitions_s:
            s = s + transition(s)
        return s


class DiffusionModule(nn.Module):
    """Denoises coordinates (algorithm 20), with the preconditioning of Karras et al. 2022."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.sigma_data = config.sampler.sigma_data
        self.window = (config.n_queries, config.n_keys)
        self.conditioning = DiffusionConditioning(config)
        self.atom_encoder = AtomEncoder(config)
        self.layer_norm_s = nn.LayerNorm(config.c_s, bias=False)
        self.linear_s = Linear(config.c_s, config.c_token, init="zeros")
        self.transformer = token_transformer(config)
        self.layer_norm_a = nn.LayerNorm(config.c_token, bias=False)
        self.atom_decoder = AtomDecoder(config)

    def context(
        self,
        features: Features,
        trunk: Trunk,
        on_block: OnBlock = quietly,
        step_type: torch.dtype = torch.float32,
    ) -> DiffusionContext:
        """Everything that does not depend on coordinates or noise level, computed once per job.

        Args:
            on_block: called with each token block whose weights steps will not read again.
            step_type: what steps compute the products of the token transformer in, on a processor.
        """
        z = self.conditioning.pairs(features, trunk.z)
        places = key_places(features.atom_mask, self.config)
        c, p = self.atom_encoder.context(features, trunk.s, z, places)
        c, p = c.unsqueeze(-3), p.unsqueeze(-5)
        mask = key_window_bias(features.atom_mask, self.window, places).unsqueeze(-5)
        encoder, decoder = self.atom_encoder.transformer, self.atom_decoder.transformer
        atoms = AtomContext(
            c=c,
            encoder=encoder.condition(c, places),
            encoder_biases=encoder.pair_biases(p, mask),
            decoder=decoder.condition(c, places),
            decoder_biases=decoder.pair_biases(p, mask),
        )
        token_mask = mask_bias(features.token_mask)
        biases = [x.unsqueeze(-4) for x in self.transformer.pair_biases(z, token_mask)]
        s = self.conditioning.singles(trunk).unsqueeze(-3)
        blocks = denoising.laid_out(self.transformer, on_block, step_type)
        return DiffusionContext(features, s, atoms, biases, blocks)

    def forward(
        self,
        x_noisy: Float[Tensor, "*batch sample atom 3"],
        t_hat: Float[Tensor, "*batch sample_or_one"],
        context: DiffusionContext,
    ) -> Float[Tensor, "*batch sample atom 3"]:
        """The denoised coordinates in Å, for noise levels ``t_hat`` in Å.

        What depends on the level alone is computed once where all samples share one.
        """
        t = t_hat[..., None, None]
        scale = torch.sqrt(self.sigma_data**2 + t**2)
        r_update = self.update(x_noisy / scale, t_hat, context)
        skip = (self.sigma_data / scale) ** 2
        return skip * x_noisy + (self.sigma_data * t / scale) * r_update

    def update(
        self,
        r: Float[Tensor, "*batch sample atom 3"],
        t_hat: Float[Tensor, "*batch sample_or_one"],
        context: DiffusionContext,
    ) -> Float[Tensor, "*batch sample atom 3"]:
        """The network itself, in units of the noise (lines 3-7)."""
        s = self.conditioning.with_noise(context.s, t_hat)
        a, q_skip = self.atom_encoder(r, context.features, context.atoms)
        a = a + self.linear_s(self.layer_norm_s(s))
        if context.token_blocks is None or torch.is_grad_enabled():
            a = self.transformer(a, self.transformer.condition(s), context.token_biases)
        else:
            a = denoising.advance(a, s, context.token_blocks, context.token_biases)
        return self.atom_decoder(self.layer_norm_a(a), q_skip, context.features, context.atoms)


def token_transformer(config: ModelConfig) -> ConditionedTransformer:
    """The stack of full attention blocks over tokens."""
    widths = (config.c_token, config.c_s, config.c_z)
    return ConditionedTransformer(
        [
            ConditionedBlock(
                ConditionedAttention(widths, config.n_token_heads, cross=False),
                config.c_token,
                config.c_s,
            )
            for _ in range(config.n_token_blocks)
        ]
    )
