"""A network small enough to train inside a test."""

from dataclasses import replace

from folding.model.config import SMALL

TINY = replace(
    SMALL,
    c_s=16,
    c_z=8,
    c_m=8,
    c_input=16,
    c_token=32,
    c_atom=16,
    c_triangle=8,
    n_pairformer_blocks=1,
    n_token_blocks=2,
    n_decoder_blocks=1,
    n_confidence_blocks=1,
)
