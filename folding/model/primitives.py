"""Layers that every part of the network is made of: linear maps, norms, transitions, attention."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

MASKED = -1e9
"""What is added to an attention logit to switch it off."""


class Linear(nn.Linear):
    """A linear map without offset (unless asked for), initialised as AlphaFold's are.

    Args:
        init: "default" (LeCun normal), "relu" (He normal) or "zeros" (gates and last layers).
        gate_bias: initial value of the offset; adaLN-Zero gates start at -2 (Peebles & Xie 2022).
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        *,
        bias: bool = False,
        init: str = "default",
        gate_bias: float = 0.0,
    ) -> None:
        self.init, self.gate_bias = init, gate_bias
        super().__init__(c_in, c_out, bias=bias)

    def reset_parameters(self) -> None:
        if self.weight.is_meta:
            return  # Nothing to fill; PyTorch would import its compiler for it, 70 MB.
        variance = {"default": 1.0, "relu": 2.0, "zeros": 0.0}[self.init]
        if variance:
            std = (variance / self.in_features) ** 0.5
            nn.init.trunc_normal_(self.weight, std=std, a=-2 * std, b=2 * std)
        else:
            nn.init.zeros_(self.weight)
        if self.bias is not None:
            nn.init.constant_(self.bias, self.gate_bias)


class PreciseLinear(Linear):
    """A linear map that stays in float32 under autocast: for coordinates, which bfloat16 blurs."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class Modulation(NamedTuple):
    """Scale and shift that an adaptive LayerNorm applies; both depend on the conditioning alone."""

    scale: Tensor
    shift: Tensor

    def rows(self, some: slice) -> "Modulation":
        """That of neighbouring activations."""
        return Modulation(self.scale[..., some, :], self.shift[..., some, :])


class AdaptiveLayerNorm(nn.Module):
    """LayerNorm whose scale and shift come from a conditioning signal (AF3 SI algorithm 26)."""

    def __init__(self, c_a: int, c_s: int) -> None:
        super().__init__()
        self.layer_norm_s = nn.LayerNorm(c_s, bias=False)
        self.linear_scale = Linear(c_s, c_a, bias=True, init="zeros")
        self.linear_shift = Linear(c_s, c_a, init="zeros")

    def modulation(self, s: Float[Tensor, "*batch n c_s"]) -> Modulation:
        """Scale in (0, 1) and shift, both [*batch, n, c_a]: lines 2-3 without the activations."""
        s = self.layer_norm_s(s)
        return Modulation(torch.sigmoid(self.linear_scale(s)), self.linear_shift(s))

    def forward(
        self, a: Float[Tensor, "*batch n c_a"], modulation: Modulation
    ) -> Float[Tensor, "*batch n c_a"]:
        a = functional.layer_norm(a, a.shape[-1:])
        return torch.addcmul(modulation.shift, a, modulation.scale)


class Transition(nn.Module):
    """SwiGLU transition of ``n`` times the width (AF3 SI algorithm 11)."""

    def __init__(self, c: int, n: int) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(c)
        self.linear_ab = Linear(c, 2 * n * c, init="relu")
        self.linear_out = Linear(n * c, c, init="zeros")

    def forward(self, x: Float[Tensor, "*batch c"]) -> Float[Tensor, "*batch c"]:
        a, b = self.linear_ab(self.layer_norm(x)).chunk(2, dim=-1)
        return self.linear_out(functional.silu(a) * b)


def split_heads(
    x: Float[Tensor, "*batch n width"], n_heads: int
) -> Float[Tensor, "*batch heads n c"]:
    """The last axis cut into heads, which move before the sequence axis."""
    return x.unflatten(-1, (n_heads, -1)).transpose(-2, -3)


def merge_heads(x: Float[Tensor, "*batch heads n c"]) -> Float[Tensor, "*batch n width"]:
    """The inverse of ``split_heads``."""
    return x.transpose(-2, -3).flatten(-2)


def mask_bias(mask: Bool[Tensor, "*batch n"] | None) -> Tensor | float:
    """What to add to logits [*batch, heads, query, n] so that masked keys get no weight."""
    if mask is None:
        return 0.0
    bias = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, MASKED)
    return bias[..., None, None, :]


def attend(
    q: Float[Tensor, "*batch heads query c"],
    k: Float[Tensor, "*batch heads key c"],
    v: Float[Tensor, "*batch heads key c"],
    bias: Float[Tensor, "*wide heads_or_one query_or_one key"],
) -> Float[Tensor, "*batch heads query c"]:
    """Scaled dot-product attention with an additive bias that broadcasts over the leading axes."""
    if torch.is_grad_enabled():
        logits = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-1, -2)) + bias
        return torch.matmul(torch.softmax(logits, dim=-1), v)
    bias = bias.to(q.dtype).expand(*q.shape[:-1], k.shape[-2])
    flat = (x.reshape(-1, *x.shape[-3:]) for x in (q, k, v, bias))
    return functional.scaled_dot_product_attention(*flat).view(q.shape)
