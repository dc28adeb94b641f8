"""How many processor cores a fold may use: inside a container, fewer than the machine has."""

import math
import os
from pathlib import Path

import psutil

CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota_file: Path = CGROUP_QUOTA) -> int:
    """Real cores that this process may run on, at least 1; two threads of one core count once."""
    limits = [psutil.cpu_count(logical=False), _affinity(), _quota(quota_file)]
    return max(1, min(limit for limit in limits if limit is not None))


def _affinity() -> int | None:
    """Linux alone says which cores a process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _quota(file: Path) -> int | None:
    """Cores that a container's processor time amounts to; None where it has no limit."""
    if not file.exists():
        return None
    quota, period = file.read_text().split()
    return None if quota == "max" else math.ceil(int(quota) / int(period))
