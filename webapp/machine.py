"""This machine as its settings let a fold use it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from webapp.env import BadSetting, env_text

if TYPE_CHECKING:
    from folding import cost
    from folding.device import Numbers

NUMBERS: tuple[Numbers, ...] = ("auto", "float32", "bfloat16")
"""What products may be computed in; as `folding.device` has it, which needs torch."""


def numbers() -> Numbers:
    """What this site wants products to be computed in.

    Raises:
        BadSetting: `FOLDSTREAM_NUMBERS` is none of these words.
    """
    word = env_text("FOLDSTREAM_NUMBERS", "auto").lower()
    for one in NUMBERS:
        if word == one:
            return one
    raise BadSetting("FOLDSTREAM_NUMBERS", value=word, rule=f"one of {', '.join(NUMBERS)}")


def machine() -> cost.Machine:
    """This machine, with the threads that `OMP_NUM_THREADS` leaves to one fold."""
    # Not at the top: the settings read the numbers, and need none of the science for it.
    from folding import cost

    here = cost.this_machine()
    word = env_text("OMP_NUM_THREADS").partition(",")[0].strip()
    limit = int(word) if word.isdigit() else 0
    return replace(here, threads=min(limit, here.threads)) if limit else here
