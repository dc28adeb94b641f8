"""The stage before the fold: finds the alignments that a job asks for, and tells how it goes.

What was found before comes from the cache. Behaviour comes in as arguments: `search` is the local
search of one sequence in one database, `report` may raise to end the job there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, Protocol, TypeAlias

from folding.errors import FoldingError, InvalidInput
from folding.inputs import (
    MAX_A3M_CHARACTERS,
    FoldInput,
    ProteinChain,
    RnaChain,
    read_alignment,
)
from webapp.integrations.msa.cache import Cache, key_of
from webapp.integrations.msa.server import Server, Waiting
from webapp.live.events import Event, Level, LogLine, Progress
from webapp.search_request import SearchRequest, Site, SiteDatabase, not_set

STAGE_PERCENT = 10.0
"""How much of the job's bar the search fills."""
PROGRESS_SECONDS = 0.25
WORDS = {
    "submitting": "asking {host}",
    "pending": "in the queue of {host}",
    "running": "{host} is searching",
    "rate_limited": "{host} asks for patience, trying again",
    "maintenance": "{host} is in maintenance, trying again",
    "retrying": "{host}: {why}, trying again",
    "downloading": "downloading from {host}",
}
NOT_CONSENTED = (
    "This site asks another server for alignments now ({host}) than when the job was made "
    "({agreed}). Submit it once more to agree, or fold without."
)


Alignable: TypeAlias = ProteinChain | RnaChain


Found: TypeAlias = dict[str, tuple[str | None, str | None]]
"""The alignment and the paired rows of each sequence, where there are any."""


class LocalSearch(Protocol):
    """Relatives of a sequence in one database, as A3M with the sequence first.

    `report` hears the fraction of the database that was read, 0 to 1, and the rows so far.
    """

    def __call__(
        self,
        sequence: str,
        database: SiteDatabase,
        site: Site,
        *,
        report: Callable[[float, int], None],
    ) -> str: ...


