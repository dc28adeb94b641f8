"""What the losses must not see: motion, masked atoms, padding, gaps, company, the device."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from folding.training import losses
from folding.training.dataset import Chain, CropSize, collate
from folding.training.losses import (
    ConfidenceLogits,
    bond_error,
    confidence_loss,
    diffusion_loss,
    distogram_loss,
    neighbour_error,
    smooth_lddt_loss,
    weighted_rigid_align,
)

SEEDS = st.integers(0, 2**31 - 1)


@pytest.fixture(scope="module")
def crop(chains):
    return collate([chains[2]], CropSize.of(24), np.random.default_rng(0))


@pytest.fixture(autouse=True)
def _every_atom_counts(monkeypatch):
    """No subset is drawn: the same atoms give the same number."""
    monkeypatch.setattr(losses, "N_LDDT_ATOMS", 1000)


def noisy(truth, size=1.0, *, n=2, seed=0):
    """The truth and `n` samples off it by noise."""
    wide = truth.unsqueeze(1).expand(-1, n, -1, -1)
    noise = torch.randn(wide.shape, generator=torch.Generator().manual_seed(seed))
    return wide + size * noise, wide


def diffusion_terms(crop, x, truth, *, observed=None, weight=None):
    observed = crop.observed if observed is None else observed
    weight = torch.ones(x.shape[:2]) if weight is None else weight
    found = diffusion_loss(x, truth, observed, crop.features, weight=weight)
    return {name: value.item() for name, value in found._asdict().items()}


def all_terms(crop, x, truth, *, logits=None):
    """Every loss of a crop, under its name."""
    given = logits or flat_logits(crop)
    confidence = confidence_loss(given, x[:, 0], crop.coordinates, crop.observed, crop.features)
    distogram = distogram_loss(given.pde, crop.coordinates, crop.observed, crop.features)
    return diffusion_terms(crop, x, truth) | {
        "distogram": distogram.item(),
        **{name: value.item() for name, value in confidence.items()},
    }


def flat_logits(crop):
    """Logits that differ along the bins alone, so that padding cannot tell itself from atoms."""
    n, a = crop.features.n_tokens, crop.observed.shape[1]
    plddt, errors = torch.linspace(-1, 1, 50), torch.linspace(2, -2, 64)
    batch = len(crop.observed)
    return ConfidenceLogits(
        plddt=plddt.expand(batch, a, 50),
        pae=errors.expand(batch, n, n, 64),
        pde=errors.expand(batch, n, n, 64),
        resolved=torch.tensor([-1.0, 1.0]).expand(batch, a, 2),
    )


# Alignment --------------------------------------------------------------------------------------


@given(SEEDS, st.integers(4, 30))
def test_alignment_is_the_best_there_is(seed, n):
    # scipy solves the same weighted problem by another road.
    rng = np.random.default_rng(seed)
    moving, target = rng.normal(size=(2, n, 3)) * 10
    weight = rng.random(n) + 0.01
    centres = [np.average(points, axis=0, weights=weight) for points in (moving, target)]
    best, _ = Rotation.align_vectors(target - centres[1], moving - centres[0], weights=weight)
    expected = best.apply(moving - centres[0]) + centres[1]
    found = weighted_rigid_align(*(torch.from_numpy(a) for a in (moving, target, weight)))
    assert found.numpy() == pytest.approx(expected, abs=1e-5)


@given(SEEDS)
def test_alignment_keeps_shape_and_handedness(seed):
    rng = np.random.default_rng(seed)
    moving, target = (torch.from_numpy(a) for a in rng.normal(size=(2, 6, 3)))
    found = weighted_rigid_align(moving, target, torch.ones(6, dtype=torch.float64))
    assert torch.cdist(found, found).numpy() == pytest.approx(torch.cdist(moving, moving), abs=1e-6)
    corners = [torch.det(points[1:4] - points[:1]) for points in (moving, found)]
    assert corners[0].item() == pytest.approx(corners[1].item(), abs=1e-6)


@pytest.mark.parametrize("flat_axes", [1, 2, 3], ids=["plane", "line", "point"])
def test_alignment_of_degenerate_points_is_still_a_rigid_motion(flat_axes):
    rng = np.random.default_rng(0)
    moving = rng.normal(size=(5, 3))
    moving[:, 3 - flat_axes :] = 0
    target = Rotation.from_rotvec([0.3, -0.2, 0.9]).apply(moving) + np.arange(3)
    found = weighted_rigid_align(
        torch.from_numpy(moving), torch.from_numpy(target), torch.ones(5, dtype=torch.float64)
    )
    assert found.numpy() == pytest.approx(target, abs=1e-6)


def test_atoms_without_weight_do_not_pull_the_alignment():
    rng = np.random.default_rng(1)
    moving = torch.from_numpy(rng.normal(size=(8, 3)))
    target = moving @ torch.from_numpy(Rotation.from_rotvec([0, 0, 1]).as_matrix()).T
    astray = target.clone()
    astray[5:] += 100.0
    weight = torch.tensor([1.0] * 5 + [0.0] * 3, dtype=torch.float64)
    found = weighted_rigid_align(moving, astray, weight)
    assert found.numpy() == pytest.approx(target.numpy(), abs=1e-9)


# Known values -----------------------------------------------------------------------------------


def test_a_swollen_structure_has_the_mean_square_of_its_radii(crop):
    # No turn or shift helps a structure that is larger by a tenth about its centre.
    seen = crop.observed[0]
    centre = crop.coordinates[0, seen].mean(0)
    truth = (crop.coordinates - centre).unsqueeze(1)
    found = diffusion_terms(crop, 1.1 * truth, truth)["mse"]
    radii = truth[0, 0, seen].square().sum(-1)
    assert found == pytest.approx((0.01 * radii.mean() / 3).item(), rel=1e-4)


def test_every_sample_has_the_weight_of_its_noise_level(crop):
    x, truth = noisy(crop.coordinates, n=3)
    alone = [diffusion_terms(crop, x[:, k : k + 1], truth[:, k : k + 1])["mse"] for k in range(3)]
    weight = torch.tensor([[1.0, 0.0, 5.0]])
    found = diffusion_terms(crop, x, truth, weight=weight)
    assert found["mse"] == pytest.approx((alone[0] + 5 * alone[2]) / 3, rel=1e-5)
    plain = diffusion_terms(crop, x, truth)
    assert found["bond"] == plain["bond"]
    assert found["smooth_lddt"] == pytest.approx(plain["smooth_lddt"], rel=1e-5)


@pytest.mark.parametrize("off", [0.0, 0.7, 3.0])
def test_smooth_lddt_of_two_atoms_by_hand(off):
    truth = torch.tensor([[[[0.0, 0, 0], [6.0, 0, 0]]]])
    x = torch.tensor([[[[0.0, 0, 0], [6.0 + off, 0, 0]]]])
    expected = 1 - np.mean([1 / (1 + np.exp(off - t)) for t in (0.5, 1.0, 2.0, 4.0)])
    found = smooth_lddt_loss(x, truth, torch.ones(1, 2, dtype=torch.bool))
    assert found.item() == pytest.approx(expected, abs=1e-3)


def test_smooth_lddt_looks_at_true_distances_below_fifteen_angstroms():
    # Two atoms 6 Å apart, a third 20 Å away: wherever it goes, only the near pair counts.
    truth = torch.tensor([[[[0.0, 0, 0], [6.0, 0, 0], [0.0, 20.0, 0]]]])
    x = truth.clone()
    x[..., 2, :] = 1.0
    seen = torch.ones(1, 3, dtype=torch.bool)
    near = smooth_lddt_loss(truth[..., :2, :], truth[..., :2, :], seen[:, :2])
    assert smooth_lddt_loss(x, truth, seen).item() == pytest.approx(near.item(), abs=1e-5)
    assert smooth_lddt_loss(truth, x, seen).item() > near.item() + 0.1


def test_a_drawn_subset_stands_for_all_atoms(crop, monkeypatch):
    x, truth = noisy(crop.coordinates, n=1)
    whole = smooth_lddt_loss(x, truth, crop.observed).item()
    monkeypatch.setattr(losses, "N_LDDT_ATOMS", 40)
    torch.manual_seed(0)
    draws = [smooth_lddt_loss(x, truth, crop.observed).item() for _ in range(30)]
    assert np.std(draws) > 0
    assert np.mean(draws) == pytest.approx(whole, abs=0.02)


def test_one_bond_that_is_too_long_is_one_of_its_kind(crop):
    # Everything from residue 10 on moves along the C-N bond, by 0.5 Å.
    features = crop.features
    c, n = features.frame_atoms[0, 8, 2], features.frame_atoms[0, 9, 0]
    bond = crop.coordinates[0, n] - crop.coordinates[0, c]
    x = crop.coordinates.clone()
    later = features.atom_to_token[0] >= 9
    x[0, later] += 0.5 * bond / bond.norm()
    ends = [features.frame_atoms[0, 8:10, slot] for slot in range(3)]
    across = [(2, 0), (1, 1)], [(1, 0), (2, 1)]  # C-N, Cα-Cα; Cα-N, C-Cα

    def change(left, right):
        gap = [(y[0, ends[left][0]] - y[0, ends[right][1]]).norm() for y in (x, crop.coordinates)]
        return (gap[0] - gap[1]).item() ** 2

    links, angles = (sum(change(*pair) for pair in group) for group in across)
    expected = links / (2 * 19) + angles / (2 * 19 + 3 * 20)
    found = bond_error(x.unsqueeze(1), crop.coordinates.unsqueeze(1), crop.observed, features)
    assert found.item() == pytest.approx(expected, rel=1e-3)


def test_neighbours_are_at_most_six_angstroms_off(crop):
    x, truth = noisy(crop.coordinates, 500.0)
    found = neighbour_error(x, truth, crop.observed, crop.features)
    assert found.item() == pytest.approx(6.0, abs=0.1)


def test_the_distogram_has_bins_of_a_third_of_an_angstrom_from_two_to_twenty_two(crop):
    places = crop.coordinates[0, crop.features.representative_atom[0, :20]].double().numpy()
    distance = np.linalg.norm(places[:, None] - places, axis=-1)
    bins = np.digitize(distance, np.linspace(2.0, 22.0, 65)[1:-1])
    logits = torch.zeros(1, 24, 24, 64)
    logits[0, :20, :20] = 40.0 * torch.nn.functional.one_hot(torch.from_numpy(bins), 64)
    found = distogram_loss(logits, crop.coordinates, crop.observed, crop.features)
    assert found.item() < 1e-6
    assert bins.min() == 0
    assert bins.max() > 50


# Motion -----------------------------------------------------------------------------------------


def placed(x, seed):
    """Each sample turned and moved on its own."""
    rng = np.random.default_rng(seed)
    turns = Rotation.random(x.shape[0] * x.shape[1], random_state=seed).as_matrix()
    turns = torch.from_numpy(turns).float().reshape(*x.shape[:2], 3, 3)
    shift = torch.from_numpy(rng.normal(size=(*x.shape[:2], 1, 3)) * 30).float()
    return torch.einsum("bsij,bsaj->bsai", turns, x) + shift


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_term_sees_where_the_truth_or_the_sample_lies(crop, seed):
    x, truth = noisy(crop.coordinates)
    before = diffusion_terms(crop, x, truth)
    after = diffusion_terms(crop, placed(x, seed), placed(truth, seed + 10))
    assert after == pytest.approx(before, rel=2e-3)


def test_the_mirror_image_has_right_distances_and_is_wrong_all_the_same(crop):
    truth = crop.coordinates.unsqueeze(1)
    right = diffusion_terms(crop, truth, truth)
    mirrored = diffusion_terms(crop, truth * torch.tensor([1.0, -1.0, 1.0]), truth)
    assert mirrored["smooth_lddt"] == pytest.approx(right["smooth_lddt"], abs=1e-5)
    assert mirrored["bond"] == pytest.approx(0.0, abs=1e-6)
    assert mirrored["mse"] > 3.0
    assert mirrored["neighbours"] > 10 * right["neighbours"]


# Masks, padding, gaps ---------------------------------------------------------------------------


def test_atoms_that_no_experiment_saw_change_nothing_and_get_no_gradient(crop):
    hidden = torch.rand(crop.observed.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    observed = crop.observed & ~hidden
    x, truth = noisy(crop.coordinates)
    x.requires_grad_()
    terms = diffusion_loss(x, truth, observed, crop.features, weight=torch.ones(1, 2))
    sum(terms).backward()
    assert not x.grad[~observed.unsqueeze(1).expand(-1, 2, -1)].any()
    assert x.grad[observed.unsqueeze(1).expand(-1, 2, -1)].any(-1).float().mean() > 0.95
    where = (~observed)[:, None, :, None]
    astray = (x.detach() + 70.0 * where, truth - 40.0 * where)
    assert diffusion_terms(crop, *astray, observed=observed) == pytest.approx(
        {name: value.item() for name, value in terms._asdict().items()}, rel=1e-3
    )


def test_padding_never_reaches_a_loss(chains):
    tight, wide = (collate([chains[2]], CropSize.of(n), np.random.default_rng(0)) for n in (24, 60))
    n_atoms = tight.observed.shape[1]
    x, truth = noisy(wide.coordinates)
    x = torch.where(wide.features.atom_mask[:, None, :, None], x, 1e4)  # what padding may hold
    found = all_terms(wide, x, truth)
    expected = all_terms(tight, x[:, :, :n_atoms].clamp(max=1e3), truth[:, :, :n_atoms])
    assert found == pytest.approx(expected, rel=1e-3)


def test_padding_never_gets_a_gradient(chains):
    crop = collate([chains[2]], CropSize.of(40), np.random.default_rng(0))
    x, truth = noisy(crop.coordinates)
    x.requires_grad_()
    weight = torch.ones(1, 2)
    sum(diffusion_loss(x, truth, crop.observed, crop.features, weight=weight)).backward()
    assert not x.grad[:, :, ~crop.features.atom_mask[0]].any()
    assert torch.isfinite(x.grad).all()


def test_a_crop_costs_what_it_costs_alone(chains):
    size = CropSize.of(60)
    both = collate([chains[1], chains[2]], size, np.random.default_rng(0))
    x, truth = noisy(both.coordinates)
    together = diffusion_terms(both, x, truth)
    alone = []
    for k in range(2):
        features = {
            field.name: value[k : k + 1]
            for field in fields(both.features)
            if (value := getattr(both.features, field.name)) is not None
        }
        one = both._replace(
            features=replace(both.features, **features), observed=both.observed[k : k + 1]
        )
        alone.append(diffusion_terms(one, x[k : k + 1], truth[k : k + 1]))
    for name in ("mse", "bond", "smooth_lddt"):
        assert together[name] == pytest.approx((alone[0][name] + alone[1][name]) / 2, rel=1e-4)


def broken(chain: Chain, at: int, missing: int) -> Chain:
    """The chain with so many residues left out of the experiment's file before residue `at`."""
    index = chain.residue_index.copy()
    index[at:] += missing
    return replace(chain, residue_index=index)


