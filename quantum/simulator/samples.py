"""Measuring every qubit, many times."""

from collections import Counter

import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor

from quantum.errors import InvalidValues


def state_probabilities(
    state: Complex[Tensor, "batch amplitude"],
) -> Float[Tensor, "batch amplitude"]:
    """The probability of every basis state."""
    return state.real.square() + state.imag.square()


def sample_probabilities(
    probabilities: Float[Tensor, "batch amplitude"],
    *,
    shots: int,
    generator: torch.Generator,
) -> Int64[Tensor, "batch shots"]:
    """Basis-state indices (qubit 0 = most significant bit), drawn independently.

    Inverse transform on the cumulative sum in float64: the same generator state gives the same
    shots, for any number of amplitudes.

    Raises:
        InvalidValues: where there are no probabilities, or fewer shots than none.
    """
    if shots < 0:
        raise InvalidValues(f"nothing can be measured {shots} times")
    total = probabilities.double().cumsum(1)
    if not bool((total[:, -1] > 0).all()):
        raise InvalidValues("the probabilities are no numbers: check the weights and inputs")
    drawn = torch.rand(
        total.shape[0], shots, dtype=torch.float64, device=total.device, generator=generator
    )
    index = torch.searchsorted(total, drawn * total[:, -1:], right=True)
    return index.clamp_(max=total.shape[1] - 1)


def count_bits(samples: Int64[Tensor, " shots"], n_qubits: int) -> dict[str, int]:
    """How often each bit string came out, qubit 0 first, the most frequent first."""
    counts = Counter(samples.tolist())
    return {f"{index:0{n_qubits}b}": count for index, count in counts.most_common()}
