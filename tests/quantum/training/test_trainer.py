"""A training stops, continues and is shared out without changing a bit of its result."""

import math
import pickle
from copy import deepcopy
from functools import partial

import pytest
import torch
from torch.nn.functional import huber_loss

from quantum.ansatz import hardware_efficient
from quantum.encoding import angle_encoding, iqp_encoding
from quantum.errors import Cancelled, InvalidValues, TrainingDiverged, WorkerLost
from quantum.observable import Z
from quantum.store.checkpoints import CheckpointManager
from quantum.store.datasets import TensorSamples, TrainingDataStore
from quantum.training.layer import QuantumLayer
from quantum.training.optimizer import NaturalGradient
from quantum.training.trainer import QuantumTrainer, TrainingOptions, accuracy
from quantum.training.transfer import FrozenTrunk, embed


def squares(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs - targets).square().mean()


def network(seed: int = 0, dropout: float = 0.2) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(3, 2),
        torch.nn.Dropout(dropout),
        QuantumLayer(angle_encoding(2), hardware_efficient(2, 1), dtype=torch.float64),
        torch.nn.Linear(2, 1),
    ).double()


def samples(count: int = 22, seed: int = 0) -> TensorSamples:
    rows = torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)).double()
    return TensorSamples(rows, (rows[:, :1] * rows[:, 1:2] - rows[:, 2:]).double())


def trainer(model=None, folder=None, loss=squares, data=None, validation=None, **options):
    chosen = {"epochs": 3, "batch_size": 8, "learning_rate": 0.05, **options}
    return QuantumTrainer(
        network() if model is None else model,
        loss,
        samples() if data is None else data,
        validation or samples(6, 1),
        TrainingOptions(**chosen),
        folder=folder,
    )


def stop_after(steps: int):
    def report(event):
        if event["kind"] == "progress" and event["done"] >= steps:
            raise Cancelled

    return report