def test_no_bond_is_asked_for_across_a_gap(chains):
    whole, gapped = (
        collate([chain], CropSize.of(24), np.random.default_rng(0))
        for chain in (chains[2], broken(chains[2], 9, 3))
    )
    x = whole.coordinates.clone()
    x[0, whole.features.atom_to_token[0] >= 9] += 30.0
    pair = (x.unsqueeze(1), whole.coordinates.unsqueeze(1))
    assert bond_error(*pair, whole.observed, whole.features).item() > 10.0
    assert bond_error(*pair, gapped.observed, gapped.features).item() == pytest.approx(0, abs=1e-6)


def test_residues_on_both_sides_of_a_gap_are_no_neighbours(chains):
    gapped = collate([broken(chains[2], 9, 3)], CropSize.of(24), np.random.default_rng(0))
    x = gapped.coordinates.clone()
    x[0, gapped.features.atom_to_token[0] >= 9] += 30.0
    found = neighbour_error(
        x.unsqueeze(1), gapped.coordinates.unsqueeze(1), gapped.observed, gapped.features
    )
    assert found.item() == pytest.approx(0.01, abs=2e-3)  # the square root's floor


# The device -------------------------------------------------------------------------------------


def test_every_loss_stays_on_the_device_of_its_tensors(crop):
    # "meta" stands for a GPU: an operation that mixes devices fails on either.
    device = torch.device("meta")
    moved = crop._replace(
        features=crop.features.to(device),
        coordinates=crop.coordinates.to(device),
        observed=crop.observed.to(device),
    )
    x = moved.coordinates.unsqueeze(1)
    logits = ConfidenceLogits(*(value.to(device) for value in flat_logits(crop)))
    weight = torch.ones(1, 1, device=device)
    found = [
        *diffusion_loss(x, x, moved.observed, moved.features, weight=weight),
        distogram_loss(logits.pde, moved.coordinates, moved.observed, moved.features),
        *confidence_loss(
            logits, moved.coordinates, moved.coordinates, moved.observed, moved.features
        ).values(),
    ]
    assert {value.device.type for value in found} == {"meta"}
