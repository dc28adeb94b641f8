"""The name table between our network and OpenFold3's checkpoints."""

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from folding.errors import WeightsError
from folding.model.alphafold3 import AlphaFold3
from folding.model.config import ModelConfig
from folding.weights.openfold3 import CONFIGS, DUPLICATE, from_own, name_table, to_own
from tests.folding.model.cases import REDUCED_OPENFOLD3, random_network

NAMES = Path(__file__).parents[2] / "golden" / "openfold3" / "names"
BASE = "of3-ob-2025-06-30-174k"


@cache
def empty_state(config: ModelConfig) -> dict[str, Tensor]:
    """Our state without numbers."""
    with torch.device("meta"):
        return AlphaFold3(config).state_dict()


def own_state() -> dict[str, Tensor]:
    return dict(random_network(REDUCED_OPENFOLD3, 1, tied=True).state_dict())


@cache
def _their_state() -> dict[str, Tensor]:
    return from_own(own_state(), REDUCED_OPENFOLD3)


def their_state() -> dict[str, Tensor]:
    return dict(_their_state())


def test_our_network_has_exactly_the_tensors_of_the_checkpoint():
    config = CONFIGS[BASE]
    table = name_table(config)
    expected = Counter()
    for line in (NAMES / f"{BASE}.txt").read_text().splitlines():
        count, name, _ = line.split(maxsplit=2)
        expected[name] = int(count)
    names = {name for row in table for name in row.theirs}
    copies = {DUPLICATE + name for name in names if name.startswith("diffusion_module.")}
    found = Counter(re.sub(r"\.\d+\.", ".N.", name) for name in {"version_tensor"} | names | copies)
    assert found == expected
    assert sum(found.values()) == 4890


def test_every_tensor_of_ours_has_one_row():
    for config in (CONFIGS[BASE], REDUCED_OPENFOLD3):
        assert sorted(row.ours for row in name_table(config)) == sorted(empty_state(config))


def test_the_published_network_has_the_published_number_of_parameters():
    table, state = name_table(CONFIGS[BASE]), empty_state(CONFIGS[BASE])
    seen: set[str] = set()
    total = 0
    for row in table:
        if not seen.issuperset(row.theirs):
            total += state[row.ours].numel()
        seen.update(row.theirs)
    assert total / 1e6 == pytest.approx(368.29, abs=0.01)


def test_the_heads_have_room_for_23_atoms():
    theirs = their_state()
    assert theirs["aux_heads.plddt.linear.weight"].shape == (23 * 50, REDUCED_OPENFOLD3.c_s)
    own = own_state()["confidence.plddt_weight"]
    row = 7 * 50 + 3
    assert torch.equal(theirs["aux_heads.plddt.linear.weight"][row], own[7, :, 3])


def test_there_and_back_gives_the_same_numbers():
    own, back = own_state(), to_own(their_state(), REDUCED_OPENFOLD3)
    assert back.keys() == own.keys()
    for name, tensor in own.items():
        assert torch.equal(back[name], tensor), name


def test_a_prefix_of_their_trainer_is_ignored():
    prefixed = {f"model.{name}": tensor for name, tensor in their_state().items()}
    back = to_own(prefixed, REDUCED_OPENFOLD3)
    assert torch.equal(back["distogram.linear.weight"], own_state()["distogram.linear.weight"])


def test_template_features_stand_in_our_order():
    theirs, own = their_state(), own_state()["template_embedder.linear_features.weight"]
    embedder = "template_embedder.template_pair_embedder"
    assert torch.equal(own[:, :39], theirs[f"{embedder}.dgram_linear.weight"])
    # Ours begins with the class of j, theirs calls that of i the first.
    assert torch.equal(own[:, 40:72], theirs[f"{embedder}.aatype_linear_2.weight"])
    assert torch.equal(own[:, 72:104], theirs[f"{embedder}.aatype_linear_1.weight"])
    assert torch.equal(own[:, 105:106], theirs[f"{embedder}.y_linear.weight"])


def test_element_classes_are_atomic_numbers_here_and_one_less_there():
    own = own_state()["diffusion.atom_encoder.reference.linear_features.weight"]
    name = "diffusion_module.atom_attn_enc.ref_atom_feature_embedder.linear_ref_element.weight"
    carbon = 6
    assert torch.equal(own[:, 1 + carbon], their_state()[name][:, carbon - 1])


