"""Files that are almost weights: each dialect names what is wrong, and nothing is guessed."""

import io
import json
import pickle
import re
import struct
import tarfile
import zipfile
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from folding.errors import WeightsError
from folding.weights import alphafold3, dialects, openfold3, own, protenix
from folding.weights.convert import Source, convert, read_checkpoint, write_tensors
from folding.weights.dialects import Dialect, read
from folding.weights.own import load_file as load_network
from folding.weights.records import are_records, read_records
from folding.weights.store import Store
from tests.folding.model.cases import (
    REDUCED,
    REDUCED_ALPHAFOLD3,
    REDUCED_OPENFOLD3,
    random_network,
)
from tests.folding.weights.test_records import record

CONFIGS = {
    "Protenix": REDUCED,
    "OpenFold3": REDUCED_OPENFOLD3,
    "AlphaFold3": REDUCED_ALPHAFOLD3,
    "Foldstream": REDUCED,
}
WRITERS = {
    "Protenix": protenix.from_own,
    "OpenFold3": openfold3.from_own,
    "AlphaFold3": alphafold3.from_own,
    "Foldstream": lambda own, config: own,
}
EVERY = list(CONFIGS)


@cache
def ours(name: str) -> dict[str, Tensor]:
    """A network of the dialect, which all tests share and leave alone."""
    return dict(random_network(CONFIGS[name], 4, tied=True).state_dict())


@cache
def _theirs(name: str) -> dict[str, Tensor]:
    return WRITERS[name](ours(name), CONFIGS[name])


def theirs(name: str) -> dict[str, Tensor]:
    return dict(_theirs(name))


def dialect(name: str) -> Dialect:
    """The dialect, whose one published network is the narrow one of these tests."""
    (found,) = (d for d in dialects.dialects() if d.name == name)
    return Dialect(found.name, found.marks, {"narrow": CONFIGS[name]}, found.to_own)


@pytest.fixture
def narrow(monkeypatch):
    """Every dialect knows the narrow networks alone."""
    known = tuple(dialect(name) for name in EVERY)
    monkeypatch.setattr(dialects, "_all", lambda: iter(known))


@pytest.fixture
def store(tmp_path):
    (tmp_path / "weights").mkdir()
    return Store(tmp_path / "weights")


def made(store, path, name="mine"):
    return convert(Source(path, path.name, "0" * 64), store, name, config=None, version="1")


def saved(path, content, **words):
    torch.save(content, path, **words)
    return path


# Every dialect ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_a_dialect_is_recognised_by_its_names_and_read(narrow, name):
    found, fits, own_state = read(theirs(name))
    assert (found.name, fits) == (name, "narrow")
    for key, tensor in ours(name).items():
        assert torch.equal(own_state[key], tensor), key


@pytest.mark.parametrize("name", EVERY)
def test_no_other_dialect_recognises_it(name):
    names = theirs(name).keys()
    assert [d.name for d in dialects.dialects() if d.recognises(names)] == [name]


def named(error, key):
    """Whether a complaint names the tensor, in their words or ours."""
    return key in str(error.value) or key.rpartition(".")[0] in str(error.value)


@pytest.mark.parametrize("name", EVERY)
@given(data=st.data())
@settings(max_examples=6)
def test_whichever_tensor_is_missing_is_named(name, data):
    state = theirs(name)
    required = sorted(set(state) - alphafold3_optional(name))
    gone = data.draw(st.sampled_from(required))
    if name == "OpenFold3" and gone.startswith("diffusion_module."):
        state.pop(openfold3.DUPLICATE + gone, None)
    del state[gone]
    with pytest.raises(WeightsError) as error:
        dialect(name).to_own(state, CONFIGS[name])
    assert gone in str(error.value)


def alphafold3_optional(name):
    """What may be missing: the noise embedding, which AlphaFold 3's own code draws anew, and the
    second copy of the diffusion module."""
    if name == "AlphaFold3":
        return {"fourier:weight", "fourier:bias"}
    return {key for key in theirs(name) if key.startswith(openfold3.DUPLICATE)}


