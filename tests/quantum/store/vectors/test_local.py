import multiprocessing

import numpy as np
import pytest

from quantum.errors import Damaged, InvalidValues
from quantum.store.vectors.base import Item
from quantum.store.vectors.local import LocalVectors
from tests.quantum.store.vectors.contract import SIZE, VectorStoreContract, random_items


class TestLocalVectors(VectorStoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return LocalVectors(tmp_path / "vectors", size=SIZE)


@pytest.fixture
def store(tmp_path) -> LocalVectors:
    return LocalVectors(tmp_path, size=SIZE)


def test_vectors_are_there_after_a_restart(store, tmp_path):
    items = random_items(5)
    store.upsert(items)
    again = LocalVectors(tmp_path, size=SIZE)
    assert again.query(items[3].vector, limit=1)[0].id == "item-3"


def test_another_size_is_refused(store, tmp_path):
    with pytest.raises(InvalidValues, match=f"{SIZE} entries, not 4"):
        LocalVectors(tmp_path, size=4)
    with pytest.raises(InvalidValues, match="at least one"):
        LocalVectors(tmp_path / "new", size=0)


def test_ties_are_in_the_order_of_their_ids(store):
    store.upsert([Item(name, np.ones(SIZE, np.float32)) for name in "dbaec"])
    assert [m.id for m in store.query(np.ones(SIZE, np.float32), limit=3)] == ["a", "b", "c"]


def test_compaction_frees_the_room_and_changes_no_answer(store, tmp_path):
    for seed in range(3):  # replaces all items twice
        store.upsert(random_items(20, seed))
    store.delete(["item-3"])
    query = np.arange(SIZE, dtype=np.float32)
    before = store.query(query, limit=30)
    store.compact()
    assert store.query(query, limit=30) == before
    (file,) = tmp_path.glob("*.f32")
    assert file.stat().st_size == 19 * SIZE * 4
    store.upsert(random_items(4, 7))
    assert store.count() == 20


def test_lost_vectors_are_noticed(store, tmp_path):
    store.upsert(random_items(4))
    (file,) = tmp_path.glob("*.f32")
    file.write_bytes(file.read_bytes()[: 3 * SIZE * 4])
    with pytest.raises(Damaged, match="shorter"):
        store.query(np.ones(SIZE, np.float32))
    file.unlink()
    with pytest.raises(Damaged, match="lost"):
        store.query(np.ones(SIZE, np.float32))


def _work(folder, who):
    store = LocalVectors(folder, size=SIZE)
    for i in range(15):
        vector = np.random.default_rng([who, i]).normal(size=SIZE)
        store.upsert([Item(f"{who}-{i}", vector.astype(np.float32))])
        store.query(vector.astype(np.float32))
        if i == 7:
            store.compact()


def test_several_processes_write_and_read_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_work, args=(tmp_path, who)) for who in (1, 2)]
    for process in others:
        process.start()
    _work(tmp_path, 3)
    for process in others:
        process.join(60)
        assert process.exitcode == 0
    store = LocalVectors(tmp_path, size=SIZE)
    assert store.count() == 45
    for who in (1, 2, 3):
        for i in range(15):
            vector = np.random.default_rng([who, i]).normal(size=SIZE).astype(np.float32)
            assert store.query(vector, limit=1)[0].id == f"{who}-{i}"
