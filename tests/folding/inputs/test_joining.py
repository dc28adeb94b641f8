"""What a job says of its size and of its bonds is what the network is then shown."""

import itertools
import random
import time

import pytest

from folding.chemistry.catalog import component
from folding.chemistry.leaving import LeavingGroups
from folding.chemistry.library import find
from folding.data.assembly import assemble
from folding.data.style import PUBLISHED
from folding.data.tokens import IDEAL, tokenize
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
)
from folding.inputs.bond import MAX_BONDS
from folding.inputs.joining import Residue
from tests.folding.inputs.examples import user_component

PEPTIDE = "ACDENFGHIK"
BASES = {DnaChain: "ACGTA", RnaChain: "ACGUA"}


def bond(first: str, second: str) -> Bond:
    """The bond between two atoms that are written as `A/5/SG`."""
    one, other = (text.split("/") for text in (first, second))
    return Bond(AtomRef(one[0], int(one[1]), one[2]), AtomRef(other[0], int(other[1]), other[2]))


def shown(job: FoldInput) -> int:
    """Tokens that the network is shown, counted in the molecules themselves."""
    sites = assemble(job).sites
    return sum(1 if site.is_token else len(site.kept) for site in sites)


def modified(code: str, position: int, *, cyclic: bool = False) -> ProteinChain:
    return ProteinChain(
        ("A",), PEPTIDE, modifications=(Modification(code, position),), cyclic=cyclic
    )


def residues_of(kind: str) -> list[str]:
    """Some thirty components of the dictionary whose name holds the word, drawn once for all."""
    codes = [code for code, _, type_, _ in find(kind, limit=4000) if "LINKING" in type_]
    return random.Random(7).sample(codes, 30)


@pytest.mark.parametrize("cyclic", [False, True], ids=["open", "ring"])
@pytest.mark.parametrize("position", [1, 5, 10], ids=["first", "inner", "last"])
@pytest.mark.parametrize(
    "code",
    ["SEP", "TPO", "PTR", "MLY", "HYP", "CSO", "PCA", "FME", "DAL", "AIB", "LLP", "KCX", "PYL"],
)
def test_a_modified_residue_is_counted_by_the_atoms_that_stay(code, position, cyclic):
    job = FoldInput("job", (modified(code, position, cyclic=cyclic),))
    assert job.n_tokens == shown(job)


def test_any_residue_of_the_dictionary_is_counted_as_it_is_shown():
    checked = 0
    for code in residues_of("ine"):
        if "PEPTIDE" not in component(code).type:
            continue
        for position in (1, 5, 10):
            job = FoldInput("job", (modified(code, position),))
            assert job.n_tokens == shown(job), (code, position)
            checked += 1
    assert checked >= 30


@pytest.mark.parametrize("make", [DnaChain, RnaChain])
@pytest.mark.parametrize("code", ["5CM", "8OG", "PSU", "H2U", "OMG", "BRU", "5MU", "DU"])
def test_a_modified_nucleotide_is_counted_by_the_atoms_that_stay(make, code):
    for position, cyclic in itertools.product((1, 3, 5), (False, True)):
        chain = make(
            ("A",), BASES[make], modifications=(Modification(code, position),), cyclic=cyclic
        )
        job = FoldInput("job", (chain,))
        assert job.n_tokens == shown(job), (position, cyclic)


@pytest.mark.parametrize("code", ["ALA", "UNK", "MSE"])
def test_a_modification_to_a_standard_residue_is_one_token(code):
    job = FoldInput("job", (modified(code, 4),))
    assert job.n_tokens == shown(job) == tokenize(job).n_tokens == len(PEPTIDE)


@pytest.mark.parametrize("code", ["DA", "DN", "G", "N"])
def test_a_standard_nucleotide_is_one_token_wherever_it_stands(code):
    chain = RnaChain(("A",), "ACGUA", modifications=(Modification(code, 3),))
    job = FoldInput("job", (chain,))
    assert job.n_tokens == shown(job) == 5


def test_pyridoxal_phosphate_on_lysine_has_no_acid_within_a_chain():
    # The dictionary does not flag this residue's OXT, though a peptide bond replaces it.
    (inner,) = (s for s in assemble(FoldInput("job", (modified("LLP", 5),))).sites if s.number == 5)
    names = [inner.component.atom_names[atom] for atom in inner.kept]
    assert "OXT" not in names
    assert {"N", "CA", "C", "O", "NZ", "C4'"} <= set(names)
    assert len(names) == component("LLP").n_heavy_atoms - 1
    last = assemble(FoldInput("job", (modified("LLP", 10),))).sites[-1]
    assert "OXT" in [last.component.atom_names[atom] for atom in last.kept]


