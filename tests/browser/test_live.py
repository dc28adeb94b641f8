"""The page of a fold in progress: it moves, survives a lost connection, and becomes the result."""

import re

import numpy as np
import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.webapp import folded
from webapp import jobs
from webapp.live import publisher
from webapp.live.events import ContactMap, Frame, LogLine, OutlineReady, Progress, SampleReady
from webapp.live.frames import coordinate_bytes, probability_bytes
from webapp.models import Job

CHAIN = np.cumsum(np.random.default_rng(1).normal(size=(20, 3)), axis=0).astype(np.float32)


@pytest.fixture
def job(site, user) -> Job:
    """A job in a worker's hands."""
    queued = folded.queued_job(user)
    return jobs.start(queued.pk, worker="w#1")


def open_job(site, user, job: Job, **options) -> Page:
    page = site.sign_in(user, **options)
    page.goto(f"/jobs/{job.pk}/")
    page.wait_for_selector("#job[data-connection=live]")
    return page


def tell(job: Job, event) -> None:
    publisher.publish(job.pk, attempt=job.attempt, event=event)


def step(number: int, *, sample: int = 0, seed: int = 1, seed_index: int = 0) -> Frame:
    return Frame(
        seed=seed,
        seed_index=seed_index,
        sample=sample,
        n_samples=2,
        step=number,
        n_steps=8,
        noise_level=100.0 / number,
        count=20,
        bin=coordinate_bytes(CHAIN * number),
    )


def red_of_contact(page: Page, row: int, column: int) -> int:
    """How red the contact map is there: little where a contact is sure, on a light page."""
    pixel = "document.getElementById('contacts').getContext('2d').getImageData(x, y, 1, 1)"
    return page.evaluate(f"([x, y]) => {pixel}.data[0]", [column, row])


def log(message: str) -> LogLine:
    return LogLine(level="info", message=message, at=timezone.now().isoformat())


def test_everything_moves_while_it_is_computed(site, user, job):
    page = open_job(site, user, job)
    tell(job, log("The first line"))
    tell(job, Progress(stage="trunk", percent=12.0, eta_seconds=30.0, detail="cycle 1 of 4"))
    expect(page.locator("#job-progress")).to_contain_text("Trunk, cycle 1 of 4")
    expect(page.locator("#job-stages .now")).to_have_text("Trunk")
    contacts = probability_bytes(np.eye(20, dtype=np.float32))
    tell(job, ContactMap(seed=1, seed_index=0, cycle=1, n_cycles=2, count=20, bin=contacts))
    expect(page.locator("#contacts-caption")).to_have_text("after cycle 1 of 2")
    assert red_of_contact(page, 3, 3) < 60
    assert red_of_contact(page, 3, 9) > 200

    for number in range(1, 9):
        tell(job, step(number))
        page.wait_for_timeout(120)
    expect(page.locator("#live-caption")).to_contain_text("sample 1, step 8 of 8", timeout=60_000)
    assert int(page.get_attribute("#job", "data-frames")) >= 4
    assert page.locator("#noise canvas").count() == 1
    tell(
        job,
        SampleReady(
            seed=1,
            sample=0,
            n_samples=2,
            ranking_score=0.5,
            mean_plddt=55.0,
            ptm=0.4,
            iptm=None,
            has_clash=False,
            fraction_disordered=0.0,
        ),
    )
    expect(page.locator("#job-samples tr")).to_contain_text("sample 1")
    expect(page.locator("#job-log li")).to_contain_text("The first line")


def test_ligand_atoms_are_drawn_beside_the_chain(site, user, job):
    page = open_job(site, user, job)
    outline = {"tubes": [list(range(10))], "beads": list(range(10, 20)), "bonds": [[10, 11]]}
    tell(job, OutlineReady(**outline))
    expect(page.locator("#live-outline")).to_have_attribute("data-outline", re.compile("tubes"))
    tell(job, step(8))
    page.wait_for_selector("#job[data-drawn]", timeout=60_000)


def test_seeds_go_by_their_numbers_and_times_by_the_readers_clock(site, user):
    queued = folded.queued_job(user, folded.trp_cage(seeds=(7, 42)))
    job = jobs.start(queued.pk, worker="w#1")
    page = open_job(site, user, job, timezone_id="Asia/Tokyo")
    tell(job, LogLine(level="info", message="At noon", at="2026-11-21T12:00:05+00:00"))
    expect(page.locator("#job-log time")).to_have_text("21:00:05")
    tell(job, step(8, seed=7))
    tell(job, step(8, seed=42, seed_index=1))
    expect(page.locator("#live-caption")).to_contain_text("seed 42, sample 1", timeout=60_000)
    picks = page.locator("#live-picks button")
    assert picks.all_text_contents() == ["Seed 7, sample 1", "Seed 42, sample 1"]
    keys = page.locator("#noise-key li")
    assert keys.all_text_contents() == ["seed 7, sample 1", "seed 42, sample 1"]


