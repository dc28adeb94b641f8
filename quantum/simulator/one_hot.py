"""QAOA that never leaves the one-hot states: one amplitude per assignment, none per bit string.

A discrete problem gives each site one of its options. As qubits that is one per option and a single
one per site; the XY and Grover mixers keep it so. Hence a state is a tensor with one axis per site,
as long as its number of options: 33 qubits in 10 sites make some 2^16 amplitudes instead of 2^33.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal, get_args

import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor

from quantum.errors import InvalidValues
from quantum.simulator.samples import sample_probabilities, state_probabilities

Mixer = Literal["complete", "ring", "grover"]


@dataclass(frozen=True, eq=False)
class OneHotCost:
    """The energy of every assignment.

    Args:
        options: number of options per site, the first site most significant.
        energies: in the order of the assignments, the last site fastest.
    """

    options: tuple[int, ...]
    energies: Float[Tensor, " assignment"]

    def assignments(self, index: Int64[Tensor, " shots"]) -> Int64[Tensor, "shots site"]:
        """The option of every site, from the number of an assignment."""
        return torch.stack(torch.unravel_index(index, self.options), 1)


def one_hot_cost(
    own: Sequence[Float[Tensor, " _option"]],
    pairs: Mapping[tuple[int, int], Float[Tensor, "_option_a _option_b"]],
    *,
    dtype: torch.dtype = torch.float32,
) -> OneHotCost:
    """The cost Σ own[i][a_i] + Σ pairs[i, j][a_i, a_j] of every assignment a.

    Raises:
        InvalidValues: where a pair's table does not fit its sites, or sites are missing.
    """
    options = tuple(len(site) for site in own)
    if not options or min(options) < 1:
        raise InvalidValues(f"every site needs an option: {options}")
    total = torch.zeros(options, dtype=torch.float64, device=own[0].device)
    for i, site in enumerate(own):
        total += _spread(site.double(), (i,), len(options))
    for (i, j), table in pairs.items():
        if not 0 <= i < j < len(options) or tuple(table.shape) != (options[i], options[j]):
            raise InvalidValues(
                f"the pair {i, j} with a table of {tuple(table.shape)} does not fit sites with "
                f"{options} options (first site before second)"
            )
        total += _spread(table.double(), (i, j), len(options))
    return OneHotCost(options, total.flatten().to(dtype))


def _spread(table: Tensor, sites: tuple[int, ...], n_sites: int) -> Tensor:
    """The table as a tensor over all sites, broadcast where it does not depend on them."""
    shape = [1] * n_sites
    for axis, site in enumerate(sites):
        shape[site] = table.shape[axis]
    return table.reshape(shape)


def uniform_start(cost: OneHotCost) -> Complex[Tensor, " assignment"]:
    """All assignments alike."""
    size = prod(cost.options)
    dtype = cost.energies.dtype.to_complex()
    return torch.full((size,), size**-0.5, dtype=dtype, device=cost.energies.device)


def warm_start(
    cost: OneHotCost, marginals: Sequence[Float[Tensor, " _option"]]
) -> Complex[Tensor, " assignment"]:
    """A product state that measures each site's options with the given probabilities
    (Egger, Mareček and Woerner 2021, section 2, for one-hot sites)."""
    if any(bool((site < 0).any()) or not bool(site.sum() > 0) for site in marginals):
        raise InvalidValues("marginals are chances from 0 upwards, not all of a site 0")
    state = cost.energies.new_ones(1, dtype=torch.float64)
    for site in marginals:
        root = (site.double() / site.double().sum()).sqrt()
        state = (state[:, None] * root).flatten()
    if len(state) != len(cost.energies):
        raise InvalidValues(f"marginals do not fit sites with {cost.options} options")
    return state.to(cost.energies.device, cost.energies.dtype.to_complex())


def one_hot_qaoa(
    cost: OneHotCost,
    *,
    gammas: Float[Tensor, " layer"],
    betas: Float[Tensor, " layer"],
    mixer: Mixer = "complete",
    start: Complex[Tensor, " assignment"] | None = None,
) -> Complex[Tensor, " assignment"]:
    """The state after layers of e^{-i gamma cost} and a mixer (Hadfield et al. 2019, section 4).

    Differentiable in gammas and betas.

    Args:
        mixer: "complete" swaps any two options of a site, e^{-i beta Σ_{a<b} (XX + YY)/2} exactly;
            "ring" only neighbours; "grover" is e^{-i beta |start⟩⟨start|} on all sites at once.
        start: uniform where absent.
    """
    if mixer not in get_args(Mixer):
        raise InvalidValues(f"there are the mixers {get_args(Mixer)}, not {mixer!r}")
    if gammas.shape != betas.shape:
        raise InvalidValues(f"{len(gammas)} gammas need as many betas, not {len(betas)}")
    begin = uniform_start(cost) if start is None else start
    state = begin
    for gamma, beta in zip(gammas, betas, strict=True):
        state = state * _unit(-gamma * cost.energies)
        if mixer == "grover":
            state = state + (_unit(-beta) - 1) * torch.vdot(begin, state) * begin
        else:
            state = _mix_sites(state, cost.options, beta, ring=mixer == "ring")
    return state


def _mix_sites(state: Tensor, options: tuple[int, ...], beta: Tensor, *, ring: bool) -> Tensor:
    """The mixer of every site in turn; they commute."""
    tensor = state.view(options)
    for site, count in enumerate(options):
        if count == 1:
            continue
        if ring:
            matrix = _ring_matrix(count, beta).to(tensor.dtype)
            tensor = torch.tensordot(matrix, tensor, ([1], [site])).movedim(0, site)
        else:
            tensor = _mix_complete(tensor, site, beta)
    return tensor.reshape(-1)


def _mix_complete(tensor: Tensor, site: int, beta: Tensor) -> Tensor:
    """e^{-iβ(J - 1)} with J all ones: e^{iβ} (1 + (e^{-iβd} - 1) J/d), so a mean is enough."""
    mean = tensor.mean(site, keepdim=True)
    return _unit(beta) * (tensor + (_unit(-beta * tensor.shape[site]) - 1) * mean)


def _ring_matrix(count: int, beta: Tensor) -> Complex[Tensor, "option option"]:
    """e^{-iβA}, where A joins neighbouring options in a ring; two options are one link."""
    index = torch.arange(count)
    joined = torch.zeros(count, count, dtype=torch.float64)
    joined[index, (index + 1) % count] = 1
    joined[(index + 1) % count, index] = 1
    levels, modes = torch.linalg.eigh(joined)
    modes, levels = modes.to(beta.device, torch.complex128), levels.to(beta.device)
    return (modes * _unit(-beta.double() * levels)) @ modes.mH


def _unit(angle: Tensor) -> Tensor:
    return torch.complex(torch.cos(angle), torch.sin(angle))


def mean_energy(cost: OneHotCost, state: Complex[Tensor, " assignment"]) -> Float[Tensor, ""]:
    """⟨cost⟩, differentiable."""
    return (state_probabilities(state[None])[0] * cost.energies).sum()


def sample_assignments(
    cost: OneHotCost, state: Complex[Tensor, " assignment"], *, shots: int, seed: int
) -> Int64[Tensor, "shots site"]:
    """Measured assignments: the option of every site. A seed gives the same shots."""
    generator = torch.Generator(state.device).manual_seed(seed)
    chances = state_probabilities(state.detach()[None])
    drawn = sample_probabilities(chances, shots=shots, generator=generator)
    return cost.assignments(drawn[0])
