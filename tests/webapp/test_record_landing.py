"""The recording on the landing page: real steps in whole numbers, and what the file holds now."""

import json

import numpy as np
import pytest

from tests.webapp import folded
from webapp.examples import BY_SLUG
from webapp.management.commands import record_landing


def test_a_recording_holds_every_step_and_residue():
    sample = folded.sample_of(folded.helices(folded.trp_cage()), seed=1, sample=0)
    kept = record_landing.recording(sample)
    steps = np.array(kept["steps"]).reshape(8, 20, 3)
    assert steps / 10 == pytest.approx(sample.trajectory, abs=0.051)
    assert kept["plddt"] == pytest.approx(np.linspace(95, 35, 20), abs=0.06)


def test_the_recording_that_ships_is_of_villin_and_chain_like():
    kept = json.loads(record_landing.RECORDING.read_text())
    assert len(kept["plddt"]) == len(BY_SLUG["villin"].sequence)
    last = np.array(kept["steps"][-1]).reshape(-1, 3) / 10
    bonds = np.linalg.norm(np.diff(last, axis=0), axis=1)
    assert np.abs(bonds - 3.8).max() < 0.8


def test_the_command_writes_the_recording(tmp_path, monkeypatch, capsys):
    sample = folded.sample_of(folded.helices(folded.trp_cage()), seed=1, sample=0)
    monkeypatch.setattr(record_landing, "RECORDING", tmp_path / "villin.json")
    monkeypatch.setattr(record_landing, "fold_villin", lambda: sample)
    record_landing.Command().handle()
    assert json.loads((tmp_path / "villin.json").read_text()) == record_landing.recording(sample)
    assert "mean pLDDT 65" in capsys.readouterr().out
