"""The weights of OpenFold3 0.5 in our words, and ours in theirs.

One LayerNorm of the pairs serves all blocks of a transformer there; here each block has a copy.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from folding.errors import WeightsError
from folding.model.config import ModelConfig
from folding.weights.configs import OPENFOLD3
from folding.weights.names import (
    Row,
    Table,
    compare_names,
    compare_shapes,
    elements_moved,
    joined,
    rows,
    shapes,
    under,
)

CONFIGS: dict[str, ModelConfig] = OPENFOLD3
"""What the published checkpoints are made of, by name."""

VERSION = (2.0, 0.0, 0.0)
"""What ``version_tensor`` holds in checkpoints of this architecture."""

DUPLICATE = "sample_diffusion."
"""What stands before the second copy of the diffusion module's names."""

_TRANSITION: Table = {
    "+layer_norm": "layer_norm",
    "linear_ab": ("swiglu.linear_a", "swiglu.linear_b"),
    "linear_out": "linear_out",
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
    "linear_bias": "linear_z",
    "linear_qkv": ("mha.linear_q", "mha.linear_k", "mha.linear_v"),
    "linear_gate": "mha.linear_g",
    "linear_out": "mha.linear_o",
}
_ATTENTION: Table = {
    "linear_bias": "linear_z",
    "+linear_q": "mha.linear_q",
    "linear_kv": ("mha.linear_k", "mha.linear_v"),
    "linear_gate": "mha.linear_g",
    "linear_out": "mha.linear_o",
}
_SINGLE_ATTENTION: Table = {
    "+layer_norm_a": "layer_norm_a",
    "+layer_norm_z": "layer_norm_z",
    **_ATTENTION,
}
_ADAPTIVE_LAYER_NORM: Table = {
    "layer_norm_s": "layer_norm_s",
    "+linear_scale": "linear_g",
    "linear_shift": "linear_s",
}
_CONDITIONED_ATTENTION: Table = {**_ATTENTION, "+linear_last": "linear_ada_out"}
_CONDITIONED_TRANSITION: Table = {
    "linear_ab": ("swiglu.linear_a", "swiglu.linear_b"),
    "linear_out": "linear_out",
    "+linear_last": "linear_g",
}
_OUTER_PRODUCT_MEAN: Table = {
    "+layer_norm": "layer_norm",
    "linear_ab": ("linear_1", "linear_2"),
    "+linear_out": "linear_out",
}
_AVERAGING: Table = {
    "+layer_norm_m": "layer_norm_m",
    "+layer_norm_z": "layer_norm_z",
    "linear_v": "linear_v",
    "linear_gate": "linear_g",
    "linear_bias": "linear_z",
    "linear_out": "linear_o",
}
_REFERENCE: Table = {
    "linear_position": "linear_ref_pos",
    "linear_charge": "linear_ref_charge",
    "linear_offset": "linear_ref_offset",
    "linear_distance": "linear_inv_sq_dists",
    "linear_valid": "linear_valid_mask",
}
_REFERENCE_FEATURES = ("linear_ref_mask", "linear_ref_element", "linear_ref_atom_chars")
_ATOM_ENCODER: Table = {
    "mixer.linear_query": "linear_l",
    "mixer.linear_key": "linear_m",
    "mixer.mlp.1": "pair_mlp.1",
    "mixer.mlp.3": "pair_mlp.3",
    "mixer.mlp.5": "pair_mlp.5",
    "linear_out": "linear_q.0",
}
_ATOM_ENCODER_TRUNK: Table = {
    "layer_norm_s": "noisy_position_embedder.layer_norm_s",
    "linear_s": "noisy_position_embedder.linear_s",
    "layer_norm_z": "noisy_position_embedder.layer_norm_z",
    "linear_z": "noisy_position_embedder.linear_z",
    "linear_r": "noisy_position_embedder.linear_r",
}
_ATOM_DECODER: Table = {
    "linear_a": "linear_q_in",
    "layer_norm_q": "layer_norm",
    "linear_out": "linear_q_out",
}
_DIFFUSION_CONDITIONING: Table = {
    "layer_norm_z": "layer_norm_z",
    "linear_z": "linear_z",
    "layer_norm_s": "layer_norm_s",
    "linear_s": "linear_s",
    "layer_norm_noise": "layer_norm_n",
    "linear_noise": "linear_n",
}
_DIFFUSION: Table = {
    "layer_norm_s": "layer_norm_s",
    "linear_s": "linear_s",
    "layer_norm_a": "layer_norm_a",
}
_TEMPLATE_EMBEDDER: Table = {
    "linear_z": "template_pair_embedder.linear_z",
    "+layer_norm_z": "template_pair_embedder.layer_norm_z",
    "+layer_norm_v": "template_pair_stack.layer_norm",
    "linear_out": "linear_t",
}
_TEMPLATE_FEATURES = (
    "dgram_linear",
    "pseudo_beta_mask_linear",
    "aatype_linear_2",
    "aatype_linear_1",
    "x_linear",
    "y_linear",
    "z_linear",
    "backbone_mask_linear",
)
_CONFIDENCE: Table = {
    "linear_s1": "pairformer_embedding.linear_j",
    "linear_s2": "pairformer_embedding.linear_i",
    "linear_bin": "pairformer_embedding.linear_distance",
    "+layer_norm_pae": "pae.layer_norm",
    "+layer_norm_pde": "pde.layer_norm",
    "+layer_norm_plddt": "plddt.layer_norm",
    "+layer_norm_resolved": "experimentally_resolved.layer_norm",
    "linear_pae": "pae.linear",
    "linear_pde": "pde.linear",
}
_OUTER: Table = {
    "relative_position.linear": "input_embedder.linear_relpos",
    "linear_s_init": "input_embedder.linear_s",
    "linear_z_init_1": "input_embedder.linear_z_i",
    "linear_z_init_2": "input_embedder.linear_z_j",
    "linear_token_bond": "input_embedder.linear_token_bonds",
    "+layer_norm_z": "layer_norm_z",
    "linear_z_cycle": "linear_z",
    "+layer_norm_s": "layer_norm_s",
    "linear_s_cycle": "linear_s",
    "msa_module.linear_m": "msa_module_embedder.linear_m",
    "msa_module.linear_s": "msa_module_embedder.linear_s_input",
    "distogram.linear": "aux_heads.distogram.linear",
}


