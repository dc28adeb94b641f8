"""Trees on disk: everything comes back, and whatever is damaged is found out."""

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.errors import Damaged
from quantum.store.files import drop, write_file, write_folder
from quantum.store.tree import JSON, TENSORS, read_tree, write_tree

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
)
KEYS = st.text(max_size=4) | st.integers(-9, 9)
TREES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=12,
)


def there_and_back(tree):
    with TemporaryDirectory() as folder:
        write_tree(Path(folder), tree)
        return read_tree(Path(folder))


@settings(deadline=None, max_examples=40)
@given(tree=TREES)
def test_any_tree_comes_back_with_its_kinds(tree):
    again = there_and_back(tree)
    assert again == tree and repr(again) == repr(tree)  # 1, 1.0 and True are three things


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_come_back(value):
    found = there_and_back({"loss": value})["loss"]
    assert found == value or (math.isnan(found) and math.isnan(value))


@pytest.mark.parametrize(
    "dtype",
    [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.uint8,
     torch.bool, torch.complex64],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_tensors_of_every_kind_and_shape_come_back(dtype, shape):
    tensor = torch.arange(math.prod(shape)).reshape(shape).to(dtype)
    found = there_and_back([{"weights": tensor}])[0]["weights"]
    assert found.dtype is dtype and found.shape == tensor.shape and torch.equal(found, tensor)


def test_what_is_read_shares_nothing_with_what_was_written():
    tensor = torch.ones(3, requires_grad=True)
    found = there_and_back({"a": tensor, "b": tensor})
    found["a"][0] = 5
    assert tensor.tolist() == found["b"].tolist() == [1, 1, 1]
    assert not found["b"].requires_grad


TREE = {"rate": 0.125, "step": 7, "weights": torch.arange(6.0), "names": ["a", "b"]}


@settings(deadline=None, max_examples=50)
@given(file=st.sampled_from([JSON, TENSORS]), at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_out_wherever_it_is(file, at, bit):
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_tree(folder, TREE)
        data = bytearray((folder / file).read_bytes())
        data[at % len(data)] ^= 1 << bit
        (folder / file).write_bytes(bytes(data))
        try:
            found = read_tree(folder)
        except Damaged as error:
            assert "restore it or delete it" in str(error)
        else:  # white space and the like: what was meant is what is read
            assert torch.equal(found.pop("weights"), TREE["weights"])
            assert found == {name: value for name, value in TREE.items() if name != "weights"}


def test_a_number_that_somebody_changed_is_found_out(tmp_path):
    write_tree(tmp_path, TREE)
    text = (tmp_path / JSON).read_text()
    (tmp_path / JSON).write_text(text.replace("0.125", "0.126"))
    with pytest.raises(Damaged, match=r"tree\.json is not what was written"):
        read_tree(tmp_path)


def test_files_of_before_are_read_all_the_same(tmp_path):
    write_tree(tmp_path, TREE)
    document = json.loads((tmp_path / JSON).read_text())
    del document["content"]
    (tmp_path / JSON).write_text(json.dumps(document))
    assert read_tree(tmp_path)["step"] == 7


@pytest.mark.parametrize("missing", [JSON, TENSORS])
def test_half_of_a_tree_is_none(tmp_path, missing):
    write_tree(tmp_path, TREE)
    (tmp_path / missing).unlink()
    with pytest.raises(Damaged):
        read_tree(tmp_path)


@pytest.mark.parametrize(
    "tree", [{1.5: "x"}, {None: 1}, {"a": {1, 2}}, [object()], b"bytes", {"f": len}]
)
def test_what_is_no_tree_is_refused_before_anything_is_written(tmp_path, tree):
    with pytest.raises(TypeError):
        write_tree(tmp_path, tree)
    assert list(tmp_path.iterdir()) == []


# Files and folders


def test_a_folder_is_replaced_only_by_a_whole_one(tmp_path):
    target = tmp_path / "deep" / "target"
    write_folder(target, lambda draft: (draft / "a").write_text("first"))

    def fail(draft):
        (draft / "a").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_folder(target, fail, replace=True)
    assert (target / "a").read_text() == "first"
    write_folder(target, lambda draft: (draft / "b").write_text("second"), replace=True)
    assert [path.name for path in target.iterdir()] == ["b"]
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_dropping_what_is_not_there_does_nothing_and_clears_what_a_crash_left(tmp_path):
    drop(tmp_path / "nothing")
    (tmp_path / ".deleted-x").mkdir()
    (tmp_path / ".deleted-x" / "left").write_text("")
    (tmp_path / "x").mkdir()
    drop(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_in_one_move(tmp_path):
    for content in (b"one", b"two" * 1000, b""):
        write_file(tmp_path / "deep" / "file", content)
        assert (tmp_path / "deep" / "file").read_bytes() == content
    assert len(list((tmp_path / "deep").iterdir())) == 1
