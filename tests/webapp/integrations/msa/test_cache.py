"""Alignments on disk."""

import os

from webapp.integrations.msa import cache as cache_module
from webapp.integrations.msa.cache import Cache, key_of

KEYS = [key_of({"sequence": letter}) for letter in "ABCD"]


def test_what_was_put_is_got(tmp_path):
    cache = Cache(tmp_path, max_bytes=10**6)
    assert cache.get(KEYS[0]) is None
    cache.put(KEYS[0], ">a\nÄ\n")
    assert cache.get(KEYS[0]) == ">a\nÄ\n"
    assert Cache(tmp_path, max_bytes=10**6).get(KEYS[0]) == ">a\nÄ\n"
    assert cache.get(KEYS[1]) is None


def test_keys_depend_on_everything_and_on_no_order():
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert len({key_of(q) for q in ({"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": None})}) == 4


def test_a_damaged_file_is_none_and_goes(tmp_path):
    cache = Cache(tmp_path, max_bytes=10**6)
    cache.put(KEYS[0], "text" * 1000)
    (path,) = tmp_path.glob("*/*.gz")
    path.write_bytes(path.read_bytes()[:20])
    assert cache.get(KEYS[0]) is None
    assert not path.exists()


def test_the_least_recently_used_goes_first(tmp_path):
    texts = {key: os.urandom(2000).hex() for key in KEYS}
    cache = Cache(tmp_path, max_bytes=8000)
    for age, key in enumerate(KEYS[:3]):
        cache.put(key, texts[key])
        os.utime(tmp_path / key[:2] / f"{key}.gz", (1000 + age, 1000 + age))
    assert cache.get(KEYS[0]) == texts[KEYS[0]], "it is the youngest now"
    cache.put(KEYS[3], texts[KEYS[3]])
    assert [cache.get(key) is not None for key in KEYS] == [True, False, True, True]


def test_what_another_worker_forgets_meanwhile_is_still_given(tmp_path, monkeypatch):
    cache = Cache(tmp_path, max_bytes=10**6)
    cache.put(KEYS[0], "text")
    unpacked = cache_module.gzip.decompress

    def pruned(packed):
        Cache(tmp_path, max_bytes=0).prune()
        return unpacked(packed)

    monkeypatch.setattr(cache_module.gzip, "decompress", pruned)
    assert cache.get(KEYS[0]) == "text"


def test_no_draft_is_left(tmp_path):
    cache = Cache(tmp_path, max_bytes=10**6)
    cache.put(KEYS[0], "text")
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".gz"]


def test_tickets_are_kept_for_a_day(tmp_path, monkeypatch):
    tickets = Cache(tmp_path, max_bytes=10).tickets(KEYS[0])
    assert tickets.load() == ""
    tickets.save("abc")
    assert tickets.load() == "abc"
    monkeypatch.setattr(cache_module, "TICKET_SECONDS", -1)
    assert tickets.load() == ""
    tickets.save("")
    assert not list(tmp_path.rglob("*.ticket"))
