"""The chemical component dictionary (CCD) as one small database, looked up code by code.

Source: the dictionary that comes with biotite. Its file takes seconds and 600 MB to read, so it is
copied once, by a process of its own, into an SQLite file that takes no memory to speak of.
`make setup` makes that file; whoever needs it before waits for it.
"""

import fcntl
import json
import math
import os
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

_LAYOUT = 2
"""Counts up when what is written here changes."""

_HYDROGEN = frozenset({"H", "D"})
_TABLE = """
    CREATE TABLE component (
        code TEXT PRIMARY KEY, name TEXT, type TEXT, atom_names TEXT, chemistry BLOB
    )
"""
_ROW = "SELECT name, type, atom_names, chemistry FROM component WHERE code = ?"
_FIND = """
    SELECT code, name, type, atom_names FROM component WHERE code LIKE :begins OR name LIKE :holds
    ORDER BY code != :code, name != :code, code NOT LIKE :begins, name NOT LIKE :begins,
        length(name), code
    LIMIT :limit
"""
_AXES = {
    "ideal": tuple(f"pdbx_model_Cartn_{axis}_ideal" for axis in "xyz"),
    "model": tuple(f"model_Cartn_{axis}" for axis in "xyz"),
}
_ATOM_TAGS = {
    "names": "atom_id",
    "elements": "type_symbol",
    "charges": "charge",
    "leaving": "pdbx_leaving_atom_flag",
    "stereo": "pdbx_stereo_config",
    **{tag: tag for tags in _AXES.values() for tag in tags},
}
_BOND_TAGS = {
    "first": "atom_id_1",
    "second": "atom_id_2",
    "order": "value_order",
    "aromatic": "pdbx_aromatic_flag",
    "stereo": "pdbx_stereo_config",
}


def look_up(code: str) -> tuple[str, str, str, bytes] | None:
    """Name, type, names of the heavy atoms (one string) and chemistry of a component."""
    connection = sqlite3.connect(f"file:{library_path()}?mode=ro&immutable=1", uri=True)
    try:
        row: tuple[str, str, str, bytes] | None = connection.execute(_ROW, (code,)).fetchone()
    finally:
        connection.close()
    return row


def find(text: str, *, limit: int) -> list[tuple[str, str, str, str]]:
    """Code, name, type and names of the heavy atoms of components that hold the text.

    The code itself comes first, then what begins with the text, short names before long ones.
    """
    plain = text.replace("\\", "").replace("%", "").replace("_", "")
    words = {"code": plain.upper(), "begins": f"{plain}%", "holds": f"%{plain}%", "limit": limit}
    connection = sqlite3.connect(f"file:{library_path()}?mode=ro&immutable=1", uri=True)
    try:
        return connection.execute(_FIND, words).fetchall() if plain else []
    finally:
        connection.close()


@cache
def library_path() -> Path:
    """Where the database is; it is made first where there is none yet."""
    name = f"components-{version('biotite')}-{_LAYOUT}.sqlite3"
    path = _writable_folder(name) / name
    if not path.exists():
        subprocess.run(
            [sys.executable, "-m", "folding.chemistry.library", str(path)],
            check=True,
            cwd=Path(__file__).parents[2],
        )
    return path


def _writable_folder(name: str) -> Path:
    """Beside this file, or the user's cache where the program is installed for all to read."""
    here = Path(__file__).parent
    if (here / name).exists() or os.access(here, os.W_OK):
        return here
    folder = Path.home() / ".cache" / "foldstream"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build(path: Path) -> None:
    """Makes the database at `path`; of several that try at once, one does it."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        connection = sqlite3.connect(partial)
        with connection:
            connection.execute(_TABLE)
            connection.executemany("INSERT INTO component VALUES (?, ?, ?, ?, ?)", _rows())
        connection.close()
        os.replace(partial, path)


def _rows() -> Iterator[tuple[str, str, str, str, bytes]]:
    """Every component of biotite's dictionary that has a heavy atom."""
    from biotite.structure.info import get_ccd

    dictionary = get_ccd()
    components, atoms, bonds = (
        dictionary[f"chem_comp{suffix}"] for suffix in ("", "_atom", "_bond")
    )
    atom_rows, bond_rows = _spans(atoms), _spans(bonds)
    atom_table, bond_table = _columns(atoms, _ATOM_TAGS), _columns(bonds, _BOND_TAGS)
    columns = (components[tag].as_array().tolist() for tag in ("id", "name", "type"))
    letters = components["one_letter_code"].as_array().tolist()
    for code, name, kind, letter in zip(*columns, letters, strict=True):
        of_atoms, of_bonds = (slice(*rows.get(code, (0, 0))) for rows in (atom_rows, bond_rows))
        chemistry = _chemistry(
            {key: column[of_atoms].tolist() for key, column in atom_table.items()},
            {key: column[of_bonds].tolist() for key, column in bond_table.items()},
        )
        names = chemistry["names"]
        if names:
            chemistry["letter"] = letter if len(letter) == 1 and letter.isalpha() else ""
            packed = zlib.compress(json.dumps(chemistry, separators=(",", ":")).encode())
            yield code, name, kind.upper(), " ".join(names), packed


def _spans(category: Any) -> dict[str, tuple[int, int]]:
    """First and last row of each component in a table that is sorted by them."""
    import numpy as np

    codes = category["comp_id"].as_array()
    starts = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist(), len(codes)]
    return {str(codes[a]): (a, b) for a, b in pairwise(starts)}


def _columns(category: Any, tags: dict[str, str]) -> dict[str, Any]:
    """Columns as arrays; an unknown coordinate is NaN."""
    import numpy as np

    columns = {}
    for key, tag in tags.items():
        column = category[tag]
        values = column.as_array()
        if column.mask is not None and values.dtype.kind == "f":
            values = np.where(column.mask.array == 0, values, np.nan).astype(np.float32)
        columns[key] = values
    return columns


def _chemistry(atoms: dict[str, list[Any]], bonds: dict[str, list[Any]]) -> dict[str, Any]:
    """The heavy atoms of a component and the bonds between them."""
    heavy = [slot for slot, e in enumerate(atoms["elements"]) if e not in _HYDROGEN]
    index = {atoms["names"][slot]: i for i, slot in enumerate(heavy)}
    ends = zip(bonds["first"], bonds["second"], strict=True)
    rows = zip(ends, bonds["order"], bonds["aromatic"], bonds["stereo"], strict=True)
    return {
        **{key: [atoms[key][slot] for slot in heavy] for key in ("names", "elements", "charges")},
        "leaving": [atoms["leaving"][slot] == "Y" for slot in heavy],
        "stereo": "".join(atoms["stereo"][slot] for slot in heavy),
        "positions": _positions(atoms, heavy),
        "bonds": [
            (index[a], index[b], order, aromatic == "Y", stereo)
            for (a, b), order, aromatic, stereo in rows
            if a in index and b in index
        ],
    }


def _positions(atoms: dict[str, list[Any]], heavy: list[int]) -> list[tuple[float, ...]] | None:
    """Ideal coordinates, those of an experiment where there are none, or nothing."""
    for tags in _AXES.values():
        found = [tuple(round(float(atoms[tag][slot]), 3) for tag in tags) for slot in heavy]
        known = not any(math.isnan(axis) for position in found for axis in position)
        if known and len(set(found)) == len(found):
            return found
    return None


if __name__ == "__main__":
    build(Path(sys.argv[1]))