def test_copies_count_each():
    chain = ProteinChain(("A", "B", "C"), "GASG", modifications=(Modification("SEP", 3),))
    job = FoldInput("job", (chain,))
    assert job.n_tokens == shown(job) == 3 * (3 + 10)


GLYCAN = (bond("A/5/ND2", "G/1/C1"), bond("G/1/O4", "G/2/C1"), bond("G/2/O4", "G/3/C1"))


def test_a_glycan_is_counted_without_the_oxygens_that_its_bonds_replace():
    sugars = Ligand(("G",), ccd=("NAG", "NAG", "BMA"))
    free = FoldInput("job", (ProteinChain(("A",), PEPTIDE), sugars))
    bonded = FoldInput("job", (ProteinChain(("A",), PEPTIDE), sugars), bonds=GLYCAN)
    assert free.n_tokens == shown(free) == 10 + 15 + 15 + 12
    assert bonded.n_tokens == shown(bonded) == free.n_tokens - 3
    assert bonded.n_tokens == tokenize(bonded, PUBLISHED).n_tokens


def test_a_bond_to_a_modified_residue_costs_what_leaves_there():
    chains = (modified("SEP", 5), Ligand(("B",), ccd=("NAG",)))
    job = FoldInput("job", chains, bonds=(bond("A/5/OG", "B/1/C1"),))
    assert job.n_tokens == shown(job) == 9 + 10 + 14


def test_a_bond_to_a_standard_residue_costs_nothing():
    job = FoldInput("job", (ProteinChain(("A",), "GCSSCG"),), bonds=(bond("A/2/SG", "A/5/SG"),))
    assert job.n_tokens == shown(job) == 6


def test_a_ligand_from_a_file_loses_nothing():
    ethanol = (
        "\n\n\n  3  2  0  0  0  0            999 V2000\n"
        "    0.0000    0.0000    0.0000 C   0  0\n"
        "    1.5000    0.0000    0.0000 C   0  0\n"
        "    2.1000    1.3000    0.0000 O   0  0\n"
        "  1  2  1  0\n  2  3  1  0\nM  END\n"
    )
    chains = (ProteinChain(("A",), "GCSSCG"), Ligand(("B",), file=ethanol))
    job = FoldInput("job", chains, bonds=(bond("A/2/SG", "B/1/C1"),))
    assert job.n_tokens == shown(job) == 9


@pytest.mark.parametrize(
    ("bonds", "atom"),
    [
        ((bond("A/5/ND2", "G/1/C1"), bond("G/1/O1", "H/1/C1")), "O1 of G/1"),
        ((bond("G/1/O1", "H/1/C1"), bond("A/5/ND2", "G/1/C1")), "O1 of G/1"),
        ((bond("A/5/ND2", "G/1/C1"), bond("G/1/C1", "H/1/O1"), bond("H/1/C1", "A/2/SG")), "O1 of"),
    ],
    ids=["before", "behind", "both"],
)
def test_an_atom_that_a_bond_replaces_cannot_be_bonded(bonds, atom):
    chains = (
        ProteinChain(("A",), PEPTIDE),
        Ligand(("G",), ccd=("NAG",)),
        Ligand(("H",), ccd=("NAG",)),
    )
    with pytest.raises(InvalidInput, match=atom) as caught:
        FoldInput("job", chains, bonds=bonds)
    assert caught.value.field.startswith("bonds.")


@pytest.mark.parametrize(
    ("chain", "atom"),
    [
        (ProteinChain(("A",), PEPTIDE), "A/4/OXT"),
        (ProteinChain(("A",), PEPTIDE, cyclic=True), "A/10/OXT"),
        (DnaChain(("A",), "ACGT"), "A/2/OP3"),
        (RnaChain(("A",), "ACGU", cyclic=True), "A/1/OP3"),
        (modified("SEP", 5), "A/5/OXT"),
    ],
    ids=["inner", "ring", "nucleotide", "ring-of-rna", "modified"],
)
def test_oxygens_that_end_chains_are_there_at_their_ends_only(chain, atom):
    with pytest.raises(InvalidInput, match="which has the atoms") as caught:
        FoldInput("job", (chain, Ligand(("G",), ccd=("NAG",))), bonds=(bond(atom, "G/1/C1"),))
    assert caught.value.field == "bonds.0"
    assert atom.rsplit("/", 1)[1] not in str(caught.value).partition("has the atoms")[2]


