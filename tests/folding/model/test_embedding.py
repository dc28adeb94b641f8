"""Relative positions and the input embedding."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from folding.model.embedding import offset, same
from tests.folding.model.cases import REDUCED, as_rings, random_features, random_network


@pytest.fixture(scope="module")
def features():
    return random_features(2, n_tokens=20)


@pytest.fixture(scope="module")
def position():
    return random_network(REDUCED, 1).relative_position


def one_hot_features(features) -> torch.Tensor:
    """The 139 columns of algorithm 3, written out."""
    chain, entity = same(features.asym_id), same(features.entity_id)
    residue = same(features.residue_index)
    columns = [
        functional.one_hot(offset(features.residue_index, 32, chain), 66),
        functional.one_hot(offset(features.token_index, 32, chain & residue), 66),
        entity.unsqueeze(-1),
        functional.one_hot(offset(features.sym_id, 2, entity), 6),
    ]
    return torch.cat(columns, dim=-1).float()


def test_look_ups_are_the_product_with_one_hot_features(position, features):
    columns = one_hot_features(features)
    assert columns.shape[-1] == 139
    torch.testing.assert_close(position(features), columns @ position.linear.weight.t())


def test_offsets_are_clipped_and_strangers_get_a_class_of_their_own():
    x = torch.tensor([1, 2, 90])
    together = torch.ones(3, 3, dtype=torch.bool)
    assert offset(x, 32, together).tolist() == [[32, 31, 0], [33, 32, 0], [64, 64, 32]]
    assert offset(x, 32, ~together).unique().tolist() == [65]


def test_numbering_may_start_anywhere(position, features):
    moved = replace(features, residue_index=features.residue_index + 500)
    assert torch.equal(position(moved), position(features))


def test_a_ring_counts_the_shorter_way_round():
    x = torch.tensor([1, 2, 6, 7])
    together = torch.ones(4, 4, dtype=torch.bool)
    rings = torch.tensor([7, 7, 7, 7])
    assert (offset(x, 32, together, rings)[0] - 32).tolist() == [0, -1, 2, 1]
    assert (offset(x, 32, together, 0 * rings)[0] - 32).tolist() == [0, -1, -5, -6]


def test_a_ring_may_be_numbered_from_any_residue(position, features):
    closed = as_rings(features)
    first = closed.asym_id == 1
    n = int(first.sum())
    turned = torch.where(first, closed.residue_index % n + 1, closed.residue_index)
    together = position(replace(closed, residue_index=turned))
    assert torch.equal(together, position(closed))
    assert not torch.equal(position(closed), position(features))


def test_names_of_chains_and_entities_do_not_matter(position, features):
    renamed = replace(features, asym_id=9 - features.asym_id, entity_id=5 - features.entity_id)
    assert torch.equal(position(renamed), position(features))


def test_the_direction_matters(position, features):
    z = position(features)
    assert (z - z.transpose(0, 1)).abs().max() > 0.1


def test_the_input_embedding_ends_with_what_is_known_of_each_token(features):
    model = random_network(REDUCED, 1)
    s_inputs = model.input_embedder(features)
    _, restype, profile, deletions = s_inputs.split([REDUCED.c_input, 32, 32, 1], dim=-1)
    assert s_inputs.shape[-1] == REDUCED.c_s_inputs
    assert torch.equal(restype.argmax(-1), features.restype)
    assert torch.equal(profile, features.profile)
    assert torch.equal(deletions[:, 0], features.deletion_mean)
