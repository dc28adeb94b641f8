"""A layer through a manager: one batch per call, within the budget, fallbacks that are said."""

import pytest
import torch

from quantum.ansatz import hardware_efficient
from quantum.backends.base import Estimate
from quantum.backends.choose import BackendManager
from quantum.backends.handles import HandleStore
from quantum.backends.ledger import Ledger
from quantum.backends.simulated import SimulatorBackend
from quantum.encoding import angle_encoding
from quantum.errors import BackendError, Cancelled, NotConfigured
from quantum.training.layer import QuantumLayer
from quantum.training.managed import through

FEATURES = torch.tensor([[0.3, -0.8], [1.1, 0.4]], dtype=torch.float64)


class Paid(SimulatorBackend):
    """A dollar for every run."""

    def estimate(self, batch):
        return Estimate(0.0, 1.0, float(batch.n_runs))


def layer(evaluate=None) -> QuantumLayer:
    return QuantumLayer(
        angle_encoding(2), hardware_efficient(2, 1), evaluate=evaluate, dtype=torch.float64
    )


def gradient(given: QuantumLayer) -> torch.Tensor:
    given(FEATURES).sum().backward()
    return given.weights.grad


def test_values_and_gradients_are_those_of_the_simulator_in_two_batches():
    events: list[dict] = []
    manager = BackendManager(lambda name: SimulatorBackend())
    remote, local = layer(through(manager, "simulator", report=events.append)), layer()
    assert torch.allclose(remote(FEATURES), local(FEATURES), atol=1e-12)
    events.clear()
    assert torch.allclose(gradient(remote), gradient(local), atol=1e-10)
    done = [e for e in events if e["kind"] == "execution" and e["status"] == "succeeded"]
    assert [e["n_runs"] for e in done] == [2, 2 * 2 * len(local.weights)]


def test_exact_values_stay_exact_and_their_differences_too():
    manager = BackendManager(lambda name: SimulatorBackend())
    remote, local = layer(through(manager, "simulator")), layer()
    assert torch.allclose(remote(FEATURES), local(FEATURES), rtol=0, atol=1e-14)
    remote.gradient = "finite_difference"
    assert torch.allclose(gradient(remote), gradient(local), rtol=0, atol=1e-8)


def test_the_budget_holds_in_the_middle_of_a_gradient(tmp_path):
    ledger = Ledger(tmp_path / "spent.jsonl", cap=5.0)
    manager = BackendManager(
        lambda name: Paid(name="paid"), ledger=ledger, chains={"paid": ("paid",)}
    )
    with pytest.raises(BackendError, match="would cost 16"):
        gradient(layer(through(manager, "paid")))
    assert ledger.spent() == 2.0  # the forward pass


def test_a_training_that_goes_on_finds_the_job_that_was_under_way(tmp_path):
    """And the same values asked for twice in one run are two jobs."""
    tags, alive = [], [True, False, True, True]

    class Device(Paid):
        def submit(self, batch):
            tags.append(batch.tag)
            return super().submit(batch)

        def result(self, handle):
            if not alive.pop(0):
                raise KeyboardInterrupt
            return super().result(handle)

    def evaluate(**options):
        manager = BackendManager(
            lambda name: Device(name="paid"),
            store=HandleStore(tmp_path / "handles"),
            ledger=Ledger(tmp_path / "spent.jsonl", cap=50.0),
            chains={"paid": ("paid",)},
        )
        return layer(through(manager, "paid", shots=10, **options))

    first = evaluate(run_name="mine")
    first(FEATURES)
    with pytest.raises(KeyboardInterrupt):
        first(FEATURES)
    assert len(set(tags)) == 2
    again = evaluate(run_name="mine")
    again(FEATURES)
    assert len(tags) == 3 and tags[2] == tags[0]  # this one had been answered
    again(FEATURES)
    assert len(tags) == 3 and not list(HandleStore(tmp_path / "handles"))


def test_it_falls_back_and_says_so():
    events: list[dict] = []

    def open_one(name):
        if name == "ibm":
            raise NotConfigured("no token")
        return SimulatorBackend()

    manager = BackendManager(open_one, chains={"ibm": ("ibm", "simulator")})
    layer(through(manager, "ibm", report=events.append))(FEATURES)
    assert (events[-1]["backend"], events[-1]["fallback_reason"]) == ("simulator", "no token")


def test_shots_are_drawn_by_the_seed():
    manager = BackendManager(lambda name: SimulatorBackend())

    def drawn(seed):
        return layer(through(manager, "simulator", shots=50, seed=seed))(FEATURES)

    assert torch.equal(drawn(1), drawn(1)) and not torch.equal(drawn(1), drawn(2))


def test_it_stops_when_asked():
    def report(event):
        raise Cancelled

    manager = BackendManager(lambda name: SimulatorBackend())
    with pytest.raises(Cancelled):
        layer(through(manager, "simulator", report=report))(FEATURES)
