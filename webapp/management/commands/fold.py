"""`python manage.py fold INPUT`: folds in the terminal, without database, broker or web."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from folding import cost
from folding.errors import FoldingError, InvalidInput, WeightsError
from folding.inputs import FoldInput, FoldOptions, files_beside, read_inputs
from folding.weights import catalog
from webapp import downloads
from webapp.live.events import Event, LogLine, Progress
from webapp.machine import machine

if TYPE_CHECKING:
    from webapp.pipeline import Loaded

BAR = "{desc:<32} {percentage:3.0f}% |{bar}| {elapsed}"


class Command(BaseCommand):
    help = "Folds every job of a file and writes the structures."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "input",
            type=Path,
            help="FASTA, AlphaFold 3, AlphaFold Server or Protenix JSON, or Boltz YAML",
        )
        parser.add_argument("--out", type=Path, help="folder for results (default: the job's name)")
        parser.add_argument("--seeds", type=seed_list, help="comma-separated, for example 1,2,3")
        own = "default: the model's own"
        parser.add_argument("--samples", type=int, help=own)
        parser.add_argument("--recycles", type=int, help=own)
        parser.add_argument("--steps", type=int, help=own)
        parser.add_argument(
            "--diversity",
            action="store_true",
            help="random rows of the alignment, random dropout: seeds differ more",
        )
        parser.add_argument(
            "--model", default=FoldOptions.model, help="see: manage.py weights list"
        )

    def handle(self, *args: Any, **words: Any) -> None:
        from webapp import pipeline

        try:
            fold_inputs = self._read(words["input"], seeds=words["seeds"])
            options = _options(words)
            _check(fold_inputs, options)
            loaded = pipeline.load_model(options.model, downloads.store())
        except (InvalidInput, WeightsError) as error:
            raise CommandError(str(error)) from None
        folders = _folders(fold_inputs, words["out"])
        if len(fold_inputs) == 1:
            try:
                self._fold(fold_inputs[0], options, loaded, folder=folders[0])
            except FoldingError as error:
                raise CommandError(str(error)) from None
        else:
            self._fold_all(fold_inputs, options, loaded, folders=folders)

    def _fold_all(
        self,
        fold_inputs: Sequence[FoldInput],
        options: FoldOptions,
        loaded: Loaded,
        *,
        folders: Sequence[Path],
    ) -> None:
        """Folds one job after the other, whatever becomes of those before."""
        failed = []
        for fold_input, folder in zip(fold_inputs, folders, strict=True):
            self.stdout.write(fold_input.name)
            try:
                self._fold(fold_input, options, loaded, folder=folder)
            except FoldingError as error:
                failed.append(fold_input.name)
                self.stderr.write(f"{fold_input.name}: {error}")
        if failed:
            raise CommandError(
                f"{len(failed)} of {len(fold_inputs)} jobs were not folded: {', '.join(failed)}."
            )

    def _read(self, path: Path, *, seeds: tuple[int, ...] | None) -> Sequence[FoldInput]:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path} cannot be read as text: {error}") from None
        found = read_inputs(text, name=path.stem, files=files_beside(path.parent))
        return found if seeds is None else [replace(job, seeds=seeds) for job in found]

    def _fold(
        self, fold_input: FoldInput, options: FoldOptions, loaded: Loaded, *, folder: Path
    ) -> None:
        """Folds a job into its folder; one that fails leaves none that is empty.

        Raises:
            FoldingError: The fold failed, or there is no memory for it now.
        """
        from webapp import pipeline

        cost.check_free_memory(fold_input, options, machine=pipeline.machine_of(loaded.network))
        _make(folder)
        try:
            with tqdm(total=100.0, bar_format=BAR) as bar:
                outcome = pipeline.run(
                    fold_input,
                    options,
                    fold=pipeline.fold_with(loaded.network, fold_input, options),
                    save=pipeline.saver(folder, fold_input, options, weights_sha256=loaded.sha256),
                    report=Narration(bar),
                )
                bar.update(100.0 - bar.n)
        except FoldingError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            raise
        self.stdout.write(table(outcome.predictions))
        self.stdout.write(f"{len(list(folder.iterdir()))} files in {folder}")


def _check(fold_inputs: Sequence[FoldInput], options: FoldOptions) -> None:
    """Passes if the model and this machine can fold them all, as far as is known before.

    Raises:
        InvalidInput: They cannot; of several jobs it says which.
    """
    store = downloads.store()
    for fold_input in fold_inputs:
        try:
            catalog.check_bonds(store.model(options.model), fold_input)
            cost.check(fold_input, options, models=store.names(), machine=machine())
        except InvalidInput as error:
            if len(fold_inputs) == 1:
                raise
            raise InvalidInput(f"{fold_input.name}: {error}", field=error.field) from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"The folder {folder} cannot be made: {error.strerror}. Give another with --out."
        ) from None


def _folders(jobs: Sequence[FoldInput], out: Path | None) -> list[Path]:
    """A folder for each job: `out` itself for one, folders of their own in it for several."""
    if len(jobs) == 1 and out is not None:
        return [out]
    folders: list[Path] = []
    for job in jobs:
        folder, number = (out or Path()) / job.slug, 2
        while folder in folders:
            folder, number = (out or Path()) / f"{job.slug}-{number}", number + 1
        folders.append(folder)
    return folders


def _options(words: dict[str, Any]) -> FoldOptions:
    """What was asked for, and the model's own defaults for the rest.

    Raises:
        InvalidInput: a number out of its range.
        WeightsError: no such model.
    """
    model = downloads.store().model(words["model"])
    given = {"n_samples": "samples", "n_recycles": "recycles", "n_steps": "steps"}
    numbers = {
        option: getattr(model, option) if words[word] is None else words[word]
        for option, word in given.items()
    }
    return FoldOptions(model=model.name, diversity=words["diversity"], **numbers)


class Narration:
    """A `report` that moves a progress bar and prints the log above it."""

    def __init__(self, bar: tqdm[Any]) -> None:
        self._bar = bar

    def __call__(self, event: Event) -> None:
        match event:
            case Progress():
                self._bar.set_description_str(event.detail or event.stage, refresh=False)
                self._bar.update(event.percent - self._bar.n)
            case LogLine():
                self._bar.write(event.message)


def seed_list(text: str) -> tuple[int, ...]:
    """The seeds in `1,2,3`."""
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list like 1,2,3") from None


def table(predictions: Any) -> str:
    """The scores, best first, as lines of text."""
    lines = ["rank  seed  sample  ranking  pLDDT   pTM  ipTM"]
    for rank, prediction in enumerate(predictions, 1):
        scores = prediction.confidence
        iptm = "   -" if scores.iptm is None else f"{scores.iptm:.2f}"
        lines.append(
            f"{rank:4d}  {prediction.seed:4d}  {prediction.sample:6d}  "
            f"{scores.ranking_score:7.2f}  {scores.mean_plddt:5.1f}  {scores.ptm:.2f}  {iptm}"
        )
    return "\n".join(lines)
