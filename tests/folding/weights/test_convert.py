"""Checkpoints become safetensors once: strictly, without running anything, and the same numbers."""

import operator
import os
import pickle
from collections import OrderedDict
from dataclasses import replace
from functools import cache
from hashlib import sha256

import pytest
import torch
from safetensors.torch import load_file, save_file

from folding.errors import WeightsError
from folding.weights import convert as converting
from folding.weights import dialects, own
from folding.weights.convert import Source, convert, read_checkpoint, write_tensors
from folding.weights.protenix import from_own
from folding.weights.store import Store
from tests.folding.model.cases import REDUCED, random_network

SEED = 5


@cache
def ours() -> dict[str, torch.Tensor]:
    return random_network(REDUCED, SEED).state_dict()


def theirs() -> dict[str, torch.Tensor]:
    return from_own(ours(), REDUCED)


@pytest.fixture
def reduced(monkeypatch):
    """The published networks of this test: one narrow one, and one with a block more."""
    configs = {"deep": replace(REDUCED, n_pairformer_blocks=3), "reduced": REDUCED}
    monkeypatch.setattr(dialects, "PROTENIX", configs)


@pytest.fixture
def store(tmp_path):
    (tmp_path / "weights").mkdir()
    return Store(tmp_path / "weights")


def made(store, path, name="mine", config=None, **words):
    return convert(
        Source(path, path.name, "0" * 64), store, name, config=config, version="1", **words
    )


def raw(state):
    """Weights before they were averaged: other numbers under the same names."""
    return {name: torch.zeros_like(tensor) for name, tensor in state.items()}


def saved(path, content):
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"model": state},
        lambda state: {"model": {f"module.{k}": v for k, v in state.items()}, "step": 7},
        lambda state: {"state_dict": OrderedDict(state), "epoch": 1},
        lambda state: {"ema": {"params": state, "decay": 0.9}, "state_dict": {"old": state}},
        lambda state: {"step": 7, "model": raw(state), "average": state, "optimizer": {"state": 1}},
        lambda state: {"step": 7, "options": {"ema_decay": 0.9}, "average": state},
        lambda state: {"model": state, "average": {"loss": 0.5}},
    ],
    ids=[
        *("bare", "model", "distributed", "lightning", "averaged"),
        *("our training", "our confidence head", "an average of something else"),
    ],
)
def test_a_checkpoint_becomes_our_tensors_number_by_number(reduced, store, tmp_path, wrap):
    facts = made(store, saved(tmp_path / "x.pt", wrap(theirs())))
    written = load_file(store.path("mine"))
    assert written.keys() == ours().keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in ours().items())
    assert (facts.dialect, facts.config, facts.made_by) == ("Protenix", "reduced", "1")
    assert facts.sha256 == sha256(store.path("mine").read_bytes()).hexdigest()
    assert facts.bytes == store.path("mine").stat().st_size
    assert store.facts("mine") == facts


