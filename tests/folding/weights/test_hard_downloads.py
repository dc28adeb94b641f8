"""Downloads under odd servers, full disks and several processes: the right bytes or a sentence."""

import errno
import gzip
import json
import random
import re
import resource
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from folding.errors import Cancelled, DownloadError, WeightsError
from folding.weights.download import Download, Patience
from folding.weights.fetch import import_file, pull
from folding.weights.store import Store
from tests.folding.weights.downloads import HASTY, NAME, asked, fetch, left, published
from tests.folding.weights.server import Handler, Shelf, serving

CONTENT = random.Random(3).randbytes(300_000)
DIGEST = sha256(CONTENT).hexdigest()


@pytest.fixture
def shelf():
    with serving(Shelf(CONTENT)) as shelf:
        yield shelf


# Servers ----------------------------------------------------------------------------------------


def redirects(status, *, to):
    """A fault that sends the browser on to another address."""

    def fault(shelf):
        shelf.headers["Location"] = to
        return status

    return fault


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_file_that_moved_is_followed(shelf, target, status):
    with serving(Shelf(CONTENT, etag='"there"')) as there:
        shelf.faults = [redirects(status, to=there.url)]
        assert fetch(target, shelf.url) == DIGEST
        assert len(there.requests) == 1


def test_a_download_that_was_cut_goes_on_behind_a_redirect(shelf, target):
    with serving(Shelf(CONTENT, faults=[("cut", 131_072)])) as there:
        shelf.faults = [redirects(302, to=there.url)] * 2
        assert fetch(target, shelf.url) == DIGEST
        assert asked(there) == [None, "bytes=131072-"]


def test_a_circle_of_redirects_ends(shelf, target):
    shelf.faults = [redirects(302, to=shelf.url)] * 500
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1"):
        fetch(target, shelf.url)
    assert len(shelf.requests) <= 31 * HASTY.attempts
    assert left(target) == []


def test_a_redirect_into_the_machine_is_not_followed(shelf, target, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 1000)
    shelf.faults = [redirects(302, to=secret.as_uri())] * 9
    with pytest.raises(DownloadError):
        fetch(target, shelf.url)
    assert left(target) == []


def test_a_password_in_the_address_is_shown_nowhere(shelf, target):
    url = shelf.url.replace("://", "://ada:secret@")
    said = Download(target, patience=HASTY)
    said.run([url])
    assert said.came_from == shelf.url
    shelf.faults = [403]
    with pytest.raises(DownloadError) as refused:
        fetch(target.with_name("other.pt"), url)
    assert "secret" not in str(refused.value)
    assert "ada" not in str(refused.value)


class Zipping(Handler):
    """A proxy that compresses whatever passes it and leaves the length of the original."""

    def _answer(self, fault):
        self.shelf.headers["Content-Encoding"] = "gzip"
        body = gzip.compress(bytes(1_000_000))
        self._send(200, body)


def test_a_proxy_that_packs_the_file_is_noticed_in_the_end(target, monkeypatch):
    # What comes out is longer than what was announced: this must not go on for ever.
    with serving(Shelf(b"")) as shelf:
        monkeypatch.setattr(Handler, "_answer", Zipping._answer)
        with pytest.raises(DownloadError, match=r"sent more than the [\d,]+ bytes that it said"):
            fetch(target, shelf.url)
        assert len(shelf.requests) == 1
    assert left(target) == []


def test_a_file_that_became_shorter_while_it_came_is_fetched_anew(shelf, target):
    def shorter(shelf):
        shelf.content = CONTENT[:100_000]  # the same ETag: a careless server

    shelf.faults = [("cut", 131_072), shorter]
    assert fetch(target, shelf.url) == sha256(CONTENT[:100_000]).hexdigest()
    assert target.read_bytes() == CONTENT[:100_000]


@pytest.mark.parametrize("etag", ['W/"weak"', ""])
def test_what_cannot_be_told_apart_is_not_sewn_together(shelf, target, etag):
    shelf.etag = etag
    shelf.faults = [("cut", 131_072)]
    assert fetch(target, shelf.url) == DIGEST
    assert asked(shelf) == [None, None]


def test_a_date_of_change_is_enough_to_go_on(shelf, target, monkeypatch):
    when = "Sat, 21 Nov 2026 10:00:00 GMT"
    shelf.etag, shelf.headers = "", {"Last-Modified": when}
    shelf.faults = [("cut", 131_072)]
    honest = Handler._answer

    def by_date(self, fault):
        if self.headers.get("If-Range") == when:
            self.headers.replace_header("If-Range", "")
        honest(self, fault)

    monkeypatch.setattr(Handler, "_answer", by_date)
    assert fetch(target, shelf.url) == DIGEST
    assert [request.get("If-Range") is not None for request in shelf.requests] == [False, True]


