"""What waits for one socket: bounded, with a policy by kind, so that a slow socket costs little.

Percent, status, coordinates and contact maps: the newest wins. Log lines: the oldest go, and a mark
says how many. Everything leaves in the order of its ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from webapp.live.frames import stream_id
from webapp.live.messages import Message

CAPACITY = 500


class Mailbox:
    """Messages for one socket, put in by the hub and taken out by the socket's own pump.

    A message without an id does not stand in the stream (the row, read again): it always passes.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Message] = {}
        self._held: list[Message] | None = []
        self._last = (0, 0)
        self._filled = asyncio.Event()
        self._dropped = 0

    def put(self, message: Message) -> None:
        """Adds a message; before `begin` it is put aside."""
        if self._held is not None:
            self._held.append(message)
        else:
            self._add(message)

    def begin(self, replay: Iterable[Message]) -> None:
        """First the replay, then what came meanwhile and is newer; from now on all that comes."""
        held, self._held = self._held or [], None
        for message in (*replay, *held):
            self._add(message)

    async def wait(self, *, timeout_seconds: float) -> bool:
        """Waits for something to send; False when nothing came in time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._filled.wait()
        except TimeoutError:
            return False
        return True

    def take(self) -> tuple[tuple[Message, ...], int]:
        """All that waits, in the order of ids, and how many messages had to go before it."""
        messages, dropped = tuple(self._waiting.values()), self._dropped
        self._waiting = {}
        self._dropped = 0
        self._filled.clear()
        return messages, dropped

    def _add(self, message: Message) -> None:
        if message.id:
            number = stream_id(message.id)
            if number <= self._last:
                return
            self._last = number
        if message.slot is not None:
            self._waiting.pop(message.slot, None)
        self._waiting[message.slot or message.id] = message
        if len(self._waiting) > CAPACITY:
            self._drop_oldest()
        self._filled.set()

    def _drop_oldest(self) -> None:
        lines = (key for key, message in self._waiting.items() if message.kind == "log")
        del self._waiting[next(lines, next(iter(self._waiting)))]
        self._dropped += 1
