"""AlphaFold 3's JSON: what it says is read, what is not supported is refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.errors import InvalidInput
from folding.inputs import (
    AtomRef,
    Bond,
    DnaChain,
    FoldInput,
    Ligand,
    Modification,
    ProteinChain,
    RnaChain,
    Template,
)
from folding.inputs.dialects import alphafold3
from folding.inputs.sequence import AMINO_ACIDS
from tests.folding.examples import GOLDEN, TRP_CAGE
from tests.folding.inputs.examples import data


def document(**changes: Any) -> dict[str, Any]:
    base = {
        "name": "job",
        "modelSeeds": [1],
        "sequences": [{"protein": {"id": "A", "sequence": TRP_CAGE}}],
        "dialect": "alphafold3",
        "version": 4,
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not ...}


def protein(**changes: Any) -> dict[str, Any]:
    return document(sequences=[{"protein": {"id": "A", "sequence": TRP_CAGE, **changes}}])


def ligand(**changes: Any) -> dict[str, Any]:
    return document(sequences=[{"ligand": {"id": "L", **changes}}])


def bonded(atom: list[Any]) -> dict[str, Any]:
    return document(bondedAtomPairs=[[["A", 2, "CA"], atom]])


def modified(*changes: tuple[int, str]) -> dict[str, Any]:
    return protein(modifications=[{"ptmType": c, "ptmPosition": p} for p, c in changes])


CIF = "data_x\nloop_\n_atom_site.id\n1\n"


def templated(**changes: Any) -> dict[str, Any]:
    template = {"mmcif": CIF, "queryIndices": [0, 1], "templateIndices": [4, 5], **changes}
    return protein(templates=[template])


def test_copies_alignments_and_remarks_are_read():
    msa = f">query\n{TRP_CAGE}\n"
    found = FoldInput.from_json(
        protein(id=["A", "B"], unpairedMsa=msa, description="a mini-protein", pairedMsa="")
    )
    assert found.chains == (ProteinChain(("A", "B"), TRP_CAGE, msa, description="a mini-protein"),)
    assert found.seeds == (1,)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_every_version_is_read(version):
    assert FoldInput.from_json(document(version=version)).name == "job"


@pytest.mark.parametrize("msa", [None, ""])
@pytest.mark.parametrize("templates", [None, ()])
def test_none_wanted_and_nothing_said_are_two_things(msa, templates):
    said = None if templates is None else list(templates)
    job = protein(unpairedMsa=msa, templates=said)
    job["sequences"].append({"rna": {"id": "R", "sequence": "ACGU", "unpairedMsa": msa}})
    found = FoldInput.from_json(job)
    assert [chain.msa for chain in found.chains] == [msa, msa]
    assert found.chains[0].templates == templates
    assert FoldInput.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_an_empty_alignment_file_declines_too():
    job = alphafold3.read(protein(unpairedMsaPath="x"), files=lambda path: "")
    assert job.chains[0].msa == ""


def test_what_is_unset_may_stand_there():
    unset = {"modifications": [], "templates": None, "pairedMsa": None, "unpairedMsaPath": None}
    found = FoldInput.from_json({**protein(**unset), "bondedAtomPairs": None, "userCCD": ""})
    assert found == FoldInput.from_json(document())


CASES = {
    "rna": (document(sequences=[{"rna": {"id": "A"}}]), "chains.0.sequence", "“sequence” must be"),
    "ligand": (document(sequences=[{"ligand": {}}]), "chains.0.ids", "“id” must be a chain id"),
    "ligand of nothing": (ligand(), "chains.0.ccd", "none of them"),
    "ligand of two": (ligand(ccdCodes=["ATP"], smiles="CO"), "chains.0.smiles", "ccd and smiles"),
    "ligand code": (ligand(ccdCodes=["QQQQQ"]), "chains.0.ccd", "no component “QQQQQ”"),
    "ligand codes": (ligand(ccdCodes="ATP"), "chains.0.ccd", "must be a list of codes"),
    "ligand smiles": (ligand(smiles="C1CC"), "chains.0.smiles", "“C1CC” cannot be read as SMILES"),
    "ligand key": (ligand(ccdCodes=["ATP"], count=2), "chains.0", "“count” is not part of"),
    "server": (document(sequences=[{"proteinChain": {}}]), "chains.0", "AlphaFold Server"),
    "unknown entity": (document(sequences=[{"sugar": {}}]), "chains.0", "“sugar” is not a kind"),
    "entity of two": (document(sequences=[{"protein": {}, "rna": {}}]), "chains.0", "one key"),
    "entity text": (document(sequences=["protein"]), "chains.0", "not “protein”"),
    "protein text": (document(sequences=[{"protein": "A"}]), "chains.0", "must be an object"),
    "bond": (document(bondedAtomPairs=[[]]), "bonds.0", "pair of atoms such as"),
    "bond atom": (document(bondedAtomPairs=[[["A"], ["B"]]]), "bonds.0", "chain, residue, name"),
    "bond chain": (bonded(["Z", 1, "C1"]), "bonds.0", "names the chain “Z”"),
    "bond residue": (bonded(["A", 99, "CA"]), "bonds.0", "names residue 99 of chain A"),
    "bond name": (bonded(["A", 1, "SG"]), "bonds.0", "“SG” of A/1, which has the atoms N, CA"),
    "bond to itself": (bonded(["A", 2, "CA"]), "bonds.0", "cannot be bonded to itself"),
    "bond text": (bonded(["A", "2", "CA"]), "bonds.0", "not “['A', '2', 'CA']”"),
    "user CCD": (document(userCCD="data_X"), "user_ccd", "needs a table of its atoms"),
    "user CCD no CIF": (document(userCCD="hello"), "user_ccd", "begins with “data_”"),
    "user CCD path": (document(userCCDPath="x"), "user_ccd", "cannot be read from here"),
    "template": (protein(templates=[{}]), "chains.0.templates.0.mapping", "“queryIndices” must be"),
    "template cif": (templated(mmcif="ATOM"), "chains.0.templates.0.cif", "must be an mmCIF file"),
    "template ends": (templated(queryIndices=[19, 20]), "chains.0.templates", "maps residue 20"),
    "template twice": (
        templated(queryIndices=[1, 1]),
        "chains.0.templates.0.mapping",
        "1 is given",
    ),
    "template odd": (
        templated(queryIndices=[1]),
        "chains.0.templates.0.mapping",
        "there are 1 query",
    ),
    "modification": (protein(modifications=[{}]), "chains.0.modifications.ptmType", "must be text"),
    "modified twice": (
        modified((2, "SEP"), (2, "TPO")),
        "chains.0.modifications",
        "modified twice",
    ),
    "modified beyond": (modified((21, "SEP")), "chains.0.modifications", "residues 1 to 20"),
    "modified by DNA": (modified((2, "6OG")), "chains.0.modifications", "calls it “dna linking”"),
    "modified unknown": (modified((2, "QQQQQ")), "chains.0.modifications", "no component “QQQQQ”"),
    "paired": (protein(pairedMsa=">q\nA"), "chains.0.paired_msa", "first row of the alignment"),
    "path and text": (
        protein(unpairedMsaPath="/x", unpairedMsa=">q"),
        "chains.0.msa",
        "same thing",
    ),
    "path": (protein(unpairedMsaPath="/x"), "chains.0.msa", "names a file that cannot be read"),
    "unknown key": (document(seeds=[1]), "", "“seeds” is not part of the alphafold3 dialect"),
    "misplaced key": (document(templates=[{}]), "", "“templates” is not part of"),
    "unknown protein key": (protein(count=2), "chains.0", "“count” is not part of"),
    "no name": (document(name=...), "name", "“name” must be text, but it is missing"),
    "name is a number": (document(name=3), "name", "“name” must be text, but this has “3”"),
    "no seeds": (document(modelSeeds=...), "seeds", "it is missing"),
    "empty seeds": (document(modelSeeds=[]), "seeds", "but this has 0"),
    "seed text": (document(modelSeeds=["1"]), "seeds", "list of whole numbers"),
    "seed fraction": (document(modelSeeds=[1.5]), "seeds", "list of whole numbers"),
    "seed true": (document(modelSeeds=[True]), "seeds", "list of whole numbers"),
    "seed too large": (document(modelSeeds=[2**32]), "seeds", "4294967296"),
    "no sequences": (document(sequences=...), "", "not a folding job"),
    "sequences object": (document(sequences={}), "chains", "a list of chains"),
    "sequences empty": (document(sequences=[]), "chains", "nothing to fold"),
    "no dialect": (
        document(dialect=...),
        "dialect",
        "must be “alphafold3” or “alphafoldserver”, not “None”",
    ),
    "other dialect": (document(dialect="boltz"), "dialect", "not “boltz”"),
    "version 5": (document(version=5), "version", "one of 1, 2, 3 and 4, not “5”"),
    "version true": (document(version=True), "version", "not “True”"),
    "version list": (document(version=[1]), "version", "not “[1]”"),
    "id missing": (protein(id=None), "chains.0.ids", "not “None”"),
    "id number": (protein(id=1), "chains.0.ids", "not “1”"),
    "id list of numbers": (protein(id=[1]), "chains.0.ids", "not “[1]”"),
    "id lower case": (protein(id="a"), "chains.0.ids", "capital letters"),
    "ids twice": (protein(id=["A", "A"]), "chains.0.ids", "A is used twice"),
    "sequence missing": (protein(sequence=None), "chains.0.sequence", "“sequence” must be text"),
    "sequence wrong": (protein(sequence="A1CD"), "chains.0.sequence", "Position 2"),
    "alignment of another": (protein(unpairedMsa=">q\nACDE"), "chains.0.msa", "first row"),
    "alignment number": (protein(unpairedMsa=3), "chains.0.msa", "must be text"),
    "description number": (protein(description=3), "chains.0.description", "must be text"),
    "a list": ([document()], "", "not a folding job"),
    "a number": (3, "", "not a folding job"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_done_is_refused_by_name(case):
    job, field, said = CASES[case]
    with pytest.raises(InvalidInput) as caught:
        FoldInput.from_json(job)
    assert said in str(caught.value)
    assert caught.value.field == field


def test_two_chains_with_one_id():
    sequences = [{"protein": {"id": "A", "sequence": TRP_CAGE}}] * 2
    with pytest.raises(InvalidInput, match="A is used twice") as caught:
        FoldInput.from_json(document(sequences=sequences))
    assert caught.value.field == "chains.1.ids"


def test_deep_values_are_quoted_in_short():
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    with pytest.raises(InvalidInput) as caught:
        FoldInput.from_json(document(name=deep))
    assert len(str(caught.value)) < 200


NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=40)
SEQUENCES = st.text(AMINO_ACIDS + "X", min_size=4, max_size=30)


IDS = st.lists(st.text("ABC", min_size=1, max_size=3), min_size=1, max_size=6, unique=True)
SEEDS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4, unique=True)
CHAINS = st.tuples(SEQUENCES, NAMES | st.just(""), st.integers(0, 2))


@given(NAMES, IDS, st.lists(CHAINS, min_size=6, max_size=6), SEEDS, st.integers(1, 6))
def test_what_is_written_is_read(name, ids, chains, seeds, copies):
    parts = [tuple(ids[i : i + copies]) for i in range(0, len(ids), copies)]
    job = FoldInput(
        name,
        tuple(
            ProteinChain(
                part, sequence, f">q\n{sequence}\n" * depth or None, description=description
            )
            for part, (sequence, description, depth) in zip(parts, chains, strict=False)
        ),
        tuple(seeds),
    )
    assert FoldInput.from_json(json.loads(json.dumps(job.to_json()))) == job


def test_only_a_remark_needs_version_4():
    assert FoldInput.from_json(document()).to_json()["version"] == 1
    assert FoldInput.from_json(protein(description="x")).to_json()["version"] == 4


@pytest.mark.parametrize("msa", [None, "", f">q\n{TRP_CAGE}\n"])
def test_what_is_written_has_both_alignments_or_neither(msa):
    written = FoldInput.from_json(protein(unpairedMsa=msa)).to_json()
    assert written["sequences"][0]["protein"] == {
        "id": "A",
        "sequence": TRP_CAGE,
        "modifications": [],
        "unpairedMsa": msa,
        "pairedMsa": None if msa is None else "",
        "templates": None,
    }


@pytest.mark.parametrize("path", sorted((GOLDEN / "inputs").glob("*.json")), ids=lambda p: p.stem)
def test_published_examples_are_read_and_written(path):
    job = json.loads(path.read_text())
    found = FoldInput.from_json(job)
    assert found.name == job["name"]
    assert FoldInput.from_json(found.to_json()) == found


def test_everything_that_a_job_can_say_is_read():
    job = FoldInput.from_json(json.loads(data("kinase_alphafold3.json")))
    protein, rna, dna, atp, magnesium, smiles, custom = job.chains
    assert protein.modifications == (Modification("SEP", 2), Modification("TPO", 12))
    assert protein.residue_names[1] == "SEP"
    assert protein.msa.count(">") == 2
    assert protein.paired_msa.count(">") == 1
    assert protein.templates == ()
    assert (rna, dna) == (
        RnaChain(("R",), "GGAGUCC", "", modifications=(Modification("PSU", 5),)),
        DnaChain(("D",), "GACCTCT", modifications=(Modification("6OG", 1),)),
    )
    assert atp == Ligand(("L", "M"), ccd=("ATP",), description="nucleotide")
    assert magnesium == Ligand(("N", "O"), ccd=("MG",))
    assert smiles == Ligand(("S",), smiles="CC(=O)Nc1ccc(O)cc1")
    assert custom.ccd == ("WARHEAD",)
    assert job.bonds == (Bond(AtomRef("A", 40, "SG"), AtomRef("U", 1, "C2")),)
    assert job.seeds == (7, 11)
    # 48 residues and the atoms of SEP (10, without OXT) and TPO (11), twice; PSU without OP3; 6OG
    # with it; ATP and Mg twice; paracetamol; the five heavy atoms of the user's own.
    assert job.n_tokens == 2 * (48 + 10 + 11) + (6 + 20) + (6 + 24) + 2 * 31 + 2 * 1 + 11 + 5
    assert FoldInput.from_json(job.to_json()) == job


def test_templates_are_read():
    assert FoldInput.from_json(templated()).chains[0].templates == (Template(CIF, (0, 1), (4, 5)),)


FILES = {"a.a3m": f">query\n{TRP_CAGE}\n", "t.cif": CIF, "u.cif": "data_U\n", "r.a3m": ">q\nACGU\n"}


def test_files_beside_the_job_are_read():
    templates = [{"mmcifPath": "t.cif", "queryIndices": [0], "templateIndices": [1]}]
    job = protein(unpairedMsaPath="a.a3m", pairedMsaPath="a.a3m", templates=templates)
    job["sequences"].append({"rna": {"id": "R", "sequence": "ACGU", "unpairedMsaPath": "r.a3m"}})
    found = alphafold3.read(job, files=FILES.__getitem__)
    assert found.chains[0].msa == found.chains[0].paired_msa == FILES["a.a3m"]
    assert found.chains[0].templates == (Template(CIF, (0,), (1,)),)
    assert found.chains[1].msa == FILES["r.a3m"]
    assert alphafold3.read(document(userCCDPath="u.cif"), files=FILES.get).user_ccd == "data_U\n"


def test_a_file_that_cannot_be_read_names_its_key():
    def refuse(path: str) -> str:
        raise InvalidInput(f"There is no file {path}.")

    with pytest.raises(InvalidInput, match=r"“unpairedMsaPath”: There is no file x") as caught:
        alphafold3.read(protein(unpairedMsaPath="x"), files=refuse)
    assert caught.value.field == "chains.0.msa"


@pytest.mark.parametrize(
    ("chain", "first", "second"),
    [
        (ProteinChain(("A", "B"), "GCAKFNG", cyclic=True), (7, "C"), (1, "N")),
        (DnaChain(("A",), "ACGT", cyclic=True), (4, "O3'"), (1, "P")),
        (RnaChain(("A",), "ACGUA", cyclic=True), (5, "O3'"), (1, "P")),
    ],
)
def test_a_cyclic_chain_is_written_as_a_bond_from_tail_to_head(chain, first, second):
    job = FoldInput("ring", (chain,))
    written = job.to_json()
    assert written["bondedAtomPairs"] == [[[i, *first], [i, *second]] for i in chain.ids]
    assert FoldInput.from_json(written) == job


def test_a_ring_of_one_copy_alone_stays_a_bond():
    pair = [["A", 20, "C"], ["A", 1, "N"]]
    job = FoldInput.from_json({**protein(id=["A", "B"]), "bondedAtomPairs": [pair]})
    assert not job.chains[0].cyclic
    assert len(job.bonds) == 1
    assert FoldInput.from_json(job.to_json()) == job


@pytest.mark.parametrize("name", ["alaninate.sdf", "alaninate_v3000.mol", "alaninate.mol2"])
def test_a_ligand_from_a_file_is_written_as_a_component(name):
    ring = Ligand(("L", "M"), file=data(name), description="alanine")
    bond = Bond(AtomRef("A", 1, "N"), AtomRef("L", 1, "C3"))
    job = FoldInput("file", (ProteinChain(("A",), TRP_CAGE), ring), bonds=(bond,))
    written = job.to_json()
    assert written["sequences"][1]["ligand"]["ccdCodes"] == ["LIG-1"]
    assert "LIG-1 O2 O -1 N N" in written["userCCD"]
    assert "LIG-1 C3 O1 DOUB N" in written["userCCD"]
    found = FoldInput.from_json(written)
    assert found.chains[1] == Ligand(("L", "M"), ccd=("LIG-1",), description="alanine")
    assert found.n_tokens == job.n_tokens == 20 + 2 * 6
    assert found.bonds == job.bonds
    assert found.to_json() == written


def test_a_component_from_a_file_takes_no_name_that_is_in_use():
    own = "data_LIG-1\nloop_\n_chem_comp_atom.atom_id\n_chem_comp_atom.type_symbol\nC1 C\n"
    chains = (
        ProteinChain(("A",), TRP_CAGE),
        Ligand(("L",), ccd=("LIG-1",)),
        Ligand(("M",), file=data("alaninate.sdf")),
        Ligand(("N",), file=data("alaninate.sdf")),
    )
    found = FoldInput.from_json(FoldInput("own", chains, user_ccd=own).to_json())
    assert [chain.ccd for chain in found.chains[1:]] == [("LIG-1",), ("LIG-2",), ("LIG-2",)]
    assert found.n_tokens == 20 + 1 + 6 + 6


MODIFIED = st.lists(
    st.tuples(st.sampled_from(["SEP", "TPO", "MSE", "HYP"]), st.integers(1, 4)),
    unique_by=lambda pair: pair[1],
    max_size=3,
)
NUCLEIC = st.tuples(st.sampled_from([RnaChain, DnaChain]), st.text("ACGN", min_size=3, max_size=9))
SMALL = st.sampled_from(
    [{"ccd": ("ATP",)}, {"ccd": ("MG",)}, {"ccd": ("NAG", "NAG")}, {"smiles": "CC(=O)O"}]
)


@given(
    st.tuples(SEQUENCES, MODIFIED, st.booleans(), st.none() | st.integers(0, 2)),
    st.lists(st.tuples(NUCLEIC, st.booleans()), max_size=2),
    st.lists(SMALL, max_size=3),
)
def test_what_is_written_of_a_complex_is_read(protein, nucleic, ligands):
    sequence, modifications, cyclic, n_templates = protein
    names = iter("BCDEFGH")
    msa = f">q\n{sequence}\n"
    chains = [
        ProteinChain(
            ("A", "Z"),
            sequence,
            paired_msa=msa if cyclic else None,
            templates=None
            if n_templates is None
            else (Template(CIF, (0, 2), (5, 1)),) * n_templates,
            modifications=tuple(Modification(*pair) for pair in modifications),
            cyclic=cyclic,
        ),
        *(make((next(names),), letters, cyclic=ring) for (make, letters), ring in nucleic),
        *(Ligand((next(names),), **form) for form in ligands),
    ]
    bonds = (Bond(AtomRef("A", 1, "CA"), AtomRef("Z", 4, "CA")),)
    job = FoldInput("complex", tuple(chains), bonds=bonds)
    assert FoldInput.from_json(json.loads(json.dumps(job.to_json()))) == job


PAIRED = f">query\n{TRP_CAGE}\n>row key=9606\n{TRP_CAGE[:-1]}A\n"


def test_paired_rows_alone_are_written_as_alphafold3_takes_them():
    chain = ProteinChain(("A",), TRP_CAGE, paired_msa=PAIRED)
    job = FoldInput("job", (chain,))
    written = job.to_json(strict=True)["sequences"][0]["protein"]
    assert (written["unpairedMsa"], written["pairedMsa"]) == ("", PAIRED)
    read = FoldInput.from_json(job.to_json(strict=True))
    assert read.chains[0].msa == ""
    assert read.to_json(strict=True) == job.to_json(strict=True)


def test_a_job_keeps_that_nothing_is_said_about_other_rows():
    job = FoldInput("job", (ProteinChain(("A",), TRP_CAGE, paired_msa=PAIRED),))
    assert FoldInput.from_json(json.loads(json.dumps(job.to_json()))) == job


def test_what_is_whole_is_written_the_same_either_way():
    chains = (
        ProteinChain(("A",), TRP_CAGE),
        ProteinChain(("B",), TRP_CAGE, msa=""),
        ProteinChain(("C",), TRP_CAGE, msa=PAIRED, paired_msa=PAIRED),
        RnaChain(("D",), "ACGU"),
    )
    job = FoldInput("job", chains)
    assert job.to_json() == job.to_json(strict=True)
