"""Arrays in AlphaFold 3's own schema in our words, and ours in its.

The schema is that of `docs/model_parameters.md` in google-deepmind/alphafold3: Haiku names, linear
maps as [in, out], blocks of a stack along leading axes. AlphaFold 3's own weights come in it, and
IntelliFold-v2's. Names here are ``scope:name``.

The code has arrays that nothing reads: a second set of maps of atom pairs, and the last update of
the alignment. They must be there, are left out here, and are zeros on the way back.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from folding.errors import WeightsError
from folding.model.config import ModelConfig
from folding.weights.configs import ALPHAFOLD3
from folding.weights.fourier import noise_embedding
from folding.weights.names import Row, compare_names, compare_shapes, joined

CONFIGS: dict[str, ModelConfig] = ALPHAFOLD3
"""Networks whose weights come in this schema, by name."""

IDENTIFIER = "__meta__:__identifier__"
IDENTIFIER_BYTES = 64
FOURIER = {"diffusion.conditioning.fourier.weight": "fourier:weight"} | {
    "diffusion.conditioning.fourier.bias": "fourier:bias"
}
"""Our noise embedding, by the names under which it comes from a file of its own."""

SUPER_BLOCK = 4
"""Blocks of the token transformer stand in groups of four."""

Kind = Literal[
    "same", "map", "flipped", "interleaved", "outer", "slots", "column", "inputs", "trunk inputs"
]
"""How one block's array becomes a part of our tensor."""

Index = tuple[int | slice, ...]
ALL = slice(None)


class Piece(NamedTuple):
    """A part of one of our tensors, and where it is among theirs.

    Args:
        index: Of the block in the stack; of what stands in between, ``ALL``.
        heads: Axis of heads that their array has where ours is flat.
        axis: Along which parts of one of our tensors follow each other.
        swapped: The two interleaved halves change places.
    """

    ours: str
    theirs: str
    kind: Kind = "map"
    index: Index = ()
    heads: int = 0
    axis: int = 0
    swapped: bool = False


def pieces(config: ModelConfig) -> list[Piece]:
    """Every part of every tensor of a network of these dimensions, but for the noise embedding."""
    evoformer, head = "diffuser/evoformer", "diffuser/~/diffusion_head"
    conditioning = "diffuser/evoformer_conditioning"
    return [
        *_outer(evoformer),
        *_atom_encoder("input_embedder.atom_encoder", conditioning, config.n_input_blocks, config),
        *_msa_module(f"{evoformer}/__layer_stack_no_per_layer/msa_stack", config),
        *_template_embedder(f"{evoformer}/template_embedding", config),
        *_pairformer(
            "pairformer",
            f"{evoformer}/__layer_stack_no_per_layer_1/trunk_pairformer",
            config.n_pairformer_blocks,
            config,
        ),
        *_diffusion(head, config),
        *_confidence("diffuser/confidence_head", config),
    ]