@pytest.mark.parametrize(
    ("chain", "atom"),
    [(ProteinChain(("A",), PEPTIDE), "A/10/OXT"), (DnaChain(("A",), "ACGT"), "A/1/OP3")],
    ids=["protein", "dna"],
)
def test_the_end_of_a_chain_can_be_bonded_where_the_model_sees_it(chain, atom):
    chains = (chain, Ligand(("G",), ccd=("NAG",)))
    job = FoldInput("job", chains, bonds=(bond(atom, "G/1/C1"),))
    tokens = tokenize(job, PUBLISHED)
    assert [tokens.atom_names[a] for a in tokens.joints[0]] == [atom.rsplit("/", 1)[1], "C1"]
    assert tokens.n_tokens == job.n_tokens


def test_a_model_that_does_not_see_the_end_of_a_chain_says_so():
    chains = (ProteinChain(("A",), PEPTIDE), Ligand(("G",), ccd=("NAG",)))
    job = FoldInput("job", chains, bonds=(bond("A/10/OXT", "G/1/C1"),))
    with pytest.raises(InvalidInput, match=r"does not see the atom A/10/OXT\. Choose another"):
        tokenize(job, IDEAL)


def test_bare_ends_are_not_seen_either():
    chains = (RnaChain(("A",), "ACGU"), Ligand(("G",), ccd=("NAG",)))
    job = FoldInput("job", chains, bonds=(bond("A/1/OP3", "G/1/C1"),))
    assert len(assemble(job).joints) == 4
    with pytest.raises(InvalidInput, match="does not see the atom A/1/OP3"):
        assemble(job, bare_ends=True)


def test_a_letter_means_the_dictionarys_residue_whoever_defines_its_code():
    own = user_component("CYS", ["N", "CA", "C", "O", "SX"], kind="L-PEPTIDE LINKING")
    chains = (ProteinChain(("A",), "GCSSCG"), Ligand(("B",), ccd=("NAG",)))
    with pytest.raises(InvalidInput, match="“SX” of A/2, which has the atoms N, CA, C, O, CB, SG"):
        FoldInput("job", chains, bonds=(bond("A/2/SX", "B/1/C1"),), user_ccd=own)
    job = FoldInput("job", chains, bonds=(bond("A/2/SG", "B/1/C1"),), user_ccd=own)
    assert job.n_tokens == shown(job)


def test_a_residue_that_is_named_is_the_users_own():
    own = user_component(
        "CYS", ["N", "CA", "C", "O", "SX"], ["N CA", "CA C", "C O", "CA SX"], "L-PEPTIDE LINKING"
    )
    chain = ProteinChain(("A",), "GCSSCG", modifications=(Modification("CYS", 2),))
    chains = (chain, Ligand(("B",), ccd=("NAG",)))
    job = FoldInput("job", chains, bonds=(bond("A/2/SX", "B/1/C1"),), user_ccd=own)
    assert job.n_tokens == shown(job) == 5 + 5 + 14


@pytest.mark.parametrize("flag", ["Y", "N", None], ids=["flagged", "not", "unsaid"])
def test_a_residue_of_the_users_own_loses_its_acid_whatever_it_says(flag):
    atoms = ["N", "CA", "C", "O", "OXT"]
    own = user_component(
        "XAA",
        atoms,
        ["N CA", "CA C", "C O", "C OXT"],
        "L-PEPTIDE LINKING",
        leaving=None if flag is None else {"OXT": flag},
    )
    for position, n_atoms in ((1, 4), (3, 4), (6, 5)):
        chain = ProteinChain(("A",), "GCSSCG", modifications=(Modification("XAA", position),))
        job = FoldInput("job", (chain,), user_ccd=own)
        assert job.n_tokens == shown(job) == 5 + n_atoms


