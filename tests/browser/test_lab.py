"""The Lab as a person uses it: curves that move, and a worker that is killed."""

import json
import os
import re
import signal
import sqlite3
import time

import pytest
from playwright.sync_api import Page, expect

PATIENCE_MS = 240_000
# Long enough to be killed in the middle: 600 samples in batches of 32, 30 times.
STEPS = 570
PAGES = ("", "applications/molecules/", "training/", "runs/", "executions/", "backends/",
         "registry/", "settings/")  # fmt: skip

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def lab_page(new_page, live_stack) -> Page:
    page = new_page(base_url=live_stack.url)
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    page.goto("/")
    page.get_by_role("button", name="Start as local user").click()
    page.get_by_role("link", name="Lab").click()
    yield page
    expect.set_options(timeout=5_000)


def row(live_stack, run_id: str) -> dict:
    with sqlite3.connect(live_stack.data_dir / "db.sqlite3") as database:
        database.row_factory = sqlite3.Row
        found = database.execute("SELECT * FROM webapp_labrun WHERE id = ?", [run_id]).fetchone()
    return dict(found)


def run_of(page: Page) -> str:
    """The id of the run that the page shows."""
    page.wait_for_url(re.compile(r"/lab/runs/[0-9a-f-]{36}/$"))
    return page.url.rstrip("/").rpartition("/")[2].replace("-", "")


def last_point(page: Page) -> str:
    return page.get_attribute("#figure-live-loss", "data-last") or ""


def kill_in_the_middle(live_stack, run_id: str) -> None:
    """SIGKILL for the process that trains, once a checkpoint is there and before the end."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while (found := row(live_stack, run_id))["done"] < 40:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    assert found["status"] == "running"
    os.kill(int(found["worker"].rpartition("#")[2]), signal.SIGKILL)


def test_a_training_whose_worker_is_killed_ends_with_one_result(lab_page: Page, live_stack):
    page = lab_page
    page.get_by_role("link", name="Train a model").click()
    page.get_by_role("link", name="strokes-6q").click()
    page.get_by_label("Patience").fill("0")
    page.get_by_role("button", name="Train", exact=True).click()
    run_id = run_of(page)

    page.wait_for_selector("#figure-live-loss[data-last]")
    page.evaluate("document.body.dataset.mark = 'same page'")
    first = last_point(page)
    expect(page.locator("#figure-live-loss")).not_to_have_attribute("data-last", first)
    kill_in_the_middle(live_stack, run_id)

    page.wait_for_selector("#lab-run-result[data-state=succeeded]")
    expect(page.locator("#lab-run-head")).to_contain_text("attempt 2")
    expect(page.locator("#lab-run-result")).to_contain_text("registered as strokes-6q:1")
    assert page.get_attribute("body", "data-mark") == "same page"
    done = row(live_stack, run_id)
    assert (done["attempt"], done["crashes"], done["done"]) == (2, 1, STEPS)
    assert 20 <= done["resumed_from"] < STEPS
    (loss,) = [line for line in json.loads(done["series"]) if line["metric"] == "loss"]
    assert loss["x"] == sorted(set(loss["x"]))
    assert (loss["x"][0], loss["x"][-1]) == (0, STEPS - 1)
    mirror = json.loads((live_stack.data_dir / "lab" / "mirror.json").read_text())
    assert [len(model["versions"]) for model in mirror["models"]] == [1]

    page.get_by_role("link", name="Registry", exact=True).click()
    page.wait_for_selector("[data-lab][data-connection=live]")
    page.get_by_role("button", name="To production").click()
    expect(page.locator(".stage")).to_have_text("Production")


def test_an_application_runs_in_the_page_and_says_who_wins(lab_page: Page, console_errors):
    page = lab_page
    page.get_by_role("link", name="Ground state of a molecule").click()
    page.get_by_label("Steps").fill("0")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#id_steps_error")).to_contain_text("lies between 1 and 500")
    page.get_by_label("Steps").fill("20")
    page.get_by_label("Backend").select_option("ionq")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_selector("#lab-run-result[data-state=succeeded]")
    expect(page.locator(".winner").first).to_have_text(re.compile("A tie|Classical wins"))
    expect(page.locator("#lab-run-executions")).to_contain_text("IonQ did not take it")
    expect(page.locator("#figure-result-energy")).to_contain_text("Exact")
    # The form was refused once, as it should be.
    console_errors[:] = [error for error in console_errors if "422" not in error]


def test_a_connection_is_tested_in_the_page(lab_page: Page):
    page = lab_page
    page.get_by_role("link", name="Backends").click()
    page.wait_for_selector("[data-lab][data-connection=live]")
    page.locator("#test-mock").click()
    expect(page.locator("#backend-mock")).to_contain_text("read alike in 200 of 200 shots")
    expect(page.locator("#backend-ibm")).to_contain_text("set QISKIT_IBM_TOKEN")


def test_an_open_page_has_old_readings_read_again(lab_page: Page, live_stack):
    page = lab_page
    page.clock.install()
    page.get_by_role("link", name="Backends").click()
    page.wait_for_selector("[data-lab][data-connection=live]")
    expect(page.locator("#backend-noisy")).to_contain_text("Online")
    with sqlite3.connect(live_stack.data_dir / "db.sqlite3", timeout=30) as database:
        database.execute("UPDATE webapp_backendreading SET read_at = '2026-01-01'")
    page.clock.fast_forward(61_000)
    deadline = time.monotonic() + 60
    while not all(age > "2026-01-02" for age in read_at(live_stack)):
        assert time.monotonic() < deadline, "nobody asked the backends again"
        time.sleep(0.2)


def read_at(live_stack) -> list[str]:
    """When each backend was read."""
    with sqlite3.connect(live_stack.data_dir / "db.sqlite3", timeout=30) as database:
        rows = database.execute("SELECT read_at FROM webapp_backendreading").fetchall()
    return [age for (age,) in rows]


def test_a_provider_s_connection_is_tested_in_the_settings(lab_page: Page):
    page = lab_page
    page.goto("/lab/settings/")
    page.wait_for_selector("[data-lab][data-connection=live]")
    page.locator("#test-ionq").click()
    expect(page.locator("#connection-ionq")).to_contain_text("IONQ_API_KEY")
    assert page.url.endswith("/lab/settings/")


def test_no_page_is_wider_than_its_window(lab_page: Page):
    page = lab_page
    for path in PAGES:
        page.goto(f"/lab/{path}")
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
