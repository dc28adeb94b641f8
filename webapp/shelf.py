"""The models as pages show them: what each is, whether it is here, how far its download is."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from folding.errors import WeightsError
from folding.weights import catalog
from folding.weights.catalog import CATALOG, Model
from folding.weights.store import Facts
from webapp import downloads
from webapp.models import Status, WeightsDownload

STAGES = {"downloading": "Downloading", "checking": "Checking", "converting": "Converting"}


@dataclass(frozen=True)
class Item:
    """One model and where it stands.

    Args:
        is_here: Whether it can be chosen for a job.
        size: Bytes on disk where it is here, else of the download.
        download: Its row, if a download was ever asked for.
    """

    model: Model
    is_here: bool
    size: int
    download: WeightsDownload | None = None

    @property
    def element(self) -> str:
        """Id of its element; dots would read as classes in selectors."""
        return f"model-{self.model.name.replace('.', '-')}"

    @property
    def state(self) -> str:
        """`shipped`, `here`, `waiting`, `running`, `failed` or `absent`."""
        if self.model.ships:
            return "shipped"
        if self.is_here:
            return "here"
        status = self.download.status if self.download else ""
        names = {
            Status.QUEUED: "waiting",
            Status.RUNNING: "running",
            Status.FAILED: "failed",
        }
        return names.get(Status(status), "absent") if status else "absent"

    @property
    def stage(self) -> str:
        """What the download does now, in a word."""
        return STAGES.get(self.download.stage, "Starting") if self.download else ""

    @property
    def host(self) -> str:
        """Where it is downloaded from: mirrors of this site are asked first."""
        urls = (*settings.WEIGHTS_MIRRORS, *self.model.urls)
        return urlsplit(urls[0]).hostname or "" if self.model.urls else ""

    @property
    def kinds(self) -> str:
        """What it knows, in words."""
        return catalog.in_words(self.model.knows)

    @property
    def facts(self) -> Facts | None:
        """Where its file came from; None where it ships, or is not here."""
        if self.model.ships or not self.is_here:
            return None
        try:
            return downloads.store().facts(self.model.name)
        except WeightsError:  # the note is damaged: `manage.py weights verify` says so
            return None

    @property
    def kept_bytes(self) -> int:
        """What an unfinished download left on disk."""
        part = downloads.store().folder / f"{self.model.name}.checkpoint.part"
        return part.stat().st_size if not self.is_here and part.exists() else 0


def items() -> list[Item]:
    """Every model: those of the catalogue, then those that were imported."""
    names = [*CATALOG, *downloads.store().imported()]
    rows = {row.name: row for row in WeightsDownload.objects.all()}
    return [_item(name, rows.get(name)) for name in names]


def item(name: str) -> Item:
    """One model.

    Raises:
        WeightsError: no such model.
    """
    return _item(name, WeightsDownload.objects.filter(name=name).first())


def asked_for() -> list[str]:
    """The models whose download was ever asked for and that are still known."""
    return [name for name in WeightsDownload.objects.values_list("name", flat=True) if known(name)]


def known(name: str) -> bool:
    """Whether there is such a model: in the catalogue, or imported."""
    with contextlib.suppress(WeightsError):
        return bool(downloads.store().model(name))
    return False


def model(name: str) -> Model:
    """What is known of a model; of one that is gone its name, and nothing against it.

    For pages that describe a job whose model may have been removed since.
    """
    try:
        return downloads.store().model(name)
    except WeightsError:
        return catalog.removed(name)


def _item(name: str, row: WeightsDownload | None) -> Item:
    store = downloads.store()
    found, is_here = store.model(name), store.is_here(name)
    size = store.size(name) if is_here else found.download_bytes
    return Item(found, is_here, size, row)
