"""Handles on disk: what a restart needs, and nothing that can be mistaken for it."""

import json
import threading
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.backends.base import Handle, batch_of
from quantum.backends.choose import BackendManager
from quantum.backends.handles import HandleStore
from quantum.backends.simulated import SimulatorBackend
from quantum.circuit import Circuit
from quantum.errors import BackendError, Damaged, InvalidValues
from quantum.observable import X, Z

BATCH = batch_of(
    Circuit(2).ry("a", 0).cx(0, 1), torch.tensor([[0.1], [0.2]], dtype=torch.float64),
    observables=(Z(0), X(1) @ Z(0)), shots=50, seed=3, tag="mine",
)  # fmt: skip
TAGS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


@pytest.fixture
def store(tmp_path):
    return HandleStore(tmp_path / "handles")


def same(first: Handle, second: Handle) -> bool:
    return first.to_json() == second.to_json()


@settings(deadline=None, max_examples=25)
@given(tag=TAGS)
def test_every_tag_that_is_allowed_finds_its_own_handle(tmp_path_factory, tag):
    store = HandleStore(tmp_path_factory.mktemp("handles"))
    handle = Handle("ibm", replace(BATCH, tag=tag), job_id="job-1")
    store.save(handle)
    assert same(store.find(tag), handle)
    assert [each.tag for each in store] == [tag]


@pytest.mark.parametrize("tag", ["", ".hidden", "-x", "a/b", "a\n", "ü", "x" * 101, "a b"])
def test_other_tags_reach_no_file(store, tag):
    for ask in (store.find, store.remove):
        with pytest.raises(InvalidValues, match="a tag is letters"):
            ask(tag)


def test_what_the_provider_said_is_added_and_nothing_lost(store):
    handle = Handle("ionq", BATCH, extra={"client": "cirq"})
    store.save(handle.submitted("job-9", target="qpu.forte-1"))
    found = store.find("mine")
    assert (found.job_id, found.created) == ("job-9", handle.created)
    assert found.extra == {"client": "cirq", "target": "qpu.forte-1"}
    assert found.batch.observables == BATCH.observables
    assert torch.equal(found.batch.values[0], BATCH.values[0])


def test_saving_again_replaces(store):
    for job in ("job-1", "job-2"):
        store.save(Handle("ibm", BATCH, job_id=job))
    assert [handle.job_id for handle in store] == ["job-2"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"backend": "ibm"}', '{"batch": 3}'])
def test_a_damaged_handle_is_said_and_hides_no_other(store, text):
    store.save(Handle("ibm", replace(BATCH, tag="good"), job_id="job-1"))
    store.save(Handle("ibm", BATCH, job_id="job-2"))
    (store.folder / "mine.json").write_text(text)
    with pytest.raises(Damaged, match=r"mine\.json cannot be read"):
        store.find("mine")
    assert [handle.tag for handle in store] == ["good"]


def test_a_batch_whose_handle_is_damaged_is_not_sent_again(store):
    """Nobody knows whether it was sent: it may have been paid for."""
    sent = []

    class Counting(SimulatorBackend):
        def submit(self, batch):
            sent.append(batch.tag)
            return super().submit(batch)

    store.folder.mkdir()
    (store.folder / "mine-simulator.json").write_text("{")
    manager = BackendManager(lambda name: Counting(), store=store)
    with pytest.raises(BackendError, match=r"simulator: the submission .* cannot be read"):
        manager.run(BATCH)
    assert sent == []


def test_drafts_of_writers_that_died_are_no_handles(store):
    store.save(Handle("ibm", BATCH, job_id="job-1"))
    (store.folder / ".mine.json.0123").write_text("{")
    assert [handle.job_id for handle in store] == ["job-1"]


def test_an_empty_store_has_none(store):
    assert list(store) == [] and store.find("mine") is None
    store.remove("mine")


def test_readers_see_whole_handles_while_others_write(store):
    store.save(Handle("ibm", BATCH, job_id="job-0"))
    stop, seen = threading.Event(), set()

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            store.save(Handle("ibm", BATCH, job_id=f"job-{number}"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(60):
            seen.add(store.find("mine").job_id)
    finally:
        stop.set()
        writer.join()
    assert all(job.startswith("job-") for job in seen)
    assert not list(store.folder.glob(".*"))


def test_the_file_is_plain_json_that_people_can_read(store):
    store.save(Handle("ibm", BATCH, job_id="job-1"))
    data = json.loads((store.folder / "mine.json").read_text())
    assert (data["backend"], data["job_id"], data["batch"]["shots"]) == ("ibm", "job-1", 50)
