"""CPU seconds that importing all of `quantum` adds to torch's own: `make bench-quantum`.

Each measurement is a process of its own; the limit is 0.3 s. No vendor's library may come with it.
The modules are compiled before, as those of an installed package are, whatever
PYTHONDONTWRITEBYTECODE says here.
"""

import os
import pkgutil
import statistics
import subprocess
import sys
import tempfile

import quantum

LIMIT_SECONDS, REPEATS = 0.3, 7
# Those that speak for a vendor's library are imported where a backend of theirs is opened.
VENDORS = ("ibm_service", "ionq_cirq", "ionq_qiskit", "bridges")
CODE = """
import sys, time, torch
before = set(sys.modules)
start = time.process_time()
import {modules}
print(time.process_time() - start)
print(*sorted({{name.split(".")[0] for name in set(sys.modules) - before}}))
"""


def modules() -> list[str]:
    """All of them but the rooms of vendors."""
    found = (module.name for module in pkgutil.walk_packages(quantum.__path__, "quantum."))
    return [name for name in found if not any(vendor in name for vendor in VENDORS)]


def measure(names: list[str], *, compiled: str) -> tuple[float, set[str]]:
    """Seconds beyond torch, and the packages that came along.

    Args:
        compiled: a folder for bytecode.
    """
    command = [sys.executable, "-c", CODE.format(modules=", ".join(names))]
    around = os.environ | {"PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=around).stdout
    seconds, packages = told.splitlines()
    return float(seconds), set(packages.split())


def main() -> None:
    names = modules()
    with tempfile.TemporaryDirectory() as folder:
        measure(names, compiled=folder)
        runs = [measure(names, compiled=folder) for _ in range(REPEATS)]
    seconds = statistics.median(run[0] for run in runs)
    strangers = {"qiskit", "qiskit_ionq", "qiskit_ibm_runtime", "cirq", "cirq_ionq"} & runs[0][1]
    print(f"{len(names)} modules beyond torch: {seconds:.3f} s (limit {LIMIT_SECONDS} s)")
    if seconds > LIMIT_SECONDS or strangers:
        sys.exit(f"too slow, or vendors come along: {sorted(strangers)}")


if __name__ == "__main__":
    main()
