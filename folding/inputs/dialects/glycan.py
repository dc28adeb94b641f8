"""Glycans written as a tree of components, and the atoms that hold them together.

AlphaFold Server writes `NAG(NAG)(BMA)`: a parent, and each branch in parentheses. It does not say
which atoms are bonded, so the linkages that nature uses for these pairs of sugars are taken; a pair
without such a linkage is refused. Chai writes `NAG(4-1 NAG)`: oxygen 4 of the parent to carbon 1.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from folding.errors import InvalidInput
from folding.inputs.bond import AtomRef, Bond
from folding.inputs.modification import clean_code
from folding.inputs.text import check_size, quoted

MAX_GLYCAN_CHARACTERS = 500
MAX_GLYCAN_SUGARS = 50
_TOKEN = re.compile(r"\s*(?:(?P<bracket>[()])|(?P<linkage>\d-\d)\s+|(?P<code>[A-Za-z0-9]{1,5}))")
# Where a branch hangs on its parent: the oxygens that are tried in turn. N-glycans have a core
# Man3GlcNAc2 (β1-4, then α1-3 and α1-6) with fucose α1-6 or α1-3 on the first sugar and LacNAc
# antennae (Varki et al., Essentials of Glycobiology, 4th edition, chapters 9 and 10). In those with
# many mannoses, Man5 to Man9, the α1-6 arm branches once more into α1-3 and α1-6; all that is
# longer is α1-2.
_LINKAGES: dict[tuple[str, str], tuple[str, ...]] = {
    ("NAG", "NAG"): ("O4", "O6"),
    ("NAG", "BMA"): ("O4",),
    ("NAG", "MAN"): ("O4",),
    ("NAG", "FUC"): ("O6", "O3"),
    ("NAG", "FUL"): ("O6", "O3"),
    ("NAG", "GAL"): ("O4", "O3"),
    ("BMA", "MAN"): ("O6", "O3"),
    ("BMA", "BMA"): ("O4",),
    ("BMA", "NAG"): ("O4",),
    ("MAN", "MAN"): ("O6", "O3", "O2"),
    ("MAN", "NAG"): ("O2", "O4", "O6"),
    ("MAN", "BMA"): ("O4",),
    ("GAL", "SIA"): ("O6", "O3"),
    ("GAL", "NAG"): ("O3", "O6"),
    ("GAL", "FUC"): ("O2",),
    ("A2G", "GAL"): ("O3",),
    ("A2G", "NAG"): ("O6", "O3"),
    ("A2G", "SIA"): ("O6",),
    ("GLC", "GLC"): ("O4", "O6"),
    ("BGC", "BGC"): ("O4", "O6"),
    ("BGC", "GAL"): ("O4",),
    ("FUC", "BGC"): ("O3",),
    ("SIA", "SIA"): ("O8",),
}
# Where a branch hangs that is the only one of its kind.
_ALONE = {("MAN", "MAN"): "O2"}
# Sialic acids are ketoses: their second carbon is the one that reaches out.
_ANOMERIC = {"SIA": "C2", "SLB": "C2"}
_PROTEIN_ATOMS = {"N": "ND2", "S": "OG", "T": "OG1"}


@dataclass
class Sugar:
    """One component of a glycan and the branches on it.

    Args:
        oxygen: The parent's atom that holds it, and `carbon` its own; empty where nobody said.
    """

    code: str
    oxygen: str = ""
    carbon: str = ""
    branches: list["Sugar"] = field(default_factory=list)


@dataclass(frozen=True)
class Glycan:
    """The components of a glycan in the order of a ligand, and the bonds between them."""

    codes: tuple[str, ...]
    links: tuple[tuple[int, str, int, str], ...]
    """Parent, its atom, branch, its atom; positions count from 1."""

    def bonds(self, chain_id: str) -> tuple[Bond, ...]:
        """The bonds of one copy."""
        return tuple(
            Bond(AtomRef(chain_id, parent, oxygen), AtomRef(chain_id, branch, carbon))
            for parent, oxygen, branch, carbon in self.links
        )

    @property
    def reach(self) -> str:
        """The atom of the first sugar that is bonded to a protein."""
        return _ANOMERIC.get(self.codes[0], "C1")


def protein_atom(letter: str, *, position: int) -> str:
    """The atom of a residue that carries glycans.

    Raises:
        InvalidInput: A residue that carries none.
    """
    if letter not in _PROTEIN_ATOMS:
        raise InvalidInput(
            f"A glycan hangs on asparagine (N), serine (S) or threonine (T), but residue "
            f"{position} is {quoted(letter)}. Correct its position.",
            field="glycans",
        )
    return _PROTEIN_ATOMS[letter]


def read_glycan(text: str) -> Glycan:
    """The glycan that `NAG(NAG)(BMA)` or `NAG(4-1 NAG)` describes.

    Raises:
        InvalidInput: Not such text, too large, or a linkage that nobody said; `field` is `glycans`.
    """
    check_size(text, limit=MAX_GLYCAN_CHARACTERS, what="A glycan", field="glycans")
    codes: list[str] = []
    links: list[tuple[int, str, int, str]] = []
    # A stack instead of recursion: a glycan is a chain as often as a tree.
    waiting = [(0, _read_tree(text))]
    while waiting:
        parent, sugar = waiting.pop()
        codes.append(sugar.code)
        position = len(codes)
        if parent:
            links.append((parent, sugar.oxygen, position, sugar.carbon))
        is_core = sugar.code == "MAN" and bool(parent) and codes[parent - 1] == "NAG"
        _settle(sugar, code="BMA" if is_core else sugar.code)
        waiting += [(position, branch) for branch in reversed(sugar.branches)]
    if len(codes) > MAX_GLYCAN_SUGARS:
        raise InvalidInput(
            f"A glycan can have at most {MAX_GLYCAN_SUGARS} sugars, but this has {len(codes)}.",
            field="glycans",
        )
    return Glycan(tuple(codes), tuple(links))


def _settle(sugar: Sugar, *, code: str) -> None:
    """Chooses the linkage of each branch that came without one.

    Args:
        code: What the sugar counts as: the mannose of the core may be written as any other.
    """
    taken = {branch.oxygen for branch in sugar.branches if branch.oxygen}
    for branch in sorted(sugar.branches, key=_count_mannoses, reverse=True):
        branch.carbon = branch.carbon or _ANOMERIC.get(branch.code, "C1")
        if not branch.oxygen:
            free = [oxygen for oxygen in _usual(sugar, branch, code) if oxygen not in taken]
            if not free:
                raise InvalidInput(
                    f"The glycan does not say which atoms bond {sugar.code} to {branch.code}, and "
                    "there is no usual place left. Write the job as AlphaFold 3 JSON: the sugars "
                    "as “ccdCodes” of one ligand, with their bonds in “bondedAtomPairs”.",
                    field="glycans",
                )
            branch.oxygen = free[0]
        elif [b.oxygen for b in sugar.branches].count(branch.oxygen) > 1:
            raise InvalidInput(
                f"Two branches of the glycan hang on {branch.oxygen} of one {sugar.code}.",
                field="glycans",
            )
        taken.add(branch.oxygen)


def _usual(sugar: Sugar, branch: Sugar, code: str) -> tuple[str, ...]:
    """The oxygens that hold such a branch in nature, the first choice first."""
    pair = (code, branch.code)
    alone = [other.code for other in sugar.branches].count(branch.code) == 1
    first = (_ALONE[pair],) if alone and pair in _ALONE else ()
    return (*first, *_LINKAGES.get(pair, ()))


def _count_mannoses(branch: Sugar) -> int:
    """Mannoses on a branch: the one that has most of them is the α1-6 arm (Man5, Man8B)."""
    return sum(other.code == "MAN" for other in branch.branches)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if not match:
            raise _broken(text)
        yield str(match.lastgroup), match[str(match.lastgroup)]
        at = match.end()


def _read_tree(text: str) -> Sugar:
    root: Sugar | None = None
    parents: list[Sugar] = []
    last: Sugar | None = None
    linkage, opened = "", False
    for kind, word in _tokens(text):
        if kind == "code" and (opened or root is None):
            sugar = Sugar(clean_code(word, field="glycans"))
            if linkage:
                sugar.oxygen, sugar.carbon = f"O{linkage[0]}", f"C{linkage[2]}"
            if root is None:
                root = sugar
            else:
                parents[-1].branches.append(sugar)
            last, linkage, opened = sugar, "", False
        elif kind == "linkage" and opened and not linkage:
            linkage = word
        elif word == "(" and not opened and last is not None:
            parents.append(last)
            opened = True
        elif word == ")" and not opened and parents:
            last = parents.pop()
        else:
            raise _broken(text)
    if root is None or parents or opened:
        raise _broken(text)
    return root


def _broken(text: str) -> InvalidInput:
    return InvalidInput(
        f"{quoted(text)} is not a glycan: write each sugar's code, and each branch behind it in "
        "parentheses, such as NAG(NAG(BMA)).",
        field="glycans",
    )
