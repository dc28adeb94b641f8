"""From atoms to tokens and back (AF3 SI algorithms 5 and 6)."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from folding.data.features import Features
from folding.model.attention import (
    ConditionedBlock,
    ConditionedTransformer,
    Conditioning,
    KeyPlaces,
    LocalAttention,
    key_window_bias,
    key_windows,
    places_inside,
    query_windows,
)
from folding.model.config import ModelConfig
from folding.model.primitives import Linear, PreciseLinear

N_NAME_CLASSES = 64


class AtomContext(NamedTuple):
    """What the atoms of a job bring to every step: computed once, whatever the noise."""

    c: Tensor
    """Atom conditioning [*batch, 1, atom, c_atom] (the 1 broadcasts over samples)."""
    encoder: list[Conditioning]
    encoder_biases: list[Tensor]
    decoder: list[Conditioning]
    decoder_biases: list[Tensor]


class ReferenceEmbedder(nn.Module):
    """Atoms and atom pairs embedded from their reference conformers (algorithm 5 lines 1-6).

    One-hot features meet the weights as look-ups. Departures, as in Protenix: arcsinh of the
    charge, and the validity embedding is not multiplied by the validity.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.window = (config.n_queries, config.n_keys)
        self.n_elements = config.n_elements
        self.n_slots = config.n_atom_slots if config.variant.key_space_by_slot else None
        self.linear_position = PreciseLinear(3, config.c_atom)
        self.linear_charge = Linear(1, config.c_atom)
        self.linear_features = Linear(1 + config.n_elements + 4 * N_NAME_CLASSES, config.c_atom)
        self.linear_offset = PreciseLinear(3, config.c_atompair)
        self.linear_distance = PreciseLinear(1, config.c_atompair)
        self.linear_valid = Linear(1, config.c_atompair)

    def atoms(self, features: Features) -> Float[Tensor, "*batch atom c_atom"]:
        """The conditioning ``c_l`` of each atom (line 1)."""
        table = self.linear_features.weight.t()
        slots = torch.arange(4, device=table.device) * N_NAME_CLASSES + 1 + self.n_elements
        names = functional.embedding(features.ref_atom_name_chars + slots, table).sum(-2)
        element = functional.embedding(features.ref_element + 1, table)
        charge = torch.arcsinh(features.ref_charge).unsqueeze(-1)
        c = self.linear_position(features.ref_pos) + self.linear_charge(charge)
        c = c + table[0] + element + names
        return c * features.atom_mask.unsqueeze(-1)

    def pairs(
        self, features: Features, places: KeyPlaces | None = None
    ) -> Float[Tensor, "*batch windows n_queries n_keys c_pair"]:
        """The pair conditioning ``p_lm`` inside windows (lines 2-6)."""
        position, uid = features.ref_pos, (features.ref_space_uid + 1) * features.atom_mask
        key_uid = uid if self.n_slots is None else space_by_slot(uid, features, self.n_slots)
        offset = query_windows(position, self.window).unsqueeze(-2) - key_windows(
            position, self.window, places
        ).unsqueeze(-3)
        uid_query = query_windows(uid.unsqueeze(-1).float(), self.window)
        uid_key = key_windows(key_uid.unsqueeze(-1).float(), self.window, places)
        same = uid_query == uid_key.transpose(-1, -2)
        valid = (same & (uid_query > 0)).to(offset.dtype).unsqueeze(-1)
        inverse = 1 / (1 + offset.square().sum(-1, keepdim=True))
        p = (self.linear_offset(offset) + self.linear_distance(inverse)) * valid
        return p + self.linear_valid(valid)


