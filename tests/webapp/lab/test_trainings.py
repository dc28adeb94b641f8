"""A training says where its circuits ran: in its summary, its numbers and the registry."""

import pytest
from django.template.loader import render_to_string

from quantum.backends.simulated import SimulatorBackend
from quantum.errors import NotConfigured
from webapp.lab import engine, pages, runs, tasks, work
from webapp.models import LabRun

pytestmark = pytest.mark.django_db(transaction=True)
WORKER = "lab-1@elsewhere#1"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(work, "RECORD_SECONDS", 0.0)


def row(run) -> LabRun:
    return LabRun.objects.get(pk=run.pk)


def started(run) -> LabRun:
    return runs.start(run.pk, worker=WORKER)


def on_a_device(make_run, **values):
    """A short training with every circuit on IBM, which has no token here."""
    short = {"epochs": 1, "gradient": "spsa", "shots": 20, "samples": 40, "batch_size": 40}
    return make_run(**{"backend": "ibm", **short, **values})


REASON = "(ibm: IBM Quantum is not configured: set QISKIT_IBM_TOKEN in the environment; ionq: IonQ"


def test_a_training_says_that_its_circuits_ran_elsewhere_and_why(make_run, lab_folder):
    run = on_a_device(make_run)
    tasks.bring_to_end(started(run))
    result = row(run).result
    numbers = result["numbers"]
    assert numbers["answered_by"] == "simulator"
    assert numbers["batches"] == numbers["batches_elsewhere"] == row(run).executions.count() == 3
    words = f"All 3 batches of circuits ran on simulator instead of ibm {REASON}"
    assert words in result["summary"]
    (version,) = lab_folder.mirror()["models"][0]["versions"]
    assert version["details"]["answered_by"] == "simulator"
    assert version["details"]["fallback"] in result["summary"]
    (shown,) = pages.registry()["models"][0]["versions"]
    assert shown["place"] == {"ran": "Simulator", "instead_of": "IBM Quantum"}
    page = " ".join(render_to_string("lab/registry_list.html", pages.registry()).split())
    assert "on Simulator,<br>asked for on IBM Quantum" in page


class Tired(SimulatorBackend):
    """An IBM that takes the first batches and none after them."""

    taken = 0

    def submit(self, batch):
        Tired.taken += 1
        if Tired.taken > 2:
            raise NotConfigured("the machine is calibrated")
        return super().submit(batch)


def test_some_batches_that_ran_elsewhere_are_counted(make_run, monkeypatch):
    opened, ibm = engine.Site.open, Tired(name="ibm")
    monkeypatch.setattr(Tired, "taken", 0)
    monkeypatch.setattr(
        engine.Site, "open", lambda site, name: ibm if name == "ibm" else opened(site, name)
    )
    for backend, asked in (("ibm", "ibm"), ("quantum", "ibm or ionq")):
        Tired.taken = 0
        run = on_a_device(make_run, backend=backend)
        tasks.bring_to_end(started(run))
        result = row(run).result
        assert result["numbers"]["answered_by"] == "ibm, simulator"
        words = f"1 of 3 batches of circuits ran on simulator instead of {asked} (ibm: the machine"
        assert words in result["summary"]
    shown = [version["place"] for version in pages.registry()["models"][0]["versions"]]
    assert [place["instead_of"] for place in shown] == ["IBM Quantum or IonQ", "IBM Quantum"]
    assert {place["ran"] for place in shown} == {"IBM Quantum, Simulator"}


def test_a_training_that_goes_on_tells_of_all_its_batches(make_run):
    run = on_a_device(make_run)
    first = started(run)

    def stopping(report):
        def tell(event):
            report(event)
            if event["kind"] == "metric":
                runs.cancel(first)

        return tasks.compute(first, tell)

    work.work_on(first, stopping)
    assert runs.resume(row(run))
    tasks.bring_to_end(started(run))
    assert row(run).resumed_from == 1
    assert "All 3 batches of circuits ran on simulator" in row(run).result["summary"]


def test_a_training_where_it_was_wanted_has_nothing_to_explain(make_run):
    run = make_run(backend="noisy", epochs=1, gradient="spsa", shots=20, batch_size=40)
    tasks.bring_to_end(started(run))
    result = row(run).result
    assert (result["numbers"]["answered_by"], result["numbers"]["batches_elsewhere"]) == (
        "noisy",
        0,
    )
    assert "instead of" not in result["summary"]
    run = make_run(epochs=1)
    tasks.bring_to_end(started(run))
    assert row(run).result["numbers"]["answered_by"] == "simulator"
    assert pages.registry()["models"][0]["versions"][0]["place"]["instead_of"] == ""


def test_what_a_training_reached_is_beyond_chance_or_said_not_to_be(make_run):
    good = make_run(model="good", data="parity", samples=120, epochs=12, learning_rate=0.1)
    lucky = make_run(model="lucky", epochs=1, learning_rate=1e-5)
    for run, clearly in ((good, True), (lucky, False)):
        tasks.bring_to_end(started(run))
        numbers, said = row(run).result["numbers"], row(run).result["summary"]
        assert numbers["accuracy_low"] < numbers["validation_accuracy"] < numbers["accuracy_high"]
        assert (numbers["accuracy_low"] > numbers["chance"]) == clearly
        assert ("): better than chance (50%)" in said) == clearly
        assert ("): not clearly better than chance (33%)" in said) != clearly
