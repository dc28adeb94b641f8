"""What the chains of a structure are made of: what coordinates and names do not say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64

from folding.chemistry.components import Component
from folding.structure.structure import Structure

PROTEIN, RNA, DNA, LIGAND = "protein", "rna", "dna", "ligand"


@dataclass(frozen=True, eq=False)
class Composition:
    """The molecules of a structure.

    Args:
        kinds: `protein`, `rna`, `dna` or `ligand` for each chain id.
        components: Every component by its code.
        descriptions: What the person called a chain, by chain id; nothing where not called.
        joints: Atom pairs that are bonded across residues, other than along a chain.
        covalent: Every bonded atom pair that touches a residue which is not standard; those in
            ``joints`` and those along chains included.
        rings: Ids of chains whose ends are joined.
        notes: What a person should know about how the model was shown the molecules.
    """

    kinds: Mapping[str, str]
    components: Mapping[str, Component]
    descriptions: Mapping[str, str] = field(default_factory=dict)
    joints: Int64[np.ndarray, "joint 2"] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    covalent: Int64[np.ndarray, "covalent 2"] = field(
        default_factory=lambda: np.zeros((0, 2), np.int64)
    )
    rings: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def kind(self, chain_id: str) -> str:
        """The kind of a chain; a chain that nothing is said of is a protein."""
        return self.kinds.get(chain_id, PROTEIN)


def proteins_alone(structure: Structure) -> Composition:
    """The composition of a structure of which nothing else is known."""
    return Composition(kinds=dict.fromkeys(structure.chain_ids, PROTEIN), components={})
