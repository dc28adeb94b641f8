"""Circuits to be trained: their weights are named after layer and place."""

from collections.abc import Sequence
from itertools import combinations, pairwise, product
from math import acos, sqrt
from typing import Literal, get_args

from quantum.circuit import Circuit, Instruction, Parameter
from quantum.errors import InvalidCircuit, InvalidObservable
from quantum.fermions import excitation
from quantum.observable import PauliSum

Topology = Literal["ring", "line", "full"]
Mixer = Literal["x", "xy", "grover"]


def hardware_efficient(
    n_qubits: int,
    depth: int,
    *,
    turns: Sequence[str] = ("ry", "rz"),
    entangler: Literal["cx", "cz"] = "cx",
    topology: Topology = "ring",
) -> Circuit:
    """`depth` layers of turns on every qubit and two-qubit gates between neighbours (Kandala et al.
    2017, fig. 1). Weights: depth · n_qubits · len(turns)."""
    pairs = links(n_qubits, topology)
    circuit = Circuit(n_qubits)
    for layer in range(depth):
        for q in range(n_qubits):
            for turn in turns:
                circuit = circuit.gate(turn, (q,), (f"{turn}_{layer}_{q}",))
        for a, b in pairs:
            circuit = circuit.gate(entangler, (a, b))
    return circuit


def links(n_qubits: int, topology: Topology) -> list[tuple[int, int]]:
    """The pairs of qubits that a topology joins; a ring of two is one link."""
    if topology not in get_args(Topology):
        raise InvalidCircuit(f"qubits are joined as {get_args(Topology)}, not as {topology!r}")
    if topology == "full":
        return list(combinations(range(n_qubits), 2))
    line = [(q, q + 1) for q in range(n_qubits - 1)]
    closes = topology == "ring" and n_qubits > 2
    return [*line, (n_qubits - 1, 0)] if closes else line


def strongly_entangling(n_qubits: int, depth: int) -> Circuit:
    """Layers of general one-qubit gates and CNOTs whose reach grows from layer to layer (Schuld et
    al. 2020, section III). Weights: 3 · depth · n_qubits."""
    circuit = Circuit(n_qubits)
    for layer in range(depth):
        for q in range(n_qubits):
            names = [f"w_{layer}_{q}_{k}" for k in range(3)]
            circuit = circuit.rz(names[0], q).ry(names[1], q).rz(names[2], q)
        reach = layer % (n_qubits - 1) + 1 if n_qubits > 1 else 0
        for q in range(n_qubits if reach else 0):
            circuit = circuit.cx(q, (q + reach) % n_qubits)
    return circuit


def unitary_coupled_cluster(n_orbitals: int, n_electrons: int) -> Circuit:
    """The Hartree–Fock state followed by every single and double excitation that keeps the spin,
    one Trotter step (Peruzzo et al. 2014; Barkoutsos et al. 2018, section II).

    Spin orbitals alternate up and down; the first `n_electrons` are occupied. One weight per
    excitation, "t_0_2" or "t_0_1_2_3": electrons leave the first half of the numbers for the rest.
    """
    if not 0 <= n_electrons <= n_orbitals:
        raise InvalidCircuit(f"{n_electrons} electrons do not fit {n_orbitals} spin orbitals")
    circuit = Circuit(n_orbitals)
    for orbital in range(n_electrons):
        circuit = circuit.x(orbital)
    for occupied, virtual in excitations(n_orbitals, n_electrons):
        name = "_".join(map(str, ("t", *occupied, *virtual)))
        circuit = circuit.append(*pauli_evolution(excitation(occupied, virtual), name, sign=1))
    return circuit


