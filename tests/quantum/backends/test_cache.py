import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from quantum.backends.base import Measured, batch_of
from quantum.backends.cache import FileCache, compiled_key
from quantum.backends.credentials import Credentials
from quantum.backends.ibm import IBMBackend, IBMOptions
from quantum.backends.ionq import IonQBackend, IonQOptions
from quantum.backends.noisy import NoisyBackend, load_calibration
from quantum.backends.result_cache import ResultCache, fingerprint
from quantum.backends.simulated import mock
from quantum.circuit import Circuit
from quantum.observable import Z


def test_bytes_come_back_and_nothing_is_made_up(tmp_path):
    cache = FileCache(tmp_path / "new")
    assert cache.get("a") is None and len(cache) == 0
    cache.put("a", b"one")
    cache.put("a", b"two")
    assert cache.get("a") == b"two" and len(cache) == 1
    assert cache.remember("a", lambda: b"never") == b"two"
    assert cache.remember("b", lambda: b"made") == b"made" == cache.get("b")
    cache.clear()
    assert len(cache) == 0


def test_damaged_entries_are_no_entries(tmp_path):
    cache = FileCache(tmp_path)
    cache.put("a", b"x" * 100)
    (path,) = tmp_path.glob("*.entry")
    path.write_bytes(path.read_bytes()[:-1])
    assert cache.get("a") is None and len(cache) == 0


def test_the_least_recently_used_go_first(tmp_path):
    cache = FileCache(tmp_path, max_entries=3)
    for moment, key in enumerate("abc"):
        cache.put(key, key.encode())
        os.utime(cache._path(key), (moment, moment))
    assert cache.get("a") == b"a"
    cache.put("d", b"d")
    assert [cache.get(key) is not None for key in "abcd"] == [True, False, True, True]


def test_bytes_are_bounded_too(tmp_path):
    cache = FileCache(tmp_path, max_bytes=1000)
    for number in range(20):
        cache.put(str(number), b"x" * 200)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1000
    assert cache.get("19") == b"x" * 200


def test_processes_share_a_folder(tmp_path):
    code = """
import sys
from pathlib import Path
from quantum.backends.cache import FileCache
cache = FileCache(Path(sys.argv[1]), max_entries=5)
for n in range(60):
    cache.put(str(n % 9), str(n % 9).encode() * 50)
    found = cache.get(str((n + 4) % 9))
    assert found in (None, str((n + 4) % 9).encode() * 50), found
"""
    command = [sys.executable, "-c", code, tmp_path]
    started = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(60) for process in started] == [0, 0]
    assert len(FileCache(tmp_path)) <= 7 and not list(tmp_path.glob("*[!y]"))


def test_keys_follow_structure_and_target_but_not_values():
    circuit = Circuit(1).ry("a", 0)
    assert compiled_key(circuit, "ibm", 1) == compiled_key(Circuit(1).ry("a", 0), "ibm", 1)
    others = [compiled_key(circuit, "ibm", 2), compiled_key(circuit.x(0), "ibm", 1)]
    assert compiled_key(circuit, "ibm", 1) not in others


def test_results_are_kept_where_they_cannot_differ(tmp_path):
    cache = ResultCache(FileCache(tmp_path))
    batch = batch_of(Circuit(1).h(0), shots=10, seed=1)
    assert cache.find("mock", batch) is None
    measured = mock().result(mock().submit(batch))
    cache.store("mock", batch, measured)
    same = batch_of(Circuit(1).h(0), shots=10, seed=1)  # another tag
    assert cache.find("mock", same) == measured
    assert cache.find("noisy", same) is None
    assert cache.find("mock", batch_of(Circuit(1).h(0), shots=10, seed=2)) is None
    assert cache.find("mock", batch_of(Circuit(1).h(0), shots=11, seed=1)) is None


