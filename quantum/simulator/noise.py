"""Noise by Monte Carlo trajectories: pure states that jump at random, averaged over many of them.

A trajectory costs as much as a run without noise, and n qubits need 2^n amplitudes instead of the
4^n of a density matrix (Mølmer, Castin and Dalibard 1993). Averages carry a statistical error of
about 1/sqrt(trajectories).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from math import sqrt

import torch
from jaxtyping import Bool, Complex, Float, Int64
from torch import Tensor

from quantum.circuit import Circuit
from quantum.errors import InvalidValues
from quantum.observable import PauliSum
from quantum.simulator.gate_by_gate import apply_matrix, instruction_matrix, zero_state
from quantum.simulator.readout import compile_readout
from quantum.simulator.samples import sample_probabilities, state_probabilities
from quantum.simulator.values import check_values


@dataclass(frozen=True, eq=False)
class Channel:
    """What noise does to some qubits: ρ → Σ K ρ K†.

    Args:
        probabilities: for K = sqrt(p) U with unitary U, how often each comes; then `kraus` holds
            the U. None where the odds depend on the state.

    Raises:
        InvalidValues: the operators are no channel: something would be lost or gained.
    """

    kraus: Complex[Tensor, "operator dim dim"]
    probabilities: Float[Tensor, " operator"] | None = None

    def __post_init__(self) -> None:
        squares = self.kraus.mH @ self.kraus
        if self.probabilities is None:
            squares = squares.sum(0, keepdim=True)
        elif not (self.probabilities >= 0).all() or abs(self.probabilities.sum() - 1) > 1e-6:
            raise InvalidValues(
                f"probabilities are at least 0 and sum to 1, not {self.probabilities.tolist()}"
            )
        if not torch.allclose(squares, _one(self).expand_as(squares), atol=1e-6):
            rule = "Σ K†K is 1" if self.probabilities is None else "each U is unitary"
            raise InvalidValues(f"these operators are no channel: {rule} for one")

    @cached_property
    def moves(self) -> Bool[Tensor, " operator"]:
        """Which operators are more than the identity."""
        return (self.kraus != _one(self)).flatten(1).any(1)

    @property
    def n_qubits(self) -> int:
        return self.kraus.shape[1].bit_length() - 1


def depolarizing(probability: float, *, n_qubits: int = 1) -> Channel:
    """With the probability, one of the 4^n - 1 Pauli words other than the identity, at random
    (Nielsen and Chuang 2010, 8.3.4; there p counts the identity as well)."""
    _check_probability(probability)
    words = [_word_matrix(letters) for letters in product(range(4), repeat=n_qubits)]
    share = probability / (len(words) - 1)
    odds = torch.tensor([1 - probability] + [share] * (len(words) - 1), dtype=torch.float64)
    return Channel(torch.stack(words), odds)


def pauli_channel(x: float, y: float, z: float) -> Channel:
    """X, Y or Z with these probabilities."""
    for probability in (x, y, z, x + y + z):
        _check_probability(probability)
    odds = torch.tensor([1 - x - y - z, x, y, z], dtype=torch.float64)
    return Channel(torch.stack([_word_matrix((letter,)) for letter in range(4)]), odds)


def amplitude_damping(probability: float) -> Channel:
    """|1⟩ falls to |0⟩ with the probability: relaxation, T1."""
    _check_probability(probability)
    stays = [[1.0, 0.0], [0.0, sqrt(1 - probability)]]
    falls = [[0.0, sqrt(probability)], [0.0, 0.0]]
    return Channel(torch.tensor([stays, falls], dtype=torch.complex128))


def phase_damping(probability: float) -> Channel:
    """Coherence is lost with the probability, as if the qubit had been measured: dephasing."""
    _check_probability(probability)
    return pauli_channel(0.0, 0.0, probability / 2)


@dataclass(frozen=True, eq=False)
class NoiseModel:
    """Which noise follows which gate.

    Args:
        after: the channel behind a gate, by the gate's name; one of the gate's size, or one for a
            single qubit, which then acts on each of its qubits.
        default: by number of qubits, for gates without an entry of their own.
        readout: [what it was, what is read] of each qubit, the same for all.
    """

    after: dict[str, Channel] = field(default_factory=dict)
    default: dict[int, Channel] = field(default_factory=dict)
    readout: Float[Tensor, "2 2"] | None = None

    def channels(self, gate: str, qubits: tuple[int, ...]) -> list[tuple[Channel, tuple[int, ...]]]:
        """The channels behind one gate and the qubits of each."""
        channel = self.after.get(gate) or self.default.get(len(qubits))
        if channel is None:
            return []
        if channel.n_qubits == len(qubits):
            return [(channel, qubits)]
        if channel.n_qubits != 1:
            raise InvalidValues(f"a channel on {channel.n_qubits} qubits cannot follow {gate}")
        return [(channel, (q,)) for q in qubits]


def uniform_noise(
    *, one_qubit: float = 0.0, two_qubit: float = 0.0, readout: float = 0.0
) -> NoiseModel:
    """Depolarizing noise behind gates on one and on two qubits, and bits that are misread."""
    wrong = torch.tensor([[1 - readout, readout], [readout, 1 - readout]], dtype=torch.float64)
    return NoiseModel(
        default={1: depolarizing(one_qubit), 2: depolarizing(two_qubit, n_qubits=2)},
        readout=wrong,
    )


def run_trajectories(
    circuit: Circuit,
    noise: NoiseModel,
    *,
    trajectories: int,
    seed: int,
    weights: Float[Tensor, " n_weights"] | None = None,
    inputs: Float[Tensor, " n_inputs"] | None = None,
) -> Complex[Tensor, "trajectory amplitude"]:
    """Final states of independent trajectories: their mean |ψ⟩⟨ψ| tends to the density matrix."""
    if trajectories < 1:
        raise InvalidValues(f"noise takes one trajectory or more, not {trajectories}")
    weights, inputs = check_values(circuit, weights, inputs)
    generator = torch.Generator(weights.device).manual_seed(seed)
    state = zero_state(
        circuit.n_qubits,
        batch=trajectories,
        dtype=weights.dtype.to_complex(),
        device=weights.device,
    )
    for instruction in circuit.instructions:
        matrix = instruction_matrix(instruction, circuit, weights, inputs)
        state = apply_matrix(state, matrix.to(state.dtype), instruction.qubits)
        for channel, qubits in noise.channels(instruction.gate, instruction.qubits):
            state = _jump(state, channel, qubits, generator)
    return state


def noisy_expectation(
    circuit: Circuit,
    observables: Sequence[PauliSum],
    noise: NoiseModel,
    *,
    trajectories: int,
    seed: int,
    weights: Float[Tensor, " n_weights"] | None = None,
    inputs: Float[Tensor, " n_inputs"] | None = None,
) -> tuple[Float[Tensor, " observable"], Float[Tensor, " observable"]]:
    """Expectation values under noise and their standard errors. Readout errors play no part."""
    if trajectories < 2:
        raise InvalidValues(f"a standard error takes two trajectories, not {trajectories}")
    states = run_trajectories(
        circuit, noise, trajectories=trajectories, seed=seed, weights=weights, inputs=inputs
    )
    readout = compile_readout(
        tuple(observables), circuit.n_qubits, states.dtype.to_real(), states.device
    )
    values = readout.values(states.T.contiguous())
    return values.mean(1), values.std(1) / trajectories**0.5


def noisy_sample(
    circuit: Circuit,
    noise: NoiseModel,
    *,
    shots: int,
    seed: int,
    trajectories: int | None = None,
    weights: Float[Tensor, " n_weights"] | None = None,
    inputs: Float[Tensor, " n_inputs"] | None = None,
) -> Int64[Tensor, " shots"]:
    """Basis-state indices measured under noise, readout errors included.

    Args:
        trajectories: how many the shots are spread over; every shot has its own where absent.
    """
    count = min(trajectories or shots, shots)
    states = run_trajectories(
        circuit, noise, trajectories=count, seed=seed, weights=weights, inputs=inputs
    )
    generator = torch.Generator(states.device).manual_seed(seed + 1)
    each = -(-shots // count)
    drawn = sample_probabilities(state_probabilities(states), shots=each, generator=generator)
    found = drawn.T.flatten()[:shots]
    if noise.readout is None:
        return found
    return _misread(found, noise.readout, circuit.n_qubits, generator)


def _jump(
    state: Complex[Tensor, "trajectory amplitude"],
    channel: Channel,
    qubits: tuple[int, ...],
    generator: torch.Generator,
) -> Complex[Tensor, "trajectory amplitude"]:
    """Each trajectory with one operator of the channel, drawn by its probability."""
    operators = channel.kraus.to(state.device, state.dtype)
    if channel.probabilities is not None:
        odds = channel.probabilities.to(state.device)
        chosen = torch.multinomial(odds, len(state), replacement=True, generator=generator)
        hit = channel.moves.to(state.device)[chosen].nonzero()[:, 0]
        moved = state.clone()
        moved[hit] = apply_matrix(state[hit], operators[chosen[hit]], qubits)
        return moved
    branches = torch.stack([apply_matrix(state, k[None], qubits) for k in operators])
    odds = state_probabilities(branches.flatten(0, 1)).sum(1).view(len(operators), -1)
    chosen = torch.multinomial(odds.T, 1, generator=generator)[:, 0]
    rows = torch.arange(len(state), device=state.device)
    return branches[chosen, rows] / odds[chosen, rows].sqrt()[:, None]


def _misread(
    found: Int64[Tensor, " shots"],
    readout: Float[Tensor, "2 2"],
    n_qubits: int,
    generator: torch.Generator,
) -> Int64[Tensor, " shots"]:
    """The outcomes with each bit flipped by its odds."""
    shifts = torch.arange(n_qubits, device=found.device)
    bits = found[:, None] >> shifts & 1
    flips = readout.to(found.device)[bits, 1 - bits]
    drawn = torch.rand(flips.shape, dtype=flips.dtype, device=found.device, generator=generator)
    return ((bits ^ (drawn < flips).long()) << shifts).sum(1)


def _one(channel: Channel) -> Tensor:
    return torch.eye(channel.kraus.shape[-1], dtype=channel.kraus.dtype)


def _word_matrix(letters: Sequence[int]) -> Tensor:
    single = torch.tensor(
        [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]],
        dtype=torch.complex128,
    )
    matrix = torch.ones(1, 1, dtype=torch.complex128)
    for letter in letters:
        matrix = torch.kron(matrix, single[letter])
    return matrix


def _check_probability(value: float) -> None:
    if not 0 <= value <= 1:
        raise InvalidValues(f"a probability lies between 0 and 1, not at {value}")
