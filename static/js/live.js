// The panel of a fold in progress: the moving trace, the contact map, the noise levels.
import { viewerIn } from "./canvas3d.js";
import { paint } from "./heatmap.js";
import { CONTACTS } from "./frame.js";
import { NoiseChart } from "./noise.js";
import { probabilityTable } from "./palette.js";
import { Trace } from "./trace.js";

function text(id, words) {
  document.getElementById(id).textContent = words;
}

function angstroms(value) {
  return value >= 10 ? value.toFixed(0) : value.toPrecision(2);
}

export class LivePanel {
  // `drawn` is called after each frame that was drawn.
  constructor(element, { drawn }) {
    Object.assign(this, { element, drawn });
    this.noise = new NoiseChart(document.getElementById("noise"), { nSteps: Number(element.dataset.steps), name: (frame) => this.name(frame) });
    this.seeds = element.dataset.seeds.split(" ");
    this.latest = new Map();
    this.attempt = 0;
    this.picked = null;
    this.repaint = () => this.retheme();
    document.addEventListener("themechange", this.repaint);
    requestAnimationFrame(() => setTimeout(() => this.start3d()));
  }

  // Starting WebGL takes a moment: after the first paint, but before the first coordinates are there.
  start3d() {
    if (this.isClosed) return;
    this.trace ??= new Trace(viewerIn(document.getElementById("live-viewer")), this);
  }

  // The worker says what the tokens are when it has cut them, and the server puts it into the page.
  readOutline() {
    const { outline } = document.getElementById("live-outline").dataset;
    if (!outline || outline === this.heardOutline) return;
    this.heardOutline = outline;
    this.trace.setOutline(JSON.parse(outline));
  }

  // A job that was started again sends the frames of its new attempt; older ones no longer count.
  take(frame) {
    if (frame.attempt < this.attempt) return;
    if (frame.attempt > this.attempt) this.forget(frame.attempt);
    if (frame.kind === CONTACTS) this.showContacts(frame);
    else this.showStep(frame);
  }

  forget(attempt) {
    this.attempt = attempt;
    this.latest.clear();
    this.noise.lines.clear();
    this.following = null;
  }

  showContacts(frame) {
    const { cells, count, step, nSteps } = frame;
    this.contacts = frame;
    paint(document.getElementById("contacts"), cells, count, probabilityTable());
    text("contacts-caption", `after cycle ${step} of ${nSteps}`);
  }

  showStep(frame) {
    const key = `${frame.seedIndex}-${frame.sample}`;
    const isNew = !this.latest.has(key);
    this.latest.set(key, frame);
    this.noise.add(frame);
    if (isNew) this.drawPicks();
    if (key === this.watched(key)) this.draw(frame);
  }

  // Follows one sample until it is done, then the next one; a click on a sample stays with it.
  watched(candidate) {
    if (this.picked) return this.picked;
    const followed = this.latest.get(this.following);
    if (!followed || followed.step >= followed.nSteps) this.following = candidate;
    return this.following;
  }

  draw(frame) {
    this.start3d();
    this.readOutline();
    this.trace.show(frame.coordinates);
    text("live-caption", `${this.name(frame)}, step ${frame.step} of ${frame.nSteps}, ${angstroms(frame.noiseLevel)} Å of noise`);
  }

  // As the tables name it: with its seed where there are several.
  name({ seedIndex, sample }) {
    const seed = this.seeds.length > 1 ? `seed ${this.seeds[seedIndex]}, ` : "";
    return `${seed}sample ${sample + 1}`;
  }

  drawPicks() {
    const picks = document.getElementById("live-picks");
    if (this.latest.size < 2) return picks.replaceChildren();
    return picks.replaceChildren(...[...this.latest.values()].map((frame) => this.pick(frame)));
  }

  pick(frame) {
    const key = `${frame.seedIndex}-${frame.sample}`;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button small";
    const name = this.name(frame);
    button.textContent = name[0].toUpperCase() + name.slice(1);
    button.setAttribute("aria-pressed", String(this.picked === key));
    button.addEventListener("click", () => {
      this.picked = this.picked === key ? null : key;
      this.drawPicks();
      this.draw(this.latest.get(key));
    });
    return button;
  }

  retheme() {
    this.trace?.recolour();
    this.noise.draw();
    if (this.contacts) this.showContacts(this.contacts);
  }

  close() {
    this.isClosed = true;
    document.removeEventListener("themechange", this.repaint);
    this.trace?.remove();
  }
}
