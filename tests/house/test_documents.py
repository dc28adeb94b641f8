"""What is written about the house is true of the house: its settings, its map, its packages."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READERS = frozenset(
    {
        *("env_text", "env_bool", "env_int", "env_float", "env_list", "env_secret", "env_folder"),
        *("env_choice", "env_zone", "env_url", "env_urls", "env_origin"),
    }
)
PACKAGES = ("folding", "quantum", "webapp")


def settings_in_code() -> set[str]:
    """Every name that a reader of `webapp.env` is asked for."""
    return {
        ast.literal_eval(node.args[0])
        for file in web_files()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in READERS
    }


def web_files() -> list[Path]:
    """The files of the web that are not the readers themselves."""
    return [file for file in (ROOT / "webapp").rglob("*.py") if file.name != "env.py"]


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def settings_in_readme() -> set[str]:
    table = section((ROOT / "README.md").read_text(), "Settings")
    return set(re.findall(r"^\| `([A-Z_]+)`", table, flags=re.MULTILINE))


def test_every_setting_stands_in_the_readme_and_no_other():
    assert settings_in_readme() == settings_in_code()


def test_science_reads_no_environment():
    for package in ("folding", "quantum"):
        for file in (ROOT / package).rglob("*.py"):
            assert "os.environ" not in file.read_text(), file
            assert "getenv" not in file.read_text(), file


def test_the_environment_is_read_in_one_file():
    """Elsewhere it may be passed on or set for child processes, never asked for a value."""
    asks = re.compile(r"os\.getenv|os\.environ\.get|os\.environ\[[^]]+\](?! =)")
    assert [str(file) for file in web_files() if asks.search(file.read_text())] == []


def rooms_on_disk(package: str) -> set[str]:
    files = (ROOT / package).glob("*.py")
    folders = (ROOT / package).glob("*/")
    names = {file.name for file in files} | {f"{folder.name}/" for folder in folders}
    return names - {"__init__.py", "__pycache__/"}


def rooms_on_map(package: str) -> set[str]:
    text = section((ROOT / "docs" / "house.md").read_text(), f"`{package}/`")
    return set(re.findall(r"`(\w+(?:\.py|/))`", re.sub(r" — .*", "", text)))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_has_a_room_on_the_map(package):
    assert rooms_on_disk(package) == rooms_on_map(package)


def pins(name: str) -> set[str]:
    """`package==version`, in lower case, for each line of the file that pins one."""
    lines = (ROOT / name).read_text().lower().splitlines()
    return {match[0] for line in lines if (match := re.match(r"[\w.-]+==[\w.]+", line))}


@pytest.mark.parametrize("file", sorted(ROOT.glob("requirements*.txt")), ids=lambda file: file.name)
def test_every_requirement_is_pinned_and_says_what_for(file):
    lines = [line for line in file.read_text().splitlines() if line and line[0] not in "#-"]
    assert lines
    assert [x for x in lines if not re.match(r"[\w.\[\]-]+==[\w.]+( *;[^#]+)? +# \w", x)] == []


@pytest.mark.parametrize("package", ["jax", "tensorflow"])
def test_each_bridge_has_a_version_that_was_tried(package):
    bridge = ROOT / "quantum" / "training" / "bridges" / f"{package}.py"
    assert f"import {package}" in bridge.read_text()
    assert any(pin.startswith(f"{package}==") for pin in pins("requirements-bridges.txt"))


def test_what_is_required_is_what_was_pinned():
    """torch is left out: machines differ in the build they want. `make pins` writes the file."""
    required = pins("requirements.txt") | pins("requirements-dev.txt")
    assert {pin for pin in required - pins("constraints.txt") if "torch" not in pin} == set()
