"""What README shows of the library runs as it stands there, and does what it says."""

import re
from pathlib import Path

import pytest

from quantum.backends import catalog
from quantum.backends.base import Estimate, Status
from quantum.backends.ledger import Ledger
from quantum.backends.simulated import SimulatorBackend

README = Path(__file__).resolve().parents[2] / "README.md"
TOKENS = ("QISKIT_IBM_TOKEN", "QISKIT_IBM_INSTANCE", "IONQ_API_KEY")


def blocks() -> list[str]:
    section = README.read_text().split("\n## Using quantum as a library\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)


def run(code: str) -> dict:
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    return names


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in TOKENS:
        monkeypatch.delenv(name, raising=False)


def test_the_layer_learns_and_continues_where_it_stopped(capsys):
    code = blocks()[0]
    result = run(code)["result"]
    printed = capsys.readouterr().out
    assert "RY" in printed.upper() and f"loss {result.losses[0]:.2f} to" in printed
    assert result.resumed_from is None and result.losses[-1] < 0.6 * result.losses[0]
    again = run(code)["result"]
    assert again.resumed_from == result.steps and again.history == result.history


def test_the_manager_falls_back_and_says_why(capsys):
    names = run(blocks()[1])
    execution, measured = names["execution"], names["measured"]
    assert (execution.wanted, execution.backend) == ("ibm", "simulator")
    assert [hop.backend for hop in execution.hops] == ["ibm", "ionq"]
    assert "QISKIT_IBM_TOKEN" in execution.hops[0].reason
    assert measured[0].means == (1.0,)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ibm ") and lines[2] == "simulator 0.0"
    assert not Path("spent.jsonl").exists()


def test_a_job_that_the_program_left_behind_is_found_when_it_runs_again(monkeypatch):
    """The program as it stands there dies while it waits; IBM is asked for one job in all."""
    sent: list[str] = []
    alive = [False, True]

    class IBM(SimulatorBackend):
        def estimate(self, batch):
            return Estimate(0.0, 1.0, 3.0)

        def submit(self, batch):
            sent.append(batch.tag)
            return super().submit(batch)

        def status(self, handle):
            if not alive.pop(0):
                raise KeyboardInterrupt
            return Status.SUCCEEDED

    monkeypatch.setattr(catalog, "_open_ibm", lambda *given: IBM(name="ibm"))
    with pytest.raises(KeyboardInterrupt):
        run(blocks()[1])
    assert Ledger(Path("spent.jsonl"), cap=5.0).spent() == 3.0
    execution = run(blocks()[1])["execution"]
    assert sent == ["bell-1-ibm"] and (execution.backend, execution.hops) == ("ibm", ())
    assert Ledger(Path("spent.jsonl"), cap=5.0).spent() == 3.0
    assert not list(Path("handles").glob("*.json"))


def test_there_is_no_block_that_no_test_runs():
    assert len(blocks()) == 2
