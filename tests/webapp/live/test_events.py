"""Events: written into a stream's entry and read back, they are the same."""

import json

import pytest

from webapp.live import events
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

EXAMPLES = [
    StatusChanged(status="running", stage="trunk", percent=12.5),
    Progress(stage="diffusion", percent=50.0, eta_seconds=None, detail="step 1 of 2"),
    LogLine(level="warning", message="pLDDT < 50 · Å", at="2026-01-01T00:00:00+00:00"),
    AlignmentReady(summary={"chains": [{"ids": ["A"], "coverage": [[1.0]]}]}),
    OutlineReady(tubes=[[0, 1, 2]], beads=[1, 3], bonds=[[1, 3]]),
    ContactMap(seed=4, seed_index=1, cycle=2, n_cycles=4, count=2, bin=b"\x00\xff\xff\x00"),
    Frame(
        seed=4,
        seed_index=1,
        sample=2,
        n_samples=5,
        step=3,
        n_steps=20,
        noise_level=1.5,
        count=1,
        bin=b"\x00\x01\x02\x03\x04\x05",
    ),
    SampleReady(
        seed=4,
        sample=2,
        n_samples=5,
        ranking_score=0.5,
        mean_plddt=80.0,
        ptm=0.7,
        iptm=None,
        has_clash=False,
        fraction_disordered=0.1,
    ),
]


def as_redis_answers(fields):
    return {
        key.encode(): value if isinstance(value, bytes) else value.encode()
        for key, value in fields.items()
    }


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.kind)
def test_what_is_read_is_what_was_written(event):
    fields = as_redis_answers(events.to_fields(event, attempt=3))
    record = events.from_fields(b"170-2", fields)
    assert (record.id, record.attempt, record.event) == ("170-2", 3, event)


def test_every_kind_has_an_example_here():
    assert {event.kind for event in EXAMPLES} == set(events.KINDS)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.kind)
def test_the_data_of_an_event_is_json_without_bytes(event):
    data = json.loads(json.dumps(events.data(event)))
    assert data["kind"] == event.kind
    assert "bin" not in data


def test_only_the_binary_kinds_carry_bytes():
    carriers = {
        event.kind
        for event in EXAMPLES
        if b"bin" in as_redis_answers(events.to_fields(event, attempt=1))
    }
    assert carriers == {"recycle", "frame"} == events.BINARY_KINDS


def test_an_unknown_kind_is_an_error():
    with pytest.raises(KeyError):
        events.from_fields(b"1-0", {b"kind": b"gossip", b"data": b"{}", b"attempt": b"1"})


def test_newer_percent_maps_and_frames_of_a_sample_replace_older_ones():
    slots = {event.kind: events.slot(event) for event in EXAMPLES}
    assert slots == {
        "status": None,
        "log": None,
        "sample": None,
        "progress": "progress",
        "alignment": "alignment",
        "outline": "outline",
        "recycle": "recycle",
        "frame": "frame-1-2",
    }
