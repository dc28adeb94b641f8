"""Pieces of the pages' scripts on their own: what they compute, against Python."""

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, Route

from webapp.live import frames
from webapp.live.events import ContactMap, Frame, Record


def _from_disk(route: Route) -> None:
    """Answers with the static file of the address, or with an empty page."""
    _, is_static, path = route.request.url.partition("/static/")
    file = Path(settings.BASE_DIR) / "static" / path
    if is_static:
        route.fulfill(path=file)
    else:
        route.fulfill(body="<!doctype html><title>blank</title>", content_type="text/html")


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Iterator[Page]:
    """An empty page that can import the product's modules; no server is behind it."""
    context = browser.new_context()
    context.route("**/*", _from_disk)
    page = context.new_page()
    page.goto("http://static.test/")
    yield page
    context.close()


def call(page: Page, module: str, expression: str, *arguments):
    """The value of an expression over the module `m` and the arguments `a`."""
    script = (
        f"async (a) => {{ const m = await import('/static/js/{module}.js'); return {expression}; }}"
    )
    return page.evaluate(script, list(arguments))


def test_the_page_reads_what_the_server_packs(blank):
    coordinates = np.array([[1.23, -45.6, 0.0], [100.01, 2.5, -3.0]], dtype=np.float32)
    step = Frame(
        seed=7,
        seed_index=1,
        sample=2,
        n_samples=5,
        step=3,
        n_steps=20,
        noise_level=1.5,
        count=2,
        bin=frames.coordinate_bytes(coordinates),
    )
    contacts = ContactMap(
        seed=7, seed_index=1, cycle=2, n_cycles=4, count=2, bin=bytes([0, 9, 9, 255])
    )
    for event, extra in ((step, "coordinates"), (contacts, "cells")):
        packed = frames.pack(Record(id="1700000000123-4", attempt=2, event=event))
        read = call(
            blank,
            "frame",
            f"(f => ({{...f, {extra}: [...f.{extra}]}}))"
            "(m.decode(Uint8Array.from(atob(a[0]), c => c.charCodeAt(0)).buffer))",
            base64.b64encode(packed).decode(),
        )
        assert (read["id"], read["attempt"], read["seedIndex"]) == ("1700000000123-4", 2, 1)
        if event is step:
            assert (read["sample"], read["step"], read["nSteps"]) == (2, 3, 20)
            assert read["noiseLevel"] == 1.5
            assert read["coordinates"] == pytest.approx(coordinates.ravel(), abs=0.006)
        else:
            assert (read["step"], read["nSteps"], read["cells"]) == (2, 4, [0, 9, 9, 255])


def test_frames_of_another_version_are_passed_over(blank):
    assert call(blank, "frame", "m.decode(new Uint8Array(40).buffer)") is None
    assert call(blank, "frame", "m.decode(new ArrayBuffer(3))") is None


def test_superposition_undoes_a_rigid_motion(blank):
    rng = np.random.default_rng(3)
    points = rng.normal(size=(30, 3)) * 10
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    moved = points @ turn.T + [5, -7, 11]
    laid = call(
        blank,
        "align",
        "[...m.alignTo(Float32Array.from(a[0]), Float32Array.from(a[1]))]",
        moved.ravel().tolist(),
        points.ravel().tolist(),
    )
    assert np.abs(np.reshape(laid, (-1, 3)) - points).max() < 1e-4


def test_superposition_does_not_mirror(blank):
    rng = np.random.default_rng(4)
    points = rng.normal(size=(30, 3)) * 10
    mirrored = points * [1, 1, -1]
    laid = call(
        blank,
        "align",
        "[...m.alignTo(Float32Array.from(a[0]), Float32Array.from(a[1]))]",
        mirrored.ravel().tolist(),
        points.ravel().tolist(),
    )
    assert np.abs(np.reshape(laid, (-1, 3)) - points).max() > 1


@pytest.mark.parametrize(
    ("plddt", "colour"),
    [(95, "#0053d6"), (90, "#0053d6"), (89.9, "#65cbf3"), (69.9, "#ffdb13"), (49.9, "#ff7d45")],
)
def test_alphafolds_four_colours(blank, plddt, colour):
    assert call(blank, "palette", "m.plddtColour(a[0], 'alphafold')", plddt) == colour


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_shows_confidence_in_the_colours_of_the_structure(blank, theme):
    shown = call(
        blank,
        "palette",
        """(async () => {
          document.documentElement.dataset.theme = a[0];
          const href = "/static/css/tokens.css";
          const sheet = Object.assign(document.createElement("link"), {rel: "stylesheet", href});
          document.head.append(sheet);
          await new Promise((done) => sheet.addEventListener("load", done));
          return m.BANDS.map(({ name }) => m.token(`plddt-${name}`));
        })()""",
        theme,
    )
    assert shown == call(blank, "palette", "m.SCALES.alphafold")


def test_twenty_chains_have_twenty_colours(blank):
    found = call(blank, "palette", "Array.from({length: 20}, (_, i) => m.chainColour(i))")
    assert found[:2] == ["#0072b2", "#e69f00"]
    rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in found])
    apart = np.linalg.norm(rgb[:, None] - rgb[None, :], axis=-1) + 999 * np.eye(len(rgb))
    assert apart.min() > 25


def test_the_safe_colours_differ_in_lightness(blank):
    safe = call(blank, "palette", "m.SCALES.safe")
    grey = [
        sum(w * int(c[i : i + 2], 16) for w, i in ((0.3, 1), (0.59, 3), (0.11, 5))) for c in safe
    ]
    gaps = sorted(abs(a - b) for i, a in enumerate(grey) for b in grey[i + 1 :])
    assert gaps[0] > 10


def test_fragments_replace_or_append_once(blank):
    html = call(
        blank,
        "swap",
        """(() => {
          document.body.innerHTML = '<ol id="log"></ol><p id="one">old</p>';
          m.swapAll([{target: 'one', html: '<p id="one">new</p>'},
                     {target: 'log', html: '<li id="l1">a</li>'},
                     {target: 'log', html: '<li id="l1">a</li>'},
                     {target: 'log', html: '<li id="l2">b</li>'},
                     {target: 'nowhere', html: '<p>x</p>'}]);
          return document.body.innerHTML;
        })()""",
    )
    assert html == '<ol id="log"><li id="l1">a</li><li id="l2">b</li></ol><p id="one">new</p>'


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "just now"), (60, "1 minute ago"), (7200, "2 hours ago"), (86400 * 1.2, "yesterday")],
)
def test_times_in_words(blank, seconds, words):
    assert call(blank, "time", "m.ago(new Date(0), a[0] * 1000)", seconds) == words
