"""Giving back the memory of weights that lie in a file: what is dropped, and what never is."""

import re
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from folding.weights import mapped, own
from folding.weights.mapped import Area, Mapped, clean_files, joined, trim

WIDTH = 1024
MIB = 2**20


def saved(folder: Path, *, seed: int = 0) -> nn.Sequential:
    """Four maps of 4 MiB each, mapped from a file."""
    generator = torch.Generator().manual_seed(seed)
    state = {f"{i}.weight": torch.randn(WIDTH, WIDTH, generator=generator) for i in range(4)}
    save_file(state, folder / "maps.safetensors")
    with torch.device("meta"):
        model = nn.Sequential(*(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4)))
    tensors = own.read_tensors(folder / "maps.safetensors")
    model.load_state_dict(tensors, assign=True)
    return model.requires_grad_(False)


def resident() -> int:
    """Bytes of files that this process holds in memory."""
    found = re.search(r"RssFile:\s+(\d+)", Path("/proc/self/status").read_text())
    return 1024 * int(found[1])


def read_all(model: nn.Module) -> float:
    return float(sum(p.detach().double().sum() for p in model.parameters()))


def test_what_is_let_go_is_no_longer_in_memory_and_reads_the_same(tmp_path):
    model = saved(tmp_path)
    before = read_all(model)
    full = resident()
    Mapped(model).let_go(model)
    assert full - resident() > 15 * MIB
    assert read_all(model) == before


def test_whether_weights_can_be_given_back_is_tried(tmp_path, monkeypatch):
    model = saved(tmp_path)
    before = read_all(model)
    assert Mapped(model).gives_back
    assert read_all(model) == before
    assert not Mapped(nn.Linear(64, 64)).gives_back
    monkeypatch.setattr(mapped, "_madvise", lambda: lambda start, n_bytes, advice: -1)
    assert not Mapped(model).gives_back
    monkeypatch.setattr(mapped, "_lines", lambda smaps: [])
    assert not Mapped(model).gives_back


def test_only_the_module_that_is_named_is_let_go(tmp_path):
    model = saved(tmp_path)
    read_all(model)
    full = resident()
    Mapped(model).let_go(model[2], None)
    assert 3.5 * MIB < full - resident() < 5 * MIB


def test_weights_that_were_changed_are_kept(tmp_path):
    model = saved(tmp_path)
    with torch.no_grad():
        model[1].weight[5, 5] = 42.0
    mapped = Mapped(model)
    mapped.let_go(model)
    assert mapped.is_empty
    assert model[1].weight[5, 5] == 42.0


def test_changes_past_the_back_of_autograd_are_kept_as_well(tmp_path):
    model = saved(tmp_path)
    model[3].weight.data.mul_(2)
    expected = model[3].weight.clone()
    Mapped(model).let_go(model)
    torch.testing.assert_close(model[3].weight.data, expected, rtol=0, atol=0)


def test_memory_of_its_own_is_left_alone():
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    before = read_all(model)
    mapped = Mapped(model)
    mapped.let_go(model)
    assert mapped.is_empty
    assert read_all(model) == before


def test_a_network_in_a_file_and_in_memory_gives_back_the_first_alone(tmp_path):
    model = saved(tmp_path)
    model.append(nn.Linear(WIDTH, WIDTH))
    own_memory = model[-1].weight.detach().clone()
    read_all(model)
    full = resident()
    Mapped(model).let_go(model)
    assert full - resident() > 15 * MIB
    torch.testing.assert_close(model[-1].weight.detach(), own_memory, rtol=0, atol=0)


def test_a_network_that_was_just_loaded_holds_next_to_nothing():
    model = own.load("small")
    n_bytes = 4 * sum(p.numel() for p in model.parameters())
    before = resident()
    read_all(model)
    assert resident() - before > 0.8 * n_bytes


def test_where_nothing_says_what_is_mapped_nothing_is_let_go(tmp_path):
    assert list(clean_files([4096], tmp_path / "smaps")) == []


SMAPS = """\
1000-5000 rw-p 00000000 fe:00 77 /weights/clean
Rss:                  16 kB
Anonymous:             0 kB
VmFlags: rd wr
5000-9000 rw-p 00000000 fe:00 78 /weights/written to
Anonymous:             4 kB
9000-d000 rw-p 00000000 00:00 0
Anonymous:             0 kB
d000-f000 r-xp 00000000 fe:00 79 /library that holds no weights
Anonymous:             0 kB
"""


def test_what_was_written_to_and_swapped_out_is_no_clean_file(tmp_path):
    swapped = SMAPS.replace("VmFlags", "Swap:                  8 kB\nVmFlags", 1)
    (tmp_path / "smaps").write_text(swapped)
    assert list(clean_files([0x1400], tmp_path / "smaps")) == []
    (tmp_path / "smaps").write_text(swapped.replace("8 kB", "0 kB", 1))
    assert list(clean_files([0x1400], tmp_path / "smaps")) == [Area(0x1000, 0x5000)]


def test_a_file_in_the_last_area_counts(tmp_path):
    (tmp_path / "smaps").write_text("".join(SMAPS.splitlines(keepends=True)[:4]))
    assert list(clean_files([0x1400], tmp_path / "smaps")) == [Area(0x1000, 0x5000)]


def test_only_files_nobody_wrote_to_and_that_hold_weights_count(tmp_path):
    (tmp_path / "smaps").write_text(SMAPS)
    addresses = [0x1400, 0x6000, 0xA000]
    assert list(clean_files(addresses, tmp_path / "smaps")) == [Area(0x1000, 0x5000)]
    assert list(clean_files([0x5000 - 1], tmp_path / "smaps")) == [Area(0x1000, 0x5000)]


@pytest.mark.parametrize(
    ("areas", "whole"),
    [
        ([], []),
        ([(4, 6), (1, 2)], [(1, 2), (4, 6)]),
        ([(3, 6), (1, 3)], [(1, 6)]),
        ([(1, 9), (2, 3), (8, 10)], [(1, 10)]),
    ],
    ids=["none", "apart", "touching", "within and beyond"],
)
def test_neighbouring_areas_are_let_go_at_once(areas, whole):
    assert list(joined(Area(*area) for area in areas)) == [Area(*area) for area in whole]


def test_other_systems_are_not_asked_to_trim(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(mapped, "_library", lambda: pytest.fail("there is no such library"))
    trim()


def test_what_was_freed_in_small_pieces_goes_back_to_the_system():
    def anonymous() -> int:
        found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())
        return 1024 * int(found[1])

    pieces = [torch.ones(5000) for _ in range(4000)]
    last = torch.ones(5000)
    full = anonymous()
    del pieces
    trim()
    assert full - anonymous() > 40 * MIB
    assert last.sum() == 5000
