"""Every page at every width: nothing sticks out, everything has a name, the keyboard gets there."""

import pytest
from playwright.sync_api import Page, expect

from tests.webapp import folded
from webapp.models import Job, Status

WIDTHS = (360, 390, 1440)
NAMELESS = """() => [...document.querySelectorAll("a, button, input, select, textarea, summary")]
  .filter(e => e.type !== "hidden" && e.checkVisibility())
  .filter(e => !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length))
  .map(e => e.outerHTML)"""
# Text whose contrast with what is behind it is below WCAG's 4.5 to 1.
FAINT = """() => {
  const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const level = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    const colour = getComputedStyle(e).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" ? ground(e.parentElement) : colour;
  };
  const contrast = (e) => {
    const levels = [level(getComputedStyle(e).color), level(ground(e))].sort((a, b) => a - b);
    return (levels[1] + 0.05) / (levels[0] + 0.05);
  };
  const hasText = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  return [...document.querySelectorAll("p, a, dt, dd, th, td, label, h1, h2, button, li, span")]
    .filter(e => e.checkVisibility() && hasText(e))
    .filter(e => !e.closest(".visually-hidden, .residue, .hero-fold"))
    .map(e => [contrast(e), e.textContent.trim().slice(0, 40)])
    .filter(([value]) => value < 4.5);
}"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def paths(site, user) -> dict[str, str]:
    """The pages of somebody who has jobs of every kind, and what each shows when it is ready."""
    finished = folded.finished_job(user, folded.trp_cage(name="N" * 100, copies=2))
    running = folded.queued_job(user, status=Status.RUNNING, stage="trunk", percent=40.0)
    failed = folded.queued_job(user, status=Status.FAILED, error="Out of memory. " * 12)
    return {
        "/jobs/": "#dashboard[data-ready]",
        "/jobs/new/?example=ubiquitin": "#check dl",
        f"/jobs/{finished.pk}/": "#job-panel[data-state=ready]",
        f"/jobs/{running.pk}/": "#job[data-ready]",
        f"/jobs/{failed.pk}/": "#job[data-ready]",
        "/accounts/password/change/": "main form",
    }


def check(page: Page, path: str) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(50)
        wide = page.evaluate(TOO_WIDE)
        assert wide <= 0, f"{path} is {wide} px too wide at {width} px"
    assert page.evaluate(NAMELESS) == [], path
    assert page.evaluate(FAINT) == [], path
    assert page.locator("h1").count() == 1, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_and_can_be_read(site, user, paths, scheme):
    page = site.sign_in(user, color_scheme=scheme)
    for path, ready in paths.items():
        page.goto(path)
        page.wait_for_selector(ready, timeout=60_000)
        check(page, path)


def test_the_first_page_fits_and_can_be_read(site):
    page = site.open()
    for path in ("/", "/accounts/login/", "/accounts/signup/"):
        page.goto(path)
        check(page, path)


def test_the_theme_is_chosen_once_and_kept(site, user):
    page = site.sign_in(user, color_scheme="light")
    page.goto("/jobs/")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    button = page.locator("[data-theme-toggle]")
    for says in ("light", "dark"):
        button.click()
        expect(button).to_have_attribute("aria-label", f"Colour theme: {says}")
    dark = page.evaluate(ground)
    assert dark != light
    page.goto("/jobs/new/")
    assert page.evaluate(ground) == dark
    page.locator("[data-theme-toggle]").click()
    assert page.evaluate(ground) == light


def test_the_keyboard_reaches_the_content_first_and_sees_where_it_is(site, user):
    folded.queued_job(user)
    page = site.sign_in(user)
    page.goto("/jobs/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("New fold")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/new/")


def test_menus_close_with_escape(site, user):
    page = site.sign_in(user)
    page.goto("/jobs/")
    menu = page.locator("[data-menu]")
    menu.locator("summary").click()
    expect(menu.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("button", name="Sign out")).not_to_be_visible()
    assert Job.objects.count() == 0
