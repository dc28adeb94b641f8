"""What the web process asks about components."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest

from folding.chemistry import library
from folding.chemistry.catalog import codes_of, component, search, smiles_atoms
from folding.chemistry.components import from_smiles
from folding.errors import InvalidInput


@pytest.mark.parametrize(
    ("code", "name", "kind", "n_heavy_atoms"),
    [
        ("ATP", "ADENOSINE-5'-TRIPHOSPHATE", "NON-POLYMER", 31),
        ("MG", "MAGNESIUM ION", "NON-POLYMER", 1),
        ("SEP", "PHOSPHOSERINE", "L-PEPTIDE LINKING", 11),
        ("NAG", "2-acetamido-2-deoxy-beta-D-glucopyranose", "D-SACCHARIDE, BETA LINKING", 15),
    ],
)
def test_a_code_is_looked_up(code, name, kind, n_heavy_atoms):
    found = component(code)
    assert (found.name, found.type, found.n_heavy_atoms) == (name, kind, n_heavy_atoms)
    assert len(set(found.atom_names)) == n_heavy_atoms


@pytest.mark.parametrize("code", ["", "atp", "NOSUCH", "'; DROP TABLE component; --"])
def test_an_unknown_code_is_none(code):
    assert component(code) is None


def test_atoms_stand_in_the_order_of_the_dictionary():
    assert component("ALA").atom_names == ("N", "CA", "C", "O", "CB", "OXT")


def test_the_chemistry_of_a_code_is_kept():
    chemistry = json.loads(zlib.decompress(library.look_up("ALA")[3]))
    assert chemistry["leaving"] == [False] * 5 + [True]
    assert chemistry["stereo"] == "NSNNNN"
    assert [2, 3, "DOUB", False, "N"] in chemistry["bonds"]


@pytest.mark.parametrize(
    ("smiles", "n_atoms"),
    [("CCO", 3), ("[H]O[H]", 1), ("[Mg+2]", 1), ("c1ccccc1C(=O)[O-].[Na+]", 10)],
)
def test_heavy_atoms_of_smiles_are_counted(smiles, n_atoms):
    assert smiles_atoms(smiles) == n_atoms


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("C1CC", "cannot be read as SMILES"),
        ("not a molecule", "cannot be read as SMILES"),
        ("[2H]OC" + 200 * "([2H])", "an atom has too many bonds"),
        ("C(C)(C)(C)(C)C", "is no possible molecule: Explicit valence for atom # 0 C"),
        ("[H][H]", "has 0"),
        ("C" * 501, "has 501"),
        ("C*", "open place"),
    ],
)
def test_what_is_no_molecule_is_named(smiles, message):
    with pytest.raises(InvalidInput, match=message.replace("#", r"\#")):
        smiles_atoms(smiles)


def test_a_look_up_loads_nothing_heavy():
    script = (
        "import sys; from folding.chemistry.catalog import component; component('ATP');"
        "print({'torch', 'numpy', 'rdkit', 'biotite'} & set(sys.modules))"
    )
    found = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert found.strip() == "set()"


def test_a_database_that_is_there_is_left_alone(tmp_path):
    path = tmp_path / "components.sqlite3"
    path.write_text("made before")
    library.build(path)
    assert path.read_text() == "made before"


@pytest.mark.parametrize(
    ("typed", "codes"),
    [
        ("caffeine", ("CFF",)),
        ("Magnesium  ION", ("MG",)),
        ("coenzyme a", ("COA",)),
        ("glcnac", ("NAG",)),
        ("NADP+", ("NAP",)),
        (" NAG, NAG+BMA ", ("NAG", "NAG", "BMA")),
        ("CO", ("CO",)),
    ],
)
def test_what_is_typed_is_codes_or_a_name(typed, codes):
    assert codes_of(typed) == codes


@pytest.mark.parametrize("typed", ["heme", "X ATP", "%", "caffeine ATP", "a" * 100_000])
def test_what_is_no_name_of_one_component_stays_codes(typed):
    assert codes_of(typed) == tuple(typed.split())


def test_a_name_that_several_components_have_is_none(monkeypatch):
    monkeypatch.setattr("folding.chemistry.catalog.COMMON_NAMES", {})
    assert codes_of("coenzyme a") == ("coenzyme", "a")


def test_names_of_the_users_own_come_before_those_of_the_dictionary():
    assert codes_of("caffeine", own=("CAFFEINE",)) == ("caffeine",)
    assert codes_of("caffeine", own=("OTHER",)) == ("CFF",)
    assert codes_of("my-1 atp", own=("MY-1",)) == ("my-1", "atp")


@pytest.mark.parametrize("text", ["C[C@H](N)C(=O)O", "c1ccccc1.[Na+]", "[13C]", "[2H]C"])
def test_counted_atoms_are_those_of_the_molecule(text):
    assert smiles_atoms(text) == len(from_smiles(text, code="LIG1").atom_names)


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("[H][H]", "1 to 500 atoms that are no hydrogen, but this SMILES has 0"),
        ("C" * 501, "but this SMILES has 501"),
        ("C*", "open place"),
        ("[Xx]", "cannot be read"),
        ("c1cccc1", "no possible molecule"),
        ("C=[CH5]", "no possible molecule"),
    ],
)
def test_molecules_that_cannot_be_are_refused_in_words(smiles, message):
    with pytest.raises(InvalidInput, match=message):
        smiles_atoms(smiles)


def test_a_search_puts_the_likeliest_first_and_ends_at_its_limit():
    assert search("atp", limit=5)[0].code == "ATP"
    assert search("heme", limit=5)[0].code == "HEM"
    assert search("zinc ion", limit=3)[0].code == "ZN"
    found = search("acid", limit=7)
    assert len(found) == 7
    assert all("acid" in summary.name.lower() for summary in found)
    assert search("", limit=5) == search("%_\\", limit=5) == ()


@pytest.mark.parametrize("text", ["'", '"', ";--", "a" * 5000, "\0", "ä", "[a-z]*"])
def test_a_search_takes_any_text(text):
    assert isinstance(search(text, limit=3), tuple)


def test_a_database_is_made_by_one_of_several_that_try_at_once(tmp_path, monkeypatch):
    made = []

    def rows():
        made.append(1)
        time.sleep(0.05)
        chemistry = zlib.compress(b'{"names": ["C1"]}')
        yield "ONE", "one", "NON-POLYMER", "C1", chemistry

    monkeypatch.setattr(library, "_rows", rows)
    path = tmp_path / "components.sqlite3"
    threads = [threading.Thread(target=library.build, args=(path,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT code FROM component").fetchall() == [("ONE",)]
    connection.close()
    assert not path.with_suffix(".partial").exists()


def test_what_a_killed_process_left_is_made_anew(tmp_path, monkeypatch):
    path = tmp_path / "components.sqlite3"
    path.with_suffix(".partial").write_bytes(b"half a database")
    monkeypatch.setattr(library, "_rows", lambda: iter([("A", "a", "DNA", "C1", b"")]))
    library.build(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM component").fetchone() == (1,)
    connection.close()


def test_where_nothing_can_be_written_beside_the_program_the_users_cache_holds_it(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: tmp_path))
    folder = library._writable_folder("no-such-database.sqlite3")
    assert folder == tmp_path / ".cache" / "foldstream"
    assert folder.is_dir()
    here = library.library_path().name
    assert library._writable_folder(here) == Path(library.__file__).parent
