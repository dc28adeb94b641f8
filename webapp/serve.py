"""Starts the product: `python -m webapp.serve [web] [worker]`, both unless one is named.

The environment is settled first (which broker, which address), so that Django, which is loaded
after it, and every child process read the same settings.
"""

import argparse
import contextlib
import fcntl
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import redis

from folding.cores import usable_cores
from webapp import broker
from webapp.address import Address, CannotListen, free_address, is_loopback
from webapp.env import LOG_LEVELS, BadSetting, env_choice, env_folder, env_int, env_text
from webapp.place import node_name
from webapp.supervisor import Program, Supervisor

ROOT = Path(__file__).resolve().parent.parent
ROLES = ("web", "worker")
BROKER_START_SECONDS = 5
WEB_START_SECONDS = 60
SWEEP_SECONDS = 5
LAB_START_SECONDS = 5
SOCKET_MESSAGE_BYTES = 64 * 1024


class CannotStart(Exception):
    """One sentence for the person at the terminal."""


def say(sentence: str) -> None:
    print(sentence, flush=True)


def main() -> int:
    """The exit status: 0 after Ctrl-C, 1 when a process failed, 2 when nothing could start."""
    try:
        options = _options()
        data_dir = env_folder("FOLDSTREAM_DATA", ROOT / "var")
        with _sole_owner(data_dir):
            return serve(options, data_dir=data_dir)
    except (CannotStart, CannotListen, BadSetting) as error:
        say(str(error))
        return 2


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m webapp.serve", description=__doc__)
    parser.add_argument("roles", nargs="*", metavar="role", help="web, worker; both by default")
    parser.add_argument("--host", default=env_text("FOLDSTREAM_HOST", "127.0.0.1"))
    port = env_int("FOLDSTREAM_PORT", 8000, at_most=65535)
    parser.add_argument("--port", type=int, default=port, help="0 takes any free port")
    parser.add_argument("--no-example", action="store_true", help="start with an empty job list")
    options = parser.parse_args()
    if unknown := set(options.roles) - set(ROLES):
        parser.error(f"no such role: {', '.join(sorted(unknown))}")
    options.roles = options.roles or list(ROLES)
    return options


@contextlib.contextmanager
def _sole_owner(data_dir: Path) -> Iterator[None]:
    """Holds the data folder if an own broker will write there; two would spoil each other's log."""
    with (data_dir / "serve.lock").open("w") as lock:
        try:
            if not env_text("REDIS_URL"):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"Foldstream already runs with the data folder {data_dir}; stop it first, or set "
                "FOLDSTREAM_DATA to another folder."
            ) from None
        yield


def serve(options: argparse.Namespace, *, data_dir: Path) -> int:
    """Runs the chosen roles until a signal or a failure, and returns the exit status."""
    has_web = "web" in options.roles
    address = free_address(options.host, options.port if has_web else 0)
    os.environ["FOLDSTREAM_HOST"] = address.host
    supervisor = Supervisor(say=say, state_file=_state_file(data_dir), facts={"url": address.url})
    supervisor.catch_signals()
    try:
        start_broker(supervisor, data_dir=data_dir)
        _load_django(migrate=has_web)
        if "worker" in options.roles:
            _find_files()
        if has_web:
            _tell_unknown(data_dir)
            supervisor.add(_web(address))
            if not options.no_example and is_loopback(address.host):
                _submit_example()
            _announce(supervisor, address)
        # After the first page: torch takes a core for a second or two while it is loaded.
        if "worker" in options.roles and not supervisor.is_ending:
            supervisor.add(_worker())
            supervisor.add(_fetcher())
        # Later still: nobody has a run in the Lab within the first seconds. One for all machines:
        # what the Lab keeps are SQLite files, which several hosts cannot write at once.
        lab = once(LAB_START_SECONDS, lambda: has_web and supervisor.add(_lab()))
        sweep = every(SWEEP_SECONDS, _sweep)
        supervisor.watch(lambda: _together(sweep, lab))
        say("Stopping.")
    finally:
        supervisor.stop()
    return supervisor.exit_status


