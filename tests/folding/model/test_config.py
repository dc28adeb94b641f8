"""Dimensions."""

from folding.model.alphafold3 import AlphaFold3
from folding.model.config import SMALL, ModelConfig


def test_the_input_embedding_holds_atoms_class_profile_and_deletions():
    assert ModelConfig().c_s_inputs == 449


def test_heads_divide_their_widths():
    for config in (ModelConfig(), SMALL):
        assert config.c_s % config.n_single_heads == 0
        assert config.c_token % config.n_token_heads == 0
        assert config.c_atom % config.n_atom_heads == 0


def test_keys_surround_their_queries_evenly():
    for config in (ModelConfig(), SMALL):
        assert (config.n_keys - config.n_queries) % 2 == 0


def test_the_small_model_is_small_and_has_every_part_but_templates():
    model = AlphaFold3(SMALL)
    assert sum(p.numel() for p in model.parameters()) < 6e6
    parts = {name for name, _ in model.named_children()}
    assert {"input_embedder", "msa_module", "pairformer", "diffusion", "confidence"} <= parts
    assert "template_embedder" not in parts
