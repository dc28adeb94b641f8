"""A hasty download, and a server that publishes one narrow network."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from folding.weights import dialects
from folding.weights.catalog import CATALOG
from folding.weights.download import Download, Patience
from tests.folding.model.cases import REDUCED
from tests.folding.weights.server import Shelf, serving

NAME = "protenix_narrow"
HASTY = Patience(connect_seconds=5.0, stall_seconds=0.5, attempts=3, first_pause_seconds=0.0)


def fetch(target: Path, *urls: str, **words) -> str:
    return Download(target, **{"patience": HASTY, **words}).run(urls)


def left(target: Path) -> list[str]:
    """Names of the files beside the target."""
    return sorted(path.name for path in target.parent.iterdir())


def asked(shelf: Shelf) -> list[str | None]:
    """The ranges that were asked for."""
    return [request.get("Range") for request in shelf.requests]


@contextmanager
def published(checkpoint: Path, monkeypatch: pytest.MonkeyPatch, **known) -> Iterator[Shelf]:
    """A publisher of one narrow network, which the catalogue knows."""
    content = checkpoint.read_bytes()
    with serving(Shelf(content)) as shelf:
        model = replace(
            CATALOG["protenix_mini_default_v0.5.0"],
            name=NAME,
            config=REDUCED,
            urls=(shelf.url,),
            download_bytes=len(content),
            **known,
        )
        monkeypatch.setitem(CATALOG, NAME, model)
        monkeypatch.setattr(dialects, "PROTENIX", {NAME: REDUCED})
        yield shelf
