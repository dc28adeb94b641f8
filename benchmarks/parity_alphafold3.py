"""Compares the network with AlphaFold 3's own (JAX), part by part, on equal random weights.

    python -m benchmarks.parity_alphafold3 CHECKOUT            narrow network
    python -m benchmarks.parity_alphafold3 CHECKOUT --golden   writes tests/golden/alphafold3

CHECKOUT is a copy of google-deepmind/alphafold3 (Apache-2.0 code). The weights go through a file
that its own writer makes, so that the file format, the names and every transposition are compared
too. Its data pipeline is not run. What it draws from JAX's generator (rows of the alignment, noise,
turns of the sample) is replaced by what both sides are given.
"""

import argparse
import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from benchmarks.parity import report, write_golden
from benchmarks.peer_alphafold3 import (
    array,
    gather,
    network,
    no_peer_templates,
    peer_batch,
    peer_config,
    use_checkout,
)
from folding.data.features import Features
from folding.model.alphafold3 import AlphaFold3
from folding.model.embedding import classes
from folding.weights.alphafold3 import IDENTIFIER, from_own, to_own
from folding.weights.records import read_records
from tests.folding.model.cases import (
    REDUCED_ALPHAFOLD3,
    network_of,
    random_features,
    random_network,
    templates_by_atom,
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
JOB = {"n_tokens": 10, "atoms_per_token": 18}
GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "alphafold3"
SOURCE = "google-deepmind/alphafold3 c0f97ed (Apache-2.0 code), float32, CPU, jax {}"


class PeerParts:
    """AlphaFold 3's results by our names of the parts."""

    def __init__(self, parameters: dict[str, Any], ours: AlphaFold3, features: Features) -> None:
        self.parameters, self.ours, self.features = parameters, ours, features
        self.config = peer_config(ours.config)
        self.batch = peer_batch(features, ours.config, SEED)
        with torch.no_grad():
            self.trunk = ours.run_trunk(features, 1)

    def run(
        self, scope: str, function: Callable[..., Any], *arguments: Any, layer: int | None = None
    ) -> Any:
        """What a function of Haiku modules gives below a scope, for one block of a stack."""
        return self.compiled(scope, function, layer=layer)(*arguments)

    def compiled(
        self, scope: str, function: Callable[..., Any], *, layer: int | None = None
    ) -> Callable[..., Any]:
        """A function of Haiku modules with the parameters below a scope."""
        import haiku as hk
        import jax

        inside: dict[str, dict[str, Any]] = {}
        for name, array_ in self.parameters.items():
            module, leaf = name.split(":")
            if module.startswith(scope):
                value = array_ if layer is None else array_[layer]
                inside.setdefault(module.removeprefix(scope), {})[leaf] = value
        apply = jax.jit(hk.transform(function).apply)
        return lambda *arguments: apply(inside, jax.random.PRNGKey(0), *arguments)

    def all(self) -> dict[str, Tensor]:
        """Every part."""
        found = {**self.inputs(), **self.blocks(), **self.alignment()}
        with no_direction_to_oneself():
            found |= {**self.templates(), **self.cycles()}
        found |= {**self.diffusion(), **self.heads()}
        return {name: torch.from_numpy(np.array(x)) for name, x in found.items()}

    def inputs(self) -> dict[str, Any]:
        """The input embedding, atoms first as here."""
        import jax.numpy as jnp

        atoms = network("atom_cross_attention")
        encoded = self.run(
            "diffuser/",
            lambda: atoms.atom_cross_att_encoder(
                token_atoms_act=None,
                trunk_single_cond=None,
                trunk_pair_cond=None,
                config=self.config.evoformer.per_atom_conditioning,
                global_config=self.config.shared,
                batch=self.batch,
                name="evoformer_conditioning",
            ),
        )
        others = network("featurization").create_target_feat(self.batch, False)
        return {"input embedding": jnp.concatenate([encoded.token_act, others], -1)}

    def blocks(self) -> dict[str, Any]:
        """The first block of the Pairformer and its modules."""
        modules, config = network("modules"), self.config
        z = array(random_pair(self.ours, self.features, SEED))
        s = array(random_single(self.ours, self.features, SEED))
        ones, pairs = np.ones(len(z), np.float32), np.ones(z.shape[:2], np.float32)
        scope = "diffuser/evoformer/__layer_stack_no_per_layer_1/"
        block = self.run(
            scope,
            lambda: modules.PairFormerIteration(
                config.evoformer.pairformer, config.shared, True, name="trunk_pairformer"
            )(act=z, single_act=s, pair_mask=pairs, seq_mask=ones),
            layer=0,
        )
        parts = {"pairformer block, pair": block[0], "pairformer block, single": block[1]}
        inner = config.evoformer.pairformer
        for name in ("outgoing", "incoming"):
            peer = f"triangle_multiplication_{name}"
            parts[f"triangle multiplication, {name}"] = self.run(
                f"{scope}trunk_pairformer/",
                lambda peer=peer: modules.TriangleMultiplication(
                    getattr(inner, peer), config.shared, name=peer
                )(z, pairs),
                layer=0,
            )
        for name, number in (("starting", 1), ("ending", 2)):
            parts[f"triangle attention, {name}"] = self.run(
                f"{scope}trunk_pairformer/",
                lambda number=number: modules.GridSelfAttention(
                    inner.pair_attention,
                    config.shared,
                    transpose=number == 2,
                    name=f"pair_attention{number}",
                )(z, pairs),
                layer=0,
            )
        return parts

    def alignment(self) -> dict[str, Any]:
        """The MSA module, its rows in the order given."""
        import alphafold3.model.components.haiku_modules as hm
        import haiku as hk

        modules, evoformer = network("modules"), self.config.evoformer
        z = array(random_pair(self.ours, self.features, SEED))
        inputs = array(torch.from_numpy(np.array(self.target())))
        msa = np.eye(32, dtype=np.float32)[np.array(self.classes(self.features.msa))]
        extra = np.stack([self.features.has_deletion, self.features.deletion_value], -1)
        rows = np.concatenate([msa, extra], -1)

        def module() -> Any:
            m = hm.Linear(evoformer.msa_channel, name="msa_activations")(rows)
            m += hm.Linear(evoformer.msa_channel, name="extra_msa_target_feat")(inputs)[None]
            masks = {
                "msa": np.ones(m.shape[:2], np.float32),
                "pair": np.ones(z.shape[:2], np.float32),
            }

            def block(x: Any) -> Any:
                iteration = modules.EvoformerIteration(
                    evoformer.msa_stack, self.config.shared, name="msa_stack"
                )
                return iteration(activations=x, masks=masks)

            stack = hk.experimental.layer_stack(evoformer.msa_stack.num_layer)(block)
            return stack({"msa": m, "pair": z})["pair"]

        return {"MSA module": self.run("diffuser/evoformer/", module)}

    def templates(self) -> dict[str, Any]:
        """The template embedder with templates and without any."""
        import jax

        embed = network("template_modules").TemplateEmbedding
        z, asym = array(random_pair(self.ours, self.features, SEED)), self.features.asym_id
        given = {
            "padding_mask_2d": np.ones(z.shape[:2], np.float32),
            "multichain_mask_2d": array((asym[:, None] == asym[None]).float()),
        }

        def module(shown: Any) -> Any:
            embedder = embed(self.config.evoformer.template, self.config.shared)
            key = jax.random.PRNGKey(0)
            return embedder(query_embedding=z, templates=shown, key=key, **given)

        embedded = self.compiled("diffuser/evoformer/", module)
        return {
            "template embedder": embedded(self.batch.templates),
            "template embedder, no templates": embedded(no_peer_templates(len(z))),
        }

    def cycles(self) -> dict[str, Any]:
        """The trunk after one and two cycles, rows of the alignment in the order given."""
        import jax

        featurization = network("featurization")

        def module(previous: dict[str, Any]) -> Any:
            evoformer = network("evoformer").Evoformer(self.config.evoformer, self.config.shared)
            target, key = self.target(), jax.random.PRNGKey(0)
            return evoformer(batch=self.batch, prev=previous, target_feat=target, key=key)

        cycle = self.compiled("diffuser/", module)
        found = {"pair": np.zeros(self.trunk.z.shape, np.float32)}
        found["single"] = np.zeros(self.trunk.s.shape, np.float32)
        parts = {}
        with (
            mock.patch.object(featurization, "shuffle_msa", lambda key, msa: (msa, key)),
            mock.patch.object(featurization, "truncate_msa_batch", lambda msa, n: msa),
        ):
            for n_cycles in (1, 2):
                found = cycle({name: found[name] for name in ("pair", "single")})
                for name in ("single", "pair"):
                    parts[f"trunk, {n_cycles} cycles, {name}"] = found[name]
        return parts

    def diffusion(self) -> dict[str, Any]:
        """Conditioning, denoising at three noise levels, and a whole sample."""
        n = self.batch.dense.place.size
        noisy = random_noisy(self.features, SEED)[:, :n]
        denoise = self.denoiser()
        parts: dict[str, Any] = {}
        singles = []
        for level, x in zip(NOISE_LEVELS, noisy, strict=True):
            denoised = denoise(self.dense(x), level)
            parts[f"denoised at {level:g} Å"] = self.batch.dense.gathered(denoised)
            single, pair = self.run("diffuser/~/diffusion_head/", self.conditioning(level))
            singles.append(single)
            parts["pair conditioning"] = pair
        parts[f"sample, {self.ours.config.sampler.n_steps} steps"] = self.sample(denoise)
        return parts | {"single conditioning": np.stack(singles)}

    def dense(self, x: Tensor) -> Any:
        """Coordinates [atom, 3] in the table of atoms."""
        return array(self.batch.dense.scattered(x.numpy()))

    def denoiser(self) -> Callable[[Any, Any], Any]:
        """AlphaFold 3's denoising of coordinates in the table, at a noise level."""
        import jax.numpy as jnp

        head = network("diffusion_head").DiffusionHead

        def module(x: Any, level: Any) -> Any:
            diffusion = head(self.config.diffusion, self.config.shared)
            given = {"batch": self.batch, "embeddings": self.embeddings()}
            return diffusion(x, noise_level=level, use_conditioning=True, **given)

        denoise = self.compiled("diffuser/~/", module)
        return lambda x, level: denoise(jnp.asarray(x, float), jnp.asarray(level, float))

    def sample(self, denoise: Callable[[Any, Any], Any]) -> Any:
        """What its sampler gives with our noise and without turns; its loops are run one by one."""
        import jax
        import jax.numpy as jnp

        head = network("diffusion_head")
        first, *others = sample_noise(self.ours, self.features, SEED)
        draws = [jnp.stack([self.dense(x) for x in first])]
        draws += [self.dense(x) for step in others for x in step]
        noise = iter(draws)

        def loop(step: Callable[..., Any], carry: Any, levels: Any, **_: Any) -> Any:
            for level in levels:
                carry, _ = step(carry, level)
            return carry, None

        def for_each(step: Callable[..., Any], **_: Any) -> Callable[..., Any]:
            def all_of_them(carry: Any, level: Any) -> Any:
                rows = [jax.tree.map(lambda x, i=i: x[i], carry) for i in range(N_SAMPLES)]
                results = [step(row, level) for row in rows]
                return jax.tree.map(lambda *xs: jnp.stack(xs), *results)

            return all_of_them

        def centred(rng_key: Any, positions: Any, mask: Any) -> Any:
            centre = positions[mask > 0].mean(0)
            return (positions - centre) * mask[..., None]

        loops = SimpleNamespace(scan=loop, vmap=for_each, running_init=lambda: False)
        loops.next_rng_key = None
        config = head.SampleConfig(steps=len(others), num_samples=N_SAMPLES)
        with (
            mock.patch.object(head, "hk", loops),
            mock.patch.object(head, "random_augmentation", centred),
            mock.patch.object(jax.random, "normal", lambda *_: next(noise)),
        ):
            result = head.sample(denoise, self.batch, jax.random.PRNGKey(0), config)
        return self.batch.dense.gathered(result["atom_positions"])

    def conditioning(self, level: float) -> Callable[[], Any]:
        """The conditioning's function at a noise level, its names as inside the head."""
        fields = SimpleNamespace(config=self.config.diffusion, global_config=self.config.shared)
        method = network("diffusion_head").DiffusionHead._conditioning
        plain = getattr(method, "__wrapped__", method)
        return lambda: plain(fields, self.batch, self.embeddings(), np.float32(level), True)

    def heads(self) -> dict[str, Any]:
        """Distogram, contacts, and every confidence head for one structure."""
        logits = self.confidence()
        distogram = self.run(
            "diffuser/",
            lambda: network("distogram_head").DistogramHead(
                self.config.distogram, self.config.shared
            )(self.batch, self.embeddings(), return_distogram=True),
        )
        half = logits["left_half_distance_logits"]
        per_atom = self.batch.dense.gathered
        return {
            "distogram": distogram["distogram"],
            "contact probabilities": distogram["contact_probs"],
            "pae": logits["pae_logits"],
            "pde": half + half.swapaxes(0, 1),
            "plddt": per_atom(logits["plddt_logits"]),
            "resolved": per_atom(logits["experimentally_resolved_logits"]),
        }

    def confidence(self) -> dict[str, Any]:
        """Logits by the names of the maps that make them: the head gives out only what follows."""
        import alphafold3.model.components.haiku_modules as hm

        n = self.batch.dense.place.size
        x = self.dense(random_structure(self.features, SEED)[0, :n])
        place = self.batch.dense.place[self.features.representative_atom.numpy()]
        beta = gather(place, np.ones(len(place), bool), (self.features.n_tokens, 24))
        linear = hm.Linear.__call__
        names = ("pae_logits", "left_half_distance_logits", "plddt_logits")
        names += ("experimentally_resolved_logits",)

        def module() -> Any:
            caught: dict[str, Any] = {}

            def catching(layer: Any, inputs: Any) -> Any:
                result = linear(layer, inputs)
                if layer.name in names:
                    caught[layer.name] = result
                return result

            head = network("confidence_head").ConfidenceHead
            with mock.patch.object(hm.Linear, "__call__", catching):
                head(self.config.confidence, self.config.shared)(
                    dense_atom_positions=x,
                    embeddings=self.embeddings(),
                    seq_mask=np.ones(self.features.n_tokens, np.int32),
                    token_atoms_to_pseudo_beta=beta,
                    asym_id=array(self.features.asym_id),
                )
            return caught

        found = self.run("diffuser/", module)
        assert set(found) == set(names)
        return found

    def embeddings(self) -> dict[str, Any]:
        """Our trunk by AlphaFold 3's names."""
        z, s = array(self.trunk.z), array(self.trunk.s)
        return {"pair": z, "single": s, "target_feat": self.target()}

    def target(self) -> Any:
        """Our input embedding in its order: the atoms' part last."""
        atoms = self.ours.config.c_input
        s = self.trunk.s_inputs
        return array(torch.cat([s[:, atoms:], s[:, :atoms]], -1))

    def classes(self, restype: Tensor) -> Tensor:
        return classes(restype, self.ours.config)


@contextlib.contextmanager
def no_direction_to_oneself() -> Iterator[None]:
    """AlphaFold 3 leaves vectors below 0.1 Å short: that of a template's residue to itself, made
    of rounding errors, would be as long as any other."""
    from alphafold3.jax import geometry

    normalised = geometry.Vec3Array.normalized

    def carefully(vector: Any, epsilon: float = 1e-6) -> Any:
        return normalised(vector, max(epsilon, 0.1))

    with mock.patch.object(geometry.Vec3Array, "normalized", carefully):
        yield


def written_by_peer(ours: AlphaFold3, path: Path) -> None:
    """Our weights as a file that AlphaFold 3's own code writes, types as it keeps them."""
    import ml_dtypes
    import zstandard
    from alphafold3.model import params

    out = io.BytesIO()
    for name, tensor in from_own(ours.state_dict(), ours.config).items():
        if name.startswith("fourier"):
            continue
        numbers = tensor.numpy()
        low = ("diffuser/evoformer/" in name or "confidence_pairformer" in name) and (
            name.endswith(("weights", "bias", "output_w", "output_b"))
        )
        numbers = numbers.astype(ml_dtypes.bfloat16) if low and name != IDENTIFIER else numbers
        out.write(params.encode_record(*name.split(":"), numbers))
    path.write_bytes(zstandard.ZstdCompressor(level=19).compress(out.getvalue()))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--golden", action="store_true", help="write the reference arrays")
    arguments = parser.parse_args()
    # The peer's libraries read the command line as theirs.
    sys.argv = sys.argv[:1]
    use_checkout(arguments.checkout)
    import jax
    from absl import logging

    # Kernels that this machine has not are tried first, each with a report.
    logging.set_verbosity(logging.FATAL)
    GOLDEN.mkdir(parents=True, exist_ok=True)
    path = GOLDEN / "reduced.bin.zst"
    config = REDUCED_ALPHAFOLD3
    features = templates_by_atom(random_features(SEED, **JOB), SEED)
    if arguments.golden:
        written_by_peer(random_network(config, SEED, tied=True), path)
    arrays = read_records(path)
    ours = network_of(config, to_own(arrays, config))
    parameters = {name: array(x.float()) for name, x in arrays.items()}
    theirs = PeerParts(parameters, ours, features).all()
    agreed = report(our_parts(ours, features, SEED), theirs)
    if arguments.golden and agreed:
        command = "python -m benchmarks.parity_alphafold3 CHECKOUT --golden"
        source = SOURCE.format(jax.__version__)
        write_golden(
            GOLDEN, theirs, source=source, command=command, seed=SEED, job=JOB, config=config
        )
    sys.exit(0 if agreed else 1)


if __name__ == "__main__":
    main()
