"""A quantum layer as a function of JAX, with a gradient of its own
(an extra: requirements-bridges.txt)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from quantum.errors import NotConfigured
from quantum.training.bridges.arrays import LayerOnArrays
from quantum.training.layer import QuantumLayer


def jax_function(layer: QuantumLayer) -> Callable[[Any, Any], Any]:
    """(weights, features [*batch, n_features]) → expectation values [*batch, n_outputs].

    For `jax.grad`, `jax.jit` and `jax.vmap`; first derivatives in reverse mode (`jax.custom_vjp`).
    Values are in the precision of the weights. JAX may leave out a call whose result nobody needs.

    Raises:
        NotConfigured: where JAX is not installed.
    """
    try:
        import jax
    except ImportError as error:
        raise NotConfigured("the bridge to JAX needs the package jax") from error
    host = LayerOnArrays(layer)

    def values(weights: Any, features: Any) -> Any:
        shape = jax.ShapeDtypeStruct((*features.shape[:-1], layer.n_outputs), weights.dtype)
        return jax.pure_callback(
            _plain(host.values), shape, weights, features, vmap_method="sequential"
        )

    def forward(weights: Any, features: Any) -> tuple[Any, tuple[Any, Any]]:
        return values(weights, features), (weights, features)

    def backward(kept: tuple[Any, Any], upstream: Any) -> Any:
        shapes = tuple(jax.ShapeDtypeStruct(array.shape, array.dtype) for array in kept)
        return jax.pure_callback(
            _plain(host.pull_back), shapes, *kept, upstream, vmap_method="sequential"
        )

    run: Any = jax.custom_vjp(values)
    run.defvjp(forward, backward)
    found: Callable[[Any, Any], Any] = run
    return found


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of arrays of any library, called with numpy's."""
    return lambda *arrays: function(*map(np.asarray, arrays))
