"""Ratings from overlaps: |⟨item|user⟩|² of learnt states beside two likenesses of learnt vectors.

All models have a table of 2n numbers per user and item, a bias of each, and a scale: the same
number of parameters, the same ratings. The controls are the dot product (matrix factorisation,
Koren et al. 2009), and the Gaussian of the distance, which is bounded like an overlap.
"""

import time
from itertools import combinations
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from quantum.applications.base import ApplicationResult, Report
from quantum.applications.comparison import Comparison, compare_pairs
from quantum.applications.place import Place
from quantum.backends.base import Batch, Measured
from quantum.circuit import Circuit, parameter_input
from quantum.observable import PauliSum
from quantum.simulator import expectation
from quantum.store.datasets import TensorSamples
from quantum.training.trainer import QuantumTrainer, TrainingOptions

Kind = Literal["quantum", "dot", "gauss"]
# Deviation of the first numbers, and learning rate: each kind's best of a few that were tried.
_START: dict[Kind, float] = {"quantum": 0.5, "dot": 1.0, "gauss": 0.5}
_RATE: dict[Kind, float] = {"quantum": 0.05, "dot": 0.1, "gauss": 0.05}


def overlap_circuit(n_qubits: int) -> Circuit:
    """The user's state, then the item's undone: all qubits read 0 as often as |⟨item|user⟩|²."""
    return _embedding(n_qubits, "user") + _embedding(n_qubits, "item").inverse()


def _embedding(n_qubits: int, who: str) -> Circuit:
    """Turns about Y, CZ between neighbours, turns about X: 2n numbers as a state."""
    circuit = Circuit(n_qubits)
    for q in range(n_qubits):
        circuit = circuit.ry(parameter_input(f"{who}_y_{q}"), q)
    for q in range(n_qubits - 1):
        circuit = circuit.cz(q, q + 1)
    for q in range(n_qubits):
        circuit = circuit.rx(parameter_input(f"{who}_x_{q}"), q)
    return circuit


def embed(numbers: Float[np.ndarray, "row number"]) -> Complex[np.ndarray, "row state"]:
    """The states of `_embedding` for rows of 2n numbers, by linear algebra without a circuit."""
    n_qubits = numbers.shape[1] // 2
    half, index = numbers / 2, np.arange(2**n_qubits)
    states = np.ones((len(numbers), 1), dtype=complex)
    for q in range(n_qubits):
        turned = np.stack([np.cos(half[:, q]), np.sin(half[:, q])], 1)
        states = (states[:, :, None] * turned[:, None]).reshape(len(numbers), -1)
    neighbours = index & (index >> 1)  # a bit for each pair of neighbours that are both 1
    states = states * np.array([(-1) ** int(n).bit_count() for n in neighbours])
    for q in range(n_qubits):
        angle = half[:, n_qubits + q, None]
        flipped = states[:, index ^ (1 << (n_qubits - 1 - q))]
        states = np.cos(angle) * states - 1j * np.sin(angle) * flipped
    return states


def all_zero(n_qubits: int) -> PauliSum:
    """The projector on |0…0⟩: the mean of all words of Z."""
    words = (
        (tuple((q, "Z") for q in chosen), 2.0**-n_qubits)
        for size in range(n_qubits + 1)
        for chosen in combinations(range(n_qubits), size)
    )
    return PauliSum.of(words)


