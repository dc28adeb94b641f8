"""Kernels that a GPU may have for what the network computes most; the CPU has PyTorch's."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Kernel = Callable[..., Any]


def attend_rows(
    q: Float[Tensor, "row heads n c"],
    k: Float[Tensor, "row heads n c"],
    v: Float[Tensor, "row heads n c"],
    bias: Float[Tensor, "heads n n"],
) -> Float[Tensor, "row heads n c"]:
    """Attention of every row by itself, all with the same bias: the heart of triangle attention.

    On a GPU cuEquivariance's kernel, if it is installed, else PyTorch's.
    """
    fast = cuequivariance() if q.is_cuda else None
    if fast is not None:
        q, k, v = (x.unsqueeze(0).contiguous() for x in (q, k, v))
        result: Tensor = fast(q, k, v, bias.float()[None, None].contiguous())
        return result[0]
    wide = bias.expand(len(q), *bias.shape)
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=wide)


@cache
def cuequivariance() -> Kernel | None:
    """cuEquivariance's triangle attention; None where it is not installed or has no GPU."""
    if not torch.cuda.is_available():
        return None
    try:
        from cuequivariance_torch import triangle_attention
    except (ImportError, OSError):
        return None
    kernel: Kernel = triangle_attention
    return kernel
