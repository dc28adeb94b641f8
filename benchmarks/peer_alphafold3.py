"""AlphaFold 3's own network (JAX) as the other side of a comparison: our weights, our input.

Only where a checkout of google-deepmind/alphafold3 lies beside `jax`, `dm-haiku`, `tokamax` and
what `folding` needs. Its data pipeline, which needs compiled code and tables, is not loaded:
nothing stands in its place but names, and the network gets its input from here.
"""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.left_out import leave_out
from folding.data.features import Features
from folding.data.templates import N_TEMPLATES
from folding.model.config import ModelConfig
from folding.model.embedding import CLASSES_OF_AF3
from tests.folding.model.cases import (
    TemplateAtoms,
    deletion_counts,
    n_real_atoms,
    random_template_atoms,
)

N_SLOTS = 24
UNLOADED = (
    *("alphafold3.structure", "alphafold3.model.features", "alphafold3.model.feat_batch"),
    *("alphafold3.data", "alphafold3.cpp", "alphafold3.constants.chemical_component", "rdkit"),
)
"""Parts of the program that its network names and does not need."""


def use_checkout(folder: Path) -> None:
    """Makes the network of a checkout importable."""
    sys.path.insert(0, str(folder / "src"))
    leave_out(*UNLOADED)


def network(name: str) -> Any:
    """A module of AlphaFold 3's network."""
    return importlib.import_module(f"alphafold3.model.network.{name}")


def peer_config(config: ModelConfig) -> Any:
    """AlphaFold 3's configuration for our dimensions."""
    model = SimpleNamespace(
        evoformer=network("evoformer").Evoformer.Config(),
        diffusion=network("diffusion_head").DiffusionHead.Config(),
        confidence=network("confidence_head").ConfidenceHead.Config(),
        distogram=network("distogram_head").DistogramHead.Config(),
        shared=importlib.import_module("alphafold3.model.model_config").GlobalConfig(),
    )
    model.shared.bfloat16 = "none"
    model.shared.flash_attention_implementation = "xla"
    evoformer, diffusion, confidence = model.evoformer, model.diffusion, model.confidence
    evoformer.pair_channel, evoformer.seq_channel = config.c_z, config.c_s
    evoformer.msa_channel = config.c_m
    evoformer.msa_stack.num_layer = config.n_msa_blocks
    evoformer.msa_stack.msa_attention.num_head = config.n_msa_heads
    evoformer.msa_stack.pair_attention.num_head = config.n_pair_heads
    evoformer.pairformer.num_layer = config.n_pairformer_blocks
    evoformer.template.num_channels = config.c_template
    evoformer.template.template_stack.num_layer = config.n_template_blocks
    evoformer.template.template_stack.pair_attention.num_head = config.n_template_heads
    confidence.pairformer.num_layer = config.n_confidence_blocks
    for pairformer in (evoformer.pairformer, confidence.pairformer):
        pairformer.pair_attention.num_head = config.n_pair_heads
        pairformer.single_attention.num_head = config.n_single_heads
    _set_atoms(evoformer.per_atom_conditioning, config, config.c_input, config.n_input_blocks)
    _set_atoms(diffusion, config, config.c_token, config.n_encoder_blocks)
    diffusion.conditioning.pair_channel = config.c_z
    diffusion.conditioning.seq_channel = config.c_s
    diffusion.transformer.num_blocks = config.n_token_blocks
    diffusion.transformer.attention.num_head = config.n_token_heads
    return model


def _set_atoms(part: Any, config: ModelConfig, per_token: int, n_blocks: int) -> None:
    part.per_token_channels, part.per_atom_channels = per_token, config.c_atom
    part.per_atom_pair_channels = config.c_atompair
    part.atom_transformer.num_blocks = n_blocks
    attention = part.atom_transformer.attention
    attention.num_head = config.n_atom_heads
    attention.key_dim = attention.value_dim = config.c_atom


def array(x: Tensor) -> Any:
    """A tensor as JAX's array."""
    import jax.numpy as jnp

    return jnp.asarray(x.numpy())


def gather(index: np.ndarray, mask: np.ndarray, shape: tuple[int, ...]) -> Any:
    """AlphaFold 3's way to say which atom goes where."""
    import jax.numpy as jnp

    layout = importlib.import_module("alphafold3.model.atom_layout.atom_layout")
    return layout.GatherInfo(
        gather_idxs=jnp.asarray(index),
        gather_mask=jnp.asarray(mask),
        input_shape=jnp.asarray(shape),
    )


