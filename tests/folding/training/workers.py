"""What a process of its own does in tests of training together."""

import json
import math
from pathlib import Path

import torch
from torch import distributed

from folding.training.loop import average_over_workers
from folding.training.run import Stop


def average_in_a_worker(rank: int, folder: str) -> None:
    """Averages gradients that depend on the rank, and writes down what came of it."""
    torch.set_num_threads(1)
    rendezvous = f"file://{folder}/rendezvous"
    distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    first = torch.tensor([[1.0, 2.0], [3.0, 4.0]]) + 2 * rank
    second = torch.tensor([float(1 + rank)])
    average_over_workers([first, second])
    poisoned = torch.tensor([math.nan if rank else 1.0])
    average_over_workers([poisoned])
    told = {
        "first": first.tolist(),
        "second": second.tolist(),
        "poisoned": bool(torch.isfinite(poisoned).all()),
        "stops": Stop(steps=100, minutes=-1.0 if rank else 60.0)(0),
    }
    (Path(folder) / f"{rank}.json").write_text(json.dumps(told))
    distributed.destroy_process_group()
