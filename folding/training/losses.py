"""What training minimises (AF3 SI section 3.7.1 and 4.3-4.4).

Departures: one crop holds one protein chain, so no symmetry permutation is needed; the bond term
holds the backbone's bonds and angles, since single chains have no other bonds, and counts alike at
every noise level, which makes chains sound after few training steps. The neighbour term is
not AF3's: it is AlphaFold 2's frame-aligned error (Jumper et al. 2021, SI 1.9.2) kept to residues
at most four apart. Its median-seeking error makes up the mind of a small network about helices.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from folding.data.features import Features
from folding.model.heads import ConfidenceLogits

LDDT_THRESHOLDS = (0.5, 1.0, 2.0, 4.0)
LDDT_RADIUS = 15.0
N_LDDT_ATOMS = 96
"""Smooth lDDT looks at so many atoms of a crop, drawn anew in every step, to save time."""

REACH = 4
"""Neighbours along the chain whose place the neighbour term looks at: a turn of a helix."""

NEIGHBOUR_WEIGHT = 0.25
"""Of the neighbour term among the terms of the diffusion loss."""

NEIGHBOUR_CLAMP = 6.0
"""Å; larger errors count as this."""

MAX_ERROR = 32.0
"""Upper edge of the last PAE and PDE bin in Å."""


class DiffusionLoss(NamedTuple):
    """The terms of the diffusion loss, means over samples."""

    mse: Tensor
    bond: Tensor
    smooth_lddt: Tensor
    neighbours: Tensor


def weighted_rigid_align(
    moving: Float[Tensor, "*batch atom 3"],
    target: Float[Tensor, "*batch atom 3"],
    weight: Float[Tensor, "*batch atom"],
) -> Float[Tensor, "*batch atom 3"]:
    """``moving`` laid on ``target`` by the best rotation and translation (AF3 SI algorithm 28)."""
    w = weight.unsqueeze(-1) / weight.sum(-1, keepdim=True).unsqueeze(-1).clamp(min=1e-6)
    centre_moving = (moving * w).sum(-2, keepdim=True)
    centre_target = (target * w).sum(-2, keepdim=True)
    covariance = ((target - centre_target) * w).transpose(-1, -2) @ (moving - centre_moving)
    u, _, vh = torch.linalg.svd(covariance.double())
    sign = torch.det(u) * torch.det(vh)
    u = torch.cat([u[..., :2], u[..., 2:] * sign[..., None, None]], dim=-1)
    rotation = (u @ vh).to(moving.dtype)
    return (moving - centre_moving) @ rotation.transpose(-1, -2) + centre_target


def diffusion_loss(
    x: Float[Tensor, "batch sample atom 3"],
    truth: Float[Tensor, "batch sample atom 3"],
    observed: Bool[Tensor, "batch atom"],
    features: Features,
    *,
    weight: Float[Tensor, "batch sample"],
) -> DiffusionLoss:
    """MSE after alignment, bond and smooth lDDT terms (eq. 3-6).

    Args:
        truth: turned and moved at random, as the noise was added to it.
        weight: of the first term, by noise level (eq. 6).
    """
    mask = observed.unsqueeze(1).float().expand(x.shape[:-1])
    with torch.no_grad():
        aligned = weighted_rigid_align(truth, x.detach(), mask)
    squared = ((x - aligned).square().sum(-1) * mask).sum(-1) / (3 * mask.sum(-1).clamp(min=1))
    return DiffusionLoss(
        mse=(weight * squared).mean(),
        bond=bond_error(x, truth, observed, features).mean(),
        smooth_lddt=smooth_lddt_loss(x, truth, observed),
        neighbours=NEIGHBOUR_WEIGHT * neighbour_error(x, truth, observed, features),
    )


def bond_error(
    x: Float[Tensor, "batch sample atom 3"],
    truth: Float[Tensor, "batch sample atom 3"],
    observed: Bool[Tensor, "batch atom"],
    features: Features,
) -> Float[Tensor, "batch sample"]:
    """Squared errors in Å² of the backbone's distances (eq. 5 and its like).

    The mean over what links neighbours in sequence (C-N and Cα-Cα), and the mean over what fixes
    the backbone's bonds and angles (N-Cα, Cα-C, N-C, and across the link Cα-N and C-Cα), added.
    """
    n, alpha, c = features.frame_atoms.unbind(-1)
    index = features.residue_index
    follows = (index[:, 1:] == index[:, :-1] + 1) & features.token_mask[:, 1:]
    before, after = slice(None, -1), slice(1, None)
    links = [(c[:, before], n[:, after], follows), (alpha[:, before], alpha[:, after], follows)]
    angles = [(alpha[:, before], n[:, after], follows), (c[:, before], alpha[:, after], follows)]
    inside = [(*pair, features.token_mask) for pair in ((n, alpha), (alpha, c), (n, c))]
    return sum(_mean_error(x, truth, observed, pairs) for pairs in (links, angles + inside))


def _mean_error(
    x: Tensor, truth: Tensor, observed: Tensor, pairs: list[tuple[Tensor, Tensor, Tensor]]
) -> Float[Tensor, "batch sample"]:
    """Mean squared error of the distances between (left, right) atoms where both are known."""
    left, right, wanted = (torch.cat(column, dim=1) for column in zip(*pairs, strict=True))
    seen = wanted & observed.gather(1, left) & observed.gather(1, right)
    error = _distance(x, left, right) - _distance(truth, left, right)
    return (error.square() * seen.unsqueeze(1)).sum(-1) / seen.sum(-1).clamp(min=1).unsqueeze(-1)


def neighbour_error(
    x: Float[Tensor, "batch sample atom 3"],
    truth: Float[Tensor, "batch sample atom 3"],
    observed: Bool[Tensor, "batch atom"],
    features: Features,
) -> Float[Tensor, ""]:
    """Mean error in Å of Cα atoms up to four residues away, seen from each backbone frame."""
    frames_x, frames_truth = (_backbone_frames(y, features) for y in (x, truth))
    whole = torch.stack([observed.gather(1, i) for i in features.frame_atoms.unbind(-1)]).all(0)
    whole = whole & features.token_mask
    index, total, count = features.residue_index, x.new_zeros(()), x.new_zeros(())
    for offset in range(1, REACH + 1):
        near, far = slice(None, -offset), slice(offset, None)
        linked = whole[:, near] & whole[:, far] & (index[:, far] == index[:, near] + offset)
        for seat, seen in ((near, far), (far, near)):
            predicted, actual = (_seen_from(f, seat, seen) for f in (frames_x, frames_truth))
            error = (predicted - actual).square().sum(-1).add(1e-4).sqrt()
            error = error.clamp(max=NEIGHBOUR_CLAMP) * linked.unsqueeze(1)
            total, count = total + error.sum(), count + linked.sum() * x.shape[1]
    return total / count.clamp(min=1)


def _backbone_frames(
    x: Float[Tensor, "batch sample atom 3"], features: Features
) -> tuple[Float[Tensor, "batch sample token 3"], Float[Tensor, "batch sample token 3 3"]]:
    """Cα and orthonormal axes (columns) of every residue's N, Cα, C."""
    n, alpha, c = (
        torch.gather(x, 2, i[:, None, :, None].expand(-1, x.shape[1], -1, 3))
        for i in features.frame_atoms.unbind(-1)
    )
    e1 = functional.normalize(c - alpha, dim=-1, eps=1e-3)
    toward_n = n - alpha
    across = toward_n - (toward_n * e1).sum(-1, keepdim=True) * e1
    e2 = functional.normalize(across, dim=-1, eps=1e-3)
    return alpha, torch.stack([e1, e2, torch.linalg.cross(e1, e2)], dim=-1)


