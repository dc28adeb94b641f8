"""Verbs on runs: each moves the row once, whoever else tries at the same time."""

import os
import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from webapp import queue, sweeper
from webapp.lab import runs
from webapp.live import streams
from webapp.models import Execution, LabRun

pytestmark = pytest.mark.django_db(transaction=True)
WORKER = "lab-1@elsewhere#1"


def row(run) -> LabRun:
    return LabRun.objects.get(pk=run.pk)


def execution(run, **changes) -> dict:
    event = {
        "kind": "execution",
        "id": "e1",
        "wanted": "ibm",
        "backend": "ibm",
        "handle_id": "job-7",
        "n_qubits": 2,
        "n_runs": 3,
        "shots": 100,
        "seconds": 0.5,
        "cost": 1.25,
        "currency": "USD",
        "status": "queued",
        "fallback_reason": "",
        "hops": (),
    }
    return {**event, **changes}


def test_a_run_is_queued_and_its_task_sent(user, make_run, sent, published):
    run = make_run("molecules", steps=3)
    assert (run.status, run.kind, run.values) == ("queued", "application", {"steps": 3})
    assert sent == [run.pk]
    told = {item.stream for item in published.items}
    assert told == {streams.of_lab_run(run.pk), streams.of_lab_user(user.pk)}


def test_people_see_their_own_runs(user, other_user, make_run):
    run = make_run()
    assert list(runs.of_user(user)) == [run]
    assert list(runs.of_user(other_user)) == []
    assert list(runs.of_user(AnonymousUser())) == []


def test_a_task_that_comes_twice_starts_once(make_run):
    run = make_run()
    started = runs.start(run.pk, worker=WORKER)
    assert (started.status, started.attempt) == ("running", 1)
    assert runs.start(run.pk, worker="lab-2@elsewhere#2") is None
    assert row(run).worker == WORKER


def test_a_worker_has_one_run_in_hand(make_run, sent):
    first, second = make_run(), make_run()
    runs.start(first.pk, worker=WORKER)
    assert runs.start(second.pk, worker="lab-1@elsewhere#99") is None
    assert row(second).status == "queued"
    sent.clear()
    runs.succeed(row(first), {"summary": ""})
    runs.send_next()
    assert sent == [second.pk]
    assert runs.start(second.pk, worker="lab-1@elsewhere#99") is not None


def test_another_machine_takes_the_next_run(make_run):
    first, second = make_run(), make_run()
    runs.start(first.pk, worker=WORKER)
    assert runs.start(second.pk, worker="lab-1@another#1") is not None


