"""Numbers in words: durations, amounts of memory, what a confidence means."""

from __future__ import annotations

from django import template

register = template.Library()
# (at least, name in CSS, in words): the bands of the AlphaFold Protein Structure Database.
PLDDT_BANDS = (
    (90.0, "very-high", "very high"),
    (70.0, "high", "confident"),
    (50.0, "low", "low"),
    (0.0, "very-low", "very low"),
)


@register.filter
def duration(seconds: float | None) -> str:
    """`8 s`, `3 min 05 s`, `2 h 10 min`; empty for None."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


@register.filter
def memory(count: float | None) -> str:
    """`512 kB`, `840 MB`, `2.1 GB`; empty for None."""
    if count is None:
        return ""
    if count < 1e6:
        return f"{max(1, round(count / 1e3))} kB"
    if count < 1e9:
        return f"{round(count / 1e6)} MB"
    return f"{count / 1e9:.1f} GB"


def plddt_band(plddt: float) -> tuple[str, str]:
    """The name of the band that a pLDDT falls into, for CSS and for people."""
    return next((name, words) for least, name, words in PLDDT_BANDS if plddt >= least or least == 0)


@register.filter
def band(plddt: float) -> str:
    """The band's name in CSS: `very-high`, `high`, `low` or `very-low`."""
    return plddt_band(plddt)[0]


@register.filter
def in_words(plddt: float) -> str:
    """The band in words: `very high`, `confident`, `low` or `very low`."""
    return plddt_band(plddt)[1]