def _state_file(data_dir: Path) -> Path:
    """One file per supervisor: several may share the folder when Redis is elsewhere."""
    return data_dir / (f"serve-{os.getpid()}.json" if env_text("REDIS_URL") else "serve.json")


def start_broker(supervisor: Supervisor, *, data_dir: Path) -> None:
    """Makes `REDIS_URL` name a broker that answers, starting the first that will, and says which.

    Raises:
        CannotStart: the Redis at a given REDIS_URL does not answer.
        BadSetting: REDIS_URL is no URL of a Redis.
    """
    for candidate in broker.candidates(data_dir, redis_url=broker.given_url()):
        if _is_up(candidate, supervisor=supervisor, data_dir=data_dir):
            say(f"Broker: {candidate.name}")
            os.environ["REDIS_URL"] = candidate.url
            return
        say(f"{candidate.name} does not answer (see {data_dir / 'broker.log'}).")
    raise CannotStart("There is no broker to carry the jobs. Is the Redis at REDIS_URL running?")


def _is_up(candidate: broker.Broker, *, supervisor: Supervisor, data_dir: Path) -> bool:
    if not candidate.command:
        return broker.wait_until_ready(candidate.url, timeout_seconds=BROKER_START_SECONDS)
    log = data_dir / "broker.log"
    child = supervisor.add(Program("broker", candidate.command, log=log, serves_others=True))
    if broker.wait_until_ready(candidate.url, timeout_seconds=BROKER_START_SECONDS):
        broker.remember(candidate, data_dir=data_dir)
        return True
    supervisor.drop(child)
    return False


