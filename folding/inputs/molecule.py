"""Small molecules as SDF (MOL V2000 and V3000) and MOL2 text: atoms and bonds, nothing judged."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from folding.errors import InvalidInput
from folding.inputs.text import check_characters, check_size, quoted

MAX_MOLECULE_CHARACTERS = 1_000_000
MAX_MOLECULE_ATOMS = 1000
_ELEMENT = re.compile("[A-Z][a-z]?")
_ELEMENTS = frozenset(
    """
    H D He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As
    Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Sm Eu Gd Tb
    Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi U
    """.split()  # noqa: SIM905
)
# The codes that a V2000 atom line has for formal charges.
_OLD_CHARGES = {1: 3, 2: 2, 3: 1, 5: -1, 6: -2, 7: -3}
_FARTHEST = 1e5
_WEDGES = {"1": "UP", "6": "DOWN"}
_CONFIGURATIONS = {"CFG=1": "UP", "CFG=3": "DOWN"}
_ORDERS = {"1": "SING", "2": "DOUB", "3": "TRIP", "4": "AROM", "ar": "AROM", "am": "SING"}
_WAY_OUT = "Save the molecule as SDF or MOL2 with explicit atoms, or give it as SMILES."


@dataclass(frozen=True)
class Atom:
    """One atom; coordinates in Å."""

    element: str
    position: tuple[float, float, float]
    charge: int = 0


@dataclass(frozen=True)
class MoleculeBond:
    """Two atoms by their index, and the order as CIF calls it: SING, DOUB, TRIP or AROM.

    Of a drawing `wedge` says whether the second atom lies before the paper (`UP`) or behind it
    (`DOWN`), seen from the first.
    """

    first: int
    second: int
    order: str
    wedge: str = ""


@dataclass(frozen=True)
class Molecule:
    """A molecule as a file describes it, hydrogens included where it has them."""

    atoms: tuple[Atom, ...]
    bonds: tuple[MoleculeBond, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each atom: its element in capitals, and which of these it is, as in `C1`."""
        counts: Counter[str] = Counter()
        names = []
        for atom in self.atoms:
            element = atom.element.upper()
            counts[element] += 1
            names.append(f"{element}{counts[element]}")
        return tuple(names)

    @property
    def is_drawn(self) -> bool:
        """Whether its coordinates are those of a drawing: all in one plane."""
        heights = [a.position[2] for a in self.atoms if a.element not in {"H", "D"}]
        return len(heights) > 3 and len(set(heights)) == 1

    @property
    def heavy_names(self) -> tuple[str, ...]:
        """The names of all atoms but hydrogen."""
        pairs = zip(self.atoms, self.names, strict=True)
        return tuple(name for atom, name in pairs if atom.element not in {"H", "D"})


@lru_cache(maxsize=64)
def read_molecule(text: str, *, field: str = "file") -> Molecule:
    """The first molecule of SDF, MOL or MOL2 text.

    Raises:
        InvalidInput: Too long, neither format, more than one molecule, or broken.
    """
    check_size(text, limit=MAX_MOLECULE_CHARACTERS, what="A ligand file", field=field)
    check_characters(text, what="A ligand file", field=field)
    is_mol2 = "@<TRIPOS>MOLECULE" in text
    try:
        molecule = _read_mol2(text) if is_mol2 else _read_sdf(text)
        _check(molecule)
    except InvalidInput as error:
        raise InvalidInput(f"{error} {_WAY_OUT}", field=field) from error
    return molecule


def _check(molecule: Molecule) -> None:
    n_atoms = len(molecule.atoms)
    if n_atoms > MAX_MOLECULE_ATOMS:
        raise InvalidInput(
            f"A ligand can have at most {MAX_MOLECULE_ATOMS} atoms, but the file has {n_atoms}."
        )
    if not molecule.heavy_names:
        raise InvalidInput("The ligand file has no atom but hydrogen.")
    seen: set[frozenset[int]] = set()
    for bond in molecule.bonds:
        ends = frozenset((bond.first, bond.second))
        if not all(0 <= end < n_atoms for end in ends) or len(ends) != 2:
            raise InvalidInput(
                f"The ligand file has a bond between atoms {bond.first + 1} and {bond.second + 1}, "
                f"but its atoms are 1 to {n_atoms}."
            )
        if ends in seen:
            raise InvalidInput(
                f"The ligand file has two bonds between atoms {bond.first + 1} and "
                f"{bond.second + 1}."
            )
        seen.add(ends)


def _element(text: str) -> str:
    name = text.strip().capitalize()
    if name not in _ELEMENTS:
        raise InvalidInput(f"{quoted(text.strip())} in the ligand file is not an element.")
    return name


