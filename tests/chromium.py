"""Finds a Chromium for the browser tests, or gets one: `python -m tests.chromium`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
ADVICE = (
    "The browser tests need Chromium: install it (Debian: `apt install chromium`, elsewhere "
    "`.venv/bin/playwright install --with-deps chromium`), or set CHROMIUM to its path."
)


def find() -> str | None:
    """The path of a Chromium that starts: the one in CHROMIUM, on PATH, or Playwright's own."""
    wanted = os.environ.get("CHROMIUM")
    candidates = [wanted] if wanted else [*map(shutil.which, NAMES), _playwright_path()]
    return next((path for path in candidates if path and _starts(path)), None)


def _starts(path: str) -> bool:
    """Ubuntu's `chromium-browser` is a signpost to a snap: it is there, but it does not start."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _playwright_path() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _install() -> None:
    is_debian = "ID=debian" in Path("/etc/os-release").read_text().split()
    if is_debian and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
    else:
        with_deps = ["--with-deps"] if os.geteuid() == 0 else []
        command = [sys.executable, "-m", "playwright", "install", *with_deps, "chromium"]
    subprocess.run(command, check=False)


def main() -> None:
    if find() is None:
        _install()
    if find() is None:
        sys.exit(ADVICE)


if __name__ == "__main__":
    main()
