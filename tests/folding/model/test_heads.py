"""What the network says about its result."""

import pytest
import torch
from torch.nn import functional

from folding.model.diffusion import Trunk
from folding.model.heads import N_DISTANCE_BINS
from folding.sampler import rotation_matrices
from tests.folding.model.cases import (
    REDUCED,
    n_real_atoms,
    random_coordinates,
    random_features,
    random_network,
    stacked,
)


@pytest.fixture(scope="module")
def features():
    return random_features(9, n_tokens=20)


@pytest.fixture(scope="module")
def model():
    return random_network(REDUCED, 1)


@pytest.fixture(scope="module")
def trunk(model, features) -> Trunk:
    return model.run_trunk(features, 1)


@pytest.fixture(scope="module")
def x(features) -> torch.Tensor:
    return 10 * random_coordinates(2, 1, n_real_atoms(features))[0]


def test_the_distogram_is_symmetric(model, trunk):
    logits = model.distogram(trunk.z)
    assert torch.equal(logits, logits.transpose(0, 1))
    assert logits.shape[-1] == 64


def test_contacts_are_the_bins_that_end_below_eight_angstrom(model, trunk):
    logits = torch.zeros(2, 2, 64)
    model_bins = model.distogram
    for index, expected in ((18, 1.0), (19, 0.0)):
        picked = logits.clone()
        picked[..., index] = 50.0
        z = torch.zeros(2, 2, REDUCED.c_z)
        original = model_bins.forward
        try:
            model_bins.forward = lambda _, picked=picked: picked
            contacts = model.contact_probabilities(trunk._replace(z=z))
        finally:
            model_bins.forward = original
        torch.testing.assert_close(contacts, torch.full((2, 2), expected))


def test_confidence_is_blind_to_turns_and_moves(model, features, trunk, x):
    turn = rotation_matrices(torch.tensor([0.3, -0.5, 0.7, 0.2]))
    moved = x @ turn.t() + torch.tensor([5.0, -40.0, 9.0])
    before, after = (model.confidence(y, features, trunk) for y in (x, moved))
    for name, a, b in zip(before._fields, before, after, strict=True):
        torch.testing.assert_close(b, a, rtol=0, atol=2e-3, msg=name)


def test_confidence_sees_distances_of_representative_atoms_alone(model, features, trunk, x):
    others = torch.ones(len(x), dtype=torch.bool)
    others[features.representative_atom] = False
    changed = torch.where(others.unsqueeze(-1), x + 17.0, x)
    for a, b in zip(*(model.confidence(y, features, trunk) for y in (x, changed)), strict=True):
        assert torch.equal(a, b)
    far = x.clone()
    far[features.representative_atom[3]] += 30.0
    assert (model.confidence(far, features, trunk).pae - a_pae(model, x, features, trunk)).any()


def a_pae(model, x, features, trunk) -> torch.Tensor:
    return model.confidence(x, features, trunk).pae


def test_distances_fall_into_bins_with_the_last_one_open(model, features, trunk, x):
    head = model.confidence
    points = x[features.representative_atom]
    distance = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    lower = 3.25 + 1.25 * torch.arange(N_DISTANCE_BINS)
    upper = torch.cat([lower[1:], torch.tensor([1e9])])
    one_hot = (distance.unsqueeze(-1) > lower) & (distance.unsqueeze(-1) < upper)
    s1, s2 = head.linear_s1(trunk.s_inputs), head.linear_s2(trunk.s_inputs)
    expected = (
        one_hot.float() @ head.linear_bin.weight.t()
        + distance.unsqueeze(-1) * head.linear_distance.weight[:, 0]
        + s1.unsqueeze(0)
        + s2.unsqueeze(1)
    )
    assert one_hot.sum(-1).diagonal().tolist() == [0] * 20
    update = head.pair_update(x, features, trunk.s_inputs)
    torch.testing.assert_close(update, expected, rtol=0, atol=1e-4)


def test_every_place_in_a_token_has_a_map_of_its_own(model, features):
    head, generator = model.confidence, torch.Generator().manual_seed(0)
    atoms = torch.randn((len(features.ref_pos), REDUCED.c_s), generator=generator)
    expected = torch.einsum("ac,acb->ab", atoms, head.plddt_weight[features.atom_slot])
    result = head.per_slot(atoms, head.plddt_weight, features)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)


def test_the_error_of_a_distance_is_symmetric_and_that_of_a_frame_is_not(model, features, trunk, x):
    logits = model.confidence(x, features, trunk)
    torch.testing.assert_close(logits.pde, logits.pde.transpose(0, 1), rtol=0, atol=1e-6)
    assert (logits.pae - logits.pae.transpose(0, 1)).abs().max() > 0.1


def test_a_runaway_single_is_clamped(model, features, trunk, x):
    wild = [trunk._replace(s=trunk.s + limit * (trunk.s > 1)) for limit in (600.0, 1e5)]
    first, second = (model.confidence(x, features, t).plddt for t in wild)
    assert torch.equal(first, second)


def test_the_heads_do_not_train_the_trunk(features, x):
    model = random_network(REDUCED, 1)
    trunk = model.run_trunk(features, 1)
    leaves = Trunk(*(part.clone().requires_grad_() for part in trunk))
    with torch.enable_grad():
        logits = model.confidence(x, features, leaves)
        assert not any(part.requires_grad for part in logits)


def test_the_shapes_are_those_of_tokens_and_atoms(model, features, trunk, x):
    logits = model.confidence(x, features, trunk)
    shapes = [tuple(part.shape) for part in logits]
    n = len(features.ref_pos)
    assert shapes == [(n, 50), (20, 20, 64), (20, 20, 64), (n, 2)]


def test_a_batch_is_judged_one_by_one(model, features, trunk, x):
    both = Trunk(*(torch.stack([part, part.flip(0)]) for part in trunk))
    batch = stacked([features, features])
    result = model.confidence(torch.stack([x, x]), batch, both).pae
    alone = model.confidence(x, features, Trunk(*(part[1] for part in both))).pae
    torch.testing.assert_close(result[1], alone, rtol=0, atol=1e-4)
    assert functional.mse_loss(result[0], result[1]) > 1e-3
