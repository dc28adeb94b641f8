"""The functions that every bridge calls give what the layer gives to torch."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from quantum.ansatz import hardware_efficient
from quantum.circuit import Circuit
from quantum.encoding import DataEncoder
from quantum.errors import NotConfigured
from quantum.training.bridges.arrays import LayerOnArrays
from quantum.training.bridges.jax import jax_function
from quantum.training.bridges.tensorflow import keras_layer, tensorflow_function
from quantum.training.layer import QuantumLayer
from tests.quantum.training.bridges.cases import Device, by_torch, features, layer, upstream


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_values_and_gradients_are_those_of_torch(shape):
    given, rows, weight = layer(), features(*shape), upstream(*shape)
    host = LayerOnArrays(given)
    expected = by_torch(given, rows, weight)
    values = host.values(host.first_weights, rows.numpy())
    found = host.pull_back(host.first_weights, rows.numpy(), weight.numpy())
    for own, wanted in zip((values, *found), expected, strict=True):
        assert own.shape == wanted.shape
        assert np.allclose(own, wanted, atol=1e-12)


def test_a_backend_measures_the_gradient_in_one_batch():
    device = Device()
    remote, local = layer(evaluate=device), layer()
    rows, weight = features(4), upstream(4)
    host = LayerOnArrays(remote)
    expected = by_torch(local, rows, weight)
    found = host.pull_back(host.first_weights, rows.numpy(), weight.numpy())
    assert len(device.runs) == 1
    assert np.allclose(host.values(host.first_weights, rows.numpy()), expected[0], atol=1e-10)
    for own, wanted in zip(found, expected[1:], strict=True):
        assert np.allclose(own, wanted, atol=1e-10)
    assert device.runs[1:] == [4]


def test_weights_are_those_that_are_given_and_the_layer_keeps_its_own():
    given = layer()
    host = LayerOnArrays(given)
    before = given.weights.detach().clone()
    other = host.first_weights + 0.3
    changed = host.values(other, features(2).numpy())
    assert torch.equal(given.weights, before)
    assert np.abs(changed - host.values(host.first_weights, features(2).numpy())).max() > 0.01
    assert given.weights.grad is None


def test_precision_follows_each_argument():
    host = LayerOnArrays(layer())
    weights, rows = host.first_weights.astype(np.float32), features(2).numpy()
    assert host.values(weights, rows).dtype == np.float32
    own, theirs = host.pull_back(weights, rows, upstream(2).numpy().astype(np.float32))
    assert (own.dtype, theirs.dtype) == (np.float32, np.float64)


def test_read_only_arrays_and_empty_batches():
    host = LayerOnArrays(layer())
    weights, rows = host.first_weights, features(2).numpy()
    weights.flags.writeable = rows.flags.writeable = False
    assert host.values(weights, rows).shape == (2, 3)
    empty = np.zeros((0, 3))
    assert host.values(weights, empty).shape == (0, 3)
    own, theirs = host.pull_back(weights, empty, empty)
    assert not own.any() and theirs.shape == (0, 3)


def test_a_circuit_without_inputs_has_gradients_of_zero_by_its_features():
    encoder = DataEncoder(3, Circuit(2), lambda rows: rows[:, :0])
    host = LayerOnArrays(QuantumLayer(encoder, hardware_efficient(2, 1), dtype=torch.float64))
    own, theirs = host.pull_back(host.first_weights, features(2).numpy(), np.ones((2, 2)))
    assert own.any() and not theirs.any() and theirs.shape == (2, 3)


def test_threads_do_not_see_each_other_s_weights():
    host = LayerOnArrays(layer())
    rows = features(3).numpy()
    sets = [host.first_weights + 0.1 * i for i in range(8)]
    expected = [host.values(weights, rows) for weights in sets]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda weights: host.values(weights, rows), sets * 5))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected * 5, strict=True))


@pytest.mark.parametrize(
    ("package", "make"),
    [("jax", jax_function), ("tensorflow", tensorflow_function), ("tensorflow", keras_layer)],
)
def test_a_framework_that_is_not_there_is_said(monkeypatch, package, make):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NotConfigured, match=f"needs the package {package}"):
        make(layer())


def test_the_bridges_import_no_framework():
    code = """
import sys
import quantum.training.bridges.jax, quantum.training.bridges.tensorflow
print({"jax", "tensorflow"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
