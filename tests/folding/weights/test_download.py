"""A download that meets every kind of bad server, and ends with the right bytes or a sentence."""

import random
import re
import shutil
from collections import namedtuple
from hashlib import sha256

import pytest

from folding.errors import Cancelled, DownloadError
from folding.weights.download import Patience
from tests.folding.weights.downloads import HASTY, asked, fetch, left
from tests.folding.weights.server import Handler, Shelf, serving

CONTENT = random.Random(1).randbytes(700_000)
OTHER = random.Random(2).randbytes(700_000)
DIGEST = sha256(CONTENT).hexdigest()


@pytest.fixture
def shelf():
    with serving(Shelf(CONTENT)) as shelf:
        yield shelf


def test_a_whole_file_comes_with_its_checksum_and_nothing_is_left_beside_it(shelf, target):
    said = []
    assert fetch(target, shelf.url, report=lambda *n: said.append(n)) == DIGEST
    assert target.read_bytes() == CONTENT
    assert left(target) == ["base.pt"]
    assert said[0] == (0, len(CONTENT))
    assert (len(CONTENT), len(CONTENT)) in said
    assert all(done <= total for done, total in said)


def test_a_cut_connection_is_resumed_where_it_broke(shelf, target):
    shelf.faults = [("cut", 327_680), ("cut", 196_608)]
    assert fetch(target, shelf.url) == DIGEST
    assert asked(shelf) == [None, "bytes=327680-", "bytes=524288-"]
    assert shelf.requests[1]["If-Range"] == '"v1"'


def test_a_stall_ends_after_a_while_and_is_resumed(shelf, target):
    shelf.faults = [("stall", 262_144)]
    assert fetch(target, shelf.url) == DIGEST
    assert asked(shelf)[1] == "bytes=262144-"


def test_another_process_goes_on_later(shelf, target):
    def stop(done, total):
        if done > 327_680:
            raise Cancelled

    with pytest.raises(Cancelled):
        fetch(target, shelf.url, report=stop)
    kept = target.with_name("base.pt.part").stat().st_size
    assert 0 < kept < len(CONTENT)
    assert fetch(target, shelf.url) == DIGEST
    assert asked(shelf)[-1] == f"bytes={kept}-"


def test_a_part_that_is_complete_is_not_fetched_again(shelf, target):
    class Enough(Exception):
        pass

    def stop(done, total):
        if done == total:
            raise Enough

    with pytest.raises(Enough):
        fetch(target, shelf.url, report=stop)
    assert fetch(target, shelf.url) == DIGEST
    assert target.read_bytes() == CONTENT


def test_a_file_that_changed_in_the_middle_is_fetched_anew(shelf, target):
    def changed(shelf):
        shelf.content, shelf.etag = OTHER, '"v2"'

    shelf.faults = [("cut", 327_680), changed]
    assert fetch(target, shelf.url) == sha256(OTHER).hexdigest()
    assert target.read_bytes() == OTHER


@pytest.mark.parametrize("content", [OTHER, OTHER[:400_000]], ids=["same size", "shorter"])
def test_a_server_that_ignores_the_condition_is_noticed(shelf, target, content, monkeypatch):
    def changed(shelf):
        shelf.content, shelf.etag = content, '"v2"'

    real = shelf.etag
    shelf.faults = [("cut", 327_680), changed]
    honest = Handler._answer

    def careless(self, fault):
        if self.headers.get("If-Range") == real:
            self.headers.replace_header("If-Range", self.shelf.etag)
        honest(self, fault)

    monkeypatch.setattr(Handler, "_answer", careless)
    assert fetch(target, shelf.url) == sha256(content).hexdigest()
    assert target.read_bytes() == content


def test_a_server_without_ranges_starts_over_and_still_gives_the_file(shelf, target):
    shelf.ranges = False
    shelf.faults = [("cut", 327_680)]
    assert fetch(target, shelf.url) == DIGEST
    assert target.read_bytes() == CONTENT


def test_without_a_validator_nothing_is_sewn_together(shelf, target):
    shelf.etag = ""
    shelf.faults = [("cut", 327_680)]
    assert fetch(target, shelf.url) == DIGEST
    assert asked(shelf) == [None, None]


def test_a_wrong_part_is_thrown_away(shelf, target):
    shelf.faults = [("cut", 327_680), "wrong part"]
    assert fetch(target, shelf.url) == DIGEST
    assert asked(shelf) == [None, "bytes=327680-", None]


