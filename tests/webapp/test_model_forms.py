"""What the form says of a model that does not know, or does not get, what it would need."""

from folding.inputs import DnaChain, FoldInput, FoldOptions, ProteinChain, Template
from webapp.model_forms import notes

MINI = FoldOptions(model="protenix_mini_default_v0.5.0")
BASE = FoldOptions(model="protenix_base_default_v1.0.0")
SEQUENCE = "MQIFVKTLTGKTITL"
ALONE = FoldInput("job", (ProteinChain(("A",), SEQUENCE),))
ALIGNED = FoldInput("job", (ProteinChain(("A",), SEQUENCE, msa=f">a\n{SEQUENCE}\n"),))
KNOWN = Template("data_x\nloop_\n_atom_site.id\n1\n", (0, 1), (0, 1))
LEANING = FoldInput(
    "job", (ProteinChain(("A",), SEQUENCE, msa=f">a\n{SEQUENCE}\n", templates=(KNOWN,)),)
)


def said(job, options, *, searches=False):
    return notes([job], options, searches=searches)


def test_published_weights_without_an_alignment_are_warned_of_loudly():
    (note,) = said(ALONE, MINI)
    assert "28 % are right instead of 85 %" in note
    assert "Protenix mini" in note


def test_an_alignment_or_a_search_for_one_is_enough():
    assert said(ALIGNED, MINI) == ()
    assert said(ALONE, MINI, searches=True) == ()


def test_the_model_that_ships_needs_none():
    assert said(ALONE, FoldOptions()) == ()


def test_a_job_without_proteins_needs_none():
    assert said(FoldInput("job", (DnaChain(("A",), "ACGTACGT"),)), BASE) == ()


def test_templates_are_for_models_that_read_them():
    assert said(LEANING, BASE) == ()
    (note,) = said(LEANING, MINI)
    assert "Protenix mini does not read templates" in note


def test_molecules_that_a_model_never_saw_are_named():
    job = FoldInput("job", (ProteinChain(("A",), SEQUENCE), DnaChain(("B",), "ACGTACGT")))
    (note,) = said(job, FoldOptions())
    assert "never shown DNA" in note
