"""A quantum layer as functions from arrays to arrays, for frameworks with their own gradients."""

from threading import Lock

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from quantum.training.layer import QuantumLayer, pull_back

Array = Float[np.ndarray, "..."]


class LayerOnArrays:
    """The layer's values and their pull-back, for weights that somebody else keeps.

    Circuits run where the layer runs them; on a backend each call is one batch. Frameworks call
    from threads of their own: one at a time gets through.
    """

    def __init__(self, layer: QuantumLayer) -> None:
        self.layer = layer
        self._lock = Lock()

    @property
    def first_weights(self) -> Float[np.ndarray, " n_weights"]:
        """The layer's weights as they are now."""
        found: np.ndarray = self.layer.weights.detach().cpu().numpy().copy()
        return found

    def values(
        self,
        weights: Float[np.ndarray, " n_weights"],
        features: Float[np.ndarray, "*batch n_features"],
    ) -> Float[np.ndarray, "*batch n_outputs"]:
        """Expectation values, in the precision of the weights."""
        given, rows = _tensor(weights), _tensor(features)
        with self._lock, torch.no_grad():
            found: Tensor = torch.func.functional_call(self.layer, {"weights": given}, (rows,))
        return found.numpy()

    def pull_back(
        self,
        weights: Float[np.ndarray, " n_weights"],
        features: Float[np.ndarray, "*batch n_features"],
        upstream: Float[np.ndarray, "*batch n_outputs"],
    ) -> tuple[Float[np.ndarray, " n_weights"], Float[np.ndarray, "*batch n_features"]]:
        """The gradients by weights and by features, each in its own precision."""
        given, rows = _tensor(weights).requires_grad_(), _tensor(features).requires_grad_()
        with self._lock, torch.enable_grad():
            by_row = self._by_row(given, rows, _tensor(upstream).to(given))
        own, theirs = (part.to(of).numpy() for part, of in zip(by_row, (given, rows), strict=True))
        return own, theirs

    def _by_row(self, weights: Tensor, features: Tensor, upstream: Tensor) -> tuple[Tensor, ...]:
        if not features.numel():
            return torch.zeros_like(weights), torch.zeros_like(features)
        if self.layer.runs_on_simulator:
            values = torch.func.functional_call(self.layer, {"weights": weights}, (features,))
            return torch.autograd.grad(values, (weights, features), upstream, allow_unused=True,
                                       materialize_grads=True)  # fmt: skip
        angles = self.layer.encoder.angles(features.reshape(-1, features.shape[-1]).to(weights))
        shared = weights.expand(len(angles), -1)
        parameters = torch.cat([shared, angles], 1).detach()
        rows = upstream.reshape(len(angles), -1)
        found = pull_back(self.layer, parameters, rows, wanted=range(parameters.shape[1]))
        own, by_angle = found.split([weights.numel(), angles.shape[1]], 1)
        (by_feature,) = torch.autograd.grad(angles, features, by_angle.to(angles))
        return own.sum(0), by_feature


def _tensor(array: Array) -> Tensor:
    """A copy: other frameworks' arrays may be read-only."""
    return torch.from_numpy(np.array(array))
