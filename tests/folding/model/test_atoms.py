"""Atoms to tokens and back."""

from dataclasses import replace

import pytest
import torch

from folding.model.atoms import atoms_from_tokens, tokens_from_atoms
from tests.folding.model.cases import REDUCED, n_real_atoms, random_features, random_network


@pytest.fixture(scope="module")
def features():
    return random_features(4, n_tokens=20)


@pytest.fixture(scope="module")
def encoder():
    return random_network(REDUCED, 1).input_embedder.atom_encoder


def test_the_mean_over_a_tokens_atoms_leaves_out_padding(features):
    x = torch.randn((len(features.ref_pos), 3), generator=torch.Generator().manual_seed(0))
    x[~features.atom_mask] = 1e6
    means = tokens_from_atoms(x, features)
    for token in (0, 7, 19):
        mine = features.atom_mask & (features.atom_to_token == token)
        torch.testing.assert_close(means[token], x[mine].mean(0))


def test_a_token_without_atoms_is_zero(features):
    nothing = replace(features, atom_mask=torch.zeros_like(features.atom_mask))
    assert not tokens_from_atoms(torch.ones(len(features.ref_pos), 2), nothing).any()


def test_atoms_get_the_row_of_their_token(features):
    x = torch.arange(20.0).unsqueeze(-1)
    atoms = atoms_from_tokens(x, features.atom_to_token)
    assert torch.equal(atoms[:, 0].long(), features.atom_to_token)
    samples = atoms_from_tokens(torch.stack([x, -x]), features.atom_to_token.unsqueeze(0))
    assert torch.equal(samples[1], -atoms)


def test_the_mean_of_broadcast_tokens_is_the_tokens(features):
    x = torch.randn((2, 20, 5), generator=torch.Generator().manual_seed(0))
    atoms = atoms_from_tokens(x, features.atom_to_token.unsqueeze(0))
    torch.testing.assert_close(tokens_from_atoms(atoms, features), x)


def test_look_ups_are_the_product_with_one_hot_features(encoder, features):
    one_hot = torch.nn.functional.one_hot
    columns = torch.cat(
        [
            torch.ones(len(features.ref_pos), 1),
            one_hot(features.ref_element, 128),
            one_hot(features.ref_atom_name_chars, 64).flatten(-2),
        ],
        dim=-1,
    ).float()
    reference = encoder.reference
    charge = torch.arcsinh(features.ref_charge).unsqueeze(-1)
    expected = (
        columns @ reference.linear_features.weight.t()
        + features.ref_pos @ reference.linear_position.weight.t()
        + charge @ reference.linear_charge.weight.t()
    )
    n = n_real_atoms(features)
    torch.testing.assert_close(reference.atoms(features)[:n], expected[:n], rtol=0, atol=1e-5)
    assert not reference.atoms(features)[n:].any()


def test_atoms_only_see_offsets_inside_their_own_conformer(encoder, features):
    moved = features.ref_pos + features.ref_space_uid.unsqueeze(-1) * torch.tensor([1.0, -2, 3])
    pairs = encoder.reference.pairs(features)
    shifted = encoder.reference.pairs(replace(features, ref_pos=moved))
    torch.testing.assert_close(shifted, pairs, rtol=0, atol=2e-4)


def test_padding_shares_a_conformer_with_nobody(encoder, features):
    n = n_real_atoms(features)
    last = encoder.reference.pairs(features)[-1]
    padding = slice(n % REDUCED.n_queries, None)
    assert n % REDUCED.n_queries
    assert not last[padding].any()


def test_names_of_conformers_do_not_matter(encoder, features):
    renamed = replace(features, ref_space_uid=features.ref_space_uid * 3 + 5)
    assert torch.equal(encoder(renamed), encoder(features))


def test_padding_changes_nothing(encoder, features):
    n = len(features.ref_pos)
    names = [name for name, x in vars(features).items() if name.startswith(("ref_", "atom_"))]
    more = {}
    for name in names:
        x = getattr(features, name)
        room = torch.zeros((32, *x.shape[1:]), dtype=x.dtype)
        more[name] = torch.cat([x, room if x.dtype == torch.bool else room + 1])
    larger = replace(features, **more)
    assert len(larger.ref_pos) == n + 32
    torch.testing.assert_close(encoder(larger), encoder(features), rtol=0, atol=1e-5)


def test_token_pairs_are_those_of_the_atoms_tokens(features):
    encoder = random_network(REDUCED, 1).diffusion.atom_encoder
    i = torch.arange(20.0)
    z = torch.stack([i.unsqueeze(-1).expand(20, 20), i.expand(20, 20)], dim=-1)
    pairs = encoder.token_pairs(features.atom_to_token, z)
    window, query, key = 1, 7, 60
    first_key = window * 32 - 48
    expected = [features.atom_to_token[32 + query], features.atom_to_token[first_key + key]]
    assert pairs[window, query, key].tolist() == [float(token) for token in expected]
