"""What the confidence heads are taught, worked out by hand or one pair at a time."""

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from folding.confidence import HeadLogits, assess
from folding.model.heads import ConfidenceLogits
from folding.training.dataset import CropSize, collate
from folding.training.losses import aligned_errors, atom_lddt, confidence_loss, error_bins
from tests.folding.examples import structure
from tests.folding.training.by_definition import aligned_error, lddt_of_atoms

SURE = 40.0


@pytest.fixture(scope="module")
def crop(chains):
    """Trp-cage in a crop with room for four more residues."""
    return collate([chains[2]], CropSize.of(24), np.random.default_rng(0))


@pytest.fixture
def bent(crop):
    """The same atoms, each half an ångström off or so."""
    noise = torch.randn(crop.coordinates.shape, generator=torch.Generator().manual_seed(3))
    return crop.coordinates + 0.8 * noise


def blank(crop, *, plddt=50, errors=64):
    """Logits that know nothing."""
    n_atoms, n_tokens = crop.observed.shape[1], crop.features.n_tokens
    return ConfidenceLogits(
        plddt=torch.zeros(1, n_atoms, plddt),
        pae=torch.zeros(1, n_tokens, n_tokens, errors),
        pde=torch.zeros(1, n_tokens, n_tokens, errors),
        resolved=torch.zeros(1, n_atoms, 2),
    )


def terms(crop, x, *, truth=None, observed=None, **logits):
    """The four terms, where the logits given replace blank ones."""
    given = {"truth": crop.coordinates, "observed": crop.observed}
    given |= {k: v for k, v in {"truth": truth, "observed": observed}.items() if v is not None}
    logits = blank(crop)._replace(**logits)
    return confidence_loss(logits, x, given["truth"], given["observed"], crop.features)


def sure_of(bins, n_bins):
    return SURE * one_hot(bins, n_bins).float()


def arrays(crop, x):
    """Coordinates, truth, and what is where, of the crop as numpy without its batch axis."""
    features = crop.features
    return (
        *(y[0].double().numpy() for y in (x, crop.coordinates)),
        features.representative_atom[0, :20].numpy(),
        features.frame_atoms[0, :20].numpy(),
    )


def test_plddt_is_taught_the_lddt_of_each_atom(crop, bent):
    x, truth, representative, _ = arrays(crop, bent)
    token = crop.features.atom_to_token[0].numpy()
    seen = crop.observed[0].numpy()
    expected = lddt_of_atoms(x, truth, seen, token=token, representative=representative)
    found, known = atom_lddt(bent, crop.coordinates, crop.observed, crop.features)
    assert (known[0].numpy() == ~np.isnan(expected)).all()
    assert found[0, known[0]].numpy() == pytest.approx(expected[known[0].numpy()], abs=1e-5)
    assert 0.3 < np.nanmean(expected) < 0.9


def test_plddt_has_fifty_bins_of_two_percent(crop, bent):
    scores, _ = atom_lddt(bent, crop.coordinates, crop.observed, crop.features)
    bins = torch.tensor([[min(int(score * 50), 49) for score in scores[0].tolist()]])
    assert terms(crop, bent, plddt=sure_of(bins, 50))["plddt"].item() < 1e-6
    beside = (bins + 1) % 50
    wrong = terms(crop, bent, plddt=sure_of(beside, 50))["plddt"].item()
    assert wrong == pytest.approx(SURE, rel=1e-4)


def test_a_perfect_structure_is_taught_the_last_bin_and_no_error(crop):
    n_tokens = crop.features.n_tokens
    nothing = torch.zeros(1, n_tokens, n_tokens, dtype=torch.long)
    last = torch.full(crop.observed.shape, 49)
    found = terms(
        crop,
        crop.coordinates,
        plddt=sure_of(last, 50),
        pae=sure_of(nothing, 64),
        pde=sure_of(nothing, 64),
        resolved=sure_of(crop.observed.long(), 2),
    )
    assert max(value.item() for value in found.values()) < 1e-6


def test_the_aligned_error_is_that_of_each_pair(crop, bent):
    x, truth, representative, frames = arrays(crop, bent)
    found, known = aligned_errors(bent, crop.coordinates, crop.observed, crop.features)
    assert known[0].tolist() == [True] * 20 + [False] * 4
    expected = [[aligned_error(x, truth, i, j) for j in representative] for i in frames]
    assert found[0, :20, :20].numpy() == pytest.approx(np.array(expected), abs=2e-3)


