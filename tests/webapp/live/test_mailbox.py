"""What waits for one socket: in order, bounded, each kind with its policy."""

import asyncio

import pytest

from webapp.live import mailbox
from webapp.live.mailbox import Mailbox
from webapp.live.messages import Message


def message(number, *, kind="log", slot=None):
    return Message(id=f"{number}-0" if number else "", kind=kind, slot=slot)


def ids(box):
    messages, _ = box.take()
    return [m.id for m in messages]


@pytest.fixture
def box():
    opened = Mailbox()
    opened.begin([])
    return opened


def test_messages_leave_in_order_once(box):
    for number in (1, 2, 3):
        box.put(message(number))
    assert ids(box) == ["1-0", "2-0", "3-0"]
    assert ids(box) == []


def test_the_newest_of_a_slot_wins_and_keeps_the_order_of_ids(box):
    box.put(message(1, kind="progress", slot="progress"))
    box.put(message(2))
    box.put(message(3, kind="progress", slot="progress"))
    assert ids(box) == ["2-0", "3-0"]


def test_what_was_seen_is_not_shown_again(box):
    for number in (5, 3, 5, 6):
        box.put(message(number))
    assert ids(box) == ["5-0", "6-0"]


def test_the_row_read_again_always_passes(box):
    box.put(message(5))
    box.put(message(None, kind="status", slot="status"))
    assert ids(box) == ["5-0", ""]


def test_the_oldest_lines_go_and_are_counted(box, monkeypatch):
    monkeypatch.setattr(mailbox, "CAPACITY", 10)
    box.put(message(1, kind="sample"))
    for number in range(2, 20):
        box.put(message(number))
    messages, dropped = box.take()
    assert [m.id for m in messages] == ["1-0", *(f"{n}-0" for n in range(11, 20))]
    assert dropped == 9
    assert box.take() == ((), 0)


def test_a_mailbox_full_of_samples_still_has_an_end(box, monkeypatch):
    monkeypatch.setattr(mailbox, "CAPACITY", 3)
    for number in range(1, 10):
        box.put(message(number, kind="sample"))
    assert ids(box) == ["7-0", "8-0", "9-0"]


def test_what_came_during_the_look_back_follows_it_without_repetition():
    box = Mailbox()
    for number in (3, 4, 5):
        box.put(message(number))
    assert ids(box) == []
    box.begin([message(1), message(2), message(3)])
    box.put(message(6))
    assert ids(box) == [f"{n}-0" for n in range(1, 7)]


@pytest.mark.asyncio
async def test_waiting_ends_when_something_comes(box):
    asyncio.get_running_loop().call_later(0.01, box.put, message(1))
    assert await box.wait(timeout_seconds=5)
    assert ids(box) == ["1-0"]


@pytest.mark.asyncio
async def test_waiting_ends_after_the_time(box):
    assert not await box.wait(timeout_seconds=0.01)
