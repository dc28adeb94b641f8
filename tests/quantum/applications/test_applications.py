"""Every application runs, reports, stops when asked, and tells the truth about its control."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from quantum.applications import applications, find_application, vqe
from quantum.applications.base import Parameter
from quantum.applications.classification import RATES, control, draw, hybrid
from quantum.applications.comparison import compare_pairs, share_interval
from quantum.applications.electrons import bond_lengths
from quantum.applications.embeddings import (
    Recommender,
    all_zero,
    embed,
    overlap_circuit,
    ratings,
)
from quantum.applications.place import Route
from quantum.applications.selection import cost_observable, greedy, random_market
from quantum.backends.base import Estimate, Status
from quantum.backends.choose import BackendManager
from quantum.backends.executions import ExecutionLog
from quantum.backends.run import Patience
from quantum.backends.simulated import SimulatorBackend
from quantum.errors import Cancelled, InvalidValues, NotConfigured, NotFound
from quantum.simulator import run

SMALL = {
    "molecules": {"molecule": "H2", "steps": 2},
    "portfolio": {"assets": 5, "picks": 2, "markets": 2, "steps": 3, "depth": 1, "shots": 200},
    "recommender": {"users": 12, "items": 10, "qubits": 2, "epochs": 1, "repeats": 2},
    "classifier": {"samples": 40, "epochs": 1, "repeats": 2, "qubits": 2, "depth": 1},
}


@pytest.fixture(scope="module")
def results():
    """Each application's result and events, on small values."""
    found = {}
    for name, values in SMALL.items():
        events: list[dict] = []
        found[name] = (find_application(name).run(values, events.append), events)
    return found


@pytest.mark.parametrize("name", SMALL)
def test_it_reports_and_concludes(results, name):
    result, events = results[name]
    kinds = {event["kind"] for event in events}
    assert {"progress", "metric", "execution"} <= kinds
    losses = [event["loss"] for event in events if event["kind"] == "metric"]
    assert np.isfinite(losses).all()
    done = [event for event in events if event["kind"] == "progress"]
    assert done[-1]["done"] <= done[-1]["total"]
    assert result.winner in ("quantum", "classical", "tie")
    assert result.executions and result.executions[0]["status"] == "succeeded"
    assert result.executions[0]["backend"] == "simulator"
    json.dumps([result.numbers, result.series, result.executions, events])  # rows and pages take it


@pytest.mark.parametrize("name", SMALL)
def test_a_seed_gives_the_same_result(results, name):
    again = find_application(name).run(SMALL[name], lambda event: None)

    def plain(result):
        return {key: v for key, v in result.numbers.items() if "seconds" not in key}

    assert plain(again) == plain(results[name][0])
    assert again.series == results[name][0].series


@pytest.mark.parametrize("name", SMALL)
def test_it_stops_when_asked(name):
    seen = []

    def report(event):
        seen.append(event)
        if event["kind"] == "metric":
            raise Cancelled

    with pytest.raises(Cancelled):
        find_application(name).run(SMALL[name], report)
    assert sum(event["kind"] == "metric" for event in seen) == 1


@pytest.mark.parametrize("name", SMALL)
def test_another_backend_may_be_given(name):
    events: list[dict] = []
    backend = SimulatorBackend(name="elsewhere", seed=1)
    result = find_application(name).run({**SMALL[name], "backend": backend}, events.append)
    assert {e["backend"] for e in result.executions} == {"elsewhere"}
    assert "elsewhere" in result.summary
    assert all(e["n_runs"] >= 1 and e["seconds"] >= 0 for e in result.executions)


class Broken(SimulatorBackend):
    """Takes nothing, and asks for a price."""

    cost = 0.0

    def submit(self, batch):
        raise NotConfigured("no token")

    def estimate(self, batch):
        return Estimate(None, 1.0, self.cost)


