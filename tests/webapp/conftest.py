"""What jobs say in tests: a recorder by default, real Redis Streams where a test asks."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from webapp import fleet, monitor, sweeper
from webapp.live import events, publisher, streams
from webapp.live.publisher import Item, Publisher
from webapp.models import Job

# Property tests run the same cases every time, however busy the machine is.
settings.register_profile("webapp", deadline=None, derandomize=True)
settings.load_profile("webapp")


class Recorder:
    """Stands where the publisher stands and remembers what was said."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def publish(self, item: Item) -> None:
        self.items.append(item)

    def flush(self, *, timeout_seconds: float) -> bool:
        return True

    def last_id(self, stream: str) -> str:
        return "7-0"

    def of(self, job: Job) -> list[events.Event]:
        """The events of this job so far."""
        mine = (item for item in self.items if item.stream == streams.of_job(job.pk))
        return [self._event(item) for item in mine]

    def kinds(self, job: Job) -> list[str]:
        return [event.kind for event in self.of(job)]

    def hints(self, user_id: int) -> list[str]:
        """The hints to this user's dashboards so far, as they stand in the stream."""
        return [str(i.fields["data"]) for i in self.items if i.stream == streams.of_user(user_id)]

    @staticmethod
    def _event(item: Item) -> events.Event:
        fields = {
            key.encode(): value if isinstance(value, bytes) else value.encode()
            for key, value in item.fields.items()
        }
        return events.from_fields(b"1-0", fields).event


@pytest.fixture(autouse=True)
def published(monkeypatch) -> Recorder:
    """What was published, without Redis. A test that wants Redis asks for `publishing`."""
    recorder = Recorder()
    monkeypatch.setattr(publisher, "of_this_process", lambda: recorder)
    return recorder


class SweepersClock:
    """What the sweeper takes for the time that it has been running."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch) -> SweepersClock:
    """The sweeper's clock, which stands until a test moves it."""
    clock = SweepersClock()
    monkeypatch.setattr(sweeper, "time", clock)
    return clock


@pytest.fixture
def publishing(redis_server, published, monkeypatch) -> Iterator[Publisher]:
    """The real publisher, into the Redis of this test run."""
    real = Publisher()
    monkeypatch.setattr(publisher, "of_this_process", lambda: real)
    monitor._client.cache_clear()
    fleet._told.cache_clear()
    yield real
    real.close()
    monitor._client.cache_clear()
    fleet._told.cache_clear()
