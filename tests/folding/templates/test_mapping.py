"""Templates from uploads: chains, mappings, and what a job carries of them."""

import pytest

from folding.errors import InvalidInput
from folding.inputs import FoldInput, ProteinChain
from folding.templates.mapping import align, identity, make_template, read_mapping
from folding.templates.structure_file import read_structure
from tests.folding.search.relatives import letters, relative
from tests.folding.templates.structures import helix, mmcif

SEQUENCE = letters(40, seed=5)


def test_an_upload_is_aligned_and_cut_to_its_chain():
    template = make_template(
        mmcif({"A": "GGGGGG", "B": "WW" + SEQUENCE[5:]}), sequence=SEQUENCE, chain="B"
    )
    pairs = dict(zip(template.query_indices, template.template_indices, strict=True))
    assert [pairs.get(i) for i in range(5, 40)] == list(range(2, 37))
    (chain,) = read_structure(template.cif).chains
    assert chain.sequence == "WW" + SEQUENCE[5:]
    assert chain.residues[2].atoms["CA"] == pytest.approx(helix(37, seed=2)[2, 1])
    assert "2019-05-01" in template.cif
    assert len(template.cif) < 20_000


def test_residues_that_were_not_resolved_map_nothing():
    template = make_template(mmcif({"A": SEQUENCE}, missing=(1, 7)), sequence=SEQUENCE)
    expected = tuple(i for i in range(40) if i not in (0, 6))
    assert template.query_indices == template.template_indices == expected


def test_distant_relatives_with_gaps_are_aligned():
    parent = letters(120, seed=8)
    child = relative(parent, identity=0.5, seed=9)
    pairs = align(parent, child[:50] + child[58:])
    right = sum(pairs.get(i) == (i if i < 50 else i - 8) for i in range(120))
    assert right >= 105


def test_a_mapping_is_taken_as_it_is_given():
    template = make_template(
        mmcif({"A": "WW" + SEQUENCE}), sequence=SEQUENCE, mapping="1-10=3-12, 20 = 30"
    )
    assert template.query_indices == (*range(10), 19)
    assert template.template_indices == (*range(2, 12), 29)


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ("1-10=1-11", "equal length"),
        ("1-10", "equal length"),
        ("0-3=1-4", "equal length"),
        ("38-41=1-4", "40 and 42 residues"),
        ("a=b", "equal length"),
        ("1-5=1-5, 6-10=5-9", "twice"),
    ],
)
def test_mappings_that_make_no_sense_are_explained(mapping, words):
    with pytest.raises(InvalidInput, match=words) as error:
        read_mapping(mapping, n_query=40, n_template=42)
    assert error.value.field == "template_mapping"


def test_too_little_in_common_is_said():
    with pytest.raises(InvalidInput, match="Only 2 residues"):
        make_template(mmcif({"A": SEQUENCE}), sequence=SEQUENCE, mapping="1-2=1-2")
    with pytest.raises(InvalidInput, match="not aligned here"):
        align("A" * 6001, "A" * 10)


def test_a_job_with_a_template_survives_its_json():
    template = make_template(mmcif({"A": SEQUENCE}), sequence=SEQUENCE)
    job = FoldInput("job", (ProteinChain(("A",), SEQUENCE, templates=(template,)),))
    assert FoldInput.from_json(job.to_json()) == job


def test_identity_counts_mapped_residues():
    file = read_structure(mmcif({"A": SEQUENCE[:20] + "W" * 20}))
    template = make_template(
        mmcif({"A": SEQUENCE[:20] + "W" * 20}), sequence=SEQUENCE, mapping="1-40=1-40"
    )
    same = 20 + SEQUENCE[20:].count("W")
    assert identity(SEQUENCE, template, file.chains[0]) == pytest.approx(same / 40)
