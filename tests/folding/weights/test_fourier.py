"""AlphaFold 3's noise embedding from the definition of its random numbers."""

import numpy as np
import torch

from folding.weights.fourier import noise_embedding, normal, random_words, threefry, uniform

SOME_KEY = np.array([64467757, 2916123636], np.uint32)


def words(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint32)


def test_the_cipher_gives_the_published_answers():
    """Test vectors of Random123, the reference implementation of Salmon et al. 2011."""
    for key, text, answer in (
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((2**32 - 1,) * 2, (2**32 - 1,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ):
        left, right = threefry(words(*key), words(text[0]), words(text[1]))
        assert (int(left[0]), int(right[0])) == answer


def test_numbers_are_those_that_jax_draws():
    """jax 0.10.2 without `jax_threefry_partitionable`: 256 normal and 256 uniform numbers."""
    weight, bias = noise_embedding()
    expected = torch.tensor([0.4587364196777344, 0.06516237556934357, -0.07278306037187576])
    torch.testing.assert_close(weight[:3], expected, rtol=0, atol=1e-7)
    assert bias[:3].tolist() == [0.0046596527099609375, 0.21738243103027344, 0.22277748584747314]
    assert abs(weight[-1] + 0.6720458) < 1e-6
    assert abs(bias[-1] - 0.80793905) < 1e-7


def test_they_are_as_normal_and_uniform_as_they_should_be():
    drawn = random_words(SOME_KEY, 20_000)
    x, u = normal(drawn), uniform(drawn, 0.0)
    assert abs(x.mean()) < 0.03 and abs(x.std() - 1) < 0.03
    assert abs(np.mean(np.abs(x) < 1.96) - 0.95) < 0.01
    assert u.min() >= 0 and u.max() < 1 and abs(u.mean() - 0.5) < 0.01
    assert abs(np.mean(x > 3)) < 0.005 and x.max() > 3, "the tail is there"
