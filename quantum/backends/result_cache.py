"""Results that cannot differ, kept."""

import json
from dataclasses import asdict, dataclass

from quantum.backends.base import Backend, Batch, Measured
from quantum.backends.cache import FileCache
from quantum.backends.simulated import SimulatorBackend

# What a backend's answers depend on; it has some of these.
_SETTINGS = ("options", "client", "calibration", "trajectories", "scale", "crosstalk", "seed")

_EXACT = "exact "


def fingerprint(backend: Backend) -> str:
    """Names the backend as it is set up: its target, its noise, its calibration where it runs here.

    Asks no provider, so what a machine answered stays known while the machine cannot be reached.
    """
    settings = {name: repr(getattr(backend, name)) for name in _SETTINGS if hasattr(backend, name)}
    exact = _EXACT if isinstance(backend, SimulatorBackend) else ""
    return exact + json.dumps([backend.name, settings], sort_keys=True)


@dataclass(frozen=True)
class ResultCache:
    """Results of batches that were run before, for whoever accepts the same shots twice.

    Only batches with a seed, and exact means, are kept: everything else is meant to vary.
    """

    files: FileCache

    def find(self, backend: str, batch: Batch) -> tuple[Measured, ...] | None:
        """The results of the same circuits, values, shots, observables and seed on this backend.

        Args:
            backend: its `fingerprint`.
        """
        if not self.accepts(backend, batch):
            return None
        found = self.files.get(self._key(backend, batch))
        if found is None:
            return None
        return tuple(
            Measured(one["counts"], tuple(one["means"]), tuple(one["errors"]))
            for one in json.loads(found)
        )

    def store(self, backend: str, batch: Batch, measured: tuple[Measured, ...]) -> None:
        """Keeps the results, where they may be kept."""
        if self.accepts(backend, batch):
            text = json.dumps([asdict(one) for one in measured])
            self.files.put(self._key(backend, batch), text.encode())

    def accepts(self, backend: str, batch: Batch) -> bool:
        """Whether the same answer serves again: without shots, devices choose them themselves."""
        exact = backend.startswith(_EXACT) and batch.shots is None and bool(batch.observables)
        return batch.seed is not None or exact

    def _key(self, backend: str, batch: Batch) -> str:
        asked = batch.to_json() | {"tag": ""}
        return json.dumps(["result", backend, asked], sort_keys=True)
