"""My jobs, live: rows change, come and go without a reload."""

import pytest
from django.conf import settings
from playwright.sync_api import expect

from tests.webapp import folded
from webapp import jobs
from webapp.models import Job, LabRun, Status


def open_dashboard(site, user):
    page = site.sign_in(user)
    page.goto("/jobs/")
    page.wait_for_selector("#dashboard[data-connection=live]")
    page.evaluate("document.body.dataset.mark = 'not reloaded'")
    return page


def test_rows_follow_their_jobs(site, user):
    running = folded.queued_job(user, folded.trp_cage(name="Runs"))
    page = open_dashboard(site, user)
    row = page.locator(f"#job-{running.pk}")
    expect(row).to_contain_text("Next in the queue")

    held = jobs.start(running.pk, worker="w#1")
    expect(row.locator(".status")).to_have_text("Running")
    jobs.record(held, stage="diffusion", percent=62.0, eta_seconds=5.0)
    expect(row).to_contain_text("62 %, diffusion, about 5 s left")
    expect(row.get_by_role("progressbar")).to_have_attribute("value", "62.0")

    new = jobs.submit(user, folded.trp_cage(name="Came later"), folded.FoldOptions())
    expect(page.locator(f"#job-{new.pk}")).to_contain_text("Came later")
    jobs.fail(held, "Too large for this machine.")
    expect(row).to_contain_text("Too large for this machine.")
    expect(page.locator("#machine")).to_contain_text("Processor")
    assert page.get_attribute("body", "data-mark") == "not reloaded"


def test_cancel_and_delete_stay_on_the_page(site, user):
    job = folded.queued_job(user, folded.trp_cage(name="Doomed"))
    page = open_dashboard(site, user)
    row = page.locator(f"#job-{job.pk}")
    row.get_by_role("button", name="Cancel").click()
    expect(row.locator(".status")).to_have_text("Cancelled")
    row.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete Doomed?")
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    assert Job.objects.exists()
    row.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Nothing folded yet")).to_be_visible()
    assert not Job.objects.exists()
    assert page.get_attribute("body", "data-mark") == "not reloaded"


def test_search_narrows_the_list_while_one_types(site, user):
    folded.queued_job(user, folded.trp_cage(name="Alpha"))
    folded.queued_job(user, folded.trp_cage(name="Beta"), status=Status.FAILED)
    page = open_dashboard(site, user)
    page.get_by_label("Search").fill("alp")
    expect(page.locator(".job-row")).to_have_count(1)
    assert page.url.endswith("?q=alp")
    page.get_by_label("Search").fill("")
    page.get_by_label("Status").select_option("failed")
    expect(page.locator(".job-row")).to_have_count(1)
    expect(page.locator(".job-row")).to_contain_text("Beta")


def test_whoever_is_signed_out_is_told_and_keeps_the_list(site, user):
    job = folded.queued_job(user)
    page = open_dashboard(site, user)
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    page.locator(f"#cancel-{job.pk}").click()
    expect(page.locator("#connection")).to_contain_text("no longer signed in")
    expect(page.locator(".job-row")).to_have_count(1)
    expect(page.locator("header.site-header")).to_have_count(1)
    job.refresh_from_db()
    assert job.status == "queued"


def test_whoever_is_signed_out_cannot_stop_a_run_and_is_told(site, user):
    run = LabRun.objects.create(owner=user, kind="application", name="molecules", values={})
    page = site.sign_in(user)
    page.goto(f"/lab/runs/{run.pk}/")
    page.wait_for_selector("#lab-run[data-connection=live]")
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#connection")).to_contain_text("no longer signed in")
    expect(page.get_by_role("button", name="Stop")).to_be_enabled()


@pytest.mark.parametrize("path", ["/jobs/", "/models/", "/lab/runs/"])
def test_lists_say_that_their_connection_is_lost(site, user, console_errors, path):
    page = site.sign_in(user)
    page.goto(path)
    connection = page.locator("#connection")
    expect(connection).to_have_text("live")
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    expect(connection).to_contain_text("offline")
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(connection).to_have_text("live", timeout=30_000)
    console_errors[:] = [e for e in console_errors if "ERR_INTERNET_DISCONNECTED" not in e]