class Aligner:
    """One run of the stage."""

    def __init__(
        self,
        site: Site,
        request: SearchRequest,
        *,
        search: LocalSearch,
        report: Callable[[Event], None],
        clock: Callable[[], float] = time.monotonic,
        server: Server | None = None,
    ) -> None:
        self.site, self.request = site, request
        self._search, self._report, self._clock = search, report, clock
        self.cache = Cache(site.cache_folder, max_bytes=site.cache_bytes)
        self.server = server or Server(site.server_url, uses_env=site.server_uses_env)
        self._next_progress = clock()
        self._percent = 0.0

    def complete(self, fold_input: FoldInput) -> FoldInput:
        """The job with an alignment for each chain that brought none and for which one was found.

        Raises:
            FoldingError: The source failed, and says how.
        """
        self._progress("", 0.0)
        match self.request.msa:
            case "local":
                found = self._local(fold_input)
            case "server":
                found = self._remote(fold_input)
            case _:
                return fold_input
        chains = tuple(
            self._with(chain, found) if isinstance(chain, ProteinChain | RnaChain) else chain
            for chain in fold_input.chains
        )
        return replace(fold_input, chains=chains)

    # On this machine ---------------------------------------------------------------------------

    def _local(self, fold_input: FoldInput) -> Found:
        pairs = len(_proteins(fold_input)) > 1
        kinds = _wanted(fold_input)
        if kinds and not self.site.databases:
            raise FoldingError(not_set("databases", "FOLDSTREAM_MSA_DATABASES"))
        work = [
            (sequence, database)
            for sequence, kind in kinds.items()
            for database in self.site.databases
            if database.kind == kind
        ]
        texts: dict[str, list[str]] = {}
        for index, (sequence, database) in enumerate(work):
            text = self._local_one(sequence, database, done=index, of=len(work))
            texts.setdefault(sequence, []).append(text)
        return {
            sequence: (
                merged := self._merged(parts),
                merged if pairs and _is(kinds, sequence) else None,
            )
            for sequence, parts in texts.items()
        }

    def _merged(self, parts: Sequence[str]) -> str:
        """What the databases gave, or as much of the best as an alignment may hold."""
        merged = merge(parts)
        n_rows, n_found = merged.count("\n>"), sum(part.count("\n>") for part in parts)
        if n_rows < n_found:
            self._say(
                f"Of {n_found:,} relatives the best {n_rows:,} are kept: an alignment may have at "
                f"most {MAX_A3M_CHARACTERS:,} characters."
            )
        return merged

    def _local_one(self, sequence: str, database: SiteDatabase, *, done: int, of: int) -> str:
        key = key_of(self._question(sequence, database))
        if (known := self.cache.get(key)) is not None:
            self._say(f"{database.name}: {_rows(known)} of this sequence were found before.")
            return known
        began = self._clock()

        def report(fraction: float, n_found: int) -> None:
            detail = f"{database.name}: {fraction:.0%} read, {n_found:,} found"
            self._progress(detail, (done + fraction) / of)

        text = self._search(sequence, database, self.site, report=report)
        self._check(merge([text]), sequence, source=f"search of {database.name}")
        self.cache.put(key, text)
        self._say(f"{database.name}: {_rows(text)} found in {self._clock() - began:.1f} s.")
        return text

    def _question(self, sequence: str, database: SiteDatabase) -> dict[str, Any]:
        """Everything that the rows depend on: a database that changes is searched anew."""
        try:
            known = database.path.stat()
            version = [known.st_size, known.st_mtime_ns]
        except OSError:
            version = []
        return {
            "sequence": sequence,
            "database": [database.kind, str(database.path), *version],
            "limits": [self.site.e_value, self.site.max_rows, self.site.iterations],
        }

    # Elsewhere ---------------------------------------------------------------------------------

    def _remote(self, fold_input: FoldInput) -> Found:
        if not self.site.server_url:
            raise FoldingError(not_set("an alignment server", "FOLDSTREAM_MSA_SERVER"))
        if self.request.server != self.site.server_host:
            raise InvalidInput(
                NOT_CONSENTED.format(host=self.site.server_host, agreed=self.request.server)
            )
        wanted = [s for s, kind in _wanted(fold_input).items() if kind == "protein"]
        unpaired = dict(zip(wanted, self._remote_unpaired(wanted), strict=True))
        proteins = _to_pair(fold_input)
        paired: dict[str, str] = {}
        if len(proteins) > 1 and wanted:
            paired = dict(zip(proteins, self._remote_paired(proteins), strict=True))
        return {each: (unpaired.get(each), paired.get(each)) for each in {**unpaired, **paired}}

    def _remote_unpaired(self, sequences: Sequence[str]) -> list[str]:
        keys = {each: key_of(self._remote_question("msa", [each])) for each in sequences}
        known = {sequence: self.cache.get(keys[sequence]) for sequence in sequences}
        missing = [sequence for sequence in sequences if known[sequence] is None]
        if known and not missing:
            self._say("The alignments of these sequences were found before.")
        if missing:
            tickets = self.cache.tickets(key_of(self._remote_question("msa", missing)))
            count = "an alignment" if len(missing) == 1 else f"{len(missing)} alignments"
            self._say(f"Asking {self.server.host} for {count}.")
            texts = self.server.unpaired(missing, report=self._hear, tickets=tickets)
            for sequence, text in zip(missing, texts, strict=True):
                known[sequence] = self._taken(text, sequence)
                self.cache.put(keys[sequence], known[sequence] or "")
        return [known[sequence] or "" for sequence in sequences]

    def _remote_paired(self, sequences: Sequence[str]) -> list[str]:
        key = key_of(self._remote_question("pair", sequences))
        if (known := self.cache.get(key)) is not None:
            return [str(text) for text in json.loads(known)]
        found = self.server.paired(sequences, report=self._hear, tickets=self.cache.tickets(key))
        texts = [self._taken(text, each) for each, text in zip(sequences, found, strict=True)]
        self.cache.put(key, json.dumps(texts))
        return texts

    def _remote_question(self, kind: str, sequences: Sequence[str]) -> dict[str, Any]:
        return {
            "server": [self.server.url, kind, self.server.uses_env],
            "sequences": list(sequences),
        }

    def _taken(self, text: str, sequence: str) -> str:
        """What the server gave, or as much of the best as an alignment may hold."""
        kept = self._merged([text])
        self._check(kept, sequence, source=f"alignment server {self.server.host}")
        return kept

    def _check(self, text: str, sequence: str, *, source: str) -> None:
        """Refuses what is no alignment of the sequence: it would fail later, in other words."""
        try:
            read_alignment(text, sequence=sequence)
        except InvalidInput as error:
            raise FoldingError(
                f"The {source} gave an alignment that does not fit its sequence ({error}). Upload "
                "one, or fold without."
            ) from error

    def _hear(self, waiting: Waiting) -> None:
        words = WORDS[waiting.state].format(host=self.server.host, why=waiting.why)
        # Nobody knows how long a queue is: half of what is left within every two minutes.
        fraction = 1.0 - 0.5 ** (waiting.seconds / 120.0)
        self._progress(f"{words}, {waiting.seconds:.0f} s", fraction)

    # What it says ------------------------------------------------------------------------------

    def _with(self, chain: Alignable, found: Found) -> Alignable:
        """The chain with what was found for it, in so far as it brought none of its own."""
        name = f"Chain {', '.join(chain.ids)}"
        if chain.msa == "":
            self._say(f"{name}: folds without an alignment, as it asks.")
            return chain
        msa, paired = found.get(chain.sequence, (None, None))
        if chain.msa is None:
            words = "no alignment: nothing here searches for one of its kind"
            self._say(f"{name}: {words if msa is None else f'the alignment has {_rows(msa)}'}.")
            chain = replace(chain, msa=msa)
        if isinstance(chain, ProteinChain) and chain.paired_msa is None and paired is not None:
            chain = replace(chain, paired_msa=paired)
        return chain

    def _progress(self, detail: str, fraction: float) -> None:
        """Tells how far it is, a few times a second; asks each time whether to go on."""
        self._percent = max(self._percent, STAGE_PERCENT * min(fraction, 1.0))
        if self._clock() >= self._next_progress or not detail:
            self._next_progress = self._clock() + PROGRESS_SECONDS
            self._report(Progress(stage="msa", percent=round(self._percent, 2), detail=detail))

    def _say(self, message: str, *, level: Level = "info") -> None:
        self._report(LogLine(level=level, message=message, at=datetime.now(UTC).isoformat()))


