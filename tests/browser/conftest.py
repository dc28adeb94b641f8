"""The web process in a thread of the test: a test can write rows and events and watch pages."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import uvicorn
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Page

from webapp import monitor
from webapp.live import publisher
from webapp.live.publisher import Publisher

START_SECONDS = 20
# Without a GPU and beside other work, WebGL alone takes seconds to start.
PATIENCE_MS = 60_000


class Server(uvicorn.Server):
    """uvicorn without signal handlers, on a free port."""

    def __init__(self) -> None:
        config = uvicorn.Config(
            "webapp.asgi:application", port=0, lifespan="off", log_level="error"
        )
        super().__init__(config)
        self.thread = threading.Thread(target=self.run, daemon=True)

    def install_signal_handlers(self) -> None:
        """None: this is not the main thread."""

    @property
    def port(self) -> int:
        return int(self.servers[0].sockets[0].getsockname()[1])

    def start(self) -> None:
        self.thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self.started and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.started, "the web process did not start"

    def stop(self) -> None:
        self.should_exit = self.force_exit = True
        self.thread.join(START_SECONDS)


@dataclass
class Site:
    """A running web process. `url` has no slash at its end."""

    url: str
    new_page: Callable[..., Page]
    pages: list[Page] = field(default_factory=list)

    def open(self, **options) -> Page:
        """A window in which nobody has signed in."""
        self.pages.append(self.new_page(base_url=self.url, **options))
        return self.pages[-1]

    def sign_in(self, user: User, *, width: int = 1440, height: int = 900, **options) -> Page:
        """A window of this user's own."""
        client = Client()
        client.force_login(user)
        page = self.open(**options)
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(PATIENCE_MS)
        cookie = next(iter(client.cookies.values()))
        page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": self.url}])
        return page


@pytest.fixture
def events(redis_server, monkeypatch) -> Iterator[Publisher]:
    """The publisher of this test, into the Redis of this run."""
    real = Publisher()
    monkeypatch.setattr(publisher, "of_this_process", lambda: real)
    monitor._client.cache_clear()
    yield real
    real.close()
    monitor._client.cache_clear()


@pytest.fixture
def site(transactional_db, data_dir, events, new_page) -> Iterator[Site]:
    """The product's pages and sockets, without a worker."""
    server = Server()
    server.start()
    site = Site(url=f"http://127.0.0.1:{server.port}", new_page=new_page)
    yield site
    # First the pages, so that none asks a server that is gone.
    for page in site.pages:
        page.close()
    server.stop()
