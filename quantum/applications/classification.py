"""Linear, then a circuit or a classical layer of as many weights, then linear; and, outside the
contest, the larger network that one would rather take."""

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from quantum.ansatz import hardware_efficient
from quantum.applications.base import ApplicationResult, Report
from quantum.applications.comparison import compare_pairs
from quantum.applications.place import Place
from quantum.backends.base import Batch, Measured
from quantum.encoding import angle_encoding
from quantum.store.datasets import TensorSamples
from quantum.training.layer import QuantumLayer
from quantum.training.trainer import QuantumTrainer, TrainingOptions, accuracy

RATES = (0.03, 0.1, 0.3)
_TUNING = 1_000_003  # seeds of the draws that learning rates are chosen on: nothing else sees them
N_CLASSES = {"rings": 3, "parity": 2, "strokes": 4}


def draw(data: str, count: int, *, seed: int) -> TensorSamples:
    """Labelled samples, made here; classes come equally often on average."""
    generator = torch.Generator().manual_seed(seed)
    return {"rings": _rings, "parity": _parity, "strokes": _strokes}[data](count, generator)


def _rings(count: int, generator: torch.Generator) -> TensorSamples:
    """Points at three distances from the origin, in four dimensions."""
    classes = torch.randint(3, (count,), generator=generator)
    points = torch.nn.functional.normalize(torch.randn(count, 4, generator=generator))
    radius = 0.5 + 0.75 * classes + 0.15 * torch.randn(count, generator=generator)
    return TensorSamples(points * radius[:, None], classes)


def _parity(count: int, generator: torch.Generator) -> TensorSamples:
    """Two of four numbers decide by the sign of their product."""
    points = 2 * torch.rand(count, 4, generator=generator) - 1
    return TensorSamples(2 * points, (points[:, 0] * points[:, 1] > 0).long())


def _strokes(count: int, generator: torch.Generator) -> TensorSamples:
    """Pictures of a bar: upright, lying, rising or falling, anywhere, with noise."""
    classes = torch.randint(4, (count,), generator=generator)
    shift = torch.randint(-1, 2, (count, 2), generator=generator)
    step = torch.arange(-1, 2)
    pictures = torch.zeros(count, 6, 6)
    down = torch.tensor([1, 0, 1, -1])[classes]
    right = torch.tensor([0, 1, 1, 1])[classes]
    start = torch.randint(2, 4, (count, 2), generator=generator) + shift.clamp(-1, 1)
    rows = (start[:, :1] + step * down[:, None]).clamp(0, 5)
    columns = (start[:, 1:] + step * right[:, None]).clamp(0, 5)
    pictures[torch.arange(count)[:, None], rows, columns] = 1.0
    pictures += 0.2 * torch.randn(count, 6, 6, generator=generator)
    return TensorSamples(pictures.flatten(1), classes)


def hybrid(n_features: int, n_classes: int, chosen: dict[str, Any], seed: int) -> torch.nn.Module:
    """Linear, circuit, linear."""
    n = chosen["qubits"]
    circuit = QuantumLayer(angle_encoding(n), hardware_efficient(n, chosen["depth"]), seed=seed)
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(n_features, n), circuit, torch.nn.Linear(n, n_classes)
    )