def weights(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("optimizer", ["adam", "spsa", "sgd"])
@pytest.mark.parametrize("stop", [2, 3, 7])  # inside an epoch, at its end, inside the last
def test_a_stopped_training_continues_bit_for_bit(tmp_path, optimizer, stop):
    whole, cut = network(), network()
    expected = trainer(whole, optimizer=optimizer).run()
    with pytest.raises(Cancelled):
        trainer(cut, tmp_path, optimizer=optimizer).run(stop_after(stop))
    torch.rand(7)  # whatever else the program drew meanwhile
    fresh = network(seed=99)
    result = trainer(fresh, tmp_path, optimizer=optimizer).run()
    assert result.resumed_from == stop and result.steps == expected.steps == 9
    assert result.history == expected.history
    assert torch.equal(weights(fresh), weights(whole))


class Bare(QuantumLayer):
    """A layer and nothing else, as the optimizers of one circuit want it."""

    def __init__(self) -> None:
        super().__init__(angle_encoding(3), hardware_efficient(3, 1), [Z(0)], dtype=torch.float64)


@pytest.mark.parametrize("optimizer", ["adam", "spsa", "lbfgs", "qng", "rotosolve"])
def test_a_step_broken_off_inside_leaves_the_weights_of_the_last_whole_one(tmp_path, optimizer):
    """A backend hears of the wish to stop in the middle: between the losses of one step."""
    data = samples(8)
    n_losses = 0

    def means(outputs, targets):
        nonlocal n_losses
        n_losses += 1
        if n_losses == stop:
            raise Cancelled
        return outputs.mean()

    n_epochs, options = 2, {"data": data, "validation": data, "optimizer": optimizer}
    stop = -1
    whole, cut = Bare(), Bare()
    expected = trainer(whole, epochs=n_epochs, loss=means, **options).run()
    stop, n_losses = n_losses - 1, 0  # the validation is the last, this is the last of the step
    with pytest.raises(Cancelled):
        trainer(cut, tmp_path, epochs=n_epochs, loss=means, **options).run()
    result = trainer(Bare(), tmp_path, epochs=n_epochs, loss=means, **options).run()
    assert result.resumed_from == 1 and len(result.history) == len(expected.history)
    for ours, theirs in zip(result.history, expected.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)  # sums depend on where memory begins


def test_the_natural_gradient_is_that_of_the_data():
    """The metric belongs to the states that the samples make, behind the frozen layer before."""
    layer, data = Bare(), samples(20)
    by_hand = deepcopy(layer)
    before = torch.nn.Linear(3, 3).double().requires_grad_(False)
    features = before(data.features)

    def mean(outputs, targets):
        return outputs.mean()

    optimizer = NaturalGradient(
        by_hand.weights, circuit=by_hand.circuit, learning_rate=0.05, inputs=features
    )

    def closure():
        loss = by_hand(features).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    model = torch.nn.Sequential(before, layer)
    options = {"data": data, "validation": data, "optimizer": "qng", "batch_size": 20}
    trainer(model, epochs=1, loss=mean, **options).run()
    assert torch.allclose(layer.weights, by_hand.weights, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("loss", "scale"), [(squares, 1.0), (squares, 1e-4), (lambda o, t: o.exp().mean(), 1.0)]
)
def test_rotosolve_refuses_a_loss_that_is_no_expectation_value(loss, scale):
    layer = Bare()
    before = layer.weights.clone()
    one = trainer(layer, optimizer="rotosolve", loss=lambda o, t: scale * loss(o, t))
    with pytest.raises(InvalidValues, match="linear in the circuit's expectation values"):
        one.run()
    assert torch.equal(layer.weights, before)


def test_rotosolve_takes_a_linear_tail_and_any_linear_loss():
    tail = torch.nn.Linear(1, 2).double().requires_grad_(False)
    model = torch.nn.Sequential(Bare(), torch.nn.Dropout(0.3), tail)
    data = samples(4)
    result = trainer(
        model, optimizer="rotosolve", epochs=2, data=data, validation=data,
        loss=lambda o, t: 1e3 + 7.0 * (o * t).mean(),
    ).run()  # fmt: skip
    assert result.best_loss < 1e3 + 7.0 * tail.bias.mean().abs()


def test_the_loss_falls_and_everything_is_reported():
    events = []
    result = trainer(epochs=6).run(events.append)
    steps = [e for e in events if e["kind"] == "metric" and "gradient_norm" in e]
    epochs = [e for e in events if e["kind"] == "metric" and "validation_loss" in e]
    assert [e["step"] for e in steps] == list(range(18))
    assert all(e["gradient_norm"] > 0 and e["learning_rate"] == 0.05 for e in steps)
    assert [e["epoch"] for e in epochs] == list(range(6))
    assert [e["epoch_loss"] for e in epochs] == result.losses
    assert result.losses[-1] < 0.8 * result.losses[0]
    progress = [e for e in events if e["kind"] == "progress"]
    assert [e["done"] for e in progress] == list(range(1, 19)) and progress[0]["total"] == 18


def test_an_epoch_s_loss_is_the_mean_over_its_samples():
    model = network(dropout=0.0)
    data = samples()
    with torch.no_grad():
        expected = squares(model(data.features), data.targets).item()
    result = trainer(model, epochs=1, learning_rate=0.0, optimizer="sgd").run()
    assert result.losses[0] == pytest.approx(expected, rel=1e-12)


def test_metrics_are_computed_over_all_validation_data():
    model = network(dropout=0.0)
    one = trainer(model, epochs=1, learning_rate=0.0, optimizer="sgd", validation=samples(600, 2))
    one.metrics = {"largest": lambda o, t: (o - t).abs().max()}
    found = one.run().history[0]
    data = samples(600, 2)
    with torch.no_grad():
        outputs = model(data.features)
    assert found["largest"] == pytest.approx((outputs - data.targets).abs().max().item())
    assert found["validation_loss"] == pytest.approx(squares(outputs, data.targets).item())


def test_it_stops_early_and_keeps_the_best_epoch(tmp_path):
    """The learning rate is too high to gain anything after the first epochs."""
    model = network(dropout=0.0)
    one = trainer(model, tmp_path, epochs=50, patience=2, learning_rate=0.9)
    result = one.run()
    assert result.stopped == "early" and len(result.history) < 50
    assert len(result.history) == result.best_epoch + 3
    found = [epoch["validation_loss"] for epoch in result.history]
    assert result.best_loss == min(found) == found[result.best_epoch]
    data = samples(6, 1)
    with torch.no_grad():
        assert squares(model(data.features), data.targets).item() == pytest.approx(min(found))
    again = trainer(
        network(5, dropout=0.0), tmp_path, epochs=50, patience=2, learning_rate=0.9
    ).run()
    assert again.stopped == "early" and again.steps == result.steps


def test_a_finished_training_may_be_prolonged(tmp_path):
    straight, longer = network(), network()
    trainer(straight, epochs=3).run()
    trainer(longer, tmp_path, epochs=1).run()
    result = trainer(network(3), tmp_path, epochs=3)
    assert result.run().resumed_from == 3
    assert torch.equal(weights(result.model), weights(straight))


def test_other_settings_in_the_same_folder_are_refused(tmp_path):
    trainer(folder=tmp_path, epochs=1).run()
    with pytest.raises(InvalidValues, match="learning_rate, seed"):
        trainer(folder=tmp_path, epochs=2, learning_rate=0.1, seed=4).run()


def other_network(depth=1, observables=(), before=None, trained=True) -> torch.nn.Module:
    """Like `network` but for one thing."""
    torch.manual_seed(0)
    circuit = QuantumLayer(
        angle_encoding(2), hardware_efficient(2, depth), observables, dtype=torch.float64
    )
    first = torch.nn.Linear(3, 2).requires_grad_(trained)
    return torch.nn.Sequential(
        first, before or torch.nn.Dropout(0.2), circuit, torch.nn.Linear(2, 1)
    ).double()


def absolute(outputs, targets):
    return (outputs - targets).abs().mean()


def relabelled(row: int) -> TensorSamples:
    data = samples()
    data.targets[row] *= -1
    return data


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": lambda: other_network(depth=2)}, "other network, weights"),
        ({"model": lambda: other_network(observables=(Z(1), Z(0)))}, "other network"),
        ({"model": lambda: other_network(before=torch.nn.Tanh())}, "other network"),
        ({"model": lambda: other_network(trained=False)}, "other frozen weights"),
        ({"data": lambda: samples(23)}, "other training data"),
        ({"data": lambda: samples(seed=5)}, "other training data"),
        ({"data": lambda: relabelled(13)}, "other training data"),
        ({"data": lambda: TensorSamples(*samples().rows(torch.arange(21, -1, -1)))},
         "other training data"),
        ({"validation": lambda: samples(6, 2)}, "other validation data"),
        ({"loss": lambda: absolute}, "other loss"),
    ],
)  # fmt: skip
def test_a_folder_does_not_answer_for_another_training(tmp_path, changed, words):
    trainer(other_network(), tmp_path, epochs=1).run()
    model = (changed.get("model") or other_network)()
    before = weights(model)
    given = {name: make() for name, make in changed.items() if name != "model"}
    with pytest.raises(InvalidValues, match=rf"another training \({words}\): continue with"):
        trainer(model, tmp_path, epochs=1, **given).run()
    assert torch.equal(weights(model), before)
    again = trainer(other_network(), tmp_path, epochs=1).run()  # and the right one goes on
    assert again.resumed_from == 3


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (torch.nn.HuberLoss(delta=1.0), torch.nn.HuberLoss(delta=0.5)),
        (partial(huber_loss, delta=1.0), partial(huber_loss, delta=0.5)),
    ],
)
def test_a_loss_with_other_settings_is_another_loss(tmp_path, first, second):
    trainer(folder=tmp_path, loss=first, epochs=1).run()
    with pytest.raises(InvalidValues, match=r"\(other loss\)"):
        trainer(folder=tmp_path, loss=second, epochs=1).run()
    assert trainer(folder=tmp_path, loss=deepcopy(first), epochs=1).run().resumed_from == 3


