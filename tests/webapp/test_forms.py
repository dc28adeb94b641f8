"""Bad input gets a sentence at its field and is not lost; good input becomes a job."""

import json
from dataclasses import replace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils.datastructures import MultiValueDict

from folding import cost
from folding.inputs import NO_ALIGNMENT, NO_PARTNER, FoldInput, FoldOptions, ProteinChain, Template
from folding.weights.store import Store
from tests.folding.inputs.examples import user_component
from tests.folding.templates.structures import mmcif
from webapp.examples import BY_SLUG, EXAMPLES
from webapp.form_fields import whole_numbers
from webapp.forms import SubmitForm

SEQUENCE = "MQIFVKTLTGKTITL"
SMALL = cost.Machine(threads=2, speed=1.0, memory_bytes=2**30)
LARGE = cost.Machine(threads=2, speed=1.0, memory_bytes=64 * 2**30)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """The same machine for every run of these tests."""
    monkeypatch.setattr(cost, "this_machine", lambda: LARGE)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def post(*rows: dict[str, str], files: dict | None = None, **job: str) -> SubmitForm:
    """The form as a browser sends it, judged."""
    data = QueryDict(mutable=True)
    defaults = {"mode": "chains", "name": "A job", "seeds": "1"}
    options = {"n_samples": "5", "n_recycles": "3", "n_steps": "20"}
    data.update(defaults | options | job)
    data.update({"chains-TOTAL_FORMS": str(len(rows)), "chains-INITIAL_FORMS": "0"})
    for index, row in enumerate(rows):
        for name, value in ({"copies": "1"} | row).items():
            data[f"chains-{index}-{name}"] = value
    form = SubmitForm(data, files or {})
    form.is_valid()
    return form


def only_error(form: SubmitForm) -> tuple[str, str]:
    """The field and the sentence of the form's only complaint; there is nothing to fold."""
    assert form.fold_input is None
    ((field, sentences),) = form.errors.items()
    (sentence,) = sentences
    return field, sentence


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("MQIF1VKT", "letters only"),
        ("MQIFVKT*", "stop codon"),
        ("MQIFJVKT", "“I or L”"),
        ("MQIFVK!", "not an amino acid"),
        ("M", "1 residue"),
        (">one\n>two\nMQIFVK", "needs a sequence below"),
        ("text\n>one\nMQIFVK", "begins with a header"),
        ("MQIF\0VKTLTG", "U+0000"),
        ("AUGGCUAAAGCUGCA", "RNA"),
    ],
)
def test_bad_sequences_are_explained_at_their_field(typed, says):
    form = post({"sequence": typed})
    field, sentence = only_error(form)
    assert field == "chains-0-sequence"
    assert says in sentence
    assert form.rows[0]["sequence"].value() == typed


def test_lower_case_and_white_space_are_cleaned():
    form = post({"sequence": " mqifv ktltg\r\n\tktitl "})
    assert form.errors == {}
    assert form.fold_input.chains == (ProteinChain(("A",), SEQUENCE),)


def test_a_multi_fasta_becomes_chains_and_equal_ones_copies():
    form = post({"sequence": f">ubi head\n{SEQUENCE}\n>other\nAAAAAA\n>again\n{SEQUENCE}"}, name="")
    assert [chain.ids for chain in form.fold_input.chains] == [("A", "B"), ("C",)]
    assert form.fold_input.name == "ubi"


def test_copies_multiply_and_blank_rows_do_not_count():
    form = post({"sequence": SEQUENCE, "copies": "3"}, {"sequence": ""}, {"sequence": "AAAAAA"})
    assert [chain.ids for chain in form.fold_input.chains] == [("A", "B", "C"), ("D",)]


def test_given_ids_are_kept_and_others_go_round_them():
    form = post({"sequence": SEQUENCE}, {"sequence": "AAAAAA", "ids": "A, C", "copies": "2"})
    assert [chain.ids for chain in form.fold_input.chains] == [("B",), ("A", "C")]


def test_two_chains_with_the_same_id():
    form = post({"sequence": SEQUENCE, "ids": "A"}, {"sequence": "AAAAAA", "ids": "A"})
    field, sentence = only_error(form)
    assert field == "chains-1-ids"
    assert "A is used twice" in sentence


def test_ids_that_do_not_match_the_copies():
    form = post({"sequence": SEQUENCE, "copies": "3", "ids": "A, B"})
    assert only_error(form)[0] == "chains-0-ids"