def peer_batch(features: Features, config: ModelConfig, seed: int) -> Any:
    """Our features as AlphaFold 3's network reads them."""
    n = n_real_atoms(features)
    place = features.atom_to_token[:n] * N_SLOTS + features.atom_slot[:n]
    dense = _Dense(place.numpy(), features.n_tokens)
    classes = torch.tensor(CLASSES_OF_AF3)
    uid = torch.zeros(features.n_tokens, dtype=torch.long)
    uid[features.atom_to_token[:n]] = features.ref_space_uid[:n]
    atom_mask = dense.scattered(np.ones(n, np.float32))
    profile = torch.zeros(features.n_tokens, 31)
    profile.index_add_(1, classes, features.profile)
    bonds = features.token_bonds.nonzero().numpy()
    names = ("token_index", "residue_index", "asym_id", "entity_id", "sym_id")
    return SimpleNamespace(
        token_features=SimpleNamespace(
            mask=array(torch.ones(features.n_tokens)),
            aatype=array(classes[features.restype]),
            **{name: array(getattr(features, name)) for name in names},
        ),
        ref_structure=SimpleNamespace(
            positions=array(dense.scattered(features.ref_pos[:n].numpy())),
            mask=array(atom_mask),
            element=array(dense.scattered(features.ref_element[:n].numpy())),
            charge=array(dense.scattered(features.ref_charge[:n].numpy())),
            atom_name_chars=array(dense.scattered(features.ref_atom_name_chars[:n].numpy())),
            ref_space_uid=array(uid.unsqueeze(-1).repeat(1, N_SLOTS)),
        ),
        predicted_structure_info=SimpleNamespace(atom_mask=array(atom_mask)),
        atom_cross_att=dense.attention(features, config),
        msa=SimpleNamespace(
            rows=array(classes[features.msa]),
            mask=array(torch.ones(features.msa.shape)),
            deletion_matrix=array(deletion_counts(features.deletion_value)),
            profile=array(profile),
            deletion_mean=array(features.deletion_mean),
        ),
        polymer_ligand_bond_info=SimpleNamespace(
            tokens_to_polymer_ligand_bonds=gather(np.zeros((1, 2), int), np.zeros((1, 2), bool), ())
        ),
        ligand_ligand_bond_info=SimpleNamespace(
            tokens_to_ligand_ligand_bonds=gather(bonds, np.ones(bonds.shape, bool), ())
        ),
        templates=peer_templates(random_template_atoms(features.n_tokens, seed)),
        dense=dense,
    )


class Templates(NamedTuple):
    """Templates by AlphaFold 3's names."""

    aatype: Any
    atom_positions: Any
    atom_mask: Any


def peer_templates(atoms: TemplateAtoms) -> Templates:
    """Templates in the table of 24 atoms per residue."""
    wide = [(0, 0), (0, 0), (0, N_SLOTS - atoms.mask.shape[-1])]
    return Templates(
        aatype=array(torch.tensor(CLASSES_OF_AF3)[torch.from_numpy(atoms.restype)]),
        atom_positions=array(torch.from_numpy(np.pad(atoms.position, [*wide, (0, 0)]))),
        atom_mask=array(torch.from_numpy(np.pad(atoms.mask, wide))),
    )


def no_peer_templates(n_tokens: int) -> Templates:
    """What AlphaFold 3 pads templates with."""
    shape = (N_TEMPLATES, n_tokens)
    nothing = TemplateAtoms(
        np.zeros(shape, np.int64), np.zeros((*shape, 5, 3), np.float32), np.zeros((*shape, 5), bool)
    )
    return peer_templates(nothing)


class _Dense:
    """The table of 24 atoms per token."""

    def __init__(self, place: np.ndarray, n_tokens: int) -> None:
        self.place, self.n_tokens = place, n_tokens

    def scattered(self, x: np.ndarray) -> Tensor:
        """Per-atom numbers in the table, zeros elsewhere."""
        table = np.zeros((self.n_tokens * N_SLOTS, *x.shape[1:]), x.dtype)
        table[self.place] = x
        return torch.from_numpy(table.reshape(self.n_tokens, N_SLOTS, *x.shape[1:]))

    def gathered(self, x: Any) -> Tensor:
        """Per-atom numbers from the table [..., token, slot, c]."""
        flat = np.asarray(x).reshape(*x.shape[:-3], -1, x.shape[-1])
        return torch.from_numpy(flat[..., self.place, :].copy())

    def attention(self, features: Features, config: ModelConfig) -> Any:
        """Windows as AlphaFold 3 lays them out: queries in order, keys moved inside the ends."""
        n, padded = len(self.place), len(features.ref_pos)
        windows = (padded // config.n_queries, config.n_queries)
        atoms = np.pad(np.arange(n), (0, padded - n))
        real = np.arange(padded) < n
        token = features.atom_to_token.numpy()
        first = np.arange(windows[0]) * config.n_queries + (config.n_queries - config.n_keys) // 2
        first = np.where(first < 0, 0, np.minimum(first, n - config.n_keys))
        keys = first[:, None] + np.arange(config.n_keys)
        table = (self.n_tokens, N_SLOTS)
        in_table = np.zeros(self.n_tokens * N_SLOTS, np.int64)
        in_table[self.place] = np.arange(n)
        filled = np.zeros(self.n_tokens * N_SLOTS, bool)
        filled[self.place] = True
        return SimpleNamespace(
            token_atoms_to_queries=gather(
                self.place[atoms].reshape(windows), real.reshape(windows), table
            ),
            tokens_to_queries=gather(
                token.reshape(windows), real.reshape(windows), (self.n_tokens,)
            ),
            tokens_to_keys=gather(token[keys], real[keys], (self.n_tokens,)),
            queries_to_keys=gather(keys, real[keys], windows),
            queries_to_token_atoms=gather(in_table.reshape(table), filled.reshape(table), windows),
        )
