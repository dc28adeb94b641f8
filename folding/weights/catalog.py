"""The models that Foldstream knows by name: what each is, may be used for, and costs to have.

Readable without torch. Names are those of the projects that published the weights. Where a project
publishes no checksum, `sha256` is None: the first download records what came, and says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from folding.errors import InvalidInput
from folding.inputs import FoldInput
from folding.model.config import SMALL, ModelConfig
from folding.weights.configs import BASE, OPENFOLD3, PROTENIX

Dialect = Literal["Foldstream", "Protenix", "OpenFold3", "AlphaFold3"]
"""Whose names the tensors of a checkpoint bear."""
Kind = Literal["protein", "dna", "rna", "ligand", "modification"]
EVERYTHING: frozenset[Kind] = frozenset(("protein", "dna", "rna", "ligand", "modification"))
BYTES_PER_PARAMETER = 4


@dataclass(frozen=True)
class Licence:
    """Under which terms weights may be used, and what that means in one sentence."""

    name: str
    allows: str
    url: str = ""


APACHE = Licence(
    "Apache-2.0",
    "Free for research and commercial use; keep the notices when you pass the weights on.",
    "https://www.apache.org/licenses/LICENSE-2.0",
)
OWN = Licence("as the code", "Comes with Foldstream, under the same terms as its code.")
YOURS = Licence("yours", "You brought this file: its terms are those that you received it under.")


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model.

    Args:
        cutoff: Day after which no structure was in the training data; None where unknown.
        parameters: How many numbers the weights are.
        download_bytes: Size of the file to download, about; 0 for weights that ship.
        urls: Where to download it: the publisher, then mirrors.
        sha256: Checksum of the file to download, in hexadecimal, where one is known.
        n_cycles: Passes of the trunk that the publisher uses: one more than the recycles.
        knows: Kinds of molecules in its training data.
        about: One or two sentences for people who choose.
    """

    name: str
    title: str
    about: str
    licence: Licence
    cutoff: date | None
    parameters: int
    dialect: Dialect
    config: ModelConfig
    knows: frozenset[Kind] = EVERYTHING
    download_bytes: int = 0
    urls: tuple[str, ...] = ()
    sha256: str | None = None
    n_samples: int = 5
    homepage: str = ""

    @property
    def n_recycles(self) -> int:
        """Recycles by default: passes of the trunk after the first."""
        return self.config.n_cycles - 1

    @property
    def n_steps(self) -> int:
        """Diffusion steps by default."""
        return self.config.sampler.n_steps

    @property
    def msa_depth(self) -> int:
        """Rows of an alignment that it reads at most."""
        return self.config.n_msa_rows

    @property
    def reads_templates(self) -> bool:
        """Whether its network has blocks for templates."""
        return self.config.n_template_blocks > 0

    @property
    def memory_bytes(self) -> int:
        """Memory that the weights alone fill once loaded."""
        return self.parameters * BYTES_PER_PARAMETER

    @property
    def ships(self) -> bool:
        """Whether the weights come with the code."""
        return self.licence is OWN


_STORE = "https://protenix.tos-cn-beijing.volces.com/checkpoint"
_PROTENIX_HOME = "https://github.com/bytedance/Protenix"
_BEFORE_CASP15 = date(2021, 9, 30)


def _protenix(name: str, *, title: str, about: str, cutoff: date, parameters: int) -> Model:
    return Model(
        name=name,
        title=title,
        about=about,
        licence=APACHE,
        cutoff=cutoff,
        parameters=parameters,
        dialect="Protenix",
        config=PROTENIX[name],
        download_bytes=parameters * BYTES_PER_PARAMETER,
        urls=(f"{_STORE}/{name}.pt",),
        homepage=_PROTENIX_HOME,
    )


SMALL_MODEL = Model(
    name="small",
    title="Small",
    about=(
        "This project's own, trained in four hours on one core: shows what the product "
        "does, but is no tool for predicting structures."
    ),
    licence=OWN,
    cutoff=None,
    parameters=4_500_000,
    dialect="Foldstream",
    config=SMALL,
    knows=frozenset(("protein",)),
)

