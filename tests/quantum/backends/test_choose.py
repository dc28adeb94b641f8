"""Choosing and falling back, with money in play and providers that fail in every way."""

import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import torch

from quantum.backends.base import Capabilities, Estimate, Handle, Measured, Status, batch_of
from quantum.backends.cache import FileCache
from quantum.backends.choose import BackendManager
from quantum.backends.executions import Execution, ExecutionLog, Hop
from quantum.backends.handles import HandleStore
from quantum.backends.ledger import Ledger
from quantum.backends.line import _END, LEAST_SECONDS, Breaker, Line
from quantum.backends.noisy import NoisyBackend
from quantum.backends.result_cache import ResultCache
from quantum.backends.run import Patience
from quantum.backends.settling import given_up
from quantum.backends.simulated import SimulatorBackend, mock
from quantum.circuit import Circuit
from quantum.errors import (
    BackendError,
    BudgetExceeded,
    Cancelled,
    DoesNotFit,
    InvalidValues,
    JobFailed,
    NotConfigured,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from quantum.observable import Z

BATCH = batch_of(Circuit(3).x(0).cx(0, 2), shots=9, tag="batch")
PATIENT = Patience(deadline_seconds=7200.0, first_seconds=0.01, longest_seconds=0.02)
QUICK = replace(PATIENT, deadline_seconds=0.3)


class Provider:
    """The simulator as a provider with a price, a queue, and moods."""

    def __init__(self, name, *, cost=0.0, queue=0.0, n_qubits=20, coupling=None, script=()):
        self.name, self.cost, self.queue, self.script = name, cost, queue, list(script)
        self.limits = Capabilities(n_qubits, is_device=True, coupling=coupling, pays=cost > 0)
        self.jobs, self.cancelled = [], []
        self.submit_error = self.result_error = None

    def capabilities(self):
        return self.limits

    def estimate(self, batch):
        return Estimate(self.queue, 0.01, self.cost)

    def submit(self, batch):
        if self.submit_error:
            raise self.submit_error
        if batch.tag not in self.jobs:
            self.jobs.append(batch.tag)
        return Handle(self.name, batch, job_id=f"{self.name}-1")

    def status(self, handle):
        step = self.script.pop(0) if self.script else Status.SUCCEEDED
        if step == "for ever":
            self.script.append(step)
            return Status.QUEUED
        return step

    def result(self, handle):
        if self.result_error:
            raise self.result_error
        return mock().result(handle)

    def cancel(self, handle):
        self.cancelled.append(handle.job_id)


def manage(*providers, patience=PATIENT, **options):
    known = {p.name: p for p in providers} | {"simulator": SimulatorBackend()}

    def open_backend(name):
        if name not in known:
            raise NotConfigured(f"{name} is not configured")
        return known[name]

    return BackendManager(open_backend, patience=patience, **options)


def test_what_is_wanted_runs_where_it_can():
    ibm = Provider("ibm", script=[Status.QUEUED, Status.RUNNING])
    events = []
    measured, record = manage(ibm).run(BATCH, wanted="ibm", report=events.append)
    assert measured == (Measured({"101": 9}),)
    assert (record.backend, record.handle_id, record.status) == ("ibm", "ibm-1", "succeeded")
    assert record.hops == () and record.fallback_reason == ""
    told = [event["status"] for event in events if event["kind"] == "execution"]
    assert told == ["queued", "queued", "running", "succeeded"]


@pytest.mark.parametrize("wanted", ["ibm", "ionq"])
def test_without_credentials_the_simulator_does_it_and_says_why(wanted):
    measured, record = manage().run(BATCH, wanted=wanted)
    assert measured[0].counts == {"101": 9}
    assert record.wanted == wanted and record.backend == "simulator"
    assert [hop.backend for hop in record.hops] == [wanted, {"ibm": "ionq", "ionq": "ibm"}[wanted]]
    assert all("not configured" in hop.reason for hop in record.hops)
    assert "not configured" in record.fallback_reason


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ({"submit_error": Unauthorized("IBM refuses the credentials")}, "refuses the credentials"),
        ({"submit_error": Unavailable("IBM is out of order")}, "out of order"),
        ({"result_error": JobFailed("the fridge is warm")}, "fridge is warm"),
        ({"script": [Status.FAILED]}, "failed"),
        ({"script": ["for ever"]}, "did not begin ibm-1 within 0.1 s"),
        ({"limits": Capabilities(2)}, "2 qubits"),
        ({"queue": 9999.0}, "queue of 9999 s"),
    ],
)
def test_every_kind_of_failure_hops_to_the_next_with_its_reason(mood, reason):
    ibm, ionq = Provider("ibm"), Provider("ionq")
    for name, value in mood.items():
        setattr(ibm, name, value)
    longest = 0.1 if "script" in mood else 3600.0
    manager = manage(ibm, ionq, longest_queue_seconds=longest)
    measured, record = manager.run(BATCH, wanted="ibm")
    assert record.backend == "ionq" and measured[0].counts == {"101": 9}
    (hop,) = record.hops
    assert hop.backend == "ibm" and reason in hop.reason == record.fallback_reason


def test_a_job_that_took_too_long_is_cancelled_and_kept_by_its_tag(tmp_path):
    ibm, store = Provider("ibm", script=["for ever"]), HandleStore(tmp_path)
    _, record = manage(ibm, store=store, patience=QUICK).run(BATCH, wanted="ibm")
    assert record.backend == "simulator" and ibm.cancelled == ["ibm-1"]
    assert [handle.tag for handle in store] == ["batch-ibm"]


