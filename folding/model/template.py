"""What known structures say about the pairs (AF3 SI algorithm 16)."""

from dataclasses import fields, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from folding.data.features import Features
from folding.data.templates import N_DISTANCE_BINS, TemplateFeatures, no_templates
from folding.model.config import ModelConfig
from folding.model.embedding import classes, same
from folding.model.primitives import Linear
from folding.model.triangle import PairStack


def n_features(config: ModelConfig) -> int:
    """Features of a pair: distance bins and mask, both classes, unit vector and mask."""
    return N_DISTANCE_BINS + 1 + 2 * config.n_classes + 3 + 1


class TemplateEmbedder(nn.Module):
    """Pair update from the mean over templates; pairs of one chain alone (algorithm 16).

    One-hot features meet the weights as look-ups. Departures, as in Protenix: triangle updates
    keep the width of the trunk's (other variants have narrower ones), and a job without templates
    shows four empty ones, of classes that every program chooses differently. Without blocks
    (Protenix 0.5, mini, tiny) nothing is computed and nothing added.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = config.c_template
        narrow = replace(
            config,
            c_z=c,
            c_triangle=config.c_template_triangle,
            c_pair_head=config.c_template_head,
            n_pair_heads=config.n_template_heads,
        )
        self.config = config
        self.linear_z = Linear(config.c_z, c)
        self.layer_norm_z = nn.LayerNorm(config.c_z)
        self.linear_features = Linear(n_features(config), c, init="relu")
        self.blocks = nn.ModuleList(
            PairStack(narrow, n_transition=2) for _ in range(config.n_template_blocks)
        )
        self.layer_norm_v = nn.LayerNorm(c)
        self.linear_out = Linear(c, config.c_z, init="zeros")

    def forward(
        self, features: Features, z: Float[Tensor, "*batch token token c_z"]
    ) -> Float[Tensor, "*batch token token c_z"]:
        if not self.blocks:
            return z.new_zeros(()).expand(z.shape)
        templates = features.templates
        if templates is None:
            shown = self.config.variant.empty_templates
            templates = no_templates(tuple(features.restype.shape), z.device, shown)
        v_z = self.linear_z(self.layer_norm_z(z))
        n_templates = templates.restype.shape[-2]
        total = torch.zeros_like(v_z)
        for index, count in different(templates).items():
            v = v_z + self.embed(features, templates, index)
            for block in self.blocks:
                v = block(v, features.token_mask)
            total = total + count * self.layer_norm_v(v)
        return self.linear_out(functional.relu(total / (1e-7 + n_templates)))

    def embed(
        self, features: Features, templates: TemplateFeatures, index: int
    ) -> Float[Tensor, "*batch token token c"]:
        """What one template says about every pair (lines 1-7)."""
        table = self.linear_features.weight.t()
        bins, known, types_j, types_i, vector, frame = table.split(
            [N_DISTANCE_BINS, 1, self.config.n_classes, self.config.n_classes, 3, 1]
        )
        one_chain = same(features.asym_id)
        distance_mask = (templates.distance_mask[..., index, :, :] & one_chain).unsqueeze(-1)
        frame_mask = (templates.frame_mask[..., index, :, :] & one_chain).unsqueeze(-1)
        restype = classes(templates.restype[..., index, :], self.config)
        padded = functional.pad(bins, (0, 0, 0, 1))
        v = functional.embedding(templates.distance_bin[..., index, :, :], padded) + known[0]
        u = templates.unit_vector[..., index, :, :, :] @ vector + frame[0]
        v = v * distance_mask + u * frame_mask
        v = v + functional.embedding(restype, types_j).unsqueeze(-3)
        return v + functional.embedding(restype, types_i).unsqueeze(-2)


def different(templates: TemplateFeatures) -> dict[int, int]:
    """The templates that differ, and how often each is there: the empty ones are all alike."""
    arrays = [getattr(templates, field.name) for field in fields(templates)]
    n_axes = templates.restype.dim()
    columns = [array.unbind(n_axes - 2) for array in arrays]
    counts: dict[int, int] = {}
    for index in range(templates.restype.shape[-2]):
        same_as = (i for i in counts if all(torch.equal(c[i], c[index]) for c in columns))
        first = next(same_as, index)
        counts[first] = counts.get(first, 0) + 1
    return counts