@pytest.mark.parametrize("name", EVERY)
def test_a_tensor_too_many_is_named(name):
    state = theirs(name) | {
        "a/surprise:weights" if name == "AlphaFold3" else "a.surprise": torch.ones(1)
    }
    with pytest.raises(WeightsError, match=r"a[./]surprise"):
        dialect(name).to_own(state, CONFIGS[name])


WRONG = {
    "wider": lambda x: torch.nn.functional.pad(x, (0, 1)),
    "longer": lambda x: torch.cat([x, x[:1]]),
    "flat": lambda x: x.flatten()[: x.numel() - 1],
    "deeper": lambda x: x[None, None],
}


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        (
            "Protenix",
            "pairformer_stack.blocks.0.pair_transition.linear_no_bias_a.weight",
            "pairformer_stack.blocks.0.pair_transition.linear_no_bias_b.weight",
        ),
        (
            "OpenFold3",
            "pairformer_stack.blocks.0.pair_stack.pair_transition.swiglu.linear_a.weight",
            "pairformer_stack.blocks.0.pair_stack.pair_transition.swiglu.linear_b.weight",
        ),
    ],
)
def test_two_wrong_parts_that_add_up_are_not_taken_for_right(name, left, right):
    state = theirs(name)
    row = state[left][:1]
    state[left], state[right] = torch.cat([state[left], row]), state[right][1:]
    with pytest.raises(WeightsError, match=r"linear_(no_bias_)?[ab]\.weight has shape .*beside"):
        dialect(name).to_own(state, CONFIGS[name])


@pytest.mark.parametrize("name", EVERY)
@given(data=st.data())
@settings(max_examples=12)
def test_whichever_tensor_has_another_shape_is_refused_in_words(name, data):
    state = theirs(name)
    maps = sorted(key for key, tensor in state.items() if tensor.ndim >= 2)
    # A stack may hold one alignment update more than the network reads.
    maps = [key for key in maps if "msa_" not in key or name != "AlphaFold3"]
    changed = data.draw(st.sampled_from(maps))
    if name == "OpenFold3" and changed.startswith(openfold3.DUPLICATE):
        changed = changed.removeprefix(openfold3.DUPLICATE)
    # Axes of length 1 before the numbers change nothing for stacks of one block.
    kinds = ["wider", "longer", "flat", *(["deeper"] if name != "AlphaFold3" else [])]
    wrong = data.draw(st.sampled_from(kinds))
    state[changed] = WRONG[wrong](state[changed])
    with pytest.raises(WeightsError):
        dialect(name).to_own(state, CONFIGS[name])


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions_become_float32(narrow, store, tmp_path, name, dtype):
    state = {
        key: x.to(dtype) if x.is_floating_point() and x.ndim > 1 else x
        for key, x in theirs(name).items()
    }
    made(store, saved(tmp_path / "x.pt", state))
    written = load_file(store.path("mine"))
    assert {tensor.dtype for tensor in written.values()} == {torch.float32}
    worst = max((written[k] - x).abs().max().item() for k, x in ours(name).items())
    assert worst < {torch.bfloat16: 0.05, torch.float16: 0.005, torch.float64: 1e-9}[dtype]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64])
def test_quantised_weights_are_refused_by_name(narrow, store, tmp_path, name, dtype):
    state = theirs(name)
    key = sorted(key for key, x in state.items() if x.ndim == 2 and x.numel() > 8)[0]
    state[key] = state[key].to(dtype)
    with pytest.raises(WeightsError, match=rf"{re.escape(key)} as \w+ numbers\. Quantised"):
        made(store, saved(tmp_path / "x.pt", state))
    assert list(store.folder.iterdir()) == []


def test_pruned_weights_are_refused_by_name(narrow, store, tmp_path):
    state = theirs("Protenix")
    key = "distogram_head.linear.weight"
    state[key] = state[key].to_sparse()
    with pytest.raises(WeightsError, match=rf"{key} packed in a way|no checkpoint"):
        made(store, saved(tmp_path / "x.pt", state))


def test_names_of_two_dialects_at_once_are_no_network(narrow):
    both = theirs("Protenix") | theirs("OpenFold3")
    with pytest.raises(WeightsError, match="no place for"):
        read(both)