def control(n_features: int, n_classes: int, chosen: dict[str, Any], seed: int) -> torch.nn.Module:
    """The same ends; in place of the circuit layers with tanh, of its width, that together have at
    least as many weights."""
    n = chosen["qubits"]
    n_layers = -(-2 * n * chosen["depth"] // (n * n + n))
    torch.manual_seed(seed)
    between = [part for _ in range(n_layers) for part in (torch.nn.Linear(n, n), torch.nn.Tanh())]
    return torch.nn.Sequential(
        torch.nn.Linear(n_features, n), torch.nn.Tanh(), *between, torch.nn.Linear(n, n_classes)
    )


def wide(n_features: int, n_classes: int, chosen: dict[str, Any], seed: int) -> torch.nn.Module:
    """What one would rather take: one hidden layer of 32, with several times the parameters."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(n_features, 32), torch.nn.Tanh(), torch.nn.Linear(32, n_classes)
    )


def classify(chosen: dict[str, Any], report: Report) -> ApplicationResult:
    """Runs the application "classifier"."""
    place = Place(chosen["backend"], shots=chosen["shots"], seed=chosen["seed"], report=report)
    rates = {name: _best_rate(name, chosen, report) for name in _BUILD}
    trials: dict[str, list[_Trial]] = {name: [] for name in _BUILD}
    for repeat in range(chosen["repeats"]):
        seed = chosen["seed"] + repeat
        for name, of in trials.items():
            of.append(_try(name, chosen, seed, rates[name], _told(report, name, repeat)))
        report({"kind": "progress", "done": repeat + 1, "total": chosen["repeats"]})
    quantum, classical = trials["quantum"], trials["classical"]
    gain = compare_pairs(
        [t.accuracy for t in quantum],
        [t.accuracy for t in classical],
        step=1 / len(quantum[0].test),
    )
    numbers = {
        **{f"{name}_accuracy": _mean([t.accuracy for t in of]) for name, of in trials.items()},
        "gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high,
        **{f"{name}_parameters": of[0].n_parameters for name, of in trials.items()},
        **{f"{name}_learning_rate": rate for name, rate in rates.items()},
        **{f"{name}_seconds": sum(t.seconds for t in of) for name, of in trials.items()},
        "chance": 1 / N_CLASSES[chosen["data"]], "repeats": chosen["repeats"],
        "measured_agreement": _measure(quantum[0], classical[0].model, place),
        "answered_by": place.name,
    }  # fmt: skip
    series: dict[str, list[Any]] = {
        **{f"{name}_loss": of[0].losses for name, of in trials.items()},
        "epoch": list(range(chosen["epochs"])), "repeat": list(range(chosen["repeats"])),
        **{f"{name}_accuracy": [t.accuracy for t in of] for name, of in trials.items()},
    }  # fmt: skip
    return ApplicationResult(
        _words(numbers, place, gain.winner), gain.winner, numbers, series, place.executions
    )


_BUILD = {"quantum": hybrid, "classical": control, "wide": wide}


@dataclass(frozen=True, eq=False)
class _Trial:
    """One network, trained on one draw and tested on another."""

    model: torch.nn.Module
    test: TensorSamples
    losses: list[float]
    accuracy: float
    seconds: float

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())


def _try(name: str, chosen: dict[str, Any], seed: int, rate: float, report: Report) -> _Trial:
    train, test = (draw(chosen["data"], chosen["samples"], seed=2 * seed + i) for i in (0, 1))
    with torch.random.fork_rng(devices=[]):
        model = _BUILD[name](train.features.shape[1], N_CLASSES[chosen["data"]], chosen, seed)
    options = TrainingOptions(
        epochs=chosen["epochs"], batch_size=32, learning_rate=rate, schedule="cosine", seed=seed
    )
    begin = time.perf_counter()
    loss = torch.nn.functional.cross_entropy
    losses = QuantumTrainer(model, loss, train, options=options).run(report).losses
    return _Trial(model, test, losses, _score(model, test), time.perf_counter() - begin)


def _best_rate(name: str, chosen: dict[str, Any], report: Report) -> float:
    """The learning rate that does best on a draw of its own: each method gets the same search."""
    seed = chosen["seed"] + _TUNING
    scores = {
        rate: _try(name, chosen, seed, rate, _told(report, name, -1)).accuracy for rate in RATES
    }
    best = max(scores, key=lambda rate: scores[rate])
    report({"kind": "log", "text": f"learning rate of the {name} network: {best} of {RATES}"})
    return best


def _told(report: Report, name: str, repeat: int) -> Report:
    """Reports the losses of steps alone, with whose they are; repeat -1 looks for a rate."""

    def tell(event: dict[str, Any]) -> None:
        if event["kind"] == "metric" and "loss" in event:
            report({**event, "model": name, "repeat": repeat})

    return tell


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


@torch.no_grad()
def _score(model: torch.nn.Module, test: TensorSamples) -> float:
    model.eval()
    return accuracy(model(test.features), test.targets)


@torch.no_grad()
def _measure(trial: _Trial, control: torch.nn.Module, place: Place) -> float | None:
    """The share of 16 test samples that get the same class by what the backend measures; None
    where no circuit ran, and the classical network of the same size gave the classes."""
    samples = trial.test.features[:16]
    before, layer, after = trial.model[0], trial.model[1], trial.model[2]  # type: ignore[index]
    inputs = layer.encoder.angles(before(samples))
    rows = torch.cat([layer.weights.expand(len(inputs), -1), inputs], 1)

    def solve(batch: Batch) -> tuple[Measured, ...]:
        scores = control.eval()(samples).tolist()
        return tuple(Measured(means=tuple(row), errors=(0.0,) * len(row)) for row in scores)

    values, _ = place.means(layer.circuit, rows, layer.observables, classical=solve)
    if place.by_classical:
        return None
    scores: Tensor = after(values.float())
    return float((scores.argmax(1) == trial.model(samples).argmax(1)).double().mean())


def _words(n: dict[str, Any], place: Place, winner: str) -> str:
    verdict = {
        "quantum": "the quantum layer wins on this data",
        "classical": "the classical layer wins",
        "tie": "a tie: the difference may be chance",
    }[winner]
    measured = (
        f"{place.apology} The classical layer classified the 16 samples instead."
        if place.by_classical
        else f"Measured on {place.name}, {n['measured_agreement']:.0%} of 16 samples get the same "
        "class."
    )
    return (
        f"Accuracy on samples not seen: with the quantum layer {n['quantum_accuracy']:.1%} "
        f"({n['quantum_parameters']} parameters), with a classical layer in its place "
        f"{n['classical_accuracy']:.1%} ({n['classical_parameters']}), chance {n['chance']:.0%}. "
        f"Each has the best of {len(RATES)} learning rates. Difference {n['gain']:+.1%} "
        f"(95 % interval {n['gain_low']:+.1%} to {n['gain_high']:+.1%}, {n['repeats']} draws): "
        f"{verdict}. A classical network with a hidden layer of 32 "
        f"({n['wide_parameters']} parameters) reaches {n['wide_accuracy']:.1%}. "
        f"Training took {n['quantum_seconds']:.1f} s against {n['classical_seconds']:.1f} s. "
        f"{measured}"
    )
