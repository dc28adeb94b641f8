"""What the network says about its own result (AF3 SI algorithm 31, sections 4.3 and 4.4)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from folding.data.features import Features
from folding.model.atoms import atoms_from_tokens
from folding.model.config import ModelConfig
from folding.model.diffusion import Trunk
from folding.model.pairformer import Pairformer
from folding.model.primitives import Linear

FIRST_BIN = 3.25
BIN_WIDTH = 1.25
N_DISTANCE_BINS = 39


class ConfidenceLogits(NamedTuple):
    """Logits of the confidence heads for one sample."""

    plddt: Tensor
    """[*batch, atom, 50]"""
    pae: Tensor
    """[*batch, token, token, 64]"""
    pde: Tensor
    """[*batch, token, token, 64]"""
    resolved: Tensor
    """[*batch, atom, 2]"""


class DistogramHead(nn.Module):
    """Distance bins of every token pair (section 4.4); the logits are symmetric."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.linear = Linear(
            config.c_z, config.n_distogram_bins, bias=config.variant.distogram_offset, init="zeros"
        )

    def forward(
        self, z: Float[Tensor, "*batch token token c_z"]
    ) -> Float[Tensor, "*batch token token bins"]:
        logits = self.linear(z)
        return logits + logits.transpose(-2, -3)


class ConfidenceHead(nn.Module):
    """pLDDT, PAE, PDE and resolved logits of one structure (algorithm 31).

    Departures, as in Protenix: the trunk's single is clamped to ±512 and normed, the raw distance
    is embedded beside its bin, every head starts with a LayerNorm, and the PDE head reads
    LN(z + zᵀ). The plain variant (AF3's code, OpenFold3) does the first two not, and adds the PDE
    logits of LN(z) to their transpose.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c_s, c_z = config.c_s, config.c_z
        self.plain = config.variant.plain_confidence
        self.layer_norm_trunk = None if self.plain else nn.LayerNorm(c_s)
        self.linear_s1 = Linear(config.c_s_inputs, c_z)
        self.linear_s2 = Linear(config.c_s_inputs, c_z)
        self.linear_bin = Linear(N_DISTANCE_BINS, c_z)
        self.linear_distance = None if self.plain else Linear(1, c_z)
        self.pairformer = Pairformer(config, config.n_confidence_blocks)
        self.layer_norm_pae = nn.LayerNorm(c_z)
        self.layer_norm_pde = nn.LayerNorm(c_z)
        self.layer_norm_plddt = nn.LayerNorm(c_s)
        self.layer_norm_resolved = nn.LayerNorm(c_s)
        self.linear_pae = Linear(c_z, config.n_error_bins, init="zeros")
        self.linear_pde = Linear(c_z, config.n_error_bins, init="zeros")
        self.plddt_weight = nn.Parameter(torch.zeros(config.n_atom_slots, c_s, config.n_plddt_bins))
        self.resolved_weight = nn.Parameter(torch.zeros(config.n_atom_slots, c_s, 2))

    def forward(
        self,
        coordinates: Float[Tensor, "*batch atom 3"],
        features: Features,
        trunk: Trunk,
    ) -> ConfidenceLogits:
        s = trunk.s.detach()
        if self.layer_norm_trunk is not None:
            s = self.layer_norm_trunk(s.clamp(-512, 512))
        z = trunk.z.detach() + self.pair_update(coordinates, features, trunk.s_inputs.detach())
        s, z = self.pairformer(s, z, features.token_mask)
        atoms = atoms_from_tokens(s, features.atom_to_token)
        return ConfidenceLogits(
            plddt=self.per_slot(self.layer_norm_plddt(atoms), self.plddt_weight, features),
            pae=self.linear_pae(self.layer_norm_pae(z)),
            pde=self.pde(z),
            resolved=self.per_slot(self.layer_norm_resolved(atoms), self.resolved_weight, features),
        )

    def pde(
        self, z: Float[Tensor, "*batch token token c_z"]
    ) -> Float[Tensor, "*batch token token bins"]:
        """Logits of the distance error, the same for ij and ji."""
        if not self.plain:
            return self.linear_pde(self.layer_norm_pde(z + z.transpose(-2, -3)))
        logits = self.linear_pde(self.layer_norm_pde(z))
        return logits + logits.transpose(-2, -3)

    def pair_update(
        self, coordinates: Tensor, features: Features, s_inputs: Tensor
    ) -> Float[Tensor, "*batch token token c_z"]:
        """Input embedding and distances of representative atoms, as pairs (lines 1-3)."""
        atoms = features.representative_atom.unsqueeze(-1)
        x = torch.gather(coordinates, -2, atoms.expand(*atoms.shape[:-1], 3))
        distance = torch.linalg.vector_norm(x.unsqueeze(-2) - x.unsqueeze(-3), dim=-1)
        bins = torch.floor((distance - FIRST_BIN) / BIN_WIDTH)
        inside = (bins >= 0).unsqueeze(-1)
        table = self.linear_bin.weight.t()
        index = bins.clamp(0, N_DISTANCE_BINS - 1).long()
        z = functional.embedding(index, table) * inside
        if self.linear_distance is not None:
            z = z + self.linear_distance(distance.unsqueeze(-1))
        return z + self.linear_s1(s_inputs).unsqueeze(-3) + self.linear_s2(s_inputs).unsqueeze(-2)

    def per_slot(
        self, x: Float[Tensor, "*batch atom c_s"], weight: Tensor, features: Features
    ) -> Float[Tensor, "*batch atom bins"]:
        """A linear map that differs by the atom's place in its token.

        Slots are taken one after the other, so that no per-atom copy of the weights is made.
        """
        logits = x.new_zeros(*x.shape[:-1], weight.shape[-1])
        for slot in torch.unique(features.atom_slot).tolist():
            chosen = (features.atom_slot == slot).unsqueeze(-1)
            logits = torch.where(chosen, torch.matmul(x, weight[slot]), logits)
        return logits