def test_many_tasks_at_once_start_a_run_once(make_run):
    run, barrier, answers = make_run(), threading.Barrier(4), []

    def begin(number):
        from django.db import connection

        barrier.wait()
        answers.append(runs.start(run.pk, worker=f"lab-{number}@x#{number}"))
        connection.close()

    threads = [threading.Thread(target=begin, args=[n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([a for a in answers if a is not None]) == 1
    assert row(run).attempt == 1


def test_cancelling(make_run):
    queued = make_run()
    assert runs.cancel(queued)
    assert row(queued).status == "cancelled"
    assert not runs.cancel(queued)
    running = runs.start(make_run().pk, worker=WORKER)
    assert runs.cancel(running)
    assert (row(running).status, row(running).cancel_requested) == ("running", True)
    assert runs.keep(running) == (True, True)
    assert runs.stop(running)
    assert row(running).status == "cancelled"


def test_a_stopped_training_goes_on_and_an_application_does_not(make_run, sent):
    training, application = make_run(), make_run("portfolio")
    for run in (training, application):
        runs.cancel(run)
    sent.clear()
    assert runs.resume(training)
    assert not runs.resume(application)
    assert not runs.resume(training), "it waits already"
    assert sent == [training.pk]
    assert row(training).status == "queued"


def test_what_a_lost_worker_writes_changes_nothing(make_run):
    old = runs.start(make_run().pk, worker=WORKER)
    assert runs.give_back(old, crashed=True)
    new = runs.start(old.pk, worker="lab-2@elsewhere#2")
    assert new.attempt == 2
    assert not runs.record(old, change="curves", done=99)
    assert not runs.succeed(old, {"summary": "late"})
    assert runs.keep(old) == (False, False)
    runs.record_execution(old, execution(old))
    assert not Execution.objects.exists()
    assert (row(new).status, row(new).done, row(new).result) == ("running", 0, None)


def test_a_run_that_kills_its_workers_is_given_up_in_words(make_run):
    run = make_run()
    for number in range(runs.CRASH_LIMIT):
        started = runs.start(run.pk, worker=f"lab-{number}@elsewhere#1")
        assert runs.give_back(started, crashed=True)
    assert row(run).status == "failed"
    assert "stopped 3 times" in row(run).error


def test_crashes_of_a_training_that_comes_further_do_not_add_up(make_run):
    run = make_run()
    for number in range(5):
        started = runs.start(run.pk, worker=f"lab-{number}@elsewhere#1")
        step = runs.folder().checkpoints(run.pk.hex) / f"step-{number}"
        step.mkdir(parents=True)
        later = started.started_at.timestamp() + 60
        os.utime(step, (later, later))
        assert runs.give_back(started, crashed=True)
        assert (row(run).status, row(run).crashes) == ("queued", 1)


def test_a_polite_stop_is_nobodys_crash(make_run, sent):
    run = runs.start(make_run().pk, worker=WORKER)
    sent.clear()
    runs.give_back_all("lab-1@elsewhere")
    assert (row(run).status, row(run).crashes) == ("queued", 0)
    assert sent == [run.pk]


def test_a_lost_run_that_nobody_wants_is_not_started_again(make_run):
    run = runs.start(make_run().pk, worker=WORKER)
    runs.cancel(run)
    assert runs.give_back(row(run), crashed=True)
    assert row(run).status == "cancelled"


def test_the_sweeper_gives_back_what_a_dead_worker_held_once(make_run, sent, clock):
    run = runs.start(make_run().pk, worker=WORKER)
    LabRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    sent.clear()
    sweeper.give_back_lost_runs()
    assert row(run).status == "running", "it may have slept"
    clock.forward(20)
    sweeper.give_back_lost_runs()
    sweeper.give_back_lost_runs()
    assert (row(run).status, row(run).crashes) == ("queued", 1)
    assert sent == [run.pk]


def test_a_lost_task_is_sent_again_unless_a_run_is_in_hand(make_run, sent, monkeypatch):
    monkeypatch.setattr(queue, "waiting", lambda name="": 0)
    waiting = make_run()
    old = timezone.now() - timedelta(minutes=5)
    LabRun.objects.filter(pk=waiting.pk).update(enqueued_at=old, created_at=old)
    sent.clear()
    sweeper.send_lost_tasks()
    assert sent == [waiting.pk]
    sent.clear()
    runs.start(make_run().pk, worker=WORKER)
    sent.clear()
    sweeper.send_lost_tasks()
    assert sent == []


def test_executions_are_written_down_as_they_move(make_run):
    run = runs.start(make_run().pk, worker=WORKER)
    runs.record_execution(run, execution(run))
    hop = {"backend": "ibm", "reason": "IBM does not answer", "seconds": 2.0}
    told = execution(run, backend="simulator", status="succeeded", cost=0.0, hops=(hop,),
                     fallback_reason="IBM does not answer", shots=None)  # fmt: skip
    runs.record_execution(run, told)
    found = run.executions.get()
    assert (found.backend, found.status, found.cost, found.shots) == (
        "simulator", "succeeded", 0.0, None,
    )  # fmt: skip
    assert found.hops == [hop]


@pytest.mark.parametrize("end", ["stop", "lost"])
def test_submissions_under_way_end_with_their_run(make_run, end):
    run = runs.start(make_run().pk, worker=WORKER)
    runs.record_execution(run, execution(run))
    if end == "stop":
        runs.stop(run)
    else:
        runs.give_back(run, crashed=True)
        runs.start(run.pk, worker="lab-2@elsewhere#2")
        assert "worker was lost" in run.executions.get().fallback_reason
    assert run.executions.get().status == "cancelled"


@pytest.mark.parametrize("end", ["stopped in the queue", "given up", "stopped", "failed", "done"])
@pytest.mark.parametrize("backend", ["ibm", "simulator"])
def test_the_end_of_a_run_that_spends_money_has_its_jobs_settled(make_run, sent, end, backend):
    run = runs.start(make_run("molecules", backend=backend).pk, worker=WORKER)
    runs.record_execution(run, execution(run))
    sent.clear()
    if end == "stopped in the queue":
        runs.give_back(run, crashed=False)
        assert sent == [run.pk]
        assert runs.cancel(row(run))
    elif end == "given up":
        LabRun.objects.update(crashes=runs.CRASH_LIMIT - 1)
        runs.give_back(row(run), crashed=True)
    else:
        {"stopped": runs.stop, "failed": lambda run: runs.fail(run, "Why"),
         "done": lambda run: runs.succeed(run, {})}[end](run)  # fmt: skip
    assert (("settle",) in sent) is (backend == "ibm")
    assert run.executions.get().status == "cancelled"


def test_which_runs_have_ended(make_run):
    waiting, going, stopped, gone = (make_run() for _ in range(4))
    runs.start(going.pk, worker=WORKER)
    for run in (stopped, gone):
        runs.cancel(run)
    runs.delete(gone)
    names = {run.pk.hex for run in (waiting, going, stopped)} | {gone_name := "0" * 32}
    assert runs.ended(names) == {stopped.pk.hex, gone_name}


def test_a_run_is_deleted_with_its_files_when_it_has_ended(make_run, lab_folder):
    run = make_run()
    checkpoints = lab_folder.checkpoints(run.pk.hex)
    checkpoints.mkdir(parents=True)
    assert not runs.delete(run)
    runs.cancel(run)
    assert runs.delete(run)
    assert not checkpoints.exists()
    assert not LabRun.objects.exists()
