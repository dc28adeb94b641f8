"""Jobs whose people, workers and sweepers act in any order: what always holds."""

import random

import pytest
from django.utils import timezone

from tests.webapp import making
from webapp import jobs, queue, storage
from webapp.models import FINISHED, Job, Prediction, Status

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_dir")]

N_ORDERS = 32
LENGTH = 9


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    """Ids of jobs whose tasks were sent."""
    ids = []
    monkeypatch.setattr(queue, "send", ids.append)
    return ids


class Play:
    """One job, the workers that once held it, and what each of them tries."""

    def __init__(self, owner, rng: random.Random) -> None:
        self.rng = rng
        self.job_id = making.job(owner).pk
        self.held: list[Job] = []  # as each worker saw it when it began
        self.said_yes: list[str] = []

    @property
    def row(self) -> Job | None:
        return Job.objects.filter(pk=self.job_id).first()

    def act(self, verb: str) -> None:
        row = self.row
        if verb == "start":
            started = jobs.start(self.job_id, worker=f"w@elsewhere#{len(self.held)}")
            if started:
                self.held.append(started)
        elif verb in ("cancel", "pause", "resume", "delete"):
            if row is not None:
                getattr(jobs, verb)(row)
        elif self.held:
            self.of_a_worker(verb, self.rng.choice(self.held))

    def of_a_worker(self, verb: str, job: Job) -> None:
        if verb == "finish":
            self.finish(job)
        elif verb == "fail":
            self.note("failed", jobs.fail(job, "No."))
        elif verb == "stop":
            self.note("cancelled", jobs.stop(job))
        elif verb == "park":
            jobs.park(job)
        elif verb == "crash":
            jobs.give_back(self.row or job, crashed=True)
        elif verb == "heartbeat":
            try:
                jobs.heartbeat(job)
            except jobs.NotYours:
                return
            assert job.attempt == self.row.attempt

    def finish(self, job: Job) -> None:
        folder = storage.draft(job.pk, attempt=job.attempt)
        (folder / "model.cif").write_text(f"attempt {job.attempt}")
        rows = [Prediction(job=job, seed=1, sample=0, rank=1, **SCORES)]
        ended = jobs.finish(
            job, predictions=rows, install=lambda: storage.install(job.pk, attempt=job.attempt)
        )
        storage.discard(job.pk, attempt=job.attempt)
        self.note("succeeded", ended)

    def note(self, status: str, is_true: bool) -> None:
        if is_true:
            self.said_yes.append(status)


SCORES = {
    "ranking_score": 0.5,
    "mean_plddt": 70.0,
    "ptm": 0.5,
    "iptm": None,
    "has_clash": False,
    "fraction_disordered": 0.0,
}
VERBS = (
    *("start", "start", "start", "finish", "fail", "stop", "park", "crash", "heartbeat"),
    *("cancel", "pause", "resume", "delete"),
)


def orders():
    for number in range(N_ORDERS):
        rng = random.Random(number)
        # A job is deleted in few of them, or there would be little to see.
        verbs = [v for v in VERBS if v != "delete" or number % 8 == 0]
        yield rng, ["start", *(rng.choice(verbs) for _ in range(LENGTH))]


def is_sound(row: Job, files: list[str]) -> None:
    """What holds for a row at any moment."""
    assert (row.finished_at is not None) == row.is_finished
    assert (row.lease_until is not None) == (row.status == Status.RUNNING)
    assert (row.predictions.count() == 1) == (row.status == Status.SUCCEEDED)
    assert bool(files) == (row.status == Status.SUCCEEDED)
    if row.status == Status.QUEUED:
        assert row.worker == "" or row.attempt > 0
        assert not row.pause_requested
    if row.status == Status.FAILED:
        assert row.error


def test_a_job_is_sound_after_every_step_of_every_order(user):
    seen = set()
    for rng, order in orders():
        play = Play(user, rng)
        last = play.row
        for verb in order:
            play.act(verb)
            row = play.row
            if row is None:
                assert not storage.names(play.job_id)
                break
            is_sound(row, storage.names(row.pk))
            assert row.attempt >= last.attempt, f"{verb} of {order}"
            if last.is_finished:
                assert row.status == last.status, f"{verb} of {order} changed an ended job"
                assert row.finished_at == last.finished_at
            last = row
            seen.add(row.status)
    assert seen == set(Status.values), "the orders reach every status"


def test_a_job_ends_once_and_says_so_once(user, published):
    ended = 0
    for rng, order in orders():
        if "delete" in order:
            continue
        play = Play(user, rng)
        for verb in order:
            play.act(verb)
        row = play.row
        told = [e.status for e in published.of(row) if e.kind == "status" and e.status in FINISHED]
        assert told == ([row.status] if row.is_finished else []), order
        assert len(play.said_yes) <= 1
        if play.said_yes:
            assert play.said_yes == [row.status]
        ended += row.is_finished
    assert ended > 12


def test_the_files_are_those_of_the_attempt_that_finished(user):
    finished = 0
    for rng, order in orders():
        play = Play(user, rng)
        for verb in order:
            play.act(verb)
        row = play.row
        if row is not None and row.status == Status.SUCCEEDED:
            found = storage.find(row.pk, "model.cif").read_text()
            assert found == f"attempt {row.attempt}"
            finished += 1
    assert finished > 3


def test_the_end_is_the_last_thing_that_is_said(user, published):
    for rng, order in orders():
        if "delete" in order:
            continue
        play = Play(user, rng)
        for verb in order:
            play.act(verb)
        row = play.row
        if not row.is_finished:
            continue
        said = published.of(row)
        end = next(k for k, e in enumerate(said) if getattr(e, "status", "") in FINISHED)
        assert not [e for e in said[end + 1 :] if e.kind == "log"], order


def test_a_worker_that_was_given_up_changes_nothing_whatever_it_tries(user):
    for verb in ("finish", "fail", "stop", "park", "heartbeat"):
        play = Play(user, random.Random(1))
        play.act("start")
        play.act("crash")
        play.act("start")
        old, new = play.held
        before = Job.objects.filter(pk=play.job_id).values().get()
        play.held = [old]
        play.act(verb)
        assert Job.objects.filter(pk=play.job_id).values().get() == before, verb
        assert new.attempt == 2


def test_every_queued_job_was_sent(user, sent):
    for rng, order in orders():
        play = Play(user, rng)
        sent.clear()
        sent.append(play.job_id)  # as it was submitted
        returns = 0
        for verb in order:
            before = play.row
            play.act(verb)
            after = play.row
            if before and after and before.status != Status.QUEUED == after.status:
                returns += 1
        assert len(sent) == 1 + returns, order


def test_a_job_that_was_to_rest_rests_when_its_worker_dies(user, sent, published):
    job = jobs.start(making.job(user).pk, worker="w#1")
    jobs.pause(job)
    job.refresh_from_db()
    assert jobs.give_back(job, crashed=True)
    job.refresh_from_db()
    assert (job.status, job.pause_requested, job.crashes) == (Status.PAUSED, False, 1)
    assert sent == []
    assert jobs.resume(job)
    assert sent == [job.pk]


def test_time_of_the_end_is_now(user):
    play = Play(user, random.Random(0))
    play.act("start")
    play.act("finish")
    assert abs((timezone.now() - play.row.finished_at).total_seconds()) < 5
