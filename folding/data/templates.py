"""Known structures that a job may lean on, as features (AF3 SI table 5)."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from folding.chemistry.residues import GAP_CLASS

N_TEMPLATES = 4
N_DISTANCE_BINS = 39
NO_BIN = N_DISTANCE_BINS
"""The bin of distances that are unknown or below 3.25 Å."""


@dataclass(frozen=True)
class TemplateFeatures:
    """What templates say about each token and each pair of tokens.

    ``distance_bin`` counts bins of 1.25 Å from 3.25 Å between representative atoms, the last one
    open. ``unit_vector`` points from token i to token j in the backbone frame of i.
    """

    restype: Int[Tensor, "*batch template token"]
    distance_bin: Int[Tensor, "*batch template token token"]
    unit_vector: Float[Tensor, "*batch template token token 3"]
    distance_mask: Bool[Tensor, "*batch template token token"]
    frame_mask: Bool[Tensor, "*batch template token token"]

    def to(self, device: torch.device | str) -> "TemplateFeatures":
        """The same features on another device."""
        moved = {field.name: getattr(self, field.name).to(device) for field in fields(self)}
        return TemplateFeatures(**moved)


def no_templates(shape: tuple[int, ...], device: torch.device) -> TemplateFeatures:
    """What a job without templates shows, for tokens of this shape [*batch, token].

    As Protenix pads: one template of gaps, the others of class 0, and nothing known of any pair.
    """
    *batch, n_tokens = shape
    pairs = (*batch, N_TEMPLATES, n_tokens, n_tokens)
    restype = torch.zeros(*batch, N_TEMPLATES, n_tokens, dtype=torch.long, device=device)
    restype[..., 0, :] = GAP_CLASS
    nothing = torch.zeros(pairs, dtype=torch.bool, device=device)
    return TemplateFeatures(
        restype=restype,
        distance_bin=torch.full(pairs, NO_BIN, device=device),
        unit_vector=torch.zeros(*pairs, 3, device=device),
        distance_mask=nothing,
        frame_mask=nothing,
    )
