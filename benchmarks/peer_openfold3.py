"""OpenFold3 0.5.0 as the other side of a comparison: our weights and our input in its words.

Only where `openfold3==0.5.0` is installed (without its dependencies) beside what `folding` needs.
"""

import importlib
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from folding.data.features import Features
from folding.data.templates import NO_BIN, TemplateFeatures
from folding.model.alphafold3 import AlphaFold3
from folding.model.config import ModelConfig
from folding.model.diffusion import Trunk
from folding.weights.openfold3 import from_own
from tests.folding.model.cases import n_real_atoms

MAX_ATOMS = 23
"""Atoms per token that its heads have room for."""


class Peer:
    """OpenFold3 with our weights and our input."""

    def __init__(self, ours: AlphaFold3, features: Features) -> None:
        self.features = features
        self.n_atoms = n_real_atoms(features)
        self.model = peer_model(ours.config)
        self.model.load_state_dict(from_own(ours.state_dict(), ours.config), strict=True)
        self.input = {name: x.unsqueeze(0) for name, x in peer_input(features).items()}

    def denoise(self, x_noisy: Tensor, t_hat: Tensor, trunk: Trunk) -> Tensor:
        """One pass of the diffusion module for samples [sample, atom, 3]."""
        return self.model.diffusion_module(
            xl_noisy=x_noisy.unsqueeze(0), t=t_hat.unsqueeze(0), **self.conditions(trunk)
        )[0]

    def sample(self, trunk: Trunk, n_samples: int, n_steps: int) -> Tensor:
        """A whole sample; the caller has fixed the randomness."""
        schedule = peer_module("structure.diffusion_module").create_noise_schedule(
            no_rollout_steps=n_steps,
            **self.model.config.architecture.noise_schedule,
            dtype=torch.float32,
            device=torch.device("cpu"),
        )
        given = self.conditions(trunk)
        del given["token_mask"], given["atom_mask"]
        return self.model.sample_diffusion(
            noise_schedule=schedule, no_rollout_samples=n_samples, **given
        )[0]

    def conditions(self, trunk: Trunk) -> dict[str, Any]:
        """What the diffusion module reads beside coordinates and noise level."""
        batch = {name: x.unsqueeze(1) for name, x in self.input.items()}
        return {
            "batch": batch,
            "token_mask": batch["token_mask"],
            "atom_mask": batch["atom_mask"],
            "si_input": trunk.s_inputs[None, None],
            "si_trunk": trunk.s[None, None],
            "zij_trunk": trunk.z[None, None],
            "use_conditioning": True,
        }

    def heads(self, x: Tensor, trunk: Trunk) -> dict[str, Tensor]:
        """Logits of distogram and confidence heads for one structure [1, atom, 3]."""
        output = {
            "si_trunk": trunk.s[None, None],
            "zij_trunk": trunk.z[None, None],
            "atom_positions_predicted": x.unsqueeze(0),
        }
        module = peer_module("heads.head_modules")
        with mock.patch.object(module, "get_token_representative_atoms", self.representatives):
            logits = self.model.aux_heads(
                batch={name: x.unsqueeze(1) for name, x in self.input.items()},
                si_input=trunk.s_inputs[None, None],
                output=output,
                use_zij_trunk_embedding=True,
            )
        return {name.removesuffix("_logits"): tensor[0, 0] for name, tensor in logits.items()}

    def representatives(self, x: Tensor, **_: object) -> tuple[Tensor, None]:
        """The atoms that we say stand for their tokens."""
        return x[..., self.features.representative_atom, :], None


def peer_module(name: str) -> Any:
    """A module of OpenFold3's network."""
    return importlib.import_module(f"openfold3.core.model.{name}")


def peer_model(config: ModelConfig) -> Any:
    """OpenFold3 of these dimensions, weights as they come."""
    model = importlib.import_module("openfold3.projects.of3_all_atom.model")
    linear = peer_module("primitives.linear")
    with mock.patch.multiple(
        linear,
        lecun_normal_init_=lambda *_: None,
        he_normal_init_=lambda *_: None,
        final_init_=lambda *_: None,
        gating_init_=lambda *_: None,
    ):
        return model.OpenFold3(peer_config(config)).eval()


def peer_config(config: ModelConfig) -> Any:
    """OpenFold3's configuration for our dimensions."""
    module = importlib.import_module("openfold3.projects.of3_all_atom.config.model_config")
    parsed = module.model_config.copy_and_resolve_references()
    parsed.settings.memory.eval.use_triton_triangle_kernels = False
    with parsed.unlocked():
        for path, value in dimensions(config).items():
            *parents, last = path.split(".")
            node = parsed.architecture
            for parent in parents:
                node = node[parent]
            assert last in node, path
            node[last] = value
    return parsed


