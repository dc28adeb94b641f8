import math

import pytest
import torch

from quantum.circuit import Circuit
from quantum.errors import InvalidValues
from quantum.simulator import run, sample
from quantum.simulator.samples import count_bits
from quantum.store.states import Provenance, StateManager, StateNotFound, state_fidelity

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
    (tmp_path / "broken.safetensors").write_bytes(b"no such format")
    with pytest.raises(StateNotFound):
        manager.load_state("broken")
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
