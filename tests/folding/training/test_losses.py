"""The losses are nought at the truth, right where they can be counted, and blind to motion."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from folding.data.features import random_rotations
from folding.model.heads import ConfidenceLogits
from folding.structure.metrics import lddt_ca
from folding.training.dataset import CropSize, collate
from folding.training.losses import (
    aligned_errors,
    atom_lddt,
    bond_error,
    confidence_loss,
    diffusion_loss,
    distogram_loss,
    error_bins,
    neighbour_error,
    smooth_lddt_loss,
    weighted_rigid_align,
)


@pytest.fixture
def crop(chains):
    return collate([chains[0], chains[1]], CropSize.of(60), np.random.default_rng(0))


def collated(crop, index: int):
    """The features of one crop, still with a batch axis."""
    return replace(
        crop.features,
        **{
            field.name: value[index : index + 1]
            for field in fields(crop.features)
            if (value := getattr(crop.features, field.name)) is not None
        },
    )


def turned(x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    rotation = torch.from_numpy(random_rotations(1, np.random.default_rng(seed))[0]).to(x)
    return x @ rotation.T + torch.tensor([5.0, -3.0, 8.0])


def test_alignment_undoes_a_rigid_motion(crop):
    x = crop.coordinates
    weight = crop.observed.float()
    aligned = weighted_rigid_align(turned(x), x, weight)
    assert torch.allclose(aligned[crop.observed], x[crop.observed], atol=1e-3)


def test_alignment_does_not_mirror(crop):
    x = crop.coordinates[:1]
    mirrored = x * torch.tensor([-1.0, 1.0, 1.0])
    aligned = weighted_rigid_align(mirrored, x, crop.observed[:1].float())
    assert (aligned - x)[crop.observed[:1]].norm(dim=-1).mean() > 2


def test_the_diffusion_loss_is_nought_at_the_truth_wherever_it_lies(crop):
    truth = crop.coordinates.unsqueeze(1)
    loss = diffusion_loss(
        turned(truth), truth, crop.observed, crop.features, weight=torch.ones(2, 1)
    )
    assert loss.mse.item() == pytest.approx(0, abs=1e-5)
    assert loss.bond.item() == pytest.approx(0, abs=1e-5)
    # smooth lDDT of a perfect model: the mean of four sigmoids
    best = 1 - np.mean([1 / (1 + np.exp(-t)) for t in (0.5, 1, 2, 4)])
    assert loss.smooth_lddt.item() == pytest.approx(best, abs=1e-3)


def test_the_weight_scales_the_mean_square_by_noise_level(crop):
    truth = crop.coordinates.unsqueeze(1)
    x = truth + torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    one, three = (
        diffusion_loss(x, truth, crop.observed, crop.features, weight=torch.full((2, 1), w))
        for w in (1.0, 3.0)
    )
    assert three.mse.item() == pytest.approx(3 * one.mse.item(), rel=1e-4)
    assert 0.8 < one.mse.item() < 1.1
    assert three.bond.item() == one.bond.item() > 0


def test_stretched_bonds_are_seen(crop):
    truth = crop.coordinates.unsqueeze(1)
    error = bond_error(truth * 1.1, truth, crop.observed, crop.features)
    # A tenth of C-N and Cα-Cα; of N-Cα, Cα-C, N-C, and Cα-N and C-Cα across the link.
    links = (0.133**2 + 0.38**2) / 2
    angles = (0.146**2 + 0.153**2 + 0.246**2 + 0.243**2 + 0.243**2) / 5
    assert error.flatten().tolist() == pytest.approx([links + angles] * 2, rel=0.05)


def test_neighbours_are_seen_alike_after_motion_but_not_in_the_mirror(crop):
    truth = crop.coordinates.unsqueeze(1)
    same = neighbour_error(turned(truth), truth, crop.observed, crop.features)
    mirrored = neighbour_error(-truth, truth, crop.observed, crop.features)
    assert same.item() == pytest.approx(0.01, abs=2e-3)  # the square root's floor
    assert mirrored.item() > 1.0


def test_far_residues_do_not_count_as_neighbours(crop):
    truth = crop.coordinates[:1].unsqueeze(1)
    moved = truth.clone()
    later = crop.features.atom_to_token[0] >= 30
    moved[:, :, later] += 50.0
    error = neighbour_error(moved, truth, crop.observed[:1], collated(crop, 0))
    # 20 of the 2 * (55 + 54 + 53 + 52) pairs cross the cut, each clamped to 6 Å
    assert error.item() == pytest.approx(6 * 20 / 428, rel=0.05)


def test_smooth_lddt_falls_with_noise(crop):
    truth = crop.coordinates.unsqueeze(1)
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    losses = [smooth_lddt_loss(truth + s * noise, truth, crop.observed) for s in (0.0, 1.0, 5.0)]
    assert losses[0] < losses[1] < losses[2]


def test_the_distogram_loss_counts_the_right_bins(crop):
    features = crop.features
    points = crop.coordinates.gather(1, features.representative_atom[..., None].expand(-1, -1, 3))
    distance = torch.cdist(points, points)
    bins = ((distance - 2) / (20 / 64)).floor().clamp(0, 63).long()
    sure = 30.0 * torch.nn.functional.one_hot(bins, 64).float()
    right = distogram_loss(sure, crop.coordinates, crop.observed, features)
    blind = distogram_loss(torch.zeros_like(sure), crop.coordinates, crop.observed, features)
    assert right.item() < 0.02
    assert blind.item() == pytest.approx(np.log(64), rel=1e-4)


def test_atom_lddt_agrees_with_the_metric_on_alpha_carbons(crop):
    truth = crop.coordinates
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))
    x = truth + 1.5 * noise
    scores, known = atom_lddt(x, truth, crop.observed, crop.features)
    alpha = crop.features.frame_atoms[0, :56, 1]
    reference = lddt_ca(x[0, alpha].double().numpy(), truth[0, alpha].double().numpy())
    assert known[0, alpha].all()
    assert scores[0, alpha].mean().item() == pytest.approx(reference, abs=0.06)
    perfect, _ = atom_lddt(turned(truth), truth, crop.observed, crop.features)
    assert perfect[known].min().item() == pytest.approx(1, abs=1e-4)


def test_aligned_errors_ignore_motion_and_grow_with_distance(crop):
    truth = crop.coordinates
    error, known = aligned_errors(turned(truth), truth, crop.observed, crop.features)
    pairs = known[:, :, None] & known[:, None, :]
    assert error[pairs].max().item() < 1e-2
    mirrored, _ = aligned_errors(-truth, truth, crop.observed, crop.features)
    assert mirrored[pairs].mean().item() > 3


def test_error_bins_are_half_an_angstrom_wide():
    logits = torch.zeros(1, 64)
    error = torch.tensor([0.0, 0.49, 0.51, 31.9, 80.0])
    assert error_bins(error, logits).tolist() == [0, 0, 1, 63, 63]


def test_uninformed_confidence_costs_the_logarithm_of_the_bins(crop):
    n_atoms, n_tokens = crop.observed.shape[1], 60
    logits = ConfidenceLogits(
        plddt=torch.zeros(2, n_atoms, 50),
        pae=torch.zeros(2, n_tokens, n_tokens, 64),
        pde=torch.zeros(2, n_tokens, n_tokens, 64),
        resolved=torch.zeros(2, n_atoms, 2),
    )
    terms = confidence_loss(
        logits, crop.coordinates, crop.coordinates, crop.observed, crop.features
    )
    found = {key: value.item() for key, value in terms.items()}
    expected = {"plddt": 50, "pde": 64, "pae": 64, "resolved": 2}
    assert found == pytest.approx({k: np.log(n) for k, n in expected.items()}, rel=1e-4)
