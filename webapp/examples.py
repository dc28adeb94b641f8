"""What to try first: short, famous, and each one good for a different look at the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"


@dataclass(frozen=True)
class Example:
    """One click's worth of a job. `copies` counts identical chains.

    A complex has `partners`, further rows of the form, and perhaps `bonds` as the form writes them.
    """

    slug: str
    name: str
    about: str
    sequence: str
    copies: int = 1
    modifications: str = ""
    partners: tuple[Mapping[str, str], ...] = ()
    bonds: str = ""
    with_what: str = ""

    @property
    def size(self) -> str:
        """What it is made of in words: `76 residues`, `2 × 31 residues`, `214 residues, ATP`."""
        times = f"{self.copies} × " if self.copies > 1 else ""
        return ", ".join(filter(None, (f"{times}{len(self.sequence)} residues", self.with_what)))

    @property
    def is_one_chain(self) -> bool:
        """Whether one row with a sequence and its copies says it all."""
        return not (self.partners or self.modifications)

    @property
    def rows(self) -> list[dict[str, str]]:
        """The rows of the form."""
        first = {
            "sequence": self.sequence,
            "copies": str(self.copies),
            "modifications": self.modifications,
        }
        return [first, *map(dict, self.partners)]


EXAMPLES = (
    Example("ubiquitin", "Ubiquitin", "The tag that marks proteins for recycling", UBIQUITIN),
    Example("trp-cage", "Trp-cage", "A designed miniprotein, one helix", "NLYIQWLKDGGPSSGRPPPS"),
    Example(
        "villin",
        "Villin HP35",
        "Three helices that fold within microseconds",
        "LSDEDFKAVFGMTRSAFANLPLWKQQNLKKEKGLF",
    ),
    Example(
        "crambin",
        "Crambin",
        "A seed protein held by three disulfides",
        "TTCCPSIVARSNFNVCRLPGTPEALCATYTGCIIIPGATCPGDYAN",
    ),
    Example(
        "gcn4",
        "GCN4 zipper, homodimer",
        "Two copies of one helix: a coiled coil",
        "RMKQLEDKVEELLSKNYHLENEVARLKKLVG",
        copies=2,
    ),
    Example(
        "adenylate-kinase",
        "Adenylate kinase",
        "An enzyme of E. coli with ATP and a magnesium ion",
        "MRIILLGAPGAGKGTQAQFIMEKYGIPQISTGDMLRAAVKSGSELGKQAKDIMDAGKLVTDELVIALVKERIAQEDCRNGFLLDGFP"
        "RTIPQADAMKEAGINVDYVLEFDVPDELIVDRIVGRRVHAPSGRVYHVKFNPPKVEGKDDVTGEELTTRKDDQEETVRKRLVEYHQM"
        "TAPLIGYYSKEAEAGNTKYAKVDGTKPVAEVRADLEKILG",
        partners=({"kind": "ligand", "ligand": "ATP"}, {"kind": "ligand", "ligand": "MG"}),
        with_what="ATP, Mg",
    ),
    Example(
        "homeodomain",
        "Engrailed homeodomain",
        "A protein that reads DNA, on its binding site",
        "RPRTAFSSEQLARLKREFNENRYLTERRRQQLSSELGLNEAQIKIWFQNKRAKI",
        partners=(
            {"kind": "dna", "sequence": "TTTTGCCATGTAATTACCTAA"},
            {"kind": "dna", "sequence": "TTAGGTAATTACATGGCAAAA"},
        ),
        with_what="DNA",
    ),
    Example(
        "cd59",
        "CD59",
        "A glycoprotein of the cell surface with its N-glycan",
        "LQCYNCPNPTADCKTAVNCSSDFDACLITKAGLQVYNKCWKFEHCNFNDVTTRLRENELTYYCCKKDLCNFNEQLEN",
        partners=({"kind": "ligand", "ligand": "NAG NAG BMA MAN MAN"},),
        bonds=(
            "A 18 ND2 – B 1 C1\nB 1 O4 – B 2 C1\nB 2 O4 – B 3 C1\nB 3 O3 – B 4 C1\nB 3 O6 – B 5 C1"
        ),
        with_what="glycan",
    ),
    Example(
        "kid",
        "CREB's phosphorylated KID",
        "A peptide whose phosphoserine switches it on",
        "TDSQKRREILSRRPSYRKILNDLSSDAPG",
        modifications="SEP 15",
        with_what="phosphoserine",
    ),
)
BY_SLUG = {example.slug: example for example in EXAMPLES}
