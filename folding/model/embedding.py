"""What the trunk starts from (AF3 SI algorithms 2-4)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from folding.data.features import Features
from folding.model.atoms import InputAtomEncoder
from folding.model.config import ModelConfig
from folding.model.primitives import Linear

R_MAX = 32
S_MAX = 2
N_RELATIVE_POSITIONS = 4 * R_MAX + 2 * S_MAX + 7
"""Features of a relative position: residue and token offsets, same entity, chain offset."""


CLASSES_OF_AF3 = (*range(21), *range(22, 26), 30, *range(26, 30), 30, 21)
"""Our residue classes in AF3's order: gap after amino acids, one unknown nucleotide at the end."""


class InputEmbedder(nn.Module):
    """Per-token input embedding: atoms, residue type, profile, deletions (algorithm 2)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.atom_encoder = InputAtomEncoder(config)

    def forward(self, features: Features) -> Float[Tensor, "*batch token c_s_inputs"]:
        a = self.atom_encoder(features)
        restype = classes(features.restype, self.config)
        restype = functional.one_hot(restype, self.config.n_classes).to(a.dtype)
        profile = class_profile(features.profile, self.config)
        return torch.cat([a, restype, profile, features.deletion_mean.unsqueeze(-1)], dim=-1)


def classes(restype: Int[Tensor, "*batch"], config: ModelConfig) -> Int[Tensor, "*batch"]:
    """Residue classes as the network numbers them."""
    if not config.variant.shared_unknown_nucleotide:
        return restype
    return torch.tensor(CLASSES_OF_AF3, device=restype.device)[restype]


def class_profile(
    profile: Float[Tensor, "*batch token 32"], config: ModelConfig
) -> Float[Tensor, "*batch token classes"]:
    """Frequencies of the residue classes that the network tells apart."""
    if not config.variant.shared_unknown_nucleotide:
        return profile
    index = torch.tensor(CLASSES_OF_AF3, device=profile.device).expand(profile.shape)
    merged = profile.new_zeros(*profile.shape[:-1], config.n_classes)
    return merged.scatter_add(-1, index, profile)


class RelativePositionEncoding(nn.Module):
    """Where two tokens stand to each other in chain, residue and entity (algorithm 3).

    One-hot features meet the weights as look-ups. Departure, as in AF3's code: the chain offset
    is shown for chains of the same entity.
    """

    def __init__(self, c_z: int) -> None:
        super().__init__()
        self.linear = Linear(N_RELATIVE_POSITIONS, c_z)

    def forward(self, features: Features) -> Float[Tensor, "*batch token token c_z"]:
        residue, token, same_entity, chain = relative_positions(features)
        n_rows = 2 * R_MAX + 2
        table = self.linear.weight.t()
        z = functional.embedding(residue, table[:n_rows])
        z = z + functional.embedding(token, table[n_rows : 2 * n_rows])
        z = z + same_entity.unsqueeze(-1) * table[2 * n_rows]
        return z + functional.embedding(chain, table[2 * n_rows + 1 :])


def relative_positions(features: Features) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Classes of residue and token offset, whether the entity is the same, class of chain offset;
    each [*batch, token, token]."""
    same_chain = same(features.asym_id)
    same_entity = same(features.entity_id)
    residue = offset(features.residue_index, R_MAX, same_chain, features.ring_length)
    token = offset(features.token_index, R_MAX, same_chain & same(features.residue_index))
    return residue, token, same_entity, offset(features.sym_id, S_MAX, same_entity)


def relative_position_features(
    features: Features,
) -> Float[Tensor, "*batch token token relative_positions"]:
    """The same as one-hot features."""
    residue, token, same_entity, chain = relative_positions(features)
    parts = [
        functional.one_hot(residue, 2 * R_MAX + 2),
        functional.one_hot(token, 2 * R_MAX + 2),
        same_entity.unsqueeze(-1),
        functional.one_hot(chain, 2 * S_MAX + 2),
    ]
    return torch.cat([part.to(torch.float32) for part in parts], dim=-1)


def same(x: Int[Tensor, "*batch token"]) -> Tensor:
    """Whether two tokens agree, [*batch, token, token]."""
    return x.unsqueeze(-1) == x.unsqueeze(-2)


def offset(
    x: Int[Tensor, "*batch token"],
    limit: int,
    where: Tensor,
    ring_length: Int[Tensor, "*batch token"] | None = None,
) -> Tensor:
    """Clipped difference as a class in [0, 2 limit], or 2 limit + 1 where it has no meaning.

    In a ring of n residues the difference counts along the shorter way round, signed, as in
    AfCycDesign (Rettie et al. 2025, https://doi.org/10.1038/s41467-025-59940-7).
    """
    difference = x.unsqueeze(-1) - x.unsqueeze(-2)
    if ring_length is not None:
        n = ring_length.unsqueeze(-1).expand(difference.shape)
        around = (difference + n // 2) % n.clamp(min=1) - n // 2
        difference = torch.where(n > 0, around, difference)
    difference = (difference + limit).clamp(0, 2 * limit)
    return torch.where(where, difference, 2 * limit + 1)
