"""The result page: a picture that is one, and four views of the same residues that agree."""

import io
from datetime import UTC, datetime

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, Worker, expect

from tests.webapp import folded
from webapp import storage
from webapp.models import Job

SLOW = 60_000


@pytest.fixture
def result(site, user) -> Job:
    return folded.finished_job(user, folded.trp_cage(copies=2))


@pytest.fixture
def shown(site, user, result) -> Page:
    """The page of the result, with everything drawn."""
    page = site.sign_in(user, height=1400)
    page.goto(f"/jobs/{result.pk}/")
    page.wait_for_selector("#job-panel[data-state=ready]", timeout=SLOW)
    return page


def colours(element: Locator) -> set[tuple[int, ...]]:
    """The colours of an element as it is on the screen, in steps of 32."""
    image = Image.open(io.BytesIO(element.screenshot())).convert("RGB")
    return {tuple(channel // 32 for channel in pixel) for pixel in set(image.get_flattened_data())}


def selected(page: Page, part: str) -> list[int]:
    """The residues of the first ("0") or second ("1") range in the sequence strip."""
    marked = page.locator(f".residue[data-range='{part}']")
    return [int(n) for n in marked.evaluate_all("all => all.map(e => e.dataset.residue)")]


def drag(page: Page, element: Locator, start: tuple, end: tuple) -> None:
    """Drags within an element; the places are shares of its width and height."""
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    (x0, y0), (x1, y1) = (
        (box["x"] + share[0] * box["width"], box["y"] + share[1] * box["height"])
        for share in (start, end)
    )
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2)
    page.mouse.move(x1, y1)
    page.mouse.up()


def test_the_structure_is_drawn_in_the_colours_of_its_confidence(shown):
    structure = shown.locator("#structure")
    by_plddt = colours(structure)
    assert len(by_plddt) > 10
    assert any(blue > red + 2 for red, _, blue in by_plddt)
    assert any(red > blue + 2 for red, _, blue in by_plddt)
    shown.get_by_role("button", name="Chain", exact=True).click()
    expect(shown.locator("#legend")).not_to_be_visible()
    keys = shown.locator("#chain-key li")
    assert keys.all_text_contents() == ["Chain A", "Chain B"]
    expect(keys.last.locator(".swatch")).to_have_css("background-color", "rgb(230, 159, 0)")
    expect(shown.locator(".wide .legend")).to_be_visible()
    assert colours(structure) != by_plddt
    shown.get_by_role("button", name="Colour-blind safe").click()
    expect(shown.locator("#job-panel")).to_have_attribute("data-scale", "safe")
    expect(shown.locator(".residue.very-low").first).to_have_css(
        "background-color", "rgb(153, 68, 85)"
    )
    for style in ("Sticks", "Spheres", "Surface", "Cartoon"):
        before = int(structure.get_attribute("data-painted"))
        button = shown.get_by_role("button", name=style)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(structure).to_have_attribute("data-painted", str(before + 1), timeout=SLOW)


def test_a_surface_changes_its_colours_without_being_computed_again(shown):
    structure = shown.locator("#structure")
    workers: list[Worker] = []
    shown.on("worker", lambda worker: workers.append(worker))
    with shown.expect_worker():
        shown.get_by_role("button", name="Surface").click()
    shown.wait_for_timeout(1500)
    n_workers, before = len(workers), colours(structure)
    assert n_workers == 4
    shown.locator("#pae .overlay").focus()
    for _ in range(5):
        shown.keyboard.press("Shift+ArrowRight")
    shown.get_by_role("button", name="Clear selection").click()
    shown.get_by_role("button", name="Rainbow").click()
    shown.wait_for_timeout(300)
    assert len(workers) == n_workers
    assert len(colours(structure) - before) > 10


def test_a_block_of_the_pae_lights_up_its_residues_everywhere(shown):
    overlay = shown.locator("#pae .overlay")
    assert shown.get_attribute("#pae", "data-cells") == "1600"
    before = shown.get_attribute("#structure", "data-painted")
    drag(shown, overlay, (0.51, 0.01), (0.74, 0.24))
    assert selected(shown, "0") == list(range(10))
    assert selected(shown, "1") == list(range(20, 30))
    shown.mouse.move(0, 0)
    expect(shown.locator("#picked")).to_have_text(
        "Selected: N1 of chain A to G10 of chain A and N1 of chain B to G10 of chain B"
    )
    expect(shown.locator("#structure")).not_to_have_attribute("data-painted", before)
    overlay.focus()
    shown.keyboard.press("Escape")
    assert selected(shown, "0") == selected(shown, "1") == []


def test_the_pae_answers_the_keyboard(shown):
    shown.locator("#pae .overlay").focus()
    for key in ("ArrowDown", "ArrowRight", "Shift+ArrowDown", "Shift+ArrowRight"):
        shown.keyboard.press(key)
    assert selected(shown, "0") == [1, 2]
    expect(shown.locator("#pae [data-readout]")).to_contain_text("seen from Y3")


def test_the_sequence_selects_with_pointer_and_keyboard(shown):
    shown.locator("#residue-3").click()
    assert selected(shown, "0") == [3]
    shown.locator("#residue-6").click(modifiers=["Shift"])
    assert selected(shown, "0") == [3, 4, 5, 6]
    strip = shown.locator("#sequence")
    strip.focus()
    for key in ("Home", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"):
        shown.keyboard.press(key)
    assert selected(shown, "0") == [1, 2, 3]
    expect(shown.locator("#residue-2")).to_have_attribute("aria-selected", "true")
    shown.get_by_role("button", name="Clear selection").click()
    assert selected(shown, "0") == []


def test_hovering_is_shared(shown):
    shown.locator("#residue-7").hover()
    expect(shown.locator("#picked")).to_contain_text("K8 of chain A, pLDDT")
    plot = shown.locator("#plddt .u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    shown.mouse.move(box["x"] + box["width"] * 0.501, box["y"] + 20)
    expect(shown.locator(".residue.hovered")).to_have_id("residue-20")


def test_dragging_in_the_plddt_plot_selects(shown):
    drag(shown, shown.locator("#plddt .u-over"), (0.26, 0.5), (0.49, 0.5))
    assert selected(shown, "0") == list(range(10, 20))


def test_another_sample_takes_every_view_with_it(shown):
    shown.get_by_role("button", name="Show seed 1, sample 2").click()
    shown.wait_for_selector("#job-panel[data-shown='1-1'][data-state=ready]", timeout=SLOW)
    expect(shown.locator("#sample")).to_contain_text("sample 2, rank 2")
    expect(shown.locator("#sample-files a").first).to_have_attribute(
        "title", "Trp-cage_seed-1_sample-1_model.cif"
    )
    expect(shown.locator("#samples tr").nth(1)).to_have_attribute("aria-current", "true")


@pytest.mark.parametrize("slow", ["", "scene"], ids=["words", "scene"])
def test_the_sample_that_was_chosen_last_is_the_one_on_show(shown, slow):
    held: list[Route] = []
    shown.route(f"**/samples/1-1/{slow}", lambda route: held.append(route))
    with shown.expect_request(f"**/samples/1-1/{slow}"):
        shown.get_by_role("button", name="Show seed 1, sample 2").click()
    shown.get_by_role("button", name="Show seed 1, sample 1").click()
    shown.wait_for_selector("#job-panel[data-shown='1-0'][data-state=ready]", timeout=SLOW)
    painted = shown.get_attribute("#structure", "data-painted")
    held[0].continue_()
    shown.wait_for_timeout(400)
    assert shown.get_attribute("#job-panel", "data-shown") == "1-0"
    assert shown.get_attribute("#structure", "data-painted") == painted
    expect(shown.locator("#sample")).to_contain_text("sample 1, rank 1")
    expect(shown.locator("#samples tr").first).to_have_attribute("aria-current", "true")


def test_a_sample_that_does_not_come_leaves_the_one_on_show(shown, console_errors):
    shown.route("**/samples/1-1/scene", lambda route: route.fulfill(status=500))
    other = shown.get_by_role("button", name="Show seed 1, sample 2")
    other.click()
    expect(shown.locator("#picked")).to_contain_text("could not be read")
    expect(shown.locator("#sample")).to_contain_text("sample 1, rank 1")
    shown.unroute("**/samples/1-1/scene")
    other.click()
    shown.wait_for_selector("#job-panel[data-shown='1-1'][data-state=ready]", timeout=SLOW)
    console_errors.clear()


def test_a_result_without_its_arrays_is_drawn_all_the_same(site, user, result, console_errors):
    (storage.folder(result.pk) / "Trp-cage.h5").unlink()
    page = site.sign_in(user)
    page.goto(f"/jobs/{result.pk}/")
    page.wait_for_selector("#job-panel[data-state=ready]", timeout=SLOW)
    expect(page.locator(".residue")).to_have_count(40)
    assert len(colours(page.locator("#structure"))) > 10
    expect(page.locator("#pae")).to_contain_text("no longer in the data folder")
    expect(page.locator("#pae .overlay")).not_to_be_visible()
    console_errors.clear()


def test_the_trajectory_plays_and_ends_at_the_structure(shown):
    play = shown.locator("#playback [data-play]")
    words = shown.locator("#playback output")
    play.click()
    expect(play).to_have_text("Pause")
    expect(words).to_contain_text("of 8")
    expect(words).to_have_text("final structure", timeout=SLOW)
    slider = shown.get_by_label("Diffusion step")
    slider.focus()
    shown.keyboard.press("Home")
    expect(words).to_have_text("step 1 of 8")
    shown.keyboard.press("ArrowRight")
    expect(words).to_have_text("step 2 of 8")


def test_a_trajectory_that_does_not_come_says_so_and_can_be_played_later(shown, console_errors):
    play, words = shown.locator("#playback [data-play]"), shown.locator("#playback output")
    shown.route("**/samples/1-0/trajectory", lambda route: route.fulfill(status=503))
    play.click()
    expect(words).to_have_text("The trajectory could not be read: the server answered 503.")
    shown.unroute("**/samples/1-0/trajectory")
    play.click()
    expect(words).to_contain_text("of 8")
    console_errors.clear()


def test_a_late_trajectory_of_another_sample_is_not_played(shown):
    held: list[Route] = []
    shown.route("**/samples/1-0/trajectory", lambda route: held.append(route))
    with shown.expect_request("**/samples/1-0/trajectory"):
        shown.locator("#playback [data-play]").click()
    shown.get_by_role("button", name="Show seed 1, sample 2").click()
    shown.wait_for_selector("#job-panel[data-shown='1-1'][data-state=ready]", timeout=SLOW)
    held[0].continue_()
    shown.wait_for_timeout(400)
    expect(shown.locator("#playback output")).to_have_text("final structure")
    expect(shown.locator("#playback [data-play]")).to_have_text("Play")
    assert shown.get_attribute("#playback", "data-steps") is None


def test_the_day_of_a_fold_is_told_by_the_readers_clock(site, user, result):
    Job.objects.update(finished_at=datetime(2026, 11, 21, 20, 30, tzinfo=UTC))
    page = site.sign_in(user, timezone_id="Asia/Tokyo")
    page.goto(f"/jobs/{result.pk}/")
    expect(page.locator(".provenance time")).to_have_text("22 Nov 2026, 05:30")


def test_files_come_down(shown, result):
    with shown.expect_download() as download:
        shown.get_by_role("link", name="Everything (zip)").click()
    assert download.value.suggested_filename == "Trp-cage.zip"
    with shown.expect_download() as download:
        shown.get_by_role("button", name="Save picture").click()
    image = Image.open(download.value.path())
    assert image.format == "PNG"
    assert len(set(image.convert("RGB").get_flattened_data())) > 50


def test_a_sample_that_cannot_be_read_says_so(site, user, result, console_errors):
    page = site.sign_in(user)
    page.route("**/scene", lambda route: route.fulfill(status=500))
    page.goto(f"/jobs/{result.pk}/")
    expect(page.locator("#picked")).to_contain_text("could not be read")
    console_errors.clear()
