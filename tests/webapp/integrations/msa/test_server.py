"""The alignment server's client against a server on loopback that fails in every way."""

import base64
import time
from urllib.parse import urlsplit

import pytest

from folding.errors import Cancelled
from folding.inputs.a3m import read_a3m
from tests.webapp.integrations.msa.loopback import as_tar, running
from webapp.integrations.msa.cache import Cache
from webapp.integrations.msa.server import (
    Patience,
    Server,
    ServerFailed,
    _is_same_server,
)

ONE, TWO = "ACDEFGHIKL", "MNPQRSTVWY"


class Clock:
    """Time that passes when somebody sleeps, on top of the real one."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.skipped = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.skipped += seconds

    def now(self) -> float:
        return time.monotonic() + self.skipped


@pytest.fixture
def loopback():
    with running() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(loopback, clock):
    def make(**changes):
        patience = {key: changes.pop(key) for key in list(changes) if key in vars(Patience())}
        return Server(
            loopback.url,
            sleep=clock.sleep,
            clock=clock.now,
            patience=Patience(**{"request": 0.4, **patience}),
            **changes,
        )

    return make


def silent(waiting):
    """Hears nothing."""


def states(server, sequences=(ONE,)):
    heard = []
    texts = server.unpaired(sequences, report=heard.append)
    return texts, [waiting.state for waiting in heard]


def test_alignments_come_back_for_each_sequence(server, loopback):
    texts, heard = states(server(), (ONE, TWO))
    for sequence, number, text in zip((ONE, TWO), (101, 102), texts, strict=True):
        rows = read_a3m(text, sequence=sequence)
        assert [row.header for row in rows] == [str(number), f"uni_{number}", f"bfd_{number}"]
        assert rows[1].row == "-" + sequence[1:]
    assert loopback.queries == [{"kind": "msa", "q": f">101\n{ONE}\n>102\n{TWO}\n", "mode": "env"}]
    assert heard[0] == "submitting"
    assert heard[-1] == "downloading"
    assert "foldstream" in loopback.headers[0]["User-Agent"]


def test_a_private_server_gets_its_password_and_nobody_reads_it(server, loopback):
    made = server()
    signed = Server(loopback.url.replace("://", "://ada:p%40ss@"), sleep=made._sleep)
    assert (signed.url, signed.host) == (loopback.url, urlsplit(loopback.url).netloc)
    signed.unpaired((ONE,), report=silent)
    sent = {headers["Authorization"] for headers in loopback.headers}
    assert sent == {f"Basic {base64.b64encode(b'ada:p@ss').decode()}"}
    made.unpaired((ONE,), report=silent)
    assert "Authorization" not in loopback.headers[-1]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["to itself", "to another server"])
def test_the_password_stays_with_its_server(server, loopback, clock, elsewhere):
    signed = Server(loopback.url.replace("://", "://ada:secret@"), sleep=clock.sleep)
    with running() as other:
        loopback.faults["status"] = [other.url if elsewhere else loopback.url]
        (text,) = signed.unpaired((ONE,), report=silent)
        assert len(read_a3m(text, sequence=ONE)) == 3
        assert all("Authorization" in headers for headers in loopback.headers)
        assert other.seen == ["status"] * elsewhere
        assert not any("Authorization" in headers for headers in other.headers)


@pytest.mark.parametrize(
    ("asked", "sent_to", "same"),
    [
        ("http://msa.org/a", "https://msa.org/a", True),
        ("https://msa.org/a", "https://msa.org/b", True),
        ("https://msa.org/a", "http://msa.org/a", False),
        ("https://msa.org/a", "https://msa.org:8443/a", False),
        ("http://msa.org/a", "https://msa.org.evil.com/a", False),
    ],
)
def test_the_same_server_is_of_the_same_name_and_port_or_safer(asked, sent_to, same):
    assert _is_same_server(asked, sent_to) is same


def test_without_environmental_sequences(server, loopback):
    (text,), _ = states(server(uses_env=False))
    assert [row.header for row in read_a3m(text, sequence=ONE)] == ["101", "uni_101"]
    assert loopback.queries[0]["mode"] == "all"


def test_paired_rows_carry_the_key_of_their_place(server, loopback):
    first, second = server().paired((ONE, TWO), report=silent)
    assert loopback.queries[0]["kind"] == "pair"
    assert [row.header for row in read_a3m(first, sequence=ONE)] == [
        *("101", "pai_101 key=pair1", "second_101 key=pair2", "third_101 key=pair3")
    ]
    headers = [row.header for row in read_a3m(second, sequence=TWO)]
    assert headers == ["102", "pai_102 key=pair1", "third_102 key=pair3"], "gaps are no partner"


def test_the_queue_is_told(server, loopback):
    loopback.faults["status"] = ["PENDING", "PENDING", "RUNNING"]
    _, heard = states(server())
    kinds = list(dict.fromkeys(heard))
    assert kinds == ["submitting", "pending", "running", "downloading"]


@pytest.mark.parametrize(
    ("place", "fault", "state"),
    [
        ("submit", "RATELIMIT", "rate_limited"),
        ("submit", "MAINTENANCE", "maintenance"),
        ("submit", "UNKNOWN", "retrying"),
        ("submit", "NEVER_HEARD_OF", "retrying"),
        ("submit", 429, "rate_limited"),
        ("submit", 500, "retrying"),
        ("submit", 502, "retrying"),
        ("submit", 503, "maintenance"),
        ("submit", "garbage", "retrying"),
        ("submit", "stall", "retrying"),
        ("submit", "cut", "retrying"),
        ("submit", "close", "retrying"),
        ("status", 500, "retrying"),
        ("status", 429, "rate_limited"),
        ("status", "stall", "retrying"),
        ("status", "UNKNOWN", "retrying"),
        ("status", "garbage", "retrying"),
        ("download", 500, "downloading"),
        ("download", "garbage", "downloading"),
        ("download", "cut", "downloading"),
        ("download", "stall", "downloading"),
        ("download", "close", "downloading"),
    ],
)
def test_a_fault_is_borne(server, loopback, clock, place, fault, state):
    loopback.stall_seconds = 1.0
    loopback.faults[place] = [fault]
    (text,), heard = states(server())
    assert len(read_a3m(text, sequence=ONE)) == 3
    assert state in heard
    assert 3.5 <= sum(clock.slept) <= 7, "the first pause is about five seconds"
    lost_ticket = place == "submit" or fault == "UNKNOWN"
    assert loopback.seen.count("submit") == (2 if lost_ticket else 1)


def test_pauses_grow_and_have_an_end(server, loopback, clock):
    loopback.faults["submit"] = ["RATELIMIT"] * 9
    with pytest.raises(ServerFailed, match="9 times in a row") as error:
        server().unpaired((ONE,), report=silent)
    assert "127.0.0.1" in str(error.value)
    assert loopback.seen == ["submit"] * 9
    assert 5 + 10 + 20 + 40 + 80 < sum(clock.slept) < 1.25 * (155 + 3 * 120)
    assert max(clock.slept) <= 1.0, "sleeps are short, so that a cancelled job ends at once"


def test_a_result_without_a_number_is_asked_for_again(server, loopback):
    results = [as_tar({"uniref.a3m": ">\nACDEFGHIKL\n"})] * 2
    true_result = loopback.result
    loopback.result = lambda ticket: results.pop() if results else true_result(ticket)
    (text,) = server().unpaired((ONE,), report=silent)
    assert len(read_a3m(text, sequence=ONE)) == 3
    assert loopback.seen.count("download") == 3


@pytest.mark.parametrize(
    ("place", "fault", "kept"),
    [
        ("status", ["ERROR"], False),
        ("status", [403], False),
        ("download", ["garbage"] * 20, False),
        ("status", [500] * 20, True),
        ("status", ["PENDING"] * 10_000, True),
    ],
    ids=["error", "refused", "no result", "out of reach", "slow"],
)
def test_a_failure_blocks_no_later_try(server, loopback, tmp_path, place, fault, kept):
    """A ticket is kept only where there may be a result yet."""
    tickets = Cache(tmp_path, max_bytes=10**6).tickets("ab" * 32)
    loopback.faults[place] = fault
    with pytest.raises(ServerFailed):
        server(total=600.0).unpaired((ONE,), report=silent, tickets=tickets)
    assert tickets.load() == ("ticket-1" if kept else "")
    loopback.faults[place] = []
    (text,) = server().unpaired((ONE,), report=silent, tickets=tickets)
    assert len(read_a3m(text, sequence=ONE)) == 3
    assert loopback.seen.count("submit") == (1 if kept else 2)


@pytest.mark.parametrize("fault", ["garbage", "cut"])
def test_a_result_that_never_unpacks_ends(server, loopback, fault):
    loopback.faults["download"] = [fault] * 20
    with pytest.raises(ServerFailed, match="9 times in a row"):
        server().unpaired((ONE,), report=silent)
    assert loopback.seen.count("submit") == 1
    assert loopback.seen.count("download") == 9


def test_a_server_that_says_when_is_obeyed(server, loopback, clock):
    loopback.faults["submit"], loopback.retry_after = [429], "33"
    states(server())
    assert 32.5 <= sum(clock.slept) < 34


@pytest.mark.parametrize(
    ("place", "fault", "words"),
    [
        ("submit", "ERROR", "could not work on this sequence"),
        ("status", "ERROR", "could not work on this sequence"),
        ("submit", 403, "HTTP 403"),
        ("submit", 400, "HTTP 400"),
    ],
)
def test_a_refusal_is_final(server, loopback, place, fault, words):
    loopback.faults[place] = [fault]
    with pytest.raises(ServerFailed, match=words):
        server().unpaired((ONE,), report=silent)
    assert loopback.seen.count(place) == 1


def test_an_endless_queue_ends(server, loopback):
    loopback.faults["status"] = ["PENDING"] * 10_000
    with pytest.raises(ServerFailed, match="has not finished after"):
        server(total=600.0).unpaired((ONE,), report=silent)


def test_nobody_there_is_said_in_words(clock):
    patience = Patience(request=0.5, failures=1)
    nobody = Server("http://127.0.0.1:9", sleep=clock.sleep, clock=clock.now, patience=patience)
    with pytest.raises(ServerFailed, match="cannot be reached"):
        nobody.unpaired((ONE,), report=silent)


def test_a_cancelled_job_stops_waiting(server, loopback, clock):
    loopback.faults["status"] = ["PENDING"] * 100

    def report(waiting):
        if waiting.state == "pending":
            raise Cancelled

    with pytest.raises(Cancelled):
        server().unpaired((ONE,), report=report)
    assert clock.slept == []


def test_a_restarted_worker_goes_on_with_its_ticket(server, loopback, tmp_path):
    tickets = Cache(tmp_path, max_bytes=10**6).tickets("ab" * 32)

    def dies(waiting):
        if waiting.state == "pending":
            raise KeyboardInterrupt

    loopback.faults["status"] = ["PENDING"]
    with pytest.raises(KeyboardInterrupt):
        server().unpaired((ONE,), report=dies, tickets=tickets)
    assert tickets.load() == "ticket-1"
    (text,) = server().unpaired((ONE,), report=silent, tickets=tickets)
    assert len(read_a3m(text, sequence=ONE)) == 3
    assert loopback.seen.count("submit") == 1
    assert tickets.load() == ""


def test_a_ticket_that_was_forgotten_is_asked_for_again(server, loopback, tmp_path):
    tickets = Cache(tmp_path, max_bytes=10**6).tickets("ab" * 32)
    tickets.save("ticket-1")
    loopback.faults["status"] = [404]
    (text,) = server().unpaired((ONE,), report=silent, tickets=tickets)
    assert len(read_a3m(text, sequence=ONE)) == 3
    assert loopback.seen[:3] == ["status", "submit", "status"]
