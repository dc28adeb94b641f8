"""The diffusion module."""

import math

import pytest
import torch

from folding.model.diffusion import FourierEmbedding, Trunk
from tests.folding.model.cases import (
    REDUCED,
    n_real_atoms,
    random_coordinates,
    random_features,
    random_network,
)

SIGMA = REDUCED.sampler.sigma_data


@pytest.fixture(scope="module")
def features():
    return random_features(8, n_tokens=20)


@pytest.fixture(scope="module")
def module():
    return random_network(REDUCED, 1).diffusion


@pytest.fixture(scope="module")
def trunk(features) -> Trunk:
    return random_network(REDUCED, 1).run_trunk(features, 1)


@pytest.fixture(scope="module")
def context(module, features, trunk):
    return module.context(features, trunk)


@pytest.fixture(scope="module")
def x(features) -> torch.Tensor:
    return 20 * random_coordinates(1, 3, n_real_atoms(features))


def test_fourier_features_are_cosines_of_period_one():
    torch.manual_seed(0)
    embedding = FourierEmbedding(6)
    t = torch.tensor([0.0, 0.7])
    expected = torch.cos(2 * math.pi * embedding.bias)
    torch.testing.assert_close(embedding(t)[0], expected)
    with torch.no_grad():
        embedding.weight.fill_(1.0)
    torch.testing.assert_close(embedding(t + 1), embedding(t), rtol=0, atol=1e-5)


def test_the_fourier_table_is_not_trained():
    assert not any(p.requires_grad for p in FourierEmbedding(4).parameters())


def test_hardly_noisy_coordinates_stay_where_they_are(module, context, x):
    denoised = module(x, torch.full((3,), 1e-3), context)
    assert (denoised - x).abs().max() < 0.02


def test_nothing_is_left_of_pure_noise(module, context, x):
    level = torch.full((3,), 1e6)
    denoised = module(1e6 * x, level, context)
    update = module.update(x, level, context)
    torch.testing.assert_close(denoised, SIGMA * update, rtol=0, atol=0.05)


@pytest.mark.parametrize("t", [0.3, 16.0, 500.0])
def test_preconditioning_keeps_unit_variance(module, context, x, t):
    level = torch.full((3,), t)
    scale = math.sqrt(SIGMA**2 + t**2)
    update = module.update(x / scale, level, context)
    expected = (SIGMA / scale) ** 2 * x + SIGMA * t / scale * update
    torch.testing.assert_close(module(x, level, context), expected, rtol=0, atol=1e-3)
    assert (SIGMA / scale) ** 2 + (t / scale) ** 2 == pytest.approx(1)


def test_samples_do_not_see_each_other(module, context, x):
    levels = torch.tensor([0.5, 4.0, 100.0])
    together = module(x, levels, context)
    for index in range(3):
        alone = module(x[index : index + 1], levels[index : index + 1], context)
        torch.testing.assert_close(together[index], alone[0], rtol=0, atol=2e-4)


def test_padding_atoms_are_not_seen(module, context, x, features):
    levels, n = torch.tensor([0.5, 4.0, 100.0]), n_real_atoms(features)
    noisy = x.clone()
    noisy[:, n:] = 1e4
    assert torch.equal(module(noisy, levels, context)[:, :n], module(x, levels, context)[:, :n])


def test_every_real_atom_is_seen(module, context, x, features):
    n, levels = n_real_atoms(features), torch.full((3,), 50.0)
    before = module(x, levels, context)
    for atom in (0, n // 2, n - 1):
        moved = x.clone()
        moved[:, atom] += 30
        others = torch.arange(n) != atom
        change = (module(moved, levels, context) - before)[:, :n][:, others]
        assert change.abs().max() > 1e-3


def test_the_module_is_not_blind_to_turns(module, context, x):
    # AF3 learns rotations from augmentation; nothing in the network is equivariant.
    levels = torch.full((3,), 50.0)
    turned = x.flip(-1) * torch.tensor([1.0, 1.0, -1.0])
    back = (module(turned, levels, context) * torch.tensor([1.0, 1.0, -1.0])).flip(-1)
    assert (back - module(x, levels, context)).abs().max() > 1


def test_noise_levels_reach_the_conditioning(module, context):
    singles = module.conditioning.with_noise(context.s, torch.tensor([1.0, 2.0]))
    assert singles.shape == (2, 20, REDUCED.c_s)
    assert (singles[0] - singles[1]).abs().max() > 0.1


def test_the_trunk_reaches_the_coordinates(module, features, trunk, x):
    levels = torch.full((3,), 50.0)
    before = module(x, levels, module.context(features, trunk))
    for name in trunk._fields:
        changed = trunk._replace(**{name: getattr(trunk, name).flip(-1)})
        after = module(x, levels, module.context(features, changed))
        assert (after - before).abs().max() > 0.1, name


def test_the_fast_path_is_the_one_that_trains(module, features, trunk, x):
    results = []
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            context = module.context(features, trunk)
            results.append(module(x, torch.tensor([0.5, 4.0, 100.0]), context))
    torch.testing.assert_close(*results, rtol=0, atol=5e-4)