def test_a_frame_that_turned_on_its_spot_misplaces_all_others_but_is_in_place(crop):
    # Residue 8 turned by 90° about an axis through its Cα: it sees a point at distance r from the
    # axis off by r √2, while all others see each other where they were.
    x = crop.coordinates.clone()
    frame = crop.features.frame_atoms[0, 7]
    alpha = x[0, frame[1]].clone()
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    x[0, frame] = (x[0, frame] - alpha) @ turn.T + alpha
    error, _ = aligned_errors(x, crop.coordinates, crop.observed, crop.features)
    error = error[0, :20, :20]
    places = crop.coordinates[0, crop.features.representative_atom[0, :20]]
    offset = places - alpha
    around = offset[:, :2].norm(dim=-1) * 2**0.5
    others = [k for k in range(20) if k != 7]
    assert error[7, others].numpy() == pytest.approx(around[others].numpy(), abs=2e-3)
    assert error[others][:, others].max().item() < 2e-3


def test_a_token_that_moved_is_seen_off_by_as_much(crop):
    x = crop.coordinates.clone()
    x[0, crop.features.atom_to_token[0] == 11] += torch.tensor([3.0, 0.0, 4.0])
    error, _ = aligned_errors(x, crop.coordinates, crop.observed, crop.features)
    others = [k for k in range(20) if k != 11]
    assert error[0, others, 11].numpy() == pytest.approx(5.0, abs=1e-3)
    assert error[0, 11, others].numpy() == pytest.approx(5.0, abs=1e-3)
    assert error[0, 11, 11].item() == pytest.approx(0.0, abs=1e-3)


def pae_bins(crop, x):
    error, _ = aligned_errors(x, crop.coordinates, crop.observed, crop.features)
    return (error / 0.5).floor().long().clamp(max=63)


def test_the_rows_of_the_pae_are_frames_and_its_columns_what_they_see(crop):
    x = crop.coordinates.clone()
    frame = crop.features.frame_atoms[0, 7]
    x[0, frame[2]] = 2 * x[0, frame[1]] - x[0, frame[2]]  # its carbonyl carbon on the other side
    bins = pae_bins(crop, x)
    assert terms(crop, x, pae=sure_of(bins, 64))["pae"].item() < 1e-5
    turned = terms(crop, x, pae=sure_of(bins.transpose(1, 2), 64))["pae"].item()
    assert turned > 1.0


def test_a_residue_without_its_whole_backbone_has_no_frame(crop, bent):
    observed = crop.observed.clone()
    observed[0, crop.features.frame_atoms[0, 5, 0]] = False  # its N; its Cβ is still seen
    bins = pae_bins(crop, bent)
    wrong = (bins + 1) % 64
    row = torch.where(torch.arange(24)[None, :, None] == 5, wrong, bins)
    assert terms(crop, bent, pae=sure_of(row, 64), observed=observed)["pae"].item() < 1e-5
    column = torch.where(torch.arange(24)[None, None, :] == 5, wrong, bins)
    assert terms(crop, bent, pae=sure_of(column, 64), observed=observed)["pae"].item() > 1.0


