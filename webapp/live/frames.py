"""Binary frames of the socket: a header of 40 bytes, then coordinates or a contact map.

Little-endian, `<BBHIQIIIIIf`: kind, version, seed index, attempt, stream id (milliseconds,
sequence), sample, step, number of steps, count, noise level. Coordinates follow as int16 [count, 3]
in centi-ångström; a contact map as uint8 [count, count], where step and number of steps count
cycles. `static/js/` reads the same layout; `tests/webapp/live/test_frames.py` pins it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from webapp.live.events import ContactMap, Frame, Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEADER = struct.Struct("<BBHIQIIIIIf")
VERSION = 1
COORDINATES = 1
CONTACT_MAP = 2
CENTI = 100.0
INT16_MAX = 32767


def coordinate_bytes(coordinates: NDArray[np.float32]) -> bytes:
    """Coordinates [count, 3] in Å as centi-ångström; beyond ±327 Å they stick to the border."""
    centi = (coordinates * CENTI).round().clip(-INT16_MAX, INT16_MAX)
    return centi.astype("<i2").tobytes()


def probability_bytes(probabilities: NDArray[np.float32]) -> bytes:
    """Probabilities from 0 to 1 as bytes from 0 to 255."""
    return (probabilities * 255.0).round().clip(0, 255).astype("u1").tobytes()


def is_binary(record: Record) -> bool:
    return isinstance(record.event, ContactMap | Frame)


def pack(record: Record) -> bytes:
    """The binary frame of a `Frame` or a `ContactMap`, header included."""
    match record.event:
        case Frame() as frame:
            return _header(record, frame) + frame.bin
        case ContactMap() as contacts:
            return _map_header(record, contacts) + contacts.bin
    raise TypeError(f"a {record.event.kind} event has no binary frame")


def _header(record: Record, frame: Frame) -> bytes:
    milliseconds, sequence = stream_id(record.id)
    return HEADER.pack(
        COORDINATES,
        VERSION,
        frame.seed_index,
        record.attempt,
        milliseconds,
        sequence,
        frame.sample,
        frame.step,
        frame.n_steps,
        frame.count,
        frame.noise_level,
    )


def _map_header(record: Record, contacts: ContactMap) -> bytes:
    milliseconds, sequence = stream_id(record.id)
    return HEADER.pack(
        CONTACT_MAP,
        VERSION,
        contacts.seed_index,
        record.attempt,
        milliseconds,
        sequence,
        0,
        contacts.cycle,
        contacts.n_cycles,
        contacts.count,
        0.0,
    )


def stream_id(text: str) -> tuple[int, int]:
    """(milliseconds, sequence) of a stream id, which sorts as the stream does."""
    milliseconds, _, sequence = text.partition("-")
    return int(milliseconds), int(sequence or 0)
