import multiprocessing
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["upsert", "upsert", "delete", "compact"]),
        st.integers(0, 5),
        st.integers(0, 999),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=15)
@given(steps=STEPS, seed=st.integers(0, 99))
def test_whatever_is_done_it_answers_as_a_plain_table_would(steps, seed):
    table: dict[str, np.ndarray] = {}
    with TemporaryDirectory() as folder:
        store = LocalVectors(folder, size=4)
        for verb, number, draw in steps:
            if verb == "upsert":
                vector = np.random.default_rng(draw).normal(size=4).astype(np.float32)
                store.upsert([Item(f"i{number}", vector, {"number": number})])
                table[f"i{number}"] = vector
            elif verb == "delete":
                store.delete([f"i{number}"])
                table.pop(f"i{number}", None)
            else:
                store.compact()
        again = LocalVectors(folder, size=4)  # as another process sees it
        query = np.random.default_rng(seed).normal(size=4).astype(np.float32)
        cosines = {
            name: float(query @ v / np.linalg.norm(query) / np.linalg.norm(v))
            for name, v in table.items()
        }
        found = {match.id: match.score for match in again.query(query, limit=10)}
        assert found == pytest.approx(cosines, abs=1e-5)
        assert list(found.values()) == sorted(found.values(), reverse=True)
        assert again.count() == len(table)
        assert again.count({"number": 3}) == ("i3" in table)


def test_an_empty_list_of_values_fits_nothing(store):
    store.upsert([Item("a", np.ones(SIZE, np.float32), {"colour": "red"})])
    assert store.count({"colour": []}) == 0


@pytest.mark.parametrize("limit", [0, -1])
def test_nothing_is_asked_for_and_nothing_comes(store, limit):
    store.upsert([Item("a", np.ones(SIZE, np.float32))])
    assert store.query(np.ones(SIZE, np.float32), limit=limit) == []


def test_an_empty_call_changes_nothing(store):
    store.upsert([])
    store.delete([])
    assert store.count() == 0
