"""Whatever providers do, in whatever order: the cap holds, and nothing is sent twice."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.backends.base import Capabilities, Estimate, Handle, Measured, Status, batch_of
from quantum.backends.choose import BackendManager
from quantum.backends.executions import ExecutionLog
from quantum.backends.handles import HandleStore
from quantum.backends.ledger import Ledger
from quantum.backends.run import Patience
from quantum.backends.simulated import SimulatorBackend, mock
from quantum.circuit import Circuit
from quantum.errors import (
    BackendError,
    BadAnswer,
    Cancelled,
    JobFailed,
    QuantumError,
    RateLimited,
    Unauthorized,
    Unavailable,
)

CAP = 10.0
BATCH = batch_of(Circuit(2).x(0), shots=4, tag="b")
QUICK = Patience(deadline_seconds=5.0, first_seconds=0.0, longest_seconds=0.0, trouble=2)
ERRORS = [None, Unauthorized(), Unavailable(), BadAnswer(), RateLimited(), JobFailed()]
MOODS = st.fixed_dictionaries(
    {
        "cost": st.floats(0.0, 6.0),
        "ceiling": st.none() | st.floats(0.0, 8.0),
        "charged": st.none() | st.floats(0.0, 3.0) | st.just(float("nan")),
        "submit": st.sampled_from(ERRORS),
        "status": st.lists(
            st.sampled_from([*list(Status), Unavailable(), BadAnswer()]), max_size=4
        ),
        "result": st.sampled_from(ERRORS),
        "cancel": st.sampled_from([None, Unavailable()]),
        "queue": st.none() | st.floats(0, 4),
    }
)


class Moody:
    """A provider that does what it is told, and counts what it could charge for."""

    def __init__(self, name, mood):
        self.name, self.mood, self.sent = name, mood, []
        self.script = list(mood["status"])

    def capabilities(self):
        return Capabilities(20, is_device=True, pays=True)

    def estimate(self, batch):
        return Estimate(self.mood["queue"], 0.001, self.mood["cost"], ceiling=self.mood["ceiling"])

    def submit(self, batch):
        if self.mood["submit"]:
            raise self.mood["submit"]
        self.sent.append(batch.tag)
        return Handle(self.name, batch, job_id=f"{self.name}-{len(self.sent)}")

    def status(self, handle):
        told = self.script.pop(0) if self.script else Status.SUCCEEDED
        if isinstance(told, Exception):
            raise told
        return told

    def result(self, handle):
        if self.mood["result"]:
            raise self.mood["result"]
        return mock().result(handle)

    def cancel(self, handle):
        if self.mood["cancel"]:
            raise self.mood["cancel"]

    def price(self, handle):
        return self.mood["charged"]


def manager_of(folder: Path, *providers, **options) -> BackendManager:
    known = {provider.name: provider for provider in providers}
    return BackendManager(
        lambda name: known.get(name) or SimulatorBackend(),
        store=HandleStore(folder / "handles"),
        ledger=Ledger(folder / "ledger.jsonl", cap=CAP),
        log=ExecutionLog(folder / "log.jsonl"),
        patience=QUICK,
        sleep=lambda seconds: None,
        **options,
    )


@settings(deadline=None, max_examples=35)
@given(ibm=MOODS, ionq=MOODS, n_runs=st.integers(1, 3), same_tag=st.booleans())
def test_the_cap_holds_and_somebody_answers_whatever_providers_do(ibm, ionq, n_runs, same_tag):
    with TemporaryDirectory() as name:
        folder = Path(name)
        providers = Moody("ibm", ibm), Moody("ionq", ionq)
        manager = manager_of(folder, *providers)
        for number in range(n_runs):
            tag = "b" if same_tag else f"b{number}"
            measured, record = manager.run(replace(BATCH, tag=tag), wanted="ibm")
            assert measured == (Measured({"10": 4}),)
            assert record.status == "succeeded"
            answered = record.backend
            assert answered in ("ibm", "ionq", "simulator")
            assert answered not in [hop.backend for hop in record.hops]
            assert all(hop.reason for hop in record.hops)
            # What was set aside never passed the cap; a price may turn out higher, but not here.
            assert manager.ledger.spent() <= CAP + 1e-9
        assert len(list(manager.log)) == n_runs
        assert all(execution.status == "succeeded" for execution in manager.log)


@settings(deadline=None, max_examples=25)
@given(ibm=MOODS, at=st.integers(0, 4))
def test_whoever_cancels_leaves_no_record_under_way_and_no_money_that_came_to_nothing(ibm, at):
    with TemporaryDirectory() as name:
        folder, heard = Path(name), []
        provider = Moody("ibm", ibm)
        manager = manager_of(folder, provider)

        def report(event):
            heard.append(event)
            if len(heard) > at:
                raise Cancelled

        try:
            manager.run(BATCH, wanted="ibm", report=report)
        except Cancelled:
            assert [execution.status for execution in manager.log] == ["cancelled"]
            if not provider.sent and ibm["submit"] is None:
                assert manager.ledger.spent() == 0.0
        else:
            assert [execution.status for execution in manager.log] == ["succeeded"]
        assert len(provider.sent) <= 1


@settings(deadline=None, max_examples=25)
@given(ibm=MOODS, dies=st.integers(0, 3))
def test_after_a_death_at_any_moment_the_same_batch_is_sent_once(ibm, dies):
    """A provider that finds a job by its tag, as ours do: nothing is ever paid for twice."""

    class Finding(Moody):
        def submit(self, batch):
            if batch.tag in self.sent:
                return Handle(self.name, batch, job_id=f"{self.name}-1")
            return super().submit(batch)

    class Death(BaseException):
        pass

    with TemporaryDirectory() as name:
        folder, heard = Path(name), []
        provider = Finding("ibm", {**ibm, "submit": None, "result": None, "status": []})

        def report(event):
            heard.append(event)
            if len(heard) > dies:
                raise Death

        try:
            manager_of(folder, provider).run(BATCH, wanted="ibm", report=report)
        except Death:
            measured, record = manager_of(folder, provider).run(BATCH, wanted="ibm")
            assert measured == (Measured({"10": 4}),) and record.status == "succeeded"
        assert len(provider.sent) <= 1


@pytest.mark.parametrize("damage", ["no json\n", '{"tag": 1}\n'])
def test_a_damaged_ledger_stops_what_costs_and_nothing_else(tmp_path, damage):
    (tmp_path / "ledger.jsonl").write_text(damage)
    mood = {"cost": 1.0, "ceiling": None, "charged": None, "submit": None, "status": [],
            "result": None, "cancel": None, "queue": 0.0}  # fmt: skip
    paid, free = Moody("ibm", mood), Moody("ionq", {**mood, "cost": 0.0})
    manager = manager_of(tmp_path, paid)
    _, record = manager.run(BATCH, wanted="simulator")
    assert record.backend == "simulator" and record.hops == ()
    with pytest.raises(QuantumError, match="ledger"):
        Ledger(tmp_path / "ledger.jsonl", cap=CAP).spent()
    offers = {o.backend: o for o in manager_of(tmp_path, paid, free).dry_run(BATCH, wanted="ibm")}
    assert not offers["ibm"].can_run and "cannot be read" in offers["ibm"].reason
    assert offers["ionq"].can_run and offers["simulator"].can_run


@pytest.mark.parametrize("queue", [float("nan"), -5.0])
def test_a_queue_that_is_no_time_is_not_known(tmp_path, queue):
    mood = {"cost": 0.0, "ceiling": None, "charged": None, "submit": None, "status": [],
            "result": None, "cancel": None, "queue": queue}  # fmt: skip
    offers = manager_of(tmp_path, Moody("ibm", mood)).dry_run(BATCH, wanted="ibm")
    assert offers[0].estimate.queue_seconds is None
    assert "given up if it has not begun" in offers[0].estimate.note


def test_money_in_another_currency_is_not_spent(tmp_path):
    class Euros(Moody):
        def estimate(self, batch):
            return Estimate(0.0, 0.001, 1.0, currency="EUR")

    mood = {"charged": None, "submit": None, "status": [], "result": None, "cancel": None}
    _, record = manager_of(tmp_path, Euros("ibm", mood)).run(BATCH, wanted="ibm")
    assert record.hops[0].reason == "ibm counts in EUR, the budget in USD"


def test_a_chain_of_one_s_own_is_kept_to(tmp_path):
    mood = {"cost": 0.0, "ceiling": None, "charged": None, "submit": Unauthorized("no"),
            "status": [], "result": None, "cancel": None, "queue": 0.0}  # fmt: skip
    manager = manager_of(tmp_path, Moody("ibm", mood), chains={"mine": ("ibm",)})
    with pytest.raises(BackendError, match=r"no backend could run the batch\. ibm: no"):
        manager.run(BATCH, wanted="mine")
    (execution,) = manager.log
    assert (execution.status, execution.reasons) == ("failed", "ibm: no")
