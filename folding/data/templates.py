"""Known structures that a job may lean on, as features (AF3 SI table 5)."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Int64
from torch import Tensor

from folding.chemistry.residues import GAP_CLASS, LETTERS
from folding.data.msa import MIN_RESIDUES
from folding.data.tokens import Tokens
from folding.errors import InvalidInput
from folding.inputs import FoldInput, Template
from folding.templates.structure_file import StructureChain, read_structure

N_TEMPLATES = 4
N_DISTANCE_BINS = 39
NO_BIN = N_DISTANCE_BINS
"""The bin of distances that are unknown or below 3.25 Å."""
# With these a file says the sequence of its chains, unresolved residues included.
_SEQUENCE_ITEMS = ("_entity_poly_seq.mon_id", "_atom_site.label_entity_id")


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


EMPTY = (GAP_CLASS, 0, 0, 0)
"""The class that each slot shows where it holds no template, as Protenix pads."""


def no_templates(
    shape: tuple[int, ...], device: torch.device, classes: tuple[int, ...] = EMPTY
) -> TemplateFeatures:
    """What a job without templates shows, for tokens of this shape [*batch, token].

    Every template shows one class; as Protenix pads, the first gaps and the others class 0.
    Nothing is known of any pair.
    """
    *batch, n_tokens = shape
    pairs = (*batch, N_TEMPLATES, n_tokens, n_tokens)
    restype = torch.tensor(classes, device=device).unsqueeze(-1)
    restype = restype.expand(*batch, N_TEMPLATES, n_tokens)
    nothing = torch.zeros(pairs, dtype=torch.bool, device=device)
    return TemplateFeatures(
        restype=restype,
        distance_bin=torch.full(pairs, NO_BIN, device=device),
        unit_vector=torch.zeros(*pairs, 3, device=device),
        distance_mask=nothing,
        frame_mask=nothing,
    )


@dataclass(frozen=True)
class _Place:
    """What the templates of one slot say about each column of a job, as arrays."""

    restype: Int64[np.ndarray, " column"]
    beta: Float32[np.ndarray, "column 3"]
    beta_mask: Bool[np.ndarray, " column"]
    backbone: Float32[np.ndarray, "column 3 3"]
    backbone_mask: Bool[np.ndarray, " column"]


def template_features(
    fold_input: FoldInput, tokens: Tokens | None = None, *, empty: tuple[int, ...] = EMPTY
) -> TemplateFeatures | None:
    """The templates of a job's chains, the first four of each; None where there are none.

    Slot k holds the k-th template of every chain, copies alike. Within a template, residues that
    are not mapped are gaps.

    Args:
        tokens: Tokens of the job; None where each residue is one.
        empty: The class that each slot shows of a chain without such a template.

    Raises:
        InvalidInput: A template's mmCIF text cannot be read, holds several chains, or says a
            sequence that is shorter than its mapping.
    """
    if not any(getattr(chain, "templates", None) for chain in fold_input.chains):
        return None
    chains = [chain for chain in fold_input.chains for _ in chain.ids]
    widths = np.array([len(getattr(chain, "sequence", "X")) for chain in chains])
    if tokens is None:
        columns = np.arange(widths.sum())
    else:
        index = tokens.asym_id - 1
        within = np.minimum(tokens.residue_index, widths[index]) - 1
        columns = (np.cumsum(widths) - widths)[index] + within
    slots = [
        _slot(chains, widths, number, columns, shown=shown) for number, shown in enumerate(empty)
    ]
    return TemplateFeatures(
        restype=torch.from_numpy(np.stack([slot.restype for slot in slots])),
        distance_bin=torch.stack([distance_bins(slot) for slot in slots]),
        unit_vector=torch.from_numpy(np.stack([unit_vectors(slot) for slot in slots])),
        distance_mask=torch.from_numpy(np.stack([_pairs(slot.beta_mask) for slot in slots])),
        frame_mask=torch.from_numpy(np.stack([_pairs(slot.backbone_mask) for slot in slots])),
    )


def _slot(
    chains: list, widths: np.ndarray, number: int, columns: np.ndarray, *, shown: int
) -> _Place:
    parts = []
    for chain, width in zip(chains, widths.tolist(), strict=True):
        templates = getattr(chain, "templates", None) or ()
        template = templates[number] if number < len(templates) and width >= MIN_RESIDUES else None
        parts.append(_template(template, width, shown=shown))
    joined = (np.concatenate(arrays)[columns] for arrays in zip(*parts, strict=True))
    return _Place(*joined)


def _template(template: Template | None, width: int, *, shown: int) -> tuple[np.ndarray, ...]:
    """One template on the residues of its chain: the fields of `_Place`."""
    restype = np.full(width, shown if template is None else GAP_CLASS, np.int64)
    beta, backbone = np.zeros((width, 3), np.float32), np.zeros((width, 3, 3), np.float32)
    beta_mask, backbone_mask = np.zeros(width, bool), np.zeros(width, bool)
    if template is not None:
        chain = _only_chain(template)
        for query, place in zip(template.query_indices, template.template_indices, strict=True):
            residue = chain.residues.get(place)
            if query >= width or residue is None:
                continue
            letter = chain.sequence[place]
            restype[query] = LETTERS.index(letter)
            atoms = residue.atoms
            if (point := atoms.get("CA" if letter == "G" else "CB")) is not None:
                beta[query], beta_mask[query] = point, True
            if all(name in atoms for name in ("C", "CA", "N")):
                backbone[query] = [atoms[name] for name in ("C", "CA", "N")]
                backbone_mask[query] = True
    return restype, beta, beta_mask, backbone, backbone_mask


def _only_chain(template: Template) -> StructureChain:
    chains = read_structure(template.cif, field="templates").chains
    if len(chains) > 1:
        names = ", ".join(chain.chain_id for chain in chains[:12])
        raise InvalidInput(
            f"A template must hold one protein chain, but this mmCIF has {len(chains)}: {names}. "
            "Cut it to the chain that its indices are for.",
            field="templates",
        )
    n_residues = len(chains[0].sequence)
    # A bare table of atoms does not tell how far the chain goes on unresolved.
    if not all(item in template.cif.lower() for item in _SEQUENCE_ITEMS):
        return chains[0]
    if (last := max(template.template_indices)) >= n_residues:
        raise InvalidInput(
            f"A template's indices reach residue {last} (counted from 0), but its chain has "
            f"{n_residues} residues, unresolved ones counted. Correct its “templateIndices”.",
            field="templates",
        )
    return chains[0]


def distance_bins(place: _Place) -> Int[Tensor, "column column"]:
    """Bins of the distances between Cβ (Cα of glycine), `NO_BIN` where unknown or too close."""
    edges = np.square(np.linspace(3.25, 50.75, N_DISTANCE_BINS, dtype=np.float32))
    offset = place.beta[:, None] - place.beta[None]
    squared = np.einsum("ijk,ijk->ij", offset, offset)
    bins = np.searchsorted(edges, squared, side="left") - 1
    known = _pairs(place.beta_mask) & (bins >= 0)
    return torch.from_numpy(np.where(known, bins, NO_BIN))


def unit_vectors(place: _Place, *, epsilon: float = 1e-6) -> Float32[np.ndarray, "column column 3"]:
    """Directions from Cα to Cα in the backbone frames: x along Cα-C, N in the xy plane."""
    c, ca, n = place.backbone.swapaxes(0, 1)
    e1 = _normalised(c - ca, epsilon)
    v2 = n - ca
    e2 = _normalised(v2 - np.sum(v2 * e1, axis=-1, keepdims=True) * e1, epsilon)
    frames = np.stack([e1, e2, np.cross(e1, e2)], axis=-1)
    vectors = np.einsum("ilk,ijl->ijk", frames, ca[None] - ca[:, None])
    vectors = _normalised(vectors, epsilon) * _pairs(place.backbone_mask)[..., None]
    return vectors.astype(np.float32)


def _normalised(x: np.ndarray, epsilon: float) -> np.ndarray:
    return x / (np.sqrt(np.sum(x * x, axis=-1, keepdims=True)) + epsilon)


def _pairs(mask: np.ndarray) -> Bool[np.ndarray, "column column"]:
    return mask[:, None] & mask[None]
