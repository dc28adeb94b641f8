"""The whole way once, as a newcomer goes it: from a sequence to a structure to keep."""

import io
import re

import gemmi
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.stack import LiveStack
from webapp.examples import UBIQUITIN

# A fold of ubiquitin takes seconds; a machine that is busy otherwise gets time as well.
PATIENCE_MS = 240_000

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def browser_page(new_page, live_stack: LiveStack) -> Page:
    page = new_page(base_url=live_stack.url)
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    yield page
    expect.set_options(timeout=5_000)


def number(page: Page, attribute: str) -> float:
    """What the page of a job has counted."""
    return float(page.get_attribute("#job", attribute) or 0)


def submit_ubiquitin(page: Page) -> None:
    """Signs in as the local user and pastes the sequence, lower case and in pieces."""
    page.goto("/")
    page.get_by_role("button", name="Start as local user").click()
    page.get_by_role("link", name="New fold").first.click()
    page.wait_for_selector("#submit-form[data-ready]")
    page.get_by_label("Job name").fill("Ubiquitin, the story")
    page.get_by_label("Sequence or FASTA").fill(
        f">sp|P0CG48\n{UBIQUITIN[:40].lower()}\n {UBIQUITIN[40:]}"
    )
    expect(page.locator("#check")).to_contain_text("Tokens76")
    # Enough steps that there is time to lose the connection in the middle of them.
    page.get_by_label("Diffusion steps").fill("200")
    page.get_by_label("Samples per seed").fill("3")
    page.get_by_role("button", name="Fold", exact=True).click()
    page.wait_for_selector("#job[data-ready]")


def lose_the_connection_and_come_back(page: Page) -> None:
    """Offline in the middle of the fold, and online again: the page goes on where it was."""
    page.evaluate("document.body.dataset.mark = 'same page'")
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    expect(page.locator("#job")).to_have_attribute(
        "data-connection", re.compile("waiting|polling|offline")
    )
    page.wait_for_timeout(500)
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")


def test_from_a_sequence_to_a_structure(browser_page: Page, live_stack, console_errors):
    page = browser_page
    submit_ubiquitin(page)

    page.wait_for_selector("#job[data-frames]")
    percent, frames = number(page, "data-percent"), number(page, "data-frames")
    assert 0 < percent < 100
    page.wait_for_selector("#job[data-drawn]")

    lose_the_connection_and_come_back(page)
    page.wait_for_selector("#job-panel[data-panel=result][data-state=ready]", state="attached")
    assert number(page, "data-frames") > frames
    assert number(page, "data-percent") > percent
    assert page.get_attribute("body", "data-mark") == "same page"

    picture = Image.open(io.BytesIO(page.locator("#structure canvas").first.screenshot()))
    assert len(set(picture.convert("RGB").get_flattened_data())) > 100
    assert page.locator("#samples tr").count() == 3
    assert page.locator(".residue").count() == 76

    with page.expect_download() as download:
        page.get_by_role("link", name="Structure (mmCIF)").click()
    block = gemmi.cif.read_file(str(download.value.path())).sole_block()
    structure = gemmi.make_structure_from_block(block)
    structure.setup_entities()
    polymer = structure[0]["A"].get_polymer()
    assert gemmi.one_letter_code(polymer.extract_sequence()) == UBIQUITIN
    b_factors = {atom.b_iso for residue in polymer for atom in residue}
    assert all(0 <= plddt <= 100 for plddt in b_factors)
    # Losing the network is the one thing here that a browser is right to complain about.
    console_errors[:] = [e for e in console_errors if "ERR_INTERNET_DISCONNECTED" not in e]


def test_what_was_folded_is_there_after_a_reload(browser_page: Page, live_stack):
    page = browser_page
    page.goto("/")
    page.get_by_role("button", name="Start as local user").click()
    page.get_by_role("link", name="Ubiquitin, the story").click()
    page.wait_for_selector("#job-panel[data-panel=result][data-state=ready]")
    expect(page.locator("#job-head .status")).to_have_text("Finished")