class PairMixer(nn.Module):
    """Single conditioning added to the pairs, then a small MLP (algorithm 5 lines 13-14)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.window = (config.n_queries, config.n_keys)
        c = config.c_atompair
        self.linear_query = Linear(config.c_atom, c)
        self.linear_key = Linear(config.c_atom, c)
        self.mlp = nn.Sequential(
            nn.ReLU(),
            Linear(c, c, init="relu"),
            nn.ReLU(),
            Linear(c, c, init="relu"),
            nn.ReLU(),
            Linear(c, c, init="zeros"),
        )

    def forward(
        self,
        p: Float[Tensor, "*batch windows n_queries n_keys c_pair"],
        c: Float[Tensor, "*batch atom c_atom"],
        places: KeyPlaces | None = None,
    ) -> Float[Tensor, "*batch windows n_queries n_keys c_pair"]:
        relu = functional.relu(c)
        p = p + query_windows(self.linear_query(relu), self.window).unsqueeze(-2)
        p = p + key_windows(self.linear_key(relu), self.window, places).unsqueeze(-3)
        return p + self.mlp(p)


def key_places(mask: Bool[Tensor, "*batch atom"], config: ModelConfig) -> KeyPlaces | None:
    """Where the keys of every window are; None where they are centred on the queries."""
    if not config.variant.windows_inside:
        return None
    return places_inside(mask, (config.n_queries, config.n_keys))


def space_by_slot(
    uid: Int[Tensor, "*batch atom"], features: Features, n_slots: int
) -> Int[Tensor, "*batch atom"]:
    """The reference space that AF3's code finds for each key.

    It reads a table of ``n_slots`` atoms per token at the key's place in the list of atoms.
    """
    tokens = uid.new_zeros(features.restype.shape)
    tokens = tokens.scatter_reduce(-1, features.atom_to_token, uid, "amax")
    places = torch.arange(uid.shape[-1], device=uid.device) // n_slots
    return tokens.index_select(-1, places.clamp(max=tokens.shape[-1] - 1))


def atom_transformer(config: ModelConfig, n_blocks: int) -> ConditionedTransformer:
    """A stack of local attention blocks over atoms (algorithm 7)."""
    widths = (config.c_atom, config.c_atom, config.c_atompair)
    window = (config.n_queries, config.n_keys)
    return ConditionedTransformer(
        [
            ConditionedBlock(
                LocalAttention(
                    widths,
                    config.n_atom_heads,
                    window,
                    separate=config.variant.separate_key_norm,
                ),
                config.c_atom,
                config.c_atom,
            )
            for _ in range(n_blocks)
        ]
    )


class InputAtomEncoder(nn.Module):
    """Per-token embedding of the reference conformers alone (algorithm 5 without coordinates)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.window = (config.n_queries, config.n_keys)
        self.reference = ReferenceEmbedder(config)
        self.mixer = PairMixer(config)
        self.transformer = atom_transformer(config, config.n_input_blocks)
        self.linear_out = Linear(config.c_atom, config.c_input)

    def forward(self, features: Features) -> Float[Tensor, "*batch token c_input"]:
        c, places = self.reference.atoms(features), key_places(features.atom_mask, self.config)
        p = self.mixer(self.reference.pairs(features, places), c, places)
        mask = key_window_bias(features.atom_mask, self.window, places)
        biases = self.transformer.pair_biases(p, mask)
        q = self.transformer(c, self.transformer.condition(c, places), biases)
        return tokens_from_atoms(functional.relu(self.linear_out(q)), features)


