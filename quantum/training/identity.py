"""What makes a training the one that a checkpoint is of: its network, its loss and its data.

Data and frozen weights are compared by sums up to rounding: the features that a frozen trunk gives,
say, differ in their last bits from one run to the next.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import isnan, sqrt
from typing import Any

import torch
from torch import Tensor

from quantum.store.datasets import Samples, batches
from quantum.training.layer import QuantumLayer
from quantum.training.workers import seeded

_CHUNK_ROWS = 1024
_ROUNDING = 1e-5  # of the length of all numbers: single precision, computed again, stays below


def identity(
    model: torch.nn.Module,
    loss: Callable[..., Any],
    train: Samples,
    validation: Samples | None,
) -> dict[str, Any]:
    """By name, what a continued training must share, as plain data for a checkpoint.

    Weights that are trained count by name and shape, frozen ones by their values too. Where the
    circuits run does not count.
    """
    parameters = dict(model.named_parameters())
    return {
        "network": [[name, *_described(part)] for name, part in model.named_modules()],
        "weights": [[name, *value.shape] for name, value in model.state_dict().items()],
        "frozen weights": {
            name: _Sums().add(value.detach()).told()
            for name, value in parameters.items()
            if not value.requires_grad
        },
        "loss": _name(loss),
        "training data": _sums(train),
        "validation data": None if validation is None else _sums(validation),
    }


def differences(told: Mapping[str, Any], own: Mapping[str, Any]) -> set[str]:
    """The names of what is not the same; what a checkpoint of before does not tell is not asked."""
    return {name for name in own.keys() & told.keys() if not _alike(told[name], own[name])}


def _described(part: torch.nn.Module) -> list[str]:
    kind = type(part).__qualname__
    if not isinstance(part, QuantumLayer):
        return [kind, part.extra_repr()]
    encoder = _name(part.encoder.to_angles)
    return [kind, encoder, part.circuit.structure_hash, *(str(o.terms) for o in part.observables)]


def _name(function: Callable[..., Any]) -> str:
    """What a function is called, with the plain settings of one that has some."""
    if isinstance(function, partial):
        return f"{_name(function.func)} {_plain(function.keywords)}"
    if isinstance(function, torch.nn.Module):
        return f"{type(function).__qualname__} {_plain(vars(function))}"
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in settings.items() if name != "training"}
    return {name: v for name, v in sorted(told.items()) if isinstance(v, bool | int | float | str)}


def _sums(samples: Samples) -> list[dict[str, Any]]:
    """Of features and of targets."""
    found = [_Sums(), _Sums()]
    with seeded((0,)):  # samples may be drawn anew each time that they are read
        for index in batches(torch.arange(len(samples)), _CHUNK_ROWS):
            for sums, values in zip(found, samples.rows(index), strict=True):
                sums.add(values)
    return [sums.told() for sums in found]


class _Sums:
    """Of many rows: how many, their shape, the length of all numbers, and their sum with a weight
    for every row and every column."""

    def __init__(self) -> None:
        self._generator = torch.Generator().manual_seed(0)
        self._columns: Tensor | None = None
        self._shape: list[int] = []
        self._n_rows, self._squares, self._sum = 0, 0.0, 0.0

    def add(self, values: Tensor) -> "_Sums":
        if values.is_complex():
            values = torch.view_as_real(values)
        rows = values.reshape(len(values) if values.ndim else 1, -1).cpu().double()
        if self._columns is None:
            self._shape, self._columns = list(values.shape[1:]), self._weights(rows.shape[1])
        self._n_rows += len(rows)
        self._squares += float(rows.square().sum())
        self._sum += float(self._weights(len(rows)) @ rows @ self._columns)
        return self

    def _weights(self, count: int) -> Tensor:
        return 2 * torch.rand(count, generator=self._generator, dtype=torch.float64) - 1

    def told(self) -> dict[str, Any]:
        sums = (sqrt(self._squares), self._sum)
        return {"rows": self._n_rows, "shape": self._shape, "sums": sums}


def _alike(told: Any, own: Any) -> bool:
    """Equal, where sums are equal up to rounding."""
    if isinstance(told, dict) and isinstance(own, dict):
        return told.keys() == own.keys() and all(_alike(told[name], own[name]) for name in own)
    if isinstance(told, list) and isinstance(own, list):
        return len(told) == len(own) and all(map(_alike, told, own))
    if isinstance(told, tuple) and isinstance(own, tuple):
        reach = _ROUNDING * own[0]
        return all(_is_near(*pair, reach) for pair in zip(told, own, strict=True))
    return bool(told == own)


def _is_near(told: float, own: float, reach: float) -> bool:
    return told == own or abs(told - own) <= reach or (isnan(told) and isnan(own))
