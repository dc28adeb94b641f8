"""This machine as its settings let a fold use it."""

from dataclasses import replace

from folding import cost
from webapp.env import env_text


def machine() -> cost.Machine:
    """This machine, with the threads that `OMP_NUM_THREADS` leaves to one fold."""
    here = cost.this_machine()
    word = env_text("OMP_NUM_THREADS").partition(",")[0].strip()
    limit = int(word) if word.isdigit() else 0
    return replace(here, threads=min(limit, here.threads)) if limit else here