def test_the_old_format_of_pytorch_is_read_too(reduced, store, tmp_path):
    torch.save(theirs(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    made(store, tmp_path / "old.pt")
    assert torch.equal(
        load_file(store.path("mine"))["distogram.linear.bias"], ours()["distogram.linear.bias"]
    )


def test_safetensors_of_theirs_and_of_ours_are_read(reduced, store, tmp_path, monkeypatch):
    save_file({k: v.contiguous() for k, v in theirs().items()}, tmp_path / "theirs.safetensors")
    assert made(store, tmp_path / "theirs.safetensors").dialect == "Protenix"
    monkeypatch.setattr(dialects, "SMALL", REDUCED)
    save_file({k: v.contiguous() for k, v in ours().items()}, tmp_path / "ours.safetensors")
    facts = made(store, tmp_path / "ours.safetensors", "again")
    assert (facts.dialect, facts.config) == ("Foldstream", "small")


def test_half_precision_is_widened(reduced, store, tmp_path):
    half = {k: v.bfloat16() if "pairformer" in k else v for k, v in theirs().items()}
    made(store, saved(tmp_path / "x.pt", half))
    written = load_file(store.path("mine"))
    assert {tensor.dtype for tensor in written.values()} == {torch.float32}
    name = "pairformer.blocks.0.transition.linear_out.weight"
    assert torch.equal(written[name], ours()[name].bfloat16().float())


def test_the_converted_network_loads_mapped_and_whole(reduced, store, tmp_path):
    made(store, saved(tmp_path / "x.pt", theirs()))
    model = own.load_file(store.path("mine"), REDUCED)
    assert not model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, ours()[name]), name
    assert not any(p.is_meta or p.requires_grad for p in model.parameters())


# What is refused --------------------------------------------------------------------------------


class Evil:
    """Runs a command when an ordinary unpickler builds it."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_that_wants_to_run_code_is_not_run(reduced, store, tmp_path, zipped):
    trace = tmp_path / "ran"
    torch.save(
        {"model": theirs(), "note": Evil(f"touch {trace}")},
        tmp_path / "evil.pt",
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(WeightsError, match="could run code, so it was not opened"):
        made(store, tmp_path / "evil.pt")
    assert not trace.exists()
    assert not store.is_here("mine")


def test_a_plain_pickle_is_not_run_either(tmp_path):
    trace = tmp_path / "ran"
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Evil(f"touch {trace}"), protocol=2))
    with pytest.raises(WeightsError):
        read_checkpoint(tmp_path / "evil.pt")
    assert not trace.exists()


def test_what_is_let_in_by_name_is_not_built_but_forgotten(tmp_path):
    """Names that a published checkpoint carries beside its tensors stand for nothing here."""
    torch.save({"model": {"a": torch.ones(2)}, "op": operator.add}, tmp_path / "x.pt")
    assert list(read_checkpoint(tmp_path / "x.pt")) == ["a"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"PK\x03\x04" + b"x" * 100,
        b"<html>" * 100,
        b"\x80\x02.",
        bytes(1000),
        b"\x08\x00\x00\x00\x00\x00\x00\x00{" + b"x" * 50,
    ],
    ids=["empty", "garbage", "half a zip", "page", "pickle of nothing", "zeros", "half a header"],
)
def test_what_is_no_checkpoint_is_said(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"x\.pt"):
        read_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_checkpoint_that_was_cut_short_is_said(tmp_path, share):
    whole = saved(tmp_path / "x.pt", theirs()).read_bytes()
    (tmp_path / "x.pt").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WeightsError, match=r"x\.pt is no checkpoint"):
        read_checkpoint(tmp_path / "x.pt")


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(WeightsError, match="cannot be read"):
        read_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize("content", [[1, 2], {}, {"model": {"a": 1}}, 3], ids=str)
def test_what_holds_no_tensors_is_said(tmp_path, content):
    with pytest.raises(WeightsError, match=r"no named tensors|which is none"):
        read_checkpoint(saved(tmp_path / "x.pt", content))


def test_tensors_of_another_project_are_said(store, tmp_path):
    with pytest.raises(WeightsError, match=r"2 tensors .* begin with bert\.a, bert\.b"):
        made(store, saved(tmp_path / "x.pt", {f"bert.{n}": torch.ones(1) for n in "ab"}))


def test_a_tensor_that_is_left_over_is_named(reduced, store, tmp_path):
    with pytest.raises(WeightsError, match=r"no place for: constraint\.weight"):
        made(
            store,
            saved(tmp_path / "x.pt", theirs() | {"constraint.weight": torch.ones(1)}),
            config="reduced",
        )
    assert list(store.folder.iterdir()) == []


def test_a_checkpoint_of_another_size_says_which_were_tried(reduced, store, tmp_path):
    few = {k: v for k, v in theirs().items() if "pairformer_stack.blocks.1." not in k}
    with pytest.raises(WeightsError, match=r"none of its networks\. For deep: The weights lack"):
        made(store, saved(tmp_path / "x.pt", few))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(reduced, store, tmp_path, bad):
    state = theirs()
    state["distogram_head.linear.bias"] = torch.full_like(state["distogram_head.linear.bias"], bad)
    with pytest.raises(WeightsError, match=r"distogram\.linear\.bias holds numbers that are inf"):
        made(store, saved(tmp_path / "x.pt", state))


def test_an_interrupted_conversion_leaves_nothing(reduced, store, tmp_path):
    class Stop(Exception):
        pass

    def report(done, total):
        if done > total // 2:
            raise Stop

    with pytest.raises(Stop):
        made(store, saved(tmp_path / "x.pt", theirs()), report=report)
    assert list(store.folder.iterdir()) == []


def test_the_written_file_is_safetensors_with_aligned_tensors(tmp_path):
    tensors = {"odd": torch.arange(3.0), "b": torch.randn(16, 4), "a": torch.randn(8, 16).t()}
    wanted = {name: tensor.clone() for name, tensor in tensors.items()}
    said = []
    checksum = write_tensors(tmp_path / "x", tensors, report=lambda *n: said.append(n))
    assert checksum == sha256((tmp_path / "x").read_bytes()).hexdigest()
    assert tensors == {}, "each is let go of as soon as it is written"
    assert said[-1] == (12 + 256 + 512, 12 + 256 + 512)
    for name, tensor in load_file(tmp_path / "x").items():
        assert torch.equal(tensor, wanted[name])
    mapped = own.read_tensors(tmp_path / "x")
    assert mapped["a"].data_ptr() % 64 == mapped["b"].data_ptr() % 64 == 0


def test_nothing_else_is_allowed_than_what_stands_in_the_list():
    assert all(
        name.split(".")[0] in {"openfold3", "ml_collections", "_operator", "builtins", "pathlib"}
        for name in converting._IGNORED
    )
    assert "builtins.eval" not in converting._IGNORED
