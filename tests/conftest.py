"""Fixtures that several rooms' tests share: people, brokers, browsers and the whole product."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from django.contrib.auth.models import User
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests import chromium
from tests.stack import LiveStack
from webapp import broker

CHROMIUM_FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
WINDOW = {"width": 1440, "height": 900}


@pytest.fixture
def data_dir(tmp_path: Path, settings) -> Path:
    """An empty data folder that `settings.DATA_DIR` points to."""
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    return settings.DATA_DIR


@pytest.fixture
def user(db) -> User:
    """`ada`, whose password is `correct horse`."""
    return User.objects.create_user("ada", password="correct horse")


@pytest.fixture
def other_user(db) -> User:
    """`grace`: someone who must not see what is ada's."""
    return User.objects.create_user("grace", password="battery staple")


@dataclass
class RedisServer:
    """A real Redis of this test run's own, to be stopped, frozen and started again."""

    url: str
    command: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        assert broker.wait_until_ready(self.url, timeout_seconds=10)

    def stop(self) -> None:
        """Ends the server; what it wrote to its append-only file comes back with `start`."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)


@pytest.fixture(scope="session")
def _redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    chosen = next(broker.candidates(tmp_path_factory.mktemp("redis")))
    server = RedisServer(url=chosen.url, command=chosen.command)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(_redis_process: RedisServer, settings) -> RedisServer:
    """A running, empty Redis that `settings.REDIS_URL` points to; `.url`, `.stop()`, `.start()`."""
    if _redis_process.process is None:
        _redis_process.start()
    with _redis_process.client() as client:
        client.flushall()
    settings.REDIS_URL = _redis_process.url
    settings.CELERY_BROKER_URL = broker.celery_url(_redis_process.url)
    return _redis_process


# One browser per module, not per session: Playwright's sync interface keeps an event loop running,
# and beside a running loop no async test of another module could start.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with WebGL in software."""
    path = chromium.find()
    assert path is not None, chromium.ADVICE
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield running
        running.close()


@pytest.fixture
def console_errors() -> list[str]:
    """What the browser complained about so far; a test that expects a complaint removes it."""
    return []


@pytest.fixture
def new_page(browser: Browser, console_errors: list[str]) -> Iterator:
    """Opens a page in a window of its own (own cookies): `new_page(width=390, ...)`."""
    contexts = []

    def open_page(**options) -> Page:
        contexts.append(browser.new_context(viewport=WINDOW, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: _note(message, console_errors))
        page.on("pageerror", lambda error: console_errors.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert console_errors == []


def _note(message: ConsoleMessage, errors: list[str]) -> None:
    if message.type == "error":
        errors.append(f"{message.text} ({message.location.get('url')})")


@pytest.fixture
def page(new_page) -> Page:
    """One page at 1440 px; the test fails if the console shows any error."""
    return new_page()


@pytest.fixture(scope="module")
def live_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """The whole product as `make run` starts it, on a free port with an empty data folder."""
    stack = LiveStack(tmp_path_factory.mktemp("stack"))
    stack.start()
    yield stack
    stack.stop()
