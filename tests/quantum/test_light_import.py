"""Vendors' libraries are imported where they are used, never with the package."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import quantum

PUBLIC = [
    "quantum",
    "quantum.circuit",
    "quantum.observable",
    "quantum.openqasm",
    "quantum.drawing",
    "quantum.encoding",
    "quantum.ansatz",
    "quantum.gradients",
    "quantum.simulator",
    "quantum.simulator.noise",
    "quantum.simulator.qaoa",
    "quantum.simulator.one_hot",
    "quantum.training.optimizer",
    "quantum.training.layer",
    "quantum.training.trainer",
    "quantum.training.bridges.jax",
    "quantum.training.bridges.tensorflow",
    "quantum.store.registry",
    "quantum.store.metrics",
    "quantum.store.states",
    "quantum.store.vectors.local",
    "quantum.store.vectors.qdrant",
    "quantum.store.vectors.pgvector",
    "quantum.applications.place",
    "quantum.mitigation",
    "quantum.backends.catalog",
    "quantum.backends.choose",
    "quantum.backends.ibm_circuits",
    "quantum.backends.ionq_circuits",
]
VENDORS = {
    "qiskit",
    "qiskit_aer",
    "qiskit_ionq",
    "qiskit_ibm_runtime",
    "cirq",
    "cirq_ionq",
    "sympy",
    "jax",
    "tensorflow",
    "pennylane",
    "psycopg",
    "qdrant_client",
}


def python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def modules_after(statement: str, *, ready: str = "sys") -> set[str]:
    """Every module that the statement loads when `ready` has been imported."""
    code = f"""
import sys, {ready}
before = set(sys.modules)
{statement}
print(*(set(sys.modules) - before))
"""
    return set(python(code).split())


def test_the_package_alone_loads_next_to_nothing():
    loaded = modules_after("import quantum")
    assert {name for name in loaded if name.split(".")[0] == "quantum"} == {"quantum"}
    assert len(loaded) < 50 and not {"torch", "numpy"} & loaded


def test_the_face_loads_what_is_asked_for_and_no_more():
    loaded = modules_after("from quantum import Circuit; Circuit(2).h(0)")
    assert "torch" not in loaded and "quantum.simulator" not in loaded
    assert len(loaded) < 90


def test_all_of_the_face_adds_little_to_torch():
    """Counted, not timed: machines are shared. 130 small modules take 0.2 s."""
    loaded = modules_after(
        "import quantum; [getattr(quantum, name) for name in quantum._FACE]", ready="torch"
    )
    outside = {name.split(".")[0] for name in loaded} - sys.stdlib_module_names
    assert not VENDORS & outside
    assert outside <= {"quantum", "jaxtyping", "numpy", "safetensors"}
    assert len(loaded) < 130


def test_every_name_of_the_face_is_there_and_typed():
    source = ast.parse(Path(quantum.__file__).read_text())
    (typed,) = (node for node in source.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == quantum._FACE
    for name, module in seen.items():
        assert getattr(quantum, name) is getattr(import_module(module), name)
        assert name in dir(quantum)
    with pytest.raises(AttributeError, match="no 'Qubits'"):
        quantum.Qubits  # noqa: B018


def test_rooms_are_reached_through_the_face_too():
    code = (
        "from quantum import applications, circuit; print(applications.__name__, circuit.__name__)"
    )
    assert python(code).split() == ["quantum.applications", "quantum.circuit"]


def test_no_vendor_comes_with_the_package():
    # torch itself loads sympy: only what we add counts.
    code = f"""
import sys, torch
before = set(sys.modules)
import {", ".join(PUBLIC)}
print(*sorted({{name.split(".")[0] for name in set(sys.modules) - before}}))
"""
    assert not VENDORS & set(python(code).split())


def test_circuits_and_drawings_do_without_torch():
    modules = "quantum.circuit, quantum.drawing, quantum.openqasm"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    assert python(code).strip() == "False"
