"""From every dialect in every format to the same network, and a folder that keeps its word."""

import io
import itertools
import random
import struct
import threading
from functools import cache
from hashlib import sha256

import pytest
import torch
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from folding.errors import WeightsError
from folding.weights import dialects
from folding.weights.catalog import CATALOG
from folding.weights.fetch import import_file, name_of
from folding.weights.mapped import Area, Mapped, clean_files
from folding.weights.mapped import joined as joined_areas
from folding.weights.names import Row, compare_names, joined, rows, under
from folding.weights.own import load_file
from folding.weights.records import read_records
from folding.weights.store import Store, hash_file
from tests.folding.weights.test_odd_files import CONFIGS, EVERY, dialect, ours, theirs
from tests.folding.weights.test_store import put

KINDS = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.uint8: "uint8"}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    """Every dialect knows the narrow networks of these tests alone."""
    known = tuple(dialect(name) for name in EVERY)
    monkeypatch.setattr(dialects, "_all", lambda: iter(known))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "weights")


def as_records(state: dict[str, Tensor]) -> bytes:
    """The state as AlphaFold 3 writes its parameters."""
    content = io.BytesIO()
    for full, tensor in state.items():
        scope, _, name = full.rpartition(":")
        flat = tensor.contiguous()
        numbers = flat.reshape(-1).view(torch.uint8).numpy().tobytes()
        texts = [text.encode() for text in (scope, name, KINDS[tensor.dtype])]
        sizes = (*(len(text) for text in texts), tensor.ndim, len(numbers))
        content.write(struct.pack("<5i", *sizes) + b"".join(texts))
        content.write(struct.pack(f"<{tensor.ndim}i", *tensor.shape) + numbers)
    return content.getvalue()


def contiguous(state):
    return {key: x.contiguous().clone() for key, x in state.items()}


WRITERS = {
    "pt": lambda state, path: torch.save(state, path),
    "old.pt": lambda s, p: torch.save(s, p, _use_new_zipfile_serialization=False),
    "safetensors": lambda state, path: save_file(contiguous(state), path),
    "bin": lambda state, path: path.write_bytes(as_records(state)),
    "bin.zst": lambda s, p: p.write_bytes(zstandard.compress(as_records(s))),
}
# Records are AlphaFold 3's own format; the others anybody may use.
FORMATS = [
    (name, ending)
    for name in EVERY
    for ending in WRITERS
    if name == "AlphaFold3" or not ending.startswith("bin")
]


@cache
def same_for_all() -> dict[str, str]:
    """The checksum that the imported file of each dialect had first, whatever it came from."""
    return {}


@pytest.mark.parametrize(("name", "ending"), FORMATS)
def test_every_format_of_every_dialect_becomes_the_same_file(store, tmp_path, name, ending):
    path = tmp_path / f"mine.{ending}"
    WRITERS[ending](theirs(name), path)
    facts = import_file(path, store)
    assert (facts.name, facts.dialect, facts.source) == (name_of(path), name, path.name)
    assert facts.source_sha256 == hash_file(path)
    assert same_for_all().setdefault(name, facts.sha256) == facts.sha256
    assert store.verify(facts.name) == facts.sha256
    model = load_file(store.path(facts.name), CONFIGS[name])
    state = model.state_dict()
    assert all(torch.equal(state[key], x) for key, x in ours(name).items())
    assert facts.parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", EVERY)
def test_the_order_of_the_tensors_does_not_matter(store, tmp_path, name):
    state = theirs(name)
    keys = list(state)
    random.Random(1).shuffle(keys)
    torch.save({key: state[key] for key in keys}, tmp_path / "shuffled.pt")
    torch.save(state, tmp_path / "sorted.pt")
    found = {import_file(tmp_path / f"{word}.pt", store).sha256 for word in ("shuffled", "sorted")}
    assert len(found) == 1


def test_records_of_low_precision_keep_their_numbers(tmp_path):
    state = theirs("AlphaFold3")
    low = {
        k: x.bfloat16() if x.dtype == torch.float32 and x.ndim > 1 else x for k, x in state.items()
    }
    (tmp_path / "low.bin").write_bytes(as_records(low))
    found = read_records(tmp_path / "low.bin")
    assert found.keys() == low.keys()
    for key, x in low.items():
        assert torch.equal(found[key], x), key


