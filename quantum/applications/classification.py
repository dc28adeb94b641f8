"""Linear, then a circuit or a classical layer of as many weights, then linear."""

import time
from typing import Any

import torch
from torch import Tensor

from quantum.ansatz import hardware_efficient
from quantum.applications.base import ApplicationResult, Report
from quantum.applications.comparison import compare_pairs
from quantum.applications.place import Place
from quantum.encoding import angle_encoding
from quantum.store.datasets import TensorSamples
from quantum.training.layer import QuantumLayer
from quantum.training.trainer import QuantumTrainer, TrainingOptions, accuracy

_RATE = {"quantum": 0.05, "classical": 0.1}  # each the best of a few that were tried
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


def classify(chosen: dict[str, Any], report: Report) -> ApplicationResult:
    """Runs the application "classifier"."""
    place = Place(chosen["backend"], shots=chosen["shots"], seed=chosen["seed"], report=report)
    scores: dict[str, list[float]] = {"quantum": [], "classical": []}
    seconds = {"quantum": 0.0, "classical": 0.0}
    series: dict[str, list[Any]] = {}
    sizes: dict[str, int] = {}
    kept: tuple[torch.nn.Module, TensorSamples] | None = None
    for repeat in range(chosen["repeats"]):
        seed = chosen["seed"] + repeat
        train = draw(chosen["data"], chosen["samples"], seed=2 * seed)
        test = draw(chosen["data"], chosen["samples"], seed=2 * seed + 1)
        for name, build in (("quantum", hybrid), ("classical", control)):
            with torch.random.fork_rng(devices=[]):
                model = build(train.features.shape[1], N_CLASSES[chosen["data"]], chosen, seed)
            begin = time.perf_counter()
            losses = _fit(model, train, chosen, name, seed, report)
            seconds[name] += time.perf_counter() - begin
            scores[name].append(_score(model, test))
            sizes[name] = sum(p.numel() for p in model.parameters())
            series.setdefault(f"{name}_loss", losses)
            if kept is None:
                kept = (model, test)
        report({"kind": "progress", "done": repeat + 1, "total": chosen["repeats"]})
    assert kept is not None
    found = compare_pairs(scores["quantum"], scores["classical"])
    numbers = {
        **{f"{name}_accuracy": sum(values) / len(values) for name, values in scores.items()},
        "gain": found.mean, "gain_low": found.low, "gain_high": found.high,
        **{f"{name}_parameters": size for name, size in sizes.items()},
        **{f"{name}_seconds": value for name, value in seconds.items()},
        "chance": 1 / N_CLASSES[chosen["data"]], "repeats": chosen["repeats"],
        "measured_agreement": _measure(*kept, place),
    }  # fmt: skip
    series |= {"epoch": list(range(chosen["epochs"])), "repeat": list(range(chosen["repeats"]))}
    series |= {f"{name}_accuracy": values for name, values in scores.items()}
    return ApplicationResult(
        _words(numbers, place, found.winner), found.winner, numbers, series, place.executions
    )


def _fit(
    model: torch.nn.Module, train: TensorSamples, chosen: dict[str, Any], name: str, seed: int,
    report: Report,
) -> list[float]:  # fmt: skip
    def tell(event: dict[str, Any]) -> None:
        if event["kind"] == "metric" and "loss" in event:
            report({**event, "model": name, "repeat": seed - chosen["seed"]})

    options = TrainingOptions(
        epochs=chosen["epochs"], batch_size=32, learning_rate=_RATE[name], seed=seed
    )
    loss = torch.nn.functional.cross_entropy
    return QuantumTrainer(model, loss, train, options=options).run(tell).losses


@torch.no_grad()
def _score(model: torch.nn.Module, test: TensorSamples) -> float:
    model.eval()
    return accuracy(model(test.features), test.targets)


@torch.no_grad()
def _measure(model: torch.nn.Module, test: TensorSamples, place: Place) -> float:
    """The share of 16 test samples that the backend's values put into the same class."""
    before, layer, after = model[0], model[1], model[2]  # type: ignore[index]
    inputs = layer.encoder.angles(before(test.features[:16]))
    rows = torch.cat([layer.weights.expand(len(inputs), -1), inputs], 1)
    values, _ = place.means(layer.circuit, rows, layer.observables)
    found: Tensor = after(values.float()).argmax(1)
    expected: Tensor = model(test.features[:16]).argmax(1)
    return float((found == expected).double().mean())


def _words(n: dict[str, Any], place: Place, winner: str) -> str:
    verdict = {
        "quantum": "the quantum layer wins on this data",
        "classical": "the classical layer wins",
        "tie": "a tie: the difference may be chance",
    }[winner]
    return (
        f"Accuracy on samples not seen: with the quantum layer {n['quantum_accuracy']:.1%} "
        f"({n['quantum_parameters']} parameters), with a classical layer in its place "
        f"{n['classical_accuracy']:.1%} ({n['classical_parameters']}), chance {n['chance']:.0%}. "
        f"Difference {n['gain']:+.1%} (95 % interval {n['gain_low']:+.1%} to "
        f"{n['gain_high']:+.1%}, {n['repeats']} draws): {verdict}. Training took "
        f"{n['quantum_seconds']:.1f} s against {n['classical_seconds']:.1f} s. Measured on "
        f"{place.name}, "
        f"{n['measured_agreement']:.0%} of 16 samples get the same class."
    )