def dimensions(config: ModelConfig) -> dict[str, int]:
    """Our dimensions by OpenFold3's paths."""
    single = {"c_s": config.c_s, "c_z": config.c_z}
    inputs = {"c_s_input": config.c_s_inputs, **single}
    pairs = {
        "c_hidden_mul": config.c_triangle,
        "c_hidden_pair_att": config.c_pair_head,
        "no_heads_pair": config.n_pair_heads,
    }
    blocks = {
        **single,
        **pairs,
        "c_hidden_pair_bias": config.c_s // config.n_single_heads,
        "no_heads_pair_bias": config.n_single_heads,
    }
    atoms = {
        "c_atom": config.c_atom,
        "c_atom_pair": config.c_atompair,
        "c_hidden": config.c_atom // config.n_atom_heads,
        "no_heads": config.n_atom_heads,
    }
    embedder = "template.template_pair_embedder"
    stack = "template.template_pair_stack"
    transformer = "diffusion_module.diffusion_transformer"
    embedding = "heads.pairformer_embedding"
    parts: dict[str, dict[str, int]] = {
        "shared": inputs,
        "input_embedder": inputs,
        "input_embedder.atom_attn_enc": {
            **single,
            **atoms,
            "c_token": config.c_input,
            "no_blocks": config.n_input_blocks,
        },
        "template": {"c_t": config.c_template, "c_z": config.c_z},
        embedder: {"c_in": config.c_z, "c_out": config.c_template},
        stack: {
            "c_t": config.c_template,
            "c_hidden_tri_mul": config.c_template_triangle,
            "c_hidden_tri_att": config.c_template_head,
            "no_heads": config.n_template_heads,
            "no_blocks": config.n_template_blocks,
        },
        "msa.msa_module_embedder": {"c_m": config.c_m, "c_s_input": config.c_s_inputs},
        "msa.msa_module": {
            **pairs,
            "c_m": config.c_m,
            "c_z": config.c_z,
            "c_hidden_msa_att": config.c_msa_head,
            "no_heads_msa": config.n_msa_heads,
            "c_hidden_opm": config.c_outer,
            "no_blocks": config.n_msa_blocks,
        },
        "pairformer": {**blocks, "no_blocks": config.n_pairformer_blocks},
        "diffusion_module.diffusion_module": {"c_s": config.c_s, "c_token": config.c_token},
        "diffusion_module.diffusion_conditioning": {**inputs, "c_fourier_emb": config.c_noise},
        "diffusion_module.atom_attn_enc": {
            **single,
            **atoms,
            "c_token": config.c_token,
            "no_blocks": config.n_encoder_blocks,
        },
        transformer: {
            **single,
            "c_a": config.c_token,
            "c_hidden": config.c_token // config.n_token_heads,
            "no_heads": config.n_token_heads,
            "no_blocks": config.n_token_blocks,
        },
        "diffusion_module.atom_attn_dec": {
            **atoms,
            "c_token": config.c_token,
            "no_blocks": config.n_decoder_blocks,
        },
        embedding: {"c_s_input": config.c_s_inputs, "c_z": config.c_z},
        f"{embedding}.pairformer": {**blocks, "no_blocks": config.n_confidence_blocks},
        "heads.pae": {"c_z": config.c_z},
        "heads.pde": {"c_z": config.c_z},
        "heads.lddt": {"c_s": config.c_s},
        "heads.distogram": {"c_z": config.c_z},
        "heads.experimentally_resolved": {"c_s": config.c_s},
    }
    return {f"{part}.{name}": x for part, sizes in parts.items() for name, x in sizes.items()}


def peer_input(features: Features) -> dict[str, Tensor]:
    """Our features by OpenFold3's names, without padding, one-hot where OpenFold3 wants it."""
    one_hot = nn.functional.one_hot
    n = n_real_atoms(features)
    counts = torch.bincount(features.atom_to_token[:n], minlength=features.n_tokens)
    assert int(counts.max()) <= MAX_ATOMS
    same_names = (
        *("residue_index", "token_index", "asym_id", "entity_id", "sym_id", "profile"),
        *("deletion_mean", "token_bonds", "has_deletion", "deletion_value"),
    )
    return {
        **{name: getattr(features, name) for name in same_names},
        "restype": one_hot(features.restype, 32).float(),
        "token_mask": torch.ones(features.n_tokens),
        "msa": one_hot(features.msa, 32).float(),
        "msa_mask": torch.ones(features.msa.shape),
        "ref_pos": features.ref_pos[:n],
        "ref_charge": features.ref_charge[:n],
        "ref_mask": torch.ones(n),
        "ref_element": one_hot(features.ref_element[:n] - 1, 119).float(),
        "ref_atom_name_chars": one_hot(features.ref_atom_name_chars[:n], 64).float(),
        "ref_space_uid": features.ref_space_uid[:n],
        "atom_mask": torch.ones(n),
        "atom_to_token_index": features.atom_to_token[:n],
        "num_atoms_per_token": counts,
        "start_atom_index": counts.cumsum(0) - counts,
        **peer_templates(features.templates, features.asym_id),
    }


def peer_templates(templates: TemplateFeatures, asym_id: Tensor) -> dict[str, Tensor]:
    """Our template features by OpenFold3's names; what is known must be known token by token."""
    one_chain = asym_id.unsqueeze(-1) == asym_id
    distance = nn.functional.one_hot(templates.distance_bin, NO_BIN + 1)[..., :NO_BIN].float()
    distance_mask = templates.distance_mask & one_chain
    frame_mask = templates.frame_mask & one_chain
    return {
        "template_restype": nn.functional.one_hot(templates.restype, 32).float(),
        "template_distogram": distance * distance_mask.unsqueeze(-1),
        "template_pseudo_beta_mask": by_token(templates.distance_mask),
        "template_unit_vector": templates.unit_vector * frame_mask.unsqueeze(-1),
        "template_backbone_frame_mask": by_token(templates.frame_mask),
    }


def by_token(mask: Tensor) -> Tensor:
    """The tokens whose pairs a mask [template, token, token] holds."""
    tokens = mask.diagonal(dim1=-2, dim2=-1)
    assert torch.equal(mask, tokens.unsqueeze(-1) & tokens.unsqueeze(-2))
    return tokens.float()
