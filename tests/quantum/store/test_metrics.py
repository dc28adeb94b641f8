import csv
import math
import multiprocessing
import sqlite3

import pytest

from quantum.store.metrics import Metrics


@pytest.fixture
def metrics(tmp_path) -> Metrics:
    found = Metrics(tmp_path / "metrics.sqlite3")
    for step in range(5):
        found.append(
            "a", {"loss": 1 / (step + 1), "norm": step}, step=step, epoch=step // 2, at=9.0
        )
    found.append("b", {"loss": math.nan}, step=0)
    return found


def test_readings_come_back_in_order(metrics):
    found = metrics.query(run="a", name="loss")
    assert [(r.step, r.epoch, r.value, r.at) for r in found][:3] == [
        (0, 0, 1.0, 9.0),
        (1, 0, 0.5, 9.0),
        (2, 1, 1 / 3, 9.0),
    ]


def test_queries_narrow_down(metrics):
    assert len(metrics.query()) == 11
    assert len(metrics.query(run="a", first_step=2, last_step=3)) == 4
    assert [r.step for r in metrics.query(run="a", name="norm", limit=2)] == [0, 1]
    assert metrics.query(run="c") == []
    assert metrics.runs() == ["a", "b"]
    assert metrics.latest("a") == {"loss": 0.2, "norm": 4.0}


def test_no_number_stays_no_number(metrics):
    (reading,) = metrics.query(run="b")
    assert math.isnan(reading.value) and reading.epoch is None


def test_a_curve_takes_the_last_reading_of_a_step(metrics):
    metrics.append("a", {"loss": 7.0}, step=1)
    assert metrics.curve("a", "loss")[:3] == [(0, 1.0), (1, 7.0), (2, 1 / 3)]


@pytest.mark.parametrize("command", ["UPDATE readings SET value = 0", "DELETE FROM readings"])
def test_nothing_is_changed_or_deleted(metrics, tmp_path, command):
    with (
        sqlite3.connect(tmp_path / "metrics.sqlite3") as connection,
        pytest.raises(sqlite3.DatabaseError, match="appended, never"),
    ):
        connection.execute(command)
    connection.close()
    assert len(metrics.query()) == 11


def test_a_step_s_values_are_added_together_or_not_at_all(metrics):
    with pytest.raises((TypeError, ValueError)):
        metrics.append("a", {"loss": 1.0, "bad": "many"}, step=9)
    assert metrics.query(run="a", first_step=9) == []


def test_the_table_has_every_reading_exactly(metrics, tmp_path):
    assert metrics.export_csv(tmp_path / "out.csv", run="a") == 10
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[4] == {
        "run": "a",
        "name": "loss",
        "step": "2",
        "epoch": "1",
        "value": repr(1 / 3),
        "at": "9.0",
    }
    assert metrics.export_csv(tmp_path / "all.csv") == 11


def test_names_are_values_never_commands(metrics):
    name = "x'; DROP TABLE readings; --"
    metrics.append(name, {name: 1.0}, step=0)
    assert [r.value for r in metrics.query(run=name, name=name)] == [1.0]


def _write(path, run):
    metrics = Metrics(path)
    for step in range(20):
        metrics.append(run, {"loss": float(step)}, step=step)


def test_several_processes_write_at_once(tmp_path):
    path = tmp_path / "metrics.sqlite3"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(path, str(i))) for i in range(2)]
    for writer in writers:
        writer.start()
    _write(path, "here")
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    for run in ("0", "1", "here"):
        assert [value for _, value in Metrics(path).curve(run, "loss")] == list(range(20))
