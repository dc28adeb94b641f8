"""A manifest says what decides about coordinates, and what is different now."""

from dataclasses import replace

import pytest

from folding import manifest
from folding.inputs import (
    AtomRef,
    Bond,
    DnaChain,
    FoldInput,
    FoldOptions,
    Ligand,
    Modification,
    ProteinChain,
    Template,
)
from folding.manifest import changed, coordinates_sha256, describe, differences
from tests.folding.examples import prediction

JOB = FoldInput("job", (ProteinChain(("A",), "GSWQ", msa=">q\nGSWQ\n>h\nGAWQ\n"),), (1, 2))


def test_a_manifest_holds_all_that_decides():
    found = describe(JOB, FoldOptions(n_steps=7), weights_sha256="abc")
    assert found["seeds"] == [1, 2]
    assert found["options"]["n_steps"] == 7
    assert found["weights_sha256"] == "abc"
    assert found["versions"]["torch"].startswith("2.")
    assert found["threads"] >= 1
    assert found["dtype"] == "float32"
    for place in manifest.WORDS:
        assert manifest._at(found, place) is not None or place == "versions.rdkit", place


def test_nothing_differs_from_itself():
    found = describe(JOB, FoldOptions(), weights_sha256="a" * 64)
    assert differences(found, describe(JOB, FoldOptions(), weights_sha256="a" * 64)) == []


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("weights_sha256", "b" * 64, "The weights differs: it was bbbbbbbbbbbb…, here it is aaa"),
        ("threads", 77, "The number of threads differs: it was 77"),
        ("processor", "vax", "The processor differs: it was vax"),
        ("code_sha256", "c" * 64, "The code of the network differs"),
    ],
)
def test_a_difference_is_named(place, value, said):
    now = describe(JOB, FoldOptions(), weights_sha256="a" * 64)
    (sentence,) = differences({**now, place: value}, now)
    assert sentence.startswith(said)


def test_a_library_of_another_version_is_named():
    now = describe(JOB, FoldOptions(), weights_sha256="a")
    then = {**now, "versions": {**now["versions"], "torch": "1.0"}}
    assert differences(then, now) == [
        f"The version of torch differs: it was 1.0, here it is {now['versions']['torch']}."
    ]


def test_alignments_have_a_checksum():
    other = replace(JOB, chains=(replace(JOB.chains[0], msa=">q\nGSWQ\n"),))
    assert manifest.alignments_sha256(JOB) != manifest.alignments_sha256(other)
    assert manifest.alignments_sha256(JOB) == manifest.alignments_sha256(replace(JOB, name="x"))


def test_templates_have_a_checksum():
    atoms = "data_x\nloop_\n_atom_site.id\n1\n"

    def job(*templates):
        return replace(JOB, chains=(replace(JOB.chains[0], templates=templates),))

    one, other = Template(atoms, (0, 1), (0, 1)), Template(atoms, (0, 1), (1, 2))
    digests = [manifest.templates_sha256(job(*each)) for each in [(), (one,), (other,), (one, one)]]
    assert len(set(digests)) == 4
    assert manifest.templates_sha256(JOB) == digests[0]


def test_every_part_of_the_input_has_its_share_of_the_checksum():
    ligand = Ligand(("L",), ccd=("ATP",))
    chain = JOB.chains[0]
    jobs = [
        JOB,
        replace(JOB, chains=(chain, ligand)),
        replace(JOB, chains=(chain, replace(ligand, ccd=("ADP",)))),
        replace(JOB, chains=(chain, replace(ligand, ids=("M",)))),
        replace(JOB, chains=(replace(chain, msa=None),)),
        replace(JOB, chains=(replace(chain, modifications=(Modification("SEP", 2),)),)),
        replace(JOB, chains=(chain, DnaChain(("D",), "ACGT"))),
        replace(
            JOB, chains=(chain, ligand), bonds=(Bond(AtomRef("A", 2, "OG"), AtomRef("L", 1, "PG")),)
        ),
    ]
    assert len({manifest.input_sha256(job) for job in jobs}) == len(jobs)


def test_an_input_that_was_written_and_read_has_the_same_checksum():
    again = FoldInput.from_json(JOB.to_json())
    assert manifest.input_sha256(again) == manifest.input_sha256(JOB)


def test_other_coordinates_are_found():
    one = prediction()
    moved = replace(one, structure=one.structure.with_coordinates(one.structure.coordinates + 1e-3))
    then, now = coordinates_sha256([one]), coordinates_sha256([moved])
    assert changed(then, coordinates_sha256([one])) == []
    assert changed(then, now) == list(then)
    assert changed(then, {}) == list(then)


def test_a_job_that_was_written_for_alphafold3_has_the_checksum_of_its_fold():
    """A chain with paired rows alone declines others there, which changes no coordinates."""
    paired = ">q\nGSWQ\n>h\nGAWQ\n"
    job = FoldInput("job", (ProteinChain(("A",), "GSWQ", paired_msa=paired),))
    again = FoldInput.from_json(job.to_json(strict=True))
    assert again != job
    assert manifest.input_sha256(again) == manifest.input_sha256(job)
    assert manifest.alignments_sha256(again) == manifest.alignments_sha256(job)


def test_the_order_of_modifications_and_of_keys_changes_no_checksum():
    one, other = (
        (Modification("SEP", 2), Modification("TPO", 1)),
        (Modification("TPO", 1), Modification("SEP", 2)),
    )
    jobs = [replace(JOB, chains=(replace(JOB.chains[0], modifications=m),)) for m in (one, other)]
    assert len({manifest.input_sha256(job) for job in jobs}) == 1