def test_a_wrong_checksum_is_said_and_nothing_is_kept(shelf, target):
    with pytest.raises(DownloadError, match=rf"not the published file.*{DIGEST[:16]}.*thrown away"):
        fetch(target, shelf.url, sha256="0" * 64)
    assert left(target) == []
    assert len(shelf.requests) == 1


def test_a_known_checksum_lets_a_mirror_go_on(shelf, target):
    with serving(Shelf(CONTENT, etag='"mirror"')) as mirror:
        shelf.faults = [("cut", 327_680), 404]
        assert fetch(target, shelf.url, mirror.url, sha256=DIGEST) == DIGEST
        assert asked(mirror) == ["bytes=327680-"]


def test_without_a_checksum_a_mirror_starts_over(shelf, target):
    with serving(Shelf(OTHER, etag='"mirror"')) as mirror:
        shelf.faults = [("cut", 327_680), 404]
        assert fetch(target, shelf.url, mirror.url) == sha256(OTHER).hexdigest()
        assert asked(mirror) == [None]


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "sign-in"), (403, "refuses"), (404, "any more"), (410, "any more"), (418, "(418)")],
)
def test_a_refusal_is_final_and_said_in_words(shelf, target, status, words):
    shelf.faults = [status] * 9
    with pytest.raises(DownloadError, match=rf"127\.0\.0\.1 .*{re.escape(words)}") as error:
        fetch(target, shelf.url)
    assert not error.value.transient
    assert len(shelf.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(shelf, target, status):
    shelf.faults = [status, status]
    assert fetch(target, shelf.url) == DIGEST
    assert len(shelf.requests) == 3


def test_a_server_that_stays_busy_is_given_up(shelf, target):
    shelf.faults = [503] * 9
    with pytest.raises(DownloadError, match=r"cannot give the file now \(503\)") as error:
        fetch(target, shelf.url)
    assert error.value.transient
    assert len(shelf.requests) == HASTY.attempts


def test_progress_renews_the_patience(shelf, target):
    shelf.faults = [("cut", 131_072)] * 5
    assert fetch(target, shelf.url) == DIGEST
    assert len(shelf.requests) == 6


def test_it_waits_longer_each_time_and_as_long_as_it_is_asked_to(shelf, target):
    slept = []
    shelf.faults, shelf.headers = [503] * 4, {"Retry-After": "7"}
    patience = Patience(attempts=4, first_pause_seconds=4.0)
    with pytest.raises(DownloadError):
        fetch(target, shelf.url, patience=patience, sleep=slept.append)
    # Three pauses: about 4 s, so 7 as asked; about 8; about 16.
    assert 7 + 6 + 12 - 1.5 <= sum(slept) <= 7 + 10 + 20 + 1.5
    assert max(slept) <= 0.5


def test_a_cancellation_is_heard_while_it_waits(shelf, target):
    shelf.faults = [503] * 9

    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        fetch(target, shelf.url, report=stop, patience=Patience(first_pause_seconds=60.0))


def test_a_sign_in_page_is_not_the_file(shelf, target):
    shelf.faults = ["html"]
    with pytest.raises(DownloadError, match="web page instead"):
        fetch(target, shelf.url)
    assert left(target) == []


@pytest.mark.parametrize("says_length", [True, False])
def test_a_file_that_is_too_short_is_not_the_file(shelf, target, says_length):
    shelf.content, shelf.says_length = b"not found", says_length
    with pytest.raises(DownloadError, match=r"9 bytes, too few"):
        fetch(target, shelf.url, at_least_bytes=1000)
    assert left(target) == []


def test_a_full_disk_is_noticed_before_it_is_full(shelf, target, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, 3 * 10**8))
    with pytest.raises(DownloadError, match=r"0\.3 GB free.*FOLDSTREAM_WEIGHTS"):
        fetch(target, shelf.url)
    assert left(target) == []


def test_what_no_server_answers_is_said(target):
    with pytest.raises(DownloadError, match=r"The connection to 127\.0\.0\.1 failed"):
        fetch(target, "http://127.0.0.1:9/base.pt")


@pytest.mark.parametrize("url", ["no-address", "ftp://127.0.0.1/base.pt", "http://"])
def test_what_is_no_address_is_said(target, url):
    with pytest.raises(DownloadError):
        fetch(target, url)


def test_every_address_that_failed_is_named(shelf, target):
    shelf.faults = [403]
    with pytest.raises(DownloadError, match=r"refuses.* The connection to 127\.0\.0\.1 failed"):
        fetch(target, shelf.url, "http://127.0.0.1:9/base.pt")
