"""What every vector store must do, whoever keeps the vectors: a class of tests to inherit."""

import numpy as np
import pytest

from quantum.errors import InvalidValues
from quantum.store.vectors.base import Item, VectorStore

SIZE = 8


def random_items(count: int, seed: int = 0) -> list[Item]:
    rng = np.random.default_rng(seed)
    colours = ["red", "green", "blue"]
    return [
        Item(
            f"item-{i}",
            rng.normal(size=SIZE).astype(np.float32),
            {"colour": colours[i % 3], "number": i, "share": i / 4, "even": i % 2 == 0},
        )
        for i in range(count)
    ]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


class VectorStoreContract:
    """Subclasses give a fixture `store`: empty, for vectors of SIZE entries."""

    def test_it_is_a_store(self, store):
        assert isinstance(store, VectorStore)
        assert store.count() == 0
        assert store.query(np.ones(SIZE, np.float32)) == []

    def test_the_nearest_come_first_with_their_cosine(self, store):
        items = random_items(30)
        store.upsert(items)
        query = np.random.default_rng(9).normal(size=SIZE).astype(np.float32)
        expected = sorted(items, key=lambda item: -cosine(item.vector, query))[:5]
        found = store.query(query, limit=5)
        assert [match.id for match in found] == [item.id for item in expected]
        for match, item in zip(found, expected, strict=True):
            assert match.score == pytest.approx(cosine(item.vector, query), abs=1e-4)
            assert dict(match.facts) == dict(item.facts)

    def test_length_plays_no_part_and_opposites_are_minus_one(self, store):
        direction = np.arange(1, SIZE + 1, dtype=np.float32)
        store.upsert([Item("same", 100 * direction), Item("opposite", -0.01 * direction)])
        found = store.query(direction)
        assert [match.id for match in found] == ["same", "opposite"]
        assert [match.score for match in found] == pytest.approx([1, -1], abs=1e-4)

    @pytest.mark.parametrize(
        ("where", "numbers"),
        [
            ({"colour": "red"}, {0, 3, 6, 9}),
            ({"number": 7}, {7}),
            ({"share": 1.25}, {5}),
            ({"even": True}, {0, 2, 4, 6, 8}),
            ({"colour": ["red", "green"], "even": False}, {1, 3, 7, 9}),
            ({"number": [2, 4, 99]}, {2, 4}),
            ({"even": [True, False], "colour": "red"}, {0, 3, 6, 9}),
            ({"number": [True, 3, "red"]}, {3}),
            ({"even": [1, 0, "True"]}, set()),
            ({"colour": "violet"}, set()),
            ({"missing": 1}, set()),
            ({"colour": []}, set()),
            ({}, set(range(10))),
        ],
    )
    def test_filters(self, store, where, numbers):
        store.upsert(random_items(10))
        found = store.query(np.ones(SIZE, np.float32), limit=20, where=where)
        assert {match.facts["number"] for match in found} == numbers
        assert store.count(where) == len(numbers)

    def test_the_same_id_replaces(self, store):
        first, second = random_items(2)
        store.upsert([first, second])
        store.upsert([Item(first.id, second.vector, {"colour": "white"})])
        assert store.count() == 2
        assert store.count({"colour": "red"}) == 0
        assert {m.id for m in store.query(second.vector, limit=2) if m.score > 0.999} == {
            first.id,
            second.id,
        }

    def test_of_one_id_twice_in_a_call_the_last_counts(self, store):
        first, second = random_items(2)
        store.upsert([first, Item(first.id, second.vector, second.facts)])
        (match,) = store.query(second.vector)
        assert match.score == pytest.approx(1, abs=1e-4) and match.facts["colour"] == "green"

    def test_what_is_deleted_is_not_found(self, store):
        store.upsert(random_items(6))
        store.delete(["item-1", "item-4", "never there"])
        assert store.count() == 4
        ids = {match.id for match in store.query(np.ones(SIZE, np.float32), limit=9)}
        assert ids == {"item-0", "item-2", "item-3", "item-5"}
        store.delete([])
        assert store.count() == 4

    def test_any_text_may_be_an_id(self, store):
        ids = ["a b/c", "ünïcode ☃", "'; DROP TABLE items; --", "x" * 200, "0"]
        vectors = np.eye(SIZE, dtype=np.float32)
        store.upsert([Item(name, vectors[i], {"text": name}) for i, name in enumerate(ids)])
        assert [store.query(vectors[i], limit=1)[0].id for i in range(5)] == ids
        assert store.count({"text": ids[2]}) == 1
        store.delete([ids[0]])
        assert store.count() == 4

    def test_many_items_in_one_call(self, store):
        rng = np.random.default_rng(1)
        vectors = rng.normal(size=(230, SIZE)).astype(np.float32)
        store.upsert([Item(str(i), vector) for i, vector in enumerate(vectors)])
        assert store.count() == 230
        assert store.query(vectors[229], limit=1)[0].id == "229"
        store.delete([str(i) for i in range(229)])
        assert store.count() == 1

    @pytest.mark.parametrize(
        ("item", "words"),
        [
            (Item("", np.ones(SIZE, np.float32)), "1 to 200 characters"),
            (Item("x" * 201, np.ones(SIZE, np.float32)), "1 to 200 characters"),
            (Item("a", np.ones(SIZE + 1, np.float32)), f"{SIZE} entries, not"),
            (Item("a", np.zeros(SIZE, np.float32)), "not all 0"),
            (Item("a", np.full(SIZE, np.nan, np.float32)), "finite"),
            (Item("a", np.ones(SIZE, np.float32), {"a b": 1}), "letters, digits"),
        ],
    )
    def test_what_cannot_be_kept_is_refused_whole(self, store, item, words):
        with pytest.raises(InvalidValues, match=words):
            store.upsert([*random_items(1), item])
        assert store.count() == 0

    def test_queries_are_checked_too(self, store):
        with pytest.raises(InvalidValues, match="entries"):
            store.query(np.ones(SIZE - 1, np.float32))
        with pytest.raises(InvalidValues, match="letters"):
            store.query(np.ones(SIZE, np.float32), where={"no good": 1})
