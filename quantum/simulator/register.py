"""Amplitudes at work: basis states first, batch last, so that a step is a pass over memory."""

import torch
from jaxtyping import Complex
from torch import Tensor


class Register:
    """States [copy, amplitude, column] and a spare of that shape for what cannot work in place.

    A column is one element of the batch; in the adjoint sweep copy 0 is the state and copy 1 its
    adjoint, so that one call undoes a step for both.
    """

    def __init__(self, data: Complex[Tensor, "copy amplitude column"]) -> None:
        self.data = data
        self.spare = torch.empty_like(data)

    def flip(self) -> None:
        """The spare, filled by now, becomes the data."""
        self.data, self.spare = self.spare, self.data

    @property
    def n_copies(self) -> int:
        return self.data.shape[0]

    @property
    def n_columns(self) -> int:
        return self.data.shape[2]
