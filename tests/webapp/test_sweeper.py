"""What the sweeper repairs, and what it leaves alone."""

import os
import socket
import subprocess
import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.webapp import making
from webapp import jobs, queue, serve, storage, sweeper
from webapp.models import DeletedJob, Job
from webapp.place import place

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_dir")]


@pytest.fixture
def sent(monkeypatch):
    """The ids of the jobs whose tasks were sent; the broker's queue is empty."""
    ids = []
    monkeypatch.setattr(queue, "send", ids.append)
    monkeypatch.setattr(queue, "waiting", lambda: 0)
    return ids


def start(user, *, worker="fold@elsewhere#1", **fields):
    job = jobs.start(making.job(user).pk, worker=worker)
    Job.objects.filter(pk=job.pk).update(**fields)
    return job


def status(job):
    return Job.objects.get(pk=job.pk).status


def ago(**words):
    return timezone.now() - timedelta(**words)


def test_a_lease_that_stays_expired_gives_the_job_back(user, sent, clock):
    expired = start(user, lease_until=ago(seconds=1))
    healthy = start(user)
    sweeper.sweep()
    clock.forward(14)
    sweeper.sweep()
    assert status(expired) == "running"
    clock.forward(2)
    sweeper.sweep()
    assert (status(expired), status(healthy)) == ("queued", "running")
    assert sent == [expired.pk]


def test_a_machine_that_slept_loses_no_job(user, sent, clock):
    """All leases have run out when it wakes; whoever lives extends its own within ten seconds."""
    job = start(user)
    for _ in range(5):
        Job.objects.update(lease_until=ago(hours=8))
        sweeper.sweep()
        clock.forward(10)
        sweeper.sweep()
        jobs.heartbeat(job)
        clock.forward(10)
        sweeper.sweep()
    assert (status(job), Job.objects.get().crashes, sent) == ("running", 0, [])


def test_a_clock_that_is_fast_gives_nothing_back(user, sent, clock, monkeypatch):
    """To such a sweeper every lease has run out; one that moves is held all the same."""
    job = start(user)
    fast = timezone.now
    monkeypatch.setattr(sweeper.timezone, "now", lambda: fast() + timedelta(hours=1))
    for minute in range(6):
        Job.objects.update(lease_until=ago(minutes=30 - minute))
        sweeper.sweep()
        clock.forward(10)
        sweeper.sweep()
    assert status(job) == "running"


def test_two_sweeps_at_once_count_one_crash(user, sent):
    start(user, lease_until=ago(seconds=1))
    seen_by_both = Job.objects.get()
    assert jobs.give_back(seen_by_both, crashed=True)
    assert not jobs.give_back(seen_by_both, crashed=True)
    assert Job.objects.get().crashes == 1


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


HERE = f"fold-1-{place()}@host"


def test_a_dead_process_of_this_machine_is_seen_before_its_lease_ends(user, sent):
    dead = start(user, worker=f"{HERE}#{dead_pid()}")
    alive = start(user, worker=f"{HERE}#{os.getpid()}")
    sweeper.sweep()
    assert [status(job) for job in (dead, alive)] == ["queued", "running"]


@pytest.mark.parametrize(
    "node",
    [f"fold-1-0123456789ab@{socket.gethostname()}", f"fold@{socket.gethostname()}"],
    ids=["another machine, or a container", "not said"],
)
def test_a_host_of_the_same_name_is_no_proof_of_death(user, sent, node):
    job = start(user, worker=f"{node}#{dead_pid()}")
    sweeper.sweep()
    assert status(job) == "running"


@pytest.mark.parametrize("worker", ["", "somebody", "fold@#", f"{HERE}#x", f"@{HERE}"])
def test_an_odd_worker_name_is_no_proof_of_death(user, sent, worker):
    job = start(user, worker=worker)
    sweeper.sweep()
    assert status(job) == "running"


def test_a_queued_job_whose_task_was_never_sent_is_sent(user, sent):
    lost, fresh = making.job(user), making.job(user)
    Job.objects.filter(pk=lost.pk).update(created_at=ago(seconds=30))
    sweeper.sweep()
    assert sent == [lost.pk]
    assert fresh.pk not in sent


def test_a_task_lost_by_the_broker_is_sent_again_in_order(user, sent):
    old, older = making.job(user), making.job(user)
    Job.objects.filter(pk=old.pk).update(created_at=ago(minutes=5), enqueued_at=ago(minutes=4))
    Job.objects.filter(pk=older.pk).update(created_at=ago(minutes=9), enqueued_at=ago(minutes=8))
    recent = making.job(user, enqueued_at=ago(seconds=20))
    sweeper.sweep()
    assert sent == [older.pk, old.pk]
    assert recent.pk not in sent


@pytest.mark.parametrize("waiting", [1, None], ids=["tasks wait", "no broker"])
def test_nothing_is_sent_while_the_broker_has_work_or_is_away(user, sent, monkeypatch, waiting):
    monkeypatch.setattr(queue, "waiting", lambda: waiting)
    making.job(user)
    Job.objects.update(created_at=ago(minutes=5))
    sweeper.sweep()
    assert sent == []


def grow_old(*folders):
    past = time.time() - 2 * storage.GRACE_SECONDS
    for folder in folders:
        os.utime(folder, (past, past))


def test_drafts_of_attempts_that_do_not_run_are_removed(user, sent):
    running = start(user)
    mine = storage.draft(running.pk, attempt=1)
    given_up = storage.draft(running.pk, attempt=7)
    grow_old(mine, given_up)
    sweeper.sweep()
    assert mine.exists()
    assert not given_up.exists()


def with_files(job):
    """A job whose result, and what it keeps for a later attempt, lie there for long."""
    storage.draft(job.pk, attempt=1)
    storage.install(job.pk, attempt=1)
    storage.state(job.pk).mkdir()
    grow_old(storage.folder(job.pk), storage.state(job.pk))
    return job


def has_files(job):
    return storage.folder(job.pk).exists(), storage.state(job.pk).exists()


def forget_row(job):
    """Makes this another database: one that never heard of the job."""
    Job.objects.filter(pk=job.pk)._raw_delete("default")


def test_another_database_costs_no_result(user, sent):
    job = with_files(making.job(user, status="paused"))
    forget_row(job)
    assert sweeper.n_unknown() == 1
    sweeper.sweep()
    assert has_files(job) == (True, True)


@pytest.mark.parametrize("delete", [Job.delete, lambda job: job.owner.delete()])
def test_files_of_a_job_go_with_its_row_whoever_deletes_it(user, sent, delete):
    job = with_files(making.job(user))
    kept = with_files(making.job(User.objects.create_user("grace")))
    pk = job.pk
    delete(job)
    job.pk = pk
    assert sweeper.n_unknown() == 0
    sweeper.sweep()
    assert has_files(job) == (False, False)
    assert has_files(kept) == (True, True)


def test_a_deleted_job_is_remembered_until_its_files_are_gone(user, sent):
    job = making.job(user)
    jobs.delete(job)
    sweeper.sweep()
    assert DeletedJob.objects.get().pk == job.pk
    DeletedJob.objects.update(deleted_at=ago(days=2))
    sweeper.sweep()
    assert not DeletedJob.objects.exists()


def test_a_start_beside_results_of_another_database_says_so(user, capsys, data_dir):
    job = with_files(making.job(user))
    serve._tell_unknown(data_dir)
    assert capsys.readouterr().out == ""
    forget_row(job)
    serve._tell_unknown(data_dir)
    said = capsys.readouterr().out
    assert said.startswith(f"{data_dir}/jobs holds the files of 1 job that this database does not")
