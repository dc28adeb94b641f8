"""What every vector store does, and what filters mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float

from quantum.errors import InvalidValues

Fact: TypeAlias = str | int | float | bool
Facts: TypeAlias = Mapping[str, Fact]
# A fact equals the value, or is one of a list of values; all conditions must hold.
Filter: TypeAlias = Mapping[str, Fact | Sequence[Fact]]


@dataclass(frozen=True, eq=False)
class Item:
    """A vector to be kept.

    Args:
        id: any text up to 200 characters; the same id replaces.
        facts: to filter by.
    """

    id: str
    vector: Float[np.ndarray, " entry"]
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Match:
    """What a query found.

    Args:
        score: the cosine of the angle between vector and query, 1 for the same direction.
    """

    id: str
    score: float
    facts: Facts = field(default_factory=dict)


@runtime_checkable
class VectorStore(Protocol):
    """Vectors of one length. Calls are safe to repeat: after an error that is `transient`, the same
    call may be made again."""

    def upsert(self, items: Sequence[Item]) -> None:
        """Adds the items; those with a known id are replaced."""

    def query(
        self, vector: Float[np.ndarray, " entry"], *, limit: int = 10, where: Filter | None = None
    ) -> list[Match]:
        """The nearest by cosine, best first."""

    def delete(self, ids: Sequence[str]) -> None:
        """Forgets the ids; unknown ones are no error."""

    def count(self, where: Filter | None = None) -> int:
        """How many vectors there are, or how many fit the filter."""


def check_items(items: Sequence[Item], size: int) -> list[Item]:
    """The items, the last of those that share an id; raises `InvalidValues`."""
    for item in items:
        if not 0 < len(item.id) <= 200:
            raise InvalidValues(f"an id has 1 to 200 characters, not {len(item.id)}")
        check_vector(item.vector, size)
        check_facts(item.facts)
    return list({item.id: item for item in items}.values())


def check_vector(vector: np.ndarray, size: int) -> np.ndarray:
    """The vector as float32; raises `InvalidValues` for one that has no direction."""
    found = np.asarray(vector, dtype=np.float32)
    if found.shape != (size,):
        raise InvalidValues(f"vectors here have {size} entries, not {list(found.shape)}")
    length = float(np.linalg.norm(found.astype(np.float64)))
    if not isfinite(length) or length == 0.0:
        raise InvalidValues("a vector needs finite entries that are not all 0")
    return found


def check_facts(facts: Facts) -> None:
    for name, value in facts.items():
        if not name.isidentifier():
            raise InvalidValues(f"a fact's name is letters, digits and _, not {name!r}")
        if not isinstance(value, str | int | float | bool):
            raise InvalidValues(f"fact {name} is text, a number or a truth value, not {value!r}")


def conditions(where: Filter | None) -> dict[str, list[Fact]]:
    """For each fact the values that fit; raises `InvalidValues`."""
    found: dict[str, list[Fact]] = {}
    for name, value in (where or {}).items():
        values = [value] if isinstance(value, str | int | float | bool) else list(value)
        for each in values or [0]:
            check_facts({name: each})
        found[name] = values
    return found


def fits(facts: Facts, asked: Mapping[str, Sequence[Fact]]) -> bool:
    """True where every fact asked for is there with one of its values; 1 and True differ."""
    return all(
        any(same(facts.get(name), value) for value in values) for name, values in asked.items()
    )


def same(fact: Fact | None, value: Fact) -> bool:
    return isinstance(fact, bool) == isinstance(value, bool) and fact == value
