"""`python manage.py replay MANIFEST`: folds again and compares the coordinates, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from folding.errors import FoldingError
from webapp import downloads

SAME_BITS = "{n} of {n} samples have the same coordinates, bit for bit."


class Command(BaseCommand):
    help = "Folds again what a job's manifest.json describes, and compares the coordinates."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("manifest", type=Path, help="manifest.json in a folder of results")

    def handle(self, *args: Any, **words: Any) -> None:
        from webapp import pipeline

        try:
            done = pipeline.replay(
                words["manifest"],
                lambda name: pipeline.load_model(name, downloads.store()),
                begin=self._warn,
            )
        except FoldingError as error:
            raise CommandError(str(error)) from None
        n = len(done.predictions)
        if not done.changed:
            self.stdout.write(SAME_BITS.format(n=n))
            return
        cause = " ".join(done.differences) or "Nothing that the manifest knows differs."
        raise CommandError(
            f"{len(done.changed)} of {n} samples have other coordinates: "
            f"{', '.join(done.changed)}. {cause}"
        )

    def _warn(self, differences: list[str]) -> None:
        for sentence in differences:
            self.stderr.write(sentence)
