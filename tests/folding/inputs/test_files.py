"""Files beside a job: read as they are or unpacked, never more than allowed."""

import gzip
import lzma

import pytest

from folding.errors import InvalidInput
from folding.inputs import files, files_beside


def test_plain_and_packed_files_are_read_from_beside_the_job(tmp_path):
    (tmp_path / "a.a3m").write_text(">q\nÄ\n", encoding="utf-8")
    (tmp_path / "b.a3m.gz").write_bytes(gzip.compress(b"packed"))
    (tmp_path / "c.a3m.xz").write_bytes(lzma.compress(b"packed too"))
    read = files_beside(tmp_path)
    assert read("a.a3m") == ">q\nÄ\n"
    assert read("./b.a3m.gz") == "packed"
    assert read("c.a3m.xz") == "packed too"
    assert files_beside(tmp_path / "elsewhere")(str(tmp_path / "a.a3m")) == ">q\nÄ\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("not.gz", b"plain", "“not.gz” cannot be read"),
        ("cut.gz", gzip.compress(b"x" * 1000, mtime=0)[:20], "“cut.gz” cannot be read"),
        ("not.xz", b"plain", "“not.xz” cannot be read"),
        ("a.zst", b"", "packed in a way that is not read"),
        ("latin.txt", b"\xff\xfe", "“latin.txt” cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=said):
        files_beside(tmp_path)(name)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(InvalidInput, match="“missing” cannot be read: No such file"):
        files_beside(tmp_path)("missing")
    with pytest.raises(InvalidInput, match=r"cannot be read"):
        files_beside(tmp_path)("nul\0byte")


def test_a_small_file_that_unpacks_into_a_large_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10_000)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"x" * 10_001))
    (tmp_path / "fits.gz").write_bytes(gzip.compress(b"x" * 10_000))
    with pytest.raises(InvalidInput, match=r"“bomb.gz” has more than"):
        files_beside(tmp_path)("bomb.gz")
    assert len(files_beside(tmp_path)("fits.gz")) == 10_000