class AtomEncoder(nn.Module):
    """Per-token activations from noisy coordinates (algorithm 5 with coordinates).

    Departure, as in AF3's code: ``q_l`` starts from ``c_l`` with the trunk's single inside.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.window = (config.n_queries, config.n_keys)
        self.reference = ReferenceEmbedder(config)
        self.layer_norm_s = nn.LayerNorm(config.c_s, bias=False)
        self.linear_s = Linear(config.c_s, config.c_atom, init="zeros")
        self.layer_norm_z = nn.LayerNorm(config.c_z, bias=False)
        self.linear_z = Linear(config.c_z, config.c_atompair, init="zeros")
        self.linear_r = PreciseLinear(3, config.c_atom)
        self.mixer = PairMixer(config)
        self.transformer = atom_transformer(config, config.n_encoder_blocks)
        self.linear_out = Linear(config.c_atom, config.c_token)

    def context(
        self,
        features: Features,
        s_trunk: Float[Tensor, "*batch token c_s"],
        z: Float[Tensor, "*batch token token c_z"],
        places: KeyPlaces | None = None,
    ) -> tuple[Float[Tensor, "*batch atom c_atom"], Tensor]:
        """Atom conditioning and pair conditioning with the trunk inside (lines 8-10, 13-14)."""
        c = self.reference.atoms(features)
        s = self.linear_s(self.layer_norm_s(s_trunk))
        c = c + atoms_from_tokens(s, features.atom_to_token)
        p = self.reference.pairs(features, places)
        z = self.linear_z(self.layer_norm_z(z))
        p = p + self.token_pairs(features.atom_to_token, z, places)
        return c, self.mixer(p, c, places)

    def token_pairs(
        self,
        atom_to_token: Int[Tensor, "*batch atom"],
        z: Float[Tensor, "*batch i j c"],
        places: KeyPlaces | None = None,
    ) -> Float[Tensor, "*batch windows n_queries n_keys c"]:
        """The pair representation of the tokens that the atoms of each window belong to."""
        token = atom_to_token.unsqueeze(-1).float()
        query = query_windows(token, self.window).long()
        key = key_windows(token, self.window, places).long().transpose(-1, -2)
        index = query * z.shape[-2] + key
        flat = z.flatten(-3, -2)
        rows = index.flatten(-3).unsqueeze(-1).expand(*index.shape[:-3], -1, z.shape[-1])
        return torch.gather(flat, -2, rows).unflatten(-2, index.shape[-3:])

    def forward(
        self,
        r: Float[Tensor, "*batch sample atom 3"],
        features: Features,
        context: AtomContext,
    ) -> tuple[Float[Tensor, "*batch sample token c_token"], Tensor]:
        """Token activations, and atom activations for the decoder's skip connection."""
        q = context.c + self.linear_r(r)
        q = self.transformer(q, context.encoder, context.encoder_biases)
        return tokens_from_atoms(functional.relu(self.linear_out(q)), features), q


class AtomDecoder(nn.Module):
    """Coordinate updates from token activations (algorithm 6)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.linear_a = Linear(config.c_token, config.c_atom)
        self.transformer = atom_transformer(config, config.n_decoder_blocks)
        self.layer_norm_q = nn.LayerNorm(config.c_atom, bias=False)
        self.linear_out = PreciseLinear(config.c_atom, 3)

    def forward(
        self,
        a: Float[Tensor, "*batch sample token c_token"],
        q_skip: Float[Tensor, "*batch sample atom c_atom"],
        features: Features,
        context: AtomContext,
    ) -> Float[Tensor, "*batch sample atom 3"]:
        index = features.atom_to_token.unsqueeze(-2)
        q = atoms_from_tokens(self.linear_a(a), index) + q_skip
        q = self.transformer(q, context.decoder, context.decoder_biases)
        return self.linear_out(self.layer_norm_q(q))


def atoms_from_tokens(
    x: Float[Tensor, "*batch token c"], atom_to_token: Int[Tensor, "*wide atom"]
) -> Float[Tensor, "*batch atom c"]:
    """The row of its token for every atom."""
    shape = (*x.shape[:-2], atom_to_token.shape[-1], x.shape[-1])
    return torch.gather(x, -2, atom_to_token.unsqueeze(-1).expand(shape))


def tokens_from_atoms(
    x: Float[Tensor, "*batch atom c"], features: Features
) -> Float[Tensor, "*batch token c"]:
    """The mean over the atoms of every token (algorithm 5 line 16)."""
    mask, index = features.atom_mask, features.atom_to_token
    for _ in range(x.dim() - 1 - mask.dim()):
        mask, index = mask.unsqueeze(-2), index.unsqueeze(-2)
    n_tokens = features.restype.shape[-1]
    total = x.new_zeros(*x.shape[:-2], n_tokens, x.shape[-1])
    index = index.unsqueeze(-1).expand(x.shape)
    total = total.scatter_add(-2, index, x * mask.unsqueeze(-1))
    return total / features.atoms_per_token(n_axes=total.dim() - 1).clamp(min=1).unsqueeze(-1)
