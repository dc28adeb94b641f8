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


class InputEmbedder(nn.Module):
    """Per-token input embedding: atoms, residue type, profile, deletions (algorithm 2)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.atom_encoder = InputAtomEncoder(config)

    def forward(self, features: Features) -> Float[Tensor, "*batch token c_s_inputs"]:
        a = self.atom_encoder(features)
        restype = functional.one_hot(features.restype, 32).to(a.dtype)
        return torch.cat(
            [a, restype, features.profile, features.deletion_mean.unsqueeze(-1)], dim=-1
        )


class RelativePositionEncoding(nn.Module):
    """Where two tokens stand to each other in chain, residue and entity (algorithm 3).

    One-hot features meet the weights as look-ups. Departure, as in AF3's code: the chain offset
    is shown for chains of the same entity.
    """

    def __init__(self, c_z: int) -> None:
        super().__init__()
        self.linear = Linear(4 * R_MAX + 2 * S_MAX + 7, c_z)

    def forward(self, features: Features) -> Float[Tensor, "*batch token token c_z"]:
        same_chain = same(features.asym_id)
        same_entity = same(features.entity_id)
        residue = offset(features.residue_index, R_MAX, same_chain)
        token = offset(features.token_index, R_MAX, same_chain & same(features.residue_index))
        chain = offset(features.sym_id, S_MAX, same_entity)
        n_rows = 2 * R_MAX + 2
        table = self.linear.weight.t()
        z = functional.embedding(residue, table[:n_rows])
        z = z + functional.embedding(token, table[n_rows : 2 * n_rows])
        z = z + same_entity.unsqueeze(-1) * table[2 * n_rows]
        return z + functional.embedding(chain, table[2 * n_rows + 1 :])


def same(x: Int[Tensor, "*batch token"]) -> Tensor:
    """Whether two tokens agree, [*batch, token, token]."""
    return x.unsqueeze(-1) == x.unsqueeze(-2)


def offset(x: Int[Tensor, "*batch token"], limit: int, where: Tensor) -> Tensor:
    """Clipped difference as a class in [0, 2 limit], or 2 limit + 1 where it has no meaning."""
    difference = (x.unsqueeze(-1) - x.unsqueeze(-2) + limit).clamp(0, 2 * limit)
    return torch.where(where, difference, 2 * limit + 1)
