"""Where a process runs, for others to tell whether they could see it if it lived."""

from __future__ import annotations

import functools
import hashlib
import os
import socket
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PID_NAMESPACE = Path("/proc/self/ns/pid")


@functools.cache
def place() -> str:
    """The same word for all processes that share a running kernel and its process ids.

    A host's name would not do: machines may have the same one, and containers their host's.
    """
    try:
        facts = f"{BOOT_ID.read_text().strip()} {PID_NAMESPACE.readlink()}"
    except OSError:  # no Linux
        facts = socket.gethostname()
    return hashlib.sha256(facts.encode()).hexdigest()[:12]


def node_name(role: str) -> str:
    """The name of a worker that this process starts, as Celery completes it: nobody else's."""
    return f"{role}-{os.getpid()}-{place()}@%h"


def is_here(node: str) -> bool:
    """Whether the worker of this name was started here; no where its name does not say so."""
    return node.partition("@")[0].endswith(f"-{place()}")
