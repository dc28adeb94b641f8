"""The log of what ran: whole lines, whoever writes and whoever dies."""

import json
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.backends.executions import Execution, ExecutionLog, Hop

TEXT = st.text(max_size=30)
HOPS = st.lists(st.tuples(TEXT, TEXT, st.floats(0, 1e6)), max_size=3)
FIELDS = st.fixed_dictionaries(
    {
        "tag": TEXT,
        "wanted": TEXT,
        "backend": TEXT,
        "n_qubits": st.integers(0, 100),
        "shots": st.none() | st.integers(1, 10**6),
        "cost": st.floats(0, 1e6),
        "fallback_reason": TEXT,
    }
)


@pytest.fixture
def log(tmp_path):
    return ExecutionLog(tmp_path / "log.jsonl")


@settings(deadline=None, max_examples=25)
@given(fields=FIELDS, hops=HOPS)
def test_an_execution_survives_its_way_through_json(fields, hops):
    execution = Execution(**fields, hops=tuple(Hop(*hop) for hop in hops))
    assert Execution.from_json(json.loads(json.dumps(execution.to_json()))) == execution


def test_reasons_name_every_backend_that_did_not_do_it():
    hops = (Hop("ibm", "no token"), Hop("ionq", "its queue is long", 2.0))
    assert Execution(hops=hops).reasons == "ibm: no token; ionq: its queue is long"
    assert Execution().reasons == ""


def test_executions_have_names_of_their_own():
    assert len({Execution().id for _ in range(100)}) == 100


def test_the_order_is_that_of_their_beginnings_whatever_ends_first(log):
    slow, quick = Execution(backend="ibm"), Execution(backend="simulator")
    for each in (slow, quick, replace(quick, status="succeeded"), replace(slow, status="failed")):
        log.append(each)
    assert [(e.backend, e.status) for e in log] == [("ibm", "failed"), ("simulator", "succeeded")]


@pytest.mark.parametrize("torn", [b"{", b'{"id": "x", "hops": [', b"\xff\xfe"])
def test_a_line_whose_writer_died_takes_no_other_with_it(log, torn):
    first, second = Execution(backend="ibm", cost=1.0), Execution(backend="ionq", cost=2.0)
    log.append(first)
    with log.file.open("ab") as file:
        file.write(torn)
    assert list(log) == [first]
    log.append(second)
    assert list(log) == [first, second] and log.cost() == 3.0


def test_lines_of_another_kind_are_left_out(log):
    log.append(Execution(backend="ibm"))
    with log.file.open("a") as file:
        file.write('{"id": "old", "hops": [], "colour": "red"}\n[1, 2]\n"text"\n')
    log.append(Execution(backend="ionq"))
    assert [execution.backend for execution in log] == ["ibm", "ionq"]


def test_many_writers_leave_whole_lines(log):
    def write(number):
        for turn in range(20):
            log.append(Execution(tag=f"{number}-{turn}", fallback_reason="x" * 5000))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = list(log)
    assert len({execution.tag for execution in found}) == len(found) == 100
    assert len(log.file.read_bytes().splitlines()) == 100


def test_text_of_any_script_is_kept(log):
    log.append(Execution(fallback_reason="Zu teuer: 5 € — 高い\u2028next"))
    (found,) = log
    assert found.fallback_reason.endswith("高い\u2028next")
