"""What records become: fragments, extras and pictures, built once, in step with the row."""

import base64
import json
import struct
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.webapp import making
from webapp import jobs
from webapp.live import events, fragments, messages, streams
from webapp.live.events import ContactMap, LogLine, Progress, SampleReady, StatusChanged
from webapp.live.messages import JobPage, Message, poll, text_frame
from webapp.models import Job

pytestmark = pytest.mark.django_db


def line(text):
    return LogLine(level="info", message=text, at="2026-01-01T00:00:00+00:00")


def progress(percent):
    return Progress(stage="trunk", percent=percent)


def contacts(cycle):
    return ContactMap(seed=1, seed_index=0, cycle=cycle, n_cycles=4, count=1, bin=b"\x07")


SAMPLE = SampleReady(
    seed=1,
    sample=0,
    n_samples=1,
    ranking_score=0.5,
    mean_plddt=80.0,
    ptm=0.5,
    iptm=None,
    has_clash=False,
    fraction_disordered=0.0,
)


def entries(*said, attempt=1, first=1):
    """Entries 1-0, 2-0, ... as Redis answers them."""
    return [
        (
            f"{number}-0".encode(),
            {
                key.encode(): value if isinstance(value, bytes) else value.encode()
                for key, value in events.to_fields(event, attempt=attempt).items()
            },
        )
        for number, event in enumerate(said, first)
    ]


@pytest.fixture
def job(user):
    return jobs.start(making.job(user).pk, worker="w#1")


@pytest.fixture
def page(job):
    return JobPage(job.pk)


def test_a_line_becomes_a_fragment_and_its_data(page):
    (message,) = page.build(entries(line("Å < b")))
    frame = json.loads(text_frame((message,)))
    assert frame["id"] == "1-0"
    assert frame["data"]["events"] == [
        {"kind": "log", "level": "info", "message": "Å < b", "at": "2026-01-01T00:00:00+00:00"}
    ]
    assert "Å &lt; b" in frame["fragments"][0]["html"]


def test_a_map_becomes_a_binary_frame(page):
    (message,) = page.build(entries(contacts(2)))
    assert message.binary[40:] == b"\x07"
    assert struct.unpack_from("<B", message.binary)[0] == 2
    assert message.fragments == message.events == ()


def test_of_a_batch_only_the_newest_of_each_slot_is_built(page):
    built = page.build(entries(progress(1.0), line("a"), progress(2.0), contacts(1), contacts(2)))
    assert [(m.id, m.kind) for m in built] == [
        ("2-0", "log"),
        ("3-0", "progress"),
        ("5-0", "recycle"),
    ]


def test_a_status_says_what_the_row_says(page, job):
    jobs.fail(job, "No.")
    built = page.build(entries(StatusChanged(status="running"), StatusChanged(status="failed")))
    assert [(m.id, m.kind) for m in built] == [("2-0", "ended")]
    (said,) = (json.loads(extra) for extra in built[0].events)
    assert (said["kind"], said["status"]) == ("status", "failed")


def test_an_older_status_does_not_tell_the_end_before_the_last_line(page, job):
    # The row ends before its last line is written: who reads the stream in between sees this.
    running, failed = (StatusChanged(status=status) for status in ("running", "failed"))
    jobs.fail(job, "No.")
    early = page.build(entries(running, line("almost")))
    assert [m.kind for m in early] == ["log"]
    late = page.build(entries(line("No."), failed, first=3))
    assert [m.kind for m in late] == ["log", "ended"]


def test_a_status_that_comes_after_the_end_does_not_hide_it(page, job):
    jobs.fail(job, "No.")
    running, failed = (StatusChanged(status=status) for status in ("running", "failed"))
    together = page.build(entries(running, line("No."), failed, running))
    assert [(m.id, m.kind) for m in together] == [("2-0", "log"), ("3-0", "ended")]
    assert page.build(entries(running, first=9)) == []


def test_what_a_given_up_attempt_says_late_does_not_replace_the_next_ones_words(page, job):
    jobs.give_back(job, crashed=True)
    jobs.start(job.pk, worker="w#2")
    said = [*entries(progress(5.0), attempt=2), *entries(progress(90.0), attempt=1, first=2)]
    assert [(m.id, m.kind) for m in page.build(said)] == [("1-0", "progress")]


def test_a_change_of_mind_at_the_end_leaves_the_end_to_the_worker(user, published, job):
    # The owner presses Cancel while the worker writes that it failed.
    Job.objects.filter(pk=job.pk).update(status="failed")
    jobs.announce(job)
    assert published.kinds(job).count("status") == 1  # that it started
    assert len(published.hints(user.pk)) == 2


def test_a_given_up_attempt_only_keeps_its_log(page, job):
    jobs.give_back(job, crashed=True)
    jobs.start(job.pk, worker="w#2")
    built = page.build(entries(line("old"), progress(90.0), contacts(1), SAMPLE, attempt=1))
    assert [m.kind for m in built] == ["log"]
    assert [m.kind for m in page.build(entries(progress(5.0), attempt=2, first=9))] == ["progress"]


def test_after_the_end_no_progress_is_shown(page, job):
    jobs.stop(job)
    page.snapshot("0")
    assert [m.kind for m in page.build(entries(progress(90.0), line("bye"), SAMPLE))] == ["log"]


