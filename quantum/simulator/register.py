"""Amplitudes at work: basis states first, batch last, so that a step is a pass over memory."""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Buffer:
    """States [copy, amplitude, column], and the views of them that every step asks for."""

    data: Complex[Tensor, "copy amplitude column"]
    copies: tuple[Complex[Tensor, "amplitude column"], ...]
    real: Float[Tensor, " everything"]

    @classmethod
    def of(cls, data: Complex[Tensor, "copy amplitude column"]) -> "Buffer":
        return cls(data, data.unbind(0), torch.view_as_real(data).view(-1))


class Register:
    """States, and a spare of the same shape for steps that cannot work in place.

    A column is one element of the batch; in the adjoint sweep copy 0 is the state and copy 1 its
    adjoint, so that one call undoes a step for both.
    """

    def __init__(self, data: Complex[Tensor, "copy amplitude column"]) -> None:
        self.now = Buffer.of(data)
        self.spare = Buffer.of(torch.empty_like(data))
        self.n_copies, n_amplitudes, self.n_columns = data.shape
        self.n_qubits = n_amplitudes.bit_length() - 1

    def flip(self) -> None:
        """The spare, filled by now, becomes what counts."""
        self.now, self.spare = self.spare, self.now

    @property
    def data(self) -> Complex[Tensor, "copy amplitude column"]:
        return self.now.data
