// The result of a job: structure, sequence, pLDDT and PAE of one sample, linked by one selection.
import { writeKeys } from "./keys.js";
import { PaePlot } from "./pae.js";
import { chainColour } from "./palette.js";
import { Playback } from "./playback.js";
import { PlddtChart } from "./plddt.js";
import { fetchSample, placesIn, placesOf } from "./sample.js";
import { Selection } from "./selection.js";
import { SequenceStrip } from "./sequence.js";
import { SignedOut, askFor } from "./server.js";
import { StructureView } from "./structure.js";
import { swapAll } from "./swap.js";

const HINT = "Point at a residue, or select in the sequence, the pLDDT plot or the PAE.";

class Result {
  constructor(element) {
    this.element = element;
    this.selection = new Selection();
    this.structure = new StructureView(document.getElementById("structure"), this.selection);
    this.sequence = new SequenceStrip(document.getElementById("sequence"), this.selection);
    this.plddt = new PlddtChart(document.getElementById("plddt"), this.selection);
    this.pae = new PaePlot(document.getElementById("pae"), this.selection);
    this.playback = new Playback(document.getElementById("playback"), this.structure);
    this.selection.addEventListener("select", () => this.say());
    this.selection.addEventListener("hover", () => this.say());
    element.addEventListener("click", (event) => this.click(event));
    element.addEventListener("change", ({ target }) => target.dataset.shows && this.structure.setChainShown(target.dataset.shows, target.checked));
    this.retheme = () => this.redraw();
    document.addEventListener("themechange", this.retheme);
  }

  // The sample that the page came with.
  open() {
    this.chosen = this.current();
    return this.load(async () => ({ places: placesOf(document) }));
  }

  // Fetches what `find` leads to, then draws all of it or nothing. A later choice ends an earlier one, whose answers
  // never reach the page.
  async load(find) {
    this.running?.abort();
    const { signal } = (this.running = new AbortController());
    this.element.dataset.state = "loading";
    try {
      const { places, swapIn } = await find(signal);
      const sample = await fetchSample(places, signal);
      signal.throwIfAborted();
      swapIn?.();
      this.draw(places, sample);
    } catch (error) {
      if (!signal.aborted) this.fail(error);
    }
  }

  draw({ trajectory, key }, { cif, scene, cells }) {
    this.scene = scene;
    this.selection.clear();
    this.playback.load(trajectory, scene);
    this.structure.load(cif, scene);
    this.sequence.load(scene);
    this.plddt.load(scene);
    this.pae.load(cells, scene);
    writeKeys(document.getElementById("chain-key"), scene.chains.map(({ id }, index) => [chainColour(index), `Chain ${id}`]));
    this.element.dataset.state = "ready";
    this.say();
    this.element.dataset.shown = key;
  }

  // What was shown before stays.
  fail(error) {
    this.chosen = this.scene ? this.current() : null;
    this.element.dataset.state = "failed";
    const words = `This sample could not be read (${error.message}). Choose it again, or reload the page.`;
    document.getElementById("picked").textContent = error instanceof SignedOut ? error.message : words;
  }

  click(event) {
    const button = event.target.closest("button");
    const choices = button?.closest("[data-choices]");
    if (choices) this.choose(choices, button);
    else if (button?.dataset.do) this.perform(button.dataset.do);
    else if (button?.dataset.focus) this.focus(button.dataset);
    else if (button?.dataset.clash) this.structure.showPair(button.dataset.clash.split(" "));
    else if (button?.dataset.rows) this.selection.select(range(button.dataset.rows), range(button.dataset.columns));
    else {
      const row = event.target.closest("[data-sample]");
      if (row) this.show(row);
    }
  }

  perform(verb) {
    if (verb === "clear") this.selection.clear();
    if (verb === "reset") this.structure.reset();
    if (verb === "picture") this.savePicture();
  }

  choose(choices, button) {
    for (const other of choices.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
    const { value } = button.dataset;
    if (choices.dataset.choices === "style") this.structure.setStyle(value);
    else if (choices.dataset.choices === "matrix") this.showMatrix(value);
    else this.colour(value);
  }

  colour(value) {
    const scale = value === "safe" ? "safe" : "alphafold";
    this.structure.setColouring(value);
    this.plddt.setColouring(scale);
    this.element.dataset.scale = scale;
    document.getElementById("legend").hidden = value === "chain" || value === "rainbow";
    document.getElementById("chain-key").hidden = value !== "chain";
    document.getElementById("rainbow-key").hidden = value !== "rainbow";
  }

  // Goes to a chain, or to one residue of it, and selects it.
  focus({ focus: id, residueNumber }) {
    const chain = this.scene?.chains.find((one) => one.id === id);
    if (!chain) return;
    const residues = chain.residues.filter(({ number }) => !residueNumber || String(number) === residueNumber);
    this.structure.focus(id, residues.length < chain.residues.length ? residueNumber : null);
    this.selection.toggle(residues[0].first, residues.at(-1).last);
  }

  showMatrix(value) {
    for (const matrix of this.element.querySelectorAll("[data-matrix]")) matrix.hidden = matrix.dataset.matrix !== value;
  }

  current() {
    return this.element.querySelector("[data-sample][aria-current]");
  }

  async show(row) {
    if (row === this.chosen) return;
    this.chosen = row;
    document.getElementById("picked").textContent = "Loading the sample";
    await this.load(async (signal) => {
      const response = await askFor(row.querySelector("[data-url]").dataset.url, { signal });
      const { fragments } = await response.json();
      return { places: placesIn(fragments), swapIn: () => this.swapIn(row, fragments) };
    });
  }

  swapIn(row, fragments) {
    swapAll(fragments);
    for (const other of row.parentElement.children) other.removeAttribute("aria-current");
    row.setAttribute("aria-current", "true");
  }

  savePicture() {
    const link = document.createElement("a");
    link.href = this.structure.picture();
    link.download = `${document.querySelector("h1").textContent.trim()}.png`;
    link.click();
  }

  say() {
    const { ranges, hovered } = this.selection;
    const place = document.getElementById("picked");
    this.element.querySelector('[data-do="clear"]').hidden = !ranges.length;
    if (hovered !== null && this.scene) {
      place.textContent = `${this.scene.name(hovered)}, pLDDT ${this.scene.plddt[hovered].toFixed(0)}`;
    } else if (ranges.length) {
      place.textContent = `Selected: ${ranges.map((range) => this.scene.nameRange(range)).join(" and ")}`;
    } else {
      place.textContent = HINT;
    }
  }

  redraw() {
    this.structure.recolour();
    this.plddt.draw();
    this.pae.drawOverlay();
  }

  close() {
    this.running?.abort();
    document.removeEventListener("themechange", this.retheme);
  }
}

// `0-75` as a range of the selection.
function range(text) {
  return text.split("-").map(Number);
}

export function openResult(element) {
  const result = new Result(element);
  result.open();
  return result;
}
