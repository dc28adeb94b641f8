import json
import os

import pytest
import torch

from quantum.errors import Damaged, NotFound
from quantum.store.checkpoints import CheckpointManager
from quantum.store.files import write_file, write_folder
from quantum.store.tree import read_tree, write_tree

TREE = {
    "weights": torch.tensor([1.5, -2.0, float("nan")]),
    "half": torch.ones(2, 2, dtype=torch.bfloat16),
    "count": torch.tensor(7),
    "state": {0: {"step": torch.tensor(3.0)}, 12: {"betas": (0.9, 0.999)}},
    "history": [1, 2.5, None, True, "text", float("inf")],
    "empty": {},
}


def equal(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        same = torch.equal(a.nan_to_num(5), b.nan_to_num(5))
        return a.dtype == b.dtype and same
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and all(map(equal, a, b)) and len(a) == len(b)
    return a == b


def test_a_tree_comes_back_as_it_was(tmp_path):
    write_tree(tmp_path, TREE)
    assert equal(read_tree(tmp_path), TREE)


def test_an_optimizer_s_state_comes_back(tmp_path):
    weights = torch.nn.Parameter(torch.randn(4))
    optimizer = torch.optim.Adam([weights])
    weights.square().sum().backward()
    optimizer.step()
    write_tree(tmp_path, optimizer.state_dict())
    again = torch.optim.Adam([weights])
    again.load_state_dict(read_tree(tmp_path))
    assert equal(again.state_dict()["state"], optimizer.state_dict()["state"])


@pytest.mark.parametrize("value", [{1.5: 0}, object(), {"a": {1, 2}}])
def test_only_trees_are_written(tmp_path, value):
    with pytest.raises(TypeError):
        write_tree(tmp_path, value)


def test_views_and_shared_tensors_are_written_whole(tmp_path):
    base = torch.arange(6.0).view(2, 3)
    write_tree(tmp_path, {"column": base[:, 1], "all": base, "same": base})
    assert read_tree(tmp_path)["column"].tolist() == [1.0, 4.0]


def flip_a_byte(file):
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: flip_a_byte(folder / "tensors.safetensors"),
        lambda folder: os.truncate(folder / "tensors.safetensors", 10),
        lambda folder: (folder / "tensors.safetensors").unlink(),
        lambda folder: os.truncate(folder / "tree.json", 20),
        lambda folder: (folder / "tree.json").write_text("[]"),
    ],
)
def test_harm_is_noticed_and_the_one_before_is_used(tmp_path, harm):
    manager = CheckpointManager(tmp_path)
    manager.save(1, {"w": torch.ones(3)})
    harm(manager.save(2, {"w": torch.zeros(3)}).folder)
    with pytest.raises(Damaged, match="restore it or delete it"):
        manager.load(2)
    checkpoint, tree = manager.newest_readable()
    assert checkpoint.step == 1 and tree["w"].tolist() == [1, 1, 1]


def test_the_newest_and_the_best_are_kept(tmp_path):
    manager = CheckpointManager(tmp_path, keep_last=2, keep_best=2)
    for step, loss in enumerate([0.9, 0.2, 0.5, 0.1, 0.8, 0.7]):
        manager.save(step, {"step": step}, {"loss": loss})
    assert [c.step for c in manager.all()] == [1, 3, 4, 5]
    assert manager.best().step == 3 and manager.latest().step == 5
    assert manager.load(1) == {"step": 1}
    with pytest.raises(NotFound, match="step 2"):
        manager.load(2)


def test_higher_may_be_better(tmp_path):
    manager = CheckpointManager(tmp_path, keep_last=1, metric="accuracy", higher_is_better=True)
    for step, accuracy in enumerate([0.5, 0.9, 0.6]):
        manager.save(step, {}, {"accuracy": accuracy})
    assert manager.best().step == 1 and [c.step for c in manager.all()] == [1, 2]


def test_a_step_may_be_saved_again(tmp_path):
    manager = CheckpointManager(tmp_path)
    manager.save(4, {"a": 1}, {"loss": 3})
    manager.save(4, {"a": 2}, {"loss": 2})
    assert manager.load(4) == {"a": 2} and len(manager.all()) == 1


def test_a_step_that_cannot_be_saved_again_keeps_what_it_had(tmp_path):
    manager = CheckpointManager(tmp_path)
    manager.save(3, {"value": 1})
    with pytest.raises(TypeError):
        manager.save(3, {"value": object()})
    assert manager.load(3) == {"value": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000000003"]


def test_an_empty_folder_has_no_checkpoints(tmp_path):
    manager = CheckpointManager(tmp_path / "none")
    assert manager.latest() is None and manager.best() is None
    assert manager.newest_readable() is None


def test_a_write_that_dies_leaves_nothing_behind(tmp_path):
    manager = CheckpointManager(tmp_path)
    manager.save(1, {"a": 1})
    with pytest.raises(TypeError):
        manager.save(2, {"a": object()})
    assert [c.step for c in manager.all()] == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000000001"]


def test_a_draft_that_a_crash_left_is_no_checkpoint(tmp_path):
    manager = CheckpointManager(tmp_path)
    (tmp_path / ".draft-abc").mkdir()
    (tmp_path / "step-0000000009").mkdir()  # without its description
    manager.save(1, {"a": 1}, {"loss": 1})
    assert manager.latest().step == 1


def test_nonsense_settings_are_refused(tmp_path):
    with pytest.raises(ValueError, match="keep_last"):
        CheckpointManager(tmp_path, keep_last=0)


def test_folders_appear_whole_or_not_at_all(tmp_path):
    write_folder(tmp_path / "a" / "b", lambda d: (d / "x").write_text("1"))
    assert (tmp_path / "a" / "b" / "x").read_text() == "1"
    with pytest.raises(FileExistsError):
        write_folder(tmp_path / "a" / "b", lambda d: (d / "x").write_text("2"))
    assert (tmp_path / "a" / "b" / "x").read_text() == "1"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_files_are_replaced_in_one_move(tmp_path, monkeypatch):
    target = tmp_path / "file"
    write_file(target, b"old")

    def fails(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="disk full"):
        write_file(target, b"new")
    assert target.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_the_description_is_plain_json(tmp_path):
    folder = CheckpointManager(tmp_path).save(3, {"w": torch.ones(1)}, {"loss": 0.25}).folder
    assert json.loads((folder / "metrics.json").read_text()) == {
        "step": 3,
        "metrics": {"loss": 0.25},
    }
    assert json.loads((folder / "tree.json").read_text())["tree"] == {
        "dict": [["w", {"tensor": "t0"}]]
    }
