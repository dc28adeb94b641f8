"""Circuits on devices whose qubits have few neighbours: places for qubits, swaps where needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

from quantum.circuit import Circuit, Instruction
from quantum.errors import DoesNotFit

Pair = tuple[int, int]
_SETS, _PLACEMENTS = 6, 12  # sets of qubits, and first placements on each, that are tried


@dataclass(frozen=True)
class Routed:
    """A circuit on some of a device's qubits.

    Args:
        circuit: on the chosen qubits, numbered 0 to n - 1; only neighbours share a gate.
        chosen: the device's number of each.
        places: where each qubit of the original circuit is at the end.
    """

    circuit: Circuit
    chosen: tuple[int, ...]
    places: tuple[int, ...]


def place_as(circuit: Circuit, like: Routed) -> Routed:
    """The circuit, without gates on several qubits, on the qubits where another one is read."""
    gates = tuple(
        replace(gate, qubits=tuple(like.places[qubit] for qubit in gate.qubits))
        for gate in circuit.instructions
    )
    return replace(like, circuit=Circuit(like.circuit.n_qubits, gates))


def choose_qubits(n_qubits: int, errors: Mapping[Pair, float]) -> list[tuple[int, ...]]:
    """Connected sets of the device's qubits, the least error first: chains (in their order), then
    sets of any shape.

    Args:
        errors: of each pair of neighbours.

    Raises:
        DoesNotFit: the device has no connected set so large.
    """
    chains = _grow(n_qubits, errors, at_ends=True)
    found = dict.fromkeys([*chains, *_grow(n_qubits, errors, at_ends=False)])
    if not found:
        raise DoesNotFit(f"the device has no {n_qubits} connected qubits")
    return list(found)


def _grow(n_qubits: int, errors: Mapping[Pair, float], *, at_ends: bool) -> list[tuple[int, ...]]:
    """Sets grown from each pair by the best pair that fits, the least error first."""
    edges = sorted(errors, key=lambda pair: errors[pair])
    found: list[tuple[float, tuple[int, ...]]] = []
    for start in edges:
        chosen, cost = list(start), errors[start]
        while len(chosen) < n_qubits:
            doors = {chosen[0], chosen[-1]} if at_ends else set(chosen)
            fitting = (
                (pair, old, new)
                for pair in edges
                for old, new in (pair, pair[::-1])
                if old in doors and new not in chosen
            )
            step = next(fitting, None)
            if step is None:
                break
            pair, old, new = step
            cost += errors[pair]
            chosen.insert(0 if at_ends and old == chosen[0] else len(chosen), new)
        if len(chosen) >= n_qubits:
            found.append((cost, tuple(chosen[: max(n_qubits, 1)])))
    return [chosen for _, chosen in sorted(found)]


def route(circuit: Circuit, errors: Mapping[Pair, float]) -> Routed:
    """The circuit with each gate on neighbours. Gates act on one or two qubits.

    Pairs that are apart are brought together along a shortest way; of some first placements the
    one with the fewest gates is kept, and among equals the one on better qubits.
    """
    chance = Random(circuit.structure_hash)
    best: Routed | None = None
    for chosen in choose_qubits(circuit.n_qubits, errors)[:_SETS]:
        near = _neighbours(chosen, errors)
        for attempt in range(_PLACEMENTS):
            places = list(range(circuit.n_qubits))
            if attempt:
                chance.shuffle(places)
            gates = _walk(circuit, places, near)
            if best is None or len(gates) < len(best.circuit.instructions):
                best = Routed(Circuit(circuit.n_qubits, tuple(gates)), chosen, tuple(places))
            if len(gates) == len(circuit.instructions):
                return best  # no swaps: nothing is better
    assert best is not None
    return best


def _neighbours(chosen: Sequence[int], errors: Mapping[Pair, float]) -> dict[int, set[int]]:
    """Who is whose neighbour among the chosen, by their numbers in the circuit."""
    number = {qubit: i for i, qubit in enumerate(chosen)}
    near: dict[int, set[int]] = {i: set() for i in range(len(chosen))}
    for first, second in errors:
        if first in number and second in number:
            near[number[first]].add(number[second])
            near[number[second]].add(number[first])
    return near


def _walk(circuit: Circuit, places: list[int], near: Mapping[int, set[int]]) -> list[Instruction]:
    """The gates with swaps between them; `places` ends up as where each qubit is at the end."""
    gates: list[Instruction] = []
    for instruction in circuit.instructions:
        if len(instruction.qubits) == 2:
            way = _way(places[instruction.qubits[0]], places[instruction.qubits[1]], near)
            for here, there in pairwise(way[:-1]):
                gates += _swap(here, there)
                moved = {here: there, there: here}
                places[:] = [moved.get(place, place) for place in places]
        qubits = tuple(places[q] for q in instruction.qubits)
        gates.append(Instruction(instruction.gate, qubits, instruction.angles, instruction.word))
    return gates


def _swap(first: int, second: int) -> list[Instruction]:
    pairs = ((first, second), (second, first), (first, second))
    return [Instruction("cx", pair) for pair in pairs]


def _way(start: int, end: int, near: Mapping[int, set[int]]) -> Sequence[int]:
    """A shortest way between two places, both ends included."""
    came = {start: start}
    queue = [start]
    while end not in came:
        here = queue.pop(0)
        for there in sorted(near[here] - came.keys()):
            came[there] = here
            queue.append(there)
    way = [end]
    while way[-1] != start:
        way.append(came[way[-1]])
    return way[::-1]
