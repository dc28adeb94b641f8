"""Chemical components that a job may name: the dictionary's, and those that the user defines."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from folding.chemistry.leaving import LeavingGroups, leaving_flags
from folding.errors import InvalidInput
from folding.inputs.cif import Block, read_cif
from folding.inputs.modification import clean_code
from folding.inputs.molecule import Molecule
from folding.inputs.text import check_characters, check_size, quoted

MAX_USER_CCD_CHARACTERS = 2_000_000
MAX_USER_COMPONENT_ATOMS = 1000


@runtime_checkable
class Component(Protocol):
    """What the rules of input need to know of a component."""

    @property
    def code(self) -> str: ...

    @property
    def type(self) -> str:
        """As the dictionary has it, such as `L-PEPTIDE LINKING` or `NON-POLYMER`."""

    @property
    def atom_names(self) -> tuple[str, ...]:
        """Heavy atoms only."""

    def leaving_groups(self, atom: str) -> Sequence[frozenset[str]]:
        """The groups of atoms that leave where that atom is joined, one for each bond."""


class UserComponent:
    """A component that came with the job."""

    def __init__(
        self,
        code: str,
        kind: str,
        atom_names: Iterable[str],
        *,
        bonds: Iterable[tuple[str, str]] = (),
        leaving: Iterable[str] = (),
    ) -> None:
        self.code, self.type, self.atom_names = code, kind, tuple(atom_names)
        self._leaving = LeavingGroups(bonds, leaving=frozenset(leaving))

    def leaving_groups(self, atom: str) -> Sequence[frozenset[str]]:
        """The groups of atoms that leave where that atom is joined, one for each bond."""
        return self._leaving.at(atom)


class Components:
    """Every component that a job may name; the user's own come before the dictionary's."""

    def __init__(self, user_ccd: str | None = None) -> None:
        self._own: Mapping[str, UserComponent] = read_user_ccd(user_ccd) if user_ccd else {}

    @property
    def own(self) -> tuple[str, ...]:
        """Codes of the components that came with the job."""
        return tuple(self._own)

    def find(self, code: str, *, field: str) -> Component:
        """The component of that code.

        Raises:
            InvalidInput: There is none.
        """
        found: Component | None = self._own.get(code) or _dictionary(code)
        if found is None:
            raise InvalidInput(
                f"There is no component {quoted(code)} in the chemical component dictionary. "
                "Check its code at the PDB, or give the molecule as SMILES or as a file.",
                field=field,
            )
        return found


def own_codes(user_ccd: str) -> tuple[str, ...]:
    """Codes of the components that the text defines; none where it is no dictionary."""
    try:
        return Components(user_ccd.strip() or None).own
    except InvalidInput:
        return ()


def _dictionary(code: str) -> Component | None:
    # Whoever folds proteins alone never loads the dictionary.
    from folding.chemistry.catalog import component

    found: Component | None = component(code)
    return found


def read_user_ccd(text: str) -> dict[str, UserComponent]:
    """The components of user-defined CCD text: one data block for each, in the PDB's mmCIF format.

    Raises:
        InvalidInput: `field` is `"user_ccd"`.
    """
    field = "user_ccd"
    check_size(text, limit=MAX_USER_CCD_CHARACTERS, what="A component dictionary", field=field)
    check_characters(text, what="A component dictionary", field=field)
    found: dict[str, UserComponent] = {}
    for block in read_cif(text, field=field):
        component = _read_component(block, field=field)
        if component.code in found:
            raise InvalidInput(f"The component {component.code} is defined twice.", field=field)
        found[component.code] = component
    if not found:
        raise InvalidInput(
            "The component dictionary holds no component. Each one is a block “data_CODE” with the "
            "tables “_chem_comp_atom” and “_chem_comp_bond”, as the PDB writes them.",
            field=field,
        )
    return found


def _read_component(block: Block, *, field: str) -> UserComponent:
    written = (block.column("_chem_comp.id") or (block.name,))[0]
    code = clean_code(written, field=field)
    if code != written:
        raise InvalidInput(
            f"The code of a component must be in capitals: write {code} in place of "
            f"{quoted(written)}, where it is used too.",
            field=field,
        )
    names = block.column("_chem_comp_atom.atom_id")
    elements = block.column("_chem_comp_atom.type_symbol")
    if not names or len(names) != len(elements):
        raise InvalidInput(
            f"The component {code} needs a table of its atoms with the columns "
            "“_chem_comp_atom.atom_id” and “_chem_comp_atom.type_symbol”.",
            field=field,
        )
    if len(names) > MAX_USER_COMPONENT_ATOMS:
        raise InvalidInput(
            f"The component {code} has {len(names)} atoms, but a component can have at most "
            f"{MAX_USER_COMPONENT_ATOMS}. Split it into several.",
            field=field,
        )
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(
            f"Each atom of a component needs a name of its own, but {code} has {quoted(twice)} "
            "twice.",
            field=field,
        )
    heavy = [n for n, e in zip(names, elements, strict=True) if e.upper() not in {"H", "D"}]
    if not heavy:
        raise InvalidInput(f"The component {code} has no atom but hydrogen.", field=field)
    _check_bonds(block, code, known=set(names), field=field)
    kind = (block.column("_chem_comp.type") or ("NON-POLYMER",))[0].upper()
    flags = dict(zip(names, block.column("_chem_comp_atom.pdbx_leaving_atom_flag"), strict=False))
    leaves = leaving_flags(kind, heavy, [flags.get(name, "N").upper() == "Y" for name in heavy])
    ends = (block.column(f"_chem_comp_bond.atom_id_{end}") for end in (1, 2))
    return UserComponent(
        code,
        kind,
        heavy,
        bonds=[pair for pair in zip(*ends, strict=False) if set(pair) <= set(heavy)],
        leaving=[name for name, leaving in zip(heavy, leaves, strict=True) if leaving],
    )


def _check_bonds(block: Block, code: str, *, known: set[str], field: str) -> None:
    firsts = block.column("_chem_comp_bond.atom_id_1")
    seconds = block.column("_chem_comp_bond.atom_id_2")
    for name in (*firsts, *seconds):
        if name not in known:
            raise InvalidInput(
                f"A bond of the component {code} names the atom {quoted(name)}, which the "
                "component does not have.",
                field=field,
            )


_ATOM_COLUMNS = (
    "comp_id", "atom_id", "type_symbol", "charge", "pdbx_leaving_atom_flag", "pdbx_aromatic_flag",
    "pdbx_model_Cartn_x_ideal", "pdbx_model_Cartn_y_ideal", "pdbx_model_Cartn_z_ideal",
)  # fmt: skip
_BOND_COLUMNS = ("comp_id", "atom_id_1", "atom_id_2", "value_order", "pdbx_aromatic_flag")
AS_GIVEN = "conformer of a file"
"""What `_chem_comp.pdbx_ideal_coordinates_details` says of coordinates that the user chose."""
WEDGE = "_chem_comp_bond.foldstream_wedge"
"""Column of our own, which others pass over: the wedges of a molecule that is drawn in a plane."""


def write_component(code: str, molecule: Molecule) -> str:
    """CCD text that defines a molecule as a component, as AlphaFold 3 reads it in `userCCD`.

    What AlphaFold 3 has no words for stands where it does not look: `AS_GIVEN` and `WEDGE`.
    """
    names = molecule.names
    aromatic = {end for b in molecule.bonds if b.order == "AROM" for end in (b.first, b.second)}
    atoms = [
        (
            *(code, name, atom.element.upper(), str(atom.charge), "N", "NY"[index in aromatic]),
            # All digits: a job that went out and came back folds to the same bits.
            *map(repr, atom.position),
        )
        for index, (name, atom) in enumerate(zip(names, molecule.atoms, strict=True))
    ]
    bonds: list[tuple[str, ...]] = [
        (code, names[bond.first], names[bond.second], bond.order, "NY"[bond.order == "AROM"])
        for bond in molecule.bonds
    ]
    items = {
        "id": code,
        "name": f"'{code}'",
        "type": "NON-POLYMER",
        "formula": "?",
        "mon_nstd_parent_comp_id": "?",
        "pdbx_synonyms": "?",
        "formula_weight": "?",
    }
    columns: tuple[str, ...] = _BOND_COLUMNS
    if not molecule.is_drawn:
        items["pdbx_ideal_coordinates_details"] = f"'{AS_GIVEN}'"
    elif any(bond.wedge for bond in molecule.bonds):
        columns = (*columns, WEDGE.partition(".")[2])
        pairs = zip(bonds, molecule.bonds, strict=True)
        bonds = [(*row, bond.wedge or "NONE") for row, bond in pairs]
    tables = _table("_chem_comp_atom", _ATOM_COLUMNS, atoms)
    if bonds:
        tables += _table("_chem_comp_bond", columns, bonds)
    head = "".join(f"_chem_comp.{key} {value}\n" for key, value in items.items())
    return f"data_{code}\n#\n{head}#\n{tables}"


def _table(category: str, columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    tags = "".join(f"{category}.{column}\n" for column in columns)
    return f"loop_\n{tags}" + "".join(" ".join(row) + "\n" for row in rows) + "#\n"
