"""The process that answers browsers holds no science: it is small and starts quickly."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = frozenset({"torch", "qiskit", "cirq", "rdkit", "jax", "tensorflow", "scipy", "matplotlib"})
SCRIPT = """
import json, re, sys
import webapp.asgi
from django.urls import get_resolver
get_resolver().url_patterns
# Not ru_maxrss, which remembers the test process that this one was forked from.
peak_megabytes = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
print(json.dumps({"modules": sorted(sys.modules), "peak_megabytes": peak_megabytes}))
"""


@pytest.fixture(scope="module")
def web_process(tmp_path_factory) -> dict[str, object]:
    data = str(tmp_path_factory.mktemp("data"))
    environment = {
        **os.environ,
        "FOLDSTREAM_DATA": data,
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
    }
    command = [sys.executable, "-c", SCRIPT]
    return json.loads(subprocess.check_output(command, cwd=ROOT, env=environment, text=True))


def test_every_page_is_loaded(web_process):
    assert {"webapp.views.health", "webapp.views.accounts"} <= set(web_process["modules"])


def test_no_heavy_library_is_imported(web_process):
    assert {name.split(".")[0] for name in web_process["modules"]} & HEAVY == set()


def test_it_fits_into_little_memory(web_process):
    assert web_process["peak_megabytes"] < 150
