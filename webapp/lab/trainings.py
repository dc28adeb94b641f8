"""A training from the Lab: data, network, trainer, registry. The hallway as well: no Django here.

What people chose comes in as `webapp.lab.training.read_config` gives it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, cast

import torch

from quantum import ansatz, encoding
from quantum.applications.classification import N_CLASSES, draw
from quantum.applications.comparison import share_interval
from quantum.backends.executions import Execution
from quantum.backends.names import DEVICES, QUANTUM
from quantum.encoding import DataEncoder
from quantum.errors import InvalidValues
from quantum.gradients import Evaluate
from quantum.store.metrics import Metrics
from quantum.store.registry import ModelRegistry, ModelVersion
from quantum.training.layer import QuantumLayer
from quantum.training.managed import through
from quantum.training.trainer import QuantumTrainer, TrainingOptions, TrainingResult, accuracy
from webapp.lab.engine import OnceManager, Report, Site, answers, plain, write_mirror

if TYPE_CHECKING:
    from quantum.backends.choose import BackendManager

CHECKPOINT_STEPS = 20


def run_training(
    site: Site, config: Mapping[str, Any], *, run: str, report: Report
) -> dict[str, Any]:
    """Trains to the end, or goes on from the checkpoint of `run`; the model goes to the registry.

    Args:
        config: as `webapp.lab.training.read_config` gives it.

    Raises:
        QuantumError: it cannot be done; `Cancelled` where `report` said so.
    """
    begin = time.monotonic()
    registry = ModelRegistry(site.folder.registry)
    known = _version_of(registry, config["model"], run)
    model = build_model(config, _evaluate(site, config, run, report))
    if config["start_from"]:
        _take_over(model, registry, config["start_from"])
    seed = 2 * config["seed"]
    train, test = (draw(config["data"], config["samples"], seed=seed + i) for i in (0, 1))
    trainer = QuantumTrainer(
        model,
        torch.nn.functional.cross_entropy,
        train,
        test,
        options=_options(config),
        metrics={"accuracy": accuracy},
        folder=site.folder.checkpoints(run),
    )
    found = trainer.run(_recorded(Metrics(site.folder.metrics), run, report))
    ran = answers(site, run)
    numbers = _numbers(config, model, found) | _place_numbers(config, ran)
    place = {"answered_by": numbers["answered_by"], "fallback": _place_words(config, ran)}
    version = known or _register(registry, config, model, numbers, {"run": run, **place})
    write_mirror(site)
    answer: dict[str, Any] = plain(
        {
            "summary": _words(config, found, numbers, version, place["fallback"]),
            "winner": "",
            "numbers": numbers,
            "series": _history(found),
            "seconds": time.monotonic() - begin,
            "model": version.label,
            "resumed_from": found.resumed_from,
        }
    )
    return answer


def build_model(config: Mapping[str, Any], evaluate: Evaluate | None = None) -> torch.nn.Sequential:
    """Linear, circuit, linear, with first weights that follow from the seed."""
    n, seed = config["qubits"], config["seed"]
    encoder = _encoder(config["encoding"], n)
    build = getattr(ansatz, config["ansatz"])
    layer = QuantumLayer(
        encoder,
        build(n, config["depth"]),
        uploads=config["uploads"],
        evaluate=evaluate,
        gradient=config["gradient"],
        seed=seed,
    )
    n_features = draw(config["data"], 1, seed=0).features.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        before = torch.nn.Linear(n_features, encoder.n_features)
        after = torch.nn.Linear(n, N_CLASSES[config["data"]])
    return torch.nn.Sequential(before, layer, after)


def _encoder(name: str, n_qubits: int) -> DataEncoder:
    if name == "amplitude":
        return encoding.amplitude_encoding(2**n_qubits)
    return encoding.iqp_encoding(n_qubits) if name == "iqp" else encoding.angle_encoding(n_qubits)


def _options(config: Mapping[str, Any]) -> TrainingOptions:
    names = ("epochs", "batch_size", "optimizer", "learning_rate", "seed")
    every = 1 if config["backend"] in (*DEVICES, QUANTUM) else CHECKPOINT_STEPS
    chosen = {name: config[name] for name in names}
    return TrainingOptions(**chosen, patience=config["patience"] or None, checkpoint_every=every)


def _evaluate(site: Site, config: Mapping[str, Any], run: str, report: Report) -> Evaluate | None:
    """Expectation values on the chosen backend; None for the simulator with its own gradients.

    Every submission goes through the manager: within the budget, with fallbacks, written down.
    """
    wanted = config["backend"]
    if wanted == "simulator":
        return None
    # As a `BackendManager`, of which nothing but `run` is asked.
    manager = cast("BackendManager", OnceManager(site, run))
    return through(manager, wanted, shots=config["shots"], seed=config["seed"], report=report)


def _recorded(metrics: Metrics, run: str, report: Report) -> Report:
    """`report`, with every number appended to the file of metrics before."""

    def tell(event: dict[str, Any]) -> None:
        if event["kind"] == "metric":
            numbers = {k: v for k, v in event.items() if k not in ("kind", "step", "epoch")}
            metrics.append(run, numbers, step=event["step"], epoch=event["epoch"])
        report(event)

    return tell


def _take_over(model: torch.nn.Module, registry: ModelRegistry, label: str) -> None:
    """Loads the weights of a registered version."""
    name, _, version = label.rpartition(":")
    state = registry.load(name, int(version))["state"]
    try:
        model.load_state_dict(state)
    except RuntimeError:
        raise InvalidValues(
            f"{label} is a network of another shape: choose its data set, qubits, depth, encoding "
            "and ansatz, or begin anew."
        ) from None


def _version_of(registry: ModelRegistry, name: str, run: str) -> ModelVersion | None:
    """The version that this run has registered before it was lost."""
    found = [v for v in registry.versions(name) if v.details.get("run") == run]
    return found[-1] if found else None


def _register(
    registry: ModelRegistry,
    config: Mapping[str, Any],
    model: torch.nn.Module,
    numbers: Mapping[str, Any],
    details: Mapping[str, Any],
) -> ModelVersion:
    rated = {k: v for k, v in numbers.items() if isinstance(v, float) and isfinite(v)}
    return registry.register(
        config["model"],
        {"config": dict(config), "state": dict(model.state_dict())},
        metrics=rated,
        parents=[config["start_from"]] if config["start_from"] else [],
        details={**details, "config": dict(config)},
    )


def _numbers(
    config: Mapping[str, Any], model: torch.nn.Module, found: TrainingResult
) -> dict[str, Any]:
    best, count = found.history[found.best_epoch], config["samples"]  # as many as to train on
    low, high = share_interval(round(best["accuracy"] * count), count)
    return {
        "validation_accuracy": best["accuracy"],
        "accuracy_low": low,
        "accuracy_high": high,
        "validation_loss": found.best_loss,
        "training_loss": best["loss"],
        "chance": 1 / N_CLASSES[config["data"]],
        "best_epoch": found.best_epoch + 1,
        "epochs": len(found.history),
        "steps": found.steps,
        "parameters": sum(p.numel() for p in model.parameters()),
        "training_seconds": found.seconds,
    }


def _elsewhere(config: Mapping[str, Any], ran: Sequence[Execution]) -> list[Execution]:
    """Those that ran where nobody had asked for."""
    asked = DEVICES if config["backend"] == QUANTUM else (config["backend"],)
    return [one for one in ran if one.backend not in asked]


def _place_numbers(config: Mapping[str, Any], ran: Sequence[Execution]) -> dict[str, Any]:
    if not ran:  # the simulator with its own gradients writes nothing down
        return {"answered_by": config["backend"]}
    return {
        "answered_by": _backends(ran),
        "batches": len(ran),
        "batches_elsewhere": len(_elsewhere(config, ran)),
    }


def _place_words(config: Mapping[str, Any], ran: Sequence[Execution]) -> str:
    """A sentence that says who did what another one should have done, and why; or nothing."""
    if not (elsewhere := _elsewhere(config, ran)):
        return ""
    share = "All" if len(elsewhere) == len(ran) else f"{len(elsewhere)} of"
    wanted = " or ".join(DEVICES) if config["backend"] == QUANTUM else config["backend"]
    reasons = Counter(one.reasons or one.fallback_reason for one in elsewhere).most_common()
    often = "" if len(reasons) == 1 else "most often "
    return (
        f"{share} {len(ran)} batches of circuits ran on {_backends(elsewhere)} instead of {wanted} "
        f"({often}{reasons[0][0]})."
    )


def _backends(ran: Sequence[Execution]) -> str:
    """Their names, the one that did most first."""
    return ", ".join(name for name, _ in Counter(one.backend for one in ran).most_common())


def _history(found: TrainingResult) -> dict[str, list[Any]]:
    names = [name for name in ("loss", "validation_loss", "accuracy") if found.history]
    series = {name: [epoch.get(name) for epoch in found.history] for name in names}
    return {"epoch": list(range(1, len(found.history) + 1)), **series}


def _words(
    config: Mapping[str, Any],
    found: TrainingResult,
    n: Mapping[str, Any],
    version: ModelVersion,
    fallback: str,
) -> str:
    ended = (
        "stopped early, without a gain for long" if found.stopped == "early" else "ran to its end"
    )
    is_better = n["accuracy_low"] > n["chance"]
    verdict = "better than chance" if is_better else "not clearly better than chance"
    fallback = fallback and f" {fallback}"
    resumed = "" if found.resumed_from is None else f" It went on from step {found.resumed_from}."
    return (
        f"The training {ended} after {n['epochs']} epochs. In its best epoch, {n['best_epoch']}, "
        f"{n['validation_accuracy']:.1%} of samples not trained on were right (95 % interval "
        f"{n['accuracy_low']:.0%} to {n['accuracy_high']:.0%}): {verdict} ({n['chance']:.0%})."
        f"{fallback}{resumed} The model is registered as {version.label}."
    )
