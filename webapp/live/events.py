"""What a job says while it lives: typed events, and how they are written into its stream.

Events are hints; the row is the truth. An event travels worker -> Redis Stream -> hub -> page. In
the stream it is a flat entry: `kind`, `attempt`, `data` (JSON of the fields below) and, for the two
binary kinds, `bin`. No Django and no Redis here, so that the pipeline can speak these words too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, TypeAlias

Level: TypeAlias = Literal["info", "warning", "error"]


@dataclass(frozen=True, kw_only=True)
class StatusChanged:
    """The job moved: queued, started, finished, or its owner asked for an end."""

    kind: ClassVar = "status"
    status: str
    stage: str = ""
    percent: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the job is. `detail` is a short line in the user's words ("cycle 2 of 4")."""

    kind: ClassVar = "progress"
    stage: str
    percent: float
    eta_seconds: float | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """A line of the job's log; `at` is ISO 8601 with its offset."""

    kind: ClassVar = "log"
    level: Level
    message: str
    at: str


@dataclass(frozen=True, kw_only=True)
class OutlineReady:
    """What the page draws of the tokens: `folding.progress.Outline`, ready for JSON."""

    kind: ClassVar = "outline"
    tubes: Sequence[Sequence[int]]
    beads: Sequence[int]
    bonds: Sequence[Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class ContactMap:
    """The contact probabilities after a recycle: `bin` is uint8 [count, count], 255 = certain."""

    kind: ClassVar = "recycle"
    seed: int
    seed_index: int
    cycle: int
    n_cycles: int
    count: int
    bin: bytes


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A step of the diffusion: `bin` is little-endian int16 [count, 3] in centi-ångström."""

    kind: ClassVar = "frame"
    seed: int
    seed_index: int
    sample: int
    n_samples: int
    step: int
    n_steps: int
    noise_level: float
    count: int
    bin: bytes


@dataclass(frozen=True, kw_only=True)
class SampleReady:
    """A sample is complete and judged; its rank is known only when the job ends."""

    kind: ClassVar = "sample"
    seed: int
    sample: int
    n_samples: int
    ranking_score: float
    mean_plddt: float
    ptm: float
    iptm: float | None
    has_clash: bool
    fraction_disordered: float


@dataclass(frozen=True, kw_only=True)
class AlignmentReady:
    """The alignments are there: what the page draws of them (`webapp/alignment_plot.py`)."""

    kind: ClassVar = "alignment"
    summary: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Some log lines did not fit into a slow socket's queue. Never stored in a stream."""

    kind: ClassVar = "gap"
    dropped: int


Event: TypeAlias = (
    StatusChanged
    | Progress
    | LogLine
    | AlignmentReady
    | OutlineReady
    | ContactMap
    | Frame
    | SampleReady
)
BINARY_KINDS = frozenset({ContactMap.kind, Frame.kind})
KINDS: dict[str, type[Event]] = {
    event.kind: event
    for event in (
        *(StatusChanged, Progress, LogLine, AlignmentReady, OutlineReady),
        *(ContactMap, Frame, SampleReady),
    )
}


@dataclass(frozen=True, kw_only=True)
class Record:
    """An event as it stands in a stream: under which id, and from which attempt of the job."""

    id: str
    attempt: int
    event: Event


def slot(event: Event) -> str | None:
    """Where a newer event replaces an older one; None where every single one counts."""
    match event:
        case Progress():
            return "progress"
        case AlignmentReady():
            return "alignment"
        case OutlineReady():
            return "outline"
        case ContactMap():
            return "recycle"
        case Frame(seed_index=seed_index, sample=sample):
            return f"frame-{seed_index}-{sample}"
        case _:
            return None


def data(event: Event | Gap) -> dict[str, Any]:
    """The fields of the event without its bytes, ready for JSON, and its `kind`."""
    fields = asdict(event)
    fields.pop("bin", None)
    return {"kind": event.kind, **fields}


def to_fields(event: Event, *, attempt: int) -> dict[str, str | bytes]:
    """The event as the flat entry of a stream."""
    values = data(event)
    fields: dict[str, str | bytes] = {
        "kind": values.pop("kind"),
        "attempt": str(attempt),
        "data": json.dumps(values, separators=(",", ":")),
    }
    if isinstance(event, ContactMap | Frame):
        fields["bin"] = event.bin
    return fields


def from_fields(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Record:
    """The record in a stream's entry.

    Raises:
        KeyError: the entry is of a kind that this version does not know.
    """
    event_class = KINDS[fields[b"kind"].decode()]
    values = json.loads(fields[b"data"])
    if event_class.kind in BINARY_KINDS:
        values["bin"] = fields[b"bin"]
    return Record(
        id=entry_id.decode(), attempt=int(fields[b"attempt"]), event=event_class(**values)
    )