def test_a_leaving_group_of_several_atoms_leaves_as_one():
    own = user_component(
        "LGX",
        ["C1", "C2", "P1", "O1", "O2"],
        ["C1 C2", "C2 P1", "P1 O1", "P1 O2"],
        leaving={"P1": "Y", "O1": "Y", "O2": "Y"},
    )
    chains = (ProteinChain(("A",), "GCSSCG"), Ligand(("B",), ccd=("LGX",)))
    job = FoldInput("job", chains, bonds=(bond("A/2/SG", "B/1/C2"),), user_ccd=own)
    assert job.n_tokens == shown(job) == 6 + 2
    with pytest.raises(InvalidInput, match="needs the atom O2 of B/1"):
        FoldInput(
            "job",
            chains,
            bonds=(bond("A/2/SG", "B/1/C2"), bond("A/5/SG", "B/1/O2")),
            user_ccd=own,
        )


def test_an_atom_that_makes_two_bonds_gives_up_a_group_for_each():
    own = user_component(
        "TWO",
        ["P1", "O1", "O2", "O3"],
        ["P1 O1", "P1 O2", "P1 O3"],
        leaving={"O1": "Y", "O2": "Y"},
    )
    chains = (ProteinChain(("A",), "GCSSCG"), Ligand(("B",), ccd=("TWO",)))
    bonds = (bond("A/2/SG", "B/1/P1"), bond("A/5/SG", "B/1/P1"))
    for n_bonds, n_atoms in ((0, 4), (1, 3), (2, 2)):
        job = FoldInput("job", chains, bonds=bonds[:n_bonds], user_ccd=own)
        assert job.n_tokens == shown(job) == 6 + n_atoms


@pytest.mark.parametrize(
    ("code", "position", "atom"), [("ACE", 1, "N of residue 1"), ("NH2", 10, "C of residue 10")]
)
def test_a_cap_closes_no_ring(code, position, atom):
    assert FoldInput("job", (modified(code, position),)).n_tokens > 9
    with pytest.raises(InvalidInput, match=f"{atom}, which {code} does not have") as caught:
        FoldInput("job", (modified(code, position, cyclic=True),))
    assert caught.value.field == "chains.0.cyclic"


def test_a_cap_is_bonded_to_what_it_caps():
    chain = ProteinChain(
        ("A",), PEPTIDE, modifications=(Modification("ACE", 1), Modification("NH2", 10))
    )
    job = FoldInput("job", (chain,))
    links = {
        (first.number, second.number)
        for joint in assemble(job).joints
        for first, second in [[assemble(job).sites[i] for i in (joint[0], joint[2])]]
    }
    assert links == {(i, i + 1) for i in range(1, 10)}
    assert job.n_tokens == shown(job) == 8 + 3 + 1


def test_a_thousand_bonds_of_a_long_chain_are_judged_in_time():
    n = 5000
    bonds = tuple(bond(f"A/{i + 1}/NZ", f"A/{n - i}/NZ") for i in range(1000))
    chain = ProteinChain(("A",), "K" * n)
    started = time.process_time()
    assert FoldInput("job", (chain,), bonds=bonds).n_tokens == n
    # Types are checked in tests, which takes three times as long; looking the chain up for each
    # bond would take twenty times as long.
    assert time.process_time() - started < 5


def test_bonds_to_one_component_walk_it_a_fixed_number_of_times(monkeypatch):
    """As counts: a component of many bonds once cost its whole list of bonds for each end."""
    n = 500
    own = user_component("BIG", [f"C{i}" for i in range(n)], leaving={"C7": "Y"})
    chain, big = ProteinChain(("A",), "K" * n), Ligand(("B",), ccd=("BIG",))
    bonds = tuple(bond(f"A/{i % n + 1}/NZ", f"B/1/C{8 + i % 450}") for i in range(MAX_BONDS))
    walked, kept = [], []
    build, keep = LeavingGroups.__init__, Residue.kept
    monkeypatch.setattr(
        LeavingGroups,
        "__init__",
        lambda self, bonds, *, leaving: walked.append(1) or build(self, bonds, leaving=leaving),
    )
    monkeypatch.setattr(
        Residue,
        "kept",
        lambda self, joined: (
            kept.append(1) if self.component.code == "BIG" else None,
            keep(self, joined),
        )[1],
    )
    job = FoldInput("job", (chain, big), bonds=bonds, user_ccd=own)
    assert job.n_tokens == n + n - 1
    assert len(walked) <= 2, "the component, and lysine where nobody asked for it before"
    assert len(kept) <= 4
