"""A run in the hands of its worker: the real engine, and everything that can go wrong."""

import os
import time

import pytest
import torch

from quantum.backends.base import Batch, Estimate, Status
from quantum.backends.handles import HandleStore
from quantum.backends.run import Patience
from quantum.backends.settling import given_up
from quantum.backends.simulated import SimulatorBackend
from quantum.circuit import Circuit
from quantum.errors import InvalidValues, TrainingDiverged
from webapp import tasks as web_tasks
from webapp.lab import chores, engine, runs, tasks, work
from webapp.models import BackendReading, LabRun

pytestmark = pytest.mark.django_db(transaction=True)
WORKER = "lab-1@elsewhere#1"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(work, "RECORD_SECONDS", 0.0)
    monkeypatch.setattr(work, "TICK_SECONDS", 0.02)


def row(run) -> LabRun:
    return LabRun.objects.get(pk=run.pk)


def started(run) -> LabRun:
    return runs.start(run.pk, worker=WORKER)


def curve(run, metric) -> dict:
    return next(one for one in row(run).series if one["metric"] == metric)


def test_an_application_runs_from_row_to_result(make_run):
    run = make_run("molecules", steps=3, backend="ibm")
    tasks.run.apply(args=[str(run.pk)], throw=True)
    done = row(run)
    assert (done.status, done.attempt, done.error) == ("succeeded", 1, "")
    assert done.worker.endswith(f"#{os.getpid()}")
    assert done.result["winner"] in ("tie", "classical")
    assert "H2 at" in done.result["summary"]
    assert done.result["numbers"]["qubits"] == 4
    energies = curve(run, "loss")
    assert energies["y"][-1] == pytest.approx(
        done.result["numbers"]["optimised_energy_hartree"], rel=1e-5
    )
    (execution,) = done.executions.all()
    assert (execution.wanted, execution.backend, execution.status) == (
        "ibm", "simulator", "succeeded",
    )  # fmt: skip
    assert [hop["backend"] for hop in execution.hops] == ["ibm", "ionq"]
    assert "QISKIT_IBM_TOKEN" in execution.hops[0]["reason"]


def test_a_training_runs_from_row_to_a_registered_model(make_run, lab_folder):
    run = make_run()
    tasks.run.apply(args=[str(run.pk)], throw=True)
    done = row(run)
    assert done.status == "succeeded", done.error
    assert (done.done, done.total, done.percent) == (6, 6, 100.0)
    assert curve(run, "loss")["x"] == list(range(6))
    assert len(curve(run, "validation_loss")["x"]) == 3
    assert done.result["model"] == "tiny:1"
    (model,) = lab_folder.mirror()["models"]
    assert (model["name"], model["versions"][0]["stage"]) == ("tiny", "draft")
    assert model["versions"][0]["details"]["run"] == run.pk.hex
    assert not lab_folder.checkpoints(run.pk.hex).exists()


def test_a_stopped_training_goes_on_from_its_checkpoint_to_the_same_model(make_run, lab_folder):
    whole, run = make_run(model="whole"), make_run()
    tasks.bring_to_end(started(whole))
    first = started(run)

    def stopping(report):
        def tell(event):
            report(event)
            if event["kind"] == "metric" and event["step"] == 3:
                runs.cancel(first)

        return tasks.compute(first, tell)

    assert not work.work_on(first, stopping)
    assert row(run).status == "cancelled"
    assert engine.has_checkpoint(tasks.site(), run.pk.hex)
    assert runs.resume(row(run))
    tasks.bring_to_end(started(run))
    done = row(run)
    assert (done.status, done.attempt, done.resumed_from) == ("succeeded", 2, 4)
    assert curve(run, "loss")["x"] == list(range(6))
    assert curve(run, "loss") == curve(whole, "loss")
    same = ("validation_accuracy", "validation_loss", "training_loss", "steps")
    expected = row(whole).result["numbers"]
    assert {k: done.result["numbers"][k] for k in same} == {k: expected[k] for k in same}


