"""What leaves a component where it is joined to another."""

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

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


class LeavingGroups(Generic[Atom]):
    """What leaves a component, looked up atom by atom; its bonds are walked once.

    Args:
        leaving: The atoms that leave where a neighbour is joined to another component.
    """

    def __init__(self, bonds: Iterable[tuple[Atom, Atom]], *, leaving: Collection[Atom]) -> None:
        self._neighbours: dict[Atom, dict[Atom, None]] = {}
        for first, second in bonds:
            self._neighbours.setdefault(first, {})[second] = None
            self._neighbours.setdefault(second, {})[first] = None
        self._groups: dict[Atom, frozenset[Atom]] = {}
        alone = set(leaving) & self._neighbours.keys()
        while alone:
            group = self._connected(alone.pop(), alone)
            self._groups |= dict.fromkeys(group, group)

    def at(self, atom: Atom) -> list[frozenset[Atom]]:
        """The groups of leaving atoms that hang on an atom, one for each bond it can make."""
        return [self._groups[n] for n in self._neighbours.get(atom, ()) if n in self._groups]

    def _connected(self, start: Atom, alone: set[Atom]) -> frozenset[Atom]:
        """The atoms that hang together with one; they are taken from those that stand alone."""
        found, todo = {start}, [start]
        while todo:
            new = self._neighbours[todo.pop()].keys() & alone
            alone -= new
            found |= new
            todo += new
        return frozenset(found)


def dropped(groups: Iterable[Sequence[frozenset[Atom]]]) -> frozenset[Atom]:
    """The atoms that leave, given the groups at each atom that is joined, in order.

    Departure from Protenix, which draws the group at random: the first one that is left leaves.
    """
    gone: set[Atom] = set()
    for at_atom in groups:
        gone |= next((group for group in at_atom if gone.isdisjoint(group)), frozenset())
    return frozenset(gone)
