"""The layer in JAX: values, gradients, jit, vmap, and a training. Needs `pip install jax`."""

import numpy as np
import pytest
import torch

from quantum.training.bridges.arrays import LayerOnArrays
from quantum.training.bridges.jax import jax_function
from tests.quantum.training.bridges.cases import Device, by_torch, features, layer, upstream

jax = pytest.importorskip("jax", reason="jax is not installed")


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64(True):
        yield


def start(given):
    return jax.numpy.asarray(LayerOnArrays(given).first_weights)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
@pytest.mark.parametrize("compiled", [False, True])
def test_values_and_gradients_are_those_of_torch(shape, compiled):
    given, rows, weight = layer(), features(*shape), upstream(*shape)
    run = jax_function(given)

    def loss(weights, inputs):
        return (run(weights, inputs) * weight.numpy()).sum()

    slopes = jax.grad(loss, argnums=(0, 1))
    if compiled:
        run, slopes = jax.jit(run), jax.jit(slopes)
    expected = by_torch(given, rows, weight)
    inputs = jax.numpy.asarray(rows.numpy())
    found = (run(start(given), inputs), *slopes(start(given), inputs))
    for own, wanted in zip(found, expected, strict=True):
        assert np.allclose(own, wanted, atol=1e-12)


def test_it_maps_over_weights_and_over_features():
    given = layer()
    run = jax_function(given)
    rows = jax.numpy.asarray(features(4).numpy())
    weights = start(given)
    by_row = jax.vmap(run, in_axes=(None, 0))(weights, rows)
    assert np.allclose(by_row, run(weights, rows), atol=1e-12)
    several = jax.numpy.stack([weights, weights + 0.2])
    mapped = jax.vmap(run, in_axes=(0, None))(several, rows)
    assert np.allclose(mapped[1], run(weights + 0.2, rows), atol=1e-12)
    slopes = jax.vmap(jax.grad(lambda w, x: run(w, x).sum()), in_axes=(None, 0))(weights, rows)
    assert np.allclose(slopes.sum(0), jax.grad(lambda w: run(w, rows).sum())(weights), atol=1e-10)


def test_single_precision_stays_single():
    with jax.enable_x64(False):
        given = layer(dtype=torch.float32)
        found = jax_function(given)(start(given), jax.numpy.ones((2, 3)))
        assert found.dtype == np.float32
        expected = given(torch.ones(2, 3)).detach().numpy()
        assert np.allclose(found, expected, atol=1e-6)


def test_a_gradient_on_a_backend_is_one_batch():
    device = Device()
    remote = layer(evaluate=device)
    run = jax_function(remote)
    rows = jax.numpy.asarray(features(2).numpy())
    slopes = jax.jit(jax.grad(lambda w: run(w, rows).sum()))(start(remote))
    assert len(device.runs) <= 2 and max(device.runs) > 2  # JAX leaves values out that none needs
    expected = by_torch(layer(), features(2), torch.ones(2, 3, dtype=torch.float64))
    assert np.allclose(slopes, expected[1], atol=1e-10)


def test_it_learns():
    given = layer()
    run = jax_function(given)
    rows = jax.numpy.asarray(features(8).numpy())
    wanted = run(start(given) + 0.5, rows)

    @jax.jit
    def step(weights):
        loss, slopes = jax.value_and_grad(lambda w: ((run(w, rows) - wanted) ** 2).mean())(weights)
        return loss, weights - 0.5 * slopes

    weights, losses = start(given), []
    for _ in range(30):
        loss, weights = step(weights)
        losses.append(float(loss))
    assert losses[-1] < 0.1 * losses[0]
