"""Events in any batches, mailboxes at any pace: each line once, in order, the end last."""

import itertools
import json
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.webapp import making
from webapp import jobs
from webapp.live import events, publisher, streams
from webapp.live import mailbox as mailboxes
from webapp.live.events import (
    AlignmentReady,
    ContactMap,
    Frame,
    LogLine,
    OutlineReady,
    Progress,
    SampleReady,
    StatusChanged,
)
from webapp.live.frames import stream_id
from webapp.live.mailbox import Mailbox
from webapp.live.messages import JobPage, Message, text_frame

SLOTS = st.sampled_from([None, "progress", "frame-0-0", "status"])


def message(number, slot):
    return Message(id=f"{number}-0", kind=slot or "log", slot=slot)


@given(
    slots=st.lists(SLOTS, max_size=40),
    begins=st.integers(0, 40),
    replayed=st.integers(0, 40),
    takes=st.sets(st.integers(0, 40)),
)
@settings(max_examples=150)
def test_whatever_the_timing_lines_come_once_in_order_and_slots_end_with_the_newest(
    slots, begins, replayed, takes
):
    # The hub puts all messages; somewhere the replay of the first ones arrives and opens the box.
    said = [message(number, slot) for number, slot in enumerate(slots, start=1)]
    box, got = Mailbox(), []
    for k in range(len(said) + 1):
        if k == min(begins, len(said)):
            box.begin(said[: min(replayed, k)] if replayed < k else said[:k])
        if k in takes and k > begins:
            got += box.take()[0]
        if k < len(said):
            box.put(said[k])
    got += box.take()[0]
    numbers = [stream_id(m.id) for m in got]
    assert numbers == sorted(set(numbers)), "in order, none twice"
    lines = [m.id for m in got if m.slot is None]
    assert lines == [m.id for m in said if m.slot is None], "every line"
    for slot in ("progress", "frame-0-0", "status"):
        of_slot = [m.id for m in said if m.slot == slot]
        assert [m.id for m in got if m.slot == slot][-1:] == of_slot[-1:]


@given(st.integers(1, 400), st.integers(3, 30))
@settings(max_examples=40)
def test_a_mailbox_never_holds_more_than_its_room_and_counts_the_rest(n, room):
    before, mailboxes.CAPACITY = mailboxes.CAPACITY, room
    try:
        box = Mailbox()
        box.begin([])
        for number in range(1, n + 1):
            box.put(message(number, None))
        waiting, dropped = box.take()
    finally:
        mailboxes.CAPACITY = before
    assert len(waiting) == min(n, room)
    assert len(waiting) + dropped == n
    assert waiting[-1].id == f"{n}-0"
    assert box.take() == ((), 0)


# Records ----------------------------------------------------------------------------------------

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
WORDS = st.text(max_size=30)
COUNTS = st.integers(0, 10_000)
EVENTS = st.one_of(
    st.builds(StatusChanged, status=WORDS, stage=WORDS, percent=FLOATS),
    st.builds(Progress, stage=WORDS, percent=FLOATS, eta_seconds=st.none() | FLOATS, detail=WORDS),
    st.builds(
        LogLine, level=st.sampled_from(["info", "warning", "error"]), message=WORDS, at=WORDS
    ),
    st.builds(AlignmentReady, summary=st.dictionaries(WORDS, st.integers() | WORDS, max_size=4)),
    st.builds(
        OutlineReady,
        tubes=st.lists(st.lists(COUNTS, max_size=3), max_size=3),
        beads=st.lists(COUNTS, max_size=3),
        bonds=st.lists(st.lists(COUNTS, min_size=2, max_size=2), max_size=3),
    ),
    st.builds(
        SampleReady,
        seed=COUNTS,
        sample=COUNTS,
        n_samples=COUNTS,
        ranking_score=FLOATS,
        mean_plddt=FLOATS,
        ptm=FLOATS,
        iptm=st.none() | FLOATS,
        has_clash=st.booleans(),
        fraction_disordered=FLOATS,
    ),
    st.builds(
        ContactMap,
        **dict.fromkeys(("seed", "seed_index", "cycle", "n_cycles", "count"), COUNTS),
        bin=st.binary(max_size=30),
    ),
    st.builds(
        Frame,
        **dict.fromkeys(
            ("seed", "seed_index", "sample", "n_samples", "step", "n_steps", "count"), COUNTS
        ),
        noise_level=FLOATS,
        bin=st.binary(max_size=30),
    ),
)


