"""Keeps a handful of programs running, and stops them all together.

Every program has a process group of its own, so that Ctrl-C reaches the supervisor alone and the
supervisor decides who stops when. On Linux the kernel stops the programs if the supervisor dies.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

TICK_SECONDS = 0.2
# Whoever needs longer has nothing left to lose: a worker gives its fold back within a second.
STOP_SECONDS = 6
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RESTART_PAUSES_SECONDS = (0, 1, 2, 5, 10, 30)
STEADY_SECONDS = 60
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Program:
    """What to run. A vital program is not started again: when it ends, everything ends.

    One that `serves_others` is stopped after them. Without a `log` it writes to the terminal; a
    `quiet` one writes only its errors there.
    """

    role: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    log: Path | None = None
    quiet: bool = False
    vital: bool = False
    serves_others: bool = False

    def spawn(self) -> subprocess.Popen[bytes]:
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(self.log.open("ab")) if self.log else None
            return subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if self.quiet else output,
                stderr=output,
                start_new_session=True,
                preexec_fn=self._stop_with_parent if sys.platform == "linux" else None,
            )

    def _stop_with_parent(self) -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, self.stop_signal)


class Child:
    """A program that runs, or that waits to be started again."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.failures = 0
        self.start()

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.restart_at: float | None = None
        self.process = self.program.spawn()

    @property
    def has_ended(self) -> bool:
        return self.restart_at is None and self.process.poll() is not None

    @property
    def is_due(self) -> bool:
        return self.restart_at is not None and time.monotonic() >= self.restart_at

    def plan_restart(self) -> float:
        """Seconds until the next start: more each time, unless it had run steadily."""
        if time.monotonic() - self.started_at > STEADY_SECONDS:
            self.failures = 0
        pause = RESTART_PAUSES_SECONDS[min(self.failures, len(RESTART_PAUSES_SECONDS) - 1)]
        self.failures += 1
        self.restart_at = time.monotonic() + pause
        return pause

    def ask_to_stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(self.program.stop_signal)

    def wait(self, deadline: float) -> None:
        """Returns when it has ended; at the deadline (monotonic seconds) it is killed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.5, deadline - time.monotonic()))
        self.kill()

    def kill(self) -> None:
        """Ends what is left of its process group; a polite child has left nothing."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Supervisor:
    """Runs programs until a signal, or until a vital one ends.

    Args:
        say: receives sentences for the person at the terminal.
        state_file: where the process ids stand as JSON, beside the entries of `facts`.
    """

    def __init__(
        self, *, say: Callable[[str], None], state_file: Path, facts: Mapping[str, str]
    ) -> None:
        self.say = say
        self.state_file = state_file
        self.facts = facts
        self.children: list[Child] = []
        self.signals = 0
        self.exit_status = 0

    @property
    def is_ending(self) -> bool:
        """True after a signal or the end of a vital program."""
        return bool(self.signals or self.exit_status)

    def add(self, program: Program) -> Child:
        """Starts the program and keeps it running from now on."""
        child = Child(program)
        self.children.append(child)
        self._write_state()
        return child

    def drop(self, child: Child) -> None:
        """Ends the program and forgets it."""
        child.kill()
        self.children.remove(child)

    def catch_signals(self) -> None:
        """From now on Ctrl-C, and its relatives, end the watch; a second one kills."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signals += 1
        if self.signals > 1:
            for child in self.children:
                child.kill()

    def watch(self, every_tick: Callable[[], None]) -> None:
        """Returns after a signal or the end of a vital program; the others are restarted."""
        while not self.is_ending and self._tend():
            every_tick()
            time.sleep(TICK_SECONDS)

    def wait_for(self, condition: Callable[[], bool], *, timeout_seconds: float) -> bool:
        """True once the condition holds; False after the time, a signal, or a vital end."""
        deadline = time.monotonic() + timeout_seconds
        while not condition():
            if self.signals or time.monotonic() > deadline or not self._tend():
                return False
            time.sleep(TICK_SECONDS / 4)
        return True

    def _tend(self) -> bool:
        for child in self.children:
            if child.has_ended and not self._replace(child):
                return False
            if child.is_due:
                child.start()
                self._write_state()
        return True

    def _replace(self, child: Child) -> bool:
        how = _describe(child.process.returncode)
        role = child.program.role
        child.kill()
        if child.program.vital:
            self.say(f"The {role} process ended ({how}), so everything stops.")
            self.exit_status = 1
            return False
        pause = child.plan_restart()
        when = f" in {pause} s" if pause else ""
        self.say(f"The {role} process ended ({how}); it is started again{when}.")
        return True

    def stop(self) -> None:
        """Stops every program together with all it has forked, those that serve others last."""
        deadline = time.monotonic() + STOP_SECONDS
        clients = [child for child in self.children if not child.program.serves_others]
        servers = [child for child in self.children if child.program.serves_others]
        for wave in (clients, servers):
            for child in wave:
                child.ask_to_stop()
            for child in wave:
                child.wait(deadline)
        self.state_file.unlink(missing_ok=True)

    def _write_state(self) -> None:
        pids = {child.program.role: child.process.pid for child in self.children}
        draft = self.state_file.with_suffix(".draft")
        draft.write_text(json.dumps({**self.facts, "pids": pids}))
        draft.replace(self.state_file)


def _describe(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
