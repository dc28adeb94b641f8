"""Vendors' libraries are imported where they are used, never with the package."""

import subprocess
import sys

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
}


def python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


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


def test_the_package_adds_little_to_torch():
    code = f"""
import time, torch
start = time.process_time()
import {", ".join(PUBLIC)}
print(time.process_time() - start)
"""
    assert any(float(python(code)) < 0.3 for _ in range(3))
