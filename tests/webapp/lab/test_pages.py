"""What the Lab's pages say: numbers, names, figures and fallbacks in people's words."""

import json
from itertools import pairwise

import pytest
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.applications import applications
from quantum.backends.names import NAMES, QUANTUM
from webapp.lab import chores, engine, pages, runs
from webapp.lab.curves import MOST_POINTS, Line
from webapp.lab.folder import LabFolder
from webapp.models import Execution, Status

database = pytest.mark.django_db


@pytest.fixture
def guest(client, user):
    client.force_login(user)
    return client


def finished(make_run, name, result, **values):
    run = runs.start(make_run(name, **values).pk, worker="lab@here#1")
    assert runs.succeed(run, result)
    run.refresh_from_db()
    return run


# Numbers


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        (True, "True"),
        ("dot", "dot"),
        (0, "0"),
        (1234567, "1\u202f234\u202f567"),
        (-3.0, "-3"),
        (0.123456789, "0.12346"),
        (1.5e-7, "1.50e-07"),
        (2.5e9 + 0.5, "2.50e+09"),
        (-0.00012, "-1.20e-04"),
    ],
)
def test_a_number_has_no_more_digits_than_say_something(value, words):
    assert pages.number(value) == words


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_number_that_is_shown_is_the_number(value):
    shown = float(pages.number(value).replace("\u202f", ""))
    assert shown == pytest.approx(value, rel=6e-3, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gap_hartree", "Gap (Ha)"),
        ("bond_length_angstrom", "Bond length (Å)"),
        ("quantum_seconds", "Quantum (s)"),
        ("vqe_seconds", "VQE (s)"),
        ("quantum_rmse", "Quantum error (RMSE)"),
        ("markets_by_qaoa", "Markets where QAOA ran"),
        ("answered_by", "Answered by"),
    ],
)
def test_names_are_words_with_their_units(name, words):
    assert pages.label(name) == words


def test_shares_are_percent_and_differences_of_errors_are_not():
    assert pages.named_number("gain", 0.125, among={}) == "12.5\u202f%"
    assert pages.named_number("gain", 0.125, among={"quantum_rmse": 1.0}) == "0.125"
    assert pages.named_number("found_low", None, among={}) == "–"
    assert pages.named_number("quantum_accuracy", 1, among={}) == "100.0\u202f%"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("simulator", "Simulator"),
        ("ibm", "IBM Quantum"),
        ("classical", "Classical"),
        ("ionq, classical", "IonQ, Classical"),
        ("elsewhere", "elsewhere"),
    ],
)
def test_who_answered_is_named_as_everywhere_else(value, words):
    assert pages.named_number("answered_by", value, among={}) == words


def test_everything_that_can_be_chosen_or_can_answer_has_a_title():
    assert set(NAMES) <= set(pages.BACKEND_TITLES) and set(NAMES) <= set(pages.BACKEND_WORDS)
    for name in (*NAMES, QUANTUM, "classical"):
        assert pages.BACKEND_TITLES[name] != name
    for application in applications():
        for parameter in application.parameters:
            for choice in parameter.choices:
                words = pages.choice_words(choice)
                assert words[:1] == words[:1].upper() and "_" not in words


# Fallbacks


NOBODY = {
    "winner": "classical",
    "summary": "No quantum backend ran the circuits (ibm: no token; simulator: too wide).",
    "numbers": {"answered_by": "classical", "gap_hartree": 0.0},
    "series": {},
    "seconds": 1.0,
}


@database
def test_a_run_that_no_circuit_answered_says_so_in_all_places(guest, make_run):
    run = finished(make_run, "molecules", NOBODY, backend="ibm")
    Execution.objects.create(
        id="e1", run=run, wanted="ibm", backend="classical", status=Status.SUCCEEDED,
        fallback_reason="too wide",
        hops=[{"backend": "ibm", "reason": "no token", "seconds": 0.1},
              {"backend": "simulator", "reason": "too wide", "seconds": 0.2}],
    )  # fmt: skip
    page = guest.get(reverse("lab_run", args=[run.pk])).content.decode()
    assert "No quantum backend ran the circuits" in page and "Classical wins" in page
    assert "instead of IBM Quantum" in page
    for words in ("IBM Quantum</strong> did not take it: no token", "did not take it: too wide"):
        assert words in page
    assert ">Answered by<" in page and ">Classical<" in page


@database
def test_words_of_a_provider_cannot_become_markup(guest, make_run):
    evil = "<script>alert(1)</script>"
    run = finished(make_run, "molecules", {**NOBODY, "summary": evil})
    Execution.objects.create(
        id="e2", run=run, wanted="ibm", backend="simulator", fallback_reason=evil,
        hops=[{"backend": "ibm", "reason": evil, "seconds": 0.0}],
    )  # fmt: skip
    for url in (reverse("lab_run", args=[run.pk]), reverse("lab_executions")):
        page = guest.get(url).content.decode()
        assert evil not in page and "&lt;script&gt;" in page


