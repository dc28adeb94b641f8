"""The binary layout, byte by byte: the browser reads the same one."""

import struct

import numpy as np
import pytest

from webapp.live import frames
from webapp.live.events import ContactMap, Frame, LogLine, Record


def coordinates_record(**changes):
    values = {
        "seed": 7,
        "seed_index": 1,
        "sample": 2,
        "n_samples": 5,
        "step": 3,
        "n_steps": 20,
        "noise_level": 1.5,
        "count": 2,
        "bin": frames.coordinate_bytes(np.array([[1, -2, 3.004], [0, 0, 0]], dtype=np.float32)),
    }
    return Record(id="1700000000000-4", attempt=6, event=Frame(**{**values, **changes}))


def test_a_header_has_forty_bytes_in_the_agreed_order():
    packed = frames.pack(coordinates_record())
    assert struct.calcsize("<BBHIQIIIIIf") == 40
    header = struct.unpack("<BBHIQIIIIIf", packed[:40])
    assert header == (1, 1, 1, 6, 1700000000000, 4, 2, 3, 20, 2, 1.5)


def test_coordinates_are_centi_angstrom():
    numbers = np.frombuffer(frames.pack(coordinates_record())[40:], dtype="<i2").reshape(2, 3)
    assert numbers.tolist() == [[100, -200, 300], [0, 0, 0]]


def test_far_coordinates_stick_to_the_border_instead_of_turning_round():
    far = np.array([[400.0, -400.0, 0.0]], dtype=np.float32)
    assert np.frombuffer(frames.coordinate_bytes(far), dtype="<i2").tolist() == [32767, -32767, 0]


def test_coordinates_lose_at_most_half_a_centi_angstrom():
    there = np.random.default_rng(0).uniform(-150, 150, (50, 3)).astype(np.float32)
    back = np.frombuffer(frames.coordinate_bytes(there), dtype="<i2").reshape(50, 3) / 100
    assert np.abs(back - there).max() <= 0.0051


def test_a_contact_map_counts_cycles_where_a_frame_counts_steps():
    probabilities = np.array([[1.0, 0.5], [0.5, 0.0]], dtype=np.float32)
    contacts = ContactMap(
        seed=7,
        seed_index=0,
        cycle=2,
        n_cycles=4,
        count=2,
        bin=frames.probability_bytes(probabilities),
    )
    packed = frames.pack(Record(id="9-0", attempt=1, event=contacts))
    header = struct.unpack("<BBHIQIIIIIf", packed[:40])
    assert header == (2, 1, 0, 1, 9, 0, 0, 2, 4, 2, 0.0)
    assert list(packed[40:]) == [255, 128, 128, 0]


def test_words_have_no_binary_frame():
    line = LogLine(level="info", message="hello", at="2026-01-01T00:00:00+00:00")
    record = Record(id="1-0", attempt=1, event=line)
    assert not frames.is_binary(record)
    with pytest.raises(TypeError, match="log event has no binary frame"):
        frames.pack(record)


def test_stream_ids_sort_as_numbers():
    ids = ["10-0", "9-12", "9-2", "0"]
    assert sorted(ids, key=frames.stream_id) == ["0", "9-2", "9-12", "10-0"]
