"""Artifacts: complete or not there, found only by their exact names."""

import io
import os
import time
import zipfile
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync

from webapp import storage

pytestmark = pytest.mark.usefixtures("data_dir")


@pytest.fixture
def job_id():
    return uuid4()


def finished(job_id, **files: str) -> None:
    folder = storage.draft(job_id, attempt=1)
    for name, text in files.items():
        (folder / name.replace("_dot_", ".")).write_text(text)
    storage.install(job_id, attempt=1)


def grow_old(path) -> None:
    past = time.time() - 2 * storage.GRACE_SECONDS
    os.utime(path, (past, past))


def test_nothing_is_found_before_the_draft_is_installed(job_id):
    (storage.draft(job_id, attempt=1) / "a.cif").write_text("half")
    assert storage.names(job_id) == []
    storage.install(job_id, attempt=1)
    assert storage.names(job_id) == ["a.cif"]
    assert storage.find(job_id, "a.cif").read_text() == "half"


def test_a_draft_begins_empty(job_id):
    (storage.draft(job_id, attempt=1) / "old").write_text("")
    assert list(storage.draft(job_id, attempt=1).iterdir()) == []


def test_the_holder_replaces_what_a_dead_predecessor_left(job_id):
    finished(job_id, a_dot_cif="first")
    (storage.draft(job_id, attempt=2) / "b.cif").write_text("second")
    storage.install(job_id, attempt=2)
    assert storage.names(job_id) == ["b.cif"]


def test_an_attempt_discards_its_draft_and_its_predecessors_but_no_later_one(job_id):
    first, second, third = (storage.draft(job_id, attempt=n) for n in (1, 2, 3))
    storage.discard(job_id, attempt=2)
    storage.discard(job_id, attempt=2)
    assert [path.exists() for path in (first, second, third)] == [False, False, True]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", ".", "a.CIF", "sub", "sub/c"])
def test_only_exact_names_are_found(job_id, name, data_dir):
    finished(job_id, a_dot_cif="x")
    (storage.folder(job_id) / "sub").mkdir()
    (storage.folder(job_id) / "sub" / "c").write_text("x")
    (storage.folder(job_id).parent / "secret").write_text("x")
    with pytest.raises(FileNotFoundError):
        storage.find(job_id, name)


def test_removing_a_job_removes_its_files_and_can_be_repeated(job_id):
    finished(job_id, a_dot_cif="x")
    storage.remove(job_id)
    storage.remove(job_id)
    assert not storage.folder(job_id).exists()
    assert storage.names(job_id) == []


def test_the_zip_holds_every_file(job_id):
    finished(job_id, a_dot_cif="atoms" * 100_000, b_dot_json="{}")
    archive = zipfile.ZipFile(io.BytesIO(b"".join(storage.zip_chunks(job_id))))
    assert archive.testzip() is None
    assert archive.read("a.cif") == b"atoms" * 100_000
    assert archive.namelist() == ["a.cif", "b.json"]


def test_the_zip_comes_in_pieces(job_id):
    folder = storage.draft(job_id, attempt=1)
    (folder / "noise").write_bytes(os.urandom(4 * storage.CHUNK))
    storage.install(job_id, attempt=1)
    pieces = list(storage.zip_chunks(job_id))
    assert len(pieces) > 4
    assert max(map(len, pieces)) < 2 * storage.CHUNK


def test_pieces_can_be_awaited():
    async def collected():
        return [piece async for piece in storage.streamed(iter([b"a", b"", b"b"]))]

    assert async_to_sync(collected)() == [b"a", b"b"]


def test_file_chunks_are_the_file(tmp_path):
    content = os.urandom(storage.CHUNK + 17)
    (tmp_path / "f").write_bytes(content)
    assert b"".join(storage.file_chunks(tmp_path / "f")) == content


def test_a_sweep_removes_old_files_of_deleted_jobs_only():
    kept, deleted, young, unknown = (uuid4() for _ in range(4))
    drafts = {}
    for each in (kept, deleted, young, unknown):
        finished(each, a="x")
        drafts[each] = storage.draft(each, attempt=1)
    for each in (kept, deleted, unknown):
        grow_old(storage.folder(each))
        grow_old(drafts[each])
    gone = {str(deleted), str(young)}
    storage.sweep(keep_drafts={drafts[kept].name}, known={str(kept)}, deleted=gone)
    assert storage.names(kept) == storage.names(young) == storage.names(unknown) == ["a"]
    assert not storage.folder(deleted).exists()
    left = {path.name for path in drafts[kept].parent.iterdir()}
    assert left == {f"{kept}.1", f"{young}.1", f"{unknown}.1"}


def test_what_a_replaced_result_left_goes_whoever_knows_the_job(job_id):
    finished(job_id, a="first")
    drafts = storage.draft(job_id, attempt=2).parent
    storage.install(job_id, attempt=2)
    (replaced,) = drafts.iterdir()
    grow_old(replaced)
    storage.sweep(keep_drafts=(), known=(), deleted=())
    assert not replaced.exists()


def test_folders_are_private(job_id):
    finished(job_id, a="x")
    assert storage.folder(job_id).stat().st_mode & 0o077 == 0