def _seen_from(
    frames: tuple[Tensor, Tensor], seat: slice, seen: slice
) -> Float[Tensor, "batch sample pair 3"]:
    """Cα atoms of ``seen`` in the frames of ``seat``."""
    alpha, axes = frames
    offset = alpha[:, :, seen] - alpha[:, :, seat]
    return (offset.unsqueeze(-2) @ axes[:, :, seat]).squeeze(-2)


def _distance(x: Tensor, left: Tensor, right: Tensor) -> Float[Tensor, "batch sample pair"]:
    """Distances between atoms that are given by index."""
    ends = [
        torch.gather(x, 2, i[:, None, :, None].expand(-1, x.shape[1], -1, 3)) for i in (left, right)
    ]
    return (ends[0] - ends[1]).square().sum(-1).add(1e-8).sqrt()


def smooth_lddt_loss(
    x: Float[Tensor, "batch sample atom 3"],
    truth: Float[Tensor, "batch sample atom 3"],
    observed: Bool[Tensor, "batch atom"],
) -> Float[Tensor, ""]:
    """One minus the smooth lDDT of a random subset of the atoms (AF3 SI algorithm 27)."""
    order = (
        torch.rand(observed.shape, device=observed.device).masked_fill(~observed, 2.0).argsort(-1)
    )
    chosen = order[:, :N_LDDT_ATOMS]
    seen = observed.gather(1, chosen)
    rows = chosen[:, None, :, None].expand(-1, x.shape[1], -1, 3)
    # What is not seen must not be far away: it would cost the distances of the others their digits.
    known = seen[:, None, :, None]
    predicted, actual = (_pairwise(y.gather(2, rows) * known) for y in (x, truth))
    near = (actual < LDDT_RADIUS) & (seen[:, None, :, None] & seen[:, None, None, :])
    near = near & ~torch.eye(near.shape[-1], dtype=torch.bool, device=near.device)
    error = (predicted - actual).abs()
    score = sum(torch.sigmoid(threshold - error) for threshold in LDDT_THRESHOLDS) / 4
    count = near.sum((-1, -2)).clamp(min=1)
    return (1 - (score * near).sum((-1, -2)) / count).mean()