def merge(texts: Sequence[str]) -> str:
    """Several alignments of one sequence as one, the sequence once.

    Where that is longer than an alignment may be, the last rows of the deepest ones are left out.
    """
    merged = texts[0] + "".join(_without_query(text) for text in texts[1:])
    return merged if len(merged) <= MAX_A3M_CHARACTERS else _best(texts)


def _best(texts: Sequence[str]) -> str:
    """As `merge`, with equally many rows of each alignment as far as there is room for all."""
    query, *_ = texts[0].split("\n>", 1)
    rows = [text.rstrip("\n").split("\n>")[1:] for text in texts]
    kept: list[list[str]] = [[] for _ in texts]
    left = MAX_A3M_CHARACTERS - len(query) - len("\n")
    for rank in zip_longest(*rows):
        left -= sum(len(row) + len("\n>") for row in rank if row is not None)
        if left < 0:
            break
        for part, row in zip(kept, rank, strict=True):
            part += [row] if row is not None else []
    return "\n>".join([query, *(row for part in kept for row in part)]) + "\n"


def _without_query(a3m: str) -> str:
    start = a3m.find("\n>")
    return a3m[start + 1 :] if start >= 0 else ""


def _wanted(fold_input: FoldInput) -> dict[str, str]:
    """The sequences that nothing is said about, and what they are; empty means none is wanted."""
    return {
        chain.sequence: "protein" if isinstance(chain, ProteinChain) else "rna"
        for chain in fold_input.chains
        if isinstance(chain, ProteinChain | RnaChain) and chain.msa is None
    }


def _proteins(fold_input: FoldInput) -> list[str]:
    """The different proteins of the job, in order."""
    proteins = [chain for chain in fold_input.chains if isinstance(chain, ProteinChain)]
    return list(dict.fromkeys(chain.sequence for chain in proteins))


def _to_pair(fold_input: FoldInput) -> list[str]:
    """The different proteins that take paired rows: they bring none, and decline no alignment.

    Rows that a server pairs do so by their place, and never with those that a chain brings.
    """
    proteins = [chain for chain in fold_input.chains if isinstance(chain, ProteinChain)]
    taking = (c.sequence for c in proteins if c.msa != "" and c.paired_msa is None)
    return list(dict.fromkeys(taking))


def _is(kinds: dict[str, str], sequence: str) -> bool:
    return kinds.get(sequence) == "protein"


def _rows(a3m: str) -> str:
    n_rows = max(a3m.count("\n>"), 0)
    return "1 relative" if n_rows == 1 else f"{n_rows:,} relatives"