def test_after_a_restart_the_same_job_is_waited_for(tmp_path):
    ibm, store = Provider("ibm"), HandleStore(tmp_path)
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=10.0)
    ibm.cost = 6.0

    def die(handle):
        raise KeyboardInterrupt

    first = manage(ibm, store=store, ledger=ledger)
    ibm.status = die
    with pytest.raises(KeyboardInterrupt):
        first.run(BATCH, wanted="ibm")
    del ibm.status
    ibm.script = []
    ibm.submit_error = AssertionError("sent twice")
    _, record = manage(ibm, store=store, ledger=ledger).run(BATCH, wanted="ibm")
    assert record.backend == "ibm" and ibm.jobs == ["batch-ibm"]
    assert ledger.spent() == 6.0 and list(store) == []


def test_where_nobody_can_the_classical_answer_stands_in():
    huge = batch_of(Circuit(40).h(0), shots=3)
    exact = (Measured({"0": 3}),)
    measured, record = manage().run(huge, wanted="ibm", classical=lambda batch: exact)
    assert measured == exact and record.backend == "classical" and len(record.hops) == 3
    with pytest.raises(BackendError, match=r"ibm: .*ionq: .*simulator: .*26 qubits"):
        manage().run(huge, wanted="ibm")


def test_money_is_only_spent_where_there_is_a_budget(tmp_path):
    ibm = Provider("ibm", cost=3.0)
    _, record = manage(ibm).run(BATCH, wanted="ibm")
    assert record.backend == "simulator" and "3.00 USD" in record.hops[0].reason
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    _, first = manage(ibm, ledger=ledger).run(BATCH, wanted="ibm")
    assert first.backend == "ibm" and first.cost == 3.0 and ledger.left() == 2.0
    second = replace(BATCH, tag="second")
    _, then = manage(ibm, ledger=ledger).run(second, wanted="ibm")
    assert then.backend == "simulator" and "2.00 may still be spent" in then.hops[0].reason
    assert ledger.spent() == 3.0 and ibm.jobs == ["batch-ibm"]


def test_a_price_that_is_not_told_is_too_high(tmp_path):
    ibm = Provider("ibm")
    ibm.cost = None
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    _, record = manage(ibm, ledger=ledger).run(BATCH, wanted="ibm")
    assert record.backend == "simulator" and "does not say" in record.hops[0].reason


@pytest.mark.parametrize("cost", [float("nan"), -1.0, float("inf")])
@pytest.mark.parametrize("cap", [None, 5.0])
def test_a_price_that_is_no_price_is_too_high(tmp_path, cost, cap):
    ibm = Provider("ibm", cost=cost)
    ledger = None if cap is None else Ledger(tmp_path / "ledger.jsonl", cap=cap)
    _, record = manage(ibm, ledger=ledger).run(BATCH, wanted="ibm")
    assert record.backend == "simulator" and ibm.jobs == []
    assert "may still be spent" in record.hops[0].reason


def test_what_it_may_cost_at_most_is_set_aside_and_the_rest_comes_back(tmp_path):
    ibm, seen = Provider("ibm"), []
    ibm.estimate = lambda batch: Estimate(0.0, 0.01, 3.0, ceiling=4.5)
    ibm.price = lambda handle: seen.append(ledger.spent()) or 1.25
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    manage(ibm, ledger=ledger).run(BATCH, wanted="ibm")
    assert seen == [4.5] and ledger.spent() == 1.25
    _, record = manage(ibm, ledger=ledger).run(replace(BATCH, tag="second"), wanted="ibm")
    assert record.backend == "simulator" and "could cost 4.50 USD" in record.hops[0].reason


def test_money_comes_back_only_where_the_job_was_surely_not_taken(tmp_path):
    for error, spent in ((Unauthorized(), 0.0), (Unavailable(), 3.0)):
        ibm = Provider("ibm", cost=3.0)
        ibm.submit_error = error
        ledger = Ledger(tmp_path / f"{spent}.jsonl", cap=5.0)
        manage(ibm, ledger=ledger).run(BATCH, wanted="ibm")
        assert ledger.spent() == spent


def test_cancelling_stops_everything(tmp_path):
    ibm = Provider("ibm", script=["for ever"])
    log = ExecutionLog(tmp_path / "log.jsonl")

    def stop(event):
        if event["kind"] == "waiting":
            raise Cancelled

    with pytest.raises(Cancelled):
        manage(ibm, log=log).run(BATCH, wanted="ibm", report=stop)
    assert ibm.cancelled == ["ibm-1"]
    assert [execution.status for execution in log] == ["cancelled"]


@pytest.mark.parametrize("error", [Cancelled, RuntimeError])
def test_money_comes_back_where_it_ends_before_anything_is_sent(tmp_path, error):
    ibm = Provider("ibm", cost=3.0)
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)

    def stop(event):
        raise error

    with pytest.raises(error):
        manage(ibm, ledger=ledger).run(BATCH, wanted="ibm", report=stop)
    assert ibm.jobs == [] and ledger.spent() == 0.0
    ibm.submit_error = InvalidValues("no such gate")
    manage(ibm, ledger=ledger).run(BATCH, wanted="ibm")
    assert ledger.spent() == 0.0