def _pairwise(x: Float[Tensor, "*batch atom 3"]) -> Float[Tensor, "*batch atom atom"]:
    """Distances between all atoms, by |a|² + |b|² - 2ab: a tenth of the memory traffic."""
    x = x - x.detach().mean(-2, keepdim=True)
    squares = x.square().sum(-1)
    products = torch.matmul(x, x.transpose(-1, -2))
    squared = squares.unsqueeze(-1) + squares.unsqueeze(-2) - 2 * products
    return squared.clamp(min=0).add(1e-6).sqrt()


def distogram_loss(
    logits: Float[Tensor, "batch token token bins"],
    truth: Float[Tensor, "batch atom 3"],
    observed: Bool[Tensor, "batch atom"],
    features: Features,
) -> Float[Tensor, ""]:
    """Cross-entropy of the distances of representative atoms, 64 bins from 2 to 22 Å (4.4)."""
    x, seen = _representatives(truth, observed, features)
    edges = torch.linspace(2.0, 22.0, logits.shape[-1] + 1, device=x.device)[1:-1]
    bins = torch.bucketize(_pairwise(x), edges)
    return _masked_cross_entropy(logits, bins, seen[:, :, None] & seen[:, None, :])


def confidence_loss(
    logits: ConfidenceLogits,
    x: Float[Tensor, "batch atom 3"],
    truth: Float[Tensor, "batch atom 3"],
    observed: Bool[Tensor, "batch atom"],
    features: Features,
) -> dict[str, Tensor]:
    """Cross-entropies of pLDDT, PAE, PDE and resolved against the errors of ``x`` (section 4.3)."""
    scores, known = atom_lddt(x, truth, observed, features)
    plddt_bins = (scores * logits.plddt.shape[-1]).long().clamp(max=logits.plddt.shape[-1] - 1)
    rep_x, seen = _representatives(x, observed, features)
    rep_truth, _ = _representatives(truth, observed, features)
    pairs = seen[:, :, None] & seen[:, None, :]
    pde = (_pairwise(rep_x) - _pairwise(rep_truth)).abs()
    pae, frames = aligned_errors(x, truth, observed, features)
    resolved = functional.cross_entropy(
        logits.resolved.transpose(1, 2), observed.long(), reduction="none"
    )
    real = features.atom_mask
    return {
        "plddt": _masked_cross_entropy(logits.plddt, plddt_bins, known),
        "pde": _masked_cross_entropy(logits.pde, error_bins(pde, logits.pde), pairs),
        "pae": _masked_cross_entropy(
            logits.pae, error_bins(pae, logits.pae), frames[:, :, None] & seen[:, None, :]
        ),
        "resolved": (resolved * real).sum() / real.sum(),
    }


