"""The hybrid loop: samples → network with circuits → loss → gradient → step → checkpoint.

Nothing random outlives a step: the order of an epoch follows from seed and epoch, the numbers that
a step draws from seed and step. So a training that was cut off continues from its checkpoint bit
for bit, with one worker or several.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from math import cos, inf, isfinite, pi
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from quantum.errors import InvalidValues, TrainingDiverged
from quantum.store.checkpoints import CheckpointManager
from quantum.store.datasets import Samples, batches, shuffled
from quantum.training.identity import differences, identity
from quantum.training.layer import QuantumLayer
from quantum.training.optimizer import QuantumOptimizer, make_optimizer
from quantum.training.workers import Crew, seeded

Report: TypeAlias = Callable[[dict[str, Any]], None]
Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
Metric: TypeAlias = Callable[[Tensor, Tensor], Tensor | float]
SAMPLE_ROWS = 32  # samples that an optimizer of one circuit looks at before the first step


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Args:
        optimizer: a name that `quantum.training.optimizer.make_optimizer` knows.
        schedule: the learning rate stays, or falls to 0 along half a cosine.
        clip_norm: gradients longer than this are shortened to it.
        patience: epochs without a better validation loss (or training loss, without validation
            data) after which training stops.
        min_gain: what counts as better.
        checkpoint_every: steps between checkpoints beside the one at the end of each epoch.
        workers: processes that share each batch, on this machine.
    """

    epochs: int = 10
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 0.01
    schedule: Literal["constant", "cosine"] = "constant"
    clip_norm: float | None = None
    patience: int | None = None
    min_gain: float = 0.0
    checkpoint_every: int | None = None
    keep_last: int = 2
    workers: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "workers", "keep_last"):
            if getattr(self, name) < 1:
                raise InvalidValues(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("patience", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidValues(f"{name} is at least 1, or None for never, not {value}")
        if not 0 <= self.learning_rate < inf:
            raise InvalidValues(f"learning_rate is 0 or more, not {self.learning_rate}")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise InvalidValues(f"clip_norm is above 0, or None for no limit, not {self.clip_norm}")
        if self.schedule not in ("constant", "cosine"):
            raise InvalidValues(f"schedule is constant or cosine, not {self.schedule!r}")


@dataclass(frozen=True)
class Progress:
    """Where a training stands: all that a checkpoint needs beside the tensors.

    Args:
        position: batches of the epoch that are done.
        losses: sum of loss · samples, and samples, in this epoch so far.
        best: the lowest loss watched by `patience`.
        stale: epochs since then.
        history: per epoch, the mean loss and what validation found.
    """

    step: int = 0
    epoch: int = 0
    position: int = 0
    losses: tuple[float, int] = (0.0, 0)
    best: float = inf
    best_epoch: int = -1
    stale: int = 0
    history: tuple[dict[str, float], ...] = ()


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to.

    Args:
        stopped: why it ended: all epochs done, or no gain for too long.
        history: per epoch: loss, validation_loss and the metrics of the validation data.
        resumed_from: the step of the checkpoint that it continued; None where it began anew.
        seconds: of this run alone.
    """

    stopped: Literal["finished", "early"]
    steps: int
    history: tuple[dict[str, float], ...]
    best_loss: float
    best_epoch: int
    resumed_from: int | None
    seconds: float

    @property
    def losses(self) -> list[float]:
        return [epoch["loss"] for epoch in self.history]


def _silent(event: dict[str, Any]) -> None:
    """Nobody listens."""


@dataclass(eq=False)
class QuantumTrainer:
    """Trains any network; those with a `QuantumLayer` inside get their circuits' gradients.

    Args:
        model: moved in place; at the end it has the weights of the best epoch.
        loss: (outputs, targets) → the mean over the batch.
        metrics: by name, what else to compute on the validation data, over all of it at once.
        folder: for checkpoints; a training that finds some there continues them, if they are of
            the same network, loss, data and settings.
    """

    model: torch.nn.Module
    loss: Loss
    train: Samples
    validation: Samples | None = None
    options: TrainingOptions = field(default_factory=TrainingOptions)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    folder: Path | str | None = None

    def run(self, report: Report = _silent) -> TrainingResult:
        """Trains to the end, or continues where an earlier run stopped.

        Reports every step as {"kind": "metric", "step", "epoch", "loss", "gradient_norm",
        "learning_rate"}, every epoch with its validation, and {"kind": "progress", "done",
        "total"}. `report` stops the training by raising (`quantum.errors.Cancelled`); a checkpoint
        of the last whole step is saved first.

        Raises:
            InvalidValues: for settings that do not fit the model or the data, and where the folder
                holds another training.
            TrainingDiverged: where a loss is no number any more.
        """
        if not len(self.train):
            raise InvalidValues("there are no samples to train on")
        begun = time.monotonic()
        with Crew(self.model, self.loss, self.train, workers=self.options.workers) as crew:
            loop = _Loop(self, crew, report)
            resumed = loop.resume()
            stopped = loop.run()
        done = loop.progress
        return TrainingResult(
            stopped, done.step, done.history, done.best, done.best_epoch, resumed,
            time.monotonic() - begun,
        )  # fmt: skip


class _Loop:
    """One run of a trainer."""

    def __init__(self, trainer: QuantumTrainer, crew: Crew, report: Report) -> None:
        self.trainer, self.options = trainer, trainer.options
        self.model, self.crew, self.report = trainer.model, crew, report
        self.parameters: list[Tensor] = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = _optimizer(trainer, self.parameters)
        self.progress = Progress()
        self.best: dict[str, Tensor] | None = None
        self.n_batches = -(-len(trainer.train) // self.options.batch_size)
        self.manager, self.identity = None, dict[str, Any]()
        if trainer.folder is not None:
            self.identity = identity(self.model, trainer.loss, trainer.train, trainer.validation)
            keep = self.options.keep_last
            self.manager = CheckpointManager(trainer.folder, keep_last=keep, keep_best=0)

    # Checkpoints

    def save(self) -> None:
        if self.manager is None:
            return
        progress = asdict(self.progress)
        tree = {
            "options": self._settings(),
            "identity": self.identity,
            "progress": progress,
            "model": dict(self.model.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
        }
        losses = [epoch["loss"] for epoch in self.progress.history[-1:]]
        self.manager.save(self.progress.step, tree, {"loss": losses[0]} if losses else {})

    def _settings(self) -> dict[str, Any]:
        """The settings that a continued training must share; the rest may change."""
        free = {"epochs", "patience", "min_gain", "checkpoint_every", "keep_last", "workers"}
        return {name: v for name, v in asdict(self.options).items() if name not in free}

    def resume(self) -> int | None:
        """Continues the newest checkpoint that is whole; gives back its step."""
        if self.manager is None:
            return None
        steps, found = self.manager.steps(), self.manager.newest_readable()
        if found is None:
            if steps:
                words = f"no checkpoint in {self.manager.folder} can be read: it begins anew"
                self.report({"kind": "log", "text": words})
            return None
        checkpoint, tree = found
        changed = {k for k, v in self._settings().items() if tree["options"].get(k) != v}
        changed |= differences(tree.get("identity", {}), self.identity)
        if changed:
            raise InvalidValues(
                f"{checkpoint.folder.parent} holds another training (other "
                f"{', '.join(sorted(changed))}): continue with the same, or choose a new folder"
            )
        self.model.load_state_dict(tree["model"])
        self.optimizer.load_state_dict(tree["optimizer"])
        self.best = tree["best"]
        saved = tree["progress"]
        self.progress = Progress(**{**saved, "history": tuple(saved["history"])})
        damaged = "" if steps[-1] == checkpoint.step else f": that of step {steps[-1]} is damaged"
        self.report({"kind": "log", "text": f"continued from step {checkpoint.step}{damaged}"})
        return checkpoint.step

    # Steps

    def run(self) -> Literal["finished", "early"]:
        try:
            while self.progress.epoch < self.options.epochs:
                if self._is_stale():
                    break
                self._epoch()
        except TrainingDiverged:
            raise
        except BaseException:
            self.save()
            raise
        if self.best is not None:
            self.model.load_state_dict(self.best)
        return "early" if self._is_stale() else "finished"

    def _is_stale(self) -> bool:
        patience = self.options.patience
        return patience is not None and self.progress.stale >= patience

    def _epoch(self) -> None:
        epoch = self.progress.epoch
        order = shuffled(len(self.trainer.train), seed=self.options.seed, epoch=epoch)
        for position, rows in enumerate(batches(order, self.options.batch_size)):
            if position < self.progress.position:
                continue
            self._step(rows)
            every = self.options.checkpoint_every
            if every and self.progress.step % every == 0:
                self.save()
        self._finish_epoch()

    def _step(self, rows: Tensor) -> None:
        rate = self._learning_rate()
        for group in self.optimizer.param_groups:
            if "lr" in group:
                group["lr"] = rate
        losses: list[float] = []

        def closure() -> Tensor:
            wants_gradient = torch.is_grad_enabled()
            self.optimizer.zero_grad()
            seed = (self.options.seed, self.progress.step)
            loss = self.crew.loss(rows, seed=seed, with_gradient=wants_gradient)
            if wants_gradient and self.options.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(self.parameters, self.options.clip_norm)
            losses.append(float(loss))
            return loss

        self.model.train()
        before = self.progress
        with self._whole_or_not_at_all():
            self.optimizer.step(closure)  # type: ignore[arg-type]
            if not isfinite(losses[0]):
                raise TrainingDiverged(
                    f"the loss of step {before.step} is {losses[0]}: try a lower learning rate"
                )
            total, count = before.losses
            self.progress = replace(
                before,
                step=before.step + 1,
                position=before.position + 1,
                losses=(total + losses[0] * len(rows), count + len(rows)),
            )
        event = {"step": before.step, "epoch": before.epoch, "loss": losses[0]}
        norm = self._gradient_norm()
        if norm is not None:
            event["gradient_norm"] = norm
        self.report({"kind": "metric", **event, "learning_rate": rate})
        total_steps = self.options.epochs * self.n_batches
        self.report({"kind": "progress", "done": self.progress.step, "total": total_steps})

    @contextmanager
    def _whole_or_not_at_all(self) -> Iterator[None]:
        """Takes a step back that is broken off: SPSA, Rotosolve and L-BFGS ask for losses at places
        where the weights do not stay, and what is saved then must not be one of those."""
        model = {name: value.clone() for name, value in self.model.state_dict().items()}
        optimizer = deepcopy(self.optimizer.state_dict())
        try:
            yield
        except BaseException:
            self.model.load_state_dict(model)
            self.optimizer.load_state_dict(optimizer)
            raise

    def _learning_rate(self) -> float:
        rate = self.options.learning_rate
        if self.options.schedule == "constant":
            return rate
        share = self.progress.step / (self.options.epochs * self.n_batches)
        return rate * (1 + cos(pi * min(share, 1.0))) / 2

    def _gradient_norm(self) -> float | None:
        """Of the step just made; None where the optimizer needs no gradient."""
        found = [p.grad for p in self.parameters if p.grad is not None]
        return float(torch.nn.utils.get_total_norm(found)) if found else None

    def _finish_epoch(self) -> None:
        before = self.progress
        total, count = before.losses
        found = {"loss": total / count, **self._validate()}
        watched = found.get("validation_loss", found["loss"])
        if not isfinite(watched):
            raise TrainingDiverged(
                f"the validation loss of epoch {before.epoch} is {watched}: try a lower learning "
                "rate"
            )
        better = watched < before.best - self.options.min_gain
        if better:
            self.best = {name: v.detach().clone() for name, v in self.model.state_dict().items()}
        self.progress = replace(
            before,
            epoch=before.epoch + 1,
            position=0,
            losses=(0.0, 0),
            best=watched if better else before.best,
            best_epoch=before.epoch if better else before.best_epoch,
            stale=0 if better else before.stale + 1,
            history=(*before.history, found),
        )
        self.save()
        event = {"kind": "metric", "step": before.step - 1, "epoch": before.epoch}
        named = {"epoch_loss" if name == "loss" else name: v for name, v in found.items()}
        self.report({**event, **named})

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        """Loss and metrics over all validation data."""
        data = self.trainer.validation
        if data is None or not len(data):
            return {}
        self.model.eval()
        outputs, targets = [], []
        with seeded((self.options.seed, self.progress.step, 1)):
            for rows in batches(torch.arange(len(data)), max(self.options.batch_size, 256)):
                features, wanted = data.rows(rows)
                outputs.append(self.model(features))
                targets.append(wanted)
        pair = torch.cat(outputs), torch.cat(targets)
        found = {"validation_loss": float(self.trainer.loss(*pair))}
        return found | {name: float(f(*pair)) for name, f in self.trainer.metrics.items()}


def _optimizer(trainer: QuantumTrainer, parameters: list[Tensor]) -> QuantumOptimizer:
    """The optimizer on what is trained; those of one circuit get the circuit."""
    model, options = trainer.model, trainer.options
    if not parameters:
        raise InvalidValues("the model has nothing to train: all its parameters are frozen")
    circuit = inputs = None
    if options.optimizer in ("qng", "rotosolve"):
        layers = [m for m in model.modules() if isinstance(m, QuantumLayer)]
        if len(layers) != 1 or len(parameters) != 1 or parameters[0] is not layers[0].weights:
            raise InvalidValues(
                f"{options.optimizer} moves the weights of one quantum layer and nothing else: "
                "freeze the other parameters, or choose adam"
            )
        circuit = layers[0].circuit
        rows = shuffled(len(trainer.train), seed=options.seed, epoch=0)[:SAMPLE_ROWS]
        features, targets = trainer.train.rows(rows)
        if options.optimizer == "qng":
            inputs = _arriving(model, layers[0], features)
        elif not _is_linear(trainer, layers[0], features, targets):
            raise InvalidValues(
                "rotosolve needs a loss that is linear in the circuit's expectation values, as an "
                "energy or a mean is; this one is not: choose adam or spsa"
            )
    return make_optimizer(
        options.optimizer,
        parameters,
        learning_rate=options.learning_rate,
        circuit=circuit,
        inputs=inputs,
        seed=options.seed,
    )


class _Arrived(Exception):
    """The features have come as far as the layer: nothing behind it needs to run."""


@torch.no_grad()
def _arriving(
    model: torch.nn.Module, layer: QuantumLayer, features: Tensor
) -> Float[Tensor, "row n_inputs"]:
    """The angles that these features become in the circuit; what lies before it is frozen."""
    found: list[Tensor] = []

    def keep(layer: QuantumLayer, given: tuple[Tensor]) -> None:
        rows = given[0].reshape(-1, given[0].shape[-1])
        found.append(layer.encoder.angles(rows.to(layer.weights)))
        raise _Arrived

    hook = layer.register_forward_pre_hook(keep)
    try:
        with seeded((0,)), suppress(_Arrived):
            model.eval()(features)
    finally:
        hook.remove()
    return found[0]


@torch.no_grad()
def _is_linear(
    trainer: QuantumTrainer, layer: QuantumLayer, features: Tensor, targets: Tensor
) -> bool:
    """Whether halfway between two answers of the layer the loss is halfway as well.

    The answers are drawn, so no circuit runs.
    """

    def loss(share: float) -> float:
        def answer(features: Tensor) -> Tensor:
            shape = (2, *features.shape[:-1], layer.n_outputs)
            first, second = 2 * torch.rand(shape).to(layer.weights) - 1
            return first + share * (second - first)

        vars(layer)["forward"] = answer
        try:
            with seeded((0,)):
                return float(trainer.loss(trainer.model.eval()(features), targets))
        finally:
            del vars(layer)["forward"]

    begin, middle, end = map(loss, (0.0, 0.5, 1.0))
    rounding = 1e-5 * max(abs(begin), abs(end)) + 1e-4 * abs(end - begin)
    return abs(middle - (begin + end) / 2) <= rounding


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """The share of rows whose largest output is the target's class."""
    return float((outputs.argmax(-1) == targets).double().mean())
