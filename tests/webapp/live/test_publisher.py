"""Publishing: never waits, never loses what counts, never says it twice."""

import os
import signal
import time

import pytest

from webapp.live import events, publisher, streams
from webapp.live.events import Frame, LogLine, Progress, SampleReady, StatusChanged
from webapp.live.publisher import Item, Publisher

JOB = "00000000-0000-0000-0000-000000000001"
STREAM = streams.of_job(JOB)


def line(message):
    return LogLine(level="info", message=str(message), at="2026-01-01T00:00:00+00:00")


def progress(percent):
    return Progress(stage="diffusion", percent=percent)


def frame(sample, step):
    return Frame(
        seed=1,
        seed_index=0,
        sample=sample,
        n_samples=2,
        step=step,
        n_steps=9,
        noise_level=1.0,
        count=1,
        bin=b"123456",
    )


def say(*some_events):
    for event in some_events:
        publisher.publish(JOB, attempt=1, event=event)


def stored(redis_server):
    with redis_server.client() as client:
        return [events.from_fields(i, f).event for i, f in client.xrange(STREAM)]


def messages(redis_server):
    return [e.message for e in stored(redis_server) if isinstance(e, LogLine)]


def flushed(publishing):
    return publishing.flush(timeout_seconds=10)


def test_events_arrive_in_order(publishing, redis_server):
    say(*(line(n) for n in range(500)))
    assert flushed(publishing)
    assert messages(redis_server) == [str(n) for n in range(500)]


def test_a_newer_event_of_the_same_slot_replaces_the_older_one(publishing, redis_server):
    for percent in (1.0, 2.0, 3.0):
        say(line(percent), progress(percent), frame(0, int(percent)), frame(1, int(percent)))
        assert flushed(publishing)
    kept = stored(redis_server)
    assert [event.message for event in kept if isinstance(event, LogLine)] == ["1.0", "2.0", "3.0"]
    assert [event.percent for event in kept if isinstance(event, Progress)] == [3.0]
    assert [(e.sample, e.step) for e in kept if isinstance(e, Frame)] == [(0, 3), (1, 3)]


def test_the_last_id_is_the_newest_entry(publishing, redis_server):
    assert publisher.last_event(JOB) == ""
    say(line("a"), line("b"))
    assert flushed(publishing)
    with redis_server.client() as client:
        assert publisher.last_event(JOB) == client.xrevrange(STREAM, count=1)[0][0].decode()


def test_a_stream_goes_a_day_after_the_end(publishing, redis_server):
    say(line("a"))
    flushed(publishing)
    with redis_server.client() as client:
        alive = client.ttl(STREAM)
        done = StatusChanged(status="succeeded")
        publisher.publish(JOB, attempt=1, event=done, last=True)
        flushed(publishing)
        assert client.ttl(STREAM) <= 24 * 3600 < alive


def test_a_stream_is_trimmed(publishing, redis_server):
    for n in range(1000):
        publishing.publish(Item(stream="s", fields={"n": str(n)}, max_entries=100))
    assert flushed(publishing)
    with redis_server.client() as client:
        assert 100 <= client.xlen("s") <= 300


def test_what_counts_waits_while_redis_is_down(publishing, redis_server):
    say(line("before"))
    assert flushed(publishing)
    redis_server.stop()
    started = time.monotonic()
    for n in range(300):
        say(line(n), progress(n / 10), frame(0, n))
    assert time.monotonic() - started < 1.0
    assert not publishing.flush(timeout_seconds=0.3)
    redis_server.start()
    assert flushed(publishing)
    assert messages(redis_server) == ["before", *map(str, range(300))]
    assert [e.step for e in stored(redis_server) if isinstance(e, Frame)] == [299]


def test_a_batch_that_redis_took_without_an_answer_is_not_repeated(publishing, redis_server):
    say(line("before"))
    assert flushed(publishing)
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    try:
        say(line("asked once"))
        time.sleep(streams.TIMEOUT_SECONDS + 0.5)
        say(line("after"))
    finally:
        os.kill(redis_server.process.pid, signal.SIGCONT)
    assert flushed(publishing)
    assert messages(redis_server) == ["before", "asked once", "after"]


def test_the_backlog_has_an_end(publishing, redis_server, monkeypatch):
    monkeypatch.setattr(publisher, "BACKLOG_LIMIT", 50)
    redis_server.stop()
    say(*(line(n) for n in range(500)))
    redis_server.start()
    assert flushed(publishing)
    assert messages(redis_server)[-50:] == [str(n) for n in range(450, 500)]
    assert len(messages(redis_server)) <= 50 + publisher.BATCH


def test_a_sample_and_a_status_count_each(publishing, redis_server):
    sample = SampleReady(
        seed=1,
        sample=0,
        n_samples=2,
        ranking_score=0.1,
        mean_plddt=50.0,
        ptm=0.1,
        iptm=None,
        has_clash=True,
        fraction_disordered=0.0,
    )
    say(StatusChanged(status="running"), sample, sample, StatusChanged(status="succeeded"))
    assert flushed(publishing)
    assert [event.kind for event in stored(redis_server)] == [
        "status",
        "sample",
        "sample",
        "status",
    ]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_publisher_of_its_own(publishing, redis_server):
    say(line("parent"))
    assert flushed(publishing)
    child = os.fork()
    if child == 0:
        publishing.begin_anew()
        say(line("child"))
        os._exit(0 if flushed(publishing) else 1)
    assert os.waitpid(child, 0)[1] == 0
    say(line("parent again"))
    assert flushed(publishing)
    assert messages(redis_server) == ["parent", "child", "parent again"]


def test_hints_name_the_job_and_the_change(publishing, redis_server):
    publisher.hint(5, job_id=JOB, change="created")
    publisher.queue_moved()
    publisher.reading_taken()
    assert flushed(publishing)
    with redis_server.client() as client:
        ((_, hint),) = client.xrange(streams.of_user(5))
        machine = [fields[b"kind"] for _, fields in client.xrange(streams.MACHINE)]
    assert hint[b"data"] == f'{{"job": "{JOB}", "change": "created"}}'.encode()
    assert machine == [b"queue", b"reading"]


def test_a_closed_publisher_sends_no_more(redis_server):
    mine = Publisher()
    mine.publish(Item(stream="s", fields={"n": "1"}))
    assert mine.flush(timeout_seconds=5)
    mine.close()
    mine._thread.join(5)
    assert not mine._thread.is_alive()


@pytest.mark.parametrize("name", [STREAM, streams.of_user(3)])
def test_names_keep_a_hash_tag(name):
    assert name.count("{") == name.count("}") == 1