@given(
    st.lists(
        st.one_of(
            st.sampled_from([429, 503, "wrong part"]),
            st.tuples(st.just("cut"), st.integers(0, 200_000)),
        ),
        max_size=6,
    )
)
@settings(max_examples=20)
def test_whatever_order_faults_come_in_the_bytes_are_right_or_it_is_said(tmp_path_factory, faults):
    target = tmp_path_factory.mktemp("any") / "base.pt"
    with serving(Shelf(CONTENT, faults=list(faults))) as shelf:
        try:
            assert fetch(target, shelf.url) == DIGEST
        except DownloadError as error:
            assert error.transient
            assert not target.exists()
        else:
            assert target.read_bytes() == CONTENT
            assert left(target) == ["base.pt"]
        assert len(shelf.requests) <= len(faults) + 1


# What lies on disk ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "note",
    [
        "",
        "[]",
        "{}",
        '{"url": 1}',
        "\x00",
        '{"url": "x", "validator": "y", "total": 5, "more": 1}',
    ],
)
def test_a_damaged_note_begins_anew(shelf, target, note):
    target.parent.mkdir()
    target.with_name("base.pt.part").write_bytes(CONTENT[:1000])
    target.with_name("base.pt.part.json").write_text(note)
    assert fetch(target, shelf.url) == DIGEST
    assert asked(shelf) == [None]


def test_a_part_without_a_note_begins_anew(shelf, target):
    target.parent.mkdir()
    target.with_name("base.pt.part").write_bytes(b"who knows")
    assert fetch(target, shelf.url) == DIGEST
    assert target.read_bytes() == CONTENT


def test_a_part_that_was_damaged_on_disk_is_caught_by_the_checksum(shelf, target):
    shelf.faults = [("cut", 131_072), 404]
    with pytest.raises(DownloadError):
        fetch(target, shelf.url, sha256=DIGEST)
    part = target.with_name("base.pt.part")
    part.write_bytes(b"?" + part.read_bytes()[1:])
    with pytest.raises(DownloadError, match="not the published file"):
        fetch(target, shelf.url, sha256=DIGEST)
    assert left(target) == []
    assert fetch(target, shelf.url, sha256=DIGEST) == DIGEST


def test_a_part_longer_than_the_file_is_thrown_away(shelf, target):
    target.parent.mkdir()
    target.with_name("base.pt.part").write_bytes(CONTENT + b"too much")
    note = {"url": shelf.url, "validator": '"v1"', "total": len(CONTENT)}
    target.with_name("base.pt.part.json").write_text(json.dumps(note))
    assert fetch(target, shelf.url) == DIGEST
    assert target.read_bytes() == CONTENT