class Dear(Broken):
    cost = 2.5


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    ("backend", "reason"), [(Broken, "no token"), (Dear, "would cost 2.50 USD; 0.00 may")]
)
def test_where_no_backend_can_or_may_a_classical_method_answers_and_says_so(name, backend, reason):
    events: list[dict] = []
    chosen = {**SMALL[name], "backend": backend(name="closed", seed=0)}
    result = find_application(name).run(chosen, events.append)
    assert {e["backend"] for e in result.executions} == {"classical"}
    for execution in result.executions:
        (hop,) = execution["hops"]
        assert hop["backend"] == "closed" and reason in hop["reason"]
        assert execution["status"] == "succeeded" and execution["cost"] == 0
    assert f"No quantum backend ran the circuits (closed: {hop['reason']})." in result.summary
    assert result.numbers["answered_by"] == "classical"
    told = [e["backend"] for e in events if e["kind"] == "execution" and e["status"] == "succeeded"]
    assert set(told) == {"classical"}
    json.dumps([result.numbers, result.series])


def closed(name, **values):
    """The application's result where no quantum backend is open."""
    chosen = {**SMALL[name], **values, "backend": Broken(name="closed", seed=0)}
    return find_application(name).run(chosen, lambda event: None)


def test_the_energy_without_a_circuit_is_that_of_diagonalisation():
    result = closed("molecules")
    assert result.winner == "classical" and result.numbers["gap_hartree"] == 0
    assert result.numbers["energy_hartree"] == pytest.approx(-1.1373, abs=5e-5)
    assert result.numbers["optimised_energy_hartree"] > result.numbers["exact_hartree"]
    assert "not measured" in result.summary


def test_qaoa_gets_no_credit_for_what_enumeration_found():
    result = closed("portfolio")
    numbers = result.numbers
    assert result.winner == "classical" and numbers["markets_by_qaoa"] == 0
    assert numbers["qaoa_found_optimum"] == 0 and numbers["found_low"] is None
    assert result.series["qaoa"] == [None, None] and numbers["invalid_share"] is None
    assert result.series["p_optimum"] == [None, None] and numbers["p_optimum_qaoa"] is None
    assert "by enumeration in 2 of 2 markets" in result.summary
    assert "QAOA on" not in result.summary


def test_markets_after_the_backend_closed_are_counted_apart():
    class Tired(SimulatorBackend):
        def submit(self, batch):
            if seen:
                raise NotConfigured("worn out")
            seen.append(batch)
            return super().submit(batch)

    seen: list = []
    chosen = {**SMALL["portfolio"], "backend": Tired(name="tired", seed=0)}
    result = find_application("portfolio").run(chosen, lambda event: None)
    assert result.numbers["answered_by"] == "tired, classical"
    assert (result.numbers["markets"], result.numbers["markets_by_qaoa"]) == (2, 1)
    assert result.winner == "classical" and result.series["qaoa"][1] is None
    assert "QAOA on tired found" in result.summary and "of 1 markets" in result.summary
    assert "(tired: worn out)" in result.summary


def test_markets_before_the_backend_opened_are_told_with_their_reason():
    class Late(SimulatorBackend):
        def submit(self, batch):
            seen.append(batch)
            if len(seen) == 1:
                raise NotConfigured("not awake yet")
            return super().submit(batch)

    seen: list = []
    chosen = {**SMALL["portfolio"], "backend": Late(name="late", seed=0)}
    result = find_application("portfolio").run(chosen, lambda event: None)
    assert result.numbers["answered_by"] == "classical, late"
    assert "No quantum backend ran the circuits (late: not awake yet)." in result.summary
    assert "in 1 of 2 markets" in result.summary
    nothing, chance = result.series["p_optimum"]
    assert nothing is None and result.numbers["p_optimum_qaoa"] == chance
    assert f"Ideally, without noise, a shot is the optimum with {chance:.1%}" in result.summary


