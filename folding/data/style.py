"""How a model's training showed it atoms, where published models and ours differ."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReferenceStyle:
    """How the atoms of a job are shown to a model.

    Args:
        terminal_atoms: A chain's last amino acid has its second carboxylate oxygen.
        embedded: Conformers are made with RDKit, as AF3 SI section 2.8 has it; else those of
            standard residues are the dictionary's ideal ones.
        shift: Å that conformers are moved at random along each axis, besides being turned.
    """

    terminal_atoms: bool = False
    embedded: bool = False
    shift: float = 0.0


PUBLISHED = ReferenceStyle(terminal_atoms=True, embedded=True, shift=1.0)
"""How AF3 and its open reproductions show atoms."""