@pytest.mark.parametrize("copies", ["0", "-1", "many", "1 2", "1000"])
def test_impossible_copies(copies):
    assert only_error(post({"sequence": SEQUENCE, "copies": copies}))[0] == "chains-0-copies"


def test_more_chains_than_a_job_can_have():
    form = post({"sequence": SEQUENCE, "copies": "60"}, {"sequence": "AAAAAA", "copies": "60"})
    field, sentence = only_error(form)
    assert field.startswith("chains-")
    assert "at most 100 chains" in sentence


def test_an_alignment_of_another_sequence():
    form = post({"sequence": SEQUENCE, "msa": ">query\nMQIFVKTLTGKTITA\n"})
    field, sentence = only_error(form)
    assert field == "chains-0-msa"
    assert "first row" in sentence


def test_alignments_come_in_every_dialect_and_both_kinds():
    stockholm = f"# STOCKHOLM 1.0\nquery {SEQUENCE}\nother -{SEQUENCE[1:]}\n//\n"
    a3m = f">query\n{SEQUENCE}\n>other\n-{SEQUENCE[1:]}\n"
    csv = f"key,sequence\n,{SEQUENCE}\n9,-{SEQUENCE[1:]}\n,{SEQUENCE[:-1]}-\n"
    (chain,) = post({"sequence": SEQUENCE, "msa": stockholm, "paired_msa": a3m}).fold_input.chains
    assert (chain.msa, chain.paired_msa) == (a3m, a3m)
    (chain,) = post({"sequence": SEQUENCE, "msa": csv}).fold_input.chains
    keyed = f">row_1 key=9\n-{SEQUENCE[1:]}\n"
    assert chain.msa == f">query\n{SEQUENCE}\n{keyed}>row_2\n{SEQUENCE[:-1]}-\n"
    assert chain.paired_msa == f">query\n{SEQUENCE}\n>row_1 key=9\n-{SEQUENCE[1:]}\n"


def test_a_bad_paired_alignment_is_said_at_its_field():
    field, says = only_error(post({"sequence": SEQUENCE, "paired_msa": ">a\nACDE\n"}))
    assert field == "chains-0-paired_msa"
    assert "first row" in says


def test_an_alignment_goes_with_one_sequence_only():
    fasta = f">one\n{SEQUENCE}\n>two\nAAAAAA"
    form = post({"sequence": fasta, "msa": f">q\n{SEQUENCE}"})
    assert only_error(form)[0] == "chains-0-msa"


def test_an_uploaded_alignment_counts_and_stays_in_the_form():
    text = f">query\n{SEQUENCE}\n>relative\n{SEQUENCE[:-1]}-\n"
    upload = {"chains-0-msa_file": SimpleUploadedFile("a.a3m", text.encode())}
    form = post({"sequence": SEQUENCE}, files=upload)
    assert form.fold_input.chains[0].msa == text
    assert form.rows[0]["msa"].value() == text


def test_a_compressed_upload_is_refused_in_words():
    upload = {"chains-0-msa_file": SimpleUploadedFile("a.a3m.gz", b"\x1f\x8b\x08\x00\x00rest")}
    field, sentence = only_error(post({"sequence": SEQUENCE}, files=upload))
    assert field == "chains-0-msa"
    assert "compressed" in sentence


def test_an_upload_beyond_the_limit_is_not_read(monkeypatch):
    monkeypatch.setattr("webapp.form_fields.MAX_UPLOAD_BYTES", 10)
    upload = {"chains-0-msa_file": SimpleUploadedFile("a.a3m", b">query\n" + SEQUENCE.encode())}
    field, sentence = only_error(post({"sequence": SEQUENCE}, files=upload))
    assert field == "chains-0-msa"
    assert "at most" in sentence


def test_a_paste_of_thirty_megabytes_is_refused_and_not_sent_back():
    form = post({"sequence": "A" * 30_000_000}, name="kept")
    field, sentence = only_error(form)
    assert field == "chains-0-sequence"
    assert "30,000,000" in sentence
    assert form.rows[0]["sequence"].value() == ""
    assert form.job["name"].value() == "kept"


def test_too_many_tokens_for_this_machine(monkeypatch):
    monkeypatch.setattr(cost, "this_machine", lambda: SMALL)
    field, sentence = only_error(post({"sequence": "A" * 9000}))
    assert field == "chains-0-sequence"
    assert "9,000 residues" in sentence


