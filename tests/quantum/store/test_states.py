import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from quantum.circuit import Circuit
from quantum.errors import Damaged, InvalidValues
from quantum.simulator import run, sample
from quantum.simulator.samples import count_bits
from quantum.store.states import (
    Provenance,
    StateManager,
    StateNotFound,
    counts_fidelity,
    state_fidelity,
)

BELL = Circuit(2).h(0).cx(0, 1)


class Clock:
    def __init__(self):
        self.seconds = 1_000_000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def manager(tmp_path, clock):
    return StateManager(tmp_path, half_life_seconds=100, clock=clock)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_a_state_comes_back_bit_by_bit_with_its_provenance(manager, dtype):
    state = run(BELL.ry(0.3, 0))[0].to(dtype)
    source = Provenance("simulator", BELL.structure_hash, {"a": 0.5}, seed=3, note={"job": 7})
    manager.save_state("bell", state, provenance=source)
    again = manager.load_state("bell")
    assert again.dtype is dtype and torch.equal(again, state)
    entry = manager.entry("bell")
    assert entry.kind == "state" and entry.uses == 1
    assert entry.provenance.circuit == BELL.structure_hash
    assert entry.provenance.note == {"job": 7} and entry.provenance.created == 1_000_000


def test_counts_come_back(manager):
    manager.save_counts("read", {"00": 3, "11": 5}, provenance=Provenance("ibm", shots=8))
    assert manager.load_counts("read") == {"00": 3, "11": 5}
    assert manager.entry("read").provenance.shots == 8


def test_fidelity_of_states_and_records(manager):
    for name, angle in (("zero", 0.0), ("turned", 0.8), ("one", math.pi)):
        manager.save_state(name, run(Circuit(1).ry(angle, 0))[0].to(torch.complex128))
    assert manager.fidelity("zero", "zero") == pytest.approx(1)
    assert manager.fidelity("zero", "turned") == pytest.approx(math.cos(0.4) ** 2)
    assert manager.fidelity("zero", "one") == pytest.approx(0, abs=1e-9)
    manager.save_counts("read", {"0": 30, "1": 10})
    manager.save_counts("other", {"0": 10, "1": 30})
    assert manager.fidelity("read", "read") == pytest.approx(1)
    assert manager.fidelity("read", "other") == pytest.approx((2 * math.sqrt(0.1875)) ** 2)
    assert manager.fidelity("zero", "read") == pytest.approx(0.75)


def test_samples_are_like_the_state_they_come_from(manager):
    manager.save_state("bell", run(BELL)[0])
    manager.save_counts("read", count_bits(sample(BELL, shots=4000, seed=1)[0], 2))
    assert manager.fidelity("bell", "read") > 0.999


def test_different_sizes_cannot_be_compared(manager):
    manager.save_state("one", run(Circuit(1))[0])
    manager.save_state("two", run(Circuit(2))[0])
    manager.save_counts("read", {"000": 1})
    with pytest.raises(InvalidValues, match="2 and 4"):
        manager.fidelity("one", "two")
    with pytest.raises(InvalidValues, match="different"):
        manager.fidelity("one", "read")


def test_the_fidelity_of_float32_states_is_worked_out_in_double():
    state = run(Circuit(10).h(0).cx(0, 9))[0].to(torch.complex64)
    assert state_fidelity(state, state) == pytest.approx(1, abs=1e-6)


def test_what_was_not_saved_is_not_found(manager, tmp_path):
    with pytest.raises(StateNotFound, match="'nothing'"):
        manager.load_state("nothing")
    manager.save_counts("read", {"0": 1})
    with pytest.raises(StateNotFound, match="is no state"):
        manager.load_state("read")
    assert [entry.name for entry in manager.entries()] == ["read"]
    manager.remove("read")
    manager.remove("read")
    assert manager.entries() == []


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x.used"])
def test_names_that_are_no_names_are_refused(manager, name):
    with pytest.raises(InvalidValues):
        manager.save_counts(name, {"0": 1})


def test_what_is_no_state_is_refused(manager):
    for wrong in (torch.ones(4), torch.ones(3) / math.sqrt(3), torch.ones(1)):
        with pytest.raises(InvalidValues, match="norm 1"):
            manager.save_state("wrong", wrong.to(torch.complex64))
    for counts in ({}, {"0": 1, "01": 2}, {"ab": 1}):
        with pytest.raises(InvalidValues, match="bit strings"):
            manager.save_counts("wrong", counts)


