"""A trunk that stays as it is: run once, left in every mode that it had."""

import pytest
import torch

from quantum.ansatz import hardware_efficient
from quantum.encoding import angle_encoding
from quantum.errors import InvalidValues
from quantum.store.datasets import TensorSamples, TrainingDataStore
from quantum.training.layer import QuantumLayer
from quantum.training.trainer import QuantumTrainer, TrainingOptions, accuracy
from quantum.training.transfer import FrozenTrunk, embed


def trunk() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5), torch.nn.Tanh()
    )


def samples(count: int = 23) -> TensorSamples:
    rows = torch.rand(count, 3, generator=torch.Generator().manual_seed(1))
    return TensorSamples(rows, torch.arange(count))


def test_samples_are_embedded_in_their_order_whatever_the_size_of_batches():
    whole = embed(trunk(), samples())
    for size in (1, 7, 23, 100):
        parts = embed(trunk(), samples(), batch_size=size)
        assert torch.equal(parts.targets, samples().targets)
        assert torch.allclose(parts.features, whole.features, atol=1e-6)
    assert not whole.features.requires_grad


def test_dropout_is_off_and_normalisation_learns_nothing_while_embedding():
    module = trunk()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    first, second = embed(module, samples()), embed(module, samples())
    assert torch.equal(first.features, second.features)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("outer", [True, False])
def test_every_part_is_left_in_the_mode_that_it_had(outer):
    """A part that its owner froze stays frozen: its statistics must not move later."""
    module = trunk().train(outer)
    module[1].eval()
    embed(module, samples())
    assert module.training is outer and module[2].training is outer
    assert module[1].training is False


def test_nothing_cannot_be_embedded():
    with pytest.raises(InvalidValues, match="no samples"):
        embed(trunk(), TensorSamples(torch.zeros(0, 3), torch.zeros(0)))


def test_samples_may_lie_in_a_file(tmp_path):
    held = samples()
    store = TrainingDataStore.create(tmp_path / "data.h5", held.features, held.targets)
    assert torch.allclose(
        embed(trunk(), store.part(), batch_size=5).features, embed(trunk(), held).features
    )


def test_a_frozen_trunk_has_nothing_to_learn_and_stays_in_evaluation_mode():
    frozen = FrozenTrunk(trunk())
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    network = torch.nn.Sequential(frozen, torch.nn.Linear(4, 2)).train()
    assert network[1].training and not frozen.module.training
    rows = samples().features
    assert torch.equal(frozen(rows), frozen(rows))  # no dropout
    network(rows).sum().backward()
    assert all(parameter.grad is None for parameter in frozen.parameters())
    assert network[1].weight.grad is not None


def test_a_frozen_trunk_hands_its_weights_on_with_its_network():
    first = torch.nn.Sequential(FrozenTrunk(trunk()), torch.nn.Linear(4, 2))
    second = torch.nn.Sequential(FrozenTrunk(trunk()), torch.nn.Linear(4, 2))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(samples().features), second(samples().features))


def test_a_circuit_behind_a_trained_trunk_learns_a_new_task():
    """The trunk knows a coordinate; the circuit learns its sign alone."""
    generator = torch.Generator().manual_seed(3)
    rows = 2 * torch.rand(80, 3, generator=generator) - 1
    data = TensorSamples(rows, (rows[:, 0] > 0).long())
    known = torch.nn.Linear(3, 2)
    with torch.no_grad():
        known.weight.copy_(torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.5, 0.0]]))
        known.bias.zero_()
    circuit = QuantumLayer(angle_encoding(2), hardware_efficient(2, 1), seed=0)
    network = torch.nn.Sequential(FrozenTrunk(known), circuit, torch.nn.Linear(2, 2))
    before = known.weight.clone()
    QuantumTrainer(
        network,
        torch.nn.functional.cross_entropy,
        data,
        options=TrainingOptions(epochs=12, batch_size=20, learning_rate=0.1),
    ).run()
    assert accuracy(network(data.features), data.targets) > 0.9
    assert torch.equal(known.weight, before)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch_size": -3}, "batch_size must be at least 1, not -3"),
        ({"checkpoint_every": 0}, "checkpoint_every is at least 1, or None for never, not 0"),
        ({"patience": 0}, "patience is at least 1"),
        ({"learning_rate": float("nan")}, "learning_rate is 0 or more"),
        ({"learning_rate": -0.1}, "not -0.1"),
        ({"clip_norm": 0.0}, "clip_norm is above 0"),
    ],
)
def test_settings_that_no_training_could_have_are_refused(options, words):
    with pytest.raises(InvalidValues, match=words):
        TrainingOptions(**options)