def test_rows_that_stay_in_the_page_while_one_types_are_estimated_and_refused(monkeypatch):
    mini = {"model": "protenix_mini_default_v0.5.0"}
    monkeypatch.setattr(Store, "is_here", lambda store, name: True)
    whole = [f">r{n}\n{SEQUENCE}\n" for n in range(3000)]
    sequence = {"kind": "protein", "sequence": SEQUENCE}
    sent = post(sequence | {"msa": "".join(whole), "paired_msa": "".join(whole[:2000])}, **mini)
    sample = {"msa": "".join(whole[:5]), "paired_msa": "".join(whole[:7])}
    told = {"msa_rows": "3000", "paired_msa_rows": "2000"}
    assert post(sequence | sample | told, **mini).estimate == sent.estimate
    assert sent.estimate == cost.estimate(len(SEQUENCE), sent.options, n_rows=4999, machine=LARGE)
    for silly in ("-1", "1e9", "²", "9" * 99):
        found = post(sequence | sample | {"msa_rows": silly}, **mini)
        expected = cost.estimate(len(SEQUENCE), found.options, n_rows=11, machine=LARGE)
        assert found.estimate == expected
    monkeypatch.setattr(cost, "this_machine", lambda: replace(LARGE, memory_bytes=2 * 10**9))
    deep = {"sequence": SEQUENCE * 4, "msa_rows": "16384"} | {"msa": f">q\n{SEQUENCE * 4}\n"}
    where, says = only_error(post(sequence | deep, **mini))
    assert where == "chains-0-sequence"
    assert "an alignment of 16,384 rows" in says
    assert post(sequence | deep | {"kind": "dna", "sequence": "ACGT", "msa": ""}, **mini).estimate


def test_a_bond_to_an_atom_that_the_model_does_not_see_is_refused_at_its_field():
    rows = [{"kind": "protein", "sequence": sequence} for sequence in ("GACAG", "CGAGA")]
    bond = "A 5 OXT – B 1 SG"
    where, says = only_error(post(*rows, bonds=bond))
    assert where == "bonds"
    assert says.startswith("The bond A/5/OXT–B/1/SG cannot be made with the model Small")
    assert post(*rows, bonds=bond.replace("A 5 OXT", "A 3 SG")).fold_input
    chains = [{"protein": {"id": i, "sequence": s}} for i, s in (("A", "GACAG"), ("B", "CGAGA"))]
    job = {"name": "J", "modelSeeds": [1], "sequences": chains, "dialect": "alphafold3"}
    job |= {"version": 1, "bondedAtomPairs": [[["A", 5, "OXT"], ["B", 1, "SG"]]]}
    where, says = only_error(post({}, mode="json", json=json.dumps(job)))
    assert where == "json"
    assert "A/5/OXT" in says


def test_a_valid_job_comes_with_an_estimate():
    form = post({"sequence": SEQUENCE, "copies": "2"})
    expected = cost.estimate_job(form.fold_input, form.options, machine=LARGE)
    assert form.estimate == expected
    assert form.estimate.seconds > 0


def test_an_alignment_that_is_looked_for_is_counted_with_the_most_rows(settings):
    settings.MSA_DATABASES = ["one=/x/one.fasta", "two=/x/two.fasta"]
    settings.MSA_ROWS = 300
    row = {"sequence": SEQUENCE}
    searched, alone = post(row, msa_source="local"), post(row, msa_source="")
    most = cost.estimate_job(searched.fold_input, searched.options, n_rows=601, machine=LARGE)
    assert searched.estimate == most
    assert searched.estimate.bytes > alone.estimate.bytes
    page = render_to_string("jobs/submit/check.html", {"form": searched})
    assert page.count("at most") == 2
    assert "those of the deepest" in page
    assert "at most" not in render_to_string("jobs/submit/check.html", {"form": alone})


def test_a_search_that_may_find_too_much_is_let_through_with_a_warning(settings, monkeypatch):
    settings.MSA_DATABASES = ["one=/x/one.fasta"]
    row = {"sequence": SEQUENCE * 8}
    alone = post(row, msa_source="")
    most = post(row, msa_source="local").estimate.bytes
    assert alone.estimate.bytes < most
    tight = cost.Machine(threads=2, speed=1.0, memory_bytes=int(most / cost.USABLE_MEMORY) - 1000)
    monkeypatch.setattr(cost, "this_machine", lambda: tight)
    form = post(row, msa_source="local")
    assert form.fold_input is not None
    page = render_to_string("jobs/submit/check.html", {"form": form})
    assert "will not fit into this machine" in page
    calm = render_to_string("jobs/submit/check.html", {"form": post(row, msa_source="")})
    assert "will not fit" not in calm


