"""How many cores a fold may use."""

import os

import psutil
import pytest

from folding.cores import usable_cores


@pytest.fixture
def large_machine(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 32)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 32), ("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1)],
)
def test_a_containers_share_counts(large_machine, tmp_path, quota, cores):
    file = tmp_path / "cpu.max"
    file.write_text(f"{quota}\n")
    assert usable_cores(file) == cores


def test_a_process_tied_to_some_cores_uses_those(large_machine, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 5, 9})
    assert usable_cores(tmp_path / "none") == 3


def test_a_machine_that_does_not_know_its_real_cores_still_has_one(monkeypatch, tmp_path):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert usable_cores(tmp_path / "none") == 1
