"""The whole product in processes of its own, started by the same command as `make run`."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 30
STOP_SECONDS = 20


class LiveStack:
    """Web, worker and broker on a free port. `url` is the home page's address without the slash."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.data_dir = data_dir
        self.log = data_dir / "serve.log"
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return str(self.state["url"])

    @property
    def broker_url(self) -> str:
        return (self.data_dir / "broker.url").read_text()

    @property
    def state(self) -> dict[str, object]:
        """What the supervisor wrote down: `url`, and `pids` by role."""
        return json.loads((self.data_dir / "serve.json").read_text())

    def pid(self, role: str) -> int:
        """The process id of `web`, `worker` or `broker`, newest if it was restarted."""
        return int(self.state["pids"][role])

    def start(self) -> None:
        """Returns when the health page answers and the worker has been started."""
        command = [sys.executable, "-m", "webapp.serve", "--port", "0", "--no-example"]
        environment = {
            **os.environ,
            "FOLDSTREAM_DATA": str(self.data_dir),
            "FOLDSTREAM_HOST": "127.0.0.1",
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
            "OMP_NUM_THREADS": "1",
            **self.environment,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if "Foldstream is at" in self.log.read_text() and "worker" in self.state["pids"]:
                urlopen(f"{self.url}/healthz/", timeout=5).close()
                return
            time.sleep(0.1)
        raise AssertionError(f"the product did not start:\n{self.log.read_text()}")

    def kill(self, role: str) -> None:
        """Ends one process, and the ones it forked, with SIGKILL."""
        os.killpg(self.pid(role), signal.SIGKILL)

    def stop(self) -> int:
        """Sends what Ctrl-C sends and returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_SECONDS)
