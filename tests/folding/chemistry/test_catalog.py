"""What the web process asks about components."""

import json
import subprocess
import sys
import zlib

import pytest

from folding.chemistry import library
from folding.chemistry.catalog import codes_of, component, smiles_atoms
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
