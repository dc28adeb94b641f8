"""What README shows of the library runs as it stands there, and does what it says."""

import re
from pathlib import Path

import pytest

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


def test_there_is_no_block_that_no_test_runs():
    assert len(blocks()) == 2