def test_what_is_frozen_must_be_the_same_and_what_is_trained_may_start_anywhere(tmp_path):
    def tuned(trunk_seed: int, head_seed: int):
        trunk = FrozenTrunk(torch.nn.Sequential(network(trunk_seed, dropout=0.0)[0]))
        return torch.nn.Sequential(trunk, *network(head_seed, dropout=0.0)[1:])

    trainer(tuned(0, 0), tmp_path, epochs=1).run()
    with pytest.raises(InvalidValues, match=r"\(other frozen weights\)"):
        trainer(tuned(1, 0), tmp_path, epochs=1).run()
    assert trainer(tuned(0, 1), tmp_path, epochs=1).run().resumed_from == 3


def test_data_that_are_computed_again_may_differ_in_their_last_bits(tmp_path):
    data, again = samples(), samples()
    again.features.copy_((again.features.float() * 3 / 3).double())
    assert not torch.equal(data.features, again.features)
    trainer(folder=tmp_path, epochs=1).run()
    assert trainer(folder=tmp_path, epochs=1, data=again).run().resumed_from == 3


class Augmented(TensorSamples):
    """Read with some noise, as pictures are shifted."""

    def rows(self, index):
        features, targets = super().rows(index)
        return features + 0.1 * torch.rand(features.shape).double(), targets


