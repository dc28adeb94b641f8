"""Templates for a chain in a folder of mmCIF files, found with HMMER.

The folder is read once; what was read of each file is kept beside the alignments' cache and read
again only when the file changes.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

from pyhmmer.easel import Alphabet, DigitalSequenceBlock, TextSequence
from pyhmmer.plan7 import Background, Builder, Pipeline

from folding.errors import FoldingError, InvalidInput
from folding.inputs import Template
from folding.templates.mapping import identity, template_of
from folding.templates.structure_file import MAX_CIF_CHARACTERS, StructureFile, read_structure

N_TEMPLATES = 4
E_VALUE = 0.1
MIN_ALIGNED = 10
MIN_COVERAGE = 0.1
"""Of the chain; both limits as AF3's code filters its hits."""
ENDINGS = (".cif", ".cif.gz", ".mmcif", ".mmcif.gz")


class FolderMissing(FoldingError):
    """The folder of structures for templates cannot be read. Ask whoever runs this server."""


@dataclass(frozen=True)
class IndexedChain:
    """One protein chain of the folder; `released` is ISO or ""."""

    path: str
    chain_id: str
    sequence: str
    released: str


@dataclass(frozen=True)
class FoundTemplate:
    """A template, where it came from, and how much it is worth."""

    name: str
    template: Template
    e_value: float
    identity: float


def index_folder(
    folder: Path, *, index: Path, report: Callable[[], None] = lambda: None
) -> tuple[IndexedChain, ...]:
    """The protein chains of all mmCIF files below the folder; files that cannot be read are passed.

    Args:
        index: File that keeps what was read, for the next time.
        report: Called for every file; what it raises ends the work.

    Raises:
        FolderMissing: There is no such folder.
    """
    if not folder.is_dir():
        raise FolderMissing
    known = _load(index)
    fresh: dict[str, dict] = {}
    for path in sorted(p for p in folder.rglob("*") if p.name.lower().endswith(ENDINGS)):
        report()
        try:
            stat = path.stat()
        except OSError:
            continue
        name = str(path.relative_to(folder))
        version = [stat.st_size, stat.st_mtime_ns]
        entry = known.get(name)
        if entry is None or entry["version"] != version:
            entry = {"version": version, "chains": list(_chains(path, name))}
        fresh[name] = entry
    if fresh != known:
        index.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = index.with_name(f".{index.name}.{uuid4().hex[:8]}")
        draft.write_text(json.dumps(fresh))
        draft.rename(index)
    return tuple(IndexedChain(**chain) for entry in fresh.values() for chain in entry["chains"])


def search_templates(
    sequence: str,
    chains: tuple[IndexedChain, ...],
    folder: Path,
    *,
    before: date | None = None,
    report: Callable[[], None] = lambda: None,
) -> tuple[FoundTemplate, ...]:
    """The best templates of a protein chain, at most four.

    Args:
        before: Structures released on this day or later, or at no day that is known, are left out.
    """
    allowed = [chain for chain in chains if _is_before(chain, before)]
    found: list[FoundTemplate] = []
    for chain, e_value in _hits(sequence, allowed):
        report()
        template = _template(sequence, chain, folder, e_value)
        if template is not None:
            found.append(template)
        if len(found) == N_TEMPLATES:
            break
    return tuple(found)


def _is_before(chain: IndexedChain, before: date | None) -> bool:
    return before is None or bool(chain.released and chain.released < before.isoformat())


def _hits(sequence: str, chains: list[IndexedChain]) -> list[tuple[IndexedChain, float]]:
    """Chains that are like the sequence, the best first."""
    if not chains or len(set(sequence)) < 2:
        return []
    alphabet = Alphabet.amino()
    background = Background(alphabet)
    targets = DigitalSequenceBlock(
        alphabet,
        [
            TextSequence(name=str(number).encode(), sequence=chain.sequence).digitize(alphabet)
            for number, chain in enumerate(chains)
        ],
    )
    query = TextSequence(name=b"query", sequence=sequence).digitize(alphabet)
    profile = Builder(alphabet).build(query, background)[0]
    hits = Pipeline(alphabet, background, E=E_VALUE, incE=E_VALUE).search_hmm(profile, targets)
    found = [(chains[int(hit.name)], hit.evalue) for hit in hits if hit.included]
    return sorted(found, key=lambda pair: (pair[1], pair[0].path, pair[0].chain_id))


def _template(
    sequence: str, indexed: IndexedChain, folder: Path, e_value: float
) -> FoundTemplate | None:
    """The template that a hit is, or None if too little of it maps."""
    try:
        file = _read(folder / indexed.path)
        chain = file.chain(indexed.chain_id)
        template = template_of(file, chain, sequence=sequence)
    except (InvalidInput, OSError, EOFError, zlib.error):
        return None
    n_mapped = len(template.query_indices)
    if n_mapped < MIN_ALIGNED or n_mapped < MIN_COVERAGE * len(sequence):
        return None
    return FoundTemplate(
        name=f"{file.name}_{chain.chain_id}",
        template=template,
        e_value=e_value,
        identity=identity(sequence, template, chain),
    )


def _chains(path: Path, name: str) -> Iterator[dict]:
    try:
        file = _read(path)
    except (InvalidInput, OSError, EOFError, zlib.error):
        return
    released = file.released.isoformat() if file.released else ""
    for chain in file.chains:
        yield asdict(IndexedChain(name, chain.chain_id, chain.sequence, released))


def _read(path: Path) -> StructureFile:
    """The file, read no further than a file may be long."""
    is_packed = path.name.lower().endswith(".gz")
    with gzip.open(path, "rb") if is_packed else path.open("rb") as file:
        return read_structure(file.read(MAX_CIF_CHARACTERS + 1).decode("utf-8", errors="replace"))


def _load(index: Path) -> dict[str, dict]:
    try:
        found = json.loads(index.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