def test_a_lost_connection_resumes_at_the_last_event_and_two_tabs_agree(
    site, user, job, console_errors
):
    page, second = open_job(site, user, job), open_job(site, user, job)
    tell(job, log("before"))
    for tab in (page, second):
        expect(tab.locator("#job-log")).to_contain_text("before")
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    expect(page.locator("#connection")).not_to_have_text("live")
    tell(job, log("meanwhile"))
    tell(job, Progress(stage="diffusion", percent=70.0, eta_seconds=3.0))
    expect(second.locator("#job-progress")).to_have_attribute("data-percent", "70.0")
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    for tab in (page, second):
        expect(tab.locator("#job-log li")).to_have_count(2, timeout=30_000)
        expect(tab.locator("#job-progress")).to_have_attribute("data-percent", "70.0")
    expect(page.locator("#connection")).to_have_text("live")
    # However slow the machine: what the page tried while it was offline is no fault of its own.
    console_errors[:] = [e for e in console_errors if "ERR_INTERNET_DISCONNECTED" not in e]


def test_a_page_that_opens_late_shows_what_was_said(site, user, job):
    tell(job, log("long ago"))
    tell(job, step(5))
    publisher.flush(timeout_seconds=5)
    page = open_job(site, user, job)
    expect(page.locator("#job-log li")).to_have_count(1)
    expect(page.locator("#live-caption")).to_contain_text("step 5 of 8", timeout=60_000)
    page.reload()
    expect(page.locator("#job-log li")).to_have_count(1)


def test_without_sockets_the_page_asks(site, user, job, console_errors):
    page = site.sign_in(user)
    page.route_web_socket("**/ws/**", lambda socket: socket.close())
    page.goto(f"/jobs/{job.pk}/")
    page.wait_for_selector("#job[data-connection=polling]", timeout=30_000)
    tell(job, log("over HTTP"))
    tell(job, step(3))
    expect(page.locator("#job-log")).to_contain_text("over HTTP", timeout=30_000)
    expect(page.locator("#live-caption")).to_contain_text("step 3 of 8", timeout=60_000)


def test_the_result_takes_the_panels_place_without_a_reload(site, user, job):
    page = open_job(site, user, job)
    page.evaluate("document.body.dataset.mark = 'not reloaded'")
    structure = folded.helices(folded.trp_cage())
    samples = [folded.sample_of(structure, seed=1, sample=k) for k in range(2)]
    folded.save_files(job, folded.trp_cage(), samples)
    jobs.finish(job, predictions=folded.rows(job, samples), install=lambda: None)
    page.wait_for_selector("#job-panel[data-panel=result][data-state=ready]", timeout=60_000)
    expect(page.locator("#job-head .status")).to_have_text("Finished")
    assert page.get_attribute("#job", "data-connection") == "closed"
    assert page.get_attribute("body", "data-mark") == "not reloaded"


def test_the_log_of_a_job_that_ended_can_still_be_read(site, user, job):
    tell(job, log("What it said"))
    jobs.fail(job, "Too large for this machine.")
    publisher.flush(timeout_seconds=5)
    page = site.sign_in(user)
    page.goto(f"/jobs/{job.pk}/")
    expect(page.locator("#job-panel")).to_contain_text("Too large for this machine.")
    page.get_by_text("Log", exact=True).click()
    expect(page.locator("#job-log li").first).to_contain_text("What it said")


def test_whoever_is_signed_out_hears_no_more(site, user, job):
    page = open_job(site, user, job)
    page.context.clear_cookies()
    page.evaluate("dispatchEvent(new Event('offline'))")
    expect(page.locator("#connection")).to_contain_text("no longer signed in", timeout=30_000)
    assert page.get_attribute("#job", "data-connection") == "refused"


def test_a_job_that_was_deleted_meanwhile_is_gone_not_signed_out(site, user, job, console_errors):
    page = open_job(site, user, job)
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    expect(page.locator("#connection")).not_to_have_text("live")
    jobs.delete(job)
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#connection")).to_contain_text("it was deleted", timeout=30_000)
    console_errors[:] = [e for e in console_errors if "ERR_INTERNET_DISCONNECTED" not in e]


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_jobs_that_end_early(site, user, job, end):
    page = open_job(site, user, job)
    if end == "cancel":
        page.get_by_role("button", name="Cancel").click()
        page.wait_for_selector("#job[data-connection=live]")
        expect(page.locator(".status").first).to_have_text("Cancelling")
        jobs.stop(job)
        expect(page.locator("#job-panel")).to_contain_text("This fold was cancelled")
        page.get_by_role("button", name="Try again").click()
        page.wait_for_url(lambda url: str(job.pk) not in url)
        assert Job.objects.get(retry_of=job).status == "queued"
    else:
        jobs.delete(job)
        page.wait_for_url("**/jobs/")