def test_a_search_that_may_find_too_much_for_the_gpu_is_warned_of_too(settings, monkeypatch):
    settings.MSA_DATABASES = ["one=/x/one.fasta"]
    row = {"sequence": SEQUENCE * 8}
    beside = replace(LARGE, gpu_bytes=64 * 2**30)
    monkeypatch.setattr(cost, "this_machine", lambda: beside)
    alone, most = (post(row, msa_source=source).estimate.gpu_bytes for source in ("", "local"))
    assert 0 < alone < most
    tight = replace(beside, gpu_bytes=int(most / cost.USABLE_MEMORY) - 1000)
    monkeypatch.setattr(cost, "this_machine", lambda: tight)
    assert post(row, msa_source="local").may_not_fit
    assert not post(row, msa_source="").may_not_fit


@pytest.mark.parametrize(
    ("field", "typed", "says"),
    [
        ("seeds", "one", "whole number"),
        ("seeds", "", "1 to 100 seeds"),
        ("seeds", "1, 1", "given twice"),
        ("seeds", "99999999999", "from 0 to"),
        ("n_samples", "26", "from 1 to 25"),
        ("n_recycles", "", "one whole number"),
        ("n_recycles", "21", "from 0 to 20"),
        ("n_samples", "2.5", "not a whole number"),
        ("n_steps", "9" * 5000, "too large"),
        ("name", "x" * 101, "at most 100"),
        ("name", "a\0b", "U+0000"),
    ],
)
def test_settings_out_of_range(field, typed, says):
    form = post({"sequence": SEQUENCE}, **{field: typed})
    where, sentence = only_error(form)
    assert where == field
    assert says in sentence


def test_one_complaint_does_not_hide_the_next():
    form = post({"sequence": "M1", "copies": "x"}, name="x" * 101, seeds="-", n_steps="0")
    assert set(form.errors) == {"chains-0-sequence", "chains-0-copies", "name", "seeds", "n_steps"}


def test_a_json_job_is_read_and_its_options_come_from_the_form():
    job = FoldInput("From JSON", (ProteinChain(("A", "B"), SEQUENCE),), seeds=(4, 5))
    form = post(mode="json", json=json.dumps(job.to_json()), n_steps="7")
    assert form.fold_input == job
    assert form.options == FoldOptions(n_steps=7)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no job yet"),
        ("{", "not JSON"),
        ('{"proteins": []}', "not a folding job"),
        ("[1, 2]", "job"),
        (
            '{"name": "n", "modelSeeds": [1], "dialect": "alphafold3", "version": 1,'
            ' "sequences": [{"protein": {"id": "A", "sequence": "MM"}}]}',
            "Entity 1: A chain needs",
        ),
    ],
)
def test_json_that_is_not_a_job(text, says):
    form = post(mode="json", json=text)
    field, sentence = only_error(form)
    assert field == "json"
    assert says in sentence
    assert form.job["json"].value() == text


def test_an_uploaded_json_stays_in_the_form():
    upload = {"json_file": SimpleUploadedFile("job.json", b"{")}
    form = post(mode="json", files=upload)
    assert only_error(form)[0] == "json"
    assert form.job["json"].value() == "{"


def test_in_json_mode_the_rows_of_sequences_do_not_count():
    job = FoldInput("From JSON", (ProteinChain(("A",), SEQUENCE),))
    form = post({"sequence": "123"}, mode="json", json=json.dumps(job.to_json()))
    assert form.errors == {}


def test_a_form_without_its_fields_is_an_error_not_a_crash():
    form = SubmitForm(QueryDict(""), {})
    assert not form.is_valid()
    assert form.whole_errors == ["The form arrived incomplete. Reload the page and try again."]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.slug)
def test_every_example_folds_as_it_stands(example):
    form = SubmitForm.of_example(example)
    names = ("kind", "sequence", "ligand", "copies", "modifications")
    rows = [{name: row[name].value() or "" for name in names} for row in form.rows]
    sent = post(*rows, name=form.job["name"].value(), bonds=form.job["bonds"].value() or "")
    assert sent.errors == {}
    assert len(sent.fold_input.chains) == 1 + len(example.partners)
    assert sent.fold_input.n_tokens >= len(example.sequence) * example.copies
    assert len(sent.fold_input.bonds) == len(example.bonds.splitlines())


def test_examples_show_every_kind_of_molecule():
    kinds = {row.get("kind") or "protein" for example in EXAMPLES for row in example.rows}
    assert kinds >= {"protein", "dna", "ligand"}
    assert any(example.modifications for example in EXAMPLES)
    assert any(example.bonds for example in EXAMPLES)


