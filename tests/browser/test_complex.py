"""The result page of a complex: its chains, ligands and chemistry, linked with the picture."""

import pytest
from playwright.sync_api import Page, expect

from tests.webapp import folded

SLOW = 60_000


@pytest.fixture
def shown(site, user) -> Page:
    """The page of a complex of every kind of molecule, with everything drawn."""
    job = folded.finished_complex(user)
    page = site.sign_in(user, height=1400)
    page.goto(f"/jobs/{job.pk}/")
    page.wait_for_selector("#job-panel[data-state=ready]", timeout=SLOW)
    return page


def selected(page: Page, part: str = "0") -> list[str]:
    """What the chips of the first ("0") or second ("1") range in the strip say."""
    return page.locator(f".residue[data-range='{part}']").all_text_contents()


def test_a_complex_is_shown_chain_by_chain(shown):
    strip = shown.locator(".sequence-chain")
    assert strip.all_text_contents() == ["AGASEPG", "BGASEPG", "CACGT", "DATP", "EMG"]
    structure = shown.locator("#structure")

    shown.get_by_role("button", name="Go to chain D").click()
    assert selected(shown) == ["ATP"]
    expect(shown.locator("#picked")).to_have_text("Selected: ATP of chain D")
    shown.locator(".residue.code", has_text="SEP").first.click()
    expect(shown.locator("#picked")).to_contain_text("SEP3 of chain A")

    shown.get_by_label("Show chain C").uncheck()
    expect(structure).to_have_attribute("data-hidden-chains", "C")

    shown.get_by_role("button", name="ipTM of A and D: 0.50").click()
    assert (selected(shown, "0"), selected(shown, "1")) == (["G", "A", "SEP", "G"], ["ATP"])
    shown.get_by_role("button", name="Lowest PAE", exact=True).click()
    expect(shown.get_by_label("Lowest PAE of pairs of chains")).to_be_visible()
    expect(shown.get_by_label("ipTM of pairs of chains")).not_to_be_visible()


def test_atoms_of_ligands_are_told_one_by_one(shown):
    overlay = shown.locator("#pae .overlay")
    overlay.scroll_into_view_if_needed()
    box = overlay.bounding_box()
    n_tokens = 13 + 13 + 4 + 31 + 1
    shown.mouse.move(box["x"] + (30.5 / n_tokens) * box["width"], box["y"] + box["height"] / 2)
    expect(shown.locator("#pae [data-readout]")).to_contain_text("PG in ATP of chain D seen from")
    expect(shown.locator("#pae .ticks")).to_contain_text("D, ATP")
    shown.locator("#playback [data-play]").click()
    expect(shown.locator("#playback output")).to_have_text("final structure", timeout=SLOW)


def test_the_sample_on_show_brings_its_chemistry(shown):
    expect(shown.locator("#chemistry .kept")).to_have_count(3)
    shown.get_by_role("button", name="Show seed 1, sample 2").click()
    shown.wait_for_selector("#job-panel[data-shown='1-1'][data-state=ready]", timeout=SLOW)
    lost = shown.locator("#chemistry .lost")
    expect(lost).to_have_count(3)
    lost.get_by_role("button", name="ATP 1 of chain D").click()
    assert selected(shown) == ["ATP"]
