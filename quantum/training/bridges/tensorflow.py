"""A quantum layer as a function of TensorFlow, with a gradient of its own, and as a layer of Keras
(an extra: requirements-bridges.txt)."""

from collections.abc import Callable
from typing import Any

from quantum.errors import NotConfigured
from quantum.training.bridges.arrays import LayerOnArrays
from quantum.training.layer import QuantumLayer


def tensorflow_function(layer: QuantumLayer) -> Callable[[Any, Any], Any]:
    """(weights, features [*batch, n_features]) → expectation values [*batch, n_outputs].

    For `tf.GradientTape` and `tf.function`; first derivatives (`tf.custom_gradient`). Values are in
    the precision of the weights.

    Raises:
        NotConfigured: where TensorFlow is not installed.
    """
    tf = _tensorflow()
    host = LayerOnArrays(layer)

    def run(weights: Any, features: Any) -> Any:
        weights, features = tf.convert_to_tensor(weights), tf.convert_to_tensor(features)
        values = tf.numpy_function(host.values, [weights, features], weights.dtype)
        values.set_shape([*features.shape[:-1], layer.n_outputs])

        def backward(upstream: Any) -> Any:
            kinds = [weights.dtype, features.dtype]
            found = tf.numpy_function(host.pull_back, [weights, features, upstream], kinds)
            for gradient, of in zip(found, (weights, features), strict=True):
                gradient.set_shape(of.shape)
            return found

        return values, backward

    found: Callable[[Any, Any], Any] = tf.custom_gradient(run)
    return found


def keras_layer(layer: QuantumLayer, **options: Any) -> Any:
    """A layer for Keras models whose weights start as the quantum layer's.

    Args:
        options: those of `tf.keras.layers.Layer`, such as `name`.

    Raises:
        NotConfigured: where TensorFlow is not installed.
    """
    tf = _tensorflow()
    run = tensorflow_function(layer)
    start = LayerOnArrays(layer).first_weights

    class KerasQuantumLayer(tf.keras.layers.Layer):  # type: ignore[misc,name-defined]
        def build(self, input_shape: Any) -> None:
            self.angles = self.add_weight(
                name="angles", shape=start.shape, dtype=start.dtype.name,
                initializer=tf.constant_initializer(start),
            )  # fmt: skip
            self.built = True

        def call(self, features: Any) -> Any:
            return run(tf.convert_to_tensor(self.angles), features)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (*input_shape[:-1], layer.n_outputs)

    return KerasQuantumLayer(**options)


def _tensorflow() -> Any:
    try:
        import tensorflow
    except ImportError as error:
        raise NotConfigured("the bridge to TensorFlow needs the package tensorflow") from error
    return tensorflow
