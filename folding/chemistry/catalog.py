"""What the chemical component dictionary says of a code at a glance, without the heavy chemistry.

Light enough for the process that answers browsers: a look-up reads one row of a file, and RDKit
(some 50 MB) is loaded when the first SMILES arrives.
"""

import json
import re
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from folding.chemistry.leaving import LeavingGroups, leaving_flags
from folding.chemistry.library import find, look_up
from folding.errors import InvalidInput

MAX_SMILES_ATOMS = 500
_MAX_NAME_CHARACTERS = 1000
# More than the components that share a name.
_SAME_NAMES = 50

COMMON_NAMES = {
    "ATP": "ATP", "ADP": "ADP", "AMP": "AMP", "GTP": "GTP", "GDP": "GDP",
    "NAD": "NAD+", "NAP": "NADP+", "FAD": "FAD", "FMN": "FMN", "COA": "coenzyme A",
    "SAM": "S-adenosylmethionine", "PLP": "pyridoxal phosphate", "HEM": "heme b",
    "CLR": "cholesterol", "GLC": "glucose", "NAG": "N-acetylglucosamine, GlcNAc",
    "MAN": "mannose", "BMA": "beta-mannose", "FUC": "fucose", "GAL": "galactose",
    "SIA": "sialic acid", "GOL": "glycerol", "SO4": "sulfate", "PO4": "phosphate",
    "MG": "magnesium", "ZN": "zinc", "CA": "calcium", "NA": "sodium", "K": "potassium",
    "CL": "chloride", "MN": "manganese", "FE": "iron(III)", "FE2": "iron(II)",
    "CU": "copper(II)", "CO": "cobalt", "NI": "nickel", "SF4": "iron-sulfur cluster",
}  # fmt: skip
"""What people call the components that they ask for most."""


@dataclass(frozen=True)
class ComponentSummary:
    """One component of the dictionary.

    Args:
        code: Its code, such as `ATP`.
        name: As the dictionary has it, such as `ADENOSINE-5'-TRIPHOSPHATE`.
        type: In capitals, such as `L-PEPTIDE LINKING` or `NON-POLYMER`.
        atom_names: Heavy atoms in the dictionary's order.
    """

    code: str
    name: str
    type: str
    atom_names: tuple[str, ...]

    @property
    def n_heavy_atoms(self) -> int:
        """Atoms that are no hydrogen."""
        return len(self.atom_names)

    def leaving_groups(self, atom: str) -> list[frozenset[str]]:
        """The groups of leaving atoms that hang on an atom, one for each bond it can make."""
        return _leaving(self.code).at(atom)


@lru_cache(maxsize=1024)
def component(code: str) -> ComponentSummary | None:
    """The component of that code, or None where the dictionary has none with a heavy atom."""
    row = look_up(code)
    if row is None:
        return None
    name, kind, atom_names, _ = row
    return ComponentSummary(code, name, kind, tuple(atom_names.split(" ")))


@lru_cache(maxsize=256)
def _leaving(code: str) -> LeavingGroups[str]:
    """What leaves a component, by the names of its atoms."""
    row = look_up(code)
    if row is None:
        return LeavingGroups((), leaving=())
    chemistry = json.loads(zlib.decompress(row[3]))
    names = chemistry["names"]
    flags = leaving_flags(row[1], names, chemistry["leaving"])
    bonds = ((names[first], names[second]) for first, second, *_ in chemistry["bonds"])
    leaving = {name for name, leaves in zip(names, flags, strict=True) if leaves}
    return LeavingGroups(bonds, leaving=leaving)


def search(text: str, *, limit: int) -> tuple[ComponentSummary, ...]:
    """Components whose code or name holds the text, the likeliest first; case does not count."""
    wanted = text.strip().lower()
    common = [code for code, name in COMMON_NAMES.items() if wanted and wanted in name.lower()]
    exact = [code for code in (text.strip().upper(),) if component(code)]
    codes = dict.fromkeys([*exact, *common, *(row[0] for row in find(text, limit=limit))])
    found = (component(code) for code in codes)
    return tuple(summary for summary in found if summary)[:limit]


def codes_of(text: str, *, own: Collection[str] = ()) -> tuple[str, ...]:
    """The codes that somebody means who types `NAG NAG BMA`, or `caffeine`.

    Text that is not made of the dictionary's codes is taken for a name, in so far as one component
    alone is called that or people mostly mean one; else its words are codes that others may know.

    Args:
        own: Codes of components of the user's own, which come before every name.
    """
    codes = tuple(re.split(r"[\s,;+]+", text.strip()))
    known = (code.upper() in own or component(code.upper()) for code in codes)
    if len(text) > _MAX_NAME_CHARACTERS or all(known):
        return codes
    wanted = " ".join(text.lower().split())
    common = [code for code, names in COMMON_NAMES.items() if wanted in _names(names)]
    named = [c.code for c in search(wanted, limit=_SAME_NAMES) if c.name.lower() == wanted]
    found = common or named
    return tuple(found) if len(found) == 1 else codes


def _names(common: str) -> list[str]:
    return common.lower().split(", ")


@lru_cache(maxsize=1024)
def smiles_atoms(smiles: str) -> int:
    """How many heavy atoms the molecule has.

    Raises:
        InvalidInput: Not SMILES, an impossible valence, no heavy atom, or more than 500.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        unchecked = Chem.MolFromSmiles(smiles, sanitize=False)
        if unchecked is None:
            raise InvalidInput(
                f"“{smiles[:60]}” cannot be read as SMILES. Check brackets and ring numbers, or "
                "draw the molecule anew and copy its SMILES."
            )
        n_atoms = sum(atom.GetAtomicNum() > 1 for atom in unchecked.GetAtoms())
        if any(atom.GetAtomicNum() == 0 for atom in unchecked.GetAtoms()):
            raise InvalidInput(f"“{smiles[:60]}” has an open place (“*”). Put an atom there.")
        if not 1 <= n_atoms <= MAX_SMILES_ATOMS:
            raise InvalidInput(
                f"A ligand has 1 to {MAX_SMILES_ATOMS} atoms that are no hydrogen, but this SMILES "
                f"has {n_atoms}."
            )
        try:
            problems = Chem.DetectChemistryProblems(unchecked)
        except RuntimeError:
            # RDKit counts the valence of an atom in one byte.
            raise InvalidInput(
                f"“{smiles[:60]}” is no possible molecule: an atom has too many bonds. Correct its "
                "brackets."
            ) from None
    if problems:
        raise InvalidInput(
            f"“{smiles[:60]}” is no possible molecule: {problems[0].Message()}. Correct its "
            "charges and bonds."
        )
    return int(n_atoms)