@pytest.mark.parametrize("later", [Cancelled, Unauthorized])
def test_money_of_an_attempt_that_may_be_taken_stays_whatever_a_later_one_says(tmp_path, later):
    ibm, store = Provider("ibm", cost=3.0), HandleStore(tmp_path / "handles")
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    manager = manage(ibm, ledger=ledger, store=store)
    ibm.submit_error = Unavailable("the answer was lost")
    manager.run(BATCH, wanted="ibm")
    ibm.submit_error = later()
    with suppress(Cancelled):
        manager.run(BATCH, wanted="ibm")
    assert ledger.spent() == 3.0


@pytest.mark.parametrize(("ends", "spent"), [(True, 0.5), (False, 3.0)])
def test_a_job_is_cancelled_as_soon_as_it_is_handed_over(tmp_path, ends, spent):
    ibm = Provider("ibm", cost=3.0, script=[Status.CANCELLED if ends else Status.RUNNING])
    ibm.price = lambda handle: 0.5
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)

    def stop(event):
        if event["handle_id"]:
            raise Cancelled

    with pytest.raises(Cancelled):
        manage(ibm, ledger=ledger).run(BATCH, wanted="ibm", report=stop)
    assert ibm.cancelled == ["ibm-1"] and ledger.spent() == spent


def test_a_submission_that_was_refused_for_now_keeps_no_money(tmp_path):
    ibm = Provider("ibm", cost=3.0)
    ibm.submit_error = RateLimited("IBM asks for fewer requests")
    ibm.submit_error.was_refused = True
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    manager = manage(ibm, ledger=ledger, sleep=lambda seconds: None)
    for tag in ("a", "b"):
        assert manager.run(replace(BATCH, tag=tag), wanted="ibm")[1].backend == "simulator"
    assert ledger.spent() == 0.0


def test_whoever_cancels_in_a_pause_before_a_submission_pays_nothing(tmp_path):
    ibm, pauses = Provider("ibm", cost=3.0), []
    ibm.submit_error = RateLimited("IBM asks for fewer requests")
    ibm.submit_error.was_refused, ibm.submit_error.retry_after_seconds = True, 200.0
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)

    def stop(event):
        if event["kind"] == "waiting" and pauses:
            raise Cancelled

    with pytest.raises(Cancelled):
        manager = manage(ibm, ledger=ledger, sleep=pauses.append)
        manager.run(BATCH, wanted="ibm", report=stop)
    assert len(pauses) == 1 and pauses[0] <= 5.0 and ledger.spent() == 0.0


def leave_one_over(ibm, tmp_path, how):
    """A manager one of whose jobs goes on at the provider and holds 3 of 5 USD."""
    ledger, store = Ledger(tmp_path / "ledger.jsonl", cap=5.0), HandleStore(tmp_path / "handles")
    manager = manage(ibm, ledger=ledger, store=store, longest_queue_seconds=0.03)

    def stop(event):
        if how == "cancelled" and event["kind"] == "waiting":
            raise Cancelled

    ibm.script = ["for ever"]
    with suppress(Cancelled):
        manager.run(BATCH, wanted="ibm", report=stop)
    assert (ledger.spent(), len(list(store)), ibm.cancelled) == (3.0, 1, ["ibm-1"])
    return manager, ledger, store


@pytest.mark.parametrize("how", ["given up", "cancelled"])
@pytest.mark.parametrize(("status", "charged"), [(Status.CANCELLED, 0.0), (Status.SUCCEEDED, 2.0)])
def test_what_was_left_over_is_settled_when_it_is_over(tmp_path, how, status, charged):
    ibm = Provider("ibm", cost=3.0)
    ibm.price = lambda handle: charged
    manager, ledger, store = leave_one_over(ibm, tmp_path, how)
    assert manager.settle_left_over() == 0 and ledger.spent() == 3.0
    assert ibm.cancelled == ["ibm-1"] * 2  # asked to stop once more
    ibm.script = [status]
    assert manager.settle_left_over() == 1
    assert ledger.spent() == charged and list(store) == []
    assert manager.settle_left_over() == 0


@pytest.mark.parametrize("trouble", ["status", "price", "open"])
def test_what_was_left_over_waits_for_a_provider_that_cannot_be_asked(tmp_path, trouble):
    ibm = Provider("ibm", cost=3.0)
    ibm.price = lambda handle: 0.0
    manager, ledger, store = leave_one_over(ibm, tmp_path, "cancelled")
    ibm.script = [Status.CANCELLED]

    def fail(*given):
        raise Unavailable("IBM is out of order")

    if trouble == "open":
        manager = replace(manager, open=fail, _opened={})
    else:
        setattr(ibm, trouble, fail)
    assert manager.settle_left_over() == 0
    assert ledger.spent() == 3.0 and len(list(store)) == 1


def test_where_money_is_short_what_was_left_over_is_asked_about(tmp_path):
    ibm = Provider("ibm", cost=3.0)
    ibm.price = lambda handle: 1.0
    manager, ledger, _ = leave_one_over(ibm, tmp_path, "given up")
    ibm.script = [Status.CANCELLED]
    _, record = manager.run(replace(BATCH, tag="next"), wanted="ibm")
    assert (record.backend, record.hops) == ("ibm", ()) and ledger.spent() == 2.0


def test_a_job_that_somebody_waits_for_again_is_left_alone(tmp_path):
    ibm = Provider("ibm", cost=3.0)
    manager, ledger, store = leave_one_over(ibm, tmp_path, "given up")
    ibm.script, ibm.submit_error = [Status.RUNNING] * 3, AssertionError("sent twice")
    seen = []

    def look(event):
        if event["kind"] == "waiting":
            seen.append((manager.settle_left_over(), len(list(store))))

    _, record = manager.run(BATCH, wanted="ibm", report=look)
    assert record.backend == "ibm" and seen and set(seen) == {(0, 1)}
    assert ibm.cancelled == ["ibm-1"] and ledger.spent() == 3.0 and list(store) == []


