"""Structures that other programs wrote, and our own results, as templates."""

import io
from itertools import pairwise

import gemmi
import numpy as np
import pytest
from biotite.structure.io import pdbx
from hypothesis import given, settings
from hypothesis import strategies as st

from folding.errors import InvalidInput
from folding.inputs import FoldInput, ProteinChain, Template
from folding.outputs import write_prediction
from folding.structure.mmcif import write_mmcif
from folding.templates.mapping import (
    align,
    identity,
    make_template,
    read_mapping,
    write_chain,
)
from folding.templates.structure_file import read_structure
from tests.folding.complexes import everything, predicted
from tests.folding.examples import CRAMBIN, TRP_CAGE, joined, structure
from tests.folding.search.relatives import letters
from tests.folding.templates.structures import CODES, mmcif


def backbone(pdb_id: str) -> np.ndarray:
    """N, CA and C of each residue [residue, 3, 3]."""
    found = structure(pdb_id)
    return np.stack([found.coordinates[found.atom_name == n] for n in ("N", "CA", "C")], axis=1)


def as_ours(pdb_id: str) -> str:
    """The structure as our own results are written."""
    found = structure(pdb_id)
    return write_mmcif(found, name="x", plddt=np.full(found.n_atoms, 70, np.float32))


def as_biotite(pdb_id: str) -> str:
    """The structure as biotite writes it."""
    source = pdbx.CIFFile.read(io.StringIO(as_ours(pdb_id)))
    atoms = pdbx.get_structure(source, model=1)
    file = pdbx.CIFFile()
    pdbx.set_structure(file, atoms)
    text = io.StringIO()
    file.write(text)
    return text.getvalue()


def as_gemmi(pdb_id: str) -> str:
    """The structure as gemmi writes it."""
    block = gemmi.cif.read_string(as_ours(pdb_id)).sole_block()
    found = gemmi.make_structure_from_block(block)
    found.setup_entities()
    found.assign_label_seq_id()
    return found.make_mmcif_document().as_string()


WRITERS = {"biotite": as_biotite, "gemmi": as_gemmi, "ours": as_ours}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(("pdb_id", "sequence"), [("1l2y", TRP_CAGE), ("1crn", CRAMBIN)])
def test_whoever_wrote_it_the_chain_is_the_same(writer, pdb_id, sequence):
    text = WRITERS[writer](pdb_id)
    (chain,) = read_structure(text).chains
    assert chain.sequence == sequence
    found = [[chain.residues[i].atoms[n] for n in ("N", "CA", "C")] for i in range(len(sequence))]
    np.testing.assert_allclose(found, backbone(pdb_id), atol=1e-3)
    template = make_template(text, sequence=sequence)
    assert template.query_indices == template.template_indices == tuple(range(len(sequence)))


def test_a_result_of_ours_is_a_template_for_the_next_job(tmp_path):
    job = everything()
    write_prediction(tmp_path, name="x", prediction=predicted(job))
    text = (tmp_path / "x_seed-1_sample-0_model.cif").read_text()
    file = read_structure(text)
    assert [chain.chain_id for chain in file.chains] == ["A", "B", "C"]
    assert file.chain("A").sequence == "GANCSKCA", "phosphoserine counts as serine"
    template = make_template(text, sequence="GANCSKCA", chain="B")
    assert template.query_indices == tuple(range(8))
    again = FoldInput("job", (ProteinChain(("A",), "GANCSKCA", templates=(template,)),))
    assert FoldInput.from_json(again.to_json()) == again


def test_a_dimer_gives_each_of_its_chains():
    both = joined(structure("1l2y"), structure("1crn"))
    text = write_mmcif(both, name="dimer", plddt=np.full(both.n_atoms, 70, np.float32))
    for chain, sequence in (("A", TRP_CAGE), ("B", CRAMBIN)):
        template = make_template(text, sequence=sequence, chain=chain)
        (cut,) = read_structure(template.cif).chains
        assert cut.sequence == sequence
    with pytest.raises(InvalidInput, match=r"2 protein chains: A, B\. Say which one"):
        make_template(text, sequence=TRP_CAGE)


@pytest.mark.parametrize("writer", WRITERS)
def test_what_a_job_carries_is_the_chain_itself(writer):
    file = read_structure(WRITERS[writer]("1crn"))
    cut = read_structure(write_chain(file, file.chains[0]))
    one, other = file.chains[0], cut.chains[0]
    assert other.sequence == one.sequence
    assert other.residues.keys() == one.residues.keys()
    for place, residue in one.residues.items():
        assert other.residues[place].code == residue.code
        assert other.residues[place].atoms.keys() == residue.atoms.keys()
    # Cutting what was cut changes nothing.
    assert write_chain(cut, other) == write_chain(file, one)


def test_gemmi_reads_what_a_job_carries():
    file = read_structure(as_ours("1l2y"))
    block = gemmi.cif.read_string(write_chain(file, file.chains[0])).sole_block()
    found = gemmi.make_structure_from_block(block)[0]
    assert found.count_atom_sites() == structure("1l2y").n_atoms
    elements = [site.atom.element.name for site in found.all()]
    assert elements == structure("1l2y").element.tolist()