def test_a_deleted_job_is_gone(page, job):
    jobs.delete(job)
    (message,) = page.snapshot("4-0")
    assert (message.kind, message.id) == ("gone", "4-0")
    assert json.loads(message.events[0])["status"] == "deleted"
    assert page.build(entries(progress(1.0), line("x"))) == []


def test_lines_are_rendered_once_for_all_sockets(page, monkeypatch):
    rendered = []
    original = fragments.render
    monkeypatch.setattr(
        fragments, "render", lambda job, event: rendered.append(event) or original(job, event)
    )
    first = page.build(entries(line("a"), line("b")))
    again = page.build(entries(line("a"), line("b"), line("c")))
    assert again[:2] == first
    assert [event.message for event in rendered] == ["a", "b", "c"]


def test_memory_of_lines_has_an_end(page, monkeypatch):
    monkeypatch.setattr(messages, "RECENT", 5)
    page.build(entries(*(line(str(n)) for n in range(50))))
    assert len(page._recent) == 5


def test_a_frame_joins_messages_under_the_newest_id():
    parts = [
        Message(id="9-0", kind="log", fragments=('{"a":1}',), events=('{"b":1}',)),
        Message(id="10-0", kind="log", fragments=('{"a":2}', '{"a":3}')),
        Message(id="", kind="status", events=('{"b":2}',)),
    ]
    assert json.loads(text_frame(tuple(parts))) == {
        "id": "10-0",
        "fragments": [{"a": 1}, {"a": 2}, {"a": 3}],
        "data": {"events": [{"b": 1}, {"b": 2}]},
    }


@pytest.mark.parametrize("text", ["0", "5", "1700-3"])
def test_ids_of_streams_are_accepted(text):
    assert messages.valid_id(text) == text


@pytest.mark.parametrize("text", ["", "-", "$", "+", "a-1", "1-b", "٣-1", "1" * 50, "1-1-1", "(1"])
def test_anything_else_means_from_the_beginning(text):
    assert messages.valid_id(text) == "0"


def test_unknown_kinds_of_a_newer_version_are_passed_over(page):
    (known,) = entries(line("a"))
    unknown = (b"2-0", {b"kind": b"gossip", b"attempt": b"1", b"data": b"{}"})
    assert [m.id for m in page.build([unknown, known, (b"3-0", {})])] == ["1-0"]


# the poll ---------------------------------------------------------------------------------------


def test_a_poll_answers_as_a_socket_would(job, redis_server):
    with redis_server.client() as client:
        for event in (line("a"), contacts(1), line("b")):
            client.xadd(streams.of_job(job.pk), events.to_fields(event, attempt=1))
        ids = [i.decode() for i, _ in client.xrange(streams.of_job(job.pk))]
    answer = poll(job, "0")
    said = [extra for frame in answer["messages"] for extra in frame["data"]["events"]]
    assert [extra["kind"] for extra in said] == ["status", "log", "log"]
    assert base64.b64decode(answer["frames"][0])[40:] == b"\x07"
    assert answer["last"] == ids[-1]
    later = poll(job, ids[1])
    said = [extra for frame in later["messages"] for extra in frame["data"]["events"]]
    assert [extra.get("message") for extra in said] == [None, "b"]
    assert later["frames"] == []


def put(redis_server, job, *said):
    with redis_server.client() as client:
        for event in said:
            client.xadd(streams.of_job(job.pk), events.to_fields(event, attempt=1))


def said_in(answer):
    extras = [extra for frame in answer["messages"] for extra in frame["data"]["events"]]
    return [extra.get("message", extra.get("status")) for extra in extras]


def test_a_poll_tells_the_end_after_the_last_line(job, redis_server):
    put(redis_server, job, StatusChanged(status="running"), line("almost"))
    jobs.fail(job, "No.")
    job.refresh_from_db()
    early = poll(job, "0")
    assert said_in(early) == ["almost"]
    put(redis_server, job, line("No."), StatusChanged(status="failed"))
    assert said_in(poll(job, early["last"])) == ["No.", "failed"]
    assert said_in(poll(job, "0")) == ["almost", "No.", "failed"]


def test_a_poll_does_not_wait_for_last_words_that_were_lost(job, redis_server):
    put(redis_server, job, line("almost"))
    jobs.stop(job)
    ended_at = Job.objects.get().finished_at - messages.LAST_WORDS
    Job.objects.update(finished_at=ended_at)
    assert said_in(poll(job, "0")) == ["almost", "cancelled"]


def test_a_poll_asks_the_row_as_it_is_now_whether_last_words_may_come(job, redis_server):
    put(redis_server, job, line("almost"))
    before = Job.objects.get()
    jobs.stop(job)
    assert before.finished_at is None
    assert said_in(poll(before, "0")) == ["almost"]


def test_a_poll_does_not_wait_for_a_clock_that_runs_ahead(job, redis_server):
    put(redis_server, job, line("almost"))
    jobs.stop(job)
    Job.objects.update(finished_at=timezone.now() + timedelta(hours=1))
    assert said_in(poll(job, "0")) == ["almost", "cancelled"]


def test_a_poll_without_news_keeps_its_place(job, redis_server):
    jobs.stop(job)
    job.refresh_from_db()
    assert poll(job, "9-1") == {"messages": [], "frames": [], "last": "9-1"}


def test_a_poll_without_redis_shows_the_row(job, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    Job.objects.update(percent=42.0)
    answer = poll(job, "7-0")
    assert answer["messages"][0]["data"]["events"][0]["percent"] == 42.0
    assert answer["last"] == "7-0"
