"""Diagonal operators of many qubits as small tables.

The qubits fall into three groups; a word of Z that touches two of them is a table over these two.
So an Ising cost on 24 qubits is three tables of 2^16 numbers instead of one of 2^24, and its phases
take three multiplications per amplitude instead of a sine and a cosine. Words across all three
groups share a full table, which only they make necessary.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from quantum.errors import InvalidObservable
from quantum.observable import PauliSum
from quantum.simulator.signs import parity_patterns

BLOCK = 16  # qubits of a block: 2^16 amplitudes stay in the cache


@dataclass(frozen=True)
class CostTables:
    """A diagonal operator over [high, middle, low] qubits: the sum of its tables, broadcast.

    Args:
        tables: each [high or 1, middle or 1, low or 1], real.
    """

    shape: tuple[int, int, int]
    tables: tuple[Float[Tensor, "_high _middle _low"], ...]

    @property
    def n_amplitudes(self) -> int:
        high, middle, low = self.shape
        return high * middle * low

    def map_tables(self, function: Callable[[Tensor], Tensor]) -> tuple[Tensor, ...]:
        return tuple(function(table) for table in self.tables)

    def energies(self, axis: int, cut: slice) -> Float[Tensor, "_high _middle _low"]:
        """The operator's values in a part of the basis states."""
        total, *rest = part_of(self.tables, axis, cut)
        for part in rest:
            total = total + part
        return total

    def diagonal(self) -> Float[Tensor, " amplitude"]:
        """The operator's values in all basis states."""
        return self.energies(0, slice(None)).expand(self.shape).flatten()


def part_of(tables: tuple[Tensor, ...], axis: int, cut: slice) -> Iterator[Tensor]:
    """What each table says about the states that a cut along one axis leaves, still broadcast."""
    for table in tables:
        yield table if table.shape[axis] == 1 else table[(slice(None),) * axis + (cut,)]


def compile_cost(
    observable: PauliSum,
    n_qubits: int,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> CostTables:
    """The tables of a sum of words of Z; raises `InvalidObservable` for anything else."""
    observable.check_fits(n_qubits)
    if not (observable.is_diagonal and observable.is_hermitian):
        raise InvalidObservable(f"the cost must be a real sum of words of Z: {observable}")
    groups = _groups(n_qubits)
    owner = {q: number for number, group in enumerate(groups) for q in group}
    words: dict[tuple[int, ...], list[tuple[tuple[int, ...], float]]] = {}
    for word, coefficient in observable.terms:
        qubits = tuple(q for q, _ in word)
        touched = _table_of({owner[q] for q in qubits})
        words.setdefault(touched, []).append((qubits, coefficient.real))
    if not words:
        words[1, 2] = []  # a table of zeros
    like = torch.zeros(0, dtype=torch.float64, device=device)
    tables = (_table(groups, touched, terms, like).to(dtype) for touched, terms in words.items())
    shape = tuple(2 ** len(group) for group in groups)
    return CostTables((shape[0], shape[1], shape[2]), tuple(tables))


def _groups(n_qubits: int) -> tuple[range, range, range]:
    """The qubits that number the blocks, and both halves of those inside a block."""
    n_high = max(0, n_qubits - BLOCK)
    middle = n_high + (n_qubits - n_high) // 2
    return range(n_high), range(n_high, middle), range(middle, n_qubits)


def _table_of(touched: set[int]) -> tuple[int, ...]:
    """The groups of the table that a word goes to; words on one group join a pair."""
    if len(touched) == 3:
        return (0, 1, 2)
    if 0 not in touched:
        return (1, 2)
    return (0, 2) if 2 in touched else (0, 1)


def _table(
    groups: tuple[range, range, range],
    touched: tuple[int, ...],
    terms: list[tuple[tuple[int, ...], float]],
    like: Tensor,
) -> Tensor:
    """Σ coefficient · sign over the basis states of the touched groups."""
    qubits = [q for number in touched for q in groups[number]]
    place = {q: len(qubits) - 1 - i for i, q in enumerate(qubits)}
    masks = [sum(1 << place[q] for q in word) for word, _ in terms]
    signs = parity_patterns(masks, len(qubits), like=like)
    values = signs.expand(like.new_tensor([coefficient for _, coefficient in terms])[:, None])
    shape = [2 ** len(group) if n in touched else 1 for n, group in enumerate(groups)]
    return values.view(shape)
