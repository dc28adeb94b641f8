"""Job files and molecules as people write them."""

from itertools import pairwise
from pathlib import Path

FOLDER = Path(__file__).parent / "data"


def data(name: str) -> str:
    """The text of one of the files."""
    return (FOLDER / name).read_text()


def user_component(
    code: str,
    atoms: list[str],
    bonds: list[str] | None = None,
    kind: str = "NON-POLYMER",
    *,
    leaving: dict[str, str] | None = None,
) -> str:
    """A component of the user's own; the first letter of an atom's name is its element.

    Args:
        bonds: Single ones, such as `C1 O1`; those of a chain in the order of the atoms by default.
        leaving: Flags by name, `N` for all others; no column of flags where this is None.
    """
    pairs = [f"{a} {b}" for a, b in pairwise(atoms)] if bonds is None else bonds
    flags = ["_chem_comp_atom.pdbx_leaving_atom_flag\n"] if leaving is not None else []
    rows = [
        " ".join([code, n, n[0], *([leaving.get(n, "N")] if leaving is not None else [])]) + "\n"
        for n in atoms
    ]
    head = f"data_{code}\n_chem_comp.id {code}\n_chem_comp.name own\n_chem_comp.type '{kind}'\n"
    tags = [f"_chem_comp_atom.{tag}\n" for tag in ("comp_id", "atom_id", "type_symbol")]
    text = head + "loop_\n" + "".join([*tags, *flags, *rows])
    if pairs:
        tags = ("comp_id", "atom_id_1", "atom_id_2", "value_order")
        text += "loop_\n" + "".join(f"_chem_comp_bond.{tag}\n" for tag in tags)
        text += "".join(f"{code} {pair} SING\n" for pair in pairs)
    return text