def test_the_unused_go_when_there_is_no_room(tmp_path, clock):
    manager = StateManager(tmp_path, max_bytes=1200, half_life_seconds=100, clock=clock)
    manager.save_counts("loved", {"0": 1})
    manager.save_counts("plain", {"0": 1})
    for _ in range(3):
        manager.load_counts("loved")
    clock.seconds += 50
    size = manager.entry("plain").bytes
    for number in range(1200 // size):
        manager.save_counts(f"new-{number}", {"0": 1})
    names = {entry.name for entry in manager.entries()}
    assert "loved" in names and "plain" not in names
    assert sum(entry.bytes for entry in manager.entries()) <= 1200


def test_love_fades(manager, clock):
    manager.save_counts("old", {"0": 1})
    for _ in range(3):
        manager.load_counts("old")
    clock.seconds += 1000
    manager.save_counts("new", {"0": 1})
    assert manager.score(manager.entry("old")) < manager.score(manager.entry("new"))


def test_the_old_go_by_age(tmp_path, clock):
    manager = StateManager(tmp_path, max_age_seconds=60, clock=clock)
    manager.save_counts("kept", {"0": 1})
    manager.save_counts("old", {"0": 1})
    clock.seconds += 50
    manager.load_counts("kept")
    clock.seconds += 50
    assert manager.evict() == ["old"]
    assert [entry.name for entry in manager.entries()] == ["kept"]


# Room


def sized(tmp_path, clock, *, n_items):
    """A folder with room for so many states of one qubit, and one of them."""
    scale = StateManager(tmp_path / "scale", clock=clock)
    size = scale.save_counts("one", {"0": 1}).bytes
    return StateManager(tmp_path / "full", max_bytes=n_items * size + 8, clock=clock)


def test_what_was_just_saved_stays_whatever_the_others_are_worth(tmp_path, clock):
    manager = sized(tmp_path, clock, n_items=2)
    for name in ("one", "two"):
        manager.save_counts(name, {"0": 1})
        for _ in range(5):
            manager.load_counts(name)
    manager.save_counts("new", {"0": 1})
    assert manager.load_counts("new") == {"0": 1}
    assert len(manager.entries()) == 2


def test_what_is_larger_than_the_folder_is_refused_and_takes_nothing_with_it(tmp_path, clock):
    manager = StateManager(tmp_path, max_bytes=3000, clock=clock)
    manager.save_counts("small", {"0": 1})
    with pytest.raises(InvalidValues, match="the folder holds 3000"):
        manager.save_state("large", run(Circuit(12).h(0))[0].to(torch.complex128))
    assert [entry.name for entry in manager.entries()] == ["small"]
    assert not list(tmp_path.glob(".*"))


def test_saving_again_replaces_and_starts_its_uses_anew(manager, clock):
    manager.save_counts("read", {"0": 1})
    manager.load_counts("read")
    clock.seconds += 50
    manager.save_counts("read", {"1": 2})
    entry = manager.entry("read")
    assert manager.load_counts("read") == {"1": 2}
    assert (entry.uses, entry.last_used) == (0, 1_000_050)


def test_a_lost_note_of_its_uses_costs_no_state(manager, tmp_path):
    manager.save_counts("read", {"0": 1})
    for damage in ("", "not two numbers", "1 2 3"):
        (tmp_path / "read.used").write_text(damage)
        assert manager.load_counts("read") == {"0": 1}
    (tmp_path / "read.used").unlink()
    assert manager.entry("read").uses == 0


def test_a_score_halves_with_its_half_life_and_grows_with_uses(manager, clock):
    manager.save_counts("read", {"0": 1})
    manager.load_counts("read")
    fresh = manager.score(manager.entry("read"))
    clock.seconds += 100
    assert manager.score(manager.entry("read")) == pytest.approx(fresh / 2)
    clock.seconds -= 200  # a clock that was set back
    assert manager.score(manager.entry("read")) == fresh


# Damage


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 0x40
    path.write_bytes(data)


def test_a_flipped_bit_anywhere_in_a_state_is_found(manager, tmp_path):
    state = run(BELL.ry(0.3, 0))[0].to(torch.complex128)
    size = manager.save_state("bell", state).bytes
    path = tmp_path / "bell.safetensors"
    whole = path.read_bytes()
    for place in (*range(9, size, 37), size - 57, size - 1):
        flip(path, place)
        try:
            found = manager.load_state("bell")
        except Damaged as error:
            assert "restore it or delete it" in str(error)
        else:  # a space of the padding
            assert torch.equal(found, state) and size - 64 - 8 <= place < size - 64
        path.write_bytes(whole)
    assert torch.equal(manager.load_state("bell"), state)


def test_counts_that_were_edited_are_found(manager, tmp_path):
    manager.save_counts("read", {"0": 1}, provenance=Provenance("ibm"))
    path = tmp_path / "read.safetensors"
    for before, after in ((b'\\"0\\": 1', b'\\"0\\": 9'), (b"ibm", b"ibn")):
        whole = path.read_bytes()
        assert before in whole
        path.write_bytes(whole.replace(before, after))
        for read in (manager.load_counts, manager.entry):
            with pytest.raises(Damaged, match="'read'"):
                read("read")
        path.write_bytes(whole)
    assert manager.load_counts("read") == {"0": 1}


@pytest.mark.parametrize("left", [0, 5, 100, -3])
def test_a_cut_off_item_is_listed_and_can_be_removed(manager, tmp_path, left):
    manager.save_state("bell", run(BELL)[0])
    path = tmp_path / "bell.safetensors"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(Damaged, match="'bell'"):
        manager.load_state("bell")
    assert [(entry.name, entry.kind) for entry in manager.entries()] == [("bell", "damaged")]
    manager.remove("bell")
    assert manager.entries() == []


def test_what_is_damaged_takes_room_and_goes_first(tmp_path, clock):
    manager = sized(tmp_path, clock, n_items=3)
    for name in ("loved", "plain", "torn"):
        manager.save_counts(name, {"0": 1})
    for _ in range(3):
        manager.load_counts("torn")
    torn = tmp_path / "full" / "torn.safetensors"
    torn.write_bytes(bytes(torn.stat().st_size))
    manager.save_counts("new", {"0": 1})
    assert [entry.name for entry in manager.entries()] == ["loved", "new", "plain"]
    assert not torn.exists()


def test_records_of_before_digests_are_read(manager, tmp_path):
    state = torch.tensor([[0.6, 0.0], [0.0, 0.8]])
    said = {"kind": "state", "counts": "{}", "provenance": '{"backend": "ibm"}'}
    save_file({"amplitudes": state}, tmp_path / "old.safetensors", said)
    assert torch.equal(torch.view_as_real(manager.load_state("old")), state)
    assert manager.entry("old").provenance.backend == "ibm"


# Likeness


@pytest.mark.parametrize("counts", [{"0": -1, "1": 3}, {"0": 0}, {"00": 0, "11": 0}])
def test_counts_that_nobody_can_have_read_are_refused(manager, counts):
    with pytest.raises(InvalidValues, match="0 or more"):
        manager.save_counts("read", counts)
    with pytest.raises(InvalidValues, match="0 or more"):
        counts_fidelity(counts, {"0": 1})


def test_records_of_nothing_cannot_be_compared():
    for first, second in (({}, {"0": 1}), ({"0": 1}, {})):
        with pytest.raises(InvalidValues):
            counts_fidelity(first, second)
    with pytest.raises(InvalidValues, match="different numbers of qubits"):
        counts_fidelity({"0": 1}, {"00": 1})


COUNTS = st.dictionaries(
    st.sampled_from(["00", "01", "10", "11"]), st.integers(1, 1000), min_size=1
)


@settings(deadline=None, max_examples=25)
@given(first=COUNTS, second=COUNTS, scale=st.integers(1, 50))
def test_likeness_of_records_is_symmetric_bounded_and_free_of_the_number_of_shots(
    first, second, scale
):
    found = counts_fidelity(first, second)
    assert 0 <= found <= 1 + 1e-12
    assert found == pytest.approx(counts_fidelity(second, first))
    assert found == pytest.approx(counts_fidelity({b: c * scale for b, c in first.items()}, second))
    assert counts_fidelity(first, first) == pytest.approx(1)
    assert (found == 0) == (not set(first) & set(second))


@settings(deadline=None, max_examples=25)
@given(angles=st.lists(st.floats(-4, 4), min_size=4, max_size=4), phase=st.floats(-4, 4))
def test_likeness_of_states_is_that_of_qiskit_and_free_of_a_global_phase(angles, phase):
    from qiskit.quantum_info import Statevector
    from qiskit.quantum_info import state_fidelity as theirs

    a, b, c, d = angles
    first = run(BELL.ry(a, 0).rz(b, 1))[0].to(torch.complex128)
    second = run(BELL.rx(c, 1).ry(d, 0))[0].to(torch.complex128)
    found = state_fidelity(first, second)
    turned = first * complex(math.cos(phase), math.sin(phase))
    assert state_fidelity(turned, second) == pytest.approx(found, abs=1e-6)
    wanted = theirs(Statevector(first.numpy()), Statevector(second.numpy()), validate=False)
    assert found == pytest.approx(wanted, abs=1e-6)


def test_processes_save_and_read_one_folder_at_once(tmp_path):
    code = """
import sys
from pathlib import Path
from quantum.store.states import StateManager, StateNotFound
manager = StateManager(Path(sys.argv[1]), max_bytes=6000)
for n in range(40):
    manager.save_counts(f"{sys.argv[2]}-{n % 7}", {"0": n + 1})
    for entry in manager.entries():
        try:
            found = manager.load_counts(entry.name)
        except StateNotFound:
            continue
        assert list(found) == ["0"] and 1 <= found["0"] <= 40
"""
    started = [subprocess.Popen([sys.executable, "-c", code, tmp_path, str(n)]) for n in range(2)]
    assert [process.wait(60) for process in started] == [0, 0]
    assert sum(path.stat().st_size for path in tmp_path.glob("*.safetensors")) <= 7000
