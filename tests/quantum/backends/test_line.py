"""The line to a provider, without a vendor: time limits, few tries, plain errors, no secrets."""

import json
import threading
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from quantum.backends.base import batch_of
from quantum.backends.choose import BackendManager
from quantum.backends.line import (
    Breaker,
    Line,
    TimedRequests,
    chain,
    read_json,
    send,
    translate,
    until,
)
from quantum.backends.run import Patience
from quantum.backends.simulated import SimulatorBackend
from quantum.circuit import Circuit
from quantum.errors import (
    BackendError,
    BadAnswer,
    DoesNotFit,
    JobNotFound,
    RateLimited,
    Unauthorized,
    Unavailable,
)


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def refused(status: int, text: str = "", **headers: str) -> requests.HTTPError:
    """What `raise_for_status` raises for such an answer."""
    answer = requests.Response()
    answer.status_code = status
    answer._content = text.encode()
    answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return requests.HTTPError(
        f"{status} for url: https://example.test/?token=s3cret", response=answer
    )


def line(**options) -> Line:
    return Line("Provider", sleep=lambda seconds: None, **options)


# The circuit breaker


def test_a_line_that_failed_often_rests_and_is_tried_again_once_per_pause():
    clock = Clock()
    breaker = Breaker(failures=3, pause_seconds=30.0, clock=clock)
    for _ in range(3):
        breaker.check("Provider")
        breaker.note(worked=False)
    with pytest.raises(Unavailable, match="failed 3 times in a row and is left alone for 30 s"):
        breaker.check("Provider")
    clock.seconds = 30.5
    breaker.check("Provider")  # the trial
    with pytest.raises(Unavailable, match="left alone"):
        breaker.check("Provider")  # whoever comes beside it waits
    breaker.note(worked=True)
    breaker.check("Provider")


def test_a_trial_that_fails_begins_a_new_pause():
    clock = Clock()
    breaker = Breaker(failures=1, pause_seconds=10.0, clock=clock)
    breaker.note(worked=False)
    clock.seconds = 11.0
    breaker.check("Provider")
    breaker.note(worked=False)
    clock.seconds = 20.0
    with pytest.raises(Unavailable, match="failed 2 times"):
        breaker.check("Provider")
    clock.seconds = 21.5
    breaker.check("Provider")


def test_failures_that_are_not_in_a_row_open_nothing():
    breaker = Breaker(failures=2)
    for _ in range(5):
        breaker.note(worked=False)
        breaker.note(worked=True)
    breaker.check("Provider")


def test_one_of_many_threads_gets_the_trial():
    clock = Clock()
    breaker = Breaker(failures=1, pause_seconds=5.0, clock=clock)
    breaker.note(worked=False)
    clock.seconds = 6.0
    passed, barrier = [], threading.Barrier(8)

    def try_it():
        barrier.wait()
        try:
            breaker.check("Provider")
            passed.append(True)
        except Unavailable:
            pass

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert passed == [True]


def test_refusals_that_are_our_own_fault_do_not_open_it():
    asked = line(breaker=Breaker(failures=1))
    for status in (400, 401, 404, 422):
        with pytest.raises(BackendError):
            asked.once(lambda status=status: _raise(refused(status)))
    assert asked.once(lambda: "answer") == "answer"


def _raise(error: Exception):
    raise error


# Questions and single calls


def test_a_question_is_asked_again_after_a_hiccup_with_longer_pauses():
    pauses, answers = [], [refused(503), ConnectionError("cut"), "answer"]

    def question():
        found = answers.pop(0)
        return _raise(found) if isinstance(found, Exception) else found

    asked = Line("Provider", tries=3, sleep=pauses.append)
    assert asked.ask(question) == "answer"
    assert pauses == [0.2, 0.4]