def test_the_form_of_a_job_submits_the_same_job():
    msa = f">q\n{SEQUENCE}\n"
    chains = (ProteinChain(("A", "B"), SEQUENCE, msa=msa), ProteinChain(("C",), "AAAAAA"))
    job, options = FoldInput("Again", chains, seeds=(3, 9)), FoldOptions(n_steps=11)
    form = SubmitForm.of_job(job, options)
    rows = [
        {name: row[name].value() for name in row.fields if row[name].value()} for row in form.rows
    ]
    values = {name: form.job[name].value() for name in ("name", "seeds", "n_steps")}
    sent = post(*rows, **values)
    assert (sent.fold_input, sent.options) == (job, options)


def test_sizes_of_examples_in_words():
    assert BY_SLUG["ubiquitin"].size == "76 residues"
    assert BY_SLUG["gcn4"].size == "2 × 31 residues"
    assert BY_SLUG["adenylate-kinase"].size == "214 residues, ATP, Mg"


def test_whole_numbers():
    assert whole_numbers(" 1, 2;3 4\n") == (1, 2, 3, 4)
    assert whole_numbers("") == ()


ATP_MG = ({"sequence": SEQUENCE}, {"kind": "ligand", "ligand": "atp"})


def test_ligands_and_nucleic_acids_have_rows_of_their_own():
    form = post(
        *ATP_MG,
        {"kind": "ligand", "ligand": "MG", "copies": "2"},
        {"kind": "dna", "sequence": "acgtacgt"},
        {"kind": "rna", "sequence": ">hairpin\nGGGAAACCC"},
        {"kind": "ligand", "ligand_as": "smiles", "ligand": " CCO "},
    )
    assert form.errors == {}
    _, atp, ion, dna, rna, ethanol = form.fold_input.chains
    assert (atp.ccd, ion.ccd, ion.ids) == (("ATP",), ("MG",), ("C", "D"))
    assert (dna.sequence, rna.sequence, rna.description) == ("ACGTACGT", "GGGAAACCC", "hairpin")
    assert ethanol.smiles == "CCO"
    assert form.fold_input.n_tokens == len(SEQUENCE) + 31 + 2 + 8 + 9 + 3


@pytest.mark.parametrize(
    ("typed", "code"),
    [("caffeine", "CFF"), (" Acetic  acid ", "ACY"), ("heme b", "HEM"), ("NAD+", "NAD")],
)
def test_a_ligand_may_be_called_by_its_name(typed, code):
    form = post({"sequence": SEQUENCE}, {"kind": "ligand", "ligand": typed})
    assert form.errors == {}
    assert form.fold_input.chains[1].ccd == (code,)


def test_a_glycan_is_several_codes_and_its_bonds():
    sequence = "NGTSNGTS"
    form = post(
        {"sequence": sequence},
        {"kind": "ligand", "ligand": "NAG NAG"},
        bonds="A 1 ND2 – B 1 C1\nB/1/O4–B/2/C1",
    )
    assert form.errors == {}
    assert [str(bond) for bond in form.fold_input.bonds] == ["A/1/ND2–B/1/C1", "B/1/O4–B/2/C1"]


@pytest.mark.parametrize(
    ("row", "field", "says"),
    [
        ({"kind": "ligand", "ids": "B"}, "ligand", "Write what the ligand is"),
        ({"kind": "ligand", "ligand": "QQQQQ9"}, "ligand", "QQQQQ9"),
        ({"kind": "ligand", "ligand": "heme"}, "ligand", "HEME"),
        ({"kind": "ligand", "ligand_as": "smiles", "ligand": "C1CC"}, "ligand", "C1CC"),
        ({"kind": "ligand", "ligand_as": "file", "ids": "B"}, "molecule", "Read the molecule"),
        ({"kind": "ligand", "ligand_as": "file", "molecule": "ATOM"}, "molecule", ""),
        ({"kind": "dna", "sequence": "ACGU"}, "sequence", "U"),
        ({"kind": "rna", "sequence": "ACGT"}, "sequence", "T"),
        ({"sequence": SEQUENCE, "modifications": "SEP"}, "modifications", "SEP 5"),
        ({"sequence": SEQUENCE, "modifications": "SEP 500"}, "modifications", "500"),
        ({"sequence": "MQIF", "kind": "dna"}, "sequence", "M"),
    ],
)
def test_bad_entities_are_explained_at_their_field(row, field, says):
    form = post({"sequence": SEQUENCE}, row)
    assert form.fold_input is None
    ((name, sentences),) = form.errors.items()
    assert name == f"chains-1-{field}"
    assert says in sentences[0]


