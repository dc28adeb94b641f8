"""The weights of Protenix 2.0.0 in our words, and ours in theirs.

One name table serves all published sizes. A row pairs one of our tensors with those of theirs that
it is made of: where we fuse projections of the same input into one, theirs follow each other along
the first axis. Every tensor on either side belongs to exactly one row.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from folding.errors import WeightsError
from folding.model.config import ModelConfig
from folding.model.heads import BIN_WIDTH, FIRST_BIN, N_DISTANCE_BINS
from folding.weights.configs import PROTENIX
from folding.weights.names import (
    Row,
    Table,
    compare_names,
    compare_shapes,
    elements_moved,
    joined,
    rows,
    under,
)

CONFIGS: dict[str, ModelConfig] = PROTENIX
"""What the published checkpoints are made of, by Protenix's name of the checkpoint."""


_TRANSITION: Table = {
    "+layer_norm": "layernorm1",
    "linear_ab": ("linear_no_bias_a", "linear_no_bias_b"),
    "linear_out": "linear_no_bias",
}
_TRIANGLE_MULTIPLICATION: Table = {
    "+layer_norm_in": "layer_norm_in",
    "linear_ab": ("linear_a_p", "linear_b_p"),
    "linear_ab_gate": ("linear_a_g", "linear_b_g"),
    "+layer_norm_out": "layer_norm_out",
    "linear_out": "linear_z",
    "linear_gate": "linear_g",
}
_TRIANGLE_ATTENTION: Table = {
    "+layer_norm": "layer_norm",
    "linear_bias": "linear",
    "linear_qkv": ("mha.linear_q", "mha.linear_k", "mha.linear_v"),
    "linear_gate": "mha.linear_g",
    "linear_out": "mha.linear_o",
}
_ATTENTION: Table = {
    "linear_bias": "linear_nobias_z",
    "+linear_q": "attention.linear_q",
    "linear_kv": ("attention.linear_k", "attention.linear_v"),
    "linear_gate": "attention.linear_g",
    "linear_out": "attention.linear_o",
}
_SINGLE_ATTENTION: Table = {
    "+layer_norm_a": "layernorm_a",
    "+layer_norm_z": "layernorm_z",
    **_ATTENTION,
}
_ADAPTIVE_LAYER_NORM: Table = {
    "layer_norm_s": "layernorm_s",
    "+linear_scale": "linear_s",
    "linear_shift": "linear_nobias_s",
}
_CONDITIONED_ATTENTION: Table = {
    "layer_norm_z": "layernorm_z",
    **_ATTENTION,
    "+linear_last": "linear_a_last",
}
_CONDITIONED_TRANSITION: Table = {
    "linear_ab": ("linear_nobias_a1", "linear_nobias_a2"),
    "linear_out": "linear_nobias_b",
    "+linear_last": "linear_s",
}
_OUTER_PRODUCT_MEAN: Table = {
    "+layer_norm": "layer_norm",
    "linear_ab": ("linear_1", "linear_2"),
    "+linear_out": "linear_out",
}
_AVERAGING: Table = {
    "+layer_norm_m": "layernorm_m",
    "+layer_norm_z": "layernorm_z",
    "linear_v": "linear_no_bias_mv",
    "linear_gate": "linear_no_bias_mg",
    "linear_bias": "linear_no_bias_z",
    "linear_out": "linear_no_bias_out",
}
_ATOM_ENCODER: Table = {
    "reference.linear_position": "linear_no_bias_ref_pos",
    "reference.linear_charge": "linear_no_bias_ref_charge",
    "reference.linear_features": "linear_no_bias_f",
    "reference.linear_offset": "linear_no_bias_d",
    "reference.linear_distance": "linear_no_bias_invd",
    "reference.linear_valid": "linear_no_bias_v",
    "mixer.linear_query": "linear_no_bias_cl",
    "mixer.linear_key": "linear_no_bias_cm",
    "mixer.mlp.1": "small_mlp.1",
    "mixer.mlp.3": "small_mlp.3",
    "mixer.mlp.5": "small_mlp.5",
    "linear_out": "linear_no_bias_q",
}
_ATOM_ENCODER_TRUNK: Table = {
    "layer_norm_s": "layernorm_s",
    "linear_s": "linear_no_bias_s",
    "layer_norm_z": "layernorm_z",
    "linear_z": "linear_no_bias_z",
    "linear_r": "linear_no_bias_r",
}
_ATOM_DECODER: Table = {
    "linear_a": "linear_no_bias_a",
    "layer_norm_q": "layernorm_q",
    "linear_out": "linear_no_bias_out",
}
_DIFFUSION_CONDITIONING: Table = {
    "relative_position.linear": "relpe.linear_no_bias",
    "layer_norm_z": "layernorm_z",
    "linear_z": "linear_no_bias_z",
    "layer_norm_s": "layernorm_s",
    "linear_s": "linear_no_bias_s",
    "layer_norm_noise": "layernorm_n",
    "linear_noise": "linear_no_bias_n",
}
_DIFFUSION: Table = {
    "layer_norm_s": "layernorm_s",
    "linear_s": "linear_no_bias_s",
    "layer_norm_a": "layernorm_a",
}
_TEMPLATE_EMBEDDER: Table = {
    "linear_z": "linear_no_bias_z",
    "+layer_norm_z": "layernorm_z",
    "linear_features": "linear_no_bias_a",
    "+layer_norm_v": "layernorm_v",
    "linear_out": "linear_no_bias_u",
}
_CONFIDENCE: Table = {
    "+layer_norm_trunk": "input_strunk_ln",
    "linear_s1": "linear_no_bias_s1",
    "linear_s2": "linear_no_bias_s2",
    "linear_bin": "linear_no_bias_d",
    "linear_distance": "linear_no_bias_d_wo_onehot",
    "+layer_norm_pae": "pae_ln",
    "+layer_norm_pde": "pde_ln",
    "+layer_norm_plddt": "plddt_ln",
    "+layer_norm_resolved": "resolved_ln",
    "linear_pae": "linear_no_bias_pae",
    "linear_pde": "linear_no_bias_pde",
}
_OUTER: Table = {
    "relative_position.linear": "relative_position_encoding.linear_no_bias",
    "linear_s_init": "linear_no_bias_sinit",
    "linear_z_init_1": "linear_no_bias_zinit1",
    "linear_z_init_2": "linear_no_bias_zinit2",
    "linear_token_bond": "linear_no_bias_token_bond",
    "+layer_norm_z": "layernorm_z_cycle",
    "linear_z_cycle": "linear_no_bias_z_cycle",
    "+layer_norm_s": "layernorm_s",
    "linear_s_cycle": "linear_no_bias_s",
    "msa_module.linear_m": "msa_module.linear_no_bias_m",
    "msa_module.linear_s": "msa_module.linear_no_bias_s",
    "+distogram.linear": "distogram_head.linear",
}


