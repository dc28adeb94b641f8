"""A circuit as few layers: equal kinds of step are merged as far forward as the qubits allow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from quantum.circuit import Circuit
from quantum.simulator.lowering import Line, Move, Phase, Step, Turn, lower


@dataclass(frozen=True, slots=True)
class TurnLayer:
    """Turns of different qubits, qubits ascending."""

    steps: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class PhaseLayer:
    """Phases with different masks; they commute."""

    steps: tuple[Phase, ...]


@dataclass(frozen=True, slots=True)
class MoveLayer:
    """Moves in time order."""

    steps: tuple[Move, ...]


Layer: TypeAlias = TurnLayer | PhaseLayer | MoveLayer


@dataclass(slots=True)
class _Draft:
    """A layer that still grows."""

    kind: type[Step]
    touched: set[int] = field(default_factory=set)
    turns: dict[int, Line] = field(default_factory=dict)
    phases: dict[tuple[tuple[int, ...], bool], Line] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)

    def take(self, step: Step) -> None:
        self.touched.update(step.qubits)
        if isinstance(step, Turn):
            angle = self.turns.get(step.qubit)
            self.turns[step.qubit] = step.angle if angle is None else angle + step.angle
        elif isinstance(step, Phase):
            key = (step.qubits, step.on_ones)
            known = self.phases.get(key)
            self.phases[key] = step.angle if known is None else known + step.angle
        else:
            self.moves.append(step)

    def finish(self) -> Layer:
        if self.kind is Turn:
            turns = (Turn(q, a) for q, a in sorted(self.turns.items()) if not a.is_zero)
            return TurnLayer(tuple(turns))
        if self.kind is Phase:
            phases = (Phase(q, a, on) for (q, on), a in self.phases.items() if not a.is_zero)
            return PhaseLayer(tuple(phases))
        return MoveLayer(tuple(self.moves))


def fuse(circuit: Circuit) -> tuple[Layer, ...]:
    """The layers that equal the circuit, in time order, none of them empty."""
    steps: list[Step] = [step for gate in circuit.instructions for step in lower(gate)]
    layers = _merge(steps)
    while True:  # what cancelled may let others meet
        again = _merge([step for layer in layers for step in layer.steps])
        if len(again) >= len(layers):
            return layers
        layers = again


def _merge(steps: Iterable[Step]) -> tuple[Layer, ...]:
    drafts: list[_Draft] = []
    for step in steps:
        home = _earliest_home(drafts, step)
        if home is None:
            home = _Draft(type(step))
            drafts.append(home)
        home.take(step)
    layers = (draft.finish() for draft in drafts)
    return tuple(layer for layer in layers if layer.steps)


def _earliest_home(drafts: Sequence[_Draft], step: Step) -> _Draft | None:
    """The first layer of the step's kind that it can move to without crossing one on its qubits."""
    home = None
    for draft in reversed(drafts):
        if draft.kind is type(step):
            home = draft
        if not draft.touched.isdisjoint(step.qubits):
            break
    return home
