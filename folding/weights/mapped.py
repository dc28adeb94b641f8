"""Gives memory back to the system when a part of the network has done its work.

Pages of a mapped file that were read count as memory of the process until it ends. Those that
nobody has written to can be dropped at once: the next reader finds them in the system's cache of
files, at about 15 ms for a gigabyte. Only Linux says which these are; elsewhere nothing is dropped.
The C library keeps what was freed in small pieces, some 10 % of a fold, until it is told to trim.
"""

import bisect
import ctypes
import mmap
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

SMAPS = Path("/proc/self/smaps")
_AREA = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ (\d+)")


class Area(NamedTuple):
    """A piece of the address space, up to but without its end."""

    start: int
    end: int


class Mapped:
    """The weights of a network that lie in a file and are as they lie there.

    Looked for once: who changes weights afterwards must make a new one, or loses the changes. What
    lies in memory of its own, or has been written to, is left alone.
    """

    def __init__(self, model: nn.Module) -> None:
        starts = [p.data_ptr() for p in model.parameters() if p.device.type == "cpu"]
        self._files = [] if not starts else sorted(clean_files(starts))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to give back."""
        return not self._files

    @property
    def gives_back(self) -> bool:
        """Whether there is something to give back and the system takes it: tried on one page."""
        if self.is_empty:
            return False
        start = self._files[0].start
        return _drop(Area(start, start + mmap.PAGESIZE))

    def let_go(self, *modules: nn.Module | None) -> None:
        """Gives back what the weights of these modules fill."""
        if self.is_empty:
            return
        for module in modules:
            for area in joined(self._areas(module)) if module is not None else ():
                _drop(area)

    def part_done(self, *modules: nn.Module | None) -> None:
        """Gives back their weights, and what the work with them has freed."""
        self.let_go(*modules)
        trim()

    def _areas(self, module: nn.Module) -> Iterator[Area]:
        """The whole pages of a module's weights, within their file."""
        for weight in module.parameters():
            start, n_bytes = weight.data_ptr(), weight.numel() * weight.element_size()
            place = bisect.bisect_right(self._files, (start, float("inf"))) - 1
            if place >= 0 and start + n_bytes <= self._files[place].end:
                last = start + n_bytes + mmap.PAGESIZE - 1
                yield Area(start - start % mmap.PAGESIZE, last - last % mmap.PAGESIZE)


def clean_files(addresses: Iterable[int], smaps: Path = SMAPS) -> Iterator[Area]:
    """Areas that hold some of these addresses, lie in a file, and were never written to."""
    wanted = sorted(addresses)
    for area, fields in _files(smaps):
        # Pages of one's own: those in memory, and those that the system has swapped out.
        is_clean = fields.get("Anonymous") == fields.get("Swap", "0") == "0"
        place = bisect.bisect_left(wanted, area.start)
        if is_clean and place < len(wanted) and wanted[place] < area.end:
            yield area


def _files(smaps: Path) -> Iterator[tuple[Area, dict[str, str]]]:
    """Each area that lies in a file, with the first word of each field that describes it."""
    found: re.Match[str] | None = None
    fields: dict[str, str] = {}
    for line in [*_lines(smaps), "0-0 ---p 0 0:0 0"]:
        if not (following := _AREA.match(line)):
            name, _, rest = line.partition(":")
            fields[name] = rest.strip().partition(" ")[0]
            continue
        if found and int(found[3]):
            yield Area(int(found[1], 16), int(found[2], 16)), fields
        found, fields = following, {}


def _lines(smaps: Path) -> list[str]:
    try:
        return smaps.read_text().splitlines()
    except OSError:
        return []


def joined(areas: Iterable[Area]) -> Iterator[Area]:
    """The same areas, those that touch or overlap as one."""
    whole: Area | None = None
    for area in sorted(areas):
        if whole is not None and area.start <= whole.end:
            whole = Area(whole.start, max(whole.end, area.end))
            continue
        if whole is not None:
            yield whole
        whole = area
    if whole is not None:
        yield whole


def _drop(area: Area) -> bool:
    """Whether the pages were dropped; a refusal leaves them where they are."""
    refused = _madvise()(area.start, area.end - area.start, mmap.MADV_DONTNEED)
    return not refused


def trim() -> None:
    """Returns what was freed to the system, where the C library does so on demand (glibc)."""
    if sys.platform != "linux":
        return
    if function := getattr(_library(), "malloc_trim", None):
        function(0)


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def _madvise() -> Any:
    function = _library().madvise
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return function
