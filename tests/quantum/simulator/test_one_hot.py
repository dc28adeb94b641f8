"""One-hot QAOA against the same mixers on all the qubits, as dense matrices."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from quantum.errors import InvalidValues
from quantum.observable import PauliSum, X, Y
from quantum.simulator.one_hot import (
    mean_energy,
    one_hot_cost,
    one_hot_qaoa,
    sample_assignments,
    uniform_start,
    warm_start,
)

OPTIONS = (3, 2, 1)


def problem(options=OPTIONS, seed: int = 0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    own = [torch.randn(d, generator=generator) for d in options]
    pairs = {
        (i, j): torch.randn(options[i], options[j], generator=generator)
        for i, j in combinations(range(len(options)), 2)
    }
    return own, pairs, one_hot_cost(own, pairs, dtype=dtype)


def blocks(options) -> list[list[int]]:
    ends = np.cumsum([0, *options])
    return [list(range(a, b)) for a, b in pairwise(ends)]


def bit_index(assignment, options) -> int:
    """The basis state of the one-hot qubits, qubit 0 most significant."""
    ones = [block[a] for block, a in zip(blocks(options), assignment, strict=True)]
    return sum(1 << (sum(options) - 1 - q) for q in ones)


def dense_mixer(options, beta: float, kind: str) -> np.ndarray:
    n_qubits = sum(options)
    hop = PauliSum()
    for block in blocks(options):
        ring = {tuple(sorted((block[i], block[(i + 1) % len(block)]))) for i in range(len(block))}
        pairs = combinations(block, 2) if kind == "complete" else {p for p in ring if p[0] != p[1]}
        hop += sum((0.5 * (X(a) @ X(b) + Y(a) @ Y(b)) for a, b in pairs), PauliSum())
    return expm(-1j * beta * hop.matrix(n_qubits))


def test_energies_of_all_assignments():
    own, pairs, cost = problem()
    index = torch.arange(len(cost.energies))
    for number, assignment in zip(index, cost.assignments(index).tolist(), strict=True):
        expected = sum(site[a] for site, a in zip(own, assignment, strict=True))
        expected += sum(t[assignment[i], assignment[j]] for (i, j), t in pairs.items())
        assert cost.energies[number].item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("kind", ["complete", "ring"])
@pytest.mark.parametrize("options", [(3, 2, 1), (4, 3), (2, 2)])
def test_the_mixers_are_those_of_the_qubits(kind, options):
    _, _, cost = problem(options)
    gammas = torch.tensor([0.4, 0.9], dtype=torch.float64)
    betas = torch.tensor([0.7, 0.2], dtype=torch.float64)
    found = one_hot_qaoa(cost, gammas=gammas, betas=betas, mixer=kind)
    places = [bit_index(a, options) for a in
              cost.assignments(torch.arange(len(cost.energies))).tolist()]  # fmt: skip
    state = np.zeros(2 ** sum(options), dtype=complex)
    state[places] = len(places) ** -0.5
    for gamma, beta in zip(gammas.tolist(), betas.tolist(), strict=True):
        state[places] *= np.exp(-1j * gamma * cost.energies.numpy())
        state = dense_mixer(options, beta, kind) @ state
    assert np.allclose(found.numpy(), state[places], atol=1e-10)
    assert np.abs(np.delete(state, places)).max() < 1e-12


def test_the_grover_mixer_reflects_about_the_start():
    _, _, cost = problem()
    start = warm_start(cost, [torch.tensor([1.0, 2.0, 1.0]), torch.ones(2), torch.ones(1)])
    gamma, beta = 0.4, 0.7
    found = one_hot_qaoa(
        cost,
        gammas=torch.tensor([gamma], dtype=torch.float64),
        betas=torch.tensor([beta], dtype=torch.float64),
        mixer="grover",
        start=start,
    )
    s = start.numpy()
    expected = expm(-1j * beta * np.outer(s, s.conj())) @ (
        np.exp(-1j * gamma * cost.energies.numpy()) * s
    )
    assert np.allclose(found.numpy(), expected)


@pytest.mark.parametrize("mixer", ["complete", "ring", "grover"])
def test_gradients(mixer):
    _, _, cost = problem()

    def energy(gammas, betas):
        return mean_energy(cost, one_hot_qaoa(cost, gammas=gammas, betas=betas, mixer=mixer))

    values = torch.tensor([[0.3, 0.5], [0.2, 0.8]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(energy, (values[0], values[1]))


def test_thirty_three_qubits_are_two_to_the_sixteen_amplitudes():
    options = (4,) * 7 + (2,) * 2 + (1,)
    assert sum(options) == 33
    _, _, cost = problem(options, dtype=torch.float32)
    # The uniform state is the mixer's highest level, so the way down has negative betas.
    gammas, betas = torch.tensor([0.1, 0.1]), torch.tensor([-0.3, -0.2])
    state = one_hot_qaoa(cost, gammas=gammas, betas=betas)
    assert state.numel() == 2**16
    assert state.abs().square().sum().item() == pytest.approx(1, abs=1e-4)
    assert mean_energy(cost, state) < mean_energy(cost, uniform_start(cost))


def test_a_warm_start_measures_its_marginals():
    _, _, cost = problem()
    marginals = [torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.9, 0.1]), torch.ones(1)]
    drawn = sample_assignments(cost, warm_start(cost, marginals), shots=20_000, seed=0)
    found = torch.bincount(drawn[:, 0], minlength=3) / 20_000
    assert torch.allclose(found, marginals[0], atol=0.02)
    assert drawn[:, 1].float().mean().item() == pytest.approx(0.1, abs=0.02)


def test_a_seed_gives_the_same_assignments():
    _, _, cost = problem()
    state = uniform_start(cost)
    first, same, other = (sample_assignments(cost, state, shots=30, seed=s) for s in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_tables_must_fit_their_sites():
    own = [torch.zeros(3), torch.zeros(2)]
    for pairs in (
        {(0, 1): torch.zeros(2, 3)},
        {(1, 0): torch.zeros(2, 3)},
        {(0, 2): torch.zeros(3, 3)},
    ):
        with pytest.raises(InvalidValues, match="does not fit"):
            one_hot_cost(own, pairs)
    with pytest.raises(InvalidValues, match="needs an option"):
        one_hot_cost([torch.zeros(0)], {})
    _, _, cost = problem()
    with pytest.raises(InvalidValues, match="marginals"):
        warm_start(cost, [torch.ones(2)])


ANGLES = st.lists(st.floats(-2, 2), min_size=2, max_size=2)


@given(gammas=ANGLES, betas=ANGLES, mixer=st.sampled_from(["complete", "ring", "grover"]))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_every_layer_keeps_the_length(gammas, betas, mixer):
    _, _, cost = problem((3, 4, 2))
    values = (torch.tensor(v, dtype=torch.float64) for v in (gammas, betas))
    state = one_hot_qaoa(cost, **dict(zip(("gammas", "betas"), values, strict=True)), mixer=mixer)
    assert state.abs().square().sum().item() == pytest.approx(1)
    low, high = cost.energies.min().item(), cost.energies.max().item()
    assert low - 1e-9 <= mean_energy(cost, state).item() <= high + 1e-9


@pytest.mark.parametrize("mixer", ["complete", "ring", "grover"])
def test_a_flat_cost_leaves_the_uniform_state_as_it_is(mixer):
    """It is an eigenstate of every mixer: only its phase turns."""
    cost = one_hot_cost([torch.full((3,), 0.7), torch.zeros(4)], {}, dtype=torch.float64)
    angles = torch.tensor([0.4, 1.3], dtype=torch.float64)
    state = one_hot_qaoa(cost, gammas=angles, betas=angles, mixer=mixer)
    assert torch.vdot(state, uniform_start(cost)).abs().item() == pytest.approx(1)


def test_sites_without_pairs_do_not_know_of_each_other():
    own = [torch.tensor([0.3, -1.0, 0.4]), torch.tensor([0.9, 0.1])]
    gammas, betas = (torch.tensor(v, dtype=torch.float64) for v in ([0.5, 0.8], [-0.4, -0.2]))
    whole, *parts = (
        one_hot_qaoa(one_hot_cost(sites, {}, dtype=torch.float64), gammas=gammas, betas=betas)
        for sites in (own, own[:1], own[1:])
    )
    assert torch.allclose(whole, torch.kron(*parts), atol=1e-12)


def test_sites_may_be_renumbered():
    own, pairs, cost = problem((3, 2, 2))
    turned = one_hot_cost(
        own[::-1], {(2 - j, 2 - i): table.T for (i, j), table in pairs.items()}, dtype=torch.float64
    )
    gammas, betas = torch.tensor([[0.3, 0.7], [0.4, 0.1]], dtype=torch.float64)
    here, there = (one_hot_qaoa(c, gammas=gammas, betas=betas) for c in (cost, turned))
    assert torch.allclose(here.view(3, 2, 2), there.view(2, 2, 3).permute(2, 1, 0), atol=1e-12)


@pytest.mark.parametrize("site", [[0.0, 0.0, 0.0], [0.5, -0.1, 0.6], [float("nan"), 1.0, 1.0]])
def test_marginals_are_chances(site):
    _, _, cost = problem()
    with pytest.raises(InvalidValues, match="chances"):
        warm_start(cost, [torch.tensor(site), torch.ones(2), torch.ones(1)])


def test_a_warm_start_at_the_optimum_stays_there_without_mixing():
    _, _, cost = problem((3, 2, 2))
    best = cost.assignments(cost.energies.argmin()[None])[0].tolist()
    marginals = [torch.eye(d)[a] for d, a in zip((3, 2, 2), best, strict=True)]
    start = warm_start(cost, marginals)
    gammas, none = torch.tensor([0.9], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    state = one_hot_qaoa(cost, gammas=gammas, betas=none, start=start)
    assert mean_energy(cost, state).item() == pytest.approx(cost.energies.min().item())
    drawn = sample_assignments(cost, state, shots=20, seed=0)
    assert drawn.tolist() == [best] * 20
