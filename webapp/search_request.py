"""What a job asks to be looked for before it is folded, and what this site can look in."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

from folding.inputs import FoldInput, ProteinChain, RnaChain

Source = Literal["", "server", "local"]
DatabaseKind = Literal["protein", "rna"]


@dataclass(frozen=True)
class SearchRequest:
    """The search that belongs to a job.

    Args:
        msa: Where alignments come from that the job does not bring; "" for nowhere.
        server: The server that the job's owner agreed to send sequences to.
        templates: Whether the site's folder of structures is searched.
        templates_before: ISO date; structures released on it or later are left out. "" for none.
    """

    msa: Source = ""
    server: str = ""
    templates: bool = False
    templates_before: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.msa or self.templates)

    @property
    def needs_consent(self) -> bool:
        """Whether sequences leave this machine; each job asks its owner anew."""
        return self.msa == "server"

    def to_json(self) -> dict[str, Any]:
        """What the job's row keeps."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SearchRequest:
        """The request in a row; a row without one asks for nothing."""
        return cls(**{name: values[name] for name in asdict(cls()) if name in values})

    @property
    def before(self) -> date | None:
        """The cut-off as a date."""
        return date.fromisoformat(self.templates_before) if self.templates_before else None


NOTHING = SearchRequest()


@dataclass(frozen=True)
class SiteDatabase:
    """A FASTA file of this site."""

    name: str
    path: Path
    kind: DatabaseKind


@dataclass(frozen=True)
class Site:
    """What whoever runs this site has set up (README: Settings)."""

    server_url: str = ""
    server_uses_env: bool = True
    databases: tuple[SiteDatabase, ...] = ()
    template_folder: Path | None = None
    e_value: float = 1e-4
    max_rows: int = 10_000
    iterations: int = 1
    cache_folder: Path = Path()
    cache_bytes: int = 0

    @property
    def server_host(self) -> str:
        """The server as people read it."""
        return host_of(self.server_url)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where alignments can come from."""
        local: tuple[Source, ...] = ("local",) if self.databases else ()
        server: tuple[Source, ...] = ("server",) if self.server_url else ()
        return (*local, *server)


def site() -> Site:
    """What this site's settings say."""
    folder = settings.TEMPLATE_FOLDER
    return Site(
        server_url=settings.MSA_SERVER_URL,
        server_uses_env=settings.MSA_SERVER_ENV,
        databases=(
            *databases(settings.MSA_DATABASES, kind="protein"),
            *databases(settings.RNA_DATABASES, kind="rna"),
        ),
        template_folder=Path(folder) if folder else None,
        e_value=settings.MSA_E_VALUE,
        max_rows=settings.MSA_ROWS,
        iterations=settings.MSA_ITERATIONS,
        cache_folder=Path(settings.DATA_DIR) / "alignments",
        cache_bytes=settings.MSA_CACHE_MB * 2**20,
    )


def not_set(what: str, setting: str) -> str:
    """What to say of a job that asks to look where the machine that folds it has nothing."""
    return (
        f"This job asks for a search in {what}, but the machine that folds it knows of none: "
        f"{setting} is not set there. Ask whoever runs this site, or fold without."
    )


def most_rows(request: SearchRequest, fold_input: FoldInput) -> int:
    """Rows that the deepest alignment of a job may have after the search; 1 without one.

    This site's databases give a limited number each; of a server's rows only the model's own
    limit is known.
    """
    alignable = (c for c in fold_input.chains if isinstance(c, ProteinChain | RnaChain))
    if not request.msa or all(chain.msa is not None for chain in alignable):
        return 1
    if request.msa == "server":
        return sys.maxsize
    here = site()
    kinds = Counter(database.kind for database in here.databases)
    return 1 + here.max_rows * max(kinds.values(), default=0)


def in_templates(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `alignment_server`, the host that jobs may send sequences to."""
    return {"alignment_server": host_of(settings.MSA_SERVER_URL)}


def host_of(url: str) -> str:
    """Host and port of an address, without a password that it may hold."""
    return urlsplit(url).netloc.rpartition("@")[2]


def databases(words: list[str], *, kind: DatabaseKind) -> tuple[SiteDatabase, ...]:
    """The databases of a setting: paths, or `name=path`."""
    found = []
    for word in words:
        name, equals, path = word.partition("=")
        where = Path(path if equals else name).expanduser()
        found.append(SiteDatabase(name if equals else where.stem, where, kind))
    return tuple(found)
