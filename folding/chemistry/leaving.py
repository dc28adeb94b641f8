"""What leaves a component where it is joined to another."""

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import TypeVar

Atom = TypeVar("Atom", bound=Hashable)
# Some 70 residues of the dictionary do not say that the oxygen at their end leaves.
_END_OXYGENS = frozenset({"OXT", "OP3"})


def leaving_flags(kind: str, names: Sequence[str], flags: Sequence[bool]) -> tuple[bool, ...]:
    """Whether each atom leaves: as the component says, and the oxygens that end a polymer.

    Args:
        kind: The component's type in the dictionary, such as `L-PEPTIDE LINKING`.
    """
    ends = _END_OXYGENS if "LINKING" in kind.upper() else frozenset()
    return tuple(flag or name in ends for name, flag in zip(names, flags, strict=True))


def leaving_groups(
    atom: Atom, *, bonds: Iterable[tuple[Atom, Atom]], leaving: Collection[Atom]
) -> list[frozenset[Atom]]:
    """The groups of leaving atoms that hang on an atom, one for each bond it can make."""
    neighbours: dict[Atom, list[Atom]] = {}
    for first, second in bonds:
        neighbours.setdefault(first, []).append(second)
        neighbours.setdefault(second, []).append(first)
    groups = []
    for start in neighbours.get(atom, []):
        if start not in leaving:
            continue
        found, todo = {start}, [start]
        while todo:
            new = {n for n in neighbours[todo.pop()] if n in leaving} - found
            found |= new
            todo += new
        groups.append(frozenset(found))
    return groups


def dropped(groups: Iterable[Sequence[frozenset[Atom]]]) -> frozenset[Atom]:
    """The atoms that leave, given the groups at each atom that is joined, in order.

    Departure from Protenix, which draws the group at random: the first one that is left leaves.
    """
    gone: frozenset[Atom] = frozenset()
    for at_atom in groups:
        gone |= next((group for group in at_atom if not group & gone), frozenset())
    return gone