def test_several_models_are_imported_at_once(store, tmp_path):
    torch.save(theirs("Protenix"), tmp_path / "x.pt")
    done, failed = [], []

    def bring(name):
        try:
            done.append(import_file(tmp_path / "x.pt", store, name=name))
        except WeightsError as error:
            failed.append(str(error))

    names = ["one", "two", "two", "three"]
    threads = [threading.Thread(target=bring, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(facts.name for facts in done) == ["one", "three", "two"]
    assert len(failed) == 1
    assert "two" in failed[0]
    assert len({facts.sha256 for facts in done}) == 1
    for facts in done:
        assert store.verify(facts.name) == facts.sha256


# The folder -------------------------------------------------------------------------------------


@given(st.integers(0, 40), st.integers(1, 9))
@settings(max_examples=25)
def test_a_checksum_is_that_of_the_bytes_however_they_are_read(tmp_path_factory, n, chunk):
    path = tmp_path_factory.mktemp("hash") / "file"
    content = random.Random(n).randbytes(n)
    path.write_bytes(content)
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("folding.weights.store.CHUNK", chunk)
        found = hash_file(path, report=lambda *step: said.append(step))
    assert found == sha256(content).hexdigest()
    done = [step for step, _ in said]
    assert done == sorted(set(done))
    assert done[-1:] == ([n] if n else [])


@pytest.mark.parametrize("file", ["Å weights.pt", "weights (1).pt", "模型.pt", "-x.pt", "..pt"])
def test_odd_file_names_give_names_that_a_folder_can_hold(store, tmp_path, file):
    path = tmp_path / file
    torch.save(theirs("Protenix"), path)
    name = name_of(path)
    if not name:
        with pytest.raises(WeightsError, match="cannot be the name of a model"):
            import_file(path, store)
        name = "mine"
    facts = import_file(path, store, name=name)
    assert store.facts(name) == facts
    assert facts.source == file
    assert store.path(name).parent == store.folder


NAMES = ("a", "b.1", "protenix_mini_default_v0.5.0", "protenix_tiny_default_v0.5.0")
VERBS = st.tuples(
    st.sampled_from(["put", "remove", "lose note", "lose tensors", "damage"]),
    st.sampled_from(NAMES),
)


@given(st.lists(VERBS, max_size=14))
@settings(max_examples=40)
def test_a_folder_says_what_is_in_it_after_anything(tmp_path_factory, verbs):
    store = Store(tmp_path_factory.mktemp("folder") / "weights")
    here: dict[str, bool] = {}  # name: whether its tensors are as they were written
    for verb, name in verbs:
        note = store.path(name).with_suffix(".json")
        if verb == "put":
            put(store, name)
            here[name] = True
        elif verb == "remove":
            store.remove(name)
            here.pop(name, None)
        elif verb == "lose note":
            note.unlink(missing_ok=True)
            here.pop(name, None)
        elif verb == "lose tensors":
            store.path(name).unlink(missing_ok=True)
            here.pop(name, None)
        elif name in here:
            store.path(name).write_bytes(b"tensorz")
            here[name] = False
    known = [name for name in CATALOG if name in here]
    assert store.names() == ["small", *known, *sorted(n for n in here if n not in CATALOG)]
    for name, is_whole in here.items():
        assert store.is_here(name)
        if is_whole:
            assert store.verify(name) == store.sha256(name)
        else:
            with pytest.raises(WeightsError, match="is damaged"):
                store.verify(name)
    for name in set(NAMES) - set(here):
        with pytest.raises(WeightsError):
            store.verify(name)


# Names ------------------------------------------------------------------------------------------


def test_a_table_names_weights_and_where_marked_offsets():
    table = {"+norm": "ln", "linear_ab": ("a", "b")}
    assert list(rows(table)) == [
        Row("norm.weight", ("ln.weight",)),
        Row("norm.bias", ("ln.bias",)),
        Row("linear_ab.weight", ("a.weight", "b.weight")),
    ]
    (first, *_) = under("x.0", "y.blocks.0", table)
    assert first == Row("x.0.norm.weight", ("y.blocks.0.ln.weight",))


@given(
    st.sets(st.text("abc", min_size=1, max_size=3)), st.sets(st.text("abc", min_size=1, max_size=3))
)
def test_names_must_be_the_same_both_ways(found, wanted):
    state = dict.fromkeys(found, 0)
    if found == wanted:
        compare_names(state, wanted)
        return
    with pytest.raises(WeightsError) as error:
        compare_names(state, wanted)
    missing, extra = wanted - found, found - wanted
    said = str(error.value)
    assert ("lack" in said) == bool(missing)
    assert any(name in said for name in (missing or extra))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 1))
def test_parts_are_put_together_in_order_along_their_axis(widths, axis):
    shapes = [(w, 3) if axis == 0 else (3, w) for w in widths]
    parts = [torch.randn(shape) for shape in shapes]
    row = Row("ours", tuple(f"theirs{k}" for k in range(len(parts))), axis)
    whole = joined(row, parts, widths=widths)
    assert [
        torch.equal(a, b) for a, b in zip(whole.split(widths, dim=axis), parts, strict=True)
    ] == ([True] * len(parts))
    if len(set(widths)) > 1:
        with pytest.raises(WeightsError, match=r"theirs\d has shape"):
            joined(row, parts)


# Memory -----------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), max_size=12))
def test_areas_that_touch_become_one_and_cover_the_same(pairs):
    areas = [Area(start, start + size) for start, size in pairs]
    whole = list(joined_areas(areas))
    covered = {place for area in areas for place in range(area.start, area.end)}
    assert {place for area in whole for place in range(area.start, area.end)} == covered
    for before, after in itertools.pairwise(whole):
        assert before.end < after.start


def test_only_files_that_nobody_wrote_to_are_let_go(tmp_path):
    smaps = tmp_path / "smaps"
    smaps.write_text(
        "1000-2000 r--p 00000000 08:01 77 /weights\nAnonymous: 0 kB\n"
        "3000-4000 rw-p 00000000 08:01 78 /written\nAnonymous: 4 kB\n"
        "5000-6000 rw-p 00000000 00:00 0 [heap]\nAnonymous: 0 kB\n"
        "7000-8000 r--p 00000000 08:01 79 /other\nAnonymous: 0 kB\n"
    )
    found = list(clean_files([0x1800, 0x3800, 0x5800], smaps))
    assert found == [Area(0x1000, 0x2000)]
    assert list(clean_files([0x1800], tmp_path / "not there")) == []


def test_what_was_let_go_comes_back_with_the_same_numbers(store, tmp_path):
    torch.save(theirs("Protenix"), tmp_path / "x.pt")
    import_file(tmp_path / "x.pt", store)
    model = load_file(store.path("x"), CONFIGS["Protenix"])
    for _ in range(3):
        Mapped(model).let_go(model)
        state = model.state_dict()
        assert all(torch.equal(state[key], x) for key, x in ours("Protenix").items())