def test_a_backend_that_is_set_up_otherwise_is_another_one():
    noisy, line = load_calibration(), Credentials("secret-token", "http://127.0.0.1:9")
    differ = [
        mock(),
        mock(seed=1),
        NoisyBackend(noisy),
        NoisyBackend(noisy, scale=0.5),
        NoisyBackend(replace(noisy, qubits=(replace(noisy.qubits[0], gate_error=0.5),))),
        IonQBackend(line),
        IonQBackend(line, "qiskit"),
        IonQBackend(line, options=IonQOptions(target="qpu.forte-1")),
        IonQBackend(line, options=IonQOptions(noise_model="aria-1")),
        IBMBackend(line),
        IBMBackend(line, IBMOptions(device="ibm_one")),
        IBMBackend(line, IBMOptions(device="ibm_one", resilience_level=2)),
    ]
    names = {fingerprint(backend) for backend in differ}
    assert len(names) == len(differ) and "secret-token" not in str(names)
    assert fingerprint(NoisyBackend(load_calibration())) in names
    later = Credentials("another-token", "http://127.0.0.1:9")
    assert fingerprint(IonQBackend(later)) in names


@pytest.mark.parametrize("options", [{"shots": 10}, {}])
def test_what_is_meant_to_vary_is_not_kept(tmp_path, options):
    cache = ResultCache(FileCache(tmp_path))
    batch = batch_of(Circuit(1).h(0), **options)
    cache.store("mock", batch, mock().result(mock().submit(batch)))
    assert cache.find("mock", batch) is None and len(cache.files) == 0
    exact, simulator = batch_of(Circuit(1).h(0), observables=(Z(0),)), fingerprint(mock())
    cache.store(simulator, exact, mock().result(mock().submit(exact)))
    assert cache.find(simulator, exact)[0].means == pytest.approx((0.0,))


def test_means_of_a_device_that_chooses_its_shots_are_not_exact(tmp_path):
    cache, noisy = ResultCache(FileCache(tmp_path)), NoisyBackend()
    means = batch_of(Circuit(1).h(0), observables=(Z(0),))
    cache.store(fingerprint(noisy), means, (Measured(means=(0.1,), errors=(0.1,)),))
    assert cache.find(fingerprint(noisy), means) is None
    seeded = replace(means, seed=3)
    cache.store(fingerprint(noisy), seeded, (Measured(means=(0.1,), errors=(0.1,)),))
    assert cache.find(fingerprint(noisy), seeded)[0].means == (0.1,)


def test_a_folder_that_takes_nothing_costs_time_and_no_result(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    cache = FileCache(tmp_path / "file" / "folder")
    assert cache.remember("a", lambda: b"made") == b"made"
    assert cache.remember("a", lambda: b"again") == b"again"
    assert cache.get("a") is None and len(cache) == 0
    assert "takes nothing more" in caplog.text
    results = ResultCache(cache)
    batch = batch_of(Circuit(1).h(0), shots=5, seed=1)
    results.store("mock", batch, (Measured({"0": 5}),))
    assert results.find("mock", batch) is None


@pytest.mark.parametrize("key", ["", "a/../b", "ü" * 500, "x\x00y"])
def test_keys_may_be_any_text(tmp_path, key):
    cache = FileCache(tmp_path)
    cache.put(key, b"\x00\xff")
    assert cache.get(key) == b"\x00\xff" and cache.get(key + " ") is None
    assert [path.parent for path in tmp_path.iterdir()] == [tmp_path]


def test_an_entry_larger_than_the_folder_is_there_until_the_next(tmp_path):
    cache = FileCache(tmp_path, max_bytes=100)
    cache.put("large", b"x" * 500)
    assert cache.get("large") == b"x" * 500  # whoever put it may use it
    cache.put("small", b"x")
    assert cache.get("large") is None and cache.get("small") == b"x"


def test_work_that_fails_leaves_no_entry(tmp_path):
    cache = FileCache(tmp_path)

    def work():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.remember("a", work)
    assert cache.get("a") is None and list(tmp_path.iterdir()) == []


def test_results_keep_counts_means_and_errors_exactly(tmp_path):
    cache = ResultCache(FileCache(tmp_path))
    batch = batch_of(Circuit(2).h(0), torch.zeros(2, 0), shots=7, seed=1)
    measured = (
        Measured({"00": 3, "10": 4}),
        Measured(means=(0.1 + 0.2, -1.0), errors=(1e-17, 0.0)),
    )
    cache.store("mock", batch, measured)
    assert cache.find("mock", batch) == measured
