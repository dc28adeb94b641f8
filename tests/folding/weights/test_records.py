"""AlphaFold 3's file format: what a good file holds, and what is wrong with a bad one."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import zstandard

from folding.errors import WeightsError
from folding.weights.records import are_records, read_records

GOLDEN = Path(__file__).parents[2] / "golden" / "alphafold3"


def record(scope="a/b", name="weights", kind="float32", shape=(2,), numbers=None) -> bytes:
    """A record, by the format's definition."""
    if numbers is None:
        numbers = np.arange(np.prod(shape), dtype=np.float32).tobytes()
    texts = [text.encode() for text in (scope, name, kind)]
    header = struct.pack("<5i", *(len(text) for text in texts), len(shape), len(numbers))
    return header + b"".join(texts) + struct.pack(f"<{len(shape)}i", *shape) + numbers


@pytest.fixture
def file(tmp_path):
    def written(content: bytes, name: str = "af3.bin") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return written


def test_a_file_that_alphafold3_wrote_is_read():
    arrays = read_records(GOLDEN / "reduced.bin.zst")
    assert len(arrays) == 405
    name = "diffuser/confidence_head/plddt_logits:weights"
    assert arrays[name].shape == (32, 24, 50)
    assert arrays[name].dtype == torch.float32
    assert arrays["diffuser/evoformer/prev_embedding:weights"].dtype == torch.bfloat16


@pytest.mark.parametrize("packed", [False, True])
def test_records_follow_each_other(file, packed):
    content = record(shape=(2, 3)) + record(name="bias", shape=(1,))
    path = file(zstandard.compress(content) if packed else content)
    arrays = read_records(path)
    assert arrays["a/b:weights"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert arrays["a/b:bias"].tolist() == [0]


def test_scalars_and_bytes_are_arrays_too(file):
    content = record(shape=()) + record(name="id", kind="uint8", shape=(2,), numbers=b"\x01\xff")
    arrays = read_records(file(content))
    assert arrays["a/b:weights"].shape == ()
    assert arrays["a/b:id"].tolist() == [1, 255]


def test_low_precision_is_kept(file):
    numbers = torch.tensor([1.5, -3.0]).bfloat16().view(torch.int16).numpy().tobytes()
    array = read_records(file(record(kind="bfloat16", numbers=numbers)))["a/b:weights"]
    assert array.dtype == torch.bfloat16
    assert array.tolist() == [1.5, -3.0]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (record()[:-3], "is cut short"),
        (record()[:10], "is cut short"),
        (record() + record(), "holds a/b:weights twice"),
        (record() + b"\xff" * 40, "damaged, or holds no records"),
        (record(kind="complex64"), "type 'complex64'"),
        (record(shape=(3,), numbers=b"\0" * 8), r"says shape \[3\], but holds 8 bytes"),
        (record(shape=(-1,), numbers=b""), r"says shape \[-1\]"),
        (record().replace(b"a/b", b"\xff/b"), "a name is no text"),
        (zstandard.compress(record())[:-6], "cut short"),
        (zstandard.compress(record())[:6] + b"\xff" * 60, "does not decompress"),
    ],
)
def test_a_bad_file_is_refused_with_a_reason(file, content, complaint):
    with pytest.raises(WeightsError, match=complaint) as refused:
        read_records(file(content))
    assert "af3.bin" in str(refused.value) or "a/b" in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"gone\.bin cannot be read"):
        read_records(tmp_path / "gone.bin")


@pytest.mark.parametrize("name", ["af3_fourier.npz", "intfold_fourier.npz"])
def test_a_noise_embedding_beside_the_file_comes_with_it(file, tmp_path, name):
    weight, bias = np.ones((1, 4), np.float64), np.zeros(4)
    np.savez(tmp_path / name, weight=weight, bias=bias)
    arrays = read_records(file(record(), "af3.bin"))
    assert arrays["fourier:weight"].tolist() == [1, 1, 1, 1]
    assert arrays["fourier:bias"].dtype == torch.float32


def test_a_noise_embedding_that_is_none_is_refused(file, tmp_path):
    np.savez(tmp_path / "af3_fourier.npz", weight=np.ones(4))
    with pytest.raises(WeightsError, match=r"af3_fourier\.npz holds no noise embedding"):
        read_records(file(record()))


def test_objects_are_never_unpacked(file, tmp_path):
    np.savez(tmp_path / "af3_fourier.npz", weight=np.array([{}], object), bias=np.zeros(1))
    with pytest.raises(WeightsError, match="holds no noise embedding"):
        read_records(file(record()))


def test_the_beginning_tells_records_from_other_files():
    assert are_records(record())
    assert are_records(zstandard.compress(record()))
    assert not are_records(b"PK\x03\x04" + b"\0" * 30)
    assert not are_records(b'{"__metadata__"' + b" " * 20)
    assert not are_records(b"")
