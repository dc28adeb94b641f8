"""The weights that ship: they load strictly, quickly, and say where they come from."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from folding.weights import own
from folding.weights.own import OwnWeights, WeightsError, load


def test_the_shipped_weights_fit_the_small_network_and_are_frozen():
    model = load()
    parameters = dict(model.named_parameters())
    assert sum(p.numel() for p in parameters.values()) > 3_000_000
    assert not any(p.requires_grad for p in parameters.values())
    assert all(torch.isfinite(p).all() for p in parameters.values())
    assert not model.training


def test_they_are_small_enough_to_ship_and_say_how_they_were_made():
    weights = OwnWeights("small")
    assert weights.path.stat().st_size <= 60e6
    assert weights.facts["steps"] > 1000
    assert len(weights.hash) == 64
    assert "Limits" in weights.card.read_text()


def test_unknown_names_are_answered_with_those_that_exist():
    with pytest.raises(WeightsError, match=r"'large'.*small"):
        load("large")


def changed(tensors):
    name = "distogram.linear.bias"
    yield {k: v for k, v in tensors.items() if k != name}, f"lacks {name}"
    yield tensors | {"extra": torch.zeros(1)}, "holds extra"
    yield tensors | {name: torch.zeros(3)}, rf"{name} has shape \[3\].*needs \[64\]"


@pytest.mark.parametrize("case", range(3))
def test_weights_that_do_not_fit_are_refused_by_name(tmp_path, monkeypatch, case):
    tensors, message = list(changed(load_file(OwnWeights("small").path)))[case]
    save_file(tensors, tmp_path / "small.safetensors")
    monkeypatch.setattr(own, "FOLDER", tmp_path)
    with pytest.raises(WeightsError, match=message):
        load()