def orphan(tmp_path, *, hours, job_id="ibm-1", cost=3.0):
    """Handle and money of a job whose process died so long ago."""
    created = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    handle = Handle("ibm", replace(BATCH, tag="batch-ibm"), job_id, created)
    ledger, store = Ledger(tmp_path / "ledger.jsonl", cap=5.0), HandleStore(tmp_path / "handles")
    store.save(handle)
    ledger.reserve(handle.tag, cost)
    return ledger, store


def test_a_job_whose_process_died_is_settled_a_day_later_and_never_stopped(tmp_path):
    ibm = Provider("ibm", cost=3.0)
    ibm.price = lambda handle: 2.0
    ledger, store = orphan(tmp_path, hours=23)
    manager = manage(ibm, ledger=ledger, store=store)
    assert manager.settle_left_over() == 0 and len(list(store)) == 1  # who comes back finds it
    orphan(tmp_path, hours=25)
    ibm.script = [Status.RUNNING]
    assert manager.settle_left_over() == 0 and ibm.cancelled == []
    assert manager.settle_left_over() == 1
    assert ledger.spent() == 2.0 and list(store) == []


@pytest.mark.parametrize("mark", [lambda handle: handle, given_up])
@pytest.mark.parametrize("known", ["", "ibm-7"])
def test_what_may_have_been_sent_is_looked_for_before_its_money_is_free(tmp_path, known, mark):
    ibm = Provider("ibm", cost=3.0)
    ibm.price, ibm.find = (
        lambda handle: 2.0,
        lambda handle: handle.submitted(known) if known else None,
    )
    ledger, store = orphan(tmp_path, hours=25, job_id="")
    store.save(mark(store.find("batch-ibm")))
    assert manage(ibm, ledger=ledger, store=store).settle_left_over() == 1
    assert ledger.spent() == (2.0 if known else 0.0) and list(store) == []


def test_money_of_what_was_sent_just_now_or_cannot_be_looked_for_stays_set_aside(tmp_path):
    ibm = Provider("ibm", cost=3.0)
    ledger, store = orphan(tmp_path, hours=25, job_id="")
    manager = manage(ibm, ledger=ledger, store=store)
    assert manager.settle_left_over() == 0  # this provider finds no job by its tag
    ibm.find = lambda handle: None
    orphan(tmp_path, hours=0.1, job_id="")
    store.save(given_up(store.find("batch-ibm")))
    assert manager.settle_left_over() == 0 and ledger.spent() == 3.0
    assert len(list(store)) == 1


def test_a_job_that_makes_way_is_settled_at_its_price(tmp_path):
    ibm = Provider("ibm", cost=3.0)
    ibm.price = lambda handle: 0.25
    manager, ledger, _ = leave_one_over(ibm, tmp_path, "given up")
    ibm.script = [Status.CANCELLED]
    _, record = manager.run(BATCH, wanted="ibm")
    assert record.backend == "ibm" and ledger.spent() == 0.5  # of both jobs


def test_a_batch_bought_twice_under_one_tag_counts_twice(tmp_path):
    ibm, store = Provider("ibm", cost=3.0), HandleStore(tmp_path / "handles")
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    manager = manage(ibm, ledger=ledger, store=store)
    assert manager.run(BATCH, wanted="ibm")[1].backend == "ibm"
    _, record = manager.run(BATCH, wanted="ibm")
    assert record.backend == "simulator" and "2.00 may still be spent" in record.hops[0].reason
    assert ledger.spent() == 3.0


@pytest.mark.parametrize("settled", [True, False])
def test_a_job_that_is_fetched_late_is_paid_for_once(tmp_path, settled):
    ibm = Provider("ibm", cost=3.0)
    ibm.price = lambda handle: 2.0
    manager, ledger, store = leave_one_over(ibm, tmp_path, "given up")
    ibm.submit_error = AssertionError("sent twice")
    if settled:
        ledger.settle("batch-ibm", 2.0)
    ibm.script = [Status.SUCCEEDED] * 2
    _, record = manager.run(BATCH, wanted="ibm")
    assert (record.backend, record.cost) == ("ibm", 2.0)
    assert ledger.spent() == 2.0 and list(store) == []


def test_whoever_dies_with_an_answer_has_stored_it(tmp_path):
    ibm, store = Provider("ibm", cost=3.0), HandleStore(tmp_path / "handles")
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)

    class Dies(ResultCache):
        def store(self, *given):
            raise KeyboardInterrupt

    folder = FileCache(tmp_path / "results")
    with pytest.raises(KeyboardInterrupt):
        manage(ibm, ledger=ledger, store=store, results=Dies(folder)).run(BATCH, wanted="ibm")
    ibm.submit_error = AssertionError("sent twice")
    _, record = manage(ibm, ledger=ledger, store=store).run(BATCH, wanted="ibm")
    assert record.backend == "ibm" and ledger.spent() == 3.0


def test_what_a_hop_may_charge_counts(tmp_path):
    ibm, ionq = Provider("ibm", cost=3.0, script=["for ever"]), Provider("ionq", cost=1.5)
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    manager = manage(ibm, ionq, ledger=ledger, longest_queue_seconds=0.03)
    _, record = manager.run(BATCH, wanted="ibm")
    assert record.backend == "ionq" and [hop.cost for hop in record.hops] == [3.0]
    assert record.cost == ledger.spent() == 4.5


