"""Moves: gates that permute basis states, composed into one gather."""

from functools import lru_cache

import torch
from jaxtyping import Int32
from torch import Tensor

from quantum.simulator.lowering import Move
from quantum.simulator.register import Register


@lru_cache(maxsize=64)
def sources(
    n_qubits: int, moves: tuple[Move, ...], device: torch.device
) -> tuple[Int32[Tensor, " amplitude"], Int32[Tensor, " amplitude"]]:
    """For every basis state after the moves the one it came from, and the same to undo them."""
    index = torch.arange(2**n_qubits, dtype=torch.int32, device=device)
    image = index
    for move in moves:
        image = _image(image, move, n_qubits)
    origin = torch.empty_like(index)
    origin[image.long()] = index
    return origin, image


def _image(index: Tensor, move: Move, n_qubits: int) -> Tensor:
    """Where the move sends each basis state."""
    shifts = [n_qubits - 1 - q for q in move.qubits]
    if move.gate == "x":
        return index ^ (1 << shifts[0])
    if move.gate in ("cx", "ccx"):
        return index ^ (_all_set(index, shifts[:-1]) << shifts[-1])
    assert move.gate in ("swap", "cswap")
    a, b = shifts[-2:]
    differ = (index >> a ^ index >> b) & _all_set(index, shifts[:-2])
    return index ^ (differ << a) ^ (differ << b)


def _all_set(index: Tensor, shifts: list[int]) -> Tensor:
    """1 where all the bits are set."""
    bit = torch.ones_like(index)
    for shift in shifts:
        bit = bit & (index >> shift)
    return bit


def move_amplitudes(register: Register, origin: Int32[Tensor, " amplitude"]) -> None:
    """Fills every basis state from the one it came from."""
    for old, new in zip(register.now.copies, register.spare.copies, strict=True):
        torch.index_select(old, 0, origin, out=new)
    register.flip()
