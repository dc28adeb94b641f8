"""The layer in TensorFlow: values, gradients, graphs, Keras. Needs `pip install tensorflow`."""

import importlib.util
import warnings

import numpy as np
import pytest
import torch

from quantum.training.bridges.arrays import LayerOnArrays
from quantum.training.bridges.tensorflow import keras_layer, tensorflow_function
from tests.quantum.training.bridges.cases import Device, by_torch, features, layer, upstream

if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("tensorflow is not installed", allow_module_level=True)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own affair
    import tensorflow as tf

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def start(given):
    return tf.constant(LayerOnArrays(given).first_weights)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
@pytest.mark.parametrize("compiled", [False, True])
def test_values_and_gradients_are_those_of_torch(shape, compiled):
    given, rows, weight = layer(), features(*shape), upstream(*shape)
    run = tensorflow_function(given)

    def values_and_slopes(weights, inputs):
        with tf.GradientTape() as tape:
            tape.watch([weights, inputs])
            values = run(weights, inputs)
            loss = tf.reduce_sum(values * weight.numpy())
        return [values, *tape.gradient(loss, [weights, inputs])]

    if compiled:
        values_and_slopes = tf.function(values_and_slopes)
    found = values_and_slopes(start(given), tf.constant(rows.numpy()))
    for own, wanted in zip(found, by_torch(given, rows, weight), strict=True):
        assert own.shape == wanted.shape
        assert np.allclose(own, wanted, atol=1e-12)


def test_a_gradient_on_a_backend_is_one_batch():
    device = Device()
    remote = layer(evaluate=device)
    weights = tf.Variable(start(remote))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tensorflow_function(remote)(weights, features(2).numpy()))
    slopes = tape.gradient(loss, weights)
    assert len(device.runs) == 2 and device.runs[0] == 2
    expected = by_torch(layer(), features(2), torch.ones(2, 3, dtype=torch.float64))
    assert np.allclose(slopes, expected[1], atol=1e-10)


def test_a_keras_model_learns_with_the_layer_inside():
    tf.keras.utils.set_random_seed(1)
    given = layer(dtype=torch.float32)
    quantum = keras_layer(given, name="circuit")
    model = tf.keras.Sequential(
        [tf.keras.layers.Input((5,)), tf.keras.layers.Dense(3), quantum, tf.keras.layers.Dense(1)]
    )
    assert model.output_shape == (None, 1)
    assert np.array_equal(quantum.get_weights()[0], given.weights.detach().numpy())
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(64, 5)).astype(np.float32)
    wanted = np.tanh(rows[:, :1] * rows[:, 1:2])
    model.compile(optimizer=tf.keras.optimizers.Adam(0.05), loss="mse")
    losses = model.fit(rows, wanted, batch_size=32, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    assert not np.array_equal(quantum.get_weights()[0], given.weights.detach().numpy())