@pytest.mark.parametrize(
    ("mood", "charged"),
    [
        ({"submit_error": Unauthorized()}, 0.0),
        ({"submit_error": Unavailable()}, 3.0),  # it may be taken
        ({"script": [Status.FAILED]}, 1.0),
    ],
)
def test_the_record_and_the_ledger_say_the_same_of_a_hop(tmp_path, mood, charged):
    ibm = Provider("ibm", cost=3.0)
    ibm.price = lambda handle: 1.0
    for name, value in mood.items():
        setattr(ibm, name, value)
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    _, record = manage(ibm, ledger=ledger).run(BATCH, wanted="ibm")
    assert record.cost == record.hops[0].cost == ledger.spent() == charged


@pytest.mark.parametrize("moment", ["queued", "waiting", "succeeded"])
def test_a_cancelled_record_keeps_its_job_and_its_cost(tmp_path, moment):
    ibm = Provider("ibm", cost=3.0, script=[Status.QUEUED])
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    log = ExecutionLog(tmp_path / "log.jsonl")

    def stop(event):
        if moment in (event["kind"], event["status"]) and event.get("handle_id", "ibm-1"):
            raise Cancelled

    with pytest.raises(Cancelled):
        manage(ibm, ledger=ledger, log=log).run(BATCH, wanted="ibm", report=stop)
    (record,) = log
    assert (record.status, record.handle_id, record.cost) == ("cancelled", "ibm-1", 3.0)