def test_a_single_call_is_made_once():
    calls = []

    def act():
        calls.append(1)
        raise refused(500)

    with pytest.raises(Unavailable, match=r"out of order \(HTTP 500\)"):
        line().once(act)
    assert calls == [1]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_what_will_not_change_is_not_asked_again(status):
    calls = []

    def question():
        calls.append(1)
        raise refused(status)

    with pytest.raises(BackendError):
        line().ask(question)
    assert calls == [1]


def test_the_pause_that_a_provider_asks_for_is_made_where_there_is_time():
    pauses, answers = [], [refused(429, Retry_After="7"), "answer"]

    def question():
        found = answers.pop(0)
        return _raise(found) if isinstance(found, Exception) else found

    assert Line("Provider", limit_seconds=60.0, sleep=pauses.append).ask(question) == "answer"
    assert pauses == [7.0]
    with pytest.raises(RateLimited, match="it asks for a pause of 7 s") as caught:
        Line("Provider", limit_seconds=5.0, sleep=pauses.append).ask(
            lambda: _raise(refused(429, Retry_After="7"))
        )
    assert caught.value.retry_after_seconds == 7.0 and pauses == [7.0]


@pytest.mark.parametrize("text", ["Wed, 21 Oct 2026 07:28:00 GMT", "soon", "-5", "", "1e9"])
def test_a_pause_that_is_no_number_of_seconds_is_not_obeyed(text):
    found = translate(refused(429, Retry_After=text), "Provider")
    assert isinstance(found, RateLimited) and found.retry_after_seconds is None


def test_errors_of_ours_pass_as_they_are():
    error = DoesNotFit("too wide")
    with pytest.raises(DoesNotFit) as caught:
        line().ask(lambda: _raise(error))
    assert caught.value is error


# Translation


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (refused(401), Unauthorized, "check the token in the environment"),
        (refused(403), Unauthorized, "HTTP 403"),
        (refused(404), JobNotFound, "does not know"),
        (refused(429), RateLimited, "fewer requests"),
        (refused(500), Unavailable, "out of order"),
        (refused(599), Unavailable, "HTTP 599"),
        (refused(400, "no such gate"), BackendError, "no such gate"),
        (requests.ConnectionError("refused"), Unavailable, "cannot be reached"),
        (requests.Timeout("late"), Unavailable, "cannot be reached"),
        (TimeoutError("late"), Unavailable, "cannot be reached"),
        (requests.exceptions.ChunkedEncodingError("cut"), Unavailable, "broke off"),
        (json.JSONDecodeError("no", "", 0), BadAnswer, "no answer"),
        (KeyError("status"), BadAnswer, "lacks what belongs into it"),
        (IndexError("0"), BadAnswer, "lacks"),
        (ValueError("bad pulse"), BackendError, "bad pulse"),
    ],
)
def test_every_kind_of_trouble_has_a_plain_name(error, kind, words):
    found = translate(error, "Provider")
    assert type(found) is kind and words in str(found) and "Provider" in str(found)
    assert "s3cret" not in str(found)


@pytest.mark.parametrize(
    ("status", "taken"), [(429, True), (503, True), (500, False), (502, False), (504, False)]
)
def test_only_a_clear_refusal_says_that_nothing_was_taken(status, taken):
    assert translate(refused(status), "Provider").was_refused is taken


def test_the_cause_behind_a_vendor_s_exception_is_found():
    class VendorError(Exception):
        pass

    try:
        try:
            raise refused(404)
        except requests.HTTPError as error:
            raise VendorError("job failed to load") from error
    except VendorError as error:
        assert isinstance(translate(error, "Provider"), JobNotFound)


def test_a_circle_of_causes_has_an_end():
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert list(chain(first)) == [first, second]


def test_a_vendor_s_own_status_code_counts_too():
    class VendorError(Exception):
        status_code = 401

    assert isinstance(translate(VendorError("no"), "Provider"), Unauthorized)
    VendorError.status_code = -1
    assert type(translate(VendorError("no"), "Provider")) is BackendError


