"""From what to fold to predictions: the whole story on one screen."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional

from folding.checkpoint import (
    Checkpoint,
    NoCheckpoint,
    SampleState,
    TrunkState,
    find_sample,
    find_trunk,
    keep_sample,
    keep_trunk,
)
from folding.confidence import Confidence, HeadLogits, assess
from folding.data.building import build_composition, build_outline, build_structure
from folding.data.features import Features, featurize
from folding.data.msa import msa_features
from folding.data.templates import template_features
from folding.data.tokens import Tokens, tokenize
from folding.diversity import Diversity
from folding.errors import Paused
from folding.inputs import FoldInput, FoldOptions
from folding.model.alphafold3 import AlphaFold3
from folding.model.diffusion import DiffusionContext, Trunk
from folding.prediction import Prediction
from folding.progress import (
    BlockDone,
    Event,
    Note,
    RecycleDone,
    Report,
    SampleDone,
    StageStarted,
    StepDone,
    TokensKnown,
)
from folding.sampler import Step, sample
from folding.structure.geometry import superposition
from folding.structure.structure import Structure

NOTHING = NoCheckpoint()


def fold(
    fold_input: FoldInput,
    *,
    model: AlphaFold3,
    options: FoldOptions,
    report: Report,
    checkpoint: Checkpoint = NOTHING,
) -> tuple[Prediction, ...]:
    """All samples of all seeds, the highest ranking score first.

    The same input, options, weights and seed give the same coordinates on the same machine,
    whatever other seeds or samples are drawn with them.

    Args:
        report: hears of every stage, block, recycle, step and sample; what it raises ends the
            fold.
        checkpoint: keeps what is done, and gives what was done before: a fold that was
            interrupted goes on there, to the same coordinates.

    Raises:
        InvalidInput: an alignment does not belong to its chain.
        Cancelled, Paused: ``report`` said so.
    """
    with torch.inference_mode():
        predictions = list(_predictions(fold_input, model, options, report, checkpoint))
    return tuple(sorted(predictions, key=lambda p: p.ranking_score, reverse=True))


def _predictions(
    fold_input: FoldInput,
    model: AlphaFold3,
    options: FoldOptions,
    report: Report,
    checkpoint: Checkpoint,
) -> Iterator[Prediction]:
    """Predictions in the order in which they are drawn."""
    report(StageStarted("msa"))
    tokens = tokenize(fold_input, model.config.reference)
    report(TokensKnown(build_outline(tokens)))
    for note in tokens.notes:
        report(Note("warning", note))
    msa = msa_features(fold_input, tokens, max_rows=model.config.n_msa_rows)
    templates = None
    if model.reads_templates:
        shown = model.config.variant.empty_templates
        templates = template_features(fold_input, tokens, empty=shown)
    for seed in fold_input.seeds:
        report(StageStarted("features"))
        features = featurize(tokens, msa, np.random.default_rng(seed))
        features = replace(features, templates=templates)
        device = next(model.parameters()).device
        job = Fold(model, options, tokens, features.to(device), seed=seed)
        job.checkpoint = checkpoint
        yield from job.run(report)


class Fold:
    """One seed of a job: a trunk, and the samples that are drawn from it."""

    def __init__(
        self,
        model: AlphaFold3,
        options: FoldOptions,
        tokens: Tokens,
        features: Features,
        *,
        seed: int,
    ) -> None:
        self.model, self.options = model, options
        self.tokens, self.features, self.seed = tokens, features, seed
        self.n_atoms = tokens.n_atoms
        self.composition = build_composition(tokens)
        self.checkpoint: Checkpoint = NOTHING

    def run(self, report: Report) -> Iterator[Prediction]:
        """The samples of this seed, each reported as soon as its confidence is known."""
        report(StageStarted("trunk"))
        trunk = self.trunk(report)
        context = self.model.diffusion.context(self.features, trunk)
        distogram = self.model.distogram(trunk.z).softmax(-1).half().cpu().numpy()
        for index in range(self.options.n_samples):
            report(StageStarted("diffusion"))
            coordinates, trajectory = self.draw(index, context, report)
            report(StageStarted("confidence"))
            structure, confidence = self.judge(coordinates, trunk)
            prediction = Prediction(
                self.seed, index, structure, confidence, trajectory, distogram, self.composition
            )
            report(SampleDone(prediction))
            yield prediction

    def trunk(self, report: Report) -> Trunk:
        """The trunk after all cycles, with the contacts that each one sees."""
        n_cycles = self.options.n_recycles + 1
        kept = find_trunk(self.checkpoint, self.seed)
        n_done = kept.n_cycles if kept else 0
        diversity = Diversity(self.seed) if self.options.diversity else None
        if diversity:
            report(Note("info", diversity.words))
        initial, trunk = self.model.start(self.features)
        trunk = trunk if kept is None else Trunk(*(x.to(trunk.z.device) for x in kept.trunk))
        if n_done:
            report(Note("info", f"Going on after cycle {n_done} of {n_cycles}."))
            contacts = self.contacts(trunk)
            report(RecycleDone(self.seed, n_done, n_cycles, contacts, before=True))
        for cycle in range(n_done + 1, n_cycles + 1):
            heard = self.blocks(cycle, report)
            if diversity is None:
                trunk = self.model.cycle(self.features, initial, trunk, heard)
            else:
                rows, recycled = diversity.rows(self.features, cycle), diversity.recycled
                trunk = self.model.cycle(
                    rows, initial, trunk, heard, partial(recycled, cycle=cycle)
                )
            state = TrunkState(cycle, trunk)
            keep_trunk(self.checkpoint, self.seed, state, now=cycle == n_cycles)
            self.reported(
                RecycleDone(self.seed, cycle, n_cycles, self.contacts(trunk)),
                report,
                partial(keep_trunk, self.checkpoint, self.seed, state, now=True),
            )
        return trunk

    def blocks(self, cycle: int, report: Report) -> Callable[[], None]:
        """What the model calls after each block of a cycle."""
        numbers = itertools.count(1)
        n_cycles, n_blocks = self.options.n_recycles + 1, self.model.n_trunk_blocks
        return lambda: report(BlockDone(self.seed, cycle, n_cycles, next(numbers), n_blocks))

    def reported(self, event: Event, report: Report, keep: Callable[[], None]) -> None:
        """Reports, and keeps what is done if that pauses the fold."""
        try:
            report(event)
        except Paused:
            keep()
            raise

    def contacts(self, trunk: Trunk) -> Float32[np.ndarray, "token token"]:
        """Contact probabilities from the distogram."""
        return _numpy(self.model.contact_probabilities(trunk))

    def draw(
        self, index: int, context: DiffusionContext, report: Report
    ) -> tuple[Tensor, Float32[np.ndarray, "step token 3"]]:
        """Coordinates [atom, 3] of one sample, and the path that its tokens took."""
        kept = find_sample(self.checkpoint, self.seed, index)
        frames = list(kept.trajectory.numpy()) if kept else []
        x = kept.x.to(self.features.ref_pos.device) if kept else None
        for step, generator in self.steps(index, context, kept):
            x = step.x
            frames.append(self.frame(step, frames))
            is_last = step.index == self.options.n_steps

            def keep(
                *, now: bool, step: Step = step, generator: torch.Generator = generator
            ) -> None:
                path = torch.from_numpy(np.stack(frames))
                state = SampleState(step.index, step.x, generator.get_state(), path)
                keep_sample(self.checkpoint, self.seed, index, state, now=now)

            keep(now=is_last)
            self.reported(
                StepDone(
                    seed=self.seed,
                    sample=index,
                    n_samples=self.options.n_samples,
                    step=step.index,
                    n_steps=self.options.n_steps,
                    noise_level=step.noise_level,
                    coordinates=frames[-1],
                ),
                report,
                lambda: keep(now=True),
            )
        assert x is not None
        return x[0], np.stack(frames)

    def steps(
        self, index: int, context: DiffusionContext, kept: SampleState | None
    ) -> Iterator[tuple[Step, torch.Generator]]:
        """The reverse diffusion of one sample, with a generator of its own."""
        device = self.features.ref_pos.device
        state = np.random.SeedSequence([self.seed, index]).generate_state(1, np.uint64)
        generator = torch.Generator(device).manual_seed(int(state[0] >> np.uint64(1)))
        start = None
        if kept is not None:
            generator.set_state(kept.generator)
            start = kept.n_steps, kept.x.to(device)
        padding = (0, 0, 0, len(self.features.ref_pos) - self.n_atoms)

        def denoise(x: Tensor, t_hat: Tensor) -> Tensor:
            x = self.model.diffusion(functional.pad(x, padding), t_hat, context)
            return x[:, : self.n_atoms]

        steps = sample(
            denoise,
            self.model.config.sampler,
            n_steps=self.options.n_steps,
            shape=(1, self.n_atoms, 3),
            generator=generator,
            start=start,
        )
        return ((step, generator) for step in steps)

    def frame(self, step: Step, before: list[np.ndarray]) -> Float32[np.ndarray, "token 3"]:
        """Centred positions of the centre atoms, laid on the frame before.

        Every step turns the noise at random (algorithm 19); without this the picture would tumble.
        """
        points = _numpy(step.denoised[0, self.tokens.centre_atom])
        points = points - points.mean(0)
        if not before:
            return points
        return superposition(points, before[-1]).apply(points).astype(np.float32)

    def judge(self, coordinates: Tensor, trunk: Trunk) -> tuple[Structure, Confidence]:
        """The structure at ``coordinates`` [atom, 3] and what the heads say of it."""
        logits = self.model.confidence(coordinates, self.features, trunk)
        atoms = slice(self.n_atoms)
        structure = build_structure(self.tokens, _numpy(coordinates[atoms]))
        confidence = assess(
            HeadLogits(
                plddt=_numpy(logits.plddt[atoms]),
                pae=_numpy(logits.pae),
                pde=_numpy(logits.pde),
                resolved=_numpy(logits.resolved[atoms]),
            ),
            structure,
            contact_probs=self.contacts(trunk),
            frame_mask=self.tokens.has_frame,
        )
        return structure, confidence


def _numpy(x: Tensor) -> Float32[np.ndarray, "..."]:
    """A float32 array of its own."""
    return x.float().cpu().numpy().copy()
