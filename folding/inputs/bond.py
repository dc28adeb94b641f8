"""Covalent bonds between atoms of a job, wherever they sit."""

import re
from dataclasses import dataclass

from folding.errors import InvalidInput
from folding.inputs.text import quoted

MAX_BONDS = 1000
# Atom names of the dictionary: letters, digits, primes and, in old components, a few signs more.
_ATOM_NAME = re.compile(r"[A-Za-z0-9'\"*+-]{1,8}")


@dataclass(frozen=True)
class AtomRef:
    """One atom of a job.

    Args:
        chain_id: The copy that it belongs to.
        position: Its residue, or its component in a ligand, counted from 1.
        atom: Its name in the component, such as `SG`. Atoms of a ligand that was given as SMILES or
            as a file are named by element and order: `C1`, `C2`, `O1`.

    Raises:
        InvalidInput: `field` is `"position"` or `"atom"`.
    """

    chain_id: str
    position: int
    atom: str

    def __post_init__(self) -> None:
        if isinstance(self.position, bool) or not isinstance(self.position, int):
            raise InvalidInput(
                f"The residue of an atom is a whole number from 1, not {quoted(self.position)}.",
                field="position",
            )
        if not isinstance(self.atom, str) or not _ATOM_NAME.fullmatch(self.atom):
            raise InvalidInput(f"{quoted(self.atom)} is not the name of an atom.", field="atom")

    def __str__(self) -> str:
        return f"{self.chain_id}/{self.position}/{self.atom}"


@dataclass(frozen=True)
class Bond:
    """A covalent bond between two atoms.

    Raises:
        InvalidInput: An atom is bonded to itself.
    """

    first: AtomRef
    second: AtomRef

    def __post_init__(self) -> None:
        if self.first == self.second:
            raise InvalidInput(f"The atom {self.first} cannot be bonded to itself.")

    def __str__(self) -> str:
        return f"{self.first}–{self.second}"

    @property
    def ends(self) -> frozenset[AtomRef]:
        """Both atoms; the same for a bond that is written the other way round."""
        return frozenset((self.first, self.second))
