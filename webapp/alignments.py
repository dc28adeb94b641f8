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
from typing import Any, Protocol, TypeAlias

from folding.errors import InvalidInput
from folding.inputs import FoldInput, ProteinChain, RnaChain, read_alignment
from webapp.integrations.msa.cache import Cache, key_of
from webapp.integrations.msa.server import Server, ServerFailed, Waiting
from webapp.live.events import Event, Level, LogLine, Progress
from webapp.search_request import SearchRequest, Site, SiteDatabase

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

    def _local(self, fold_input: FoldInput) -> dict[str, tuple[str, str | None]]:
        pairs = len(_proteins(fold_input)) > 1
        work = [
            (sequence, database)
            for sequence, kind in _wanted(fold_input).items()
            for database in self.site.databases
            if database.kind == kind
        ]
        texts: dict[str, list[str]] = {}
        for index, (sequence, database) in enumerate(work):
            text = self._local_one(sequence, database, done=index, of=len(work))
            texts.setdefault(sequence, []).append(text)
        kinds = _wanted(fold_input)
        return {
            sequence: (merged := merge(parts), merged if pairs and _is(kinds, sequence) else None)
            for sequence, parts in texts.items()
        }

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

    def _remote(self, fold_input: FoldInput) -> dict[str, tuple[str, str | None]]:
        if self.request.server != self.site.server_host:
            raise InvalidInput(
                NOT_CONSENTED.format(host=self.site.server_host, agreed=self.request.server)
            )
        wanted = [s for s, kind in _wanted(fold_input).items() if kind == "protein"]
        unpaired = dict(zip(wanted, self._remote_unpaired(wanted), strict=True))
        proteins = _proteins(fold_input, declining=False)
        paired: dict[str, str] = {}
        if len(proteins) > 1 and wanted:
            paired = dict(zip(proteins, self._remote_paired(proteins), strict=True))
        return {sequence: (unpaired[sequence], paired.get(sequence)) for sequence in wanted}

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
                self._check(text, sequence)
                self.cache.put(keys[sequence], text)
                known[sequence] = text
        return [known[sequence] or "" for sequence in sequences]

    def _remote_paired(self, sequences: Sequence[str]) -> list[str]:
        key = key_of(self._remote_question("pair", sequences))
        if (known := self.cache.get(key)) is not None:
            return [str(text) for text in json.loads(known)]
        texts = self.server.paired(sequences, report=self._hear, tickets=self.cache.tickets(key))
        for sequence, text in zip(sequences, texts, strict=True):
            self._check(text, sequence)
        self.cache.put(key, json.dumps(texts))
        return list(texts)

    def _remote_question(self, kind: str, sequences: Sequence[str]) -> dict[str, Any]:
        return {
            "server": [self.server.url, kind, self.server.uses_env],
            "sequences": list(sequences),
        }

    def _check(self, text: str, sequence: str) -> None:
        """Refuses what is no alignment of the sequence: it would fail later, in other words."""
        try:
            read_alignment(text, sequence=sequence)
        except InvalidInput as error:
            raise ServerFailed(
                f"The alignment server {self.server.host} gave an alignment that does not fit its "
                f"sequence ({error}). Upload one, or fold without."
            ) from error

    def _hear(self, waiting: Waiting) -> None:
        words = WORDS[waiting.state].format(host=self.server.host, why=waiting.why)
        # Nobody knows how long a queue is: half of what is left within every two minutes.
        fraction = 1.0 - 0.5 ** (waiting.seconds / 120.0)
        self._progress(f"{words}, {waiting.seconds:.0f} s", fraction)

    # What it says ------------------------------------------------------------------------------

    def _with(self, chain: Alignable, found: dict[str, tuple[str, str | None]]) -> Alignable:
        """The chain with what was found for it, unless it brought an alignment of its own."""
        if chain.msa == "":
            self._say(f"Chain {', '.join(chain.ids)}: folds without an alignment, as it asks.")
        if chain.msa is not None or chain.sequence not in found:
            return chain
        msa, paired = found[chain.sequence]
        self._say(f"Chain {', '.join(chain.ids)}: the alignment has {_rows(msa)}.")
        if paired is None or isinstance(chain, RnaChain):
            return replace(chain, msa=msa)
        return replace(chain, msa=msa, paired_msa=chain.paired_msa or paired)

    def _progress(self, detail: str, fraction: float) -> None:
        """Tells how far it is, a few times a second; asks each time whether to go on."""
        self._percent = max(self._percent, STAGE_PERCENT * min(fraction, 1.0))
        if self._clock() >= self._next_progress or not detail:
            self._next_progress = self._clock() + PROGRESS_SECONDS
            self._report(Progress(stage="msa", percent=round(self._percent, 2), detail=detail))

    def _say(self, message: str, *, level: Level = "info") -> None:
        self._report(LogLine(level=level, message=message, at=datetime.now(UTC).isoformat()))


def merge(texts: Sequence[str]) -> str:
    """Several alignments of one sequence as one, the sequence once."""
    return texts[0] + "".join(_without_query(text) for text in texts[1:])


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


def _proteins(fold_input: FoldInput, *, declining: bool = True) -> list[str]:
    """The different proteins of the job, in order; those that want no alignment if `declining`."""
    proteins = [chain for chain in fold_input.chains if isinstance(chain, ProteinChain)]
    return list(dict.fromkeys(c.sequence for c in proteins if declining or c.msa != ""))


def _is(kinds: dict[str, str], sequence: str) -> bool:
    return kinds.get(sequence) == "protein"


def _rows(a3m: str) -> str:
    n_rows = max(a3m.count("\n>"), 0)
    return "1 relative" if n_rows == 1 else f"{n_rows:,} relatives"
