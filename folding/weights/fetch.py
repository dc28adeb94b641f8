"""Getting weights: from their publisher, or from a file that somebody has."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from folding import __version__
from folding.errors import WeightsError
from folding.weights import cards
from folding.weights.catalog import CATALOG
from folding.weights.download import Download, Patience
from folding.weights.store import Facts, Store, hash_file

Stage = Literal["downloading", "checking", "converting"]
Report = Callable[[Stage, int, int], None]
"""Hears the stage and how many bytes of how many are done; what it raises ends the work."""
# A checkpoint and the file made of it, both at once.
SPACE_FACTOR = 2.0
_ENDINGS = re.compile(r"(\.(safetensors|pt|pth|ckpt|bin|zst))+$")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def silent(stage: Stage, done: int, total: int) -> None:
    """A report that nobody hears."""


def pull(
    name: str,
    store: Store,
    *,
    mirrors: Sequence[str] = (),
    report: Report = silent,
    patience: Patience | None = None,
) -> Facts:
    """Downloads a model of the catalogue and converts it; one that is here stays as it is.

    Args:
        mirrors: Addresses of folders that hold the published files, tried before the publisher's.

    Raises:
        WeightsError: no such model, another process is at it, or the file does not fit.
        DownloadError: the file did not come.
    """
    from folding.weights.convert import Source, convert

    model = CATALOG.get(name)
    if model is None or not model.urls:
        pullable = ", ".join(name for name, model in CATALOG.items() if model.urls)
        raise WeightsError(f"There is no model {name!r} to download. There are: {pullable}.")
    with store.sole_writer(name):
        if store.is_here(name):
            return store.facts(name)
        checkpoint = store.folder / f"{name}.checkpoint"
        urls = [f"{mirror.rstrip('/')}/{model.urls[0].rpartition('/')[2]}" for mirror in mirrors]
        urls += model.urls
        whole = Download(
            checkpoint,
            sha256=model.sha256,
            at_least_bytes=model.download_bytes // 2,
            space_factor=SPACE_FACTOR,
            report=lambda done, total: report("downloading", done, total or model.download_bytes),
            report_check=lambda done, total: report("checking", done, total),
            patience=patience,
        )
        checksum = ""
        if checkpoint.exists():
            checksum = hash_file(checkpoint, report=lambda *n: report("checking", *n))
        if not checksum or model.sha256 not in (None, checksum):
            checksum = whole.run(urls)
        # What a conversion that died left behind came from nobody knows which of them.
        origin = whole.came_from or model.urls[0]
        source = Source(checkpoint, origin, checksum, checked=bool(model.sha256))
        try:
            return convert(
                source,
                store,
                name,
                config=name,
                version=__version__,
                report=lambda done, total: report("converting", done, total),
            )
        finally:
            checkpoint.unlink(missing_ok=True)


def import_file(
    path: Path, store: Store, *, name: str | None = None, report: Report = silent
) -> Facts:
    """Converts a file of any dialect; without a name it takes the file's.

    A name of the catalogue is given only to what fits that network.

    Raises:
        WeightsError: no such file, the name is taken or cannot be one, or the file does not fit.
    """
    from folding.weights.convert import Source, convert

    name = name or name_of(path)
    target = store.path(name)
    if name in cards.names():
        raise WeightsError(f"{name} is the name of weights that ship. Give another with --as NAME.")
    if not path.is_file():
        raise WeightsError(f"There is no file {path}.")
    if path.resolve() == target.resolve():
        raise WeightsError(f"{path} lies in the weights folder itself already.")
    with store.sole_writer(name):
        if store.is_here(name):
            raise WeightsError(f"There is a model {name} already. Give another with --as NAME.")
        checksum = hash_file(path, report=lambda *n: report("checking", *n))
        return convert(
            Source(path, path.name, checksum),
            store,
            name,
            config=name if name in CATALOG else None,
            version=__version__,
            report=lambda done, total: report("converting", done, total),
        )


def name_of(path: Path) -> str:
    """A model's name made of a file's: without its ending, odd characters as dashes."""
    return _NOT_IN_NAMES.sub("-", _ENDINGS.sub("", path.name)).strip("-._")[:64]
