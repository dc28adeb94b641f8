"""`python manage.py weights list | pull | verify | import | remove`: the models on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from folding.errors import FoldingError
from folding.weights.catalog import CATALOG, Model
from folding.weights.store import Facts, Store
from webapp import downloads, pipeline

WORDS = {"downloading": "Downloading", "checking": "Checking", "converting": "Converting"}


class Command(BaseCommand):
    help = "Lists, downloads, checks and imports the weights of models."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="every model: is it here, licence, cut-off date, size")
        pull = verbs.add_parser("pull", help="downloads a model; goes on where it stopped")
        pull.add_argument("name")
        verify = verbs.add_parser("verify", help="reads files again and compares their checksums")
        verify.add_argument("name", nargs="?", help="one model; all that are here without it")
        take = verbs.add_parser("import", help="takes a checkpoint that you have")
        take.add_argument("file", type=Path)
        take.add_argument("--as", dest="name", help="the name to give it (default: the file's)")
        remove = verbs.add_parser("remove", help="removes a model's files")
        remove.add_argument("name")

    def handle(self, *args: Any, **words: Any) -> None:
        store = downloads.store()
        try:
            match words["verb"]:
                case "list":
                    self.stdout.write(table(store))
                case "pull":
                    self._pull(words["name"], store)
                case "verify":
                    self._verify(store, words["name"])
                case "import":
                    self._import(words["file"], store, name=words["name"])
                case "remove":
                    store.remove(words["name"])
                    self.stdout.write(f"{words['name']} is removed.")
        except FoldingError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped. What came so far is kept for the next try.") from None

    def _pull(self, name: str, store: Store) -> None:
        model = CATALOG.get(name)
        if model and model.urls:
            self.stdout.write(f"{model.title}: {model.licence.name}. {model.licence.allows}")
        with Bars() as bars:
            pipeline.fetch_weights(name, store, mirrors=settings.WEIGHTS_MIRRORS, report=bars)
        self.stdout.write(summary(store.facts(name), store))

    def _verify(self, store: Store, name: str | None) -> None:
        failures = []
        for each in [name] if name else [*store.names(), *store.unreadable()]:
            try:
                with Bars() as bars:
                    found = store.verify(each, report=lambda *n: bars("checking", *n))
                self.stdout.write(f"{each}: as it was written, SHA-256 {found}")
            except FoldingError as error:
                failures.append(str(error))
        if failures:
            raise CommandError("\n".join(failures))

    def _import(self, path: Path, store: Store, *, name: str | None) -> None:
        with Bars() as bars:
            facts = pipeline.import_weights(path, store, name=name, report=bars)
        self.stdout.write(summary(facts, store))


class Bars:
    """A `report` that shows one progress bar for each stage."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._stage = ""

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._bar is None or stage != self._stage:
            self.__exit__()
            self._stage = stage
            self._bar = tqdm(
                total=total,
                initial=done,
                desc=WORDS[stage],
                unit="B",
                unit_scale=True,
                unit_divisor=1000,
            )
        # A download that starts over goes back to nothing.
        self._bar.n = done
        self._bar.update(0)


def table(store: Store) -> str:
    """Every model as a line of text: those of the catalogue, then those that were imported."""
    models = [*CATALOG.values(), *(store.model(name) for name in store.imported())]
    lines = [f"{'name':34}{'here':9}{'size':>8}  {'cut-off':12}licence"]
    return "\n".join([*lines, *(_line(model, store) for model in models)])


def _line(model: Model, store: Store) -> str:
    here = "shipped" if model.ships else "yes" if store.is_here(model.name) else "no"
    size = store.size(model.name) if store.is_here(model.name) else model.download_bytes
    cutoff = model.cutoff.isoformat() if model.cutoff else "-"
    return f"{model.name:34}{here:9}{size / 1e9:5.2f} GB  {cutoff:12}{model.licence.name}"


def summary(facts: Facts, store: Store) -> str:
    """Where a model now lies, and what is known of the file that it was made from."""
    checked = "met" if facts.source_checked else "not known: this one is recorded"
    return (
        f"{facts.name} is here: {facts.parameters / 1e6:.1f} million parameters in "
        f"{store.path(facts.name)}\n"
        f"Source SHA-256 {facts.source_sha256} (the publisher's is {checked})"
    )
