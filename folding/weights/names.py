"""Name tables: which of our tensors is made of which of another program's.

Where we fuse projections of the same input into one, theirs follow each other along one axis.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from folding.errors import WeightsError
from folding.model.alphafold3 import AlphaFold3
from folding.model.config import ModelConfig


class Row(NamedTuple):
    """One of our tensors, and theirs that stand one after the other along an axis of it."""

    ours: str
    theirs: tuple[str, ...]
    axis: int = 0


Table = Mapping[str, str | tuple[str, ...]]
"""Names inside a module: ours to theirs. A name without its last part stands for a linear map or a
LayerNorm without offset; ``+`` before it says that there is an offset (bias) too."""


def rows(table: Table) -> Iterator[Row]:
    """The tensors of a table, ``.weight`` and where marked ``.bias``."""
    for ours, theirs in table.items():
        name, names = ours.removeprefix("+"), (theirs,) if isinstance(theirs, str) else theirs
        for kind in ("weight", "bias")[: 1 + ours.startswith("+")]:
            yield Row(f"{name}.{kind}", tuple(f"{part}.{kind}" for part in names))


def under(ours: str, theirs: str, inside: Iterable[Row] | Table) -> Iterator[Row]:
    """The rows of a module that sits at these two places."""
    for row in rows(inside) if isinstance(inside, Mapping) else inside:
        yield row._replace(
            ours=f"{ours}.{row.ours}", theirs=tuple(f"{theirs}.{name}" for name in row.theirs)
        )


def joined(row: Row, parts: Sequence[Tensor], *, widths: Sequence[int] | None = None) -> Tensor:
    """One of ours: the parts one after the other; a lone one is not copied.

    Args:
        widths: Of each part along the row's axis; all alike by default. Two that are wrong may add
            up to what is right.

    Raises:
        WeightsError: naming a part that does not go with the others.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    for name, part, width in zip(row.theirs, parts, widths or [0] * len(parts), strict=True):
        wanted = list(first.shape)
        if row.axis < len(wanted):
            wanted[row.axis] = width or wanted[row.axis]
        if list(part.shape) != wanted or row.axis >= len(wanted):
            raise WeightsError(
                f"{name} has shape {list(part.shape)}; as a part of {row.ours}, beside "
                f"{row.theirs[0]} of shape {list(first.shape)}, it needs {wanted}."
            )
    return torch.cat(list(parts), dim=row.axis)


def compare_names(state: Mapping[str, object], expected: set[str]) -> None:
    """Passes if the state has exactly these names.

    Raises:
        WeightsError: naming the first ones that are missing or left over.
    """
    for problem, names in (
        ("lack", expected - state.keys()),
        ("hold tensors that the network has no place for:", state.keys() - expected),
    ):
        if names:
            shown = ", ".join(sorted(names)[:5])
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            raise WeightsError(f"The weights {problem} {shown}{more}.")


def compare_shapes(own: Mapping[str, Tensor], config: ModelConfig, table: Iterable[Row]) -> None:
    """Passes if our tensors have the network's shapes.

    Raises:
        WeightsError: naming the first one that has not, by our name and theirs.
    """
    expected = shapes(config)
    for row in table:
        shape, wanted = own[row.ours].shape, expected[row.ours]
        if shape != wanted:
            names = " + ".join(row.theirs)
            raise WeightsError(
                f"{row.ours} ({names}) has shape {list(shape)}; the network needs {list(wanted)}."
            )


@cache
def shapes(config: ModelConfig) -> dict[str, torch.Size]:
    """The shape of every tensor of ours."""
    with torch.device("meta"):
        model = AlphaFold3(config)
    return {name: tensor.shape for name, tensor in model.state_dict().items()}


def elements_moved(own: Mapping[str, Tensor], config: ModelConfig, *, by: int) -> dict[str, Tensor]:
    """The maps that read element classes, with these moved: ours is the atomic number, theirs one
    less. The last class, which no atom has, takes the free place.
    """
    names = [name for name in own if name.endswith("reference.linear_features.weight")]
    moved = {}
    for name in names:
        mask, elements, chars = own[name].split([1, config.n_elements, 256], dim=1)
        moved[name] = torch.cat([mask, elements.roll(by, dims=1), chars], dim=1)
    return moved
