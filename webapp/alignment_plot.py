"""Depth and coverage of alignments as a picture: areas by identity, one beside the other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENDING = "_alignment.json"
"""How the artifact ends that holds what is drawn here."""
WIDTH, HEIGHT = 720.0, 160.0
GAP = 10.0
BANDS = ("at least 90 %", "70 to 90 %", "50 to 70 %", "30 to 50 %", "below 30 %")
FEW = 30
"""Effective sequences below which an alignment says little (Marks et al. 2011)."""
ALONE = (
    "No alignment: this is folded from the sequence alone. Expect much lower accuracy: of the "
    "contacts that published weights find with an alignment (precision 0.85), they keep a third "
    "without (0.28)."
)


@dataclass(frozen=True)
class Panel:
    """One chain: where it stands, in per mille of the width, and its areas as SVG paths."""

    label: str
    left: float
    width: float
    paths: tuple[tuple[int, str], ...]
    words: str
    is_alone: bool
    is_thin: bool


def context(summary: dict[str, Any] | None) -> dict[str, Any]:
    """The variables of `jobs/alignment/figure.html`."""
    chains = (summary or {}).get("chains", [])
    deepest = max((_depth(chain) for chain in chains), default=1.0)
    drawn = panels(chains, deepest=deepest)
    return {
        "panels": drawn,
        "deepest": round(deepest),
        "bands": list(enumerate(BANDS)),
        "alone": ALONE if drawn and all(panel.is_alone for panel in drawn) else "",
        "few": FEW,
        "source": (summary or {}).get("source", ""),
        "templates": (summary or {}).get("templates", []),
        "reads_templates": (summary or {}).get("reads_templates", True),
        "plot": {"width": WIDTH, "height": HEIGHT},
    }


def panels(chains: Sequence[dict[str, Any]], *, deepest: float) -> list[Panel]:
    """The chains side by side, each as wide as it is long."""
    room = WIDTH - GAP * max(len(chains) - 1, 0)
    total = sum(chain["n_residues"] for chain in chains) or 1
    left, found = 0.0, []
    for chain in chains:
        width = room * chain["n_residues"] / total
        found.append(
            Panel(
                label=", ".join(chain["ids"]),
                left=left,
                width=width,
                paths=areas(chain["coverage"], left=left, width=width, deepest=deepest),
                words=words(chain),
                is_alone=chain["n_rows"] <= 1,
                is_thin=chain["n_rows"] > 1 and chain["n_effective"] < FEW,
            )
        )
        left += width + GAP
    return found


def areas(
    coverage: Sequence[Sequence[float]], *, left: float, width: float, deepest: float
) -> tuple[tuple[int, str], ...]:
    """For each band that has rows, its number and its area, stacked from the most alike upwards."""
    n_columns = len(coverage[0])
    below = [0.0] * n_columns
    found = []
    for number, counts in enumerate(coverage):
        above = [low + count for low, count in zip(below, counts, strict=True)]
        if any(counts):
            found.append((number, _area(below, above, left, width, deepest)))
        below = above
    return tuple(found)


def _area(
    below: Sequence[float], above: Sequence[float], left: float, width: float, deepest: float
) -> str:
    """Steps from left to right along the top, and back along the bottom."""
    step = width / len(above)

    def point(x: float, count: float) -> str:
        return f"{x:.1f},{HEIGHT * (1 - count / deepest):.1f}"

    def line(counts: Sequence[float]) -> list[str]:
        ends = ((left + i * step, left + (i + 1) * step, n) for i, n in enumerate(counts))
        return [p for start, end, n in ends for p in (point(start, n), point(end, n))]

    return f"M{' L'.join([*line(above), *reversed(line(below))])}Z"


def words(chain: dict[str, Any]) -> str:
    """The numbers of one chain in a sentence."""
    if chain["n_rows"] <= 1:
        return "no alignment, as this chain asks" if chain.get("declines") else "no alignment"
    text = f"{chain['n_rows']:,} sequences, {chain['n_effective']:,.0f} effective"
    return text + (f", {chain['n_paired']:,} that can pair" if chain["n_paired"] else "")


def _depth(chain: dict[str, Any]) -> float:
    return float(max(map(sum, zip(*chain["coverage"], strict=True)), default=1.0)) or 1.0


def read_summary(folder: Path) -> dict[str, Any] | None:
    """What is drawn of a finished job's alignments; None where nothing was kept."""
    for path in folder.glob(f"*{ENDING}"):
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    return None
