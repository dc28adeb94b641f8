"""How a model's training showed it a job, where published models and ours differ."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReferenceStyle:
    """How a job is shown to a model.

    Args:
        terminal_atoms: A chain's last amino acid has its second carboxylate oxygen.
        embedded: Conformers are made with RDKit, as AF3 SI section 2.8 has it; else those of
            standard residues are the dictionary's ideal ones.
        shift: Å that conformers are moved at random along each axis, besides being turned.
        slots_by_name: A standard residue's atoms are numbered by their place in the whole
            component; else one after the other. It matters where a nucleotide lacks the oxygen that
            begins a chain, and chooses the weights that judge an atom.
        bare_ends: Standard residues never have the oxygens that begin or end a chain.
        query_twice: Where chains do not pair, the alignment begins with the sequences once more:
            they are all that the paired rows hold.
        paired_as_own: A chain's own rows begin with its paired ones, so that those are read too
            which find no partner in another chain.
    """

    terminal_atoms: bool = False
    embedded: bool = False
    shift: float = 0.0
    slots_by_name: bool = False
    bare_ends: bool = False
    query_twice: bool = False
    paired_as_own: bool = False


PUBLISHED = ReferenceStyle(
    terminal_atoms=True, embedded=True, shift=1.0, slots_by_name=True, query_twice=True
)
"""How AF3 shows a job; Protenix shows the paired rows as a chain's own besides."""
