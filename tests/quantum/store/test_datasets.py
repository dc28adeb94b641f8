import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.errors import Damaged, InvalidValues, NotFound
from quantum.store.datasets import (
    TensorSamples,
    TrainingDataStore,
    batches,
    shuffled,
    standardised,
)

FEATURES = torch.arange(200.0).view(100, 2)
TARGETS = torch.arange(100) % 4


@pytest.fixture
def store(tmp_path) -> TrainingDataStore:
    return TrainingDataStore.create(
        tmp_path / "data.h5", FEATURES, TARGETS, description={"source": "counted"}
    )


def test_rows_come_back_in_the_order_asked_for(store):
    index = torch.tensor([5, 0, 99, 5])
    for samples in (store.part(), TensorSamples(FEATURES, TARGETS)):
        features, targets = samples.rows(index)
        assert torch.equal(features, FEATURES[index]) and torch.equal(targets, TARGETS[index])
        assert features.dtype == torch.float32 and targets.dtype == torch.int64
        assert len(samples) == 100


def test_no_rows_are_no_rows(store):
    features, targets = store.part().rows(torch.zeros(0, dtype=torch.int64))
    assert features.shape == (0, 2) and targets.shape == (0,)


def test_splits_share_all_samples_out(store):
    assert store.split({"train": 0.7, "validation": 0.2, "test": 0.1}, seed=1) == {
        "train": 70,
        "validation": 20,
        "test": 10,
    }
    members = [set(store.part(name).members.tolist()) for name in store.splits()]
    assert set.union(*members) == set(range(100)) and sum(map(len, members)) == 100
    features, _ = store.part("test").rows(torch.arange(10))
    assert torch.equal(features, FEATURES[sorted(members[list(store.splits()).index("test")])])


def test_a_seed_gives_the_same_split(store):
    found = []
    for seed in (1, 1, 2):
        store.split({"train": 0.5}, seed=seed)
        found.append(store.part("train").members.tolist())
    assert found[0] == found[1] != found[2]


def test_a_stratified_split_keeps_the_classes_shares(store):
    store.split({"train": 0.8, "test": 0.2}, seed=0, stratified=True)
    _, targets = store.part("test").rows(torch.arange(20))
    assert torch.bincount(targets).tolist() == [5, 5, 5, 5]


@pytest.mark.parametrize("shares", [{}, {"a": 0.0}, {"a": 0.7, "b": 0.4}, {"a": -1.0}])
def test_impossible_shares_are_refused(store, shares):
    with pytest.raises(InvalidValues, match="shares"):
        store.split(shares, seed=0)


def test_samples_are_appended_in_batches(store):
    store.append(FEATURES[:30] + 1000, TARGETS[:30])
    assert len(store) == 130
    features, _ = store.part().rows(torch.tensor([100, 0]))
    assert features.tolist() == [[1000.0, 1001.0], [0.0, 1.0]]
    with pytest.raises(InvalidValues, match="features have the shape"):
        store.append(torch.zeros(3, 5), TARGETS[:3])
    with pytest.raises(InvalidValues, match="different lengths"):
        store.append(FEATURES[:3], TARGETS[:2])
    assert len(store) == 130 and store.part().rows(torch.tensor([129]))[1].item() == 1


def test_images_and_vectors_may_be_stored_too(tmp_path):
    images, targets = np.random.default_rng(0).random((7, 4, 4)), np.eye(7)
    store = TrainingDataStore.create(tmp_path / "images.h5", images, targets)
    found, wanted = store.part().rows(torch.tensor([6, 2]))
    assert torch.equal(found, torch.from_numpy(images[[6, 2]]))
    assert torch.equal(wanted, torch.from_numpy(targets[[6, 2]]))
    with pytest.raises(InvalidValues, match="stratified"):
        store.split({"train": 1.0}, seed=0, stratified=True)


def test_what_is_not_there_is_said(store, tmp_path):
    with pytest.raises(NotFound, match="none yet"):
        store.part("train")
    with pytest.raises(NotFound, match="no data file"):
        len(TrainingDataStore(tmp_path / "none.h5"))
    assert store.description == {"source": "counted"}


def test_a_damaged_file_is_said_to_be_one(store):
    data = bytearray(store.path.read_bytes())
    store.path.write_bytes(b"nonsense" + data[8:])
    with pytest.raises(Damaged, match="cannot be read"):
        len(store)


