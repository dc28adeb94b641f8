// The panel of a fold in progress: the moving trace, the contact map, the noise levels.
import { paint } from "./heatmap.js";
import { CONTACTS } from "./frame.js";
import { NoiseChart } from "./noise.js";
import { PROBABILITY_TABLE, token } from "./palette.js";
import { Trace } from "./trace.js";

function text(id, words) {
  document.getElementById(id).textContent = words;
}

export class LivePanel {
  constructor(element) {
    this.element = element;
    const lengths = element.dataset.chains.split(",").map(Number);
    this.viewer = window.$3Dmol.createViewer(document.getElementById("live-viewer"), {
      backgroundColor: token("surface"),
      antialias: true,
    });
    this.trace = new Trace(this.viewer, { lengths });
    this.noise = new NoiseChart(document.getElementById("noise"), { nSteps: Number(element.dataset.steps) });
    this.latest = new Map();
    this.attempt = 0;
    this.picked = null;
    this.repaint = () => this.trace.recolour();
    document.addEventListener("themechange", this.repaint);
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

  showContacts({ cells, count, step, nSteps }) {
    paint(document.getElementById("contacts"), cells, count, PROBABILITY_TABLE);
    text("contacts-caption", `after cycle ${step} of ${nSteps}`);
    this.element.dataset.cycles = step;
  }

  showStep(frame) {
    const key = `${frame.seedIndex}-${frame.sample}`;
    const isNew = !this.latest.has(key);
    this.latest.set(key, frame);
    this.noise.add(frame);
    if (isNew) this.drawPicks();
    if (key === this.watched(key)) this.draw(frame);
    this.element.dataset.frames = Number(this.element.dataset.frames ?? 0) + 1;
  }

  // Follows one sample until it is done, then the next one; a click on a sample stays with it.
  watched(candidate) {
    if (this.picked) return this.picked;
    const followed = this.latest.get(this.following);
    if (!followed || followed.step >= followed.nSteps) this.following = candidate;
    return this.following;
  }

  draw(frame) {
    this.trace.show(frame.coordinates);
    const seed = this.latest.size && frame.seedIndex ? `seed ${frame.seedIndex + 1}, ` : "";
    text("live-caption", `${seed}sample ${frame.sample + 1}, step ${frame.step} of ${frame.nSteps}, ${frame.noiseLevel.toPrecision(2)} Å of noise`);
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
    button.textContent = frame.seedIndex ? `${frame.seedIndex + 1}.${frame.sample + 1}` : `Sample ${frame.sample + 1}`;
    button.setAttribute("aria-pressed", String(this.picked === key));
    button.addEventListener("click", () => {
      this.picked = this.picked === key ? null : key;
      this.drawPicks();
      this.draw(this.latest.get(key));
    });
    return button;
  }

  close() {
    document.removeEventListener("themechange", this.repaint);
    this.trace.remove();
    this.viewer.clear();
    loseContext(document.getElementById("live-viewer"));
  }
}

// Browsers keep few WebGL contexts alive; the one of a removed viewer is given back at once.
export function loseContext(element) {
  const canvas = element?.querySelector("canvas");
  const gl = canvas?.getContext("webgl2") ?? canvas?.getContext("webgl");
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
}
