"""A model's way onto this machine: asked for once, done once, ended in words, never lost."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from folding.errors import Cancelled, DownloadError
from webapp import downloads, queue, sweeper, tasks
from webapp.jobs import NotYours
from webapp.live import streams
from webapp.models import Status, WeightsDownload
from webapp.place import place

pytestmark = pytest.mark.django_db(transaction=True)
MINI = "protenix_mini_default_v0.5.0"


@pytest.fixture(autouse=True)
def weights_dir(tmp_path, settings):
    settings.WEIGHTS_DIR = tmp_path / "weights"
    return settings.WEIGHTS_DIR


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    """What was sent to the fetcher."""
    names = []
    monkeypatch.setattr(queue, "send_fetch", lambda name: names.append(name) or True)
    return names


def row() -> WeightsDownload:
    return WeightsDownload.objects.get()


def started(worker="weights-1@elsewhere#1") -> WeightsDownload:
    downloads.ask(MINI, by=None)
    return downloads.start(MINI, worker=worker)


def test_it_is_queued_once_however_often_it_is_asked_for(user, other_user, sent, published):
    assert downloads.ask(MINI, by=user)
    assert not downloads.ask(MINI, by=other_user)
    assert (row().status, row().requested_by) == ("queued", user)
    assert sent == [MINI]
    assert [item.stream for item in published.items] == [streams.WEIGHTS]


def test_what_is_here_is_not_asked_for(user, sent):
    assert not downloads.ask("small", by=user)
    assert sent == []


def test_many_who_ask_at_once_start_one(user, sent):
    barrier, answers = threading.Barrier(4), []

    def ask():
        from django.db import connection

        barrier.wait()
        answers.append(downloads.ask(MINI, by=user))
        connection.close()

    downloads.ask(MINI, by=user)
    downloads.cancel(MINI)
    sent.clear()
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False, False, False, True]
    assert sent == [MINI]


def test_a_task_that_comes_twice_fetches_once():
    assert started() is not None
    assert downloads.start(MINI, worker="another#2") is None
    assert row().worker == "weights-1@elsewhere#1"


def test_progress_goes_into_the_row_and_to_the_pages(published, monkeypatch):
    monkeypatch.setattr(downloads, "RECORD_SECONDS", 0.0)
    seen = []

    def fetch(report):
        report("downloading", 25, 100)
        seen.append((row().stage, row().percent, row().status))
        report("converting", 50, 100)
        seen.append((row().stage, row().percent, row().status))

    before = len(published.items)
    downloads.work_on(started(), fetch)
    assert seen == [("downloading", 25.0, "running"), ("converting", 50.0, "running")]
    assert row().status == Status.SUCCEEDED
    assert row().finished_at is not None
    assert len(published.items) > before + 3


def test_progress_is_written_a_few_times_a_second_only(django_assert_max_num_queries):
    report = downloads.Reporter(started())
    report("downloading", 0, 1000)
    with django_assert_max_num_queries(0):
        for done in range(1, 500):
            report("downloading", done, 1000)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DownloadError("The server refuses."), "The server refuses."),
        (OSError("disk"), "Something went wrong inside Foldstream (OSError)"),
    ],
    ids=["said", "unexpected"],
)
def test_an_error_ends_it_in_words(error, words):
    def fetch(report):
        raise error

    if isinstance(error, DownloadError):
        downloads.work_on(started(), fetch)
    else:
        with pytest.raises(OSError, match="disk"):
            downloads.work_on(started(), fetch)
    assert row().status == Status.FAILED
    assert words in row().error


def test_it_can_be_tried_again_after_it_failed(user, sent):
    def fetch(report):
        raise DownloadError("Cut.")

    downloads.work_on(started(), fetch)
    assert downloads.ask(MINI, by=user)
    assert (row().status, row().error) == ("queued", "")
    assert sent == [MINI, MINI]


def test_a_queued_one_is_cancelled_at_once_and_a_running_one_at_its_next_step():
    downloads.ask(MINI, by=None)
    assert downloads.cancel(MINI)
    assert row().status == Status.CANCELLED
    assert not downloads.cancel(MINI)
    running = started()

    def fetch(report):
        assert downloads.cancel(MINI)
        assert row().status == Status.RUNNING
        with pytest.raises(Cancelled):
            report("downloading", 1, 2)
        raise Cancelled

    downloads.work_on(running, fetch)
    assert row().status == Status.CANCELLED


def test_a_process_that_was_given_up_writes_nothing_any_more():
    first = started()
    assert downloads.give_back(first, crashed=True)
    second = downloads.start(MINI, worker="second#2")
    with pytest.raises(NotYours):
        downloads.Reporter(first)("downloading", 1, 2)
    downloads.work_on(first, lambda report: report("downloading", 1, 2))
    assert (row().status, row().attempt) == ("running", second.attempt)


def test_a_dead_process_is_noticed_and_its_download_goes_on(sent):
    started(worker=f"weights-1-{place()}@anywhere#999999999")
    sent.clear()
    sweeper.give_back_lost_downloads()
    assert (row().status, row().crashes) == ("queued", 1)
    assert sent == [MINI]


def test_an_expired_lease_is_noticed_and_a_living_one_is_left_alone(clock):
    """A step may be silent for as long as a lease, also after its machine has slept."""
    started()
    sweeper.give_back_lost_downloads()
    WeightsDownload.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    for seconds in (0, 60, 59):
        clock.forward(seconds)
        sweeper.give_back_lost_downloads()
        assert row().status == Status.RUNNING
    clock.forward(2)
    sweeper.give_back_lost_downloads()
    assert row().status == Status.QUEUED


def test_what_kills_its_process_again_and_again_is_given_up():
    for _ in range(3):
        downloads.give_back(
            downloads.start(MINI, worker="w#1") if row_exists() else started(), crashed=True
        )
    assert row().status == Status.FAILED
    assert "stopped 3 times" in row().error


def row_exists() -> bool:
    return WeightsDownload.objects.exists()


def test_a_lost_one_that_somebody_cancelled_is_not_begun_again():
    running = started()
    downloads.cancel(MINI)
    running.refresh_from_db()
    downloads.give_back(running, crashed=True)
    assert row().status == Status.CANCELLED


def test_a_fetcher_that_stops_politely_gives_back_its_own(sent):
    started(worker="weights-1@a#7")
    downloads.give_back_all("weights-2@a")
    assert row().status == Status.RUNNING
    downloads.give_back_all("weights-1@a")
    assert (row().status, row().crashes) == ("queued", 0)


def test_a_lost_task_is_sent_again(sent, monkeypatch, data_dir):
    downloads.ask(MINI, by=None)
    sent.clear()
    monkeypatch.setattr(queue, "waiting", lambda name="": 0)
    sweeper.send_lost_tasks()
    assert sent == [], "it was only just asked for"
    WeightsDownload.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    sweeper.send_lost_tasks()
    assert sent == [MINI]


def test_the_task_fetches_with_the_mirrors_of_the_settings(monkeypatch, settings):
    from webapp import pipeline

    settings.WEIGHTS_MIRRORS = ["https://mirror.example.org/weights"]
    calls = []

    def fetch(name, store, *, mirrors, report):
        report("downloading", 1, 1)
        calls.append((name, store.folder, mirrors))

    monkeypatch.setattr(pipeline, "fetch_weights", fetch)
    downloads.ask(MINI, by=None)
    for _ in range(2):
        tasks.fetch.apply(args=[MINI], throw=True)
    assert calls == [(MINI, settings.WEIGHTS_DIR, settings.WEIGHTS_MIRRORS)]
    assert row().status == Status.SUCCEEDED


def test_who_may_fill_the_disk(user, settings):
    settings.LISTENS_ON = "127.0.0.1"
    from django.contrib.auth.models import AnonymousUser

    from webapp import local_user

    assert not downloads.may_ask(user)
    assert not downloads.may_ask(AnonymousUser())
    assert downloads.may_ask(User(username="root", is_staff=True))
    assert downloads.may_ask(local_user.get_or_create())


def test_fetchers_are_told_from_workers_that_fold():
    assert tasks.is_fetcher("weights-12@host")
    assert not tasks.is_fetcher("fold-12@host")
