"""Protenix 2.0.0 as the other side of a comparison: our weights and our input in its words.

Only where `protenix==2.0.0` is installed (without its dependencies) beside what `folding` needs.
"""

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from folding.data.features import Features
from folding.data.templates import NO_BIN, TemplateFeatures
from folding.model.alphafold3 import AlphaFold3
from folding.model.config import ModelConfig
from folding.model.diffusion import Trunk
from folding.weights.protenix import from_own
from tests.folding.model.cases import n_real_atoms


class Peer:
    """Protenix with our weights and our input."""

    def __init__(self, ours: AlphaFold3, features: Features) -> None:
        self.features = features
        self.n_atoms = n_real_atoms(features)
        self.model = peer_model(ours.config)
        self.model.load_state_dict(from_own(ours.state_dict(), ours.config), strict=True)
        self.input = peer_input(features)
        self.input = self.model.relative_position_encoding.generate_relp(self.input)
        self.input = peer_module("protenix").update_input_feature_dict(self.input)

    def denoise(self, x_noisy: Tensor, t_hat: Tensor, trunk: Trunk) -> Tensor:
        """One pass of the diffusion module."""
        return self.model.diffusion_module(
            x_noisy=x_noisy,
            t_hat_noise_level=t_hat,
            input_feature_dict=self.input,
            **conditioning(trunk),
        )

    def sample(self, trunk: Trunk, n_samples: int) -> Tensor:
        """A whole sample; the caller has fixed the randomness."""
        config = self.model.configs.sample_diffusion
        names = ("gamma0", "gamma_min", "noise_scale_lambda", "step_scale_eta")
        return peer_module("generator").sample_diffusion(
            denoise_net=self.model.diffusion_module,
            input_feature_dict=self.input,
            noise_schedule=self.model.inference_noise_scheduler(N_step=config.N_step),
            N_sample=n_samples,
            **conditioning(trunk),
            **{name: config[name] for name in names},
        )

    def confidence(self, x: Tensor, trunk: Trunk) -> tuple[Tensor, ...]:
        """pLDDT, PAE, PDE and resolved logits of every sample."""
        return self.model.confidence_head(
            input_feature_dict=self.input,
            s_inputs=trunk.s_inputs,
            s_trunk=trunk.s,
            z_trunk=trunk.z,
            pair_mask=None,
            x_pred_coords=x,
        )


def peer_module(name: str) -> Any:
    """A module of Protenix's network."""
    return importlib.import_module(f"protenix.model.{name}")


def conditioning(trunk: Trunk) -> dict[str, Tensor | None]:
    """The trunk by Protenix's names, nothing computed beforehand."""
    parts = {"s_inputs": trunk.s_inputs, "s_trunk": trunk.s, "z_trunk": trunk.z}
    return parts | dict.fromkeys(("pair_z", "p_lm", "c_l"))


def peer_model(config: ModelConfig) -> nn.Module:
    """Protenix of these dimensions, weights as they come."""
    os.environ.setdefault("LAYERNORM_TYPE", "torch")
    with contextlib.redirect_stdout(io.StringIO()), no_initialisation():
        return peer_module("protenix").Protenix(peer_config(config)).eval()


@contextlib.contextmanager
def no_initialisation() -> Iterator[None]:
    """Protenix draws every weight with SciPy first, which takes a minute; nobody reads them."""
    with contextlib.ExitStack() as stack:
        for name in ("triangular.layers", "modules.primitives"):
            stand_in = lambda weights, **_: None  # noqa: E731
            patch = mock.patch.object(peer_module(name), "trunc_normal_init_", stand_in)
            stack.enter_context(patch)
        yield


def peer_config(config: ModelConfig) -> Any:
    """Protenix's configuration for our dimensions."""
    sys.argv = sys.argv[:1]
    from configs.configs_base import configs as base
    from configs.configs_data import data_configs
    from configs.configs_inference import inference_configs
    from protenix.config.config import parse_configs

    inference = deepcopy(dict(inference_configs)) | {"input_json_path": "none"}
    parsed = parse_configs(
        configs={**deepcopy(base), "data": data_configs, **inference},
        arg_str="",
        fill_required_with_null=True,
    )
    parsed.triangle_multiplicative = parsed.triangle_attention = "torch"
    with parsed.unlocked():
        for path, value in dimensions(config).items():
            *parents, last = path.split(".")
            node = parsed
            for parent in parents:
                node = node[parent]
            node[last] = value
    return parsed


