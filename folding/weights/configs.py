"""What the published networks are made of, readable without torch."""

from dataclasses import replace

from folding.data.style import PUBLISHED
from folding.model.config import AF3_CODE, ModelConfig, SamplerConfig

BASE = ModelConfig(reference=replace(PUBLISHED, paired_as_own=True))
_FEW_STEPS = SamplerConfig(gamma_0=0.0, step_scale=1.0, n_steps=5)
_MINI = replace(
    BASE,
    n_template_blocks=0,
    n_msa_blocks=1,
    n_pairformer_blocks=16,
    n_encoder_blocks=1,
    n_token_blocks=8,
    n_decoder_blocks=1,
    n_cycles=4,
    sampler=_FEW_STEPS,
)

PROTENIX: dict[str, ModelConfig] = {
    "protenix_base_20250630_v1.0.0": BASE,
    "protenix_base_default_v1.0.0": BASE,
    "protenix_base_default_v0.5.0": replace(BASE, n_template_blocks=0),
    "protenix_mini_default_v0.5.0": _MINI,
    "protenix_tiny_default_v0.5.0": replace(_MINI, n_pairformer_blocks=8),
}
"""The published checkpoints, by Protenix's name of the checkpoint."""

_LAST_LEVEL_AS_PRINTED = SamplerConfig(ends_at_zero=False)

OPENFOLD3: dict[str, ModelConfig] = {
    "of3-ob-2025-06-30-174k": replace(
        BASE,
        c_template_triangle=64,
        c_template_head=16,
        n_elements=119,
        n_atom_slots=23,
        n_cycles=4,
        n_msa_rows=1024,
        sampler=_LAST_LEVEL_AS_PRINTED,
        variant=AF3_CODE,
        reference=replace(PUBLISHED, slots_by_name=False, bare_ends=True, query_twice=False),
    )
}
"""The published checkpoints that OpenFold3 0.5 reads, by their names."""

_ALPHAFOLD3 = replace(
    BASE,
    reference=PUBLISHED,
    c_template_triangle=64,
    c_template_head=16,
    n_cycles=11,
    n_msa_rows=1024,
    sampler=_LAST_LEVEL_AS_PRINTED,
    variant=replace(
        AF3_CODE,
        shared_unknown_nucleotide=True,
        key_space_by_slot=True,
        empty_templates=(0, 0, 0, 0),
    ),
)

ALPHAFOLD3: dict[str, ModelConfig] = {
    "af3": _ALPHAFOLD3,
    "intellifold_v2": replace(
        _ALPHAFOLD3,
        c_z=512,
        c_m=256,
        c_triangle=512,
        c_pair_head=64,
        n_pair_heads=8,
        c_msa_head=32,
        c_template=256,
        c_template_triangle=256,
        c_template_head=32,
        n_template_heads=8,
    ),
}
"""Networks whose arrays come in AlphaFold 3's format: its own weights, and IntelliFold-v2's."""