def test_the_default_for_a_device_leaves_time_for_the_other_one(tmp_path):
    manager = engine.Site(LabFolder(tmp_path), wait_seconds=600.0).manager()
    assert manager.patience.deadline_seconds == 600.0
    assert manager.longest_queue_seconds == 300.0


def test_classical_methods_reach_the_manager_of_a_run(tmp_path):
    """A deadline that not even the simulator meets, on the way that a worker takes."""
    site = engine.Site(LabFolder(tmp_path / "lab"), wait_seconds=1e-9)
    events: list[dict] = []
    values = {"molecule": "H2", "steps": 1, "backend": "simulator"}
    found = engine.run_application(site, "molecules", values, run="r", report=events.append)
    assert found["numbers"]["answered_by"] == "classical" and found["winner"] == "classical"
    assert "simulator would take about" in found["summary"]
    (execution,) = engine.executions(site)
    assert (execution.backend, execution.status) == ("classical", "succeeded")
    assert execution.hops[0].backend == "simulator"


# Figures


@database
def test_a_market_that_qaoa_did_not_see_is_a_gap_in_its_line(make_run):
    series = {"market": [0, 1], "qaoa": [0.0, None], "greedy": [0.1, 0.2], "chance": [0.0, 0.3],
              "p_optimum": [0.5, 0.4], "step": [0], "mean_cost": [1.0]}  # fmt: skip
    run = finished(make_run, "portfolio", {**NOBODY, "series": series})
    figures = {figure["id"]: figure for figure in pages.figures(run)}
    lines = {line["label"]: line for line in figures["result-markets"]["lines"]}
    assert lines["QAOA, best shot"]["y"] == [0.0, None]
    assert lines["QAOA, best shot"]["x"] == [1, 2]  # people count from one
    assert lines["Greedy choice"]["dashed"] and not lines["QAOA, best shot"]["dashed"]
    json.dumps(figures)


@settings(deadline=None, max_examples=30)
@given(count=st.integers(1, 5000), most=st.integers(4, 60))
def test_a_line_keeps_its_ends_its_order_and_its_size(count, most):
    line = Line(most)
    for x in range(count):
        line.add(x, -float(x))
    xs, ys = line.points()
    assert len(xs) <= most + 1 and xs[0] == 0 and xs[-1] == count - 1
    assert xs == sorted(set(xs)) and ys == [-float(x) for x in xs]
    gaps = {b - a for a, b in pairwise(xs[:-1])}
    assert len(gaps) <= 1


@settings(deadline=None, max_examples=30)
@given(count=st.integers(1, 300), cut=st.integers(0, 320))
def test_a_line_that_is_cut_goes_on_from_there(count, cut):
    line = Line(MOST_POINTS)
    for x in range(count):
        line.add(x, 0.0)
    line.cut(cut)
    line.add(cut, 1.0)
    xs, ys = line.points()
    assert xs[-1] == cut and ys[-1] == 1.0
    assert xs[:-1] == list(range(min(cut, count)))


# Plain data


@settings(deadline=None, max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=10,
    )
)
def test_results_become_json_whatever_they_hold(value):
    json.dumps(engine.plain(value), allow_nan=False)
    json.dumps(engine.plain({"a": (value, value)}), allow_nan=False)


def test_tensors_and_numpy_become_numbers():
    import numpy as np
    import torch

    given_ = {1: torch.tensor(2.5), "b": np.float32(0.5), "c": (np.int64(3), float("inf"))}
    assert engine.plain(given_) == {"1": 2.5, "b": 0.5, "c": [3, None]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("no token", "No token."),
        ("What now?", "What now?"),
        ("", "ValueError."),
        ("done.", "Done."),
    ],
)
def test_errors_are_sentences(words, said):
    assert engine.sentence(ValueError(words)) == said


# Readings


@database
def test_a_backend_keeps_when_it_was_seen_last_while_it_is_away():
    chores.note_readings([{"name": "ibm", "configured": True, "online": True, "n_qubits": 127}])
    seen = chores.readings()[3].seen_at
    chores.note_readings([{"name": "ibm", "configured": True, "online": False, "error": "Late."}])
    ibm = next(reading for reading in chores.readings() if reading.name == "ibm")
    assert (ibm.seen_at, ibm.online, ibm.error) == (seen, False, "Late.")
    assert ibm.n_qubits == 127 and ibm.read_at > seen


@database
def test_money_shows_what_all_spent_and_what_is_mine(
    user, other_user, make_run, lab_folder, settings
):
    settings.QUANTUM_BUDGET = 10.0
    for owner, cost in ((user, 1.5), (other_user, 2.0)):
        run = make_run("molecules", owner=owner)
        Execution.objects.create(id=f"m-{cost}", run=run, wanted="ionq", backend="ionq", cost=cost)
    lab_folder.write_mirror({"spent": 3.5, "currency": "USD"})
    money = pages.money(user)
    assert (money["spent"], money["left"], money["mine"], money["percent"]) == (3.5, 6.5, 1.5, 35.0)
    settings.QUANTUM_BUDGET = 0.0
    assert pages.money(user)["left"] == 0.0 and pages.money(user)["percent"] == 0.0
