"""A molecular structure as flat arrays over its atoms."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Integer, Shaped

from folding.chemistry.residues import CLASSES, CODES, DNA_CODES, LETTERS, RNA_CODES

# AF3 SI 2.6: the centre atom of a polymer token; any other token is a single atom.
CENTRE_ATOMS = ("CA", "C1'")
_UNKNOWN_LETTER = "X"
_ONE_LETTER = dict(zip(CODES, LETTERS, strict=True)) | {
    code: code[-1] for code in (*RNA_CODES, *DNA_CODES)
}
_KINDS = ("protein",) * len(CODES) + ("rna",) * len(RNA_CODES) + ("dna",) * len(DNA_CODES)


@dataclass(frozen=True)
class Structure:
    """Atoms with their names, residues, chains and tokens; chains and residues are contiguous.

    Args:
        coordinates: Å.
        element: Symbols in capitals, such as `C` or `FE`.
        atom_name: PDB names, such as `CA`.
        residue_name: CCD codes, such as `ALA`.
        residue_number: Counts from 1 in every chain.
        chain_id: The id of the chain's copy.
        entity_id: Counts from 1; copies share it.
        token_index: Index of the token that the atom belongs to.
        token_chain_id: The chain of each token.
    """

    coordinates: Float32[np.ndarray, "atom 3"]
    element: Shaped[np.ndarray, " atom"]
    atom_name: Shaped[np.ndarray, " atom"]
    residue_name: Shaped[np.ndarray, " atom"]
    residue_number: Integer[np.ndarray, " atom"]
    chain_id: Shaped[np.ndarray, " atom"]
    entity_id: Integer[np.ndarray, " atom"]
    token_index: Integer[np.ndarray, " atom"]
    token_chain_id: Shaped[np.ndarray, " token"]

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.coordinates)

    @property
    def n_tokens(self) -> int:
        """Number of tokens."""
        return len(self.token_chain_id)

    @property
    def chain_ids(self) -> tuple[str, ...]:
        """The id of each chain, in order."""
        return tuple(dict.fromkeys(self.token_chain_id.tolist()))

    @property
    def residue_starts(self) -> Integer[np.ndarray, " residue"]:
        """Index of the first atom of each residue."""
        new = np.ones(self.n_atoms, dtype=bool)
        new[1:] = (self.residue_number[1:] != self.residue_number[:-1]) | (
            self.chain_id[1:] != self.chain_id[:-1]
        )
        return np.flatnonzero(new)

    @property
    def token_residue_number(self) -> Integer[np.ndarray, " token"]:
        """The residue that each token belongs to, numbered within its chain."""
        return self.residue_number[self.centre_atoms]

    @property
    def centre_atoms(self) -> Integer[np.ndarray, " token"]:
        """Index of the centre atom of each token: CA, C1', or the only atom."""
        is_centre = np.isin(self.atom_name, CENTRE_ATOMS)
        # A stable sort by (token, not centre) puts the wanted atom first in its token.
        order = np.lexsort((~is_centre, self.token_index))
        _, first = np.unique(self.token_index[order], return_index=True)
        return order[first]

    @property
    def chain_kinds(self) -> dict[str, str]:
        """`protein`, `rna`, `dna` or `ligand` for each chain, by its first standard residue.

        A residue counts where it is one token: an amino acid that is a ligand is one for each atom.
        """
        kinds = dict.fromkeys(self.chain_ids, "ligand")
        starts = self.residue_starts
        stops = np.append(starts[1:], self.n_atoms) - 1
        whole = self.token_index[starts] == self.token_index[stops]
        chains = self.chain_id[starts].tolist()
        for name, chain, one in zip(self.residue_name[starts].tolist(), chains, whole, strict=True):
            if one and kinds[chain] == "ligand" and name in CLASSES:
                kinds[chain] = _KINDS[CLASSES[name]]
        return kinds

    def sequence(self, chain_id: str) -> str:
        """The one-letter codes of a chain, X where a residue has none."""
        starts = self.residue_starts
        return "".join(
            one_letter(name)
            for name, chain in zip(
                self.residue_name[starts].tolist(), self.chain_id[starts].tolist(), strict=True
            )
            if chain == chain_id
        )

    def with_coordinates(self, coordinates: Float32[np.ndarray, "atom 3"]) -> "Structure":
        """The same atoms elsewhere."""
        return replace(self, coordinates=coordinates)

    def select(self, mask: Bool[np.ndarray, " atom"]) -> "Structure":
        """The atoms of the mask; tokens without atoms disappear, the others are renumbered."""
        tokens, token_index = np.unique(self.token_index[mask], return_inverse=True)
        return Structure(
            coordinates=self.coordinates[mask],
            element=self.element[mask],
            atom_name=self.atom_name[mask],
            residue_name=self.residue_name[mask],
            residue_number=self.residue_number[mask],
            chain_id=self.chain_id[mask],
            entity_id=self.entity_id[mask],
            token_index=token_index,
            token_chain_id=self.token_chain_id[tokens],
        )


def one_letter(residue_name: str) -> str:
    """The one-letter code of a standard residue by its CCD code, X for anything else."""
    return _ONE_LETTER.get(residue_name, _UNKNOWN_LETTER)