def test_overlaps_by_algebra_are_those_of_the_circuit():
    model = Recommender(5, 8, kind="quantum", n_qubits=3, seed=4)
    users, items = model.users.detach()[:1].expand(8, -1), model.items.detach()
    states = embed(torch.cat([users[:1], items]).double().numpy())
    overlaps = np.abs(states[1:].conj() @ states[0]) ** 2
    assert np.linalg.norm(states, axis=1) == pytest.approx(1)
    assert overlaps == pytest.approx(model.likeness(users, items).detach().numpy(), abs=1e-6)


def test_what_is_recommended_does_not_depend_on_who_answers(results):
    ran, _ = results["recommender"]
    instead = closed("recommender")
    assert ran.numbers["largest_overlap_error_measured"] < 0.1
    assert instead.numbers["largest_overlap_error_measured"] is None
    many = find_application("recommender").run(
        {**SMALL["recommender"], "shots": 100_000}, lambda event: None
    )
    assert instead.numbers["recommended_item"] == many.numbers["recommended_item"]


def test_samples_are_classified_by_the_classical_layer_where_no_circuit_ran():
    result = closed("classifier", epochs=10, samples=120)
    assert result.numbers["measured_agreement"] is None
    assert "The classical layer classified the 16 samples instead." in result.summary
    assert "get the same class" not in result.summary
    assert result.numbers["gain"] == pytest.approx(
        result.numbers["quantum_accuracy"] - result.numbers["classical_accuracy"]
    )


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("backend", "words"), [("ionq", "IONQ_API_KEY"), ("quantum", "manager")])
def test_a_backend_without_credentials_is_refused_before_any_work(name, backend, words):
    events: list[dict] = []
    with pytest.raises(NotConfigured, match=words):
        find_application(name).run({**SMALL[name], "backend": backend}, events.append)
    assert events == []


def test_a_route_goes_through_a_manager_which_may_fall_back(tmp_path):
    def open_one(name):
        if name == "simulator":
            return SimulatorBackend()
        raise NotConfigured(f"{name} is asleep")

    log = ExecutionLog(tmp_path / "log.jsonl")
    route = Route(BackendManager(open_one, log=log), "ionq")
    chosen = {**SMALL["molecules"], "backend": route, "shots": 4000}
    result = find_application("molecules").run(chosen, lambda event: None)
    (execution,) = result.executions
    assert (execution["wanted"], execution["backend"]) == ("ionq", "simulator")
    assert [hop["backend"] for hop in execution["hops"]] == ["ionq", "ibm"]
    assert execution["fallback_reason"] == "ibm is asleep"
    assert [logged.id for logged in log] == [execution["id"]]
    assert "on simulator" in result.summary
    assert result.numbers["standard_error_hartree"] == 0  # who takes over here needs no shots
    optimised = result.numbers["optimised_energy_hartree"]
    assert result.numbers["energy_hartree"] == pytest.approx(optimised, abs=1e-10)


def test_it_stops_while_a_backend_works():
    """Cancelled from the report of an execution: the job is cancelled where it runs."""
    cancelled = []

    class Slow(SimulatorBackend):
        def status(self, handle):
            return Status.RUNNING

        def cancel(self, handle):
            cancelled.append(handle.job_id)

    def report(event):
        if event["kind"] == "execution" and event["status"] == "running":
            raise Cancelled

    with pytest.raises(Cancelled):
        chosen = {**SMALL["molecules"], "backend": Slow(name="slow", seed=0)}
        find_application("molecules").run(chosen, report)
    assert len(cancelled) == 1


def test_the_energy_curve_has_every_bond_length(monkeypatch):
    few = bond_lengths("H2")[::4]
    monkeypatch.setattr(vqe, "bond_lengths", lambda name: few)
    events: list[dict] = []
    chosen = {"molecule": "H2", "steps": 20, "curve": True}
    series = find_application("molecules").run(chosen, events.append).series
    lengths = series["bond_length_angstrom"]
    assert lengths == few and len(few) > 2
    gaps = np.subtract(series["vqe_hartree"], series["exact_by_length_hartree"])
    assert np.abs(gaps).max() < 1e-6
    correlation = np.subtract(series["hartree_fock_by_length_hartree"], series["vqe_hartree"])
    assert (correlation > 0.005).all() and correlation[-1] == correlation.max()
    assert events[-1] == {"kind": "progress", "done": len(lengths), "total": len(lengths)}


