"""A whole job: its name, its chains and its seeds."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from folding.errors import InvalidInput
from folding.inputs import alphafold3
from folding.inputs.chain import MAX_CHAINS, ProteinChain, check_chain_ids, parse_sequences
from folding.inputs.fasta import parse_fasta
from folding.inputs.sequence import sequence_notes
from folding.inputs.text import check_characters, quoted

MAX_NAME_CHARACTERS = 100
MAX_SEEDS = 100
MAX_SEED = 2**32 - 1
_NOT_IN_SLUG = re.compile(r"[^A-Za-z0-9._-]+")
_SLUG_CHARACTERS = 60


@dataclass(frozen=True)
class FoldInput:
    """What to fold: a name, protein chains and random seeds.

    Args:
        name: 1 to 100 printable characters.
        chains: At least one; the ids of all copies differ.
        seeds: Whole numbers from 0 to 2³² - 1, each once; every seed is a fold of its own.

    Raises:
        InvalidInput: `field` is `"name"`, `"chains"`, `"chains.<i>.ids"` or `"seeds"`.
    """

    name: str
    chains: tuple[ProteinChain, ...]
    seeds: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _clean_name(self.name))
        _check_chains(self.chains)
        _check_seeds(self.seeds)

    @property
    def n_tokens(self) -> int:
        """Tokens of the job, copies counted: one for each residue."""
        return sum(chain.n_tokens for chain in self.chains)

    @property
    def n_chains(self) -> int:
        """Chains of the job, copies counted."""
        return len(self.chain_ids)

    @property
    def chain_ids(self) -> tuple[str, ...]:
        """The id of each copy, entity by entity: the order of the chains in all that comes out."""
        return tuple(chain_id for chain in self.chains for chain_id in chain.ids)

    @property
    def slug(self) -> str:
        """The name as files carry it: ASCII letters, digits and `._-`, never empty."""
        ascii_name = unicodedata.normalize("NFKD", self.name).encode("ascii", "ignore").decode()
        slug = _NOT_IN_SLUG.sub("_", ascii_name)[:_SLUG_CHARACTERS].strip("._-")
        return slug or "job"

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the person who is about to fold this; none of them stops the job."""
        notes = []
        for chain in self.chains:
            label = f"Chain {', '.join(chain.ids)}: "
            notes += [label + note for note in sequence_notes(chain.sequence)]
        if all(chain.msa is None for chain in self.chains):
            notes.append(
                "No alignment is given: the structure is predicted from the sequence alone, which "
                "is much less accurate for natural proteins."
            )
        return tuple(notes)

    def to_json(self) -> dict[str, Any]:
        """The job as AlphaFold 3 JSON; `from_json` returns an equal job."""
        return alphafold3.write(alphafold3.JobFields(self.name, self.seeds, self.chains))

    @classmethod
    def from_json(cls, document: object) -> "FoldInput":
        """The job that a parsed AlphaFold 3 document (versions 1 to 4) describes.

        Raises:
            InvalidInput: Not a job, or one that asks for what is not supported, by name.
        """
        fields = alphafold3.read(document)
        return cls(name=fields.name, chains=fields.chains, seeds=fields.seeds)

    @classmethod
    def from_fasta(cls, text: str, *, name: str = "", seeds: tuple[int, ...] = (1,)) -> "FoldInput":
        """The job of a pasted sequence or FASTA, called `name` or else after its first header.

        Raises:
            InvalidInput: As `parse_sequences`, and for the name and seeds.
        """
        chains = parse_sequences(text)
        return cls(name=name.strip() or _name_from(text), chains=chains, seeds=seeds)


def parse_json(text: str) -> FoldInput:
    """The job in AlphaFold 3 JSON text.

    Raises:
        InvalidInput: Not JSON, or as `FoldInput.from_json`.
    """
    return FoldInput.from_json(alphafold3.load_json(text))


def read_input(text: str, *, name: str = "", seeds: tuple[int, ...] = (1,)) -> FoldInput:
    """The job in text of any dialect.

    Text that begins with a bracket is JSON, any other is a sequence or FASTA.

    Args:
        name: Name for a job whose text has none.
        seeds: Seeds for a job whose text has none.

    Raises:
        InvalidInput: As the reader of that dialect.
    """
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return parse_json(text)
    return FoldInput.from_fasta(text, name=name, seeds=seeds)


def _name_from(text: str) -> str:
    header = parse_fasta(text)[0].header if ">" in text else ""
    words = header.replace("|", " ").split()
    return words[0][:MAX_NAME_CHARACTERS] if words else "Untitled"


def _clean_name(name: str) -> str:
    check_characters(name, what="The name", field="name")
    name = " ".join(name.split())
    if not name:
        raise InvalidInput("The job needs a name. Any short text will do.", field="name")
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidInput(
            f"A name can have at most {MAX_NAME_CHARACTERS} characters, but this has {len(name)}. "
            "Shorten it.",
            field="name",
        )
    return name


def _check_chains(chains: tuple[ProteinChain, ...]) -> None:
    if not chains:
        raise InvalidInput(
            "There is nothing to fold. Add at least one protein chain.", field="chains"
        )
    n_chains = sum(len(chain.ids) for chain in chains)
    if n_chains > MAX_CHAINS:
        raise InvalidInput(
            f"A job can have at most {MAX_CHAINS} chains, copies counted, but this has {n_chains}. "
            "Fold them in several jobs.",
            field="chains",
        )
    seen: list[str] = []
    for index, chain in enumerate(chains):
        seen += chain.ids
        check_chain_ids(seen, field=f"chains.{index}.ids")


def _check_seeds(seeds: tuple[int, ...]) -> None:
    if not 1 <= len(seeds) <= MAX_SEEDS:
        raise InvalidInput(
            f"A job needs 1 to {MAX_SEEDS} seeds, but this has {len(seeds)}. Write 1, 2, 3.",
            field="seeds",
        )
    for index, seed in enumerate(seeds):
        if isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
            raise InvalidInput(
                f"A seed is a whole number from 0 to {MAX_SEED}, not {quoted(seed)}.", field="seeds"
            )
        if seed in seeds[:index]:
            raise InvalidInput(
                f"Each seed can be given once, but {seed} is given twice: the same seed gives the "
                "same structures.",
                field="seeds",
            )
