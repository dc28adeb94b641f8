"""What is known about the weights that ship, readable without torch."""

from pathlib import Path

FOLDER = Path(__file__).parent / "data"


def names() -> list[str]:
    """The weights that ship with the code."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def read_card(name: str) -> str:
    """The model card as Markdown: data, recipe, scores, what the model can and cannot do.

    Raises:
        KeyError: no such weights.
    """
    if name not in names():
        raise KeyError(name)
    return (FOLDER / f"{name}.md").read_text()