def atom_lddt(
    x: Float[Tensor, "batch atom 3"],
    truth: Float[Tensor, "batch atom 3"],
    observed: Bool[Tensor, "batch atom"],
    features: Features,
) -> tuple[Float[Tensor, "batch atom"], Bool[Tensor, "batch atom"]]:
    """lDDT in [0, 1] of every atom against the representative atoms within 15 Å (4.3.1)."""
    rep_x, rep_seen = _representatives(x, observed, features)
    rep_truth, _ = _representatives(truth, observed, features)
    actual = torch.linalg.vector_norm(truth.unsqueeze(2) - rep_truth.unsqueeze(1), dim=-1)
    predicted = torch.linalg.vector_norm(x.unsqueeze(2) - rep_x.unsqueeze(1), dim=-1)
    tokens = torch.arange(rep_x.shape[1], device=x.device)
    other = features.atom_to_token.unsqueeze(2) != tokens
    near = (actual < LDDT_RADIUS) & other & rep_seen.unsqueeze(1) & observed.unsqueeze(2)
    error = (predicted - actual).abs()
    score = sum((error < threshold).float() for threshold in LDDT_THRESHOLDS) / 4
    count = near.sum(-1)
    return (score * near).sum(-1) / count.clamp(min=1), count > 0


def aligned_errors(
    x: Float[Tensor, "batch atom 3"],
    truth: Float[Tensor, "batch atom 3"],
    observed: Bool[Tensor, "batch atom"],
    features: Features,
) -> tuple[Float[Tensor, "batch token token"], Bool[Tensor, "batch token"]]:
    """Errors in Å of token j in the backbone frame of token i, and which frames are known."""
    local_x, local_truth = (
        _in_frames(y, _representatives(y, observed, features)[0], features) for y in (x, truth)
    )
    known = torch.stack(
        [observed.gather(1, slot) for slot in features.frame_atoms.unbind(-1)], -1
    ).all(-1)
    return torch.linalg.vector_norm(local_x - local_truth, dim=-1), known & features.token_mask


def _in_frames(
    x: Float[Tensor, "batch atom 3"], points: Float[Tensor, "batch token 3"], features: Features
) -> Float[Tensor, "batch token token 3"]:
    """All points in the frame of every token (AF3 SI algorithm 29)."""
    index = features.frame_atoms
    a, b, c = (torch.gather(x, 1, index[..., slot, None].expand(-1, -1, 3)) for slot in range(3))
    w1 = functional.normalize(a - b, dim=-1, eps=1e-6)
    w2 = functional.normalize(c - b, dim=-1, eps=1e-6)
    e1 = functional.normalize(w1 + w2, dim=-1, eps=1e-6)
    e2 = functional.normalize(w2 - w1, dim=-1, eps=1e-6)
    basis = torch.stack([e1, e2, torch.linalg.cross(e1, e2)], dim=-1)
    return torch.einsum("btjk,btkc->btjc", points.unsqueeze(1) - b.unsqueeze(2), basis)


def error_bins(error: Tensor, logits: Tensor) -> Tensor:
    """The bin of every error: equal widths from 0 to 32 Å, the last one open."""
    n_bins = logits.shape[-1]
    return (error * (n_bins / MAX_ERROR)).long().clamp(max=n_bins - 1)


def _representatives(
    x: Tensor, observed: Bool[Tensor, "batch atom"], features: Features
) -> tuple[Float[Tensor, "batch token 3"], Bool[Tensor, "batch token"]]:
    """Coordinates of each token's representative atom, and whether it was observed."""
    index = features.representative_atom
    points = torch.gather(x, 1, index.unsqueeze(-1).expand(-1, -1, 3))
    return points, observed.gather(1, index) & features.token_mask


def _masked_cross_entropy(logits: Tensor, target: Tensor, mask: Tensor) -> Float[Tensor, ""]:
    """Mean cross-entropy over what is masked in."""
    loss = functional.cross_entropy(logits.movedim(-1, 1), target, reduction="none")
    return (loss * mask).sum() / mask.sum().clamp(min=1)
