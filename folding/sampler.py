"""The reverse diffusion (AF3 SI algorithm 18), for any denoising function.

Departures: the update uses the noised coordinates (line 9 of the paper mixes two), and, as in
Protenix, the last noise level is 0, not what eq. 7 gives, unless the configuration says otherwise.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from folding.model.config import SamplerConfig

Generators = torch.Generator | Sequence[torch.Generator]
"""One for all samples together, or one for each."""
Denoise = Callable[[Tensor, Tensor], Tensor]
"""(x_noisy [*batch, sample, atom, 3], t_hat [*batch, 1]) -> denoised coordinates, all in Å."""


class Step(NamedTuple):
    """The state after one denoising step."""

    index: int
    """Counts from 1."""
    noise_level: float
    """Å: what the step started from."""
    denoised: Float[Tensor, "*batch atom 3"]
    """The network's estimate of the structure."""
    x: Float[Tensor, "*batch atom 3"]
    """The coordinates that the next step starts from."""


def noise_schedule(config: SamplerConfig, n_steps: int) -> Float[Tensor, " levels"]:
    """Noise levels in Å from the largest down, ``n_steps`` + 1 of them (eq. 7)."""
    ramp = torch.linspace(0, 1, n_steps + 1, dtype=torch.float64)
    high, low = config.s_max ** (1 / config.rho), config.s_min ** (1 / config.rho)
    levels = (config.sigma_data * (high + ramp * (low - high)) ** config.rho).float()
    if config.ends_at_zero:
        levels[-1] = 0
    return levels


def sample(
    denoise: Denoise,
    config: SamplerConfig,
    *,
    n_steps: int,
    shape: tuple[int, ...],
    generator: Generators,
    start: tuple[int, Tensor] | None = None,
) -> Iterator[Step]:
    """Draws structures, giving the state after every step.

    Args:
        shape: (sample, atom, 3), without padding, which would shift the centre.
        generator: gives all noise, rotations and translations; one seed in, same bits out. With
            one for each sample, the noise of a sample is the same whatever is drawn beside it.
        start: steps that are done and the coordinates after them, to go on from; the generator
            is then as those steps left it.
    """
    levels = noise_schedule(config, n_steps).tolist()
    if start is None:
        start = 0, levels[0] * normal(shape, generator)
    n_done, x = start
    for index, (last, level) in enumerate(pairwise(levels[n_done:]), start=n_done + 1):
        x = augmented(x, generator)
        gamma = config.gamma_0 if level > config.gamma_min else 0.0
        t_hat = last * (1 + gamma)
        spread = config.noise_scale * (t_hat**2 - last**2) ** 0.5
        x = x + spread * normal(shape, generator)
        denoised = denoise(x, torch.full((*shape[:-3], 1), t_hat, device=x.device))
        stretch = 1.0 if config.ends_on_estimate and level == 0 else config.step_scale
        x = x + stretch * (level - t_hat) * (x - denoised) / t_hat
        yield Step(index, last, denoised, x)


def normal(shape: tuple[int, ...], generator: Generators) -> Tensor:
    """Gaussian noise of this shape; the first axis is the samples'."""
    if isinstance(generator, torch.Generator):
        return torch.randn(shape, generator=generator, device=generator.device)
    rows = [torch.randn(shape[1:], generator=one, device=one.device) for one in generator]
    return torch.stack(rows)


def augmented(
    x: Float[Tensor, "*batch atom 3"], generator: Generators
) -> Float[Tensor, "*batch atom 3"]:
    """The centred coordinates, turned and moved at random (AF3 SI algorithm 19)."""
    q = normal((*x.shape[:-2], 4), generator)
    move = normal((*x.shape[:-2], 1, 3), generator)
    centred = x - x.mean(-2, keepdim=True)
    return torch.matmul(centred, rotation_matrices(q).transpose(-1, -2)) + move


def rotation_matrices(q: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotations from quaternions of any length; Gaussian ones give uniform rotations."""
    w, x, y, z = (q / torch.linalg.vector_norm(q, dim=-1, keepdim=True)).unbind(-1)
    rows = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))
