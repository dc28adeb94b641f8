"""Circuits, where to run them, what to learn and optimise with them.

Angles are radians, energies are in whatever unit the observable has. Nothing is imported before it
is asked for: `from quantum import Circuit` loads `quantum.circuit` and no torch, `QuantumLayer`
loads torch, and a vendor's library is loaded when one of its backends runs something.
"""

# ruff: noqa: F401
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names as below, for those who check types
    from quantum.ansatz import hardware_efficient, qaoa, strongly_entangling
    from quantum.backends.base import Backend, Batch, batch_of
    from quantum.backends.catalog import open_backend
    from quantum.backends.choose import BackendManager
    from quantum.backends.handles import HandleStore
    from quantum.backends.ledger import Ledger
    from quantum.backends.run import expectations
    from quantum.circuit import Circuit, parameter_input
    from quantum.drawing import draw_svg, draw_text
    from quantum.encoding import DataEncoder, amplitude_encoding, angle_encoding, iqp_encoding
    from quantum.gradients import GradientComputer
    from quantum.mitigation import PauliTwirling, ReadoutMitigation, ZeroNoise
    from quantum.observable import PauliSum, X, Y, Z
    from quantum.openqasm import from_openqasm, to_openqasm
    from quantum.simulator import expectation, sample
    from quantum.store.checkpoints import CheckpointManager
    from quantum.store.datasets import TensorSamples, TrainingDataStore
    from quantum.store.metrics import Metrics
    from quantum.store.registry import ModelRegistry
    from quantum.store.states import StateManager
    from quantum.training.layer import QuantumLayer
    from quantum.training.optimizer import QuantumOptimizer, make_optimizer
    from quantum.training.trainer import QuantumTrainer, TrainingOptions

_ROOMS = {
    "ansatz": ("hardware_efficient", "qaoa", "strongly_entangling"),
    "backends.base": ("Backend", "Batch", "batch_of"),
    "backends.catalog": ("open_backend",),
    "backends.choose": ("BackendManager",),
    "backends.handles": ("HandleStore",),
    "backends.ledger": ("Ledger",),
    "backends.run": ("expectations",),
    "circuit": ("Circuit", "parameter_input"),
    "drawing": ("draw_svg", "draw_text"),
    "encoding": ("DataEncoder", "amplitude_encoding", "angle_encoding", "iqp_encoding"),
    "gradients": ("GradientComputer",),
    "mitigation": ("PauliTwirling", "ReadoutMitigation", "ZeroNoise"),
    "observable": ("PauliSum", "X", "Y", "Z"),
    "openqasm": ("from_openqasm", "to_openqasm"),
    "simulator": ("expectation", "sample"),
    "store.checkpoints": ("CheckpointManager",),
    "store.datasets": ("TensorSamples", "TrainingDataStore"),
    "store.metrics": ("Metrics",),
    "store.registry": ("ModelRegistry",),
    "store.states": ("StateManager",),
    "training.layer": ("QuantumLayer",),
    "training.optimizer": ("QuantumOptimizer", "make_optimizer"),
    "training.trainer": ("QuantumTrainer", "TrainingOptions"),
}
_FACE = {name: f"quantum.{room}" for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    """A name of the face, from the module that has it (PEP 562)."""
    if name not in _FACE:
        raise AttributeError(f"quantum has no {name!r}")
    return getattr(import_module(_FACE[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FACE])
