"""`python -m folding.training.export CHECKPOINT WEIGHTS`: the averaged weights as safetensors."""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file


def export(checkpoint: Path, weights: Path, facts: dict[str, Any]) -> None:
    """Writes the moving average of a checkpoint, with the run's facts in the file's header."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    tensors = {name: value.contiguous() for name, value in state["average"].items()}
    header = {"steps": state["step"], "options": state["options"], **facts}
    temporary = weights.with_suffix(".part")
    save_file(tensors, temporary, metadata={"facts": json.dumps(header, sort_keys=True)})
    temporary.replace(weights)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m folding.training.export", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--facts", type=Path, help="JSON of `folding.training.evaluate` to add")
    arguments = parser.parse_args()
    facts = json.loads(arguments.facts.read_text()) if arguments.facts else {}
    export(arguments.checkpoint, arguments.weights, facts)


if __name__ == "__main__":
    main()