def test_one_layer_norm_of_the_pairs_serves_every_block():
    theirs = their_state()
    shared = theirs["diffusion_module.diffusion_transformer.layer_norm_z.weight"]
    own = to_own(theirs, REDUCED_OPENFOLD3)
    for block in range(REDUCED_OPENFOLD3.n_token_blocks):
        name = f"diffusion.transformer.blocks.{block}.attention.layer_norm_z.weight"
        assert torch.equal(own[name], shared)


def test_blocks_with_different_layer_norms_of_the_pairs_cannot_be_written():
    own = dict(random_network(REDUCED_OPENFOLD3, 1).state_dict())
    with pytest.raises(WeightsError, match=r"layer_norm_z\.weight is one for all"):
        from_own(own, REDUCED_OPENFOLD3)


def test_a_file_without_the_second_copy_is_read():
    theirs = their_state()
    once = {name: x for name, x in theirs.items() if not name.startswith(DUPLICATE)}
    assert len(once) < len(theirs)
    assert to_own(once, REDUCED_OPENFOLD3).keys() == own_state().keys()


def test_a_second_copy_that_differs_is_refused():
    theirs = their_state()
    name = f"{DUPLICATE}diffusion_module.layer_norm_a.weight"
    theirs[name] = theirs[name] + 1
    with pytest.raises(WeightsError, match=rf"{re.escape(name)} differs"):
        to_own(theirs, REDUCED_OPENFOLD3)


def test_half_a_second_copy_is_refused():
    theirs = their_state()
    del theirs[f"{DUPLICATE}diffusion_module.layer_norm_a.weight"]
    with pytest.raises(WeightsError, match=r"lack sample_diffusion\.diffusion_module"):
        to_own(theirs, REDUCED_OPENFOLD3)


def test_another_architecture_is_refused_by_its_version():
    theirs = their_state() | {"version_tensor": torch.tensor([1.0, 0.0, 0.0])}
    with pytest.raises(WeightsError, match=r"architecture \[1\.0, 0\.0, 0\.0\]"):
        to_own(theirs, REDUCED_OPENFOLD3)
    del theirs["version_tensor"]
    with pytest.raises(WeightsError, match=r"lack version_tensor"):
        to_own(theirs, REDUCED_OPENFOLD3)


@pytest.mark.parametrize(
    "name",
    [
        "aux_heads.pae.linear.weight",
        "template_embedder.template_pair_embedder.y_linear.weight",
        "diffusion_module.diffusion_conditioning.fourier_emb.w",
        "input_embedder.atom_attn_enc.atom_transformer.layer_norm_z.weight",
    ],
)
def test_a_missing_tensor_is_named(name):
    theirs = {k: v for k, v in their_state().items() if not k.startswith(DUPLICATE)}
    del theirs[name]
    with pytest.raises(WeightsError, match=rf"lack {re.escape(name)}\."):
        to_own(theirs, REDUCED_OPENFOLD3)


def test_a_tensor_without_a_place_is_named():
    theirs = their_state() | {"aux_heads.affinity.weight": torch.zeros(2)}
    with pytest.raises(WeightsError, match=r"no place for: aux_heads\.affinity\.weight"):
        to_own(theirs, REDUCED_OPENFOLD3)


def test_another_shape_is_named_on_both_sides():
    theirs = their_state() | {"linear_s.weight": torch.zeros(3, 5)}
    with pytest.raises(WeightsError, match=r"linear_s_cycle\.weight \(linear_s\.weight\) has"):
        to_own(theirs, REDUCED_OPENFOLD3)


def test_heads_of_another_width_are_refused():
    theirs = their_state()
    theirs["aux_heads.plddt.linear.weight"] = torch.zeros(24 * 50, REDUCED_OPENFOLD3.c_s)
    with pytest.raises(WeightsError, match=r"plddt_weight .* has shape"):
        to_own(theirs, REDUCED_OPENFOLD3)


def test_a_checkpoint_of_another_size_is_refused():
    with pytest.raises(WeightsError, match="no place for"):
        to_own(their_state(), replace(REDUCED_OPENFOLD3, n_pairformer_blocks=1))
