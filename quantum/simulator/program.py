"""A circuit ready to run: fused layers with their tables on a device, in one precision."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from quantum.circuit import Circuit
from quantum.simulator.angles import AngleTable, CompiledAngles
from quantum.simulator.lowering import Phase, Turn
from quantum.simulator.moves import sources
from quantum.simulator.phases import (
    CompiledPhases,
    PhaseFactors,
    PhaseGradients,
    PhaseTable,
    phase_patterns,
)
from quantum.simulator.schedule import Layer, MoveLayer, TurnLayer, fuse
from quantum.simulator.steps import (
    ColumnPhaseStep,
    ColumnTurnStep,
    Gradients,
    MoveStep,
    PhaseStep,
    Start,
    Step,
    TurnStep,
    Values,
)
from quantum.simulator.turns import SpanTable, span_generators, span_matrices

Angled = TypeVar("Angled", Turn, Phase)


@dataclass(frozen=True)
class Program:
    """Index arrays and sign tables of a circuit; the numbers come with each run.

    Args:
        span_slots: for each size of span the rows of its angles.
        generators: for each size of span what reads the gradients off a correlation.
    """

    n_qubits: int
    start: Start
    steps: tuple[Step, ...]
    angles: CompiledAngles
    phases: CompiledPhases
    span_slots: dict[int, Int64[Tensor, "span qubit"]]
    generators: dict[int, Float[Tensor, "qubit entry"]]

    def values(self, shared: Float[Tensor, " shared"]) -> Values:
        """The matrices and phase factors of all layers at these angles."""
        matrices = {
            size: span_matrices(shared[slots]).unbind() for size, slots in self.span_slots.items()
        }
        return Values(shared, matrices, PhaseFactors(self.phases, shared))

    def no_gradients(
        self, values: Values, batched: Float[Tensor, "batched column"], *, wants_batched: bool
    ) -> Gradients:
        """Zeros to add to."""
        shared = torch.zeros_like(values.shared)
        correlations = {
            size: shared.new_zeros(slots.shape[0], 2**size, 2**size).unbind()
            for size, slots in self.span_slots.items()
        }
        phases = PhaseGradients(self.phases)
        return Gradients(shared, torch.zeros_like(batched), correlations, phases, wants_batched)

    def collect(self, gradients: Gradients) -> Float[Tensor, " shared"]:
        """The gradient of the shared angles from all that the sweep gathered."""
        total = gradients.shared
        for size, slots in self.span_slots.items():
            found = torch.stack(gradients.correlations[size]).flatten(1) @ self.generators[size].T
            total.index_add_(0, slots.flatten(), found.flatten())
        gradients.phases.add_to(total)
        return total


@lru_cache(maxsize=64)
def compile_program(
    circuit: Circuit, *, batched_weights: bool, dtype: torch.dtype, device: torch.device
) -> Program:
    """The program of a circuit, made once per precision and device.

    Args:
        batched_weights: True where every element of the batch has weights of its own.
        dtype: of the angles; float32 is simulated in complex64, float64 in complex128.
    """
    like = torch.zeros(0, dtype=dtype, device=device)
    draft = _Draft(circuit, like, batched_weights)
    layers = fuse(circuit)
    n_first = int(bool(layers) and isinstance(layers[0], TurnLayer))
    start = draft.start(layers[:n_first])
    steps = tuple(step for layer in layers[n_first:] for step in draft.steps(layer))
    span_slots = draft.spans.compile(device)
    return Program(
        circuit.n_qubits,
        start,
        steps,
        draft.table.compile(like),
        draft.phases.compile(like),
        span_slots,
        {size: span_generators(size, like) for size in span_slots},
    )


class _Draft:
    """The tables while the layers are being numbered."""

    def __init__(self, circuit: Circuit, like: Tensor, batched_weights: bool) -> None:
        self._n_qubits = circuit.n_qubits
        self._like = like
        self.table = AngleTable(circuit, batched_weights=batched_weights)
        self.spans = SpanTable()
        self.phases = PhaseTable(circuit.n_qubits)

    def start(self, layers: tuple[Layer, ...]) -> Start:
        rows = {False: [0] * self._n_qubits, True: [0] * self._n_qubits}
        for layer in layers:
            for turn in layer.steps:
                assert isinstance(turn, Turn)
                rows[self.table.is_batched(turn.angle)][turn.qubit] = self.table.add(turn.angle)
        shared, batched = (torch.tensor(rows[b], device=self._like.device) for b in (False, True))
        return Start(shared, batched, any(rows[True]))

    def steps(self, layer: Layer) -> Iterator[Step]:
        """The layer's steps: one for the shared angles, one for those that differ in the batch."""
        if isinstance(layer, MoveLayer):
            yield MoveStep(*sources(self._n_qubits, layer.steps, self._like.device))
        elif isinstance(layer, TurnLayer):
            yield from self._turn_steps(*self._number(layer.steps))
        else:
            yield from self._phase_steps(*self._number(layer.steps))

    def _number(
        self, steps: tuple[Angled, ...]
    ) -> tuple[list[tuple[Angled, int]], list[tuple[Angled, int]]]:
        """The steps with the rows of their angles: those of the shared table, then the others."""
        tables: dict[bool, list[tuple[Angled, int]]] = {False: [], True: []}
        for step in steps:
            row = self.table.add(step.angle)
            tables[self.table.is_batched(step.angle)].append((step, row))
        return tables[False], tables[True]

    def _turn_steps(
        self, shared: list[tuple[Turn, int]], batched: list[tuple[Turn, int]]
    ) -> Iterator[Step]:
        if shared:
            yield TurnStep(self.spans.add_layer({turn.qubit: row for turn, row in shared}))
        if batched:
            yield ColumnTurnStep(tuple((turn.qubit, row) for turn, row in batched))

    def _phase_steps(
        self, shared: list[tuple[Phase, int]], batched: list[tuple[Phase, int]]
    ) -> Iterator[Step]:
        if shared:
            yield PhaseStep(self.phases.add_layer(shared))
        if batched:
            rows = torch.tensor([row for _, row in batched], device=self._like.device)
            kinds = [phase for phase, _ in batched]
            yield ColumnPhaseStep(rows, phase_patterns(kinds, self._n_qubits, self._like))