@pytest.mark.parametrize(
    ("bonds", "says"),
    [
        ("A 1 SG", "is not a bond"),
        ("A 1 SG – B one C1", "is not a bond"),
        ("A 1 CA – Z 1 PG", "names the chain"),
        ("A 900 CA – B 1 PG", "residue 900"),
        ("A 1 XX – B 1 PG", "XX"),
    ],
)
def test_bad_bonds_are_explained(bonds, says):
    field, sentence = only_error(post(*ATP_MG, bonds=bonds))
    assert field == "bonds"
    assert says in sentence


def test_a_job_comes_back_into_its_rows():
    rows = (
        {"sequence": SEQUENCE, "modifications": "MSE 1, SEP 14", "copies": "2"},
        {"kind": "ligand", "ligand": "ATP"},
        {"kind": "rna", "sequence": "GGGAAACCC", "cyclic": "on", "no_msa": "on"},
        {"sequence": "ACDEFGHIKL", "no_msa": "on", "no_templates": "on"},
    )
    job = post(*rows, bonds="A 3 CA – C 1 PG").fold_input
    again = SubmitForm.of_job(job, FoldOptions())
    filled = [
        {name: row[name].value() for name in row.fields if row[name].value()} for row in again.rows
    ]
    filled = [{k: ("on" if v is True else v) for k, v in row.items()} for row in filled]
    bonds = again.job["bonds"].value()
    assert post(*filled, bonds=bonds).fold_input == job


def test_structures_too_large_for_a_page_come_back_as_json(monkeypatch):
    monkeypatch.setattr("webapp.forms.MAX_SHOWN_TEMPLATES", 10)
    atoms = "data_x\nloop_\n_atom_site.id\n1\n"
    chain = ProteinChain(("A",), SEQUENCE, templates=(Template(atoms, (0,), (0,)),))
    job = FoldInput("templates", (chain,))
    form = SubmitForm.of_job(job, FoldOptions())
    assert form.job["mode"].value() == "json"
    assert FoldInput.from_json(json.loads(form.job["json"].value())) == job


# Templates -------------------------------------------------------------------------------------

KNOWN = "MQIFVKTLTGKTITL"


def places(job: FoldInput) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [(t.query_indices, t.template_indices) for t in job.chains[0].templates or ()]


def test_a_structure_becomes_a_template_of_its_row():
    job = post({"sequence": SEQUENCE, "templates": mmcif({"A": KNOWN})}).fold_input
    assert places(job) == [(tuple(range(15)), tuple(range(15)))]
    assert job.chains[0].templates[0].cif.count("\n") < mmcif({"A": KNOWN}).count("\n")


def test_a_structure_file_is_read_without_javascript():
    upload = SimpleUploadedFile("known.cif", mmcif({"A": KNOWN}).encode())
    form = post({"sequence": SEQUENCE}, files={"chains-0-templates_file": upload})
    assert len(places(form.fold_input)) == 1
    assert form.rows[0]["templates"].value().startswith("data_1ABC")


def structures(*texts):
    """What a browser sends of several files chosen at once."""
    chosen = [
        SimpleUploadedFile(f"{number}.cif", text.encode()) for number, text in enumerate(texts)
    ]
    return MultiValueDict({"chains-0-templates_file": chosen})


def test_several_structure_files_are_read_without_javascript():
    # The first ends without a line break.
    files = structures(mmcif({"A": KNOWN}).rstrip(), mmcif({"A": KNOWN[4:]}))
    form = post({"sequence": SEQUENCE}, files=files)
    assert [len(query) for query, _ in places(form.fold_input)] == [15, 11]
    assert form.rows[0]["templates"].value().count("data_1ABC") == 2


def test_structure_files_join_those_that_were_pasted():
    row = {"sequence": SEQUENCE, "templates": mmcif({"A": KNOWN[4:]})}
    form = post(row, files=structures(mmcif({"A": KNOWN})))
    assert [len(query) for query, _ in places(form.fold_input)] == [11, 15]


def test_a_structure_file_among_others_that_is_none_is_explained():
    files = structures(mmcif({"A": KNOWN}), "ATOM 1 N")
    form = post({"sequence": SEQUENCE}, files=files)
    field, says = only_error(form)
    assert field == "chains-0-templates"
    assert says.startswith("“1.cif” must be an mmCIF file")
    assert form.rows[0]["templates"].value().endswith("ATOM 1 N")