def test_data_that_are_drawn_as_they_are_read_are_known_again(tmp_path):
    data = Augmented(samples().features, samples().targets)
    whole, cut = network(), network()
    trainer(whole, data=data).run()
    with pytest.raises(Cancelled):
        trainer(cut, tmp_path, data=data).run(stop_after(4))
    torch.rand(3)
    trainer(cut, tmp_path, data=data).run()
    assert torch.equal(weights(cut), weights(whole))


def test_a_checkpoint_from_before_trainings_were_told_apart_goes_on(tmp_path):
    with pytest.raises(Cancelled):
        trainer(folder=tmp_path).run(stop_after(4))
    manager = CheckpointManager(tmp_path)
    newest = manager.latest()
    tree = newest.read()
    del tree["identity"]
    manager.save(newest.step, tree)
    assert trainer(folder=tmp_path).run().resumed_from == 4


def test_a_damaged_checkpoint_costs_only_the_steps_since_the_one_before(tmp_path):
    whole = network()
    trainer(whole).run()
    with pytest.raises(Cancelled):
        trainer(network(), tmp_path, checkpoint_every=1).run(stop_after(5))
    newest = max(tmp_path.glob("step-*"))
    (newest / "tensors.safetensors").write_bytes(b"")
    model, events = network(8), []
    result = trainer(model, tmp_path, checkpoint_every=1).run(events.append)
    assert result.resumed_from == 4 and torch.equal(weights(model), weights(whole))
    assert logged(events) == ["continued from step 4: that of step 5 is damaged"]


def logged(events) -> list[str]:
    return [event["text"] for event in events if event["kind"] == "log"]


@pytest.mark.parametrize("file", ["tensors.safetensors", "metrics.json"])
def test_where_no_checkpoint_can_be_read_it_begins_anew_says_so_and_saves_again(tmp_path, file):
    with pytest.raises(Cancelled):
        trainer(network(), tmp_path, keep_last=1).run(stop_after(5))
    (only,) = tmp_path.glob("step-*")
    (only / file).write_bytes(b"")
    events: list[dict] = []
    stop = stop_after(2)
    with pytest.raises(Cancelled):
        trainer(network(), tmp_path, keep_last=1).run(lambda e: (events.append(e), stop(e)))
    assert logged(events) == [f"no checkpoint in {tmp_path} can be read: it begins anew"]
    assert trainer(network(), tmp_path, keep_last=1).run().resumed_from == 2


def test_random_numbers_of_the_caller_are_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    trainer(network_of(3)).run()
    assert torch.equal(torch.rand(2), expected)


def network_of(seed):
    """A network made without touching the caller's random numbers."""
    state = torch.get_rng_state()
    model = network()
    torch.set_rng_state(state)
    return model


def test_the_rate_falls_along_a_cosine_and_gradients_are_clipped():
    events = []
    trainer(schedule="cosine", clip_norm=1e-3).run(events.append)
    steps = [e for e in events if "gradient_norm" in e]
    rates = [e["learning_rate"] for e in steps]
    assert rates[0] == 0.05 and rates == sorted(rates, reverse=True)
    assert rates[3] == pytest.approx(0.05 * (1 + math.cos(math.pi / 3)) / 2)
    assert max(e["gradient_norm"] for e in steps) <= 1e-3 + 1e-9


def test_a_loss_that_is_no_number_stops_at_once(tmp_path):
    def bad(outputs, targets):
        return squares(outputs, targets) * float("nan")

    with pytest.raises(TrainingDiverged, match="lower learning rate"):
        trainer(folder=tmp_path, loss=bad).run()
    assert list(tmp_path.glob("step-*")) == []  # no checkpoint to continue from nowhere


def test_weights_that_are_no_numbers_are_no_model(tmp_path):
    """The last step of all spoils them: only the validation sees it."""

    def bad_without_gradient(outputs, targets):
        return squares(outputs, targets) * (1.0 if outputs.requires_grad else float("nan"))

    with pytest.raises(TrainingDiverged, match="validation loss of epoch 0 is nan: try a lower"):
        trainer(folder=tmp_path, loss=bad_without_gradient, epochs=1).run()
    assert list(tmp_path.glob("step-*")) == []