def name_table(config: ModelConfig) -> list[Row]:
    """The rows of a network of these dimensions."""
    return [
        *rows(_OUTER),
        *under("input_embedder", "input_embedder", _input_embedder(config)),
        *_msa_module(config),
        *_template_embedder(config),
        *_pairformer("pairformer", "pairformer_stack", config.n_pairformer_blocks),
        *under("diffusion", "diffusion_module", _diffusion(config)),
        *under("confidence", "confidence_head", _confidence(config)),
    ]


def to_own(state: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Our tensors, from a Protenix state dict (with or without ``module.`` before each name).

    Raises:
        WeightsError: A tensor is missing, left over, of another shape, or a constant differs.
    """
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    state = _without_constants(state)
    table = name_table(config)
    compare_names(state, {name for row in table for name in row.theirs})
    own = {row.ours: joined(row, [state[name] for name in row.theirs]) for row in table}
    compare_shapes(own, config, table)
    return own | elements_moved(own, config, by=1)


def from_own(own: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """A Protenix state dict, from our tensors.

    Raises:
        WeightsError: A tensor is missing, left over, or of another shape.
    """
    table = name_table(config)
    compare_names(own, {row.ours for row in table})
    compare_shapes(own, config, table)
    own = {**own, **elements_moved(own, config, by=-1)}
    theirs = {
        name: tensor
        for row in table
        for name, tensor in zip(row.theirs, own[row.ours].chunk(len(row.theirs)), strict=True)
    }
    return theirs | _constants()


def _pair_stack() -> Iterator[Row]:
    yield from under("multiply_outgoing", "tri_mul_out", _TRIANGLE_MULTIPLICATION)
    yield from under("multiply_incoming", "tri_mul_in", _TRIANGLE_MULTIPLICATION)
    yield from under("attend_starting", "tri_att_start", _TRIANGLE_ATTENTION)
    yield from under("attend_ending", "tri_att_end", _TRIANGLE_ATTENTION)
    yield from under("transition", "pair_transition", _TRANSITION)


def _pairformer(ours: str, theirs: str, n_blocks: int) -> Iterator[Row]:
    for n in range(n_blocks):
        block, peer = f"{ours}.blocks.{n}", f"{theirs}.blocks.{n}"
        yield from under(f"{block}.pair_stack", peer, _pair_stack())
        yield from under(f"{block}.attention", f"{peer}.attention_pair_bias", _SINGLE_ATTENTION)
        yield from under(f"{block}.transition", f"{peer}.single_transition", _TRANSITION)


def _msa_module(config: ModelConfig) -> Iterator[Row]:
    for n in range(config.n_msa_blocks):
        block = peer = f"msa_module.blocks.{n}"
        yield from under(
            f"{block}.outer_product_mean", f"{peer}.outer_product_mean_msa", _OUTER_PRODUCT_MEAN
        )
        yield from under(f"{block}.pair_stack", f"{peer}.pair_stack", _pair_stack())
        if n + 1 < config.n_msa_blocks:
            averaging = f"{peer}.msa_stack.msa_pair_weighted_averaging"
            yield from under(f"{block}.averaging", averaging, _AVERAGING)
            yield from under(f"{block}.transition", f"{peer}.msa_stack.transition_m", _TRANSITION)


def _template_embedder(config: ModelConfig) -> Iterator[Row]:
    if not config.c_template:
        return
    yield from under("template_embedder", "template_embedder", _TEMPLATE_EMBEDDER)
    for n in range(config.n_template_blocks):
        peer = f"template_embedder.pairformer_stack.blocks.{n}"
        yield from under(f"template_embedder.blocks.{n}", peer, _pair_stack())


def _transformer(ours: str, theirs: str, n_blocks: int, *, cross: bool) -> Iterator[Row]:
    for n in range(n_blocks):
        attention, peer = f"{ours}.blocks.{n}.attention", f"{theirs}.blocks.{n}"
        transition = f"{ours}.blocks.{n}.transition"
        yield from under(attention, f"{peer}.attention_pair_bias", _CONDITIONED_ATTENTION)
        yield from under(
            f"{attention}.norm_queries",
            f"{peer}.attention_pair_bias.layernorm_a",
            _ADAPTIVE_LAYER_NORM,
        )
        if cross:
            yield from under(
                f"{attention}.norm_keys",
                f"{peer}.attention_pair_bias.layernorm_kv",
                _ADAPTIVE_LAYER_NORM,
            )
        peer = f"{peer}.conditioned_transition_block"
        yield from under(transition, peer, _CONDITIONED_TRANSITION)
        yield from under(f"{transition}.norm", f"{peer}.adaln", _ADAPTIVE_LAYER_NORM)


def _atom_transformer(n_blocks: int) -> Iterator[Row]:
    peer = "atom_transformer.diffusion_transformer"
    yield from _transformer("transformer", peer, n_blocks, cross=True)


def _input_embedder(config: ModelConfig) -> Iterator[Row]:
    peer = "atom_attention_encoder"
    yield from under("atom_encoder", peer, _ATOM_ENCODER)
    yield from under("atom_encoder", peer, _atom_transformer(config.n_input_blocks))


def _diffusion(config: ModelConfig) -> Iterator[Row]:
    yield from rows(_DIFFUSION)
    yield from under("conditioning", "diffusion_conditioning", _conditioning())
    yield from under("atom_encoder", "atom_attention_encoder", _encoder(config))
    yield from _transformer(
        "transformer", "diffusion_transformer", config.n_token_blocks, cross=False
    )
    yield from under("atom_decoder", "atom_attention_decoder", _decoder(config))


def _conditioning() -> Iterator[Row]:
    yield from rows(_DIFFUSION_CONDITIONING)
    yield Row("fourier.weight", ("fourier_embedding.w",))
    yield Row("fourier.bias", ("fourier_embedding.b",))
    for n in range(2):
        yield from under(f"transitions_z.{n}", f"transition_z{n + 1}", _TRANSITION)
        yield from under(f"transitions_s.{n}", f"transition_s{n + 1}", _TRANSITION)


def _encoder(config: ModelConfig) -> Iterator[Row]:
    yield from rows(_ATOM_ENCODER)
    yield from rows(_ATOM_ENCODER_TRUNK)
    yield from _atom_transformer(config.n_encoder_blocks)


def _decoder(config: ModelConfig) -> Iterator[Row]:
    yield from rows(_ATOM_DECODER)
    yield from _atom_transformer(config.n_decoder_blocks)


def _confidence(config: ModelConfig) -> Iterator[Row]:
    yield from rows(_CONFIDENCE)
    yield Row("plddt_weight", ("plddt_weight",))
    yield Row("resolved_weight", ("resolved_weight",))
    yield from _pairformer("pairformer", "pairformer_stack", config.n_confidence_blocks)


def _constants() -> dict[str, Tensor]:
    """What Protenix stores as tensors and we as constants: the distance bins, in Å."""
    lower = FIRST_BIN + BIN_WIDTH * torch.arange(N_DISTANCE_BINS)
    upper = torch.cat([lower[1:], torch.tensor([1e6])])
    return {"confidence_head.lower_bins": lower, "confidence_head.upper_bins": upper}


def _without_constants(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state without the constants, which must have the values that the network is built on."""
    for name, value in _constants().items():
        if name not in state:
            raise WeightsError(f"The weights lack {name}.")
        if state[name].shape != value.shape or not torch.allclose(state[name].cpu(), value):
            raise WeightsError(f"{name} has other values than the network is built on.")
    return {name: tensor for name, tensor in state.items() if name not in _constants()}
