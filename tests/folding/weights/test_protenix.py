"""The name table between our network and Protenix's checkpoints."""

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from folding.model.alphafold3 import AlphaFold3
from folding.model.config import SMALL, ModelConfig
from folding.weights.own import WeightsError
from folding.weights.protenix import CONFIGS, from_own, name_table, to_own
from tests.folding.model.cases import REDUCED, random_network

NAMES = Path(__file__).parents[2] / "golden" / "protenix" / "names"
LISTS = {
    "protenix_base_default_v1.0.0": "base_v1.0.0.txt",
    "protenix_mini_default_v0.5.0": "mini_v0.5.0.txt",
}
# Counted by instantiating Protenix's own models.
PARAMETERS = {
    "protenix_base_default_v1.0.0": 368.48,
    "protenix_base_20250630_v1.0.0": 368.48,
    "protenix_base_default_v0.5.0": 368.09,
    "protenix_mini_default_v0.5.0": 134.07,
    "protenix_tiny_default_v0.5.0": 109.50,
}
TENSORS = {"protenix_base_default_v1.0.0": 4174, "protenix_mini_default_v0.5.0": 1612}


@cache
def empty_state(config: ModelConfig) -> dict[str, Tensor]:
    """Our state without numbers."""
    with torch.device("meta"):
        return AlphaFold3(config).state_dict()


def their_state() -> dict[str, Tensor]:
    return from_own(random_network(REDUCED, 1).state_dict(), REDUCED)


def patterns(state: dict[str, Tensor]) -> Counter[tuple[str, str]]:
    """How often each name stands there, block numbers left out, with its shape."""
    return Counter(
        (re.sub(r"\.\d+\.", ".N.", name), str(list(tensor.shape))) for name, tensor in state.items()
    )


def listed(file: str) -> Counter[tuple[str, str]]:
    lines = (line.split(maxsplit=2) for line in (NAMES / file).read_text().splitlines())
    return Counter({(name, shape): int(count) for count, name, shape in lines})


@pytest.mark.parametrize("name", sorted(LISTS))
def test_our_network_has_exactly_the_tensors_of_the_checkpoint(name):
    config = CONFIGS[name]
    assert patterns(from_own(empty_state(config), config)) == listed(LISTS[name])


@pytest.mark.parametrize(("name", "count"), TENSORS.items())
def test_no_tensor_is_counted_twice(name, count):
    names = [theirs for row in name_table(CONFIGS[name]) for theirs in row.theirs]
    assert len(set(names)) == len(names) == count - len(("lower_bins", "upper_bins"))


@pytest.mark.parametrize(("name", "millions"), PARAMETERS.items())
def test_a_configuration_has_the_published_number_of_parameters(name, millions):
    state = from_own(empty_state(CONFIGS[name]), CONFIGS[name])
    assert sum(tensor.numel() for tensor in state.values()) / 1e6 == pytest.approx(
        millions, abs=0.01
    )


def test_tiny_is_mini_with_half_the_pairformer():
    mini, tiny = (CONFIGS[f"protenix_{size}_default_v0.5.0"] for size in ("mini", "tiny"))
    assert (mini.n_pairformer_blocks, tiny.n_pairformer_blocks) == (16, 8)
    assert replace(tiny, n_pairformer_blocks=16) == mini


@pytest.mark.parametrize("name", ["protenix_mini_default_v0.5.0", "protenix_tiny_default_v0.5.0"])
def test_the_distilled_models_take_few_steps_without_fresh_noise(name):
    sampler = CONFIGS[name].sampler
    assert (sampler.n_steps, sampler.gamma_0, sampler.step_scale) == (5, 0.0, 1.0)
    assert CONFIGS[name].n_cycles == 4


def test_every_tensor_of_ours_has_one_row():
    for config in (*CONFIGS.values(), REDUCED, SMALL):
        rows = [row.ours for row in name_table(config)]
        assert sorted(rows) == sorted(empty_state(config))


def test_there_and_back_gives_the_same_numbers():
    own = random_network(REDUCED, 3).state_dict()
    back = to_own(from_own(own, REDUCED), REDUCED)
    assert back.keys() == own.keys()
    for name, tensor in own.items():
        assert torch.equal(back[name], tensor), name


