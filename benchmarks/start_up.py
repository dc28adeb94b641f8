"""How soon a second `make run` shows its first page, and what the web process weighs."""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from webapp.address import free_address

ROOT = Path(__file__).resolve().parent.parent
STARTS = 3
PAGE_LIMIT_SECONDS = 5.0
MEMORY_LIMIT_MEGABYTES = 150
VISITS = 200


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="foldstream-bench-") as data:
        measure(Path(data))  # the first start makes the tables
        seconds, megabytes = zip(*(measure(Path(data)) for _ in range(STARTS)), strict=True)
    report("second `make run` to first page", max(seconds), PAGE_LIMIT_SECONDS, "s")
    report(
        f"web process after {VISITS} pages, resident", max(megabytes), MEMORY_LIMIT_MEGABYTES, "MB"
    )


def report(what: str, value: float, limit: float, unit: str) -> None:
    """One line of the measurements; the slowest of the tries counts."""
    verdict = "ok" if value <= limit else "TOO MUCH"
    print(f"{what}: {value:.1f} {unit} (at most {limit:g} {unit}) {verdict}")


def measure(data: Path) -> tuple[float, float]:
    """Seconds from the command to the first page, and the web process's resident megabytes."""
    address = free_address("127.0.0.1", 0)
    command = ["make", "--no-print-directory", "run", f"PORT={address.port}"]
    environment = {**os.environ, "FOLDSTREAM_DATA": str(data)}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for_page(address.url, process)
        seconds = time.perf_counter() - started
        _visit(address.url)
        return seconds, _web_megabytes(data)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)


def _wait_for_page(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.URLError:
            time.sleep(0.02)
    raise RuntimeError(f"make run ended with status {process.returncode}")


def _visit(url: str) -> None:
    for _ in range(VISITS):
        urllib.request.urlopen(url, timeout=5).read()


def _web_megabytes(data: Path) -> float:
    pid = json.loads((data / "serve.json").read_text())["pids"]["web"]
    return psutil.Process(pid).memory_info().rss / 1e6


if __name__ == "__main__":
    main()
