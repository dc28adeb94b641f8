"""The reverse diffusion, driven by denoisers whose answer is known."""

import numpy as np
import pytest
import torch

from folding.model.config import SamplerConfig
from folding.sampler import augmented, noise_schedule, rotation_matrices, sample

CONFIG = SamplerConfig()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(denoise, *, n_steps: int = 20, seed: int = 0, n_atoms: int = 12):
    return list(
        sample(denoise, CONFIG, n_steps=n_steps, shape=(1, n_atoms, 3), generator=generator(seed))
    )


def test_noise_falls_as_equation_7_says():
    levels = noise_schedule(CONFIG, 200)
    assert len(levels) == 201
    assert levels[0].item() == pytest.approx(16 * 160)
    assert levels[-1].item() == 0
    almost = 16 * (160 ** (1 / 7) / 200 + 199 / 200 * 4e-4 ** (1 / 7)) ** 7
    assert levels[-2].item() == pytest.approx(almost, rel=1e-4)
    middle = 16 * (0.5 * 160 ** (1 / 7) + 0.5 * 4e-4 ** (1 / 7)) ** 7
    assert levels[100].item() == pytest.approx(middle, rel=1e-5)
    assert (levels.diff() < 0).all()


def test_a_perfect_denoiser_gives_the_structure_it_knows():
    target = torch.randn(1, 12, 3, generator=generator(5)) * 10
    target = target - target.mean(-2, keepdim=True)

    def denoise(x, t_hat):
        """The target laid on the noisy coordinates, wherever these were turned to."""
        u, _, vh = torch.linalg.svd(x.transpose(-1, -2).double() @ target.double())
        flip = torch.diag_embed(torch.tensor([[1.0, 1.0, torch.det(u @ vh).item()]]).double())
        return (target.double() @ (u @ flip @ vh).transpose(-1, -2)).float() + x.mean(-2, True)

    last = draw(denoise, n_steps=100)[-1].x
    assert torch.allclose(torch.cdist(last, last), torch.cdist(target, target), atol=0.2)


def test_steps_count_and_report_the_level_they_start_from():
    steps = draw(lambda x, t: torch.zeros_like(x), n_steps=7)
    assert [step.index for step in steps] == list(range(1, 8))
    expected = noise_schedule(CONFIG, 7)[:-1].tolist()
    assert [step.noise_level for step in steps] == pytest.approx(expected)


def test_noise_is_raised_only_above_gamma_min():
    seen = []

    def denoise(x, t_hat):
        seen.append(t_hat.item())
        return torch.zeros_like(x)

    draw(denoise, n_steps=50)
    levels = noise_schedule(CONFIG, 50).tolist()
    raised = [t > last * 1.5 for t, last in zip(seen, levels[:-1], strict=True)]
    assert raised == [level > CONFIG.gamma_min for level in levels[1:]]


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    runs = [draw(lambda x, t: 0.5 * x, seed=seed)[-1].x for seed in (1, 1, 2)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.allclose(runs[0], runs[2])


def test_augmentation_is_a_rigid_motion_of_the_centred_coordinates():
    x = torch.randn(2, 9, 3, generator=generator(3)) + 100
    moved = augmented(x, generator(4))
    assert torch.allclose(torch.cdist(moved, moved), torch.cdist(x, x), atol=1e-3)
    assert moved.mean(-2).abs().max() < 5
    handed = [torch.linalg.det(y[:, :3] - y[:, 3:6]).sign() for y in (x, moved)]
    assert torch.equal(*handed)


def test_quaternions_give_rotations():
    q = torch.from_numpy(np.random.default_rng(0).standard_normal((50, 4)))
    rotations = rotation_matrices(q)
    assert torch.allclose(rotations @ rotations.mT, torch.eye(3).double().expand(50, 3, 3))
    assert torch.allclose(torch.linalg.det(rotations), torch.ones(50).double())


def test_a_generator_for_each_sample_gives_each_the_noise_it_has_alone():
    zeros = lambda x, t: torch.zeros_like(x)  # noqa: E731
    shape = (3, 12, 3)
    generators = [generator(seed) for seed in (4, 5, 6)]
    together = list(sample(zeros, CONFIG, n_steps=5, shape=shape, generator=generators))[-1].x
    alone = [draw(zeros, n_steps=5, seed=seed)[-1].x for seed in (4, 5, 6)]
    assert torch.equal(together, torch.cat(alone))
