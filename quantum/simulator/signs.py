"""Sign patterns of bit masks, factored: a function of the basis states as (high) x (low).

Whether the bits under a mask have even parity, or are all ones, is a product of the same question
about the high and the low half of the index. So Σ_t a_t s_t(x) over 2^n states is one matrix
product of two tables with 2^(n/2) columns each, and so are the sums Σ_x w(x) s_t(x).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class SignTable:
    """high[t, h] * low[t, l] is the pattern of mask t at basis state h * 2^n_low + l."""

    high: Float[Tensor, "mask high"]
    low: Float[Tensor, "mask low"]

    def expand(
        self, coefficients: Float[Tensor, "mask column"]
    ) -> Float[Tensor, "amplitude column"]:
        """Σ_t coefficient_t pattern_t(x), for every basis state and column."""
        columns = coefficients.shape[1]
        weighted = self.low[:, :, None] * coefficients[:, None, :]
        flat = self.high.T @ weighted.flatten(1)
        return flat.view(self.high.shape[1] * self.low.shape[1], columns)

    def contract(self, values: Float[Tensor, "amplitude column"]) -> Float[Tensor, "mask column"]:
        """Σ_x pattern_t(x) values(x), for every mask and column."""
        columns = values.shape[1]
        partial = self.high @ values.reshape(self.high.shape[1], -1)
        return (partial.view(-1, self.low.shape[1], columns) * self.low[:, :, None]).sum(1)


def split(n_qubits: int) -> tuple[int, int]:
    """How many qubits the high and the low half have."""
    return n_qubits // 2, n_qubits - n_qubits // 2


def parity_patterns(masks: Sequence[int], n_qubits: int, *, like: Tensor) -> SignTable:
    """(-1)^(number of ones under the mask) for each mask."""
    return _tables(masks, n_qubits, _parity, like)


def ones_patterns(masks: Sequence[int], n_qubits: int, *, like: Tensor) -> SignTable:
    """1 where all bits under the mask are ones, else 0, for each mask."""
    return _tables(masks, n_qubits, _all_ones, like)


def _tables(masks: Sequence[int], n_qubits: int, pattern, like: Tensor) -> SignTable:  # type: ignore[no-untyped-def]
    n_high, n_low = split(n_qubits)
    bits = torch.tensor(masks, dtype=torch.int64).reshape(-1, 1)
    high = pattern(torch.arange(2**n_high), bits >> n_low)
    low = pattern(torch.arange(2**n_low), bits & (2**n_low - 1))
    return SignTable(high.to(like), low.to(like))


def _parity(index: Tensor, masks: Tensor) -> Tensor:
    bits = index & masks
    for shift in (32, 16, 8, 4, 2, 1):
        bits = bits ^ (bits >> shift)
    return 1 - 2 * (bits & 1)


def _all_ones(index: Tensor, masks: Tensor) -> Tensor:
    return ((index & masks) == masks).long()
