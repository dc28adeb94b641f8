"""`python -m folding.training --data chains.h5 --out runs/small`: trains, and resumes by itself."""

import argparse
import dataclasses
from pathlib import Path

from torch import multiprocessing

from folding.training.loop import TrainingOptions
from folding.training.run import train, train_together


def main() -> None:
    """Reads the command line and trains until the steps or the minutes are over."""
    parser = argparse.ArgumentParser(prog="python -m folding.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="HDF5 file of chains")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints and log")
    parser.add_argument("--steps", type=int, default=100_000, help="stop at this step")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--save-seconds", type=float, default=180)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--weights", type=Path, help="safetensors to start from")
    parser.add_argument("--workers", type=int, default=1, help="processes that train together")
    for field in dataclasses.fields(TrainingOptions):
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default)
        else:
            parser.add_argument(flag, type=type(field.default), default=field.default)
    arguments = vars(parser.parse_args())
    options = TrainingOptions(
        **{field.name: arguments[field.name] for field in dataclasses.fields(TrainingOptions)}
    )
    workers = arguments["workers"]
    if workers == 1:
        train(0, options, arguments)
    else:
        multiprocessing.start_processes(
            train_together, args=(options, arguments), nprocs=workers, start_method="spawn"
        )


if __name__ == "__main__":
    main()
