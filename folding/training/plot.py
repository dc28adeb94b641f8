"""`python -m folding.training.plot LOSS_CSV PNG`: how the losses fell."""

import argparse
import csv
from pathlib import Path

from matplotlib.figure import Figure


def plot(log: Path, picture: Path) -> None:
    """Draws every term of the log over the steps, each scaled to its first value."""
    with log.open() as file:
        rows = list(csv.DictReader(file))
    steps = [int(row["step"]) for row in rows]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="relative to the first value", yscale="log")
    for name in rows[0].keys() - {"step", "seconds"}:
        values = [float(row[name]) for row in rows]
        axes.plot(steps, [value / values[0] for value in values], label=name)
    axes.legend()
    figure.savefig(picture, dpi=120)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m folding.training.plot", description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    plot(arguments.log, arguments.picture)


if __name__ == "__main__":
    main()