def test_noise_is_seen_in_the_answer():
    result = find_application("molecules").run(
        {**SMALL["molecules"], "backend": "noisy", "shots": 1000}, lambda event: None
    )
    assert result.executions[0]["backend"] == "noisy" and result.winner == "classical"
    assert result.numbers["gap_hartree"] > 0.005


def test_listing_them_imports_neither_torch_nor_a_vendor():
    code = """
import sys
from quantum.applications import applications
print(*(a.name for a in applications()))
print(*({"torch", "qiskit", "cirq", "scipy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["molecules portfolio recommender classifier", ""]


def test_unknown_names_and_values_are_refused_in_words():
    with pytest.raises(NotFound, match="molecules, portfolio"):
        find_application("alchemy")
    for application in applications():
        with pytest.raises(InvalidValues, match="has no parameter colour"):
            application.run({"colour": "red"}, lambda event: None)
        defaults = application.values({})
        assert application.values(defaults) == defaults
    with pytest.raises(InvalidValues, match="fewer than assets"):
        find_application("portfolio").run({"assets": 4, "picks": 4}, lambda event: None)


@pytest.mark.parametrize(
    ("parameter", "given", "wanted"),
    [
        (Parameter("n", "int", 1, 0, 9), "7", 7),
        (Parameter("x", "float", 1.0, 0, 9), "2.5", 2.5),
        (Parameter("b", "bool", False), "on", True),
        (Parameter("c", "choice", "a", choices=("a", "b")), "b", "b"),
        (Parameter("n", "int", 1, 0, 9), "2.5", None),
        (Parameter("n", "int", 1, 0, 9), 10, None),
        (Parameter("n", "int", 1, 0, 9), True, None),
        (Parameter("n", "int", 1, 0, 9), "many", None),
        (Parameter("x", "float", 1.0, 0, 9), "nan", None),
        (Parameter("b", "bool", False), "perhaps", None),
        (Parameter("c", "choice", "a", choices=("a", "b")), "z", None),
    ],
)
def test_values_are_read_from_forms(parameter, given, wanted):
    if wanted is None:
        with pytest.raises(InvalidValues, match=parameter.name):
            parameter.read(given)
    else:
        assert parameter.read(given) == wanted


def test_the_cost_of_a_portfolio_is_its_energy():
    market = random_market(5, 2, risk_aversion=2.0, seed=3)
    energies = cost_observable(market).matrix(5).diagonal().real
    for bits in itertools.product((0, 1), repeat=5):
        index = int("".join(map(str, bits)), 2)
        row = np.array([bits])
        assert energies[index] == pytest.approx(market.costs(row)[0], abs=1e-12)


def test_portfolios_and_greed():
    market = random_market(6, 3, risk_aversion=0.0, seed=1)
    everything = market.portfolios()
    assert len(everything) == 20 and (everything.sum(1) == 3).all()
    assert len({tuple(row) for row in everything}) == 20
    best = everything[market.costs(everything).argmin()]
    assert np.array_equal(greedy(market), best)  # without risk, greed is right
    assert set(np.flatnonzero(best)) == set(np.argsort(-market.mean)[:3])


def test_portfolio_numbers_are_consistent(results):
    result, _ = results["portfolio"]
    assert result.numbers["invalid_share"] == 0  # the mixer keeps the number of picks
    assert all(value >= -1e-9 for value in result.series["qaoa"])
    assert result.numbers["p_optimum_chance"] == pytest.approx(1 / 10)
    hits = sum(value < 1e-9 for value in result.series["qaoa"])
    assert result.numbers["qaoa_found_optimum"] == hits
    assert result.winner == ("tie" if hits == 2 else "classical")


def test_overlaps_are_those_of_the_states():
    model = Recommender(4, 3, kind="quantum", n_qubits=2, seed=0)
    users, items = model.users.detach(), model.items.detach()
    found = model.likeness(users[:3], items)
    own = overlap_circuit(2)
    user_part = own.__class__(2, own.instructions[: len(own.instructions) // 2])
    item_part = own.__class__(2, own.instructions[len(own.instructions) // 2 :]).inverse()
    order = {"y_0": 0, "y_1": 1, "x_0": 2, "x_1": 3}

    def state(circuit, values):
        columns = [order[name.split("_", 1)[1]] for name in circuit.inputs]
        return run(circuit, inputs=values[:, columns])

    overlap = (state(item_part, items).conj() * state(user_part, users[:3])).sum(1).abs().square()
    assert torch.allclose(found, overlap, atol=1e-6)
    assert model.likeness(users[:1], users[:1]).item() == pytest.approx(1, abs=1e-6)


def test_the_projector_is_one_on_zeros_and_nowhere_else():
    diagonal = all_zero(3).matrix(3).diagonal().real
    assert diagonal.tolist() == pytest.approx([1] + [0] * 7, abs=1e-12)


def test_both_recommenders_have_the_same_number_of_parameters():
    sizes = {
        kind: sum(p.numel() for p in Recommender(5, 4, kind=kind, n_qubits=2, seed=0).parameters())
        for kind in ("quantum", "dot", "gauss")
    }
    assert set(sizes.values()) == {9 * 5 + 1}


def test_ratings_are_standardised_and_one_in_three_is_seen():
    table = ratings(60, 50, seed=0)
    assert len(table) == pytest.approx(1000, rel=0.1)
    assert table.targets.std().item() == pytest.approx(1, abs=0.15)
    assert len({tuple(pair) for pair in table.features.tolist()}) == len(table)


@pytest.mark.parametrize("qubits", [2, 4, 6])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_control_has_at_least_as_many_weights(qubits, depth):
    chosen = {"qubits": qubits, "depth": depth}
    sizes = [
        sum(p.numel() for p in build(4, 3, chosen, 0).parameters()) for build in (hybrid, control)
    ]
    assert sizes[0] <= sizes[1] <= sizes[0] + qubits**2 + qubits


def test_each_network_gets_the_same_search_for_a_learning_rate(results):
    result, events = results["classifier"]
    searched = [e for e in events if e["kind"] == "metric" and e["repeat"] == -1]
    names = ("quantum", "classical", "wide")
    steps = {name: sum(e["model"] == name for e in searched) for name in names}
    assert set(steps.values()) == {len(RATES) * 2}  # one epoch of two batches
    for name in steps:
        assert result.numbers[f"{name}_learning_rate"] in RATES


def test_the_larger_network_is_told_of_and_takes_no_part(results):
    result, _ = results["classifier"]
    assert f"reaches {result.numbers['wide_accuracy']:.1%}" in result.summary
    assert result.numbers["wide_parameters"] == 4 * 32 + 32 + 32 * 3 + 3
    gain = result.numbers["quantum_accuracy"] - result.numbers["classical_accuracy"]
    assert result.numbers["gain"] == pytest.approx(gain)


@pytest.mark.parametrize(("data", "n_classes", "width"), [("rings", 3, 4), ("parity", 2, 4),
                                                          ("strokes", 4, 36)])  # fmt: skip
def test_data_are_drawn_by_seed_with_all_classes(data, n_classes, width):
    first, again, other = (draw(data, 120, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.features, again.features)
    assert not torch.equal(first.features, other.features)
    assert first.features.shape == (120, width)
    assert torch.bincount(first.targets).min() > 120 / n_classes / 2
    assert len(torch.bincount(first.targets)) == n_classes


def test_a_difference_counts_only_beyond_chance():
    assert compare_pairs([0.9, 0.8, 0.85], [0.5, 0.4, 0.46]).winner == "quantum"
    assert compare_pairs([0.5, 0.4, 0.46], [0.9, 0.8, 0.85]).winner == "classical"
    assert compare_pairs([0.9, 0.1, 0.5], [0.5, 0.4, 0.6]).winner == "tie"
    assert compare_pairs([0.9], [0.1]).winner == "tie"
    found = compare_pairs([1.0, 2.0, 3.0], [0.0, 0.0, 0.0])
    assert (found.low, found.high) == pytest.approx((2 - 2.484, 2 + 2.484), abs=1e-3)
    assert share_interval(5, 5) == pytest.approx((0.566, 1.0), abs=1e-3)


# All the way down


def all_closed(deadline_seconds=600.0, **options) -> BackendManager:
    """Neither provider has a token here, and the simulator takes one qubit."""

    def open_one(name):
        if name == "simulator":
            return SimulatorBackend(max_qubits=1)
        raise NotConfigured(f"{name} has no token")

    return BackendManager(open_one, patience=Patience(deadline_seconds=deadline_seconds), **options)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("wanted", "second"), [("ibm", "ionq"), ("ionq", "ibm")])
def test_each_hop_down_to_the_classical_method_has_its_reason(tmp_path, name, wanted, second):
    log = ExecutionLog(tmp_path / "log.jsonl")
    events: list[dict] = []
    chosen = {**SMALL[name], "backend": Route(all_closed(log=log), wanted)}
    result = find_application(name).run(chosen, events.append)
    for execution in result.executions:
        assert execution["wanted"] == wanted and execution["backend"] == "classical"
        hops = [(hop["backend"], hop["reason"].split(",")[0]) for hop in execution["hops"]]
        assert hops == [
            (wanted, f"{wanted} has no token"),
            (second, f"{second} has no token"),
            ("simulator", "simulator has 1 qubits"),
        ]
    assert f"({wanted}: {wanted} has no token; {second}: " in result.summary
    assert [(e.backend, e.status) for e in log] == [("classical", "succeeded")] * len(
        result.executions
    )
    told = [(e["backend"], e["status"]) for e in events if e["kind"] == "execution"]
    assert ("classical", "running") in told and told[-1] == ("classical", "succeeded")


@pytest.mark.parametrize("name", SMALL)
def test_a_deadline_that_nothing_meets_leaves_the_classical_method(name):
    manager = BackendManager(
        lambda name: SimulatorBackend(), patience=Patience(deadline_seconds=1e-9)
    )
    chosen = {**SMALL[name], "backend": Route(manager, "simulator")}
    result = find_application(name).run(chosen, lambda event: None)
    assert result.numbers["answered_by"] == "classical"
    assert "longer than the 1e-09 s for this batch" in result.summary


def test_the_answers_with_and_without_circuits_agree():
    """Exact on the simulator, exact by the classical methods: the same questions, after all."""
    chosen = {"molecule": "H2", "steps": 30}
    ran = find_application("molecules").run(chosen, lambda event: None)
    instead = find_application("molecules").run(
        {**chosen, "backend": Route(all_closed(), "ibm")}, lambda event: None
    )
    energies = [result.numbers["energy_hartree"] for result in (ran, instead)]
    assert energies[0] == pytest.approx(energies[1], abs=1e-6)
    assert (ran.winner, instead.winner) == ("tie", "classical")


@pytest.mark.parametrize("name", SMALL)
def test_progress_never_goes_back(results, name):
    _, events = results[name]
    shares = [e["done"] / e["total"] for e in events if e["kind"] == "progress"]
    assert shares == sorted(shares) and 0 < shares[-1] <= 1


@pytest.mark.parametrize("name", SMALL)
def test_the_summary_is_sentences_with_numbers(results, name):
    result, _ = results[name]
    assert result.summary.endswith(".") and any(c.isdigit() for c in result.summary)
    for odd in ("nan", "None", "inf ", "  "):
        assert odd not in result.summary
