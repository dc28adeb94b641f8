"""Residues once they are joined: which atoms are still there, and what is one token."""

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import NamedTuple

from folding.chemistry.leaving import dropped
from folding.inputs.components import Component, Components
from folding.inputs.sequence import AMINO_ACID_RESIDUES, DNA, RNA

STANDARD = frozenset(
    {*AMINO_ACID_RESIDUES.values(), *RNA.residues.values(), *DNA.residues.values()}
)
"""Components that are one token as a residue, whichever polymer they stand in."""


class Residue(NamedTuple):
    """A residue of a chain, or a component of a ligand, before anything is joined to it."""

    component: Component
    is_token: bool

    def kept(self, joined: Iterable[str]) -> tuple[str, ...]:
        """The heavy atoms that stay where bonds are made at these atoms, in that order."""
        gone = dropped(self.component.leaving_groups(atom) for atom in joined)
        return tuple(name for name in self.component.atom_names if name not in gone)


class Strand:
    """The residues of a polymer, looked up as they are asked for; positions count from 1.

    Args:
        names: The component of each residue.
        modified: Positions at which the user names the component.
        ends: The atoms that bond neighbours: of the one before, of the one behind.
    """

    def __init__(
        self,
        names: Sequence[str],
        components: Components,
        *,
        modified: Collection[int],
        ends: tuple[str, str],
        cyclic: bool,
    ) -> None:
        self._names, self._components, self._modified = names, components, frozenset(modified)
        self._ends, self._cyclic = ends, cyclic

    def residue(self, position: int) -> Residue:
        """The residue there; what stands for a letter is the dictionary's, whoever defines it.

        Raises:
            InvalidInput: There is no such component.
        """
        code = self._names[position - 1]
        if position not in self._modified:
            return Residue(_of_letter(code), True)
        found = self._components.find(code, field="modifications")
        return Residue(found, code in STANDARD and code not in self._components.own)

    def joints(self, position: int) -> list[str]:
        """The atoms by which a residue hangs on its neighbours."""
        n_residues = len(self._names)
        before = position - 1 or (n_residues if self._cyclic else 0)
        behind = position + 1 if position < n_residues else (1 if self._cyclic else 0)
        tail, head = self._ends
        joints = [head] if before and self._are_joined(before, position) else []
        return [*joints, tail] if behind and self._are_joined(position, behind) else joints

    def _are_joined(self, first: int, second: int) -> bool:
        tail, head = self._ends
        has_tail = tail in self.residue(first).component.atom_names
        return has_tail and head in self.residue(second).component.atom_names


@cache
def _of_letter(code: str) -> Component:
    return Components().find(code, field="sequence")
