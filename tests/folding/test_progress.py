"""The messages of a fold are light and complete."""

import subprocess
import sys
from dataclasses import FrozenInstanceError
from typing import get_args

import numpy as np
import pytest

from folding.progress import (
    BlockDone,
    Event,
    Note,
    Outline,
    RecycleDone,
    SampleDone,
    StageStarted,
    StepDone,
    TokensKnown,
    silent,
)
from tests.folding.examples import prediction

EVENTS = {
    StageStarted: StageStarted("trunk"),
    TokensKnown: TokensKnown(Outline(tubes=((0, 1, 2),), beads=(3, 4), bonds=((3, 4),))),
    BlockDone: BlockDone(1, 1, 4, 2, 52),
    RecycleDone: RecycleDone(1, 1, 4, np.zeros((3, 3), dtype=np.float32)),
    StepDone: StepDone(1, 0, 5, 2, 20, 12.5, np.zeros((3, 3), dtype=np.float32)),
    SampleDone: SampleDone(prediction()),
    Note: Note("warning", "No alignment."),
}


def test_every_event_can_be_made_and_is_frozen():
    assert set(get_args(Event)) == set(EVENTS)
    for event in EVENTS.values():
        assert silent(event) is None
        with pytest.raises(FrozenInstanceError):
            event.stage = "msa"


def test_a_sample_can_be_ranked():
    event = EVENTS[SampleDone]
    assert event.prediction.ranking_score == event.prediction.confidence.ranking_score


def test_contact_maps_are_square():
    with pytest.raises(Exception, match="contact_probs"):
        RecycleDone(1, 1, 4, np.zeros((3, 4), dtype=np.float32))


def test_listening_needs_no_torch():
    code = "import sys, folding.progress; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