def test_a_flipped_bit_in_the_numbers_is_noticed(tmp_path):
    rng = np.random.default_rng(0)
    store = TrainingDataStore.create(tmp_path / "d.h5", rng.random((5000, 8)), rng.random(5000))
    data = bytearray(store.path.read_bytes())
    data[len(data) // 2] ^= 16
    store.path.write_bytes(data)
    with pytest.raises(Damaged):
        store.part().rows(torch.arange(5000))


def test_an_epoch_s_order_depends_on_seed_and_epoch_alone():
    first = shuffled(50, seed=3, epoch=7)
    torch.rand(10)
    assert torch.equal(first, shuffled(50, seed=3, epoch=7))
    assert sorted(first.tolist()) == list(range(50))
    others = [shuffled(50, seed=3, epoch=8), shuffled(50, seed=4, epoch=7)]
    assert not any(torch.equal(first, other) for other in others)


def test_batches_cover_the_order():
    pieces = list(batches(torch.arange(10), 4))
    assert [piece.tolist() for piece in pieces] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(batches(torch.arange(0), 4)) == []
    with pytest.raises(InvalidValues):
        next(batches(torch.arange(3), 0))


def test_standardised_features_and_constant_columns():
    rows, mean, deviation = standardised(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
    assert rows.tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert mean.tolist() == [2.0, 5.0] and deviation.tolist() == [1.0, 1.0]


def test_an_append_that_died_half_way_shifts_no_sample(store):
    """Features without targets, as a process leaves them that is killed between the two."""
    with h5py.File(store.path, "r+") as file:
        file["features"].resize(103, axis=0)
        file["features"][100:] = -1.0
    assert len(store) == 100
    store.append(torch.full((2, 2), 7.0), torch.tensor([8, 9]))
    features, targets = store.part().rows(torch.tensor([99, 100, 101]))
    assert len(store) == 102 and targets.tolist() == [TARGETS[99], 8, 9]
    assert torch.equal(features[1:], torch.full((2, 2), 7.0))
    assert torch.equal(features[0], FEATURES[99])


def test_an_append_of_another_shape_changes_nothing(store):
    for features, targets in (
        (torch.zeros(3, 5), torch.zeros(3)),
        (torch.zeros(3, 2), torch.zeros(3, 2)),
        (torch.zeros(3, 2), torch.zeros(2)),
    ):
        with pytest.raises(InvalidValues):
            store.append(features, targets)
    assert len(store) == 100
    assert torch.equal(store.part().rows(torch.arange(100))[0], FEATURES)


SHARES = st.lists(st.floats(0.01, 1), min_size=1, max_size=4)


@settings(deadline=None, max_examples=20)
@given(shares=SHARES, seed=st.integers(0, 2**32 - 1), stratified=st.booleans())
def test_splits_are_disjoint_and_as_large_as_their_shares(
    tmp_path_factory, shares, seed, stratified
):
    store = TrainingDataStore.create(tmp_path_factory.mktemp("data") / "d.h5", FEATURES, TARGETS)
    total = sum(shares) * 1.0001
    named = {f"part{i}": share / total for i, share in enumerate(shares)}
    sizes = store.split(named, seed=seed, stratified=stratified)
    members = [store.part(name).members for name in named]
    together = np.concatenate(members)
    assert len(set(together.tolist())) == len(together) <= 100
    slack = 4 if stratified else 1
    assert all(abs(sizes[name] - 100 * share) <= slack for name, share in named.items())
    assert store.splits() == sizes


@settings(deadline=None, max_examples=20)
@given(index=st.lists(st.integers(0, 99), max_size=40))
def test_rows_come_as_they_were_asked_for_however_scattered(tmp_path_factory, index):
    path = tmp_path_factory.getbasetemp() / "scattered.h5"
    if not path.exists():
        TrainingDataStore.create(path, FEATURES, TARGETS)
    rows = torch.tensor(index, dtype=torch.long)
    features, targets = TrainingDataStore(path).part().rows(rows)
    assert torch.equal(features, FEATURES[rows]) and torch.equal(targets, TARGETS[rows])


@settings(deadline=None, max_examples=25)
@given(count=st.integers(0, 60), size=st.integers(1, 70), seed=st.integers(0, 99))
def test_an_epoch_sees_every_sample_once(count, size, seed):
    order = shuffled(count, seed=seed, epoch=3)
    pieces = list(batches(order, size))
    assert sorted(torch.cat(pieces).tolist() if pieces else []) == list(range(count))
    assert all(len(piece) == size for piece in pieces[:-1])


def test_creating_again_replaces_and_forgets_the_splits(store):
    store.split({"train": 0.5}, seed=1)
    again = TrainingDataStore.create(store.path, FEATURES[:10], TARGETS[:10])
    assert len(again) == 10 and again.splits() == {} and again.description == {}
    with pytest.raises(NotFound, match="none yet: call split"):
        again.part("train")


def test_several_processes_read_one_file_at_once(store):
    code = """
import sys, torch
from quantum.store.datasets import TrainingDataStore
part = TrainingDataStore(sys.argv[1]).part()
for turn in range(30):
    rows = torch.randint(100, (16,))
    features, targets = part.rows(rows)
    assert torch.equal(features[:, 0], 2.0 * rows), turn
"""
    started = [subprocess.Popen([sys.executable, "-c", code, store.path]) for _ in range(2)]
    assert [process.wait(60) for process in started] == [0, 0]
