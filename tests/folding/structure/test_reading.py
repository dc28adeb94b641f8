"""Structures from files of others."""

import random

import gemmi
import numpy as np
import pytest

from benchmarks.fuzz_inputs import mutations
from folding.errors import InvalidInput
from folding.structure.mmcif import write_mmcif
from folding.structure.reading import from_gemmi, read_mmcif, read_pdb
from tests.folding.examples import GOLDEN, dimer

PDB = """\
HETATM    1  N   GLY A   5       0.000   0.000   0.000  1.00  0.00           N
ATOM      2  CA AGLY A   5       1.400   0.000   0.000  0.60  0.00           C
ATOM      3  CA BGLY A   5       1.500   0.000   0.000  0.40  0.00           C
ATOM      4  C   GLY A   5       2.000   1.400   0.000  1.00  0.00           C
ATOM      5  H   GLY A   5       2.000   1.400   1.000  1.00  0.00           H
ATOM      6  N   ALA A   7       3.000   1.600   0.000  1.00  0.00           N
ATOM      7  CA  ALA A   7       4.400   1.600   0.000  1.00  0.00           C
TER
HETATM    8 MG    MG B 101       9.000   9.000   9.000  1.00  0.00          MG
HETATM    9  PG  ATP B 102       6.000   6.000   6.000  1.00  0.00           P
HETATM   10  O1G ATP B 102       7.400   6.000   6.000  1.00  0.00           O
HETATM   11  O   HOH B 201       5.000   5.000   5.000  1.00  0.00           O
END
"""


def test_hydrogens_water_and_second_conformations_are_left_out():
    found = read_pdb(PDB)
    assert found.atom_name.tolist() == ["N", "CA", "C", "N", "CA", "MG", "PG", "O1G"]
    assert found.element.tolist() == ["N", "C", "C", "N", "C", "MG", "P", "O"]
    assert found.coordinates[1].tolist() == pytest.approx([1.4, 0, 0])


def test_amino_acids_are_tokens_and_so_is_each_atom_of_a_ligand():
    found = read_pdb(PDB)
    assert found.token_index.tolist() == [0, 0, 0, 1, 1, 2, 3, 4]
    assert found.token_chain_id.tolist() == ["A", "A", "B", "B", "B"]


def test_only_the_first_model_is_read():
    models = "MODEL        1\n" + PDB.replace("END\n", "ENDMDL\n")
    both = models + models.replace("MODEL        1", "MODEL        2") + "END\n"
    assert read_pdb(both).n_atoms == read_pdb(PDB).n_atoms


def test_pdb_and_mmcif_of_one_entry_are_the_same():
    path = GOLDEN / "structures" / "1pga.pdb"
    source = gemmi.read_structure(str(path))
    source.setup_entities()
    as_cif = read_mmcif(source.make_mmcif_document().as_string())
    as_pdb = read_pdb(path.read_text())
    for name in as_pdb.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(as_cif, name), getattr(as_pdb, name), err_msg=name)


def test_the_source_stays_as_it_is():
    source = gemmi.read_pdb_string(PDB)
    from_gemmi(source)
    assert source[0].count_atom_sites() == 11


@pytest.mark.parametrize("read", [read_pdb, read_mmcif])
@pytest.mark.parametrize("text", ["", "hello", "data_x\n_cell.length_a 1\n", "\0\1\2", "loop_"])
def test_what_holds_no_structure_is_refused(read, text):
    with pytest.raises(InvalidInput) as caught:
        read(text)
    assert caught.value.field == "structure"


def test_a_huge_file_is_refused_unread():
    with pytest.raises(InvalidInput, match="at most 100,000,000 characters"):
        read_pdb("A" * 100_000_001)


def test_mutated_files_are_read_or_refused():
    plddt = np.zeros(dimer().n_atoms, dtype=np.float32)
    texts = {read_pdb: PDB, read_mmcif: write_mmcif(dimer(), name="job", plddt=plddt)}
    outcomes = set()
    for read, text in texts.items():
        for mutated in mutations([text], n=300, source=random.Random(1)):
            try:
                outcomes.add(read(mutated).n_atoms > 0)
            except InvalidInput as error:
                outcomes.add(error.field)
    assert outcomes == {True, "structure"}
