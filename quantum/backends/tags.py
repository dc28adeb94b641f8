"""Names of submissions that stay the same when a program runs again."""

import json
import re
from collections import Counter
from dataclasses import replace
from hashlib import sha256

from quantum.backends.base import Batch
from quantum.errors import InvalidValues

_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


class RunTags:
    """Tags for the batches of one run, by what is in them and how often it was in one before.

    A run that is done again under its name gives the same batches the same tags: a job that was
    under way when its process died is found by its tag, and not sent twice.

    Args:
        run: up to 60 letters, digits, '.', '_' and '-'.
    """

    def __init__(self, run: str) -> None:
        if not _RUN.fullmatch(run):
            raise InvalidValues(
                f"a run's name is up to 60 letters, digits, '.', '_' and '-', not {run!r}"
            )
        self._run = run
        self._seen: Counter[str] = Counter()

    def tagged(self, batch: Batch) -> Batch:
        """The batch under its tag in this run."""
        content = json.dumps(batch.to_json() | {"tag": ""}, sort_keys=True)
        digest = sha256(content.encode()).hexdigest()[:20]
        self._seen[digest] += 1
        return replace(batch, tag=f"{self._run}-{digest}-{self._seen[digest]}")
