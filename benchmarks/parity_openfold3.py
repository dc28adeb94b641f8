"""Compares the network with OpenFold3 0.5.0, part by part, on equal random weights and inputs.

    python -m benchmarks.parity_openfold3                    narrow network, seconds
    python -m benchmarks.parity_openfold3 --model of3-ob-2025-06-30-174k
    python -m benchmarks.parity_openfold3 --golden           writes tests/golden/openfold3

Runs where `openfold3==0.5.0` is installed (without its dependencies) beside what `folding` needs.
OpenFold3's own randomness at inference (rows of the alignment, moves of the sample) is replaced by
what both sides are given.
"""

import argparse
import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor

from benchmarks.parity import report, write_golden
from benchmarks.peer_openfold3 import Peer, peer_module, peer_templates
from folding.data.templates import no_templates
from folding.model.alphafold3 import AlphaFold3
from folding.model.config import ModelConfig
from folding.model.diffusion import Trunk
from folding.weights.openfold3 import CONFIGS
from tests.folding.model.cases import (
    REDUCED_OPENFOLD3,
    random_features,
    random_network,
    templates_by_token,
)
from tests.folding.model.parts import (
    N_SAMPLES,
    NOISE_LEVELS,
    our_parts,
    random_noisy,
    random_pair,
    random_single,
    random_structure,
    sample_noise,
)

SEED = 7
GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "openfold3"
SOURCE = "openfold3 0.5.0 (Apache-2.0), float32, CPU"


class PeerParts:
    """OpenFold3's results by our names of the parts."""

    def __init__(self, ours: AlphaFold3, peer: Peer, trunk: Trunk, seed: int) -> None:
        self.ours, self.peer, self.trunk, self.seed = ours, peer, trunk, seed
        self.model, self.features = peer.model, peer.features
        self.token_mask = peer.input["token_mask"]
        self.pair_mask = self.token_mask.unsqueeze(-1) * self.token_mask.unsqueeze(-2)

    def all(self) -> dict[str, Tensor]:
        """Every part."""
        return {
            **self.blocks(),
            **self.templates(),
            **self.cycles(),
            **self.diffusion(),
            **self.heads(),
        }

    def blocks(self) -> dict[str, Tensor]:
        """Input embedding and blocks of the trunk, from the same representations."""
        z = random_pair(self.ours, self.features, self.seed).unsqueeze(0)
        s = random_single(self.ours, self.features, self.seed).unsqueeze(0)
        block = self.model.pairformer_stack.blocks[0]
        stack = block.pair_stack
        block_s, block_z = block(s, z, self.token_mask, self.pair_mask)
        s_inputs, _, _ = self.model.input_embedder(self.peer.input)
        m, rows = self.model.msa_module_embedder(self.peer.input, s_inputs)
        ending = stack.tri_att_end(z.transpose(1, 2), transpose_bias=True).transpose(1, 2)
        parts = {
            "input embedding": s_inputs,
            "triangle multiplication, outgoing": stack.tri_mul_out(z, self.pair_mask),
            "triangle multiplication, incoming": stack.tri_mul_in(z, self.pair_mask),
            "triangle attention, starting": stack.tri_att_start(z),
            "triangle attention, ending": ending,
            "pairformer block, single": block_s,
            "pairformer block, pair": block_z,
            "MSA module": self.model.msa_module(m, z, rows, self.pair_mask),
        }
        return {name: tensor[0] for name, tensor in parts.items()}

    def templates(self) -> dict[str, Tensor]:
        """The template embedder with templates and with four that know nothing."""
        z = random_pair(self.ours, self.features, self.seed).unsqueeze(0)
        shown = self.ours.config.variant.empty_templates
        nothing = no_templates((self.features.n_tokens,), z.device, shown)
        known_nothing = peer_templates(nothing, self.features.asym_id)
        empty = self.peer.input | {name: x.unsqueeze(0) for name, x in known_nothing.items()}
        embed = self.model.template_embedder
        return {
            "template embedder": embed(self.peer.input, z, self.pair_mask)[0],
            "template embedder, no templates": embed(empty, z, self.pair_mask)[0],
        }

    def cycles(self) -> dict[str, Tensor]:
        """The trunk after one and two cycles."""
        parts = {}
        for n_cycles in (1, 2):
            _, s, z = self.model.run_trunk(self.peer.input, num_cycles=n_cycles)
            parts[f"trunk, {n_cycles} cycles, single"] = s[0]
            parts[f"trunk, {n_cycles} cycles, pair"] = z[0]
        return parts

    def diffusion(self) -> dict[str, Tensor]:
        """Conditioning, denoising at three noise levels, and a whole sample."""
        n, levels = self.peer.n_atoms, torch.tensor(NOISE_LEVELS)
        x = random_noisy(self.features, self.seed)[:, :n]
        given = self.peer.conditions(self.trunk)
        del given["token_mask"], given["atom_mask"]
        single, pair = self.model.diffusion_module.diffusion_conditioning(
            t=levels.unsqueeze(0), **given
        )
        denoised = self.peer.denoise(x, levels, self.trunk)
        n_steps = self.ours.config.sampler.n_steps
        with given_randomness(sample_noise(self.ours, self.features, self.seed)):
            sample = self.peer.sample(self.trunk, N_SAMPLES, n_steps)
        return {
            "pair conditioning": pair[0, 0],
            "single conditioning": single[0],
            **{f"denoised at {t:g} Å": x for t, x in zip(NOISE_LEVELS, denoised, strict=True)},
            f"sample, {n_steps} steps": sample,
        }

    def heads(self) -> dict[str, Tensor]:
        """Distogram and every confidence head, for one structure."""
        x = random_structure(self.features, self.seed)[:, : self.peer.n_atoms]
        logits = self.peer.heads(x, self.trunk)
        logits["resolved"] = logits.pop("experimentally_resolved")
        return logits


