"""Every part of the network on inputs that depend on a seed alone, to hold against another program.

The same randomness can be given to both: `given_randomness` replaces what a sampler draws.
"""

import contextlib
from collections.abc import Iterator
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

import folding.sampler
from folding.data.features import Features
from folding.model.alphafold3 import AlphaFold3
from folding.model.diffusion import Trunk
from tests.folding.model.cases import n_real_atoms, random_coordinates, without_templates

NOISE_LEVELS = (0.05, 4.0, 900.0)
N_SAMPLES = 2


def our_parts(model: AlphaFold3, features: Features, seed: int) -> dict[str, Tensor]:
    """Results by name; padding atoms are cut off."""
    with torch.no_grad():
        trunk = model.run_trunk(features, 1)
        return {
            **_trunk_parts(model, features, seed),
            **_diffusion_parts(model, features, trunk, seed),
            **_head_parts(model, features, trunk, seed),
        }


def random_pair(model: AlphaFold3, features: Features, seed: int) -> Tensor:
    """A pair representation [token, token, c_z] to start blocks from."""
    n = features.n_tokens
    return _normal((n, n, model.config.c_z), seed)


def random_single(model: AlphaFold3, features: Features, seed: int) -> Tensor:
    """A single representation [token, c_s] to start blocks from."""
    return _normal((features.n_tokens, model.config.c_s), seed)


def random_noisy(features: Features, seed: int) -> Tensor:
    """Coordinates [level, atom, 3] as noisy as ``NOISE_LEVELS`` say."""
    scale = 16 + torch.tensor(NOISE_LEVELS)
    return random_coordinates(seed, len(scale), n_real_atoms(features)) * scale[:, None, None]


def random_structure(features: Features, seed: int) -> Tensor:
    """Coordinates [1, atom, 3] in Å to judge."""
    return 10 * random_coordinates(seed, 1, n_real_atoms(features))


def sample_noise(model: AlphaFold3, features: Features, seed: int) -> Tensor:
    """Noise of the start and of every step, [1 + step, sample, atom, 3]."""
    n = n_real_atoms(features)
    draws = range(model.config.sampler.n_steps + 1)
    return torch.stack([random_coordinates(seed + k, N_SAMPLES, n)[:, :n] for k in draws])


@contextlib.contextmanager
def given_randomness(noise: Tensor) -> Iterator[None]:
    """Our sampler draws this noise and never turns the sample."""
    rows = iter(noise)

    def centred(x: Tensor, generator: torch.Generator) -> Tensor:
        return x - x.mean(-2, keepdim=True)

    with (
        mock.patch.object(torch, "randn", lambda size, **_: next(rows).expand(size)),
        mock.patch.object(folding.sampler, "augmented", centred),
    ):
        yield


def _normal(shape: tuple[int, ...], seed: int) -> Tensor:
    draw = np.random.default_rng([seed, 2]).standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(draw)


def _trunk_parts(model: AlphaFold3, features: Features, seed: int) -> dict[str, Tensor]:
    initial, _ = model.start(features)
    z, s = random_pair(model, features, seed), random_single(model, features, seed)
    block = model.pairformer.blocks[0]
    stack = block.pair_stack
    block_s, block_z = block(s, z, None)
    parts = {
        "input embedding": initial.s_inputs,
        "triangle multiplication, outgoing": stack.multiply_outgoing(z, None),
        "triangle multiplication, incoming": stack.multiply_incoming(z, None),
        "triangle attention, starting": stack.attend_starting(z, None),
        "triangle attention, ending": stack.attend_ending(z, None),
        "pairformer block, single": block_s,
        "pairformer block, pair": block_z,
        "MSA module": model.msa_module(features, initial.s_inputs, z),
    }
    if model.config.n_template_blocks:
        embed = model.template_embedder
        parts["template embedder"] = embed(features, z)
        parts["template embedder, no templates"] = embed(without_templates(features), z)
    for n_cycles in (1, 2):
        trunk = model.run_trunk(features, n_cycles)
        parts[f"trunk, {n_cycles} cycles, single"] = trunk.s
        parts[f"trunk, {n_cycles} cycles, pair"] = trunk.z
    return parts


def _diffusion_parts(
    model: AlphaFold3, features: Features, trunk: Trunk, seed: int
) -> dict[str, Tensor]:
    n, context = n_real_atoms(features), model.diffusion.context(features, trunk)
    levels = torch.tensor(NOISE_LEVELS)
    denoised = model.diffusion(random_noisy(features, seed), levels, context)[:, :n]
    return {
        "pair conditioning": model.diffusion.conditioning.pairs(features, trunk.z),
        "single conditioning": model.diffusion.conditioning.with_noise(context.s, levels),
        **{f"denoised at {t:g} Å": x for t, x in zip(NOISE_LEVELS, denoised, strict=True)},
        f"sample, {model.config.sampler.n_steps} steps": _sample(model, features, trunk, seed),
    }


def _sample(model: AlphaFold3, features: Features, trunk: Trunk, seed: int) -> Tensor:
    config, context = model.config.sampler, model.diffusion.context(features, trunk)
    n = n_real_atoms(features)
    padding = (0, 0, 0, len(features.ref_pos) - n)

    def denoise(x: Tensor, t_hat: Tensor) -> Tensor:
        return model.diffusion(nn.functional.pad(x, padding), t_hat, context)[:, :n]

    noise = sample_noise(model, features, seed)
    with given_randomness(noise):
        steps = folding.sampler.sample(
            denoise,
            config,
            n_steps=config.n_steps,
            shape=(N_SAMPLES, n, 3),
            generator=torch.Generator(),
        )
        return list(steps)[-1].x


def _head_parts(
    model: AlphaFold3, features: Features, trunk: Trunk, seed: int
) -> dict[str, Tensor]:
    n = n_real_atoms(features)
    logits = model.confidence(random_structure(features, seed)[0], features, trunk)
    return {
        "distogram": model.distogram(trunk.z),
        "contact probabilities": model.contact_probabilities(trunk),
        "plddt": logits.plddt[:n],
        "pae": logits.pae,
        "pde": logits.pde,
        "resolved": logits.resolved[:n],
    }
