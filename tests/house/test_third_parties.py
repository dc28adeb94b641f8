"""Each outside library has its room: its use stands in few places, and it can be replaced."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = frozenset({"folding", "quantum", "webapp"})
SCIENCE = ("folding", "quantum")

# Where a library may be imported: folders and files, as their paths begin.
ROOMS = {
    "allauth": (
        "webapp/account_forms",
        "webapp/local_user",
        "webapp/urls",
        "webapp/views/accounts",
    ),
    "asgiref": ("webapp",),
    "biotite": (
        "folding/chemistry",
        "folding/structure",
        "folding/templates/mapping",
        "webapp/pipeline",
    ),
    "celery": ("webapp/celery", "webapp/lab", "webapp/queue", "webapp/tasks", "webapp/monitor"),
    "channels": ("webapp/asgi", "webapp/routing", "webapp/live", "webapp/request_body"),
    "cirq": ("quantum/backends/ionq",),
    "cirq_ionq": ("quantum/backends/ionq_cirq",),
    "csp": ("webapp/settings",),
    "cuequivariance_torch": ("folding/model/kernels",),
    "django": ("webapp",),
    "gemmi": ("folding/structure",),
    "h5py": ("folding/outputs", "folding/training", "quantum/store", "webapp/viewer"),
    "ibm_cloud_sdk_core": ("quantum/backends/ibm_service",),
    "jax": ("quantum/training/bridges/jax",),
    "jaxtyping": SCIENCE,
    "kombu": ("webapp/queue", "webapp/tasks"),
    "markdown": ("webapp/views/models",),
    "matplotlib": ("folding/training",),
    "numpy": (*SCIENCE, "webapp/live/frames", "webapp/viewer"),
    "psutil": ("folding/cores", "folding/cost", "webapp"),
    "psycopg": ("quantum/store/vectors/pgvector",),
    "pyhmmer": ("folding/search", "folding/templates"),
    "pynvml": ("webapp/monitor",),
    "qdrant_client": ("quantum/store/vectors/qdrant",),
    "qiskit": ("quantum/backends/ibm", "quantum/backends/ionq_qiskit"),
    "qiskit_ibm_runtime": ("quantum/backends/ibm_service",),
    "qiskit_ionq": ("quantum/backends/ionq_qiskit",),
    "rdkit": ("folding/chemistry", "folding/structure"),
    "redis": ("webapp/broker", "webapp/live", "webapp/monitor", "webapp/serve"),
    "requests": ("folding/weights/download", "quantum/backends/line", "quantum/backends/ionq"),
    "safetensors": (
        "folding/checkpoint",
        "folding/weights",
        "folding/training",
        "quantum/store",
    ),
    "scipy": SCIENCE,
    "sympy": ("quantum/backends/ionq",),
    "tensorflow": ("quantum/training/bridges/tensorflow",),
    "torch": (*SCIENCE, "webapp/lab", "webapp/pipeline"),
    "whitenoise": ("webapp/static_files",),
    "tqdm": ("folding/training", "webapp/management"),
    "yaml": ("folding/inputs/dialects",),
    "zstandard": ("folding/weights",),
}


def third_parties(file: Path) -> set[str]:
    """The outside libraries that the file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found - OURS - set(sys.stdlib_module_names)


def uses() -> list[tuple[str, str]]:
    """(library, path of the file) for every import in the three packages."""
    files = [file for package in sorted(OURS) for file in (ROOT / package).rglob("*.py")]
    return sorted(
        (library, file.relative_to(ROOT).as_posix())
        for file in files
        for library in third_parties(file)
    )


def test_every_library_stays_in_its_rooms():
    strays = [(library, file) for library, file in uses() if not file.startswith(ROOMS[library])]
    assert strays == []


def test_no_room_is_kept_for_a_library_that_nobody_uses():
    assert set(ROOMS) == {library for library, _ in uses()}


@pytest.mark.parametrize("statement", ["import torch.nn", "def f():\n    from torch import nn"])
def test_an_import_is_found_wherever_it_stands(tmp_path, statement):
    file = tmp_path / "file.py"
    file.write_text(f"import os\nfrom folding import inputs\n{statement}\n")
    assert third_parties(file) == {"torch"}