@pytest.mark.parametrize("config", ["protenix_mini_default_v0.5.0", "small"])
def test_a_network_that_another_dialect_has_is_said(narrow, config):
    with pytest.raises(
        WeightsError, match=rf"names of OpenFold3, which {re.escape(config)} has not"
    ):
        read(theirs("OpenFold3"), config=config)


def test_an_empty_checkpoint_is_of_no_network(narrow):
    with pytest.raises(WeightsError, match=r"These 0 tensors .* begin with nothing"):
        read({})


# Checkpoints ------------------------------------------------------------------------------------


def test_parameters_views_and_shared_storage_are_read_as_numbers(narrow, store, tmp_path):
    state = theirs("Protenix")
    keys = [key for key, x in state.items() if x.ndim == 2][:3]
    state[keys[0]] = torch.nn.Parameter(state[keys[0]].clone())
    state[keys[1]] = state[keys[1]].t().contiguous().t()
    wide = torch.cat([state[keys[2]], torch.ones_like(state[keys[2]])])
    state[keys[2]] = wide[: len(wide) // 2]
    made(store, saved(tmp_path / "x.pt", {"model": state}))
    written = load_file(store.path("mine"))
    assert all(torch.equal(written[key], x) for key, x in ours("Protenix").items())


class Module(torch.nn.Module):
    """A network of somebody's own."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 2)


def npz():
    content = io.BytesIO()
    np.savez(content, a=np.ones(3))
    return content.getvalue()


def zipped(path, names):
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"x" * 100)


def tarred(path):
    with tarfile.open(path, "w") as file:
        info = tarfile.TarInfo("weights")
        info.size = 4
        file.addfile(info, io.BytesIO(b"text"))


STRANGERS = {
    "a whole module": lambda path: torch.save(Module(), path),
    "a script": lambda path: torch.jit.save(torch.jit.script(torch.nn.ReLU()), str(path)),
    "arrays": lambda path: path.write_bytes(pickle.dumps({"a": np.ones(3)})),
    "arrays in a checkpoint": lambda path: torch.save({"a": np.ones(3)}, path),
    "npz": lambda path: path.write_bytes(npz()),
    "a zip of texts": lambda path: zipped(path, ["a.txt", "b.txt"]),
    "an empty zip": lambda path: zipped(path, []),
    "a tar": tarred,
    "numbers": lambda path: torch.save({"model": {"a": 1.5}}, path),
    "one tensor": lambda path: torch.save(torch.ones(3), path),
    "a list of tensors": lambda path: torch.save([torch.ones(3)], path),
    "hdf5": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200)),
    "a pointer of Git": lambda path: path.write_text(
        "version https://git-lfs.github.com/spec/v1\n"
    ),
    "a page": lambda path: path.write_text("<!doctype html><title>Sign in</title>"),
    "JSON": lambda path: path.write_text(json.dumps({"weights": list(range(100))})),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("make", STRANGERS.values(), ids=STRANGERS)
def test_what_is_no_state_dict_is_said_with_its_name(tmp_path, make):
    path = tmp_path / "x.pt"
    make(path)
    with pytest.raises(WeightsError, match=r"x\.pt"):
        read_checkpoint(path)


@given(data=st.data())
@settings(max_examples=30)
def test_a_checkpoint_with_wrong_bytes_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("bytes") / "x.pt"
    whole = bytearray(small_checkpoint())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    try:
        found = read_checkpoint(path)
    except WeightsError as error:
        assert "x.pt" in str(error)
    else:
        assert all(isinstance(x, Tensor) for x in found.values())


@cache
def small_checkpoint() -> bytes:
    content = io.BytesIO()
    torch.save({"model": {"a": torch.arange(12.0).reshape(3, 4), "b": torch.ones(2)}}, content)
    return content.getvalue()


# safetensors ------------------------------------------------------------------------------------


def with_header(header, body=b"\0" * 64) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def entry(dtype="F32", shape=(4,), offsets=(0, 16)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    "content",
    [
        with_header({"a": entry(offsets=(0, 999))}),
        with_header({"a": entry(shape=(5,))}),
        with_header({"a": entry(), "b": entry(offsets=(8, 24))}),
        with_header({"a": entry(dtype="F99")}),
        with_header({"a": entry(shape=(-4,))}),
        with_header(b'{"a": '),
        with_header(b"{}", b"more than it says"),
        struct.pack("<Q", 2**60) + b"{",
        struct.pack("<Q", 10) + b"{",
    ],
    ids=[
        *("past the end", "another size", "overlap", "unknown type", "negative", "half a header"),
        *("bytes left over", "an endless header", "cut short"),
    ],
)
def test_a_damaged_safetensors_file_is_said(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"x\.safetensors is damaged or no safetensors file"):
        own.read_tensors(path)
    with pytest.raises(WeightsError, match=r"x\.safetensors"):
        read_checkpoint(path)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "good.safetensors"
    write_tensors(path, dict(ours("Foldstream")), report=lambda done, total: None)
    return path


@pytest.mark.parametrize("share", [0.001, 0.5, 0.9999])
def test_a_network_whose_file_was_cut_short_is_not_loaded(good, tmp_path, share):
    path = tmp_path / "cut.safetensors"
    content = good.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match=r"cut\.safetensors is damaged"):
        load_network(path, REDUCED)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.int8])
def test_a_network_in_other_numbers_is_not_loaded(tmp_path, dtype):
    name = "distogram.linear.bias"
    state = {k: v.clone() for k, v in ours("Foldstream").items()}
    state[name] = state[name].to(dtype)
    path = tmp_path / "odd.safetensors"
    save_file(state, path)
    kind = str(dtype).removeprefix("torch.")
    with pytest.raises(WeightsError, match=rf"{re.escape(name)} is in {kind}, .*float32"):
        load_network(path, REDUCED)


@pytest.mark.parametrize(
    ("n_gone", "says"), [(1, r"lacks [\w.]+\.$"), (3, r"and 2 more tensors\.$")]
)
def test_missing_tensors_are_counted(tmp_path, n_gone, says):
    state = dict(list(ours("Foldstream").items())[n_gone:])
    save_file({k: v.clone() for k, v in state.items()}, tmp_path / "few.safetensors")
    with pytest.raises(WeightsError, match=says):
        load_network(tmp_path / "few.safetensors", REDUCED)


def test_a_network_gives_the_numbers_of_its_file_and_cannot_change_it(good):
    before = good.read_bytes()
    model = load_network(good, REDUCED)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, ours("Foldstream")[name]), name
    with torch.no_grad():
        model.distogram.linear.bias += 1.0
    assert good.read_bytes() == before
    again = load_network(good, REDUCED)
    assert torch.equal(again.distogram.linear.bias, ours("Foldstream")["distogram.linear.bias"])


@given(
    st.dictionaries(
        st.text("abc.", min_size=1, max_size=6), st.lists(st.integers(0, 5), max_size=3), max_size=5
    )
)
@settings(max_examples=25)
def test_whatever_is_written_safetensors_reads(tmp_path_factory, shapes):
    path = tmp_path_factory.mktemp("written") / "x.safetensors"
    state = {name: torch.randn(shape) for name, shape in shapes.items()}
    wanted = {name: tensor.clone() for name, tensor in state.items()}
    write_tensors(path, state, report=lambda done, total: None)
    found = load_file(path)
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor)


# Records ----------------------------------------------------------------------------------------


@given(data=st.data())
@settings(max_examples=60)
def test_records_with_wrong_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("records") / "af3.bin"
    content = bytearray(record(shape=(2, 3)) + record(name="bias", shape=(1,)))
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        found = read_records(path)
    except WeightsError:
        return
    assert all(isinstance(x, Tensor) for x in found.values())


def test_a_record_that_promises_gigabytes_costs_none(tmp_path):
    header = struct.pack("<5i", 3, 7, 7, 1, 2**31 - 4)
    content = header + b"a/bweightsfloat32" + struct.pack("<i", 2**29 - 1) + bytes(100)
    (tmp_path / "af3.bin").write_bytes(content)
    assert are_records(content)
    with pytest.raises(WeightsError, match="cut short"):
        read_records(tmp_path / "af3.bin")


def test_arrays_of_a_record_file_do_not_share_memory(tmp_path):
    (tmp_path / "af3.bin").write_bytes(record(shape=(2,)) + record(name="bias", shape=(2,)))
    found = read_records(tmp_path / "af3.bin")
    found["a/b:weights"] += 10
    assert found["a/b:bias"].tolist() == [0, 1]
