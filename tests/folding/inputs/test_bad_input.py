"""What people try, by accident or not: each gets a sentence at its field, and quickly."""

import json
import time

import pytest

from folding.errors import InvalidInput
from folding.inputs import FoldInput, FoldOptions, ProteinChain, assign_chain_ids, read_input
from tests.folding.examples import CRAMBIN, TRP_CAGE

UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"

GENBANK = """\
        1 mqifvktltg ktitlevepsd tienvkakiq dkegippdqq rlifagkqle dgrtlsdyni
       61 qkestlhlvl rlrgg
"""
CLUSTAL = """\
CLUSTAL W (1.83) multiple sequence alignment

sp|P0CG48  MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPP
"""
PDB_LINE = "ATOM      1  N   MET A   1      27.340  24.430   2.614  1.00  9.67           N"

BAD_TEXTS = {
    "empty": ("", "The sequence is empty"),
    "white space": (" \n\r\n\t ", "The sequence is empty"),
    "one residue": ("M", "at least 4 residues, but “M” has 1 residue"),
    "numbered listing": (GENBANK, "FASTA view of the same page"),
    "stop codon": (UBIQUITIN + "*", "Position 77 of the sequence is “*”"),
    "unknown letter": (UBIQUITIN[:9] + "B" + UBIQUITIN[10:], "Position 10"),
    "word": ("thing, please", "Position 6 of the sequence is “,”"),
    "cyrillic look-alike": ("MQIFVКTLTG", "Position 6 of the sequence is “К”, which is not"),
    "dna with gaps": ("ACGT-ACGT", "gap of an alignment"),
    "rna": ("AUGGCUUACGGAUUC", "looks like RNA"),
    "clustal": (CLUSTAL, "Position 3 of the sequence is “U”"),
    "pdb": (PDB_LINE, "Position 3 of the sequence is “O”"),
    "header only": (">sp|P0CG48|UBC_HUMAN", "Every FASTA header needs a sequence"),
    "text before header": (f"my protein\n>a\n{UBIQUITIN}", "line 1 is “my protein”"),
    "header amid the line": (f"{UBIQUITIN} >a", "line 1 is"),
    "nul bytes": (UBIQUITIN + "\0\0", "U+0000"),
    "zip": ("PK\x03\x04\x14\x00", "U+0003"),
    "html": ("<html><body>404</body></html>", "line 1 is “<html><body>404</body></html>”"),
    "huge": ("M" * 30_000_000, "30,000,000"),
    "many chains": (":".join([TRP_CAGE] * 101), "at most 100 chains"),
    "not a job": ('{"hello": "world"}', "This JSON is not a folding job"),
    "broken json": ('{"name": "x", ', "This is not JSON"),
    "deep json": ('{"a":' * 200_000, "nested too deeply"),
}


@pytest.mark.parametrize("case", BAD_TEXTS)
def test_a_bad_paste_gets_a_sentence(case):
    text, said = BAD_TEXTS[case]
    started = time.perf_counter()
    with pytest.raises(InvalidInput) as caught:
        read_input(text)
    assert time.perf_counter() - started < 2
    message = str(caught.value)
    assert said in message
    assert message[0].isupper()
    assert message.endswith((".", "?"))
    assert len(message) < 400, "a message is read, not studied"
    assert caught.value.field in ("sequence", "")


GOOD_TEXTS = {
    "lower case": UBIQUITIN.lower(),
    "lines of ten": "\n".join(UBIQUITIN[i : i + 10] for i in range(0, 76, 10)),
    "blocks": " ".join(UBIQUITIN[i : i + 10] for i in range(0, 76, 10)),
    "windows": f">a\r\n{UBIQUITIN[:40]}\r\n{UBIQUITIN[40:]}\r\n",
    "byte order mark": f"\ufeff>a\n{UBIQUITIN}",
    "non-breaking spaces": UBIQUITIN[:30] + "\u00a0" + UBIQUITIN[30:],
    "blank lines first": f"\n\n\n>a\n\n{UBIQUITIN}\n\n",
    "spaces before the header": f"   > a b c\n   {UBIQUITIN}   ",
}


@pytest.mark.parametrize("case", GOOD_TEXTS)
def test_a_clumsy_paste_is_understood(case):
    job = read_input(GOOD_TEXTS[case], name="ubiquitin")
    assert [chain.sequence for chain in job.chains] == [UBIQUITIN]
    assert job.n_tokens == 76


def test_an_alignment_for_another_chain_names_the_difference():
    with pytest.raises(InvalidInput) as caught:
        ProteinChain(("A",), UBIQUITIN, f">q\n{UBIQUITIN[:5]}A{UBIQUITIN[6:]}\n")
    assert "residue 6 is “A” there and “K” in the sequence" in str(caught.value)
    assert caught.value.field == "msa"


def test_every_field_of_a_form_can_be_told_apart():
    """As a form does it: each chain is tried, and each mistake kept at its place."""
    entered = [(TRP_CAGE, 1), ("AC1", 2), (CRAMBIN, 1)]
    ids = assign_chain_ids([copies for _, copies in entered])
    errors = {}
    for index, ((sequence, _), names) in enumerate(zip(entered, ids, strict=True)):
        try:
            ProteinChain(names, sequence)
        except InvalidInput as error:
            errors[error.inside(f"chains.{index}").field] = str(error)
    assert ids == (("A",), ("B", "C"), ("D",))
    assert list(errors) == ["chains.1.sequence"]


def test_a_job_keeps_its_meaning_through_a_row_of_a_database():
    job = FoldInput(
        "n", (ProteinChain(("A", "B"), TRP_CAGE, f">q\n{TRP_CAGE}\n", description="note"),), (5, 0)
    )
    row = json.loads(json.dumps(job.to_json()))
    assert FoldInput.from_json(row) == job
    options = FoldOptions(n_samples=3)
    assert FoldOptions(**json.loads(json.dumps(options.__dict__))) == options
