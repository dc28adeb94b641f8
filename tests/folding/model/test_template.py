"""The template embedder."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from folding.chemistry.residues import GAP_CLASS
from folding.data.templates import N_TEMPLATES, NO_BIN, TemplateFeatures, no_templates
from folding.model.embedding import same
from folding.model.template import TemplateEmbedder, n_features
from tests.folding.model.cases import (
    REDUCED,
    REDUCED_ALPHAFOLD3,
    REDUCED_OPENFOLD3,
    random_features,
    random_network,
    without_templates,
)

N = 14


@pytest.fixture(scope="module")
def features():
    return random_features(6, n_tokens=N)


@pytest.fixture(scope="module")
def embedder() -> TemplateEmbedder:
    return random_network(REDUCED, 1).template_embedder


@pytest.fixture(scope="module")
def z() -> torch.Tensor:
    return torch.randn((N, N, REDUCED.c_z), generator=torch.Generator().manual_seed(1))


def one_hot_features(features, index: int) -> torch.Tensor:
    """The 108 columns of algorithm 16, written out."""
    templates, one_chain = features.templates, same(features.asym_id)
    distance = (templates.distance_mask[index] & one_chain).unsqueeze(-1)
    frame = (templates.frame_mask[index] & one_chain).unsqueeze(-1)
    bins = functional.one_hot(templates.distance_bin[index], NO_BIN + 1)[..., :NO_BIN]
    restype = functional.one_hot(templates.restype[index], 32)
    columns = [
        *(bins * distance, distance),
        *(restype.expand(N, N, 32), restype.unsqueeze(1).expand(N, N, 32)),
        *(templates.unit_vector[index] * frame, frame),
    ]
    return torch.cat([x.float() for x in columns], dim=-1)


def with_templates(features, **changes):
    return replace(features, templates=replace(features.templates, **changes))


@pytest.mark.parametrize("index", range(N_TEMPLATES))
def test_look_ups_are_the_product_with_one_hot_features(embedder, features, index):
    columns = one_hot_features(features, index)
    assert columns.shape[-1] == n_features(REDUCED) == 108
    expected = columns @ embedder.linear_features.weight.t()
    result = embedder.embed(features, features.templates, index)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)


def test_pairs_of_different_chains_see_nothing_but_the_classes(embedder, features):
    different = ~same(features.asym_id)
    blank = torch.zeros_like(features.templates.distance_mask)
    classes_only = with_templates(features, distance_mask=blank, frame_mask=blank)
    seen = embedder.embed(features, features.templates, 0)
    unseen = embedder.embed(features, classes_only.templates, 0)
    torch.testing.assert_close(seen[different], unseen[different])
    assert (seen - unseen)[~different].abs().max() > 0.1


def test_what_masks_hide_does_not_matter(embedder, features, z):
    templates = features.templates
    noise = torch.full_like(templates.unit_vector, 7.0)
    hidden = with_templates(
        features,
        unit_vector=torch.where(templates.frame_mask.unsqueeze(-1), templates.unit_vector, noise),
        distance_bin=torch.where(templates.distance_mask, templates.distance_bin, 3),
    )
    torch.testing.assert_close(embedder(hidden, z), embedder(features, z), rtol=0, atol=1e-6)


def test_the_order_of_templates_does_not_matter(embedder, features, z):
    order = torch.tensor([2, 0, 3, 1])
    shuffled = {name: x[order] for name, x in vars(features.templates).items()}
    result = embedder(replace(features, templates=TemplateFeatures(**shuffled)), z)
    torch.testing.assert_close(result, embedder(features, z), rtol=0, atol=1e-5)


def test_a_job_without_templates_shows_four_empty_ones(embedder, features, z):
    nothing = no_templates((N,), z.device)
    assert nothing.restype.tolist() == [[GAP_CLASS] * N, *([[0] * N] * (N_TEMPLATES - 1))]
    assert not nothing.distance_mask.any() and not nothing.frame_mask.any()
    assert (nothing.distance_bin == NO_BIN).all()
    shown = embedder(replace(features, templates=nothing), z)
    assert torch.equal(embedder(without_templates(features), z), shown)
    assert shown.abs().max() > 0.1, "even then the embedder adds something"


def test_every_program_shows_other_classes_where_there_is_no_template(features, z):
    shown = []
    for config in (REDUCED, REDUCED_OPENFOLD3, REDUCED_ALPHAFOLD3):
        classes = config.variant.empty_templates
        assert no_templates((N,), z.device, classes).restype[:, 0].tolist() == list(classes)
        variant = replace(REDUCED.variant, empty_templates=classes)
        embedder = TemplateEmbedder(replace(REDUCED, variant=variant))
        embedder.load_state_dict(random_network(REDUCED, 1).template_embedder.state_dict())
        shown.append(embedder(without_templates(features), z))
    first, second, third = shown
    assert all((a - b).abs().max() > 1e-3 for a, b in ((first, second), (second, third)))


def test_empty_templates_have_the_batch_axes_of_the_job(embedder, features):
    assert no_templates((3, 2, N), torch.device("cpu")).unit_vector.shape == (3, 2, 4, N, N, 3)


def test_without_blocks_nothing_is_added(features, z):
    silent = TemplateEmbedder(replace(REDUCED, n_template_blocks=0))
    assert not silent(features, z).any()


def test_the_small_model_has_no_template_parameters():
    model = random_network(replace(REDUCED, c_template=0), 1)
    assert model.template_embedder is None
    assert not [name for name in model.state_dict() if "template" in name]


def test_templates_move_with_the_features(features):
    moved = features.to("meta")
    assert moved.templates.unit_vector.device.type == "meta"
    assert without_templates(features).to("cpu").templates is None