def test_structure_files_that_are_too_large_together_are_refused(monkeypatch):
    monkeypatch.setattr("webapp.form_fields.MAX_UPLOAD_BYTES", 1_000_000)
    files = structures(*[mmcif({"A": KNOWN}).ljust(600_000, "#")] * 2)
    field, says = only_error(post({"sequence": SEQUENCE}, files=files))
    assert field == "chains-0-templates"
    assert says == "All files together can have at most 1 MB, but these have 1.2 MB."


def test_chain_and_mapping_are_chosen():
    text = mmcif({"A": "GGGGGGGG", "B": "AA" + KNOWN})
    job = post(
        {
            "sequence": SEQUENCE,
            "templates": text,
            "template_chain": "B",
            "template_mapping": "1-5=3-7, 10=12",
        }
    ).fold_input
    assert places(job) == [((0, 1, 2, 3, 4, 9), (2, 3, 4, 5, 6, 11))]


def test_several_structures_are_several_templates():
    text = mmcif({"A": KNOWN}) + mmcif({"A": "AAAAAA", "B": KNOWN[4:]})
    row = {"sequence": SEQUENCE, "templates": text, "template_chain": "A, B"}
    job = post(row).fold_input
    assert [len(query) for query, _ in places(job)] == [15, 11]
    job = post(row | {"template_mapping": "1-6=1-6 | 5-9=1-5"}).fold_input
    assert [query for query, _ in places(job)] == [(0, 1, 2, 3, 4, 5), (4, 5, 6, 7, 8)]


@pytest.mark.parametrize(
    ("row", "field", "says"),
    [
        ({"templates": "ATOM 1 N"}, "templates", "must be an mmCIF file"),
        ({"templates": mmcif({"A": KNOWN, "B": KNOWN})}, "template_chain", "Say which one"),
        ({"templates": mmcif({"A": KNOWN}), "template_chain": "Z"}, "template_chain", "has A"),
        (
            {"templates": mmcif({"A": KNOWN}), "template_chain": "A, B"},
            "template_chain",
            "there are 1",
        ),
        (
            {"templates": mmcif({"A": KNOWN}), "template_mapping": "1-5=1-6"},
            "template_mapping",
            "equal length",
        ),
        (
            {"templates": mmcif({"A": KNOWN}) * 2, "template_mapping": "1-5=1-5 | 1=1 | 2=2"},
            "template_mapping",
            "Write one for each",
        ),
        ({"templates": mmcif({"A": KNOWN}), "template_mapping": "1=1"}, "templates", "Only 1"),
        ({"templates": mmcif({"A": KNOWN}) * 21}, "templates", "at most 20"),
    ],
)
def test_what_is_no_template_is_explained_at_its_field(row, field, says):
    where, sentence = only_error(post({"sequence": SEQUENCE} | row))
    assert where == f"chains-0-{field}"
    assert says in sentence


def test_templates_belong_to_one_sequence():
    where, sentence = only_error(
        post({"sequence": f">a\n{SEQUENCE}\n>b\nAAAAAA", "templates": mmcif({"A": KNOWN})})
    )
    assert where == "chains-0-templates"
    assert "one sequence only" in sentence


def test_a_job_with_templates_comes_back_in_its_rows():
    text = mmcif({"A": KNOWN}, missing=(3,)) + mmcif({"A": "AAAAAA", "B": KNOWN[4:]})
    row = {"sequence": SEQUENCE, "templates": text, "template_chain": "A, B", "copies": "2"}
    job = post(row | {"template_mapping": "1-8=1-8, 10=12 | 5-9=1-5"}).fold_input
    again = SubmitForm.of_job(job, FoldOptions()).rows[0]
    filled = {name: str(again[name].value()) for name in again.fields if again[name].value()}
    assert filled["template_mapping"] == "1-2=1-2, 4-8=4-8, 10=12 | 5-9=1-5"
    assert post(filled).fold_input == job


def test_a_model_without_templates_says_so():
    row = {"sequence": SEQUENCE, "templates": mmcif({"A": KNOWN})}
    (note,) = post(row).model_notes
    assert "does not read templates" in note
    assert post({"sequence": SEQUENCE}).model_notes == ()


