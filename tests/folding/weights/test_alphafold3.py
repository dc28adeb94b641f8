"""The name table between our network and AlphaFold 3's own schema."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from folding.errors import WeightsError
from folding.weights import alphafold3, dialects
from folding.weights.alphafold3 import CONFIGS, IDENTIFIER, from_own, pieces, to_own
from folding.weights.names import shapes
from folding.weights.records import read_records
from tests.folding.model.cases import REDUCED_ALPHAFOLD3, random_network

GOLDEN = Path(__file__).parents[2] / "golden" / "alphafold3"
FOURIER = {"fourier:weight", "fourier:bias"}
PAIR_BIAS = "diffuser/~/diffusion_head/transformer/__layer_stack_with_per_layer"


def own_state() -> dict[str, Tensor]:
    return dict(random_network(REDUCED_ALPHAFOLD3, 1, tied=True).state_dict())


@cache
def _their_state() -> dict[str, Tensor]:
    return from_own(own_state(), REDUCED_ALPHAFOLD3)


def their_state() -> dict[str, Tensor]:
    return dict(_their_state())


def published() -> dict[str, list[int]]:
    """Arrays of `docs/model_parameters.md`, with their shapes."""
    lines = (line.split(" ", 2) for line in (GOLDEN / "names" / "af3.txt").read_text().splitlines())
    return {name: [int(n) for n in re.findall(r"\d+", shape)] for name, _, shape in lines}


def without_numbers(monkeypatch, name: str) -> dict[str, Tensor]:
    """Arrays of a published network, without memory behind them."""
    monkeypatch.setattr(torch, "equal", lambda a, b: True)
    own = {key: torch.empty(shape, device="meta") for key, shape in shapes(CONFIGS[name]).items()}
    return from_own(own, CONFIGS[name])


def test_the_table_has_exactly_the_arrays_and_shapes_of_the_published_schema(monkeypatch):
    theirs = without_numbers(monkeypatch, "af3")
    found = {name: list(x.shape) for name, x in theirs.items() if name not in FOURIER}
    assert found == published()
    assert len(found) == 405
    total = sum(theirs[name].numel() for name in found if name != IDENTIFIER)
    assert total / 1e6 == pytest.approx(368.38, abs=0.01)


def test_intellifold_has_the_published_number_of_parameters(monkeypatch):
    """Its authors count what is read."""
    theirs = without_numbers(monkeypatch, "intellifold_v2")
    assert theirs.keys() - FOURIER == published().keys()
    unread = alphafold3._unread(CONFIGS["intellifold_v2"]) | {IDENTIFIER, *FOURIER}
    total = sum(x.numel() for name, x in theirs.items() if name not in unread)
    last_alignment_update = sum(theirs[name][-1].numel() for name in alphafold3._ALIGNMENT_NAMES)
    assert (total - last_alignment_update) / 1e6 == pytest.approx(850.0, abs=0.005)


def test_every_tensor_of_ours_has_a_place():
    for config in (*CONFIGS.values(), REDUCED_ALPHAFOLD3):
        ours = {piece.ours for piece in pieces(config)}
        assert ours | alphafold3.FOURIER.keys() == shapes(config).keys()


def test_there_and_back_gives_the_same_numbers():
    own, back = own_state(), to_own(their_state(), REDUCED_ALPHAFOLD3)
    assert back.keys() == own.keys()
    for name, tensor in own.items():
        assert torch.equal(back[name], tensor), name


def test_back_and_there_gives_the_same_arrays():
    """But for what nothing reads, which is not kept."""
    theirs = {name: x.float() for name, x in read_records(GOLDEN / "reduced.bin.zst").items()}
    again = from_own(to_own(theirs, REDUCED_ALPHAFOLD3), REDUCED_ALPHAFOLD3)
    assert again.keys() - FOURIER == theirs.keys()
    for name, array in theirs.items():
        assert again[name].shape == array.shape, name
        if "/msa_attention1" not in name and "/msa_transition" not in name:
            assert torch.equal(again[name], array), name


def test_maps_are_written_the_other_way_round():
    own, theirs = own_state(), their_state()
    assert torch.equal(
        theirs["diffuser/evoformer/prev_embedding:weights"].T, own["linear_z_cycle.weight"]
    )


def test_blocks_stand_along_the_first_axis():
    name = "diffuser/evoformer/__layer_stack_no_per_layer_1/trunk_pairformer"
    stacked = their_state()[f"{name}/pair_transition/transition2:weights"]
    assert len(stacked) == REDUCED_ALPHAFOLD3.n_pairformer_blocks
    for block, array in enumerate(stacked):
        own = own_state()[f"pairformer.blocks.{block}.pair_stack.transition.linear_out.weight"]
        assert torch.equal(array.T, own)


def test_token_blocks_stand_in_groups_of_four():
    theirs = their_state()[f"{PAIR_BIAS}/pair_logits_projection:weights"]
    config = REDUCED_ALPHAFOLD3
    assert theirs.shape == (1, config.c_z, 4, config.n_token_heads)
    own = own_state()["diffusion.transformer.blocks.2.attention.linear_bias.weight"]
    assert torch.equal(theirs[0, :, 2].T, own)


def test_input_features_end_with_the_atoms_there_and_begin_with_them_here():
    own = own_state()["linear_s_init.weight"]
    theirs = their_state()["diffuser/evoformer/single_activations:weights"]
    atoms = REDUCED_ALPHAFOLD3.c_input
    assert torch.equal(theirs[-atoms:].T, own[:, :atoms])
    assert torch.equal(theirs[:-atoms].T, own[:, atoms:])


def test_arrays_of_low_precision_become_float32_of_the_same_value():
    theirs = their_state()
    name = "diffuser/evoformer/prev_embedding:weights"
    theirs[name] = theirs[name].bfloat16()
    own = to_own(theirs, REDUCED_ALPHAFOLD3)["linear_z_cycle.weight"]
    assert own.dtype == torch.float32
    assert torch.equal(own, theirs[name].float().T)


def test_the_noise_embedding_of_alphafold3_is_its_codes_where_no_file_has_one():
    theirs = {name: x for name, x in their_state().items() if name not in FOURIER}
    own = to_own(theirs, REDUCED_ALPHAFOLD3)
    weight, bias = alphafold3.noise_embedding()
    assert torch.equal(own["diffusion.conditioning.fourier.weight"], weight)
    assert torch.equal(own["diffusion.conditioning.fourier.bias"], bias)


def test_intellifold_needs_its_noise_embedding(monkeypatch):
    monkeypatch.setitem(CONFIGS, "intellifold_v2", REDUCED_ALPHAFOLD3)
    theirs = {name: x for name, x in their_state().items() if name not in FOURIER}
    with pytest.raises(WeightsError, match=r"put intfold_fourier\.npz"):
        to_own(theirs, REDUCED_ALPHAFOLD3)


def test_a_noise_embedding_of_another_width_is_refused():
    theirs = their_state() | {"fourier:bias": torch.zeros(5)}
    with pytest.raises(WeightsError, match=r"fourier:bias has shape \[5\], not \[256\]"):
        to_own(theirs, REDUCED_ALPHAFOLD3)


@pytest.mark.parametrize(
    "name",
    [
        IDENTIFIER,
        "diffuser/evoformer/prev_embedding:weights",
        "diffuser/confidence_head/pae_logits:weights",
        # Nothing reads this one; a file without it is another network's all the same.
        "diffuser/evoformer_conditioning_embed_pair_offsets:weights",
    ],
)
def test_a_missing_array_is_named(name):
    theirs = their_state()
    del theirs[name]
    with pytest.raises(WeightsError, match=rf"lack {re.escape(name)}\."):
        to_own(theirs, REDUCED_ALPHAFOLD3)


def test_an_array_without_a_place_is_named():
    theirs = their_state() | {"diffuser/affinity:weights": torch.zeros(2)}
    with pytest.raises(WeightsError, match="no place for: diffuser/affinity:weights"):
        to_own(theirs, REDUCED_ALPHAFOLD3)


@pytest.mark.parametrize(
    ("name", "shape", "complaint"),
    [
        ("diffuser/evoformer/prev_embedding:weights", (3, 16), "linear_z_cycle.weight"),
        ("diffuser/evoformer/prev_embedding:weights", (), "linear_z_cycle.weight"),
        ("diffuser/confidence_head/plddt_logits:weights", (32, 23, 50), "plddt_weight"),
    ],
)
def test_another_shape_is_named_on_both_sides(name, shape, complaint):
    theirs = their_state() | {name: torch.zeros(shape)}
    with pytest.raises(WeightsError, match=re.escape(complaint)) as refused:
        to_own(theirs, REDUCED_ALPHAFOLD3)
    assert name in str(refused.value)


@pytest.mark.parametrize("n_blocks", [1, 3])
def test_a_stack_of_another_depth_is_refused(n_blocks):
    config = replace(REDUCED_ALPHAFOLD3, n_pairformer_blocks=n_blocks)
    with pytest.raises(WeightsError, match=r"trunk_pairformer/.* has shape"):
        to_own(their_state(), config)


def test_a_transformer_with_unlike_layer_norms_of_the_pairs_cannot_be_written():
    own = dict(random_network(REDUCED_ALPHAFOLD3, 1).state_dict())
    with pytest.raises(WeightsError, match=r"pair_input_layer_norm:scale is one for all blocks"):
        from_own(own, REDUCED_ALPHAFOLD3)


def test_a_file_of_arrays_is_recognised_and_read(monkeypatch):
    monkeypatch.setattr(dialects, "ALPHAFOLD3", {"reduced": REDUCED_ALPHAFOLD3})
    arrays = read_records(GOLDEN / "reduced.bin.zst")
    dialect, name, own = dialects.read(arrays)
    assert (dialect.name, name) == ("AlphaFold3", "reduced")
    expected = own_state().keys()
    assert own.keys() == expected
    assert all(x.dtype == torch.float32 for x in own.values())
    assert np.isfinite(own["confidence.plddt_weight"].numpy()).all()