def as_redis(fields):
    return {
        key.encode(): value if isinstance(value, bytes) else value.encode()
        for key, value in fields.items()
    }


@given(EVENTS, st.integers(0, 1000))
@settings(max_examples=120)
def test_every_event_comes_out_of_a_stream_as_it_went_in(event, attempt):
    record = events.from_fields(b"7-1", as_redis(events.to_fields(event, attempt=attempt)))
    assert (record.id, record.attempt) == ("7-1", attempt)
    assert record.event == event


# Pages ------------------------------------------------------------------------------------------


def line(number):
    return LogLine(level="info", message=str(number), at="2026-01-01T00:00:00+00:00")


def entries(said, *, attempt=1):
    return [
        (f"{number}-0".encode(), as_redis(events.to_fields(event, attempt=attempt)))
        for number, event in enumerate(said, start=1)
    ]


def said_by(messages):
    extras = [json.loads(extra) for m in messages for extra in m.events]
    return [extra.get("message", extra.get("status")) for extra in extras]


@pytest.mark.django_db
@given(cuts=st.sets(st.integers(1, 12), max_size=6), ends_after=st.integers(0, 12))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_a_stream_is_cut_the_end_follows_the_last_line(user, cuts, ends_after):
    # The row ends at any moment of the reading, as it does when a page reads a stream that grows.
    said = [
        *(StatusChanged(status="running"), line(1), Progress(stage="trunk", percent=5.0), line(2)),
        *(StatusChanged(status="running"), line(3), line(4), line(5)),
        *(Progress(stage="saving", percent=9.0), line(6), StatusChanged(status="failed")),
    ]
    job = jobs.start(making.job(user).pk, worker="w#1")
    page, box, heard = JobPage(job.pk), Mailbox(), []
    box.begin(page.snapshot("0"))
    stored = entries(said)
    borders = [0, *sorted(cut for cut in cuts if cut < len(stored)), len(stored)]
    for start, stop in itertools.pairwise(borders):
        if start >= ends_after or stop == len(stored):
            jobs.fail(job, "No.")
        for built in page.build(stored[start:stop]):
            box.put(built)
        heard += box.take()[0]
    words = said_by(heard)
    assert [w for w in words if w and w.isdigit()] == ["1", "2", "3", "4", "5", "6"]
    assert words[-1] == "failed"
    assert words.count("failed") == 1
    assert [m.kind for m in heard].count("ended") == 1


@given(st.lists(st.tuples(st.integers(1, 10**13), st.integers(0, 99)), min_size=1, max_size=20))
def test_a_frame_carries_the_newest_of_its_ids(numbers):
    messages = tuple(Message(id=f"{a}-{b}", kind="log") for a, b in numbers)
    newest = max(numbers)
    assert json.loads(text_frame(messages))["id"] == f"{newest[0]}-{newest[1]}"


# The publisher ----------------------------------------------------------------------------------


def test_threads_that_speak_at_once_lose_nothing_and_keep_their_own_order(publishing, redis_server):
    def speak(name):
        for number in range(60):
            publisher.publish("j", attempt=1, event=line(f"{name} {number}"))

    threads = [threading.Thread(target=speak, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert publishing.flush(timeout_seconds=20)
    with redis_server.client() as client:
        stored = client.xrange(streams.of_job("j"))
    words = [json.loads(fields[b"data"])["message"] for _, fields in stored]
    assert len(words) == 240
    for name in "abcd":
        assert [w for w in words if w.startswith(name)] == [f"{name} {k}" for k in range(60)]


def test_a_flush_that_has_nothing_to_wait_for_returns_at_once(publishing):
    assert publishing.flush(timeout_seconds=0.0)


def test_redis_that_goes_between_two_lines_changes_neither_order_nor_number(
    publishing, redis_server
):
    for number in range(6):
        if number == 2:
            redis_server.stop()
        if number == 4:
            redis_server.start()
        publisher.publish("j", attempt=1, event=line(number))
        publisher.publish("j", attempt=1, event=Progress(stage="trunk", percent=float(number)))
    assert publishing.flush(timeout_seconds=20)
    with redis_server.client() as client:
        stored = client.xrange(streams.of_job("j"))
    logs = [json.loads(f[b"data"]) for _, f in stored if f[b"kind"] == b"log"]
    assert [log["message"] for log in logs] == [str(n) for n in range(6)]
    percents = [json.loads(f[b"data"])["percent"] for _, f in stored if f[b"kind"] == b"progress"]
    assert percents[-1] == 5.0