def test_a_prefix_of_distributed_training_is_ignored():
    theirs = their_state()
    prefixed = {f"module.{name}": tensor for name, tensor in theirs.items()}
    assert {k: v.sum() for k, v in to_own(prefixed, REDUCED).items()} == {
        k: v.sum() for k, v in to_own(theirs, REDUCED).items()
    }


def test_fused_projections_hold_theirs_in_order():
    theirs = their_state()
    own = to_own(theirs, REDUCED)
    block, peer = "pairformer.blocks.1", "pairformer_stack.blocks.1"
    q, k, v = (theirs[f"{peer}.tri_att_end.mha.linear_{x}.weight"] for x in "qkv")
    assert torch.equal(
        own[f"{block}.pair_stack.attend_ending.linear_qkv.weight"], torch.cat([q, k, v])
    )
    a, b = (theirs[f"{peer}.single_transition.linear_no_bias_{x}.weight"] for x in "ab")
    assert torch.equal(own[f"{block}.transition.linear_ab.weight"], torch.cat([a, b]))


def test_element_classes_are_atomic_numbers_here_and_one_less_there():
    theirs = their_state()
    name = "atom_attention_encoder.linear_no_bias_f.weight"
    carbon = 6
    for ours, peer in (("input_embedder", "input_embedder"), ("diffusion", "diffusion_module")):
        table = to_own(theirs, REDUCED)[f"{ours}.atom_encoder.reference.linear_features.weight"]
        their_table = theirs[f"{peer}.{name}"]
        assert torch.equal(table[:, 1 + carbon], their_table[:, 1 + carbon - 1])
        assert torch.equal(table[:, 0], their_table[:, 0]), "the mask stays"
        assert torch.equal(table[:, 129:], their_table[:, 129:]), "the name stays"


THEIR_NAMES = sorted(name for row in name_table(REDUCED) for name in row.theirs)


@settings(max_examples=20)
@given(st.sampled_from(THEIR_NAMES))
def test_a_missing_tensor_is_named(name):
    theirs = from_own(empty_state(REDUCED), REDUCED)
    del theirs[name]
    with pytest.raises(WeightsError, match=rf"lack {re.escape(name)}\."):
        to_own(theirs, REDUCED)


def test_a_tensor_without_a_place_is_named():
    theirs = their_state() | {"constraint_embedder.pocket_z_embedder.weight": torch.zeros(2)}
    with pytest.raises(WeightsError, match=r"no place for: constraint_embedder\.pocket_z_emb"):
        to_own(theirs, REDUCED)


def test_many_problems_are_counted():
    theirs = their_state()
    few = {name: x for name, x in theirs.items() if not name.startswith("msa_module")}
    missing = len(theirs) - len(few)
    with pytest.raises(WeightsError, match=rf"lack msa_module\..* and {missing - 5} more\."):
        to_own(few, REDUCED)


def test_another_shape_is_named_on_both_sides():
    theirs = their_state()
    theirs["linear_no_bias_sinit.weight"] = torch.zeros(3, 5)
    said = (
        r"linear_s_init\.weight \(linear_no_bias_sinit\.weight\) has shape \[3, 5\]; .* \[32, 89\]"
    )
    with pytest.raises(WeightsError, match=said):
        to_own(theirs, REDUCED)


def test_a_checkpoint_of_another_size_is_refused():
    with pytest.raises(WeightsError, match="no place for"):
        to_own(their_state(), replace(REDUCED, n_pairformer_blocks=1))
    with pytest.raises(WeightsError, match="lack"):
        to_own(their_state(), replace(REDUCED, n_token_blocks=3))


def test_other_distance_bins_are_refused():
    theirs = their_state()
    theirs["confidence_head.lower_bins"] = theirs["confidence_head.lower_bins"] + 0.5
    with pytest.raises(WeightsError, match="lower_bins has other values"):
        to_own(theirs, REDUCED)


def test_ours_must_be_whole_too():
    own = random_network(REDUCED, 1).state_dict()
    del own["distogram.linear.bias"]
    with pytest.raises(WeightsError, match=r"lack distogram\.linear\.bias"):
        from_own(own, REDUCED)


def test_distance_bins_start_at_three_and_a_quarter_and_the_last_is_open():
    theirs = their_state()
    lower, upper = (theirs[f"confidence_head.{side}_bins"] for side in ("lower", "upper"))
    assert lower[0] == 3.25
    assert lower[-1] == 50.75
    assert torch.equal(upper[:-1], lower[1:])
    assert upper[-1] == 1e6