@contextlib.contextmanager
def given_randomness(noise: Tensor) -> Iterator[None]:
    """OpenFold3 draws this noise and never turns the sample."""
    draws = iter(noise)
    module = peer_module("structure.diffusion_module")
    with (
        mock.patch.object(torch, "randn", lambda *_, **__: next(draws).unsqueeze(0)),
        mock.patch.object(torch, "randn_like", lambda *_: next(draws).unsqueeze(0)),
        mock.patch.object(module, "centre_random_augmentation", centred),
    ):
        yield


def centred(xl: Tensor, atom_mask: Tensor) -> Tensor:
    """What OpenFold3's augmentation gives without turn and move."""
    return xl - xl.mean(-2, keepdim=True)


def both(
    config: ModelConfig, job: Mapping[str, int]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Every part by name, ours and theirs."""
    features = templates_by_token(random_features(SEED, **job), SEED)
    ours = random_network(config, SEED, tied=True)
    peer = Peer(ours, features)
    with torch.no_grad():
        trunk = ours.run_trunk(features, 1)
        theirs = PeerParts(ours, peer, trunk, SEED).all()
    parts = our_parts(ours, features, SEED)
    return {name: parts[name] for name in theirs}, theirs


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="reduced", choices=["reduced", *CONFIGS])
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--steps", type=int, default=5, help="of the whole sample")
    parser.add_argument("--golden", action="store_true", help="write the reference arrays")
    arguments = parser.parse_args()
    config = REDUCED_OPENFOLD3 if arguments.model == "reduced" else CONFIGS[arguments.model]
    config = replace(config, sampler=replace(config.sampler, n_steps=arguments.steps))
    job = {"n_tokens": arguments.tokens}
    if arguments.golden:
        config, job = REDUCED_OPENFOLD3, {"n_tokens": 10, "atoms_per_token": 18}
    ours, theirs = both(config, job)
    agreed = report(ours, theirs)
    if arguments.golden and agreed:
        command = "python -m benchmarks.parity_openfold3 --golden"
        write_golden(
            GOLDEN, theirs, source=SOURCE, command=command, seed=SEED, job=job, config=config
        )
    sys.exit(0 if agreed else 1)


if __name__ == "__main__":
    main()