def test_the_pde_is_symmetric_and_needs_no_frame(crop, bent):
    x, truth, representative, _ = arrays(crop, bent)
    distance = [
        np.linalg.norm(y[representative, None] - y[representative], axis=-1) for y in (x, truth)
    ]
    bins = torch.zeros(1, 24, 24, dtype=torch.long)
    bins[0, :20, :20] = torch.from_numpy(np.abs(distance[0] - distance[1]) // 0.5).long()
    assert torch.equal(bins, bins.transpose(1, 2))
    sure = sure_of(bins, 64)
    assert terms(crop, bent, pde=sure)["pde"].item() < 0.15  # rounding at the edges of bins
    no_frames = crop.observed.clone()
    no_frames[0, crop.features.frame_atoms[0, :20, 0]] = False
    both = terms(crop, bent, pde=sure, observed=no_frames)
    assert both["pde"].item() < 0.15
    assert both["pae"].item() == 0.0


def test_a_mirror_image_has_the_right_distances_and_the_wrong_frames(crop):
    mirrored = crop.coordinates * torch.tensor([1.0, 1.0, -1.0])
    nothing = sure_of(torch.zeros(1, 24, 24, dtype=torch.long), 64)
    found = terms(crop, mirrored, pde=nothing, pae=nothing)
    assert found["pde"].item() < 1e-5
    assert found["pae"].item() > 10.0


def test_every_bin_holds_what_the_product_reads_out_of_it(crop, bent):
    # What training calls bin k, `folding.confidence` must show as the error in the middle of it.
    error = torch.tensor([[0.2, 0.6, 3.3, 15.9, 31.7, 90.0]])
    bins = error_bins(error, torch.zeros(1, 64))
    given = structure("1l2y")
    n = given.n_tokens
    wide = torch.zeros(n, n, dtype=torch.long)
    wide[0, :6] = bins[0]
    found = assess(
        HeadLogits(
            plddt=np.zeros((given.n_atoms, 50), np.float32),
            pae=sure_of(wide, 64).numpy(),
            pde=sure_of(wide, 64).numpy(),
            resolved=np.zeros((given.n_atoms, 2), np.float32),
        ),
        given,
        contact_probs=np.zeros((n, n), np.float32),
    )
    for shown in (found.pae, found.pde):
        assert np.abs(shown[0, :5] - error[0, :5].numpy()).max() <= 0.25
        assert shown[0, 5] == pytest.approx(31.75, abs=1e-3)


def test_resolved_is_taught_what_the_experiment_shows_and_nothing_of_padding(crop):
    observed = crop.observed.clone()
    observed[0, :7] = False
    right = sure_of(observed.long(), 2)
    assert terms(crop, crop.coordinates, observed=observed, resolved=right)["resolved"] < 1e-6
    opposite = torch.where(crop.features.atom_mask[..., None], right, right.flip(-1))
    assert terms(crop, crop.coordinates, observed=observed, resolved=opposite)["resolved"] < 1e-6
    one = right.clone()
    one[0, 3] = one[0, 3].flip(-1)
    n_atoms = int(crop.features.atom_mask.sum())
    found = terms(crop, crop.coordinates, observed=observed, resolved=one)["resolved"].item()
    assert found == pytest.approx(SURE / n_atoms, rel=1e-4)


def test_what_was_not_observed_teaches_nothing_but_that(crop, bent):
    hidden = crop.features.atom_to_token[0] == 4
    observed = crop.observed & ~hidden
    logits = blank(crop)
    for value in logits:
        value.requires_grad_()
    found = confidence_loss(logits, bent, crop.coordinates, observed, crop.features)
    sum(found.values()).backward()
    assert not logits.plddt.grad[0, hidden].any()
    assert not logits.pae.grad[0, 4].any()
    assert not logits.pae.grad[0, :, 4].any()
    assert not logits.pde.grad[0, 4].any()
    assert logits.resolved.grad[0, hidden].all()
    beyond = ~crop.features.atom_mask[0]
    assert not logits.resolved.grad[0, beyond].any()
    assert not logits.plddt.grad[0, beyond].any()
    elsewhere = torch.where(hidden[None, :, None], bent + 100.0, bent)
    moved = confidence_loss(logits, elsewhere, crop.coordinates, observed, crop.features)
    assert {k: v.item() for k, v in moved.items()} == pytest.approx(
        {k: v.item() for k, v in found.items()}
    )


def test_a_crop_of_which_nothing_is_seen_costs_nothing_that_is_not_a_number(crop, bent):
    nothing = torch.zeros_like(crop.observed)
    found = terms(crop, bent, observed=nothing)
    assert [found[name].item() for name in ("plddt", "pde", "pae")] == [0.0, 0.0, 0.0]
    assert found["resolved"].item() == pytest.approx(np.log(2))


def test_two_crops_cost_the_mean_of_what_each_costs(chains, bent, crop):
    both = collate([chains[2], chains[2]], CropSize.of(24), np.random.default_rng(0))
    x = torch.cat([bent, crop.coordinates])
    logits = ConfidenceLogits(*(torch.cat([value, value]) for value in blank(crop)))
    bins = (pae_bins(crop, bent), torch.zeros(1, 24, 24, dtype=torch.long))
    logits = logits._replace(pae=torch.cat([sure_of(b, 64) for b in bins]))
    wrong = logits._replace(pae=logits.pae.flip(0))
    right = confidence_loss(logits, x, both.coordinates, both.observed, both.features)
    assert right["pae"].item() < 1e-5
    mixed = confidence_loss(wrong, x, both.coordinates, both.observed, both.features)
    alone = [
        terms(crop, one, pae=wrong.pae[k : k + 1])["pae"].item()
        for k, one in enumerate((bent, crop.coordinates))
    ]
    assert mixed["pae"].item() == pytest.approx(np.mean(alone), rel=1e-4)
