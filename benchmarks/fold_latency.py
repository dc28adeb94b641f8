"""Ubiquitin from the submit to the first moving picture, and to the finished result.

    python -m benchmarks.fold_latency [--rounds 3]

A page with a real socket is open all the time; the worker is idle, with its model in memory, as it
is a few seconds after its start. The slowest round counts.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.sockets import page_of, product, signed_in, socket_address

UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"
N_SAMPLES = 5
FRAME_LIMIT_SECONDS = 3.0
RESULT_LIMIT_SECONDS = 25.0
COORDINATES = 1


def main() -> None:
    parser = argparse.ArgumentParser(description="One fold as its owner sees it")
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with (
        tempfile.TemporaryDirectory(prefix="foldstream-bench-") as folder,
        product(Path(folder)) as running,
    ):
        owner, cookie = signed_in()
        fold(running["url"], owner, cookie, name="Warm-up")
        times = [fold(running["url"], owner, cookie, name="Ubiquitin") for _ in range(rounds)]
    first, finished = (max(column) for column in zip(*times, strict=True))
    report("submit of ubiquitin to first streamed frame", first, FRAME_LIMIT_SECONDS)
    report(f"submit to result with {N_SAMPLES} samples", finished, RESULT_LIMIT_SECONDS)


def fold(url: str, owner: Any, cookie: str, *, name: str) -> tuple[float, float]:
    """Seconds from the submit to the first frame and to the finished result, in an open page."""
    from folding.inputs import FoldInput, FoldOptions, ProteinChain
    from webapp import jobs

    chain = ProteinChain(ids=("A",), sequence=UBIQUITIN)
    given, options = FoldInput(name=name, chains=(chain,)), FoldOptions(n_samples=N_SAMPLES)
    started = time.perf_counter()
    job = jobs.submit(owner, given, options)
    first, finished = uvloop.run(watch(socket_address(url, str(job.pk)), cookie))
    return first - started, finished - started


async def watch(address: str, cookie: str) -> tuple[float, float]:
    """When the first coordinates came, and when the page was told that the job has succeeded."""
    first = 0.0
    async with asyncio.timeout(600), page_of(address, cookie) as socket:
        async for frame in socket:
            if isinstance(frame, bytes):
                first = first or (time.perf_counter() if frame[0] == COORDINATES else 0.0)
            elif is_success(json.loads(frame)):
                return first, time.perf_counter()
    raise RuntimeError("the page was closed before the job had succeeded")


def is_success(frame: dict[str, Any]) -> bool:
    """Whether the frame says that the job has succeeded."""
    events = frame.get("data", {}).get("events", [])
    return any(event.get("status") == "succeeded" for event in events)


def report(what: str, seconds: float, limit: float) -> None:
    """One line of the measurements."""
    verdict = "ok" if seconds <= limit else "TOO MUCH"
    print(f"{what}: {seconds:.1f} s (at most {limit:g} s) {verdict}")


if __name__ == "__main__":
    main()