def to_own(state: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Our tensors in float32, from arrays by ``scope:name``.

    Without a noise embedding (``fourier:weight`` and ``fourier:bias``) it is AlphaFold 3's.

    Raises:
        WeightsError: An array is missing, left over, of another shape, or the noise embedding of
            IntelliFold-v2 is missing.
    """
    fourier = _fourier(state, config)
    state = {name: x for name, x in state.items() if name not in FOURIER.values()}
    table = pieces(config)
    compare_names(state, {piece.theirs for piece in table} | _unread(config) | {IDENTIFIER})
    parts: dict[str, list[Tensor]] = {}
    rows: dict[str, Row] = {}
    for piece in table:
        row = rows.get(piece.ours, Row(piece.ours, (), piece.axis))
        rows[piece.ours] = row._replace(theirs=(*row.theirs, piece.theirs))
        parts.setdefault(piece.ours, []).append(_taken(state[piece.theirs], piece, config))
    own = {
        name: joined(rows[name], found, widths=_widths(name, len(found), config)).contiguous()
        for name, found in parts.items()
    }
    compare_shapes(own, config, rows.values())
    _compare_depths(state, table)
    return own | fourier


def from_own(own: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Arrays by ``scope:name`` in float32, from our tensors; the noise embedding goes with them.

    Raises:
        WeightsError: A tensor is missing, left over, or of another shape, or blocks of one
            transformer have different LayerNorms of the pairs.
    """
    table = pieces(config)
    rows = [Row(piece.ours, (piece.theirs,)) for piece in table]
    compare_names(own, {row.ours for row in rows} | FOURIER.keys())
    compare_shapes(own, config, rows)
    found: dict[str, list[tuple[Index, Tensor]]] = {}
    for ours, group in _grouped(table).items():
        for piece, part in zip(group, _cut(own[ours], group, config), strict=True):
            found.setdefault(piece.theirs, []).append((piece.index, _given(part, piece, config)))
    state = {name: _stacked(name, parts) for name, parts in found.items()}
    state |= _nothing(state, config)
    identifier = torch.zeros(IDENTIFIER_BYTES, dtype=torch.uint8)
    noise = {theirs: own[ours] for ours, theirs in FOURIER.items()}
    return {IDENTIFIER: identifier, **state, **noise}


def _taken(array: Tensor, piece: Piece, config: ModelConfig) -> Tensor:
    """Our part, from their whole array; as it is where its shape makes no sense, for the message
    that follows."""
    try:
        block = array[piece.index].float() if piece.index else array.float()
        return _TO_OWN[piece.kind](block, piece, config)
    except (IndexError, RuntimeError, TypeError):
        raise WeightsError(
            f"{piece.theirs} has shape {list(array.shape)}, which does not fit {piece.ours}."
        ) from None


def _given(part: Tensor, piece: Piece, config: ModelConfig) -> Tensor:
    """Their block's array, from our part."""
    return _FROM_OWN[piece.kind](part, piece, config)


def _halves(x: Tensor, piece: Piece) -> Tensor:
    """Two halves of the first axis, exchanged where the piece says so."""
    return x.flip(0) if piece.swapped else x


def _rolled(x: Tensor, config: ModelConfig, by: int, start: int = 0) -> Tensor:
    """Input features along the first axis: theirs end with the atoms', ours begin with them."""
    return torch.cat([x[:start], x[start:].roll(by * config.c_input, dims=0)])


Change = Callable[[Tensor, Piece, ModelConfig], Tensor]
_TO_OWN: dict[Kind, Change] = {
    "same": lambda x, p, c: x.flatten(),
    "map": lambda x, p, c: x.reshape(len(x), -1).T,
    "flipped": lambda x, p, c: x.reshape(-1, x.shape[-1]),
    "interleaved": lambda x, p, c: _halves(x.T.unflatten(0, (-1, 2)).transpose(0, 1), p).flatten(
        0, 1
    ),
    "outer": lambda x, p, c: x.reshape(-1, x.shape[-1]).T,
    "slots": lambda x, p, c: x.transpose(0, 1),
    "column": lambda x, p, c: x.unsqueeze(1),
    "inputs": lambda x, p, c: _rolled(x, c, 1).T,
    "trunk inputs": lambda x, p, c: _rolled(x, c, 1, c.c_s).t(),
}
_FROM_OWN: dict[Kind, Change] = {
    "same": lambda x, p, c: x.unflatten(0, (p.heads, -1)) if p.heads else x,
    "map": lambda x, p, c: x.T.unflatten(1, (p.heads, -1)) if p.heads else x.T,
    "flipped": lambda x, p, c: x.unflatten(0, (p.heads, -1)) if p.heads else x,
    "interleaved": lambda x, p, c: (
        _halves(x.unflatten(0, (2, -1)), p).transpose(0, 1).flatten(0, 1).T
    ),
    "outer": lambda x, p, c: x.T.unflatten(0, (c.c_outer, c.c_outer)),
    "slots": lambda x, p, c: x.transpose(0, 1),
    "column": lambda x, p, c: x.squeeze(1),
    "inputs": lambda x, p, c: _rolled(x.T, c, -1),
    "trunk inputs": lambda x, p, c: _rolled(x.t(), c, -1, c.c_s),
}


def _grouped(table: list[Piece]) -> dict[str, list[Piece]]:
    """The pieces of each of our tensors."""
    groups: dict[str, list[Piece]] = {}
    for piece in table:
        groups.setdefault(piece.ours, []).append(piece)
    return groups


def _cut(tensor: Tensor, group: list[Piece], config: ModelConfig) -> list[Tensor]:
    """The parts of one of our tensors."""
    if len(group) == 1:
        return [tensor]
    axis = group[0].axis
    widths = _widths(group[0].ours, len(group), config)
    return list(tensor.split(widths, dim=axis) if widths else tensor.chunk(len(group), dim=axis))


def _widths(ours: str, n_parts: int, config: ModelConfig) -> list[int] | None:
    """How wide each part of one of ours is; None where all are alike."""
    if n_parts > 1 and ours.endswith("reference.linear_features.weight"):
        return [1, config.n_elements, 256]
    if n_parts > 1 and ours == "template_embedder.linear_features.weight":
        return [39, 1, config.n_classes, config.n_classes, 1, 1, 1, 1]
    return None


def _stacked(name: str, parts: list[tuple[Index, Tensor]]) -> Tensor:
    """One of their arrays from those of its blocks.

    Raises:
        WeightsError: blocks give the same place different numbers.
    """
    index, first = parts[0]
    if not index:
        if any(not torch.equal(part, first) for _, part in parts):
            raise WeightsError(f"{name} is one for all blocks, which differ here.")
        return first.contiguous()
    sizes, inner = [], iter(first.shape)
    for place, where in enumerate(index):
        deepest = [part_index[place] for part_index, _ in parts]
        sizes.append(1 + max(deepest) if isinstance(where, int) else next(inner))  # type: ignore[type-var,operator]
    array = first.new_zeros(*sizes, *inner)
    for where, part in parts:
        array[where] = part
    return array


def _compare_depths(state: Mapping[str, Tensor], table: list[Piece]) -> None:
    """Passes if no stack is deeper than the network reads."""
    deepest: dict[str, list[int]] = {}
    for piece in table:
        places = [i for i in piece.index if isinstance(i, int)]
        known = deepest.setdefault(piece.theirs, places)
        deepest[piece.theirs] = [max(a, b) for a, b in zip(known, places, strict=True)]
    axes = {piece.theirs: [n for n, i in enumerate(piece.index) if i != ALL] for piece in table}
    for name, places in deepest.items():
        shape = [state[name].shape[axis] for axis in axes[name]]
        if name.split("/")[-2].startswith("msa_attention") or "/msa_transition/" in name:
            places = [place + 1 for place in places]
        if shape != [place + 1 for place in places]:
            raise WeightsError(
                f"{name} has shape {list(state[name].shape)}: its stack is {shape} deep, the "
                f"network's {[place + 1 for place in places]}."
            )


def _fourier(state: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    found = {ours: state[theirs] for ours, theirs in FOURIER.items() if theirs in state}
    if len(found) == len(FOURIER):
        for ours, tensor in found.items():
            if tensor.shape != (config.c_noise,):
                raise WeightsError(
                    f"{FOURIER[ours]} has shape {list(tensor.shape)}, not [{config.c_noise}]."
                )
        return found
    if config == CONFIGS["intellifold_v2"]:
        raise WeightsError(
            "IntelliFold-v2 has a noise embedding of its own, which is not among these arrays: "
            "put intfold_fourier.npz, which comes with the weights, beside the file."
        )
    if config.c_noise != len(noise_embedding()[0]):
        raise WeightsError(f"AlphaFold 3's noise embedding is not {config.c_noise} wide.")
    return dict(zip(FOURIER, (x.clone() for x in noise_embedding()), strict=True))


def _unread(config: ModelConfig) -> set[str]:
    """Names of arrays that AlphaFold 3's code makes and does not use."""
    names = {
        f"{place}_{name}:weights"
        for place in ("diffuser/evoformer_conditioning", "diffuser/~/diffusion_head/diffusion")
        for name in _UNREAD_MAPS
    }
    return names | (set(_ALIGNMENT_NAMES) if config.n_msa_blocks == 1 else set())


def _nothing(state: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Zeros for what nothing reads."""
    zeros = {}
    for place in ("diffuser/evoformer_conditioning", "diffuser/~/diffusion_head/diffusion"):
        for name in _UNREAD_MAPS:
            used = state[f"{place}_{name}_1:weights"]
            zeros[f"{place}_{name}:weights"] = torch.zeros_like(used)
    for name in _ALIGNMENT_NAMES:
        if name in state:
            last = torch.zeros_like(state[name][:1])
            zeros[name] = torch.cat([state[name], last])
    return zeros


_UNREAD_MAPS = (
    "single_to_pair_cond_row",
    "single_to_pair_cond_col",
    "embed_pair_offsets",
    "embed_pair_distances",
)


def _linear(ours: str, theirs: str, index: Index = (), **how: object) -> Iterator[Piece]:
    """A linear map without offset."""
    yield Piece(f"{ours}.weight", f"{theirs}:weights", index=index, **how)  # type: ignore[arg-type]


def _biased(ours: str, theirs: str, index: Index = (), *, heads: int = 0) -> Iterator[Piece]:
    """A linear map with an offset."""
    yield from _linear(ours, theirs, index, heads=heads)
    yield Piece(f"{ours}.bias", f"{theirs}:bias", "same", index, heads)


def _norm(ours: str, theirs: str, index: Index = (), *, offset: bool = True) -> Iterator[Piece]:
    """A LayerNorm."""
    yield Piece(f"{ours}.weight", f"{theirs}:scale", "same", index)
    if offset:
        yield Piece(f"{ours}.bias", f"{theirs}:offset", "same", index)


def _fused(
    ours: str, theirs: tuple[str, ...], index: Index, *, heads: int, kind: Kind = "map"
) -> Iterator[Piece]:
    """Maps that are one of ours."""
    for name in theirs:
        yield from _linear(ours, name, index, heads=heads, kind=kind)


def _transition(ours: str, theirs: str, index: Index) -> Iterator[Piece]:
    yield from _norm(f"{ours}.layer_norm", f"{theirs}/input_layer_norm", index)
    yield from _linear(f"{ours}.linear_ab", f"{theirs}/transition1", index)
    yield from _linear(f"{ours}.linear_out", f"{theirs}/transition2", index)


def _pair_stack(ours: str, theirs: str, index: Index, heads: int) -> Iterator[Piece]:
    for name in ("outgoing", "incoming"):
        module, peer = f"{ours}.multiply_{name}", f"{theirs}/triangle_multiplication_{name}"
        how = {"kind": "interleaved", "swapped": name == "incoming"}
        yield from _norm(f"{module}.layer_norm_in", f"{peer}/left_norm_input", index)
        yield from _linear(f"{module}.linear_ab", f"{peer}/projection", index, **how)
        yield from _linear(f"{module}.linear_ab_gate", f"{peer}/gate", index, **how)
        yield from _norm(f"{module}.layer_norm_out", f"{peer}/center_norm", index)
        yield from _linear(f"{module}.linear_out", f"{peer}/output_projection", index)
        yield from _linear(f"{module}.linear_gate", f"{peer}/gating_linear", index)
    for name, number in (("starting", 1), ("ending", 2)):
        module, peer = f"{ours}.attend_{name}", f"{theirs}/pair_attention{number}"
        qk = (f"{peer}/q_projection", f"{peer}/k_projection")
        yield from _norm(f"{module}.layer_norm", f"{peer}/act_norm", index)
        yield from _linear(f"{module}.linear_bias", f"{peer}/pair_bias_projection", index)
        yield from _fused(f"{module}.linear_qkv", qk, index, heads=heads, kind="flipped")
        yield from _linear(f"{module}.linear_qkv", f"{peer}/v_projection", index, heads=heads)
        yield from _linear(f"{module}.linear_gate", f"{peer}/gating_query", index, kind="flipped")
        yield from _linear(f"{module}.linear_out", f"{peer}/output_projection", index)
    yield from _transition(f"{ours}.transition", f"{theirs}/pair_transition", index)


def _pairformer(ours: str, theirs: str, n_blocks: int, config: ModelConfig) -> Iterator[Piece]:
    heads = config.n_single_heads
    for n in range(n_blocks):
        block, index = f"{ours}.blocks.{n}", (n,)
        attention, peer = f"{block}.attention", f"{theirs}/single_attention"
        yield from _pair_stack(f"{block}.pair_stack", theirs, index, config.n_pair_heads)
        yield from _norm(f"{attention}.layer_norm_a", f"{peer}_layer_norm", index)
        yield from _norm(f"{attention}.layer_norm_z", f"{theirs}/single_pair_logits_norm", index)
        yield from _linear(
            f"{attention}.linear_bias", f"{theirs}/single_pair_logits_projection", index
        )
        yield from _attention(attention, f"{peer}_", index, heads)
        yield from _transition(f"{block}.transition", f"{theirs}/single_transition", index)


def _attention(ours: str, theirs: str, index: Index, heads: int) -> Iterator[Piece]:
    """Projections, gate and output of an attention; ``theirs`` is the beginning of its names."""
    kv = (f"{theirs}k_projection", f"{theirs}v_projection")
    yield from _biased(f"{ours}.linear_q", f"{theirs}q_projection", index, heads=heads)
    yield from _fused(f"{ours}.linear_kv", kv, index, heads=heads)
    yield from _linear(f"{ours}.linear_gate", f"{theirs}gating_query", index)
    yield from _linear(f"{ours}.linear_out", f"{theirs}transition2", index)


def _adaptive_norm(ours: str, theirs: str, index: Index) -> Iterator[Piece]:
    yield from _norm(f"{ours}.layer_norm_s", f"{theirs}layer_norm", index, offset=False)
    yield from _biased(f"{ours}.linear_scale", f"{theirs}scale", index)
    yield from _linear(f"{ours}.linear_shift", f"{theirs}bias", index)


def _conditioned_block(
    ours: str, theirs: str, index: Index, *, heads: int, cross: bool
) -> Iterator[Piece]:
    """A block of a conditioned transformer; ``theirs`` is the beginning of its names."""
    attention, transition = f"{ours}.attention", f"{ours}.transition"
    norms = {"norm_queries": "q", "norm_keys": "k"} if cross else {"norm_queries": ""}
    for norm, letter in norms.items():
        yield from _adaptive_norm(f"{attention}.{norm}", f"{theirs}{letter}single_cond_", index)
    yield from _attention(attention, theirs, index, heads)
    yield from _biased(f"{attention}.linear_last", f"{theirs}adaptive_zero_cond", index)
    yield from _adaptive_norm(f"{transition}.norm", f"{theirs}ffw_single_cond_", index)
    yield from _linear(f"{transition}.linear_ab", f"{theirs}ffw_transition1", index)
    yield from _linear(f"{transition}.linear_out", f"{theirs}ffw_transition2", index)
    yield from _biased(f"{transition}.linear_last", f"{theirs}ffw_adaptive_zero_cond", index)


def _atom_transformer(ours: str, theirs: str, n_blocks: int, heads: int) -> Iterator[Piece]:
    own_name = theirs.rsplit("/", 1)[-1]
    inside = f"{theirs}/__layer_stack_with_per_layer/{own_name}"
    for n in range(n_blocks):
        block = f"{ours}.blocks.{n}"
        yield from _norm(
            f"{block}.attention.layer_norm_z", f"{theirs}/pair_input_layer_norm", offset=False
        )
        yield from _linear(
            f"{block}.attention.linear_bias", f"{theirs}/pair_logits_projection", (ALL, n)
        )
        yield from _conditioned_block(block, inside, (n,), heads=heads, cross=True)


def _token_transformer(ours: str, theirs: str, config: ModelConfig) -> Iterator[Piece]:
    stack = f"{theirs}/__layer_stack_with_per_layer"
    inside = f"{stack}/__layer_stack_with_per_layer/transformer"
    for n in range(config.n_token_blocks):
        block, (group, place) = f"{ours}.blocks.{n}", divmod(n, SUPER_BLOCK)
        yield from _norm(
            f"{block}.attention.layer_norm_z", f"{theirs}/pair_input_layer_norm", offset=False
        )
        yield from _linear(
            f"{block}.attention.linear_bias",
            f"{stack}/pair_logits_projection",
            (group, ALL, place),
        )
        yield from _conditioned_block(
            block, inside, (group, place), heads=config.n_token_heads, cross=False
        )


def _outer(theirs: str) -> Iterator[Piece]:
    for ours, name in {
        "linear_s_init": "single_activations",
        "linear_z_init_1": "left_single",
        "linear_z_init_2": "right_single",
        "msa_module.linear_s": "extra_msa_target_feat",
    }.items():
        yield from _linear(ours, f"{theirs}/{name}", kind="inputs")
    for ours, name in {
        "relative_position.linear": "~_relative_encoding/position_activations",
        "linear_token_bond": "bond_embedding",
        "linear_z_cycle": "prev_embedding",
        "linear_s_cycle": "prev_single_embedding",
        "msa_module.linear_m": "msa_activations",
    }.items():
        yield from _linear(ours, f"{theirs}/{name}")
    yield from _norm("layer_norm_z", f"{theirs}/prev_embedding_layer_norm")
    yield from _norm("layer_norm_s", f"{theirs}/prev_single_embedding_layer_norm")
    yield from _linear("distogram.linear", "diffuser/distogram_head/half_logits")


_ATOM_MAPS = {
    "reference.linear_position": "embed_ref_pos",
    "reference.linear_charge": "embed_ref_charge",
    "reference.linear_offset": "embed_pair_offsets_1",
    "reference.linear_distance": "embed_pair_distances_1",
    "reference.linear_valid": "embed_pair_offsets_valid",
    "mixer.linear_query": "single_to_pair_cond_row_1",
    "mixer.linear_key": "single_to_pair_cond_col_1",
    "mixer.mlp.1": "pair_mlp_1",
    "mixer.mlp.3": "pair_mlp_2",
    "mixer.mlp.5": "pair_mlp_3",
    "linear_out": "project_atom_features_for_aggr",
}


def _atom_encoder(ours: str, theirs: str, n_blocks: int, config: ModelConfig) -> Iterator[Piece]:
    """An encoder; ``theirs`` is the beginning of its names."""
    for module, name in _ATOM_MAPS.items():
        yield from _linear(f"{ours}.{module}", f"{theirs}_{name}")
    for name in ("mask", "element", "atom_name"):
        yield from _linear(
            f"{ours}.reference.linear_features", f"{theirs}_embed_ref_{name}", axis=1
        )
    yield from _atom_transformer(
        f"{ours}.transformer", f"{theirs}_atom_transformer_encoder", n_blocks, config.n_atom_heads
    )


def _msa_module(theirs: str, config: ModelConfig) -> Iterator[Piece]:
    for n in range(config.n_msa_blocks):
        block, index = f"msa_module.blocks.{n}", (n,)
        outer, peer = f"{block}.outer_product_mean", f"{theirs}/outer_product_mean"
        yield from _norm(f"{outer}.layer_norm", f"{peer}/layer_norm_input", index)
        for side in ("left", "right"):
            yield from _linear(f"{outer}.linear_ab", f"{peer}/{side}_projection", index)
        yield Piece(f"{outer}.linear_out.weight", f"{peer}:output_w", "outer", index)
        yield Piece(f"{outer}.linear_out.bias", f"{peer}:output_b", "same", index)
        yield from _pair_stack(f"{block}.pair_stack", theirs, index, config.n_pair_heads)
        if n + 1 < config.n_msa_blocks:
            yield from _alignment(block, theirs, index, config.n_msa_heads)


def _alignment(ours: str, theirs: str, index: Index, heads: int) -> Iterator[Piece]:
    """The update of the alignment."""
    averaging, peer = f"{ours}.averaging", f"{theirs}/msa_attention1"
    yield from _norm(f"{averaging}.layer_norm_m", f"{peer}/act_norm", index)
    yield from _norm(f"{averaging}.layer_norm_z", f"{peer}/pair_norm", index)
    yield from _linear(f"{averaging}.linear_bias", f"{peer}/pair_logits", index)
    yield from _linear(f"{averaging}.linear_v", f"{peer}/v_projection", index, heads=heads)
    yield from _linear(f"{averaging}.linear_gate", f"{peer}/gating_query", index)
    yield from _linear(f"{averaging}.linear_out", f"{peer}/output_projection", index)
    yield from _transition(f"{ours}.transition", f"{theirs}/msa_transition", index)


_ALIGNMENT_NAMES = tuple(
    piece.theirs
    for piece in _alignment("", "diffuser/evoformer/__layer_stack_no_per_layer/msa_stack", (), 1)
)


def _template_embedder(theirs: str, config: ModelConfig) -> Iterator[Piece]:
    ours, single = "template_embedder", f"{theirs}/single_template_embedding"
    yield from _norm(f"{ours}.layer_norm_z", f"{single}/query_embedding_norm")
    yield from _linear(f"{ours}.linear_z", f"{single}/template_pair_embedding_8")
    for place in range(8):
        kind: Kind = "map" if place in (0, 2, 3) else "column"
        name = f"{single}/template_pair_embedding_{place}"
        yield from _linear(f"{ours}.linear_features", name, kind=kind, axis=1)
    stack = f"{single}/__layer_stack_no_per_layer/template_embedding_iteration"
    for n in range(config.n_template_blocks):
        yield from _pair_stack(f"{ours}.blocks.{n}", stack, (n,), config.n_template_heads)
    yield from _norm(f"{ours}.layer_norm_v", f"{single}/output_layer_norm")
    yield from _linear(f"{ours}.linear_out", f"{theirs}/output_linear")


def _diffusion(theirs: str, config: ModelConfig) -> Iterator[Piece]:
    conditioning, encoder = "diffusion.conditioning", "diffusion.atom_encoder"
    decoder, atoms = "diffusion.atom_decoder", f"{theirs}/diffusion"
    yield from _conditioning(conditioning, theirs)
    yield from _atom_encoder(encoder, atoms, config.n_encoder_blocks, config)
    for ours, name in {
        f"{encoder}.layer_norm_s": f"{atoms}_lnorm_trunk_single_cond",
        f"{encoder}.layer_norm_z": f"{atoms}_lnorm_trunk_pair_cond",
        f"{decoder}.layer_norm_q": f"{atoms}_atom_features_layer_norm",
        "diffusion.layer_norm_s": f"{theirs}/single_cond_embedding_norm",
        "diffusion.layer_norm_a": f"{theirs}/output_norm",
    }.items():
        yield from _norm(ours, name, offset=False)
    for ours, name in {
        f"{encoder}.linear_s": f"{atoms}_embed_trunk_single_cond",
        f"{encoder}.linear_z": f"{atoms}_embed_trunk_pair_cond",
        f"{encoder}.linear_r": f"{atoms}_atom_positions_to_features",
        f"{decoder}.linear_a": f"{atoms}_project_token_features_for_broadcast",
        f"{decoder}.linear_out": f"{atoms}_atom_features_to_position_update",
        "diffusion.linear_s": f"{theirs}/single_cond_embedding_projection",
    }.items():
        yield from _linear(ours, name)
    yield from _token_transformer("diffusion.transformer", f"{theirs}/transformer", config)
    yield from _atom_transformer(
        f"{decoder}.transformer",
        f"{atoms}_atom_transformer_decoder",
        config.n_decoder_blocks,
        config.n_atom_heads,
    )


def _conditioning(ours: str, theirs: str) -> Iterator[Piece]:
    yield from _norm(f"{ours}.layer_norm_z", f"{theirs}/pair_cond_initial_norm", offset=False)
    yield from _linear(f"{ours}.linear_z", f"{theirs}/pair_cond_initial_projection")
    single = f"{theirs}/single_cond_initial"
    yield Piece(f"{ours}.layer_norm_s.weight", f"{single}_norm:scale", "trunk inputs")
    yield from _linear(f"{ours}.linear_s", f"{single}_projection", kind="trunk inputs")
    noise = f"{theirs}/noise_embedding_initial"
    yield from _norm(f"{ours}.layer_norm_noise", f"{noise}_norm", offset=False)
    yield from _linear(f"{ours}.linear_noise", f"{noise}_projection")
    for n in range(2):
        for letter, name in (("z", "pair"), ("s", "single")):
            module, peer = f"{ours}.transitions_{letter}.{n}", f"{theirs}/{name}_transition_{n}ffw"
            yield from _norm(f"{module}.layer_norm", f"{peer}_layer_norm")
            yield from _linear(f"{module}.linear_ab", f"{peer}_transition1")
            yield from _linear(f"{module}.linear_out", f"{peer}_transition2")


def _confidence(theirs: str, config: ModelConfig) -> Iterator[Piece]:
    ours, features = "confidence", f"{theirs}/~_embed_features"
    for name, side in (("s1", "left"), ("s2", "right")):
        peer = f"{features}/{side}_target_feat_project"
        yield from _linear(f"{ours}.linear_{name}", peer, kind="inputs")
    yield from _linear(f"{ours}.linear_bin", f"{features}/distogram_feat_project")
    for name, peer in {
        "pae": "pae_logits_ln",
        "pde": "logits_ln",
        "plddt": "plddt_logits_ln",
        "resolved": "experimentally_resolved_ln",
    }.items():
        yield from _norm(f"{ours}.layer_norm_{name}", f"{theirs}/{peer}")
    yield from _linear(f"{ours}.linear_pae", f"{theirs}/pae_logits")
    yield from _linear(f"{ours}.linear_pde", f"{theirs}/left_half_distance_logits")
    yield Piece(f"{ours}.plddt_weight", f"{theirs}/plddt_logits:weights", "slots")
    resolved = f"{theirs}/experimentally_resolved_logits:weights"
    yield Piece(f"{ours}.resolved_weight", resolved, "slots")
    stack = f"{theirs}/__layer_stack_no_per_layer/confidence_pairformer"
    yield from _pairformer(f"{ours}.pairformer", stack, config.n_confidence_blocks, config)
