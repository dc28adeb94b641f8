"""Means of observables on a backend that only reads bits: the two halves around it.

`construct_circuits` turns a batch that asks for means into one that counts bits, one circuit per
group of words that are measured together; `combine_results` makes means of what comes back.
"""

from collections.abc import Sequence
from dataclasses import replace

from quantum.backends.base import Batch, Measured
from quantum.measurement import combine_counts, group_words


def construct_circuits(batch: Batch) -> Batch:
    """The circuits that must be measured, in the order circuit, group, row."""
    if not batch.observables:
        return batch
    groups = group_words(batch.observables)
    pairs = [
        (circuit + group.change_of_basis(circuit.n_qubits), rows)
        for circuit, rows in zip(batch.circuits, batch.values, strict=True)
        for group in groups
    ]
    if not pairs:  # multiples of the identity: nothing depends on a measurement
        pairs = list(zip(batch.circuits, batch.values, strict=True))
    circuits, values = zip(*pairs, strict=True)
    return replace(batch, circuits=circuits, values=values, observables=())


def combine_results(batch: Batch, measured: Sequence[Measured]) -> tuple[Measured, ...]:
    """The means that `batch` asked for, from the counts of its constructed circuits."""
    if not batch.observables:
        return tuple(measured)
    groups = group_words(batch.observables)
    found: list[Measured] = []
    start = 0
    for rows in batch.values:
        n_rows = len(rows)
        for row in range(n_rows):
            counts = [measured[start + g * n_rows + row].counts for g in range(len(groups))]
            pairs = combine_counts(batch.observables, groups, counts)
            means, errors = zip(*pairs, strict=True)
            found.append(Measured(means=means, errors=errors))
        start += n_rows * max(1, len(groups))
    return tuple(found)
