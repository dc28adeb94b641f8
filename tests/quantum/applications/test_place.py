"""Where circuits of applications run: exact here, drawn elsewhere, and every batch on record."""

import pytest
import torch

from quantum.applications.place import Place, Rehearsal, Route
from quantum.backends.base import Estimate, Measured
from quantum.backends.choose import BackendManager
from quantum.backends.noisy import NoisyBackend
from quantum.backends.simulated import SimulatorBackend
from quantum.circuit import Circuit
from quantum.errors import BackendError, DoesNotFit, NotConfigured
from quantum.observable import X, Z

TURN = Circuit(1).ry("a", 0)
ROWS = torch.tensor([[0.3], [1.2]], dtype=torch.float64)


def unused(batch):
    raise AssertionError("a backend can do it")


def place(where="simulator", *, shots=500, seed=0, report=lambda event: None) -> Place:
    return Place(where, shots=shots, seed=seed, report=report)


class Fickle(SimulatorBackend):
    """Closed where its list says so."""

    def submit(self, batch):
        if moods.pop(0) == "closed":
            raise NotConfigured("closed for lunch")
        return super().submit(batch)


moods: list[str] = []


@pytest.mark.parametrize("where", ["simulator", "mock"])
def test_means_here_are_exact_and_take_no_shots(where):
    means, errors = place(where).means(TURN, ROWS, [Z(0), X(0)], classical=unused)
    wanted = torch.stack([ROWS[:, 0].cos(), ROWS[:, 0].sin()], 1)
    assert torch.allclose(means, wanted) and not errors.any()


def test_means_elsewhere_are_drawn_and_say_how_well_they_are_known():
    where = place(SimulatorBackend(name="elsewhere"), shots=4000)
    means, errors = where.means(TURN, ROWS, [Z(0)], classical=unused)
    exact = ROWS[:, :1].cos()
    assert 0 < errors.max() < 0.02
    assert ((means - exact).abs() < 5 * errors).all() and not torch.equal(means, exact)
    assert where.executions[0]["shots"] == 4000


def test_means_are_exact_where_the_simulator_takes_over():
    moods[:] = ["closed"]
    machines = {"ibm": Fickle(name="ibm"), "simulator": SimulatorBackend()}
    route = Route(BackendManager(machines.__getitem__, chains={"ibm": tuple(machines)}), "ibm")
    where = place(route)
    means, errors = where.means(TURN, ROWS, [Z(0)], classical=unused)
    assert where.name == "simulator" and where.executions[0]["fallback_reason"]
    assert torch.allclose(means, ROWS.cos()) and not errors.any()


def test_bits_are_counted_row_by_row_with_all_shots():
    found = place(shots=300).read(TURN, torch.tensor([[0.0], [torch.pi]]), classical=unused)
    assert [one.counts for one in found] == [{"0": 300}, {"1": 300}]


def test_a_seed_draws_the_same_and_another_one_others():
    first, again, other = (
        place(seed=seed).read(TURN, ROWS, classical=unused) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_every_batch_is_on_record_in_its_order():
    events: list[dict] = []
    where = place(report=events.append)
    where.read(TURN, ROWS, classical=unused)
    where.means(TURN, ROWS[:1], [Z(0)], classical=unused)
    assert [(e["n_runs"], e["shots"]) for e in where.executions] == [(2, 500), (1, None)]
    assert len({e["id"] for e in where.executions}) == 2
    told = [e for e in events if e["kind"] == "execution"]
    assert {e["id"] for e in told} == {e["id"] for e in where.executions}


def test_the_classical_method_gets_the_very_problem_and_its_answer_is_given_on():
    seen = []

    def solve(batch):
        seen.append(batch)
        return (Measured(means=(0.25,), errors=(0.0,)),) * 2

    moods[:] = ["closed"]
    where = place(Fickle(name="fickle"))
    means, errors = where.means(TURN, ROWS, [Z(0)], classical=solve)
    (batch,) = seen
    assert batch.circuits == (TURN,) and torch.equal(batch.values[0], ROWS)
    assert means.tolist() == [[0.25], [0.25]] and not errors.any()
    assert where.by_classical and where.name == "classical"
    assert where.apology == "No quantum backend ran the circuits (fickle: closed for lunch)."


def test_a_backend_that_opens_again_is_used_again():
    moods[:] = ["closed", "open"]
    where = place(Fickle(name="fickle"))
    answer = (Measured({"0": 500}),) * 2
    assert where.read(TURN, ROWS, classical=lambda batch: answer) == answer
    assert where.by_classical
    where.read(TURN, ROWS, classical=unused)
    assert not where.by_classical and where.name == "fickle"
    assert where.apology == "No quantum backend ran the circuits (fickle: closed for lunch)."
    assert [e["backend"] for e in where.executions] == ["classical", "fickle"]


def test_where_the_classical_method_cannot_either_all_reasons_are_told():
    def solve(batch):
        raise DoesNotFit("too large for a list")

    moods[:] = ["closed"]
    with pytest.raises(BackendError, match=r"fickle: closed for lunch; classical: too large"):
        place(Fickle(name="fickle")).read(TURN, ROWS, classical=solve)


def test_an_error_of_the_classical_method_that_nobody_foresaw_is_not_swallowed():
    moods[:] = ["closed"]
    with pytest.raises(ZeroDivisionError):
        place(Fickle(name="fickle")).read(TURN, ROWS, classical=lambda batch: 1 / 0)


def test_names_without_a_manager_are_of_what_is_free_here():
    assert place("noisy").name == "noisy"
    for name, words in (("ibm", "QISKIT_IBM_TOKEN"), ("quantum", "takes a manager")):
        with pytest.raises(NotConfigured, match=words):
            place(name)


# Rehearsals


class Priced(SimulatorBackend):
    """A machine that would cost something, and must not be used."""

    def estimate(self, batch):
        return Estimate(12.0, 1.0, 2.5 * batch.n_runs)

    def submit(self, batch):
        raise AssertionError("nothing is handed over in a rehearsal")


def rehearse(wanted):
    known = {"ibm": Priced(name="ibm"), "noisy": NoisyBackend(), "mock": SimulatorBackend("mock")}

    def open_one(name):
        if name == "ionq":
            raise NotConfigured("IonQ is not configured")
        return known.get(name) or SimulatorBackend()

    rehearsal = Rehearsal(BackendManager(open_one))
    return rehearsal, place(Route(rehearsal, wanted))


def test_a_rehearsal_asks_everyone_and_answers_from_here():
    rehearsal, where = rehearse("ibm")
    found = where.read(TURN, torch.tensor([[0.0]]), classical=unused)
    assert found[0].counts == {"0": 500} and where.name == "simulator"
    (asked,) = rehearsal.asked
    assert [offer.backend for offer in asked.tried] == ["ibm", "ionq", "simulator"]
    assert [offer.backend for offer in asked.others] == ["mock", "noisy"]
    assert not asked.tried[0].can_run and "2.50 USD" in asked.tried[0].reason  # no budget here
    assert asked.batch.shots == 500


def test_a_rehearsal_asks_about_every_batch():
    rehearsal, where = rehearse("simulator")
    for _ in range(3):
        where.read(TURN, ROWS, classical=unused)
    assert len(rehearsal.asked) == 3
    assert {offer.backend for offer in rehearsal.asked[0].others} == {
        "mock",
        "noisy",
        "ibm",
        "ionq",
    }
