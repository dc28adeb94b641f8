"""`python manage.py fold INPUT`: folds in the terminal, without database, broker or web."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from folding import cost
from folding.errors import FoldingError, InvalidInput, WeightsError
from folding.inputs import FoldInput, FoldOptions, files_beside, read_inputs
from webapp import downloads
from webapp.live.events import Event, LogLine, Progress
from webapp.machine import machine

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
        try:
            fold_inputs = self._read(words["input"], seeds=words["seeds"])
            options = _options(words)
            for fold_input in fold_inputs:
                names = downloads.store().names()
                cost.check(fold_input, options, models=names, machine=machine())
        except (InvalidInput, WeightsError) as error:
            raise CommandError(str(error)) from None
        folders = _folders(fold_inputs, words["out"])
        for fold_input, folder in zip(fold_inputs, folders, strict=True):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise CommandError(
                    f"The folder {folder} cannot be made: {error.strerror}. "
                    "Give another with --out."
                ) from None
            if len(fold_inputs) > 1:
                self.stdout.write(fold_input.name)
            self._fold(fold_input, options, folder=folder)

    def _read(self, path: Path, *, seeds: tuple[int, ...] | None) -> Sequence[FoldInput]:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path} cannot be read as text: {error}") from None
        found = read_inputs(text, name=path.stem, files=files_beside(path.parent))
        return found if seeds is None else [replace(job, seeds=seeds) for job in found]

    def _fold(self, fold_input: FoldInput, options: FoldOptions, *, folder: Path) -> None:
        from webapp import pipeline

        try:
            loaded = pipeline.load_model(options.model, downloads.store())
            here = pipeline.machine_of(loaded.network)
            cost.check_free_memory(fold_input, options, machine=here)
        except FoldingError as error:
            raise CommandError(str(error)) from None
        with tqdm(total=100.0, bar_format=BAR) as bar:
            outcome = pipeline.run(
                fold_input,
                options,
                fold=pipeline.fold_with(loaded.network, fold_input, options),
                save=pipeline.saver(folder, fold_input, options, weights_sha256=loaded.sha256),
                report=Narration(bar),
            )
            bar.update(100.0 - bar.n)
        self.stdout.write(table(outcome.predictions))
        self.stdout.write(f"{len(list(folder.iterdir()))} files in {folder}")


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
