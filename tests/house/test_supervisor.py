"""Real small processes: what is kept running, and what is left of them afterwards (nothing)."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from webapp import supervisor as module
from webapp.supervisor import Child, Program, Supervisor

FOREVER = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")
DEAF = (
    sys.executable,
    "-c",
    "import signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
)
PARENT = (
    sys.executable,
    "-c",
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True); time.sleep(600)",
)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path, said):
    running = Supervisor(
        say=said.append, state_file=tmp_path / "serve.json", facts={"url": "http://x"}
    )
    yield running
    running.stop()


def ends(code: int) -> tuple[str, ...]:
    return (sys.executable, "-c", f"raise SystemExit({code})")


def wait_until(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def first_line(log: Path) -> str:
    wait_until(lambda: log.exists() and "\n" in log.read_text())
    return log.read_text().splitlines()[0]


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_it_writes_down_who_runs_where(supervisor, tmp_path):
    child = supervisor.add(Program("worker", FOREVER, log=tmp_path / "log"))
    state = json.loads((tmp_path / "serve.json").read_text())
    assert state == {"url": "http://x", "pids": {"worker": child.process.pid}}
    supervisor.stop()
    assert not (tmp_path / "serve.json").exists()


def test_a_vital_program_takes_everything_down_and_says_so(supervisor, said, tmp_path):
    supervisor.add(Program("worker", FOREVER, log=tmp_path / "log"))
    supervisor.add(Program("web", ends(3), vital=True))
    assert supervisor.wait_for(lambda: False, timeout_seconds=10) is False
    supervisor.watch(lambda: None)
    assert said == ["The web process ended (exit status 3), so everything stops."]
    assert supervisor.exit_status == 1


def test_a_worker_that_dies_is_replaced(supervisor, said, tmp_path):
    child = supervisor.add(Program("worker", FOREVER, log=tmp_path / "log"))
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: child.has_ended)
    assert supervisor.wait_for(lambda: child.process.pid != first, timeout_seconds=5) is True
    assert said == ["The worker process ended (signal 9); it is started again."]
    assert json.loads(supervisor.state_file.read_text())["pids"]["worker"] == child.process.pid
    assert is_alive(child.process.pid)


def test_what_a_dead_worker_had_forked_goes_with_it(supervisor, tmp_path):
    child = supervisor.add(Program("worker", PARENT, log=tmp_path / "log"))
    grandchild = int(first_line(tmp_path / "log"))
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    assert supervisor.wait_for(lambda: child.process.pid != first, timeout_seconds=5) is True
    wait_until(lambda: not is_alive(grandchild))


def test_the_pauses_between_restarts_grow(monkeypatch):
    child = Child(Program("worker", ends(1)))
    assert [child.plan_restart() for _ in range(8)] == [0, 1, 2, 5, 10, 30, 30, 30]
    monkeypatch.setattr(module, "STEADY_SECONDS", -1)
    assert child.plan_restart() == 0
    child.kill()


def test_stop_leaves_no_process_behind(supervisor, tmp_path):
    supervisor.add(Program("broker", FOREVER, serves_others=True, log=tmp_path / "broker"))
    supervisor.add(Program("worker", PARENT, log=tmp_path / "worker"))
    pids = [child.process.pid for child in supervisor.children]
    pids.append(int(first_line(tmp_path / "worker")))
    supervisor.stop()
    wait_until(lambda: not any(map(is_alive, pids)), seconds=2)


def test_a_program_that_ignores_the_request_is_killed(supervisor, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    child = supervisor.add(Program("worker", DEAF, log=tmp_path / "log"))
    assert first_line(tmp_path / "log") == "deaf"
    supervisor.stop()
    assert child.process.returncode == -signal.SIGKILL


def test_servers_outlive_their_clients(supervisor, tmp_path):
    """The broker still runs while the worker says goodbye."""
    broker = supervisor.add(Program("broker", FOREVER, serves_others=True, log=tmp_path / "b"))
    looks = (
        "import os, signal, sys, time\n"
        "def goodbye(*_):\n"
        f"    os.kill({broker.process.pid}, 0); print('still there', flush=True); sys.exit()\n"
        "signal.signal(signal.SIGTERM, goodbye); print('ready', flush=True); time.sleep(600)"
    )
    supervisor.add(Program("worker", (sys.executable, "-c", looks), log=tmp_path / "w"))
    first_line(tmp_path / "w")
    supervisor.stop()
    assert (tmp_path / "w").read_text().splitlines() == ["ready", "still there"]


def test_a_signal_ends_the_watch(supervisor, tmp_path):
    supervisor.add(Program("web", FOREVER, vital=True, log=tmp_path / "log"))
    previous = [signal.getsignal(number) for number in module.STOP_SIGNALS]
    supervisor.catch_signals()
    try:
        supervisor.watch(lambda: os.kill(os.getpid(), signal.SIGTERM))
    finally:
        for number, handler in zip(module.STOP_SIGNALS, previous, strict=True):
            signal.signal(number, handler)
    assert supervisor.signals == 1
    assert supervisor.exit_status == 0


def test_programs_do_not_outlive_a_supervisor_that_is_killed(tmp_path):
    script = (
        "import pathlib, sys, time\n"
        "from webapp.supervisor import Program, Supervisor\n"
        "it = Supervisor(say=print, state_file=pathlib.Path(sys.argv[1]), facts={})\n"
        f"child = it.add(Program('worker', {FOREVER!r}))\n"
        "print(child.process.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        process.kill()
    wait_until(lambda: not is_alive(pid))