def _load_django(*, migrate: bool) -> None:
    """Reads the settings, now that the environment is complete; brings the tables up to date."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    import django
    from django.core.management import call_command

    django.setup()
    if migrate:
        call_command("migrate", verbosity=0, interactive=False)


def _find_files() -> None:
    """Makes sure of what this machine's worker is told to search in.

    Raises:
        BadSetting: a database or the templates are not there.
    """
    from webapp.search_request import site

    here = site()
    names = {"protein": "FOLDSTREAM_MSA_DATABASES", "rna": "FOLDSTREAM_RNA_DATABASES"}
    for database in here.databases:
        if not os.access(database.path, os.R_OK) or not database.path.is_file():
            rule = "FASTA files that this machine can read"
            raise BadSetting(names[database.kind], value=str(database.path), rule=rule)
    templates = here.template_folder
    if templates is not None and not templates.is_dir():
        rule = "a folder that this machine can read"
        raise BadSetting("FOLDSTREAM_TEMPLATES", value=str(templates), rule=rule)


def _tell_unknown(data_dir: Path) -> None:
    """Says so if results lie here of which the database knows nothing: it may be the wrong one."""
    from webapp import sweeper

    if n := sweeper.n_unknown():
        say(
            f"{data_dir / 'jobs'} holds the files of {n} job{'s'[: n > 1]} that this database does "
            "not know. They stay as they are; is DATABASE_URL the one you mean?"
        )


def _web(address: Address) -> Program:
    options = {
        "--host": address.host,
        "--port": str(address.port),
        "--lifespan": "off",
        "--log-level": _log_level(),
        "--ws-max-size": str(SOCKET_MESSAGE_BYTES),
        # Small frames: packing them costs each of 500 sockets more than sending them.
        "--ws-per-message-deflate": "false",
        "--timeout-graceful-shutdown": "2",
    }
    words = (word for pair in options.items() for word in pair)
    command = (sys.executable, "-m", "uvicorn", "webapp.asgi:application", *words)
    return Program("web", (*command, "--no-server-header"), vital=True)


def _worker() -> Program:
    """One fold at a time. Its threads sleep while they wait, so that the pages stay quick."""
    options = {
        "--pool": "prefork",
        "--concurrency": "1",
        "--loglevel": _log_level().upper(),
        "--hostname": node_name("fold"),
    }
    return _celery(
        "worker",
        options,
        OMP_WAIT_POLICY="passive",
        OMP_NUM_THREADS=env_text("OMP_NUM_THREADS", str(usable_cores())),
    )


def _fetcher() -> Program:
    """Downloads weights beside the folds; its child ends after each and gives its memory back."""
    queue = env_text("FOLDSTREAM_QUEUE", "fold")
    options = {
        "--pool": "prefork",
        "--concurrency": "1",
        "--max-tasks-per-child": "1",
        "--queues": f"{queue}-weights",
        "--loglevel": _log_level().upper(),
        "--hostname": node_name("weights"),
    }
    return _celery("fetcher", options, OMP_WAIT_POLICY="passive", OMP_NUM_THREADS="1")


def _lab() -> Program:
    """The Lab: a run and a chore at a time, each in a child that ends after it."""
    queue = env_text("FOLDSTREAM_QUEUE", "fold")
    options = {
        "--pool": "prefork",
        "--concurrency": "2",
        "--max-tasks-per-child": "1",
        "--queues": f"{queue}-lab",
        "--loglevel": _log_level().upper(),
        "--hostname": node_name("lab"),
    }
    return _celery("lab", options, OMP_WAIT_POLICY="passive", OMP_NUM_THREADS="1")


def _log_level() -> str:
    return env_choice("LOG_LEVEL", "warning", of=LOG_LEVELS)


def _celery(role: str, options: Mapping[str, str], **environment: str) -> Program:
    words = (word for pair in options.items() for word in pair)
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    command = (sys.executable, "-m", "celery", "-A", "webapp.celery", "worker", *words, *quiet)
    return Program(role, command, environment=environment, quiet=True)


def _submit_example() -> None:
    from webapp import first_fold

    if first_fold.submit_if_empty():
        say("The first fold is on its way: ubiquitin, as an example.")


def _sweep() -> None:
    """Repairs what dead workers left; what fails now is tried again at the next sweep."""
    from django.db import Error, close_old_connections

    from webapp import sweeper

    close_old_connections()
    try:
        sweeper.sweep()
    except (Error, redis.RedisError, OSError) as error:
        say(f"The queue could not be swept, next try in {SWEEP_SECONDS} s: {error}")


def every(seconds: float, chore: Callable[[], None]) -> Callable[[], None]:
    """A function to call often that does its chore at most every so many seconds."""
    due = 0.0

    def tick() -> None:
        nonlocal due
        if time.monotonic() >= due:
            chore()
            due = time.monotonic() + seconds

    return tick


def _together(*chores: Callable[[], None]) -> None:
    for chore in chores:
        chore()


def once(seconds: float, chore: Callable[[], object]) -> Callable[[], None]:
    """A function to call often that does its chore one time, so many seconds from now."""
    due: float | None = time.monotonic() + seconds

    def tick() -> None:
        nonlocal due
        if due is not None and time.monotonic() >= due:
            due = None
            chore()

    return tick


def _announce(supervisor: Supervisor, address: Address) -> None:
    if not supervisor.wait_for(lambda: _answers(address), timeout_seconds=WEB_START_SECONDS):
        return
    say(f"Foldstream is at {address.url} (Ctrl-C stops it)")
    if not is_loopback(address.host) and not env_text("FOLDSTREAM_URL"):
        say("Browsers on other machines are let in once FOLDSTREAM_URL names the address they use.")


def _answers(address: Address) -> bool:
    """Whether the web process is up.

    Raises:
        CannotStart: it is up, and broken.
    """
    try:
        with urllib.request.urlopen(f"{address.url}/healthz/", timeout=2):
            return True
    except urllib.error.HTTPError as error:
        raise CannotStart(
            f"The web process answers its health check with {error.code}; the lines above say why."
        ) from None
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
