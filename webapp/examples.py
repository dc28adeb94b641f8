"""Proteins to try first: short, famous, and each one good for a different look at the result."""

from __future__ import annotations

from dataclasses import dataclass

UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"


@dataclass(frozen=True)
class Example:
    """One click's worth of a job. `copies` counts identical chains."""

    slug: str
    name: str
    about: str
    sequence: str
    copies: int = 1

    @property
    def size(self) -> str:
        """The length in words: `76 residues`, `2 × 31 residues`."""
        times = f"{self.copies} × " if self.copies > 1 else ""
        return f"{times}{len(self.sequence)} residues"


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
)
BY_SLUG = {example.slug: example for example in EXAMPLES}