def test_a_training_that_was_registered_before_its_worker_died_is_registered_once(
    make_run, lab_folder
):
    run = started(make_run())
    tasks.compute(run, lambda event: None)
    runs.give_back(run, crashed=True)
    tasks.bring_to_end(started(run))
    assert row(run).status == "succeeded"
    (model,) = lab_folder.mirror()["models"]
    assert [v["version"] for v in model["versions"]] == [1]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InvalidValues("picks must be fewer than assets: 9 of 4"), "Picks must be fewer than"),
        (TrainingDiverged(), "The loss is no number any more: try a lower learning rate."),
        (MemoryError(), "try fewer qubits"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_ends_a_run_in_words(make_run, error, words):
    run = started(make_run())

    def science(report):
        raise error

    assert not work.work_on(run, science)
    assert row(run).status == "failed"
    assert words in row(run).error


def test_an_unexpected_error_ends_a_run_and_is_not_swallowed(make_run):
    run = started(make_run())

    def science(report):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work.work_on(run, science)
    assert "Something went wrong inside Foldstream (ZeroDivisionError)" in row(run).error


def test_a_run_that_was_taken_away_stops_at_its_next_word(make_run):
    run = started(make_run())

    def science(report):
        runs.give_back(run, crashed=True)
        report({"kind": "progress", "done": 1, "total": 2})
        raise AssertionError("it went on")

    assert not work.work_on(run, science)
    assert (row(run).status, row(run).done) == ("queued", 0)


def test_a_run_that_does_not_listen_is_ended_with_its_process(make_run, monkeypatch):
    ended = []
    monkeypatch.setattr(work, "GRACE_SECONDS", 0.05)
    monkeypatch.setattr(work, "end_process", lambda: ended.append(True))
    run = started(make_run())

    def science(report):
        runs.cancel(run)
        until = time.monotonic() + 10
        while not ended and time.monotonic() < until:
            time.sleep(0.01)
        return {"summary": "too late"}

    assert not work.work_on(run, science)
    assert ended == [True]
    assert (row(run).status, row(run).result) == ("cancelled", None)


@pytest.mark.parametrize(("backend", "ends"), [("ibm", False), ("ionq", False), ("noisy", True)])
def test_a_run_on_a_machine_elsewhere_has_time_to_cancel_its_job(
    make_run, monkeypatch, backend, ends
):
    """Patience and Line: a pause of 20 s, then a question of up to 120 s, before it hears of it."""
    clock, ended = [100.0], []
    monkeypatch.setattr(work.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(work, "end_process", lambda: ended.append(True))
    run = started(make_run(backend=backend))
    runs.cancel(run)
    held = work.Held(run)
    held.tick()
    clock[0] += Patience().longest_seconds + 120.0 + 120.0
    held.tick()
    assert bool(ended) is ends
    clock[0] += 120.0
    held.tick()
    assert ended and row(run).status == "cancelled", "for ever is too long"


def test_reports_are_written_twice_a_second_at_most(make_run, monkeypatch):
    monkeypatch.setattr(work, "RECORD_SECONDS", 60.0)
    run, written = started(make_run()), []
    record = runs.record
    monkeypatch.setattr(runs, "record", lambda *a, **k: written.append(k) or record(*a, **k))

    def science(report):
        for step in range(500):
            report({"kind": "metric", "step": step, "epoch": 0, "loss": 1.0})
        return {"summary": ""}

    work.work_on(run, science)
    assert len(written) == 2, "the first, and what was left at the end"
    assert curve(run, "loss")["x"][-1] == 499


# Chores -----------------------------------------------------------------------------------------


def test_the_backends_are_read_into_rows(lab_folder):
    tasks.chore.apply(args=['["read"]'], throw=True)
    found = {r.name: r for r in chores.readings()}
    assert list(found) == ["simulator", "mock", "noisy", "ibm", "ionq"]
    assert (found["noisy"].online, found["noisy"].n_qubits) == (True, 16)
    assert 0 < found["noisy"].errors["two_qubit"] < 0.1
    assert not found["ionq"].configured
    assert "IONQ_API_KEY" in found["ionq"].reason
    assert found["ionq"].seen_at is None
    assert lab_folder.mirror()["spent"] == 0.0


def test_what_was_given_up_and_is_over_is_settled_when_the_backends_are_read(settings, lab_folder):
    settings.QUANTUM_BUDGET = 5.0
    batch = Batch((Circuit(1).h(0),), (torch.zeros(1, 0),), shots=20, tag="left")
    store, ledger = HandleStore(lab_folder.handles), tasks.site().ledger
    store.save(given_up(tasks.site().open("mock").submit(batch)))
    ledger.reserve("left", 3.0)
    tasks.read_backends()
    assert list(store) == []
    assert lab_folder.mirror()["spent"] == ledger.spent() == 3.0  # this one tells no price


class Busy(SimulatorBackend):
    """IBM with a price, and a queue where jobs wait for ever."""

    is_local = False

    def __init__(self):
        super().__init__(name="ibm")
        object.__setattr__(self, "known", {})

    def estimate(self, batch):
        return Estimate(0.0, 1.0, 3.0)

    def submit(self, batch):
        self.known[batch.tag] = Status.QUEUED
        return super().submit(batch)

    def status(self, handle):
        return self.known[handle.tag]

    def cancel(self, handle):
        self.known[handle.tag] = Status.CANCELLED

    def price(self, handle):
        return 0.0


class Killed(BaseException):
    """The worker's process is gone: nothing after it runs."""


@pytest.mark.parametrize("end", ["stopped", "given up", "deleted", "goes on"])
def test_a_paid_job_does_not_outlive_its_run(make_run, settings, monkeypatch, lab_folder, end):
    """Its worker dies while the job waits at IBM, and the run ends before another has it."""
    settings.QUANTUM_BUDGET = 5.0
    ibm, opened = Busy(), engine.Site.open
    monkeypatch.setattr(
        engine.Site, "open", lambda site, name: ibm if name == "ibm" else opened(site, name)
    )
    run = started(make_run("molecules", steps=1, shots=20, backend="ibm"))

    def dies(event):
        if event["kind"] == "waiting":
            raise Killed

    with pytest.raises(Killed):
        tasks.compute(run, dies)
    if end == "given up":
        LabRun.objects.update(crashes=runs.CRASH_LIMIT - 1)
    assert runs.give_back(row(run), crashed=True)
    if end in ("stopped", "deleted"):
        assert runs.cancel(row(run))
    if end == "deleted":
        assert runs.delete(row(run))
    tasks.chore.apply(args=['["settle"]'], throw=True)
    going = end == "goes on"
    assert set(ibm.known.values()) == {Status.QUEUED if going else Status.CANCELLED}
    assert lab_folder.mirror()["spent"] == tasks.site().ledger.spent() == (3.0 if going else 0.0)
    assert len(list(HandleStore(lab_folder.handles))) == going


def test_old_readings_are_asked_for_again_and_fresh_ones_not(sent):
    assert chores.refresh_if_old()
    assert sent == [("read",)]
    chores.note_readings([{"name": n, "online": True} for n in chores.NAMES])
    assert not chores.refresh_if_old()
    BackendReading.objects.filter(name="ibm").update(read_at=chores.now() - 2 * chores.FRESH)
    assert chores.refresh_if_old()


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [("mock", "passed", "read alike in 200 of 200"), ("ibm", "failed", "QISKIT_IBM_TOKEN")],
)
def test_a_connection_is_tested(name, status, words, sent):
    chores.ask_test(name)
    assert sent == [("test", name)]
    assert BackendReading.objects.get(name=name).test_status == "asked"
    tasks.test_backend(name)
    found = BackendReading.objects.get(name=name)
    assert found.test_status == status
    assert words in found.test_message


def test_a_backend_that_surprises_us_hides_no_other_and_can_be_tested_again(monkeypatch, sent):
    opened = engine.Site.open

    def surprise(site, name):
        if name == "noisy":
            raise ZeroDivisionError("https://provider.example/secret")
        return opened(site, name)

    monkeypatch.setattr(engine.Site, "open", surprise)
    tasks.read_backends()
    chores.ask_test("noisy")
    tasks.test_backend("noisy")
    found = {r.name: r for r in chores.readings()}
    assert found["simulator"].online and not found["noisy"].online
    assert found["noisy"].test_status == "failed"
    for words in (found["noisy"].error, found["noisy"].test_message):
        assert "not understood" in words and "provider.example" not in words


def test_a_test_that_nobody_answered_can_be_asked_for_again(sent):
    chores.ask_test("mock")
    status = {r.name: r.test_status for r in chores.readings()}
    assert status["mock"] == "asked"
    long_ago = chores.now() - 2 * chores.PATIENCE
    BackendReading.objects.filter(name="mock").update(tested_at=long_ago)
    (found,) = [r for r in chores.readings() if r.name == "mock"]
    assert found.test_status == "failed" and "did not answer in time" in found.test_message


def test_versions_are_promoted_and_rolled_back(make_run, lab_folder):
    for _ in range(2):
        tasks.bring_to_end(started(make_run()))

    def stages():
        (model,) = lab_folder.mirror()["models"]
        return {v["version"]: v["stage"] for v in model["versions"]}

    tasks.promote("tiny", 1, "production", "ada")
    tasks.promote("tiny", 2, "production", "ada")
    assert stages() == {1: "archived", 2: "production"}
    tasks.roll_back("tiny", "ada")
    assert stages() == {1: "production", 2: "archived"}
    assert lab_folder.mirror()["models"][0]["history"][0]["reason"].endswith("by ada")
    tasks.roll_back("tiny", "ada")
    assert "no earlier version of tiny" in lab_folder.mirror()["notice"].lower()


@pytest.mark.parametrize(
    ("node", "folds"), [("fold-7@here", True), ("weights-7@here", False), ("lab-7@here", False)]
)
def test_only_workers_that_fold_keep_a_model_in_memory(node, folds):
    assert web_tasks.folds(node) is folds
    assert tasks.is_lab(node) is node.startswith("lab-")
