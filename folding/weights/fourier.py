"""The noise embedding of AlphaFold 3, which its parameter file does not hold.

Its code draws it once and for all from JAX's generator: the key 42, split in two, one half for
normal weights and one for uniform offsets. Here the same bits come from the generator's definition,
Threefry-2x32 with 20 rounds (Salmon et al. 2011), and become numbers as JAX makes them.
"""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float32, UInt32
from torch import Tensor

KEY = 42
N = 256
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA

_CENTRE = (
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087),
    *(-0.00125372503, -0.00417768164, 0.246640727, 1.50140941),
)
_TAIL = (
    *(-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773),
    *(-0.0076224613, 0.00943887047, 1.00167406, 2.83297682),
)

Words = UInt32[np.ndarray, " n"]
Key = UInt32[np.ndarray, "2"]


@cache
def noise_embedding() -> tuple[Tensor, Tensor]:
    """Weights and offsets of the Fourier features, 256 each."""
    halves = random_words(np.array([0, KEY], np.uint32), 4).reshape(2, 2)
    weight = normal(random_words(halves[0], N))
    bias = uniform(random_words(halves[1], N), 0.0)
    return torch.from_numpy(weight), torch.from_numpy(bias)


def random_words(key: Key, n: int) -> Words:
    """The first ``n`` (even) words that JAX draws from a key."""
    counter = np.arange(n, dtype=np.uint32)
    return np.concatenate(threefry(key, counter[: n // 2], counter[n // 2 :]))


def threefry(key: Key, left: Words, right: Words) -> tuple[Words, Words]:
    """Two words enciphered by a key of two: Threefry-2x32, 20 rounds."""
    schedule = [key[0], key[1], key[0] ^ key[1] ^ np.uint32(_PARITY)]
    left, right = left + schedule[0], right + schedule[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            left = left + right
            right = (right << np.uint32(rotation)) | (right >> np.uint32(32 - rotation))
            right = right ^ left
        left = left + schedule[(group + 1) % 3]
        right = right + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return left, right


def uniform(words: Words, low: float) -> Float32[np.ndarray, " n"]:
    """Numbers in [low, 1): 23 random bits are the fraction of a float in [1, 2)."""
    fraction = ((words >> np.uint32(9)) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)
    return np.maximum(np.float32(low), fraction * np.float32(1 - low) + np.float32(low))


def normal(words: Words) -> Float32[np.ndarray, " n"]:
    """Normal numbers, from uniform ones in (-1, 1) by the inverse error function."""
    low = float(np.nextafter(np.float32(-1), np.float32(0)))
    return np.sqrt(np.float32(2)) * inverse_error_function(uniform(words, low))


def inverse_error_function(x: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
    """The approximation in single precision of Giles 2010, which JAX uses: its error is part of
    the published numbers."""
    w = -np.log1p(-x * x)
    centre = np.polyval(np.array(_CENTRE, np.float32), w - np.float32(2.5))
    tail = np.polyval(np.array(_TAIL, np.float32), np.sqrt(w) - np.float32(3))
    return np.where(w < 5, centre, tail) * x