@pytest.mark.parametrize("optimizer", ["qng", "rotosolve", "lbfgs"])
def test_optimizers_of_circuits_train_a_bare_layer(optimizer):
    layer = QuantumLayer(angle_encoding(2), hardware_efficient(2, 1), dtype=torch.float64)
    rows = samples().features[:, :2]
    data = TensorSamples(rows, rows.cos().flip(1))
    found = trainer(layer, data=data, validation=data, batch_size=22, optimizer=optimizer,
                    loss=mean_output, learning_rate=0.2, epochs=2).run()  # fmt: skip
    assert found.losses[1] < found.losses[0]


def mean_output(outputs, targets):
    """An expectation value, as Rotosolve needs it."""
    return outputs.mean() + 0 * targets.sum()


def test_what_cannot_be_trained_is_said():
    with pytest.raises(InvalidValues, match="one quantum layer and nothing else"):
        trainer(optimizer="qng").run()
    with pytest.raises(InvalidValues, match="frozen"):
        trainer(network().requires_grad_(False)).run()
    with pytest.raises(InvalidValues, match="no samples"):
        trainer(data=TensorSamples(torch.zeros(0, 3), torch.zeros(0, 1))).run()
    with pytest.raises(InvalidValues, match="epochs must be at least 1"):
        TrainingOptions(epochs=0)


def test_data_may_lie_in_a_file(tmp_path):
    data = samples()
    stored = TrainingDataStore.create(tmp_path / "d.h5", data.features, data.targets).part()
    memory, disk = network(), network()
    assert trainer(memory).run().history == trainer(disk, data=stored).run().history
    assert torch.equal(weights(memory), weights(disk))


def test_two_workers_do_what_one_does_and_continue_where_they_stopped(tmp_path):
    alone, shared = network(dropout=0.0), network(7, dropout=0.0)
    expected = trainer(alone, epochs=1).run()
    with pytest.raises(Cancelled):
        trainer(network(dropout=0.0), tmp_path, epochs=1, workers=2).run(stop_after(2))
    result = trainer(shared, tmp_path, epochs=1, workers=2).run()
    assert result.resumed_from == 2 and result.losses == pytest.approx(expected.losses, rel=1e-12)
    assert torch.allclose(weights(shared), weights(alone), atol=1e-12, rtol=0)


class DiesInWorkers(torch.nn.Module):
    """A module whose copy in another process fails."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 1).double()
        self.is_copy = False

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.is_copy = True

    def forward(self, rows):
        if self.is_copy:
            raise RuntimeError("out of memory, say")
        return self.linear(rows)


def test_a_worker_that_dies_is_noticed(capfd):
    with pytest.raises(WorkerLost, match="gone"):
        trainer(DiesInWorkers(), workers=2).run()
    assert "out of memory, say" in capfd.readouterr().err


def test_what_cannot_be_sent_to_workers_is_said():
    with pytest.raises(InvalidValues, match="picklable"):
        trainer(loss=lambda o, t: (o - t).square().mean(), workers=2).run()


@pytest.mark.parametrize("encoder", [angle_encoding(2), iqp_encoding(2)])
def test_layers_can_be_sent(encoder):
    layer = QuantumLayer(encoder, hardware_efficient(2, 1))
    rows = torch.rand(2, 2)
    assert torch.equal(pickle.loads(pickle.dumps(layer))(rows), layer(rows))


def test_a_frozen_trunk_stays_as_it_is():
    trunk = torch.nn.Sequential(
        torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2), torch.nn.Dropout(0.5)
    ).double()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    circuit = QuantumLayer(angle_encoding(2), hardware_efficient(2, 1), dtype=torch.float64)
    head = torch.nn.Linear(2, 1).double()
    model = torch.nn.Sequential(FrozenTrunk(trunk), circuit, head)
    start = weights(model).clone()
    trainer(model).run()
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())
    assert not torch.equal(weights(model), start)


def test_embedding_the_samples_once_trains_the_same_head():
    trunk = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh()).double()
    data = samples()

    def head():
        return QuantumLayer(angle_encoding(2), hardware_efficient(2, 1), dtype=torch.float64)

    def first_output(outputs, targets):
        return (outputs[:, :1] - targets).square().mean()

    slow, quick = torch.nn.Sequential(FrozenTrunk(trunk), head()), head()
    expected = trainer(slow, loss=first_output).run()
    seen = [embed(trunk, part) for part in (data, samples(6, 1))]
    result = trainer(quick, loss=first_output, data=seen[0], validation=seen[1]).run()
    assert result.losses == pytest.approx(expected.losses, rel=1e-9)


def test_accuracy_counts_the_largest_output():
    assert accuracy(torch.eye(4), torch.tensor([0, 1, 2, 0])) == 0.75