@pytest.mark.parametrize("error", [ValueError("no such gate"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["backend", "report", "classical"])
def test_a_record_ends_whatever_is_raised(tmp_path, error, where):
    log, ibm = ExecutionLog(tmp_path / "log.jsonl"), Provider("ibm")

    def fail(*given):
        raise error

    options = {"wanted": "ibm"}
    if where == "backend":
        ibm.status = fail
    elif where == "report":
        options["report"] = fail
    else:
        options = {"wanted": "nobody", "classical": fail}
    with pytest.raises(type(error)):
        manager = manage(ibm, log=log, chains={"nobody": (), "ibm": ("ibm",)})
        manager.run(BATCH, **options)
    assert [execution.status for execution in log] == ["failed"]


def test_whoever_cancels_the_classical_method_ends_the_record(tmp_path):
    log = ExecutionLog(tmp_path / "log.jsonl")

    def stop(event):
        raise Cancelled

    with pytest.raises(Cancelled):
        huge = batch_of(Circuit(40).h(0))
        manage(log=log).run(huge, classical=lambda batch: (), report=stop)
    (record,) = log
    assert (record.backend, record.status) == ("classical", "cancelled")


def test_the_deadline_is_also_of_weighing_and_nobody_who_was_weighed_was_not_asked():
    ibm, ionq = Provider("ibm"), Provider("ionq")
    line, ends = Line("IBM", limit_seconds=900.0, breaker=Breaker()), []

    def estimate(batch):
        time.sleep(0.06)
        return line.ask(
            lambda: ends.append(_END.get() - time.monotonic()) or Estimate(0.0, 0.01, 0.0)
        )

    ibm.estimate = ionq.estimate = estimate
    patience = replace(PATIENT, deadline_seconds=0.1)
    _, record = manage(ibm, ionq, patience=patience).run(BATCH, wanted="quantum")
    assert len(ends) == 2 and max(ends) <= LEAST_SECONDS
    assert record.backend == "simulator" and ibm.jobs == ionq.jobs == []
    for hop in record.hops:
        assert hop.reason.endswith(f"for this batch were over before it was sent to {hop.backend}")


@pytest.mark.parametrize(("damaged", "ran"), [("ibm", "ionq"), ("ionq", "ibm")])
def test_a_damaged_handle_is_one_backends_reason(tmp_path, damaged, ran):
    (tmp_path / f"batch-{damaged}.json").write_text("{")
    manager = manage(Provider("ibm"), Provider("ionq"), store=HandleStore(tmp_path))
    _, record = manager.run(BATCH, wanted="ibm")
    assert record.backend == ran
    assert all("cannot be read" in hop.reason for hop in record.hops)


def test_a_dry_run_asks_everyone_and_sends_nothing(tmp_path):
    ibm = Provider("ibm", cost=3.0, queue=60.0, coupling=((0, 1), (1, 2)))
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    offers = manage(ibm, ledger=ledger).dry_run(BATCH, wanted="ibm")
    assert [offer.backend for offer in offers] == ["ibm", "ionq", "simulator"]
    assert offers[0].estimate.cost == 3.0 and offers[0].two_qubit_gates == 1
    assert not offers[1].can_run and "not configured" in offers[1].reason
    assert offers[2].estimate.cost == 0.0
    assert ibm.jobs == [] and ledger.spent() == 0


def test_the_pick_is_the_quickest_then_cheapest_then_best_connected():
    ring = Circuit(3).cx(0, 1).cx(1, 2).cx(2, 0)
    line, full = ((0, 1), (1, 2)), ((0, 1), (1, 2), (0, 2))
    slow, quick = Provider("ibm", queue=500.0), Provider("ionq", queue=5.0)
    assert manage(slow, quick).pick(BATCH).backend == "ionq"
    chained, ringed = Provider("ibm", coupling=line), Provider("ionq", coupling=full)
    offers = {o.backend: o for o in manage(chained, ringed).dry_run(batch_of(ring), wanted="ibm")}
    assert offers["ionq"].two_qubit_gates == 3 < offers["ibm"].two_qubit_gates
    assert manage(chained, ringed).pick(batch_of(ring)).backend == "ionq"
    with pytest.raises(NotConfigured, match=r"ibm is not configured.*ionq is not configured"):
        manage().pick(BATCH)


def test_a_device_is_asked_first_and_the_better_one_before_the_other():
    slow, quick = Provider("ibm", queue=500.0), Provider("ionq", queue=5.0)
    _, record = manage(slow, quick).run(BATCH, wanted="quantum")
    assert (record.wanted, record.backend, record.hops) == ("quantum", "ionq", ())
    quick.submit_error = Unauthorized("IonQ refuses the credentials")
    _, record = manage(slow, quick).run(BATCH, wanted="quantum")
    assert record.backend == "ibm" and record.hops[0].backend == "ionq"
    _, record = manage().run(BATCH, wanted="quantum")
    assert record.backend == "simulator" and len(record.hops) == 2


def test_a_queue_of_unknown_length_is_not_short():
    silent, known = Provider("ibm"), Provider("ionq", queue=900.0)
    silent.queue = None
    assert manage(silent, known).pick(BATCH).backend == "ionq"
    known.queue = 5000.0  # longer than anybody waits for
    assert manage(silent, known).pick(BATCH).backend == "ibm"


def test_a_queue_that_nobody_knows_is_waited_in_no_longer_than_is_wanted(tmp_path):
    silent = Provider("ibm", cost=3.0, script=["for ever"])
    silent.queue = None
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    silent.price = lambda handle: 0.0
    cancel = silent.cancel

    def cancel_there(handle):
        cancel(handle)
        silent.script = [Status.CANCELLED] * 2

    silent.cancel = cancel_there
    manager = manage(silent, ledger=ledger, longest_queue_seconds=0.05)
    (offer, *_) = manager.dry_run(BATCH, wanted="ibm")
    assert offer.can_run and "given up if it has not begun after 0 s" in offer.estimate.note
    _, record = manager.run(BATCH, wanted="ibm")
    assert record.backend == "simulator" and silent.cancelled == ["ibm-1"]
    assert "did not begin ibm-1 within 0.05 s" in record.hops[0].reason
    assert ledger.spent() == 0.0  # it is over and cost nothing: the provider says so


def test_a_job_that_has_begun_is_not_given_up_for_its_queue():
    ibm = Provider("ibm", script=[Status.QUEUED, *[Status.RUNNING] * 12])
    _, record = manage(ibm, longest_queue_seconds=0.05).run(BATCH, wanted="ibm")
    assert record.backend == "ibm" and record.seconds > 0.1


def test_a_job_given_up_and_cancelled_makes_way_for_a_new_one_and_what_it_cost_stays(tmp_path):
    ibm, store = Provider("ibm", cost=3.0, script=["for ever"]), HandleStore(tmp_path / "h")
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    ibm.price = lambda handle: 1.0
    ibm.cancel = lambda handle: setattr(ibm, "script", [Status.CANCELLED] * 2)
    manager = manage(ibm, store=store, ledger=ledger, longest_queue_seconds=0.05)
    _, record = manager.run(BATCH, wanted="ibm")
    assert record.backend == "simulator" and ledger.spent() == 1.0
    ibm.jobs.clear()
    _, record = manager.run(BATCH, wanted="ibm")
    assert (record.backend, record.hops) == ("ibm", ()) and ibm.jobs == ["batch-ibm"]
    assert ledger.spent() == 2.0 and list(store) == []


def test_a_job_given_up_that_finished_all_the_same_is_fetched(tmp_path):
    ibm, store = Provider("ibm", script=["for ever"]), HandleStore(tmp_path)
    manager = manage(ibm, store=store, longest_queue_seconds=0.05)
    assert manager.run(BATCH, wanted="ibm")[1].backend == "simulator"
    ibm.script.clear()
    ibm.submit_error = AssertionError("sent twice")
    assert manager.run(BATCH, wanted="ibm")[1].backend == "ibm"


# Time


def test_the_deadline_is_of_all_hops_together_and_the_simulator_answers_late():
    ibm, ionq = Provider("ibm", script=[Status.RUNNING] * 999), Provider("ionq")
    _, record = manage(ibm, ionq, patience=QUICK).run(BATCH, wanted="ibm")
    assert [hop.backend for hop in record.hops] == ["ibm", "ionq"]
    assert "did not finish ibm-1 within 0.3 s" in record.hops[0].reason
    assert record.hops[1].reason == "the 0.3 s for this batch were over before it was sent to ionq"
    assert ionq.jobs == [] and record.backend == "simulator" and record.seconds < 1
    assert record.fallback_reason.endswith("were over, but simulator needs nobody and answers late")


def test_the_next_one_gets_the_time_that_is_left():
    ibm = Provider("ibm", script=["for ever"])
    slow = Provider("ionq", script=[Status.RUNNING] * 999)
    manager = manage(ibm, slow, patience=QUICK, longest_queue_seconds=0.1)
    _, record = manager.run(BATCH, wanted="ibm")
    first, second = record.hops
    assert first.seconds == pytest.approx(0.1, abs=0.08)
    assert first.seconds + second.seconds == pytest.approx(0.3, abs=0.08)
    assert slow.cancelled == ["ionq-1"] and record.backend == "simulator"


def test_who_would_not_be_done_in_time_is_passed_over():
    ibm, ionq = Provider("ibm", queue=200.0), Provider("ionq", queue=2.0)
    patience = replace(PATIENT, deadline_seconds=100.0)
    _, record = manage(ibm, ionq, patience=patience).run(BATCH, wanted="ibm")
    assert record.backend == "ionq" and "would take about 200 s" in record.hops[0].reason
    offers = manage(ibm, ionq, patience=patience).dry_run(BATCH, wanted="ibm")
    assert [offer.can_run for offer in offers] == [False, True, True]


def test_a_simulation_that_would_take_too_long_is_left_to_the_classical_method():
    wide = batch_of(Circuit(22).h(0).h(1), shots=3)
    exact, patience = (Measured({"0": 3}),), replace(PATIENT, deadline_seconds=0.01)
    measured, record = manage(patience=patience).run(wide, classical=lambda batch: exact)
    assert measured == exact and (record.backend, record.status) == ("classical", "succeeded")
    assert "simulator would take about" in record.fallback_reason


def test_a_classical_method_that_fails_is_the_last_reason():
    def solve(batch):
        raise DoesNotFit("too many assets to enumerate")

    events = []
    with pytest.raises(BackendError, match="needs 40; classical: too many assets"):
        huge = batch_of(Circuit(40).h(0))
        manage().run(huge, classical=solve, report=events.append)
    assert [e["status"] for e in events] == ["running", "failed"]
    assert [hop["backend"] for hop in events[-1]["hops"]] == ["simulator", "classical"]


def test_a_refusal_for_now_is_asked_again_and_a_lost_answer_is_not():
    for refused, tries in ((True, 3), (False, 1)):
        ibm, asked = Provider("ibm"), []

        def submit(batch, ibm=ibm, asked=asked, refused=refused):
            asked.append(batch.tag)
            if len(asked) < 3:
                error = Unavailable("IBM is out of order")
                error.was_refused = refused
                raise error
            return Handle("ibm", batch, job_id="ibm-1")

        ibm.submit = submit
        _, record = manage(ibm).run(BATCH, wanted="ibm")
        assert len(asked) == tries
        assert record.backend == ("ibm" if refused else "simulator")


def test_no_pause_between_submissions_outlasts_the_deadline():
    ibm, pauses = Provider("ibm"), []
    ibm.submit_error = RateLimited("IBM asks for fewer requests")
    ibm.submit_error.was_refused = True
    ibm.submit_error.retry_after_seconds = 1800.0
    for limit in ({"patience": QUICK}, {"longest_queue_seconds": 900.0}):
        _, record = manage(ibm, sleep=pauses.append, **limit).run(BATCH, wanted="ibm")
        assert record.backend == "simulator" and pauses == []


def test_after_a_restart_it_goes_on_where_it_had_moved_to(tmp_path):
    ibm, ionq, store = Provider("ibm"), Provider("ionq"), HandleStore(tmp_path)
    ibm.submit_error = Unavailable("IBM is out of order")

    def die(handle):
        raise KeyboardInterrupt

    ionq.status = die
    with pytest.raises(KeyboardInterrupt):
        manage(ibm, ionq, store=store).run(BATCH, wanted="ibm")
    ibm.submit_error = None  # IBM is back, but IonQ has the job
    del ionq.status
    ionq.queue = 9999.0  # nor does the queue matter to a job that stands in it
    _, record = manage(ibm, ionq, store=store).run(BATCH, wanted="ibm")
    assert record.backend == "ionq" and ibm.jobs == [] and ionq.jobs == ["batch-ionq"]
    assert "had moved on to ionq" in record.fallback_reason


def test_what_was_given_up_is_not_where_it_goes_on(tmp_path):
    ibm, store = Provider("ibm", script=["for ever"]), HandleStore(tmp_path)
    ionq = Provider("ionq")
    manager = manage(ibm, ionq, store=store, longest_queue_seconds=0.1)
    _, record = manager.run(BATCH, wanted="ibm")
    assert record.backend == "ionq"
    _, record = manage(ibm, ionq, store=store).run(BATCH, wanted="ionq")
    assert record.backend == "ionq" and record.fallback_reason == ""


def test_sessions_end_with_the_manager_even_where_one_cannot():
    ibm, ionq, closed = Provider("ibm"), Provider("ionq"), []

    def close():
        closed.append("ibm")
        raise Unavailable("IBM is out of order")

    ibm.close, ionq.close = close, lambda: closed.append("ionq")
    manager = manage(ibm, ionq)
    manager.close()
    assert closed == []  # none was opened
    manager.run(BATCH, wanted="ibm")
    manager.run(BATCH, wanted="ionq")
    manager.run(BATCH, wanted="simulator")
    manager.close()
    assert closed == ["ibm", "ionq"]


def test_a_backend_is_opened_once_and_keeps_what_it_learnt():
    opened = []

    def open_backend(name):
        opened.append(name)
        return SimulatorBackend()

    manager = BackendManager(open_backend)
    manager.run(BATCH)
    manager.run(replace(BATCH, tag="again"))
    assert opened == ["simulator"]


@pytest.mark.parametrize(
    ("told", "status", "spent"),
    [
        (1.25, Status.SUCCEEDED, 1.25),
        (None, Status.SUCCEEDED, 3.0),
        (float("nan"), Status.SUCCEEDED, 3.0),
        (-1.0, Status.SUCCEEDED, 3.0),
        (0.0, Status.FAILED, 0.0),
    ],
)
def test_the_price_in_the_end_is_what_the_provider_says(tmp_path, told, status, spent):
    ibm = Provider("ibm", cost=3.0, script=[status])
    ibm.price = lambda handle: told
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    _, record = manage(ibm, ledger=ledger).run(BATCH, wanted="ibm")
    assert ledger.spent() == spent
    if status is Status.SUCCEEDED:
        assert record.cost == spent


def test_a_failed_job_is_paid_for_where_it_costs_and_tried_again_under_its_tag(tmp_path):
    ibm, store = Provider("ibm", cost=3.0, script=[Status.FAILED]), HandleStore(tmp_path / "h")
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    ibm.price = lambda handle: 1.0
    _, record = manage(ibm, ledger=ledger, store=store).run(BATCH, wanted="ibm")
    assert record.backend == "simulator" and list(store) == [] and ledger.spent() == 1.0
    _, record = manage(ibm, ledger=ledger, store=store).run(BATCH, wanted="ibm")
    assert record.backend == "ibm" and ledger.spent() == 2.0


def test_a_price_that_cannot_be_asked_is_what_was_expected(tmp_path):
    ibm = Provider("ibm", cost=3.0)

    def price(handle):
        raise Unavailable("IBM is out of order")

    ibm.price = price
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    _, record = manage(ibm, ledger=ledger).run(BATCH, wanted="ibm")
    assert ledger.spent() == record.cost == 3.0


def test_an_answer_given_before_is_not_bought_again(tmp_path):
    ibm = Provider("ibm", cost=3.0)
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=5.0)
    manager = manage(ibm, ledger=ledger, results=ResultCache(FileCache(tmp_path / "results")))
    seeded = replace(BATCH, seed=4)
    first, _ = manager.run(seeded, wanted="ibm")
    again, record = manager.run(replace(seeded, tag="other"), wanted="ibm")
    assert again == first and ibm.jobs == ["batch-ibm"] and ledger.spent() == 3.0
    assert (record.backend, record.cost, record.status) == ("ibm", 0.0, "succeeded")
    _, record = manager.run(replace(BATCH, tag="third"), wanted="ibm")  # without a seed
    assert record.backend == "simulator"  # shots are to vary, and the budget is spent


def test_an_answer_of_a_backend_set_up_otherwise_is_none(tmp_path):
    results, seeded = ResultCache(FileCache(tmp_path)), replace(BATCH, seed=4)
    for scale, kept in ((1.0, False), (1.0, True), (0.0, False)):
        noisy = NoisyBackend(scale=scale)
        _, record = manage(noisy, results=results).run(seeded, wanted="noisy")
        assert (record.handle_id == "kept from before") is kept


# The ledger


def test_the_cap_holds_however_many_ask_at_once(tmp_path):
    taken, refused = [], []

    def ask(number):
        ledger = Ledger(tmp_path / "ledger.jsonl", cap=10.0)
        try:
            ledger.reserve(f"job-{number}", 3.0)
            taken.append(number)
        except BudgetExceeded:
            refused.append(number)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 3 and len(refused) == 13
    assert Ledger(tmp_path / "ledger.jsonl", cap=10.0).spent() == 9.0


def test_the_cap_holds_between_processes(tmp_path):
    import subprocess
    import sys

    code = """
import sys
from pathlib import Path
from quantum.backends.ledger import Ledger
from quantum.errors import BudgetExceeded
for n in range(5):
    try:
        Ledger(Path(sys.argv[1]), cap=10.0).reserve(f"{sys.argv[2]}-{n}", 3.0)
    except BudgetExceeded:
        pass
"""
    file = tmp_path / "ledger.jsonl"
    started = [subprocess.Popen([sys.executable, "-c", code, file, str(n)]) for n in range(2)]
    assert [process.wait(60) for process in started] == [0, 0]
    assert Ledger(file, cap=10.0).spent() == 9.0


def test_money_is_settled_released_and_counted_once_per_tag(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl", cap=10.0)
    ledger.reserve("a", 6.0)
    ledger.reserve("a", 5.0)
    assert ledger.spent() == 5.0
    ledger.settle("a", 2.5)
    ledger.reserve("b", 7.5)
    assert ledger.left() == 0.0
    with pytest.raises(BudgetExceeded, match=r"cost 0.01 USD; of the cap of 10.00, 0.00"):
        ledger.reserve("c", 0.01)
    ledger.release("b")
    assert ledger.left() == 7.5
    for wrong in (-1.0, float("nan")):
        with pytest.raises(InvalidValues):
            ledger.reserve("d", wrong)
        with pytest.raises(InvalidValues):
            ledger.settle("d", wrong)


# The log


def test_the_log_holds_each_execution_as_it_is_by_now(tmp_path):
    log = ExecutionLog(tmp_path / "deep" / "log.jsonl")
    assert list(log) == [] and log.cost() == 0
    first = Execution(backend="ibm", cost=2.0, hops=(Hop("ionq", "no token"),))
    log.append(first)
    log.append(Execution(backend="simulator"))
    log.append(replace(first, status="succeeded", cost=1.5))
    assert [(e.backend, e.status) for e in log] == [("ibm", "succeeded"), ("simulator", "queued")]
    assert next(iter(log)).hops == (Hop("ionq", "no token"),) and log.cost() == 1.5


def test_means_travel_the_same_way():
    values = torch.tensor([[0.3]], dtype=torch.float64)
    batch = batch_of(Circuit(1).ry("a", 0), values, observables=(Z(0),))
    (found,), record = manage().run(batch, wanted="ibm")
    assert found.means[0] == pytest.approx(float(torch.cos(values[0, 0])))
    assert record.backend == "simulator"