def dimensions(config: ModelConfig) -> dict[str, Any]:
    """Our dimensions by Protenix's paths."""
    shared = {"c_s": config.c_s, "c_z": config.c_z, "c_s_inputs": config.c_s_inputs}
    model = {
        "input_embedder.c_atom": config.c_atom,
        "input_embedder.c_atompair": config.c_atompair,
        "input_embedder.c_token": config.c_input,
        "relative_position_encoding.c_z": config.c_z,
        "template_embedder.c": config.c_template,
        "template_embedder.c_z": config.c_z,
        "template_embedder.n_blocks": config.n_template_blocks,
        "msa_module.c_m": config.c_m,
        "msa_module.c_z": config.c_z,
        "msa_module.c_s_inputs": config.c_s_inputs,
        "msa_module.n_blocks": config.n_msa_blocks,
        "constraint_embedder.c_constraint_z": config.c_z,
        "pairformer.c_s": config.c_s,
        "pairformer.c_z": config.c_z,
        "pairformer.n_blocks": config.n_pairformer_blocks,
        "pairformer.n_heads": config.n_single_heads,
        "diffusion_module.c_token": config.c_token,
        "diffusion_module.c_atom": config.c_atom,
        "diffusion_module.c_atompair": config.c_atompair,
        "diffusion_module.atom_encoder.n_blocks": config.n_encoder_blocks,
        "diffusion_module.atom_decoder.n_blocks": config.n_decoder_blocks,
        "diffusion_module.transformer.n_blocks": config.n_token_blocks,
        "diffusion_module.transformer.n_heads": config.n_token_heads,
        "distogram_head.c_z": config.c_z,
        "confidence_head.n_blocks": config.n_confidence_blocks,
        **{f"diffusion_module.{name}": value for name, value in shared.items()},
        **{f"confidence_head.{name}": value for name, value in shared.items()},
    }
    sampler = {
        "gamma0": config.sampler.gamma_0,
        "gamma_min": config.sampler.gamma_min,
        "noise_scale_lambda": config.sampler.noise_scale,
        "step_scale_eta": config.sampler.step_scale,
        "N_step": config.sampler.n_steps,
    }
    return {
        **shared,
        **{f"model.{name}": value for name, value in model.items()},
        **{f"sample_diffusion.{name}": value for name, value in sampler.items()},
    }


def peer_input(features: Features) -> dict[str, Tensor]:
    """Our features by Protenix's names, without padding, one-hot where Protenix wants it."""
    one_hot = nn.functional.one_hot
    n = n_real_atoms(features)
    representative = torch.zeros(n, dtype=torch.long).scatter(0, features.representative_atom, 1)
    same_names = (
        *("residue_index", "token_index", "asym_id", "entity_id", "sym_id", "profile"),
        *("deletion_mean", "token_bonds", "msa", "has_deletion", "deletion_value"),
    )
    return {
        **{name: getattr(features, name) for name in same_names},
        "restype": one_hot(features.restype, 32).float(),
        "ref_pos": features.ref_pos[:n],
        "ref_charge": features.ref_charge[:n],
        "ref_mask": torch.ones(n),
        "ref_element": one_hot(features.ref_element[:n] - 1, 128).float(),
        "ref_atom_name_chars": one_hot(features.ref_atom_name_chars[:n], 64).float(),
        "ref_space_uid": features.ref_space_uid[:n],
        "atom_to_token_idx": features.atom_to_token[:n],
        "atom_to_tokatom_idx": features.atom_slot[:n],
        "distogram_rep_atom_mask": representative,
        **peer_templates(features.templates),
    }


def peer_templates(templates: TemplateFeatures) -> dict[str, Tensor]:
    """Our template features by Protenix's names."""
    distance = nn.functional.one_hot(templates.distance_bin, NO_BIN + 1)[..., :NO_BIN].float()
    return {
        "template_aatype": templates.restype,
        "template_distogram": distance * templates.distance_mask.unsqueeze(-1),
        "template_pseudo_beta_mask": templates.distance_mask.float(),
        "template_unit_vector": templates.unit_vector * templates.frame_mask.unsqueeze(-1),
        "template_backbone_frame_mask": templates.frame_mask.float(),
    }