class Recommender(torch.nn.Module):
    """(user, item) → rating.

    Args:
        kind: of likeness: "quantum", "dot" or "gauss".
        n_qubits: half as many as numbers per user and item.
    """

    def __init__(self, n_users: int, n_items: int, *, kind: Kind, n_qubits: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.users, self.items = (
            torch.nn.Parameter(_START[kind] * torch.randn(n, 2 * n_qubits, generator=generator))
            for n in (n_users, n_items)
        )
        self.user_bias = torch.nn.Parameter(torch.zeros(n_users))
        self.item_bias = torch.nn.Parameter(torch.zeros(n_items))
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.kind, self.n_qubits = kind, n_qubits

    def forward(self, pairs: Tensor) -> Tensor:
        user, item = pairs.unbind(1)
        likeness = self.scale * self.likeness(self.users[user], self.items[item])
        found: Tensor = likeness + self.user_bias[user] + self.item_bias[item]
        return found

    def likeness(self, users: Tensor, items: Tensor) -> Tensor:
        if self.kind == "dot":
            return (users * items).sum(1)
        if self.kind == "gauss":
            return torch.exp(-(users - items).square().sum(1) / 2)
        circuit, observable = overlap_circuit(self.n_qubits), all_zero(self.n_qubits)
        return expectation(circuit, [observable], inputs=self.angles(users, items))[:, 0]

    def angles(self, users: Tensor, items: Tensor) -> Tensor:
        """The circuit's inputs: the item's angles stand in the order of the undone circuit."""
        n = self.n_qubits
        named = {f"{who}_{axis}_{q}": values[:, axis_at + q]
                 for who, values in (("user", users), ("item", items))
                 for axis, axis_at in (("y", 0), ("x", n))
                 for q in range(n)}  # fmt: skip
        return torch.stack([named[name] for name in overlap_circuit(n).inputs], 1)


def ratings(n_users: int, n_items: int, *, seed: int) -> TensorSamples:
    """Every user's rating of a third of the items, about 0 with deviation 1.

    Tastes are three numbers each; a rating falls with the distance from what the user likes best,
    plus the item's quality and noise of 0.3. Made here, for no table of people is small and free.
    """
    generator = torch.Generator().manual_seed(seed)
    wants, has = (torch.randn(n, 3, generator=generator) for n in (n_users, n_items))
    quality = 0.5 * torch.randn(n_items, generator=generator)
    table = quality - torch.cdist(wants, has).square() / 4
    table = (table - table.mean()) / table.std()
    table += 0.3 * torch.randn(n_users, n_items, generator=generator)
    seen = torch.rand(n_users, n_items, generator=generator) < 1 / 3
    return TensorSamples(seen.nonzero(), table[seen])


def _square_error(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().mean()


def recommend(chosen: dict[str, Any], report: Report) -> ApplicationResult:
    """Runs the application "recommender"."""
    place = Place(chosen["backend"], shots=chosen["shots"], seed=chosen["seed"], report=report)
    errors: dict[str, list[float]] = {kind: [] for kind in (*_START, "item_mean")}
    seconds: dict[str, float] = dict.fromkeys(_START, 0.0)
    histories: dict[str, list[Any]] = {}
    trained: Recommender | None = None
    for repeat in range(chosen["repeats"]):
        seed = chosen["seed"] + repeat
        table = ratings(chosen["users"], chosen["items"], seed=seed)
        train, held, test = _split(table, seed)
        for kind in _START:
            begin = time.perf_counter()
            model, losses = _fit(chosen, kind, (train, held), seed, report)
            seconds[kind] += time.perf_counter() - begin
            errors[kind].append(_rmse(model, test))
            histories.setdefault(f"{kind}_loss", losses)
            trained = trained or model  # the first is a quantum one
        errors["item_mean"].append(_item_mean_rmse(train, test, chosen))
        report({"kind": "progress", "done": repeat + 1, "total": chosen["repeats"]})
    assert trained is not None
    control = min(("dot", "gauss"), key=lambda kind: sum(errors[kind]))
    found = compare_pairs([-e for e in errors["quantum"]], [-e for e in errors[control]])
    numbers = _numbers(chosen, errors, seconds, found) | {"control": control}
    numbers |= _measure(trained, place)
    series: dict[str, list[Any]] = {
        "repeat": list(range(chosen["repeats"])), **{f"{k}_rmse": v for k, v in errors.items()},
        "epoch": list(range(chosen["epochs"])), **histories,
    }  # fmt: skip
    return ApplicationResult(
        _words(numbers, place), found.winner, numbers, series, place.executions
    )


def _split(samples: TensorSamples, seed: int) -> list[TensorSamples]:
    """To train on (70 %), to choose the epoch by (10 %), to test on (20 %)."""
    count = len(samples)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    ends = [count * 7 // 10, count * 8 // 10]
    return [TensorSamples(*samples.rows(part)) for part in order.tensor_split(ends)]


def _fit(
    chosen: dict[str, Any],
    kind: Kind,
    data: tuple[TensorSamples, TensorSamples],
    seed: int,
    report: Report,
) -> tuple[Recommender, list[float]]:
    """The weights of the epoch that does best on the samples held back."""
    model = Recommender(
        chosen["users"], chosen["items"], kind=kind, n_qubits=chosen["qubits"], seed=seed
    )
    options = TrainingOptions(
        epochs=chosen["epochs"], batch_size=64, learning_rate=_RATE[kind], schedule="cosine",
        seed=seed,
    )  # fmt: skip

    def tell(event: dict[str, Any]) -> None:
        if event["kind"] == "metric" and "loss" in event:
            report({**event, "model": kind, "repeat": seed - chosen["seed"]})

    result = QuantumTrainer(model, _square_error, *data, options=options).run(tell)
    return model, result.losses


@torch.no_grad()
def _rmse(model: Recommender, test: TensorSamples) -> float:
    return float(_square_error(model(test.features), test.targets).sqrt())


def _item_mean_rmse(train: TensorSamples, test: TensorSamples, chosen: dict[str, Any]) -> float:
    """The floor that all must beat: the mean of the item's ratings seen, shrunk by one."""
    items = train.features[:, 1]
    total = torch.zeros(chosen["items"]).index_add(0, items, train.targets)
    count = torch.bincount(items, minlength=chosen["items"]) + 1
    return float(_square_error((total / count)[test.features[:, 1]], test.targets).sqrt())


@torch.no_grad()
def _measure(model: Recommender, place: Place) -> dict[str, Any]:
    """What the first user should be shown of eight items by the overlaps as measured there, and
    their largest error; where no circuit ran, by overlaps that linear algebra gives."""
    users, items = model.users[:1].expand(8, -1), model.items[:8]

    def solve(batch: Batch) -> tuple[Measured, ...]:
        user, *others = embed(torch.cat([users[:1], items]).double().numpy())
        return tuple(Measured(means=(float(abs(np.vdot(v, user)) ** 2),)) for v in others)

    circuit, angles = overlap_circuit(model.n_qubits), model.angles(users, items)
    found, zero = place.read(circuit, angles, classical=solve), "0" * model.n_qubits
    if place.by_classical:
        overlaps = torch.tensor([one.means[0] for one in found])
    else:
        shares = [one.counts.get(zero, 0) / sum(one.counts.values()) for one in found]
        overlaps = torch.tensor(shares)
    exact = model.likeness(users, items)
    wrong = float((overlaps - exact).abs().max())

    def best(likeness: Tensor) -> int:
        return int((model.scale * likeness + model.item_bias[:8]).argmax())

    return {
        "recommended_item": best(overlaps),
        "recommended_item_exact": best(exact),
        "largest_overlap_error_measured": None if place.by_classical else wrong,
        "answered_by": place.name,
    }


def _numbers(
    chosen: dict[str, Any],
    errors: dict[str, list[float]],
    seconds: dict[str, float],
    found: Comparison,
) -> dict[str, Any]:
    means = {f"{name}_rmse": sum(values) / len(values) for name, values in errors.items()}
    people = chosen["users"] + chosen["items"]
    return {
        **means,
        "gain": found.mean,
        "gain_low": found.low,
        "gain_high": found.high,
        "parameters_each": people * (2 * chosen["qubits"] + 1) + 1,
        "repeats": chosen["repeats"],
        **{f"{kind}_seconds": value for kind, value in seconds.items()},
    }


def _words(n: dict[str, Any], place: Place) -> str:
    if n["gain_low"] > 0:
        verdict = "quantum embeddings win on this table"
    elif n["gain_high"] < 0:
        verdict = "the classical embeddings win"
    else:
        verdict = "a tie: the difference may be chance"
    control, item, exact = n["control"], n["recommended_item"], n["recommended_item_exact"]
    misled = "" if item == exact else f", and item {exact} if the overlaps were exact"
    measured = (
        f"Overlaps measured on {place.name} are off by {n['largest_overlap_error_measured']:.3f} "
        "at most."
        if not place.by_classical
        else f"{place.apology} Linear algebra gave the overlaps instead, as it can at this size."
    )
    return (
        f"Error on ratings not seen (RMSE): quantum embeddings {n['quantum_rmse']:.3f}; as many "
        f"classical parameters {n['dot_rmse']:.3f} (dot product) and {n['gauss_rmse']:.3f} "
        f"(Gaussian); item means {n['item_mean_rmse']:.3f}. Gain over the better control "
        f"{n['gain']:+.3f} (95 % interval {n['gain_low']:+.3f} to {n['gain_high']:+.3f}, "
        f"{n['repeats']} tables): {verdict}. Training took {n['quantum_seconds']:.1f} s against "
        f"{n[control + '_seconds']:.1f} s. {measured} The first user should be shown item "
        f"{item} of eight{misled}."
    )