def name_table(config: ModelConfig) -> list[Row]:
    """The rows of a network of these dimensions."""
    encoder = "diffusion_module.atom_attn_enc"
    return [
        *rows(_OUTER),
        *under(
            "input_embedder.atom_encoder",
            "input_embedder.atom_attn_enc",
            _atom_encoder(config.n_input_blocks),
        ),
        *_msa_module(config),
        *_template_embedder(config),
        *_pairformer("pairformer", "pairformer_stack", config.n_pairformer_blocks),
        *under("diffusion", "diffusion_module", _DIFFUSION),
        *under("diffusion.conditioning", "diffusion_module.diffusion_conditioning", _conditions()),
        *under("diffusion.atom_encoder", encoder, _atom_encoder(config.n_encoder_blocks)),
        *under("diffusion.atom_encoder", encoder, _ATOM_ENCODER_TRUNK),
        *_transformer(
            "diffusion.transformer",
            "diffusion_module.diffusion_transformer",
            config.n_token_blocks,
            cross=False,
        ),
        *under("diffusion.atom_decoder", "diffusion_module.atom_attn_dec", _decoder(config)),
        *under("confidence", "aux_heads", _confidence(config)),
    ]


def to_own(state: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Our tensors, from an OpenFold3 state dict (with or without ``model.`` before each name).

    Raises:
        WeightsError: A tensor is missing, left over, of another shape, or of another version.
    """
    state = {name.removeprefix("model."): tensor for name, tensor in state.items()}
    state = _without_duplicates(_without_version(state))
    table = name_table(config)
    compare_names(state, {name for row in table for name in row.theirs})
    own = {
        row.ours: joined(row, [state[name] for name in row.theirs], widths=_widths(row, config))
        for row in table
    }
    own |= {name: _slots_first(own[name], config) for name in _PER_SLOT}
    compare_shapes(own, config, table)
    return own | elements_moved(own, config, by=1)


def from_own(own: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """An OpenFold3 state dict, from our tensors.

    Raises:
        WeightsError: A tensor is missing, left over, or of another shape, or blocks of one
            transformer have different LayerNorms of the pairs.
    """
    table = name_table(config)
    compare_names(own, {row.ours for row in table})
    compare_shapes(own, config, table)
    own = {**own, **elements_moved(own, config, by=-1)}
    own |= {name: own[name].transpose(1, 2).flatten(0, 1) for name in _PER_SLOT}
    state: dict[str, Tensor] = {}
    for row in table:
        sizes = _widths(row, config)
        parts = own[row.ours].split(sizes, dim=row.axis) if sizes else [own[row.ours]]
        for name, part in zip(row.theirs, parts, strict=True):
            if not torch.equal(state.setdefault(name, part), part):
                raise WeightsError(f"{row.ours} differs from other blocks; {name} is one for all.")
    copies = {
        DUPLICATE + name: x for name, x in state.items() if name.startswith("diffusion_module.")
    }
    return {"version_tensor": torch.tensor(VERSION), **state, **copies}


_PER_SLOT = ("confidence.plddt_weight", "confidence.resolved_weight")


def _slots_first(weight: Tensor, config: ModelConfig) -> Tensor:
    """[slot bin, c_s] as [slot, c_s, bin]."""
    if weight.dim() != 2 or len(weight) % config.n_atom_slots:
        return weight
    return weight.unflatten(0, (config.n_atom_slots, -1)).transpose(1, 2).contiguous()


def _widths(row: Row, config: ModelConfig) -> list[int]:
    """How wide each of their parts of one of ours is; empty for a lone one."""
    if len(row.theirs) == 1:
        return []
    if row.theirs[0].endswith("linear_ref_mask.weight"):
        return [1, config.n_elements, 256]
    if row.theirs[0].endswith("dgram_linear.weight"):
        return [39, 1, config.n_classes, config.n_classes, 1, 1, 1, 1]
    return [shapes(config)[row.ours][row.axis] // len(row.theirs)] * len(row.theirs)


def _pair_stack() -> Iterator[Row]:
    yield from under("multiply_outgoing", "tri_mul_out", _TRIANGLE_MULTIPLICATION)
    yield from under("multiply_incoming", "tri_mul_in", _TRIANGLE_MULTIPLICATION)
    yield from under("attend_starting", "tri_att_start", _TRIANGLE_ATTENTION)
    yield from under("attend_ending", "tri_att_end", _TRIANGLE_ATTENTION)
    yield from under("transition", "pair_transition", _TRANSITION)


def _pairformer(ours: str, theirs: str, n_blocks: int) -> Iterator[Row]:
    for n in range(n_blocks):
        block, peer = f"{ours}.blocks.{n}", f"{theirs}.blocks.{n}"
        yield from under(f"{block}.pair_stack", f"{peer}.pair_stack", _pair_stack())
        yield from under(f"{block}.attention", f"{peer}.attn_pair_bias", _SINGLE_ATTENTION)
        yield from under(f"{block}.transition", f"{peer}.single_transition", _TRANSITION)


def _msa_module(config: ModelConfig) -> Iterator[Row]:
    for n in range(config.n_msa_blocks):
        block = f"msa_module.blocks.{n}"
        outer = f"{block}.outer_product_mean"
        yield from under(outer, outer, _OUTER_PRODUCT_MEAN)
        yield from under(f"{block}.pair_stack", f"{block}.pair_stack", _pair_stack())
        if n + 1 < config.n_msa_blocks:
            yield from under(f"{block}.averaging", f"{block}.msa_att_row", _AVERAGING)
            yield from under(f"{block}.transition", f"{block}.msa_transition", _TRANSITION)


def _template_embedder(config: ModelConfig) -> Iterator[Row]:
    ours = "template_embedder"
    yield from under(ours, ours, _TEMPLATE_EMBEDDER)
    features = Row("linear_features.weight", tuple(f"{x}.weight" for x in _TEMPLATE_FEATURES), 1)
    yield from under(ours, f"{ours}.template_pair_embedder", [features])
    for n in range(config.n_template_blocks):
        peer = f"{ours}.template_pair_stack.blocks.{n}"
        yield from under(f"{ours}.blocks.{n}", peer, _pair_stack())


def _transformer(ours: str, theirs: str, n_blocks: int, *, cross: bool) -> Iterator[Row]:
    norms = {"norm_queries": "layer_norm_a"}
    if cross:
        norms = {"norm_queries": "layer_norm_a_q", "norm_keys": "layer_norm_a_k"}
    for n in range(n_blocks):
        block, peer = f"{ours}.blocks.{n}", f"{theirs}.blocks.{n}"
        attention = f"{peer}.attention_pair_bias"
        yield Row(f"{block}.attention.layer_norm_z.weight", (f"{theirs}.layer_norm_z.weight",))
        yield from under(f"{block}.attention", attention, _CONDITIONED_ATTENTION)
        for norm, their_norm in norms.items():
            yield from under(
                f"{block}.attention.{norm}", f"{attention}.{their_norm}", _ADAPTIVE_LAYER_NORM
            )
        transition = f"{peer}.conditioned_transition"
        yield from under(f"{block}.transition", transition, _CONDITIONED_TRANSITION)
        yield from under(
            f"{block}.transition.norm", f"{transition}.layer_norm", _ADAPTIVE_LAYER_NORM
        )


def _atom_encoder(n_blocks: int) -> Iterator[Row]:
    yield from rows(_ATOM_ENCODER)
    yield from under("reference", "ref_atom_feature_embedder", _REFERENCE)
    features = Row("linear_features.weight", tuple(f"{x}.weight" for x in _REFERENCE_FEATURES), 1)
    yield from under("reference", "ref_atom_feature_embedder", [features])
    yield from _transformer("transformer", "atom_transformer", n_blocks, cross=True)


def _decoder(config: ModelConfig) -> Iterator[Row]:
    yield from rows(_ATOM_DECODER)
    yield from _transformer("transformer", "atom_transformer", config.n_decoder_blocks, cross=True)


def _conditions() -> Iterator[Row]:
    yield from rows(_DIFFUSION_CONDITIONING)
    yield Row("fourier.weight", ("fourier_emb.w",))
    yield Row("fourier.bias", ("fourier_emb.b",))
    for n in range(2):
        yield from under(f"transitions_z.{n}", f"transition_z.{n}", _TRANSITION)
        yield from under(f"transitions_s.{n}", f"transition_s.{n}", _TRANSITION)


def _confidence(config: ModelConfig) -> Iterator[Row]:
    yield from rows(_CONFIDENCE)
    yield Row("plddt_weight", ("plddt.linear.weight",))
    yield Row("resolved_weight", ("experimentally_resolved.linear.weight",))
    yield from _pairformer(
        "pairformer", "pairformer_embedding.pairformer_stack", config.n_confidence_blocks
    )


def _without_version(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state without its version, which must be the one that the table is for."""
    version = state.get("version_tensor")
    if version is None:
        raise WeightsError("The weights lack version_tensor.")
    if tuple(version.flatten().tolist()) != VERSION:
        raise WeightsError(
            f"These weights are of architecture {version.tolist()}; "
            f"Foldstream reads that of OpenFold3 0.5, {list(VERSION)}."
        )
    return {name: tensor for name, tensor in state.items() if name != "version_tensor"}


def _without_duplicates(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state without the second copy of the diffusion module, which must equal the first.

    Files that keep shared tensors once (safetensors) have none.
    """
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(DUPLICATE)}
    copies = state.keys() - kept.keys()
    for name in sorted(copies):
        first = kept.get(name.removeprefix(DUPLICATE))
        if first is None or not torch.equal(first, state[name]):
            raise WeightsError(f"{name} differs from the tensor that it should repeat.")
    if copies:
        diffusion = [name for name in kept if name.startswith("diffusion_module.")]
        compare_names(dict.fromkeys(copies), {DUPLICATE + name for name in diffusion})
    return kept
