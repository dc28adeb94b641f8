"""Job files and molecules as people write them."""

from pathlib import Path

FOLDER = Path(__file__).parent / "data"


def data(name: str) -> str:
    """The text of one of the files."""
    return (FOLDER / name).read_text()
