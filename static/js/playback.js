// Plays how a sample came out of the noise: the steps of its trajectory, laid over the final structure.
import { alignTo } from "./align.js";
import { angstroms } from "./frame.js";
import { SignedOut, ask } from "./server.js";
import { Trace } from "./trace.js";

const STEP_MS = 240;

export class Playback {
  constructor(element, view) {
    Object.assign(this, { element, view, frames: null, url: "", turn: 0 });
    this.button = element.querySelector("[data-play]");
    this.slider = element.querySelector("input");
    this.words = element.querySelector("output");
    this.button.addEventListener("click", () => (this.timer ? this.pause() : this.play()));
    this.slider.addEventListener("input", () => this.seek(Number(this.slider.value)));
  }

  // Nothing is fetched before somebody plays. What is under way for the sample before comes to nothing.
  load(url, scene) {
    this.fetching?.abort();
    this.pause();
    this.leave();
    Object.assign(this, { url, scene, frames: null, pending: null });
    this.turn += 1;
    this.slider.value = this.slider.max;
    this.say(null);
  }

  // Whether the frames are there and nobody asked for anything else meanwhile.
  async hasFrames() {
    const turn = (this.turn += 1);
    if (!this.frames) await (this.pending ??= this.fetchFrames());
    return Boolean(this.frames) && turn === this.turn;
  }

  // Where they do not come, the words say why, and the next to ask tries again.
  async fetchFrames() {
    const { signal } = (this.fetching = new AbortController());
    this.write("loading");
    try {
      const response = await ask(this.url, { signal });
      if (!response.ok) throw new Error(response.status === 404 ? "its file is gone" : `the server answered ${response.status}`);
      const buffer = await response.arrayBuffer();
      signal.throwIfAborted();
      this.take(buffer);
    } catch (error) {
      if (signal.aborted) return;
      this.pending = null;
      this.write(error instanceof SignedOut ? error.message : `The trajectory could not be read: ${error.message}.`, { failed: true });
    }
  }

  take(buffer) {
    const size = 3 * this.scene.count;
    const nSteps = Math.floor(buffer.byteLength / (2 * size));
    const frames = Array.from({ length: nSteps }, (_, step) => angstroms(buffer, 2 * size * step, size));
    let over = this.view.coordinates();
    for (let step = nSteps - 1; step >= 0; step -= 1) {
      frames[step] = alignTo(frames[step], over);
      over = frames[step];
    }
    this.frames = frames;
    this.slider.max = nSteps - 1;
    this.element.dataset.steps = nSteps;
  }

  async play() {
    if (!(await this.hasFrames())) return;
    const atEnd = !this.trace || Number(this.slider.value) >= this.frames.length - 1;
    this.show(atEnd ? 0 : Number(this.slider.value));
    this.timer = setInterval(() => this.next(), STEP_MS);
    this.sayButton();
  }

  pause() {
    this.timer = clearInterval(this.timer);
    this.sayButton();
  }

  next() {
    const step = Number(this.slider.value) + 1;
    if (step < this.frames.length) this.show(step);
    else {
      this.pause();
      this.leave();
    }
  }

  async seek(step) {
    this.pause();
    const share = step / Number(this.slider.max);
    if (!(await this.hasFrames())) return;
    this.show(Math.round(share * (this.frames.length - 1)));
  }

  show(step) {
    this.enter();
    this.slider.value = step;
    this.trace.show(this.frames[step]);
    this.say(step);
  }

  enter() {
    if (this.trace) return;
    this.view.setHidden(true);
    const outline = this.scene.outline(this.view.atoms);
    this.trace = new Trace(this.view.viewer, { outline, colour: (token) => this.view.colourOf(token), follow: false });
  }

  leave() {
    this.trace?.remove();
    this.trace = null;
    this.view.setHidden(false);
    this.say(null);
  }

  say(step) {
    this.write(step === null ? "final structure" : `step ${step + 1} of ${this.frames.length}`);
    this.slider.setAttribute("aria-valuetext", this.words.textContent);
  }

  write(words, { failed = false } = {}) {
    this.words.textContent = words;
    this.words.toggleAttribute("data-failed", failed);
  }

  sayButton() {
    this.button.textContent = this.timer ? "Pause" : "Play";
  }
}
