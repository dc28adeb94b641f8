"""What the published networks are made of, readable without torch."""

from dataclasses import replace

from folding.model.config import ModelConfig, SamplerConfig

BASE = ModelConfig()
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