CATALOG: dict[str, Model] = {
    model.name: model
    for model in (
        SMALL_MODEL,
        _protenix(
            "protenix_tiny_default_v0.5.0",
            title="Protenix tiny",
            about="Eight blocks and five diffusion steps: the quickest that predicts structures.",
            cutoff=_BEFORE_CASP15,
            parameters=109_500_000,
        ),
        _protenix(
            "protenix_mini_default_v0.5.0",
            title="Protenix mini",
            about=(
                "Sixteen blocks and five diffusion steps; its authors report 1 to 5 % below the "
                "base model. The first choice without a GPU."
            ),
            cutoff=_BEFORE_CASP15,
            parameters=134_070_000,
        ),
        _protenix(
            "protenix_base_default_v1.0.0",
            title="Protenix base 1.0",
            about=(
                "The full network, on a par with AlphaFold 3 in its authors' report. Slow without "
                "a GPU."
            ),
            cutoff=_BEFORE_CASP15,
            parameters=368_480_000,
        ),
        _protenix(
            "protenix_base_20250630_v1.0.0",
            title="Protenix base 1.0, data to mid-2025",
            about="The full network, trained on newer structures too: for use, not for benchmarks.",
            cutoff=date(2025, 6, 30),
            parameters=368_480_000,
        ),
        _protenix(
            "protenix_base_default_v0.5.0",
            title="Protenix base 0.5",
            about="The full network's first release, without templates.",
            cutoff=_BEFORE_CASP15,
            parameters=368_090_000,
        ),
        Model(
            name="of3-ob-2025-06-30-174k",
            title="OpenFold3 (OpenBind)",
            about="OpenFold3 0.5's weights: the full network as in AlphaFold 3's own code.",
            licence=Licence(
                "Apache-2.0",
                "Published in an Apache-2.0 project; no separate text for these weights was "
                "found, so check before you build on them.",
                "https://github.com/aqlaboratory/openfold-3/blob/main/LICENSE",
            ),
            cutoff=date(2025, 6, 30),
            parameters=368_290_000,
            dialect="OpenFold3",
            config=OPENFOLD3["of3-ob-2025-06-30-174k"],
            download_bytes=2_200_000_000,
            urls=(
                "https://openfold3-data.s3.amazonaws.com/openfold3-parameters/"
                "of3-ob-2025-06-30-174k.pt",
            ),
            homepage="https://github.com/aqlaboratory/openfold-3",
        ),
    )
}
"""Every model by name, the one that ships first."""

KIND_WORDS: dict[str, str] = {
    "protein": "proteins",
    "dna": "DNA",
    "rna": "RNA",
    "ligand": "ligands and ions",
    "modification": "modified residues",
}


def removed(name: str) -> Model:
    """A model that was here once, and of which nothing but its name is known any more."""
    return Model(
        name=name,
        title=name,
        about="No longer here.",
        licence=YOURS,
        cutoff=None,
        parameters=0,
        dialect="Foldstream",
        config=BASE,
    )


def kinds_of(fold_input: FoldInput) -> tuple[Kind, ...]:
    """The kinds of molecules in a job, each once, in the order of `KIND_WORDS`."""
    found = {kind for chain in fold_input.chains for kind in _kinds(chain)}
    return tuple(kind for kind in KIND_WORDS if kind in found)


def unseen(model: Model, fold_input: FoldInput) -> tuple[str, ...]:
    """What is in the job that the model has never seen, in words such as `DNA`."""
    return tuple(KIND_WORDS[k] for k in kinds_of(fold_input) if k not in model.knows)


def check_bonds(model: Model, fold_input: FoldInput) -> None:
    """Passes if the model is shown every atom that a bond of the job names.

    Raises:
        InvalidInput: It is not; `field` says which bond.
    """
    strands = {i: strand for ids, strand in fold_input.strands.items() for i in ids}
    for index, bond in enumerate(fold_input.bonds):
        for atom in (bond.first, bond.second):
            if atom.chain_id not in strands:
                continue
            residue = strands[atom.chain_id].residue(atom.position)
            if residue.is_token and atom.atom in _not_shown(model, residue.component.code):
                raise InvalidInput(
                    f"The bond {bond} cannot be made with the model {model.title}, which does not "
                    f"see the atom {atom}. Choose another model, or leave the bond out.",
                    field=f"bonds.{index}",
                )


def _not_shown(model: Model, code: str) -> tuple[str, ...]:
    """Atoms of a standard residue that the dictionary has and the model never saw."""
    style = model.config.reference
    if style.bare_ends:
        return ("OXT", "OP3")
    if style.terminal_atoms:
        return ()
    return ("OXT", "CG") if code == "UNK" else ("OXT",)


def note_on_unseen(model: Model, fold_inputs: Iterable[FoldInput]) -> str:
    """What to say where jobs hold molecules that the model has never seen; else nothing."""
    found = dict.fromkeys(word for job in fold_inputs for word in unseen(model, job))
    if not found:
        return ""
    return (
        f"The model {model.title} was never shown {', '.join(found)}: what it makes of them means "
        "nothing. Choose a model that knows them."
    )


def in_words(kinds: Iterable[str]) -> str:
    """`proteins, DNA, RNA`, in the order of `KIND_WORDS`."""
    wanted = set(kinds)
    return ", ".join(word for kind, word in KIND_WORDS.items() if kind in wanted)


def _kinds(chain: object) -> tuple[Kind, ...]:
    kind = _KIND_OF_CHAIN[type(chain).__name__]
    return (kind, "modification") if getattr(chain, "modifications", ()) else (kind,)


_KIND_OF_CHAIN: dict[str, Kind] = {
    "ProteinChain": "protein",
    "DnaChain": "dna",
    "RnaChain": "rna",
    "Ligand": "ligand",
}
