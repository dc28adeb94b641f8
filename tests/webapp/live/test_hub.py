"""The reader of streams lets go of every connection, however it is ended."""

import asyncio
import contextlib

import pytest

from webapp.live import hub
from webapp.live.hub import Hub, Mailbox

PATIENCE_SECONDS = 5


class Nothing:
    """A page that never has anything to show."""

    def build(self, entries):
        return []

    def snapshot(self, since):
        return []


def n_connections(server) -> int:
    """How many clients the server has, this question's own left out."""
    with server.client() as client:
        return len(client.client_list()) - 1


async def listening(feeds: Hub) -> tuple[hub.Feed, Mailbox]:
    """A feed that is read: both connections are open."""
    mailbox = Mailbox()
    feed = feeds.enter("job:{x}", Nothing(), mailbox)
    await feeds.catch_up(feed, mailbox, since="$")
    return feed, mailbox


async def wait_for_connections(server, number: int) -> int:
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while (found := n_connections(server)) != number:
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.02)
    return found


@pytest.mark.asyncio
async def test_the_last_that_leaves_closes_both_connections(redis_server):
    before, feeds = n_connections(redis_server), Hub(redis_server.url)
    feed, mailbox = await listening(feeds)
    assert await wait_for_connections(redis_server, before + 2) == before + 2
    await feeds.leave(feed, mailbox)
    assert await wait_for_connections(redis_server, before) == before


@pytest.mark.parametrize("n_turns", (0, 1, 2, 4, 8))
@pytest.mark.asyncio
async def test_whoever_is_ended_while_leaving_still_closes_them(redis_server, n_turns):
    # A browser goes at the moment in which its job ends, or the server stops: the socket's task is
    # cancelled once more while it closes what it had open.
    before, feeds = n_connections(redis_server), Hub(redis_server.url)
    feed, mailbox = await listening(feeds)
    await wait_for_connections(redis_server, before + 2)
    leaving = asyncio.create_task(feeds.leave(feed, mailbox))
    for _ in range(n_turns):
        await asyncio.sleep(0)
    was_cancelled = leaving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leaving
        assert not was_cancelled, "a cancellation was swallowed"
    if n_turns:  # else it never began
        assert await wait_for_connections(redis_server, before) == before
    else:
        await feeds.leave(feed, mailbox)


@pytest.mark.asyncio
async def test_many_cancellations_close_them_too(redis_server):
    before, feeds = n_connections(redis_server), Hub(redis_server.url)
    feed, mailbox = await listening(feeds)
    await wait_for_connections(redis_server, before + 2)
    (reader,) = (task for task in asyncio.all_tasks() if task.get_name() == "hub")
    leaving = asyncio.create_task(feeds.leave(feed, mailbox))
    await asyncio.sleep(0)
    for _ in range(5):
        leaving.cancel()
        reader.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await wait_for_connections(redis_server, before) == before