def test_atoms_with_primes_survive():
    text = mmcif({"A": "MKTAYIAKQR"}).replace(" CB . MET", ' "C\'" . MET', 1)
    file = read_structure(text)
    assert "C'" in file.chains[0].residues[0].atoms
    cut = read_structure(write_chain(file, file.chains[0]))
    assert cut.chains[0].residues[0].atoms == file.chains[0].residues[0].atoms


def test_of_two_residues_at_one_place_the_first_is_taken_alone():
    """Microheterogeneity: a crystal holds a serine here and a threonine there."""
    lines = mmcif({"A": "MKSAYIAKQR"}).splitlines()
    here = [i for i, line in enumerate(lines) if " SER A 1 3 " in line]
    others = [
        lines[i].replace(" SER ", " THR ").replace(" CB . ", " CG2 . ").replace(" CA . ", " CA . ")
        for i in here
    ]
    lines[here[-1] + 1 : here[-1] + 1] = others
    (chain,) = read_structure("\n".join(lines)).chains
    assert chain.sequence[2] == "S"
    assert chain.residues[2].code == "SER"
    assert set(chain.residues[2].atoms) == {"N", "CA", "C", "CB"}


def test_the_first_date_is_that_of_the_release():
    header = "data_9XYZ\n_pdbx_audit_revision_history.revision_date 2021-03-04\n"
    assert str(read_structure(mmcif({"A": "MKTA"}, header=header)).released) == "2021-03-04"
    assert read_structure(mmcif({"A": "MKTA"}, header="data_9XYZ\n")).released is None
    broken = header.replace("03-04", "13-44")
    assert read_structure(mmcif({"A": "MKTA"}, header=broken)).released is None


@pytest.mark.parametrize("end", ["\r\n", "\n"], ids=["windows", "unix"])
def test_line_ends_do_not_matter(end):
    text = mmcif({"A": "MKTAYIAKQR"})
    assert read_structure(text.replace("\n", end)).chains == read_structure(text).chains


# Alignment ---------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.text("ACDEFGHIKLMNPQRSTVWY", min_size=12, max_size=40), st.data())
def test_a_piece_of_a_chain_is_found_in_it(sequence, data):
    start = data.draw(st.integers(0, len(sequence) - 8))
    end = data.draw(st.integers(start + 8, len(sequence)))
    pairs = align(sequence, sequence[start:end])
    matched = [(q, t) for q, t in pairs.items() if sequence[q] == sequence[start:end][t]]
    # A repeat may be found in another place, but as well.
    assert len(matched) == end - start
    assert sorted(pairs.values()) == list(range(end - start))


@settings(max_examples=25)
@given(
    st.text("ACDEFGHIKLMNPQRSTVWYX", min_size=4, max_size=25),
    st.text("ACDEFGHIKL", min_size=4, max_size=25),
)
def test_an_alignment_goes_forward_and_uses_each_residue_once(query, template):
    pairs = list(align(query, template).items())
    assert pairs == sorted(pairs)
    assert all(a < b for (_, a), (_, b) in pairwise(pairs))
    assert all(0 <= q < len(query) and 0 <= t < len(template) for q, t in pairs)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 6)), max_size=4))
def test_any_mapping_is_read_as_it_is_written_or_refused(stretches):
    text = ", ".join(f"{a}-{a + n - 1}={b}-{b + n - 1}" for a, b, n in stretches)
    expected: dict[int, int] = {}
    for a, b, n in stretches:
        expected |= {a - 1 + i: b - 1 + i for i in range(n)}
    fits = all(max(a, b) + n - 1 <= 40 for a, b, n in stretches)
    once = len(set(expected.values())) == len(expected)
    try:
        found = read_mapping(text, n_query=40, n_template=40)
    except InvalidInput:
        assert not (fits and once)
    else:
        assert found == expected


def test_a_mapping_may_stand_on_several_lines():
    found = read_mapping("1-2=3-4\n 5 = 9 ;7=7,\n", n_query=10, n_template=10)
    assert found == {0: 2, 1: 3, 4: 8, 6: 6}


def test_identity_goes_by_what_is_mapped():
    sequence = letters(20, seed=3)
    other = sequence[:15] + "".join("A" if letter != "A" else "G" for letter in sequence[15:])
    text = mmcif({"A": other})
    (chain,) = read_structure(text).chains
    whole = make_template(text, sequence=sequence, mapping="1-20=1-20")
    part = make_template(text, sequence=sequence, mapping="1-15=1-15")
    assert identity(sequence, whole, chain) == 15 / 20
    assert identity(sequence, part, chain) == 1.0
    beyond = Template(whole.cif, (0, 1), (0, 99))
    assert identity(sequence, beyond, chain) == 0.5


def test_every_standard_residue_has_its_letter():
    text = mmcif({"A": "".join(CODES)})
    assert read_structure(text).chains[0].sequence == "".join(CODES)
