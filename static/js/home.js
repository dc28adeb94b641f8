// The landing page's picture: a recorded fold, drawn on a plain canvas. Replays the steps of the diffusion
// and turns; where motion is unwanted, it shows the last step and stands still.
import { alignTo } from "./align.js";
import { plddtColour, rainbow, token } from "./palette.js";

const STEP_MS = 260;
const REST_MS = 5_000;
const TURN_MS = 16_000;
const PER_RESIDUE = 6;

const canvas = document.getElementById("hero");
const caption = document.getElementById("hero-caption");
const isStill = matchMedia("(prefers-reduced-motion: reduce)");

// Catmull-Rom: PER_RESIDUE points between two residues.
function smooth(xyz) {
  const count = xyz.length / 3;
  const points = [];
  const at = (i, axis) => xyz[3 * Math.min(Math.max(i, 0), count - 1) + axis];
  for (let k = 0; k <= (count - 1) * PER_RESIDUE; k += 1) {
    const i = Math.min(Math.floor(k / PER_RESIDUE), count - 2);
    const u = k / PER_RESIDUE - i;
    points.push([0, 1, 2].map((axis) => {
      const [a, b, c, d] = [at(i - 1, axis), at(i, axis), at(i + 1, axis), at(i + 2, axis)];
      return 0.5 * (2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u * u + (3 * b - a - 3 * c + d) * u ** 3);
    }));
  }
  return points;
}

function turned(points, angle) {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return points.map(([x, y, z]) => [c * x + s * z, y, c * z - s * x]);
}

function rgb(colour) {
  const hex = /^#(..)(..)(..)$/.exec(colour);
  return hex ? hex.slice(1).map((pair) => parseInt(pair, 16)) : colour.match(/\d+/g).map(Number);
}

function mixed(from, to, share) {
  return `rgb(${from.map((value, i) => Math.round(value + share * (to[i] - value))).join(",")})`;
}

// What is far away fades into the page.
function faded(colour, near, ground) {
  return mixed(ground, rgb(colour), 0.35 + 0.65 * near);
}

function line(context, { from, to }, { width, colour, shift = 0 }) {
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.beginPath();
  context.moveTo(from[0] - shift, from[1] - shift);
  context.lineTo(to[0] - shift, to[1] - shift);
  context.stroke();
}

// Three strokes for each piece of the tube, drawn from back to front: an edge in the colour of the page, a bit
// behind the piece, so that it cuts what is far behind but not the neighbours; the piece; a light on it.
function strokes(points, colour, scale) {
  const paper = token("paper");
  const ground = rgb(paper);
  const light = rgb("#ffffff");
  const deepest = Math.max(...points.map(([, , z]) => Math.abs(z)), 1);
  const centre = canvas.width / 2;
  const onPage = ([x, y]) => [centre + x * scale, centre - y * scale];
  return points.slice(1).flatMap((to, i) => {
    const depth = (to[2] + points[i][2]) / 2;
    const near = (depth / deepest + 1) / 2;
    const piece = { from: onPage(points[i]), to: onPage(to) };
    const width = scale * (1.5 + 0.9 * near);
    const body = colour(i / (points.length - 1));
    return [
      { depth: depth - 2.4, piece, how: { width: width + 0.9 * scale, colour: paper } },
      { depth, piece, how: { width, colour: faded(body, near, ground) } },
      { depth: depth + 0.9, piece, how: { width: 0.22 * width, shift: 0.2 * width, colour: faded(mixed(rgb(body), light, 0.45), near, ground) } },
    ];
  });
}

function draw(context, points, colour, scale) {
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.lineCap = "round";
  const all = strokes(points, colour, scale).sort((a, b) => a.depth - b.depth);
  for (const { piece, how } of all) line(context, piece, how);
}

// How far the points come from the axis that they turn about, or up and down.
function farthest(xyz) {
  let most = 1;
  for (let i = 0; i < xyz.length; i += 3) most = Math.max(most, Math.hypot(xyz[i], xyz[i + 2]), Math.abs(xyz[i + 1]));
  return most;
}

class Recording {
  constructor({ name, steps, plddt }) {
    this.name = name;
    this.plddt = plddt;
    this.steps = steps.map((step) => Float32Array.from(step, (value) => value / 10));
    for (let k = this.steps.length - 2; k >= 0; k -= 1) this.steps[k] = alignTo(this.steps[k], this.steps[k + 1]);
    this.reach = 1.12 * Math.max(...this.steps.map(farthest));
    this.length = this.steps.length * STEP_MS + REST_MS;
  }

  // The coordinates at a moment of the loop, and the step that it belongs to.
  at(ms) {
    const place = Math.min((ms % this.length) / STEP_MS, this.steps.length - 1);
    const step = Math.floor(place);
    const next = this.steps[Math.min(step + 1, this.steps.length - 1)];
    const xyz = this.steps[step].map((value, i) => value + (place - step) * (next[i] - value));
    return { xyz, step, isDone: step === this.steps.length - 1 };
  }

  colour(isDone) {
    if (!isDone) return rainbow;
    return (t) => plddtColour(this.plddt[Math.round(t * (this.plddt.length - 1))], "alphafold");
  }

  show(ms) {
    const { xyz, step, isDone } = this.at(ms);
    const size = canvas.clientWidth * (window.devicePixelRatio || 1);
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const points = turned(smooth(xyz), (2 * Math.PI * ms) / TURN_MS);
    draw(canvas.getContext("2d"), points, this.colour(isDone), size / (2 * this.reach));
    const words = isDone ? "coloured by confidence" : `step ${step + 1} of ${this.steps.length}`;
    if (caption.textContent !== `${this.name}, ${words}`) caption.textContent = `${this.name}, ${words}`;
  }
}

async function start() {
  const response = await fetch(canvas.dataset.fold);
  if (!response.ok) return;
  const recording = new Recording(await response.json());
  const begin = performance.now();
  const frame = () => {
    if (isStill.matches) return recording.show(recording.length - 1);
    recording.show(performance.now() - begin);
    return requestAnimationFrame(frame);
  };
  frame();
  canvas.dataset.ready = "true";
  document.addEventListener("themechange", () => isStill.matches && frame());
}

start();