def _position(words: Sequence[str]) -> tuple[float, float, float]:
    try:
        x, y, z = (float(word) for word in words)
    except ValueError:
        raise InvalidInput(
            f"{quoted(' '.join(words))} in the ligand file are not three coordinates."
        ) from None
    if not all(abs(value) < _FARTHEST for value in (x, y, z)):
        raise InvalidInput(f"The coordinate {max(x, y, z, key=abs)} in the ligand file is too far.")
    return x, y, z


def _whole(text: str, what: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(f"{quoted(text)} in the ligand file is not {what}.") from None


# SDF --------------------------------------------------------------------------------------------


def _read_sdf(text: str) -> Molecule:
    first, separator, rest = text.replace("\r\n", "\n").partition("$$$$")
    if separator and rest.strip():
        raise InvalidInput("The file holds more than one molecule: a ligand is one of them.")
    lines = first.splitlines()
    if len(lines) < 4 or not re.search(r"V[23]000\s*$", lines[3]):
        raise InvalidInput("This is not an SDF or MOL2 file: its fourth line has no “V2000”.")
    return _read_v3000(lines) if lines[3].rstrip().endswith("V3000") else _read_v2000(lines)


def _read_v2000(lines: Sequence[str]) -> Molecule:
    n_atoms = _whole(lines[3][:3], "a number of atoms")
    n_bonds = _whole(lines[3][3:6], "a number of bonds")
    atom_lines, bond_lines = lines[4 : 4 + n_atoms], lines[4 + n_atoms : 4 + n_atoms + n_bonds]
    _check_counts((n_atoms, n_bonds), (len(atom_lines), len(bond_lines)))
    charges = _charge_lines(lines[4 + n_atoms + n_bonds :])
    atoms = []
    for number, line in enumerate(atom_lines, start=1):
        position = _position([line[:10], line[10:20], line[20:30]])
        old = _OLD_CHARGES.get(_whole(line[36:39].strip() or "0", "a charge"), 0)
        atoms.append(
            Atom(_element(line[31:34]), position, charges.get(number, 0) if charges else old)
        )
    bonds = [
        replace(
            _bond(line[:3], line[3:6], line[6:9].strip(), "order of a bond"),
            wedge=_WEDGES.get(line[9:12].strip(), ""),
        )
        for line in bond_lines
    ]
    return Molecule(tuple(atoms), tuple(bonds))


def write_sdf(molecule: Molecule) -> str:
    """The molecule as MOL V2000 text, of at most 999 atoms."""
    orders = {"SING": 1, "DOUB": 2, "TRIP": 3, "AROM": 4}
    wedges = {word: number for number, word in _WEDGES.items()}
    atoms, bonds = molecule.atoms, molecule.bonds
    lines = ["", "", "", f"{len(atoms):3}{len(bonds):3}  0  0  0  0            999 V2000"]
    for atom in atoms:
        x, y, z = atom.position
        lines.append(f"{x:10.4f}{y:10.4f}{z:10.4f} {atom.element.capitalize():<3} 0  0")
    for bond in bonds:
        ends = f"{bond.first + 1:3}{bond.second + 1:3}"
        lines.append(f"{ends}{orders[bond.order]:3}{wedges.get(bond.wedge, '0'):>3}")
    charged = [(number, a.charge) for number, a in enumerate(atoms, start=1) if a.charge]
    lines += [f"M  CHG  1{number:4}{charge:4}" for number, charge in charged]
    return "\n".join([*lines, "M  END", ""])


def _check_counts(announced: tuple[int, int], found: tuple[int, int]) -> None:
    """Refuses files that were cut short: fewer atoms or bonds than their head says."""
    if min(announced) < 0 or any(n < said for n, said in zip(found, announced, strict=True)):
        raise InvalidInput(
            f"The ligand file announces {announced[0]} atoms and {announced[1]} bonds, but it ends "
            "before."
        )


def _charge_lines(lines: Sequence[str]) -> dict[int, int]:
    """Formal charges by atom number from the `M  CHG` lines."""
    charges: dict[int, int] = {}
    for line in lines:
        if line.startswith("M  END"):
            break
        if line.startswith("M  CHG"):
            numbers = [_whole(word, "a charge") for word in line[9:].split()]
            charges |= dict(zip(numbers[::2], numbers[1::2], strict=False))
    return charges


def _bond(first: str, second: str, order: str, what: str) -> MoleculeBond:
    if order not in _ORDERS:
        raise InvalidInput(f"{quoted(order)} in the ligand file is not the {what}.")
    one, other = (_whole(end.strip(), "the number of an atom") - 1 for end in (first, second))
    return MoleculeBond(one, other, _ORDERS[order])


def _read_v3000(lines: Sequence[str]) -> Molecule:
    rows = _joined([line[7:] for line in lines if line.startswith("M  V30 ")])
    atoms: list[Atom] = []
    numbers: dict[str, int] = {}
    bonds = []
    announced = (0, 0)
    table = ""
    for row in rows:
        words = row.split()
        if words[:1] == ["COUNTS"] and len(words) >= 3:
            n_atoms, n_bonds = (_whole(word, "a number of atoms or bonds") for word in words[1:3])
            announced = (n_atoms, n_bonds)
        if words[:1] in (["BEGIN"], ["END"]):
            table = words[1] if words[0] == "BEGIN" and len(words) > 1 else ""
        elif table == "ATOM" and len(words) >= 6:
            numbers[words[0]] = len(atoms)
            charge = next((w[4:] for w in words[6:] if w.startswith("CHG=")), "0")
            atoms.append(
                Atom(_element(words[1]), _position(words[2:5]), _whole(charge, "a charge"))
            )
        elif table == "BOND" and len(words) >= 4:
            first, second = (str(numbers.get(word, -1) + 1) for word in words[2:4])
            wedge = next((_CONFIGURATIONS[w] for w in words[4:] if w in _CONFIGURATIONS), "")
            bond = _bond(first, second, words[1], "order of a bond")
            bonds.append(replace(bond, wedge=wedge))
    _check_counts(announced, (len(atoms), len(bonds)))
    return Molecule(tuple(atoms), tuple(bonds))


def _joined(rows: Sequence[str]) -> list[str]:
    """Rows that go on after a hyphen, put together."""
    joined: list[str] = []
    goes_on = False
    for row in rows:
        text = row.rstrip()
        if goes_on:
            joined[-1] += text.removesuffix("-")
        else:
            joined.append(text.removesuffix("-"))
        goes_on = text.endswith("-")
    return joined


# MOL2 -------------------------------------------------------------------------------------------


def _read_mol2(text: str) -> Molecule:
    if text.count("@<TRIPOS>MOLECULE") > 1:
        raise InvalidInput("The file holds more than one molecule: a ligand is one of them.")
    sections: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("@<TRIPOS>"):
            rows = sections.setdefault(line.strip().removeprefix("@<TRIPOS>"), [])
        elif line.strip() and not line.startswith("#"):
            rows.append(line.split())
    atoms: list[Atom] = []
    kinds: list[str] = []
    numbers: dict[str, int] = {}
    for words in sections.get("ATOM", []):
        if len(words) < 6:
            raise InvalidInput(f"{quoted(' '.join(words))} in the ligand file is not an atom.")
        numbers[words[0]] = len(atoms)
        element = _ELEMENT.match(words[5].partition(".")[0].capitalize())
        atoms.append(
            Atom(_element(element.group() if element else words[5]), _position(words[2:5]))
        )
        kinds.append(words[5])
    bonds = []
    for words in sections.get("BOND", []):
        if len(words) < 4:
            raise InvalidInput(f"{quoted(' '.join(words))} in the ligand file is not a bond.")
        first, second = (str(numbers.get(word, -1) + 1) for word in words[1:3])
        bonds.append(_bond(first, second, words[3], "type of a bond"))
    _check_counts(_announced(text), (len(atoms), len(bonds)))
    return Molecule(_charged(atoms, kinds, bonds), tuple(bonds))


def _announced(text: str) -> tuple[int, int]:
    """Atoms and bonds that the head of MOL2 text announces; none where it does not say."""
    lines = text[text.index("@<TRIPOS>MOLECULE") :].splitlines()
    words = lines[2].split() if len(lines) > 2 else []
    numbers = [int(word) for word in words[:2] if word.isdecimal() and len(word) < 6]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0)


def _charged(
    atoms: Sequence[Atom], kinds: Sequence[str], bonds: Sequence[MoleculeBond]
) -> tuple[Atom, ...]:
    """The atoms with the formal charges that MOL2 says by their types alone."""
    orders: dict[int, list[str]] = {}
    for bond in bonds:
        for end in (bond.first, bond.second):
            orders.setdefault(end, []).append(bond.order)
    charges = {
        index: 1 if kind == "N.4" else -1
        for index, kind in enumerate(kinds)
        if kind == "N.4" or (kind == "O.co2" and orders.get(index) == ["SING"])
    }
    return tuple(replace(atom, charge=charges.get(i, 0)) for i, atom in enumerate(atoms))
