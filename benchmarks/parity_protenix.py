"""Compares the network with Protenix 2.0.0, part by part, on equal random weights and inputs.

    python -m benchmarks.parity_protenix                    narrow network, seconds
    python -m benchmarks.parity_protenix --model protenix_base_default_v1.0.0
    python -m benchmarks.parity_protenix --golden           writes tests/golden/protenix

Runs where `protenix==2.0.0` is installed (without its dependencies) beside what `folding` needs.
Protenix's own randomness at inference (rows of the alignment, moves of the sample) is replaced by
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
from benchmarks.peer_protenix import Peer, peer_module, peer_templates
from folding.data.templates import no_templates
from folding.model.alphafold3 import AlphaFold3
from folding.model.config import ModelConfig
from folding.model.diffusion import Trunk
from folding.weights.protenix import CONFIGS
from tests.folding.model.cases import REDUCED, random_features, random_network
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
GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "protenix"
SOURCE = "protenix 2.0.0 (Apache-2.0), float32, CPU"


class PeerParts:
    """Protenix's results by our names of the parts."""

    def __init__(self, ours: AlphaFold3, peer: Peer, trunk: Trunk, seed: int) -> None:
        self.ours, self.peer, self.trunk, self.seed = ours, peer, trunk, seed
        self.model, self.features = peer.model, peer.features

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
        z = random_pair(self.ours, self.features, self.seed)
        s = random_single(self.ours, self.features, self.seed)
        block = self.model.pairformer_stack.blocks[0]
        block_s, block_z = block(s, z, None)
        s_inputs = self.model.input_embedder(self.peer.input)
        return {
            "input embedding": s_inputs,
            "triangle multiplication, outgoing": block.tri_mul_out(z),
            "triangle multiplication, incoming": block.tri_mul_in(z),
            "triangle attention, starting": block.tri_att_start(z),
            "triangle attention, ending": block.tri_att_end(z.transpose(0, 1)).transpose(0, 1),
            "pairformer block, single": block_s,
            "pairformer block, pair": block_z,
            "MSA module": self.model.msa_module(self.peer.input, z, s_inputs, None),
        }

    def templates(self) -> dict[str, Tensor]:
        """The template embedder with templates and with what Protenix shows without any."""
        if not self.ours.config.n_template_blocks:
            return {}
        z = random_pair(self.ours, self.features, self.seed)
        nothing = no_templates((self.features.n_tokens,), z.device)
        empty = self.peer.input | peer_templates(nothing)
        embed = self.model.template_embedder
        return {
            "template embedder": embed(self.peer.input, z),
            "template embedder, no templates": embed(empty, z),
        }

    def cycles(self) -> dict[str, Tensor]:
        """The trunk after one and two cycles."""
        parts = {}
        for n_cycles in (1, 2):
            _, s, z = self.model.get_pairformer_output(self.peer.input, N_cycle=n_cycles)
            parts[f"trunk, {n_cycles} cycles, single"] = s
            parts[f"trunk, {n_cycles} cycles, pair"] = z
        return parts

    def diffusion(self) -> dict[str, Tensor]:
        """Conditioning, denoising at three noise levels, and a whole sample."""
        n, levels = self.peer.n_atoms, torch.tensor(NOISE_LEVELS)
        x = random_noisy(self.features, self.seed)[:, :n]
        single, pair = self.model.diffusion_module.diffusion_conditioning(
            levels,
            self.peer.input["relp"],
            *(self.trunk.s_inputs, self.trunk.s, self.trunk.z),
            pair_z=None,
        )
        denoised = self.peer.denoise(x, levels, self.trunk)
        with given_randomness(sample_noise(self.ours, self.features, self.seed)):
            sample = self.peer.sample(self.trunk, N_SAMPLES)
        n_steps = self.ours.config.sampler.n_steps
        return {
            "pair conditioning": pair,
            "single conditioning": single,
            **{f"denoised at {t:g} Å": x for t, x in zip(NOISE_LEVELS, denoised, strict=True)},
            f"sample, {n_steps} steps": sample,
        }

    def heads(self) -> dict[str, Tensor]:
        """Distogram and every confidence head, for one structure."""
        distogram = self.model.distogram_head(self.trunk.z)
        judge = peer_module("sample_confidence")
        bins = judge.get_bin_params(self.model.configs.loss.distogram)
        x = random_structure(self.features, self.seed)[:, : self.peer.n_atoms]
        names = ("plddt", "pae", "pde", "resolved")
        confidence = self.peer.confidence(x, self.trunk)
        return {
            "distogram": distogram,
            "contact probabilities": judge.compute_contact_prob(distogram, **bins),
            **{name: logits[0] for name, logits in zip(names, confidence, strict=True)},
        }


@contextlib.contextmanager
def given_randomness(noise: Tensor) -> Iterator[None]:
    """Protenix draws this noise, never turns the sample, and keeps every row of the alignment.

    It takes distances directly: PyTorch's faster way, which it uses from 25 tokens on, is off by
    up to 0.01 Å.
    """
    rows = iter(noise)
    stand_ins = [
        (peer_module("generator"), "centre_random_augmentation", centred),
        (peer_module("utils"), "sample_indices", lambda n, **_: torch.arange(n)),
        (torch, "randn", lambda size, **_: next(rows).expand(size)),
        (torch, "cdist", distances),
    ]
    with contextlib.ExitStack() as stack:
        for owner, name, stand_in in stand_ins:
            stack.enter_context(mock.patch.object(owner, name, stand_in))
        yield


def centred(x_input_coords: Tensor, N_sample: int) -> Tensor:
    """What Protenix's augmentation gives without turn and move."""
    return (x_input_coords - x_input_coords.mean(-2, keepdim=True)).unsqueeze(-3)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Distances between all points, without a detour over dot products."""
    return torch.linalg.vector_norm(a.unsqueeze(-2) - b.unsqueeze(-3), dim=-1)


def both(
    config: ModelConfig, job: Mapping[str, int]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Every part by name, ours and theirs."""
    features = random_features(SEED, **job)
    ours = random_network(config, SEED)
    peer = Peer(ours, features)
    with torch.no_grad(), given_randomness(torch.zeros(0)):
        trunk = ours.run_trunk(features, 1)
        theirs = PeerParts(ours, peer, trunk, SEED).all()
    return our_parts(ours, features, SEED), theirs


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="reduced", choices=["reduced", *CONFIGS])
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--steps", type=int, default=5, help="of the whole sample")
    parser.add_argument("--golden", action="store_true", help="write the reference arrays")
    arguments = parser.parse_args()
    config = REDUCED if arguments.model == "reduced" else CONFIGS[arguments.model]
    config = replace(config, sampler=replace(config.sampler, n_steps=arguments.steps))
    job = {"n_tokens": arguments.tokens}
    if arguments.golden:
        config, job = REDUCED, {"n_tokens": 10, "atoms_per_token": 18}
    ours, theirs = both(config, job)
    agreed = report(ours, theirs)
    if arguments.golden and agreed:
        command = "python -m benchmarks.parity_protenix --golden"
        write_golden(
            GOLDEN, theirs, source=SOURCE, command=command, seed=SEED, job=job, config=config
        )
    sys.exit(0 if agreed else 1)


if __name__ == "__main__":
    main()