def test_secrets_are_never_shown():
    asked = line(secrets=("s3cret", ""))
    with pytest.raises(BackendError) as caught:
        asked.once(lambda: _raise(refused(400, "the key s3cret is odd")))
    assert str(caught.value) == "Provider refuses (HTTP 400): the key … is odd"
    assert "s3cret" not in repr(asked) and caught.value.__cause__ is None


def test_long_answers_are_shortened():
    assert len(str(translate(refused(400, "x" * 10_000), "Provider"))) < 400


def test_what_is_no_json_is_a_bad_answer():
    assert read_json('{"a": [1]}') == {"a": [1]}
    with pytest.raises(BadAnswer):
        read_json("<html>")


# Time


class Slow(BaseHTTPRequestHandler):
    """Sends a byte now and then, for ever: no time-out of a socket ends that."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(100):
            try:
                self.wfile.write(b" ")
                self.wfile.flush()
            except OSError:
                return
            time.sleep(0.05)

    def log_message(self, *args):
        """No noise."""


@pytest.fixture(scope="module")
def dripping():
    server = HTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_drips_holds_nobody(dripping):
    begin = time.monotonic()
    with pytest.raises(Unavailable, match="no answer within"):
        line(limit_seconds=0.3, tries=1).ask(lambda: send(requests.get, dripping))
    assert time.monotonic() - begin < 2.0


def test_all_tries_together_end_with_the_limit(dripping):
    begin = time.monotonic()
    with pytest.raises(Unavailable):
        Line("Provider", limit_seconds=0.5, tries=9).ask(lambda: send(requests.get, dripping))
    assert time.monotonic() - begin < 2.5


def test_no_question_outlasts_the_deadline_of_its_batch_by_much(dripping, monkeypatch):
    monkeypatch.setattr("quantum.backends.line.LEAST_SECONDS", 0.2)
    patient = Line("Provider", limit_seconds=60.0, tries=9)
    for late in (-100.0, 0.3):  # over long ago, and soon
        begin = time.monotonic()
        with until(begin + late), until(begin + 50.0), pytest.raises(Unavailable):
            patient.ask(lambda: send(requests.get, dripping))
        assert time.monotonic() - begin < 2.0
        patient.breaker.note(worked=True)


def test_a_provider_that_drips_takes_no_more_than_the_deadline_from_a_batch(dripping, monkeypatch):
    monkeypatch.setattr("quantum.backends.line.LEAST_SECONDS", 0.2)
    asked = Line("Provider", limit_seconds=60.0, breaker=Breaker(failures=99))

    class Dripping(SimulatorBackend):
        def estimate(self, batch):
            asked.ask(lambda: send(requests.get, dripping))

    known = {"ibm": Dripping(name="ibm"), "ionq": Dripping(name="ionq")}
    manager = BackendManager(
        lambda name: known.get(name) or SimulatorBackend(), patience=Patience(deadline_seconds=0.5)
    )
    _, record = manager.run(batch_of(Circuit(1).x(0), shots=3), wanted="ibm")
    assert record.backend == "simulator" and record.seconds < 3.0
    assert "no answer within" in record.hops[0].reason


def test_a_vendor_s_requests_end_in_time_and_the_rest_of_the_module_is_there(dripping):
    timed = TimedRequests()
    assert timed.Timeout is requests.Timeout and timed.codes.ok == 200
    with pytest.raises(Unavailable):
        line(limit_seconds=0.2).once(lambda: timed.get(dripping))


def test_errors_inside_a_request_come_out_of_it():
    def request(url, timeout):
        raise refused(401)

    with pytest.raises(Unauthorized):
        line().once(lambda: send(request, "http://127.0.0.1"))


def test_headers_without_a_pause_are_no_pause():
    error = Exception("no")
    error.status_code, error.headers = 503, Message()
    assert translate(error, "Provider").retry_after_seconds is None
