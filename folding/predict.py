"""From what to fold to predictions: the whole story on one screen."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn
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
from folding.device import Place, place_of
from folding.diversity import Diversity
from folding.errors import Paused
from folding.inputs import FoldInput, FoldOptions
from folding.model import team
from folding.model.alphafold3 import AlphaFold3
from folding.model.diffusion import DiffusionContext, Trunk
from folding.model.pairformer import OnBlock
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
from folding.weights.mapped import Mapped

NOTHING = NoCheckpoint()


def fold(
    fold_input: FoldInput,
    *,
    model: AlphaFold3,
    options: FoldOptions,
    report: Report,
    checkpoint: Checkpoint = NOTHING,
    place: Place | None = None,
) -> tuple[Prediction, ...]:
    """All samples of all seeds, the highest ranking score first.

    The same input, options, weights and seed give the same coordinates on the same machine,
    whatever other seeds or samples are drawn with them. On a processor as many threads as PyTorch
    has share the work.

    Args:
        report: hears of every stage, block, recycle, step and sample; what it raises ends the
            fold.
        checkpoint: keeps what is done, and gives what was done before: a fold that was
            interrupted goes on there, to the same coordinates.
        place: how to use the device where the model is; as suits it best by default.

    Raises:
        InvalidInput: an alignment does not belong to its chain.
        Cancelled, Paused: ``report`` said so.
    """
    is_here = next(model.parameters()).device.type == "cpu"
    with torch.inference_mode(), team.leading(torch.get_num_threads() if is_here else 1):
        predictions = list(_predictions(fold_input, model, options, report, checkpoint, place))
    return tuple(sorted(predictions, key=lambda p: p.ranking_score, reverse=True))


def _predictions(
    fold_input: FoldInput,
    model: AlphaFold3,
    options: FoldOptions,
    report: Report,
    checkpoint: Checkpoint,
    place: Place | None,
) -> Iterator[Prediction]:
    """Predictions in the order in which they are drawn."""
    report(StageStarted("msa"))
    tokens = tokenize(fold_input, model.config.reference)
    report(TokensKnown(build_outline(tokens)))
    for note in tokens.notes:
        report(Note("warning", note))
    msa = msa_features(
        fold_input,
        tokens,
        max_rows=model.config.n_msa_rows,
        style=model.config.reference,
    )
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
        job.checkpoint, job.place = checkpoint, place or job.place
        yield from job.run(report)


@dataclass
class Draw:
    """A sample under way.

    Args:
        x: Coordinates that the next step starts from, [1, atom, 3].
        frames: Centre atoms after each step so far.
    """

    index: int
    generator: torch.Generator
    n_steps: int = 0
    x: Tensor | None = None
    frames: list[np.ndarray] = field(default_factory=list)

    @property
    def coordinates(self) -> Tensor:
        """The atoms [atom, 3] where they are now."""
        assert self.x is not None
        return self.x[0]


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
        self.place = place_of(model)
        self.mapped = Mapped(model)

    def run(self, report: Report) -> Iterator[Prediction]:
        """The samples of this seed, each reported as soon as its confidence is known."""
        report(StageStarted("trunk"))
        trunk = self.trunk(report)
        self.mapped.part_done(self.model)
        context = self.model.diffusion.context(
            self.features, trunk, self.mapped.let_go, self.place.step_type
        )
        self.mapped.part_done(self.model)
        distogram = self.model.distogram(trunk.z).softmax(-1).half().cpu().numpy()
        for indices in self.batches():
            report(StageStarted("diffusion"))
            drawn = self.draw(indices, context, report)
            self.mapped.part_done(self.model.diffusion)
            report(StageStarted("confidence"))
            for index, (coordinates, trajectory) in zip(indices, drawn, strict=True):
                structure, confidence = self.judge(coordinates, trunk)
                prediction = Prediction(
                    self.seed, index, structure, confidence, trajectory, distogram, self.composition
                )
                self.mapped.part_done(self.model.confidence)
                report(SampleDone(prediction))
                yield prediction

    def batches(self) -> list[range]:
        """The samples, as many at once as this place draws together."""
        n_samples, at_once = self.options.n_samples, self.place.samples_at_once
        return [range(i, min(i + at_once, n_samples)) for i in range(0, n_samples, at_once)]

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
            with self.place.trunk():
                trunk = self.pass_on(initial, trunk, cycle, diversity, self.blocks(cycle, report))
            state = TrunkState(cycle, trunk)
            keep_trunk(self.checkpoint, self.seed, state, now=cycle == n_cycles)
            self.reported(
                RecycleDone(self.seed, cycle, n_cycles, self.contacts(trunk)),
                report,
                partial(keep_trunk, self.checkpoint, self.seed, state, now=True),
            )
        return trunk

    def pass_on(
        self,
        initial: Trunk,
        trunk: Trunk,
        cycle: int,
        diversity: Diversity | None,
        on_block: OnBlock,
    ) -> Trunk:
        """The trunk after one more pass, changed at random where diversity is asked for."""
        if diversity is None:
            return self.model.cycle(self.features, initial, trunk, on_block)
        rows, recycled = diversity.rows(self.features, cycle), diversity.recycled
        return self.model.cycle(rows, initial, trunk, on_block, partial(recycled, cycle=cycle))

    def blocks(self, cycle: int, report: Report) -> OnBlock:
        """What the model calls after each block of a cycle."""
        numbers = itertools.count(1)
        n_cycles, n_blocks = self.options.n_recycles + 1, self.model.n_trunk_blocks

        def done(block: nn.Module) -> None:
            self.mapped.let_go(block)
            report(BlockDone(self.seed, cycle, n_cycles, next(numbers), n_blocks))

        return done

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
        self, indices: Sequence[int], context: DiffusionContext, report: Report
    ) -> list[tuple[Tensor, Float32[np.ndarray, "step token 3"]]]:
        """Coordinates [atom, 3] of some samples, and the path that the tokens of each took.

        They are drawn together as far as they have come equally far.
        """
        draws = [self.begin(index) for index in indices]
        for n_done in sorted({draw.n_steps for draw in draws}):
            together = [draw for draw in draws if draw.n_steps == n_done]
            if n_done < self.options.n_steps:
                self.advance(together, context, report)
        return [(draw.coordinates, np.stack(draw.frames)) for draw in draws]

    def begin(self, index: int) -> "Draw":
        """A sample as far as it came before, with a random generator of its own."""
        device = self.features.ref_pos.device
        state = np.random.SeedSequence([self.seed, index]).generate_state(1, np.uint64)
        generator = torch.Generator(device).manual_seed(int(state[0] >> np.uint64(1)))
        kept = find_sample(self.checkpoint, self.seed, index)
        if kept is None:
            return Draw(index, generator)
        generator.set_state(kept.generator)
        frames = list(kept.trajectory.numpy())
        return Draw(index, generator, kept.n_steps, kept.x.to(device), frames)

    def advance(self, draws: Sequence["Draw"], context: DiffusionContext, report: Report) -> None:
        """Takes samples that have come equally far to their end, a step of all at a time."""
        for step in self.steps(draws, context):
            for place, draw in enumerate(draws):
                draw.n_steps, draw.x = step.index, step.x[place : place + 1]
                draw.frames.append(self.frame(step.denoised[place], draw.frames))
                self.keep(draw, now=step.index == self.options.n_steps)
            for draw in draws:
                event = StepDone(
                    seed=self.seed,
                    sample=draw.index,
                    n_samples=self.options.n_samples,
                    step=step.index,
                    n_steps=self.options.n_steps,
                    noise_level=step.noise_level,
                    coordinates=draw.frames[-1],
                )
                self.reported(event, report, partial(self.keep_all, draws))

    def keep_all(self, draws: Sequence["Draw"]) -> None:
        """Keeps the samples as far as they have come."""
        for draw in draws:
            self.keep(draw, now=True)

    def keep(self, draw: "Draw", *, now: bool) -> None:
        """Keeps a sample as far as it has come: at once, or if the last time is a while ago."""
        assert draw.x is not None
        path = torch.from_numpy(np.stack(draw.frames))
        state = SampleState(draw.n_steps, draw.x, draw.generator.get_state(), path)
        keep_sample(self.checkpoint, self.seed, draw.index, state, now=now)

    def steps(self, draws: Sequence["Draw"], context: DiffusionContext) -> Iterator[Step]:
        """The reverse diffusion of samples that have come equally far."""
        padding = (0, 0, 0, len(self.features.ref_pos) - self.n_atoms)

        def denoise(x: Tensor, t_hat: Tensor) -> Tensor:
            x = self.model.diffusion(functional.pad(x, padding), t_hat, context)
            return x[:, : self.n_atoms]

        done = [draw.x for draw in draws if draw.x is not None]
        return sample(
            self.place.prepared(denoise),
            self.model.config.sampler,
            n_steps=self.options.n_steps,
            shape=(len(draws), self.n_atoms, 3),
            generator=[draw.generator for draw in draws],
            start=(draws[0].n_steps, torch.cat(done)) if done else None,
        )

    def frame(self, denoised: Tensor, before: list[np.ndarray]) -> Float32[np.ndarray, "token 3"]:
        """Centred positions of the centre atoms, laid on the frame before.

        Every step turns the noise at random (algorithm 19); without this the picture would tumble.
        """
        points = _numpy(denoised[self.tokens.centre_atom])
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