def excitations(n_orbitals: int, n_electrons: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(occupied, virtual) of all singles and doubles that keep the number of spins up."""
    filled, empty = range(n_electrons), range(n_electrons, n_orbitals)
    return [
        (occupied, virtual)
        for rank in (1, 2)
        for occupied, virtual in product(combinations(filled, rank), combinations(empty, rank))
        if sum(p % 2 for p in occupied) == sum(p % 2 for p in virtual)
    ]


def pauli_evolution(
    generator: PauliSum, name: str, *, sign: Literal[1, -1] = -1
) -> list[Instruction]:
    """e^{sign · i · value · generator}, word by word: exact where the words commute.

    Args:
        name: of the weight that all the words share.

    Raises:
        InvalidObservable: where the generator is not Hermitian.
    """
    if not generator.is_hermitian:
        raise InvalidObservable(f"only a Hermitian generator makes a unitary: {generator}")
    return [
        Instruction(
            "pauli",
            tuple(q for q, _ in word),
            (Parameter(name, scale=-2.0 * sign * coefficient.real),),
            "".join(letter for _, letter in word),
        )
        for word, coefficient in generator.terms
        if word
    ]


def uniform_state(n_qubits: int) -> Circuit:
    """All basis states with equal amplitudes."""
    circuit = Circuit(n_qubits)
    for q in range(n_qubits):
        circuit = circuit.h(q)
    return circuit


def one_hot_state(n_qubits: int, blocks: Sequence[Sequence[int]]) -> Circuit:
    """In each block of qubits an equal superposition of the states with a single one (W states)."""
    if not all(blocks):
        raise InvalidCircuit("a block without qubits has no qubit to be one")
    circuit = Circuit(n_qubits)
    for block in blocks:
        circuit = circuit.x(block[0])
        for done, (a, b) in enumerate(pairwise(block)):
            keep = sqrt(1 / (len(block) - done))
            circuit = circuit.cry(2 * acos(keep), a, b).cx(b, a)
    return circuit


def x_mixer(n_qubits: int, name: str) -> list[Instruction]:
    """e^{-i value Σ X} (Farhi et al. 2014, eq. 3)."""
    return [Instruction("rx", (q,), (2 * Parameter(name),)) for q in range(n_qubits)]


def xy_mixer(blocks: Sequence[Sequence[int]], name: str) -> list[Instruction]:
    """e^{-i value (XX + YY)/2} for every pair within each block, one after the other (Hadfield et
    al. 2019, section 4): one-hot states stay one-hot."""
    return [
        Instruction("xy", pair, (2 * Parameter(name),))
        for block in blocks
        for pair in combinations(block, 2)
    ]


def grover_mixer(initial: Circuit, name: str) -> list[Instruction]:
    """e^{-i value |s⟩⟨s|} for the s that `initial` prepares (Bärtschi and Eidenbenz 2020, III)."""
    n_qubits = initial.n_qubits
    flips = [Instruction("x", (q,)) for q in range(n_qubits)]
    phase = Instruction("mcp", tuple(range(n_qubits)), (-Parameter(name),))
    return [
        *initial.inverse().instructions, *flips, phase, *flips, *initial.instructions
    ]  # fmt: skip


def qaoa(
    cost: PauliSum,
    *,
    initial: Circuit,
    depth: int,
    mixer: Mixer = "x",
    blocks: Sequence[Sequence[int]] = (),
) -> Circuit:
    """The initial state, then `depth` times e^{-i gamma cost} and a mixer (Farhi et al. 2014).

    Args:
        cost: a sum of words of Z; its constant is left out (a global phase).
        blocks: for the mixer "xy" the qubits of each one-hot group.

    Raises:
        InvalidObservable: where the cost is not diagonal.
        InvalidCircuit: where there is no such mixer, or "xy" has no blocks.
    """
    if not cost.is_diagonal:
        raise InvalidObservable(f"the cost must be a sum of words of Z: {cost}")
    if mixer == "xy" and not blocks:
        raise InvalidCircuit("the mixer 'xy' needs the blocks of qubits that it mixes")
    if mixer not in get_args(Mixer):
        raise InvalidCircuit(f"there are the mixers {get_args(Mixer)}, not {mixer!r}")
    circuit = initial
    for layer in range(depth):
        circuit = circuit.append(*pauli_evolution(cost, f"gamma_{layer}"))
        name = f"beta_{layer}"
        if mixer == "x":
            circuit = circuit.append(*x_mixer(circuit.n_qubits, name))
        elif mixer == "xy":
            circuit = circuit.append(*xy_mixer(blocks, name))
        else:
            circuit = circuit.append(*grover_mixer(initial, name))
    return circuit
