"""The standard amino acids: atoms, elements, charges and reference conformers.

Source: the chemical component dictionary bundled with biotite, of which `residues.json` keeps these
21 entries. Atoms stand in the dictionary's order, heavy atoms only, without the carboxylate oxygen
that leaves when a peptide bond forms.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

TABLE = Path(__file__).with_name("residues.json")

LETTERS = "ARNDCQEGHILKMFPSTWYVX"
"""One-letter codes in the order of AF3's residue classes 0-20 (SI table 5); X is unknown."""

CODES = (
    *("ALA", "ARG", "ASN", "ASP", "CYS", "GLN", "GLU", "GLY", "HIS", "ILE", "LEU"),
    *("LYS", "MET", "PHE", "PRO", "SER", "THR", "TRP", "TYR", "VAL", "UNK"),
)
"""Three-letter codes in the same order."""

RNA_CODES = ("A", "G", "C", "U", "N")
DNA_CODES = ("DA", "DG", "DC", "DT", "DN")
"""Nucleotides in the order of their classes, the unknown one last."""

CLASSES = {code: number for number, code in enumerate((*CODES, *RNA_CODES, *DNA_CODES))}
"""The class of every standard residue by its code."""

GAP_CLASS = 31
"""The class of a gap in an alignment; 21-30 are nucleotides."""

UNKNOWN_ATOMS = ("N", "CA", "C", "O", "CB")
"""What an unknown residue is folded with: the atoms that nearly all residues share."""


@dataclass(frozen=True)
class Residue:
    """One amino acid as the network sees it.

    ``positions`` are the dictionary's ideal coordinates in Å, centred.
    """

    code: str
    letter: str
    restype: int
    atom_names: tuple[str, ...]
    elements: Int64[np.ndarray, " atom"]
    charges: Float32[np.ndarray, " atom"]
    positions: Float32[np.ndarray, "atom 3"]

    @property
    def representative(self) -> int:
        """Slot of the atom that stands for the residue in distances: Cβ, or Cα of glycine."""
        return self.atom_names.index("CB" if "CB" in self.atom_names else "CA")


@cache
def standard_residues() -> tuple[Residue, ...]:
    """All 21 residues, in class order, from the table beside this file."""
    rows = json.loads(TABLE.read_text())
    return tuple(
        Residue(
            code=code,
            letter=letter,
            restype=restype,
            atom_names=tuple(rows[code]["atom_names"]),
            elements=np.array(rows[code]["elements"], dtype=np.int64),
            charges=np.array(rows[code]["charges"], dtype=np.float32),
            positions=np.array(rows[code]["positions"], dtype=np.float32),
        )
        for restype, (code, letter) in enumerate(zip(CODES, LETTERS, strict=True))
    )


def representative_name(code: str) -> str:
    """The atom that stands for a standard residue in distances (AF3 SI section 4.4).

    C4 of a purine, C2 of a pyrimidine; C1' where the base is unknown, as Protenix has it.
    """
    if code in CODES:
        return "CA" if code == "GLY" else "CB"
    return {"A": "C4", "G": "C4", "N": "C1'"}.get(code[-1], "C2")


def frame_names(code: str) -> tuple[str, str, str]:
    """The atoms of a standard residue's frame (AF3 SI section 4.3.2)."""
    return ("N", "CA", "C") if code in CODES else ("C1'", "C3'", "C4'")


def derived_class(kind: str, letter: str) -> int:
    """The class of a residue that is not standard: of the one it derives from, or unknown.

    Args:
        kind: `protein`, `rna`, `dna` or `ligand`.
        letter: Of the standard residue, or nothing.
    """
    if kind == "rna":
        return CLASSES[letter if letter in RNA_CODES else "N"]
    if kind == "dna":
        return CLASSES["D" + letter if "D" + letter in DNA_CODES else "DN"]
    return LETTERS.index(letter if kind == "protein" and letter in LETTERS and letter else "X")


def read_dictionary(code: str) -> dict[str, list]:
    """The row of one residue from the dictionary, which takes seconds and 800 MB to load."""
    from biotite.structure import info

    atoms = info.residue("ALA" if code == "UNK" else code)
    names = [str(name) for name in atoms.atom_name]
    keep = [
        slot
        for slot, element in enumerate(atoms.element)
        if element not in ("H", "D")
        and names[slot] != "OXT"
        and (code != "UNK" or names[slot] in UNKNOWN_ATOMS)
    ]
    positions = np.asarray(atoms.coord[keep], dtype=np.float64)
    return {
        "atom_names": [names[slot] for slot in keep],
        "elements": [ATOMIC_NUMBERS[atoms.element[slot]] for slot in keep],
        "charges": [int(atoms.charge[slot]) for slot in keep],
        "positions": (positions - positions.mean(0)).round(4).tolist(),
    }


ATOMIC_NUMBERS = {"C": 6, "N": 7, "O": 8, "S": 16}
"""Atomic numbers of the heavy elements in amino acids."""

SYMBOLS = {number: symbol for symbol, number in ATOMIC_NUMBERS.items()}
"""Element symbols by atomic number."""


def main() -> None:
    """Writes the table anew: `python -m folding.chemistry.residues`."""
    rows = {code: read_dictionary(code) for code in CODES}
    lines = [f"{json.dumps(code)}: {json.dumps(row)}" for code, row in rows.items()]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