def test_a_disk_that_fills_up_while_it_comes_is_said(shelf, target):
    # Files of this process may have 100 kB for a moment: the kernel refuses what is more.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(DownloadError, match=r"is full\. .* FOLDSTREAM_WEIGHTS") as error:
            fetch(target, shelf.url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not error.value.transient
    assert len(shelf.requests) == 1
    kept = target.with_name("base.pt.part").read_bytes()
    assert kept == CONTENT[: len(kept)]
    assert fetch(target, shelf.url) == DIGEST
    assert asked(shelf)[-1] == f"bytes={len(kept)}-"


def test_another_trouble_of_the_disk_is_not_called_a_full_one(shelf, target):
    target.parent.mkdir()
    target.with_name("base.pt.part").mkdir()
    with pytest.raises(OSError, match=r"base\.pt\.part") as error:
        fetch(target, shelf.url)
    assert error.value.errno == errno.EISDIR


def test_the_progress_starts_where_the_part_ends(shelf, target):
    shelf.faults = [("cut", 131_072), 404]
    with pytest.raises(DownloadError):
        fetch(target, shelf.url)
    said = []
    fetch(target, shelf.url, report=lambda *n: said.append(n))
    assert said[0] == (131_072, len(CONTENT))
    done = [n for n, _ in said]
    assert done == sorted(done)
    assert said[-1] == (len(CONTENT), len(CONTENT))


def test_pauses_double_up_to_the_longest_and_are_scattered():
    patience = Patience(first_pause_seconds=1.0, longest_pause_seconds=10.0)
    for failures, middle in ((1, 1.0), (2, 2.0), (4, 8.0), (5, 10.0), (50, 10.0)):
        pauses = [patience.pause(failures) for _ in range(50)]
        assert 0.75 * middle <= min(pauses) < max(pauses) <= 1.25 * middle


# Models -----------------------------------------------------------------------------------------


@pytest.fixture
def publisher(checkpoint, monkeypatch):
    digest = sha256(checkpoint.read_bytes()).hexdigest()
    with published(checkpoint, monkeypatch, sha256=digest) as shelf:
        yield shelf


def visible(store) -> list[str]:
    return sorted(path.name for path in store.folder.iterdir() if not path.name.startswith("."))


def test_of_two_who_pull_at_once_one_downloads_and_the_other_is_told(store, publisher):
    inside, told = threading.Event(), threading.Event()
    ended = []

    def hold(stage, done, total):
        inside.set()
        assert told.wait(20)

    def first():
        ended.append(pull(NAME, store, report=hold, patience=HASTY))

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(20)
    with pytest.raises(WeightsError, match=f"{NAME} is being downloaded or imported"):
        pull(NAME, store, patience=HASTY)
    told.set()
    thread.join(30)
    assert store.facts(NAME) == ended[0]
    assert len(publisher.requests) == 1
    assert pull(NAME, store, patience=HASTY) == ended[0]


def test_a_process_that_is_killed_leaves_no_lock_and_its_part(store, publisher):
    script = f"""
import os, sys
from dataclasses import replace
from pathlib import Path
from folding.weights.catalog import CATALOG
from folding.weights.fetch import pull
from folding.weights.store import Store
CATALOG[{NAME!r}] = replace(
    CATALOG["protenix_mini_default_v0.5.0"], name={NAME!r}, urls=({publisher.url!r},),
    download_bytes={len(publisher.content)})
def die(stage, done, total):
    if done > total // 2:
        os.kill(os.getpid(), 9)
pull({NAME!r}, Store(Path({str(store.folder)!r})), report=die)
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False)
    assert ended.returncode == -9
    assert visible(store) == [f"{NAME}.checkpoint.part", f"{NAME}.checkpoint.part.json"]
    pull(NAME, store, patience=HASTY)
    assert re.fullmatch(r"bytes=\d+-", publisher.requests[-1]["Range"])
    assert visible(store) == [f"{NAME}.json", f"{NAME}.safetensors"]


def test_a_checkpoint_left_behind_that_is_not_the_published_one_is_not_used(store, publisher):
    store.folder.mkdir()
    damaged = b"?" + publisher.content[1:]
    (store.folder / f"{NAME}.checkpoint").write_bytes(damaged)
    facts = pull(NAME, store, patience=HASTY)
    assert len(publisher.requests) == 1
    assert facts.source_checked
    assert facts.source_sha256 == sha256(publisher.content).hexdigest()


def test_a_disk_that_fills_up_while_it_is_converted_is_said(store, checkpoint, publisher):
    store.folder.mkdir()
    draft = store.path("mine").with_name("mine.safetensors.draft")
    draft.symlink_to("/dev/full")
    with pytest.raises(WeightsError, match=r"cannot be written to .*No space left.*another folder"):
        import_file(checkpoint, store, name="mine")
    assert visible(store) == []
    assert Path("/dev/full").exists()
    assert import_file(checkpoint, store, name="mine").name == "mine"


def test_cancelling_while_it_is_converted_leaves_nothing_that_looks_like_a_model(store, publisher):
    def stop(stage, done, total):
        if stage == "converting":
            raise Cancelled

    with pytest.raises(Cancelled):
        pull(NAME, store, report=stop, patience=HASTY)
    assert visible(store) == []
    assert not store.is_here(NAME)


def test_a_model_that_is_replaced_is_never_half_there(store, checkpoint, publisher, monkeypatch):
    import_file(checkpoint, store, name="mine")
    states = []
    real = Store.record

    def watch(self, facts):
        states.append(self.is_here(facts.name))
        real(self, facts)
        states.append(self.verify(facts.name) == facts.sha256)

    monkeypatch.setattr(Store, "record", watch)
    store.path("mine").with_suffix(".json").unlink()
    import_file(checkpoint, store, name="mine")
    assert states == [False, True]


@pytest.mark.parametrize("what", ["a folder", "an unreadable file", "nothing"])
def test_what_cannot_be_opened_is_said_before_anything_is_made(store, tmp_path, what):
    path = tmp_path / "weights.pt"
    if what == "a folder":
        path.mkdir()
    with pytest.raises(WeightsError, match=r"There is no file|cannot be read"):
        if what == "an unreadable file":
            path.symlink_to(tmp_path / "gone.pt")
        import_file(path, store, name="mine")
    assert not store.is_here("mine")


def test_one_damaged_note_does_not_hide_the_other_models(store, checkpoint, publisher):
    import_file(checkpoint, store, name="good")
    for name, text in (("bad", "{"), ("newer", None)):
        import_file(checkpoint, store, name=name)
        note = store.path(name).with_suffix(".json")
        found = json.loads(note.read_text()) | {"config": "a network of next year"}
        note.write_text(text if text is not None else json.dumps(found))
    assert store.names() == ["small", "good"]
    with pytest.raises(WeightsError, match=r"bad\.json beside the weights cannot be read"):
        store.model("bad")
    with pytest.raises(WeightsError, match="'a network of next year' that this version"):
        store.model("newer")
    for name in ("bad", "newer"):
        store.remove(name)
    assert visible(store) == ["good.json", "good.safetensors"]
