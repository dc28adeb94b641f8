"""The walls of the house: `.importlinter` says which room may call which."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("folding", "quantum", "webapp")
LINT = (sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [*LINT, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def copied_house(tmp_path_factory) -> Path:
    """The sources alone, to drill holes into."""
    house = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / ".importlinter", house)
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            copy = house / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    return house


def test_no_room_reaches_through_a_wall():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


# A contract that nothing can break would pass as well, so each kind of hole is tried.
@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("webapp/views/health.py", "import torch"),
        ("webapp/address.py", "from folding.model import alphafold3"),
        ("webapp/address.py", "import quantum.circuit"),
        ("webapp/pipeline.py", "import django"),
        ("folding/errors.py", "import quantum.errors"),
        ("folding/errors.py", "import redis"),
        ("folding/errors.py", "import webapp.env"),
        ("quantum/errors.py", "import folding.errors"),
        ("quantum/errors.py", "import django"),
    ],
)
def test_a_hole_in_a_wall_is_found(copied_house, file, line):
    drilled = copied_house / file
    whole = drilled.read_text()
    drilled.write_text(f"{line}\n{whole}")
    try:
        result = lint(copied_house)
    finally:
        drilled.write_text(whole)
    assert result.returncode == 1
    assert file.removesuffix(".py").replace("/", ".") in result.stdout