def test_diversity_is_off_unless_asked_for_and_comes_back_with_the_job():
    row = {"kind": "protein", "sequence": "MQIFVKT"}
    assert post(row).options.diversity is False
    form = post(row, diversity="on")
    assert form.options.diversity is True
    assert "checked" in str(SubmitForm.of_job(form.fold_input, form.options).job["diversity"])
    again = SubmitForm.of_job(form.fold_input, post(row).options)
    assert "checked" not in str(again.job["diversity"])


def test_that_there_is_no_alignment_is_said_once_and_not_where_one_is_looked_for(settings):
    row = {"sequence": SEQUENCE}
    assert post(row).job_notes == (NO_ALIGNMENT,)
    settings.MSA_DATABASES = ["small=/x/small.fasta"]
    assert post(row, msa_source="local").job_notes == ()
    assert post(row, msa_source="").job_notes == (NO_ALIGNMENT,)
    public = post(row)
    public.options = FoldOptions(model="protenix_mini_default_v0.5.0")
    assert public.job_notes == ()
    assert "28 %" in public.model_notes[0]


def test_paired_rows_without_a_partner_are_told_unless_a_search_may_find_some(settings):
    settings.MSA_DATABASES = ["small=/x/small.fasta"]
    paired = f"key,sequence\n,{SEQUENCE}\n9606,{SEQUENCE[:-1]}W\n"
    rows = ({"sequence": SEQUENCE, "msa": paired}, {"sequence": "MKWVTFISLLF"})
    (note,) = post(*rows, msa_source="").job_notes
    assert note.startswith("Chain A: ") and note.endswith(NO_PARTNER)
    assert post(*rows, msa_source="local").job_notes == ()


def test_a_row_folds_without_what_it_does_not_want(settings):
    settings.MSA_DATABASES = ["small=/x/small.fasta"]
    row = {"sequence": SEQUENCE, "no_msa": "on", "no_templates": "on"}
    declined = post(row, msa_source="local")
    (chain,) = declined.fold_input.chains
    assert (chain.msa, chain.templates) == ("", ())
    assert declined.job_notes == (NO_ALIGNMENT,), "none is looked for, whatever the job asks"
    (silent,) = post({"sequence": SEQUENCE}).fold_input.chains
    assert (silent.msa, silent.templates) == (None, None)


@pytest.mark.parametrize("name", ["msa", "templates"])
def test_a_row_cannot_bring_what_it_does_not_want(name):
    form = post({"sequence": SEQUENCE, name: f">q\n{SEQUENCE}", f"no_{name}": "on"})
    field, sentence = only_error(form)
    assert field == f"chains-0-{name}"
    assert "asks to fold without" in sentence


@pytest.mark.django_db
def test_the_part_for_experts_is_open_where_it_says_something():
    page = "jobs/submit/settings.html"
    shut, open_ = (
        render_to_string(page, {"form": SubmitForm(initial=initial)})
        for initial in ({}, {"diversity": "on"})
    )
    assert '<details class="more">' in shut and "checked" not in shut
    assert '<details class="more" open>' in open_ and "checked" in open_
    assert 'name="diversity"' in shut and "seeds differ more" in shut


@pytest.mark.parametrize("typed", ["GLUCOSE", "glucose", "Glucose ATP"])
def test_a_component_of_ones_own_comes_before_a_name_of_the_dictionary(typed):
    own = user_component("GLUCOSE", ["C1", "O1"])
    rows = ({"sequence": SEQUENCE}, {"kind": "ligand", "ligand": typed})
    form = post(*rows, user_ccd=own)
    assert not form.errors
    assert form.fold_input.chains[1].ccd[0] == "GLUCOSE"
    assert form.fold_input.n_tokens == len(SEQUENCE) + 2 + 31 * ("ATP" in typed)
    assert post(rows[0], {"kind": "ligand", "ligand": "glucose"}).fold_input.chains[1].ccd == (
        "GLC",
    )


def test_a_broken_dictionary_is_said_at_its_field_while_names_keep_their_meaning():
    rows = ({"sequence": SEQUENCE}, {"kind": "ligand", "ligand": "glucose"})
    field, sentence = only_error(post(*rows, user_ccd="data_GLUCOSE"))
    assert field == "user_ccd"
    assert "_chem_comp_atom" in sentence


def test_components_of_ones_own_may_come_as_a_file():
    own = SimpleUploadedFile("own.cif", user_component("HEME", ["C1", "O1"]).encode())
    rows = ({"sequence": SEQUENCE}, {"kind": "ligand", "ligand": "heme"})
    form = post(*rows, files={"user_ccd_file": own})
    assert form.fold_input.chains[1].ccd == ("HEME",)
