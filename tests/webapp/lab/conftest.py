"""The Lab in tests: its folder, what was sent to the broker, small true runs."""

import pytest

from webapp import queue
from webapp.lab import runs, training
from webapp.models import LabRun

SMALL = {"epochs": 3, "samples": 40, "qubits": 2, "depth": 1, "batch_size": 20}


@pytest.fixture(autouse=True)
def lab_folder(data_dir, settings):
    """The engine's folder of this test, without credentials or money."""
    settings.QUANTUM_BUDGET = 0.0
    return runs.folder()


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    """What was sent to the Lab's worker: ids of runs, words of chores."""
    found = []
    monkeypatch.setattr(queue, "send_lab", lambda run_id: found.append(run_id) or True)
    monkeypatch.setattr(queue, "send_lab_chore", lambda *words: found.append(words) or True)
    return found


@pytest.fixture
def make_run(user):
    """Makes a queued run: a short training, or an application by name."""

    def make(name: str = "", owner=None, **values) -> LabRun:
        if name:
            return runs.submit(owner or user, "application", name, values)
        config = training.read_config({"model": "tiny", **SMALL, **values})
        return runs.submit(owner or user, "training", config["model"], config)

    return make
