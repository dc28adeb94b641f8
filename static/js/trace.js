// Chains and ligands in 3Dmol that move: atoms are made once, then only x, y, z change between frames.
import { alignTo } from "./align.js";
import { rainbow, token } from "./palette.js";

const TUBE = 0.45;
const BOND = 0.2;
const BEAD = 0.42;
const LONE_BEAD = 1.1;
const MOVE_MS = 220;
const SLOW_MS = 60;

// Points between two residues, so that the trace bends; fewer for large proteins, to stay quick.
function density(count) {
  if (count <= 250) return 4;
  return count <= 600 ? 2 : 1;
}

// One chain through all tokens, for as long as nothing else is known of them.
function oneTube(count) {
  return { tubes: [Array.from({ length: count }, (_, token) => token)], beads: [], bonds: [] };
}

// Catmull-Rom through the tokens of one chain; `t` runs over the whole chain.
function knots(tokens, perResidue) {
  const found = [];
  const last = tokens.length - 1;
  const parts = last * perResidue;
  for (let k = 0; k <= parts; k += 1) {
    const i = Math.min(Math.floor(k / perResidue), last);
    const u = k / perResidue - Math.floor(k / perResidue);
    const token = (index) => tokens[Math.min(Math.max(index, 0), last)];
    found.push({ at: [token(i - 1), tokens[i], token(i + 1), token(i + 2)], u, t: parts ? k / parts : 0, token: u < 0.5 ? tokens[i] : token(i + 1) });
  }
  return found;
}

// Atoms that are tokens by themselves, with the sticks between them.
function beadAtoms({ beads, bonds }, first, colour) {
  const places = new Map(beads.map((token, i) => [token, first + i]));
  const atoms = beads.map((token) => ({ token, partners: [] }));
  for (const [a, b] of bonds) {
    if (!places.has(a) || !places.has(b)) continue;
    atoms[places.get(a) - first].partners.push(places.get(b));
    atoms[places.get(b) - first].partners.push(places.get(a));
  }
  return atoms.map(({ token, partners }) => ({
    elem: "C", x: 0, y: 0, z: 0, bonds: partners, bondOrder: partners.map(() => 1),
    properties: { colour: colour(token, 0.5), bead: partners.length ? BEAD : LONE_BEAD },
  }));
}

function weights(u) {
  return [
    0.5 * (-u + 2 * u * u - u ** 3),
    0.5 * (2 - 5 * u * u + 3 * u ** 3),
    0.5 * (u + 4 * u * u - 3 * u ** 3),
    0.5 * (u ** 3 - u * u),
  ];
}

function place(atom, { at, u }, xyz) {
  const w = weights(u);
  atom.x = w[0] * xyz[3 * at[0]] + w[1] * xyz[3 * at[1]] + w[2] * xyz[3 * at[2]] + w[3] * xyz[3 * at[3]];
  atom.y = w[0] * xyz[3 * at[0] + 1] + w[1] * xyz[3 * at[1] + 1] + w[2] * xyz[3 * at[2] + 1] + w[3] * xyz[3 * at[3] + 1];
  atom.z = w[0] * xyz[3 * at[0] + 2] + w[1] * xyz[3 * at[1] + 2] + w[2] * xyz[3 * at[2] + 2] + w[3] * xyz[3 * at[3] + 2];
}

function radius(xyz) {
  let most = 0;
  for (let i = 0; i < xyz.length; i += 3) most = Math.max(most, Math.hypot(xyz[i], xyz[i + 1], xyz[i + 2]));
  return most;
}

export class Trace {
  // `viewer` is a 3Dmol viewer; `colour(token, t)` is asked once for each point; `drawn` hears of each frame.
  // `outline` says which tokens follow each other in chains and which are atoms of their own.
  constructor(viewer, { outline = null, colour = (_, t) => rainbow(t), follow = true, drawn = () => {} }) {
    Object.assign(this, { viewer, outline, colour, follow, drawn });
    this.quiet = matchMedia("(prefers-reduced-motion: reduce)");
  }

  build(count) {
    if (this.model) this.viewer.removeModel(this.model);
    const perResidue = density(count);
    this.knots = [];
    const atoms = [];
    const outline = this.outline ?? oneTube(count);
    for (const tokens of outline.tubes) {
      const chain = knots(tokens, perResidue);
      chain.forEach((knot, k) => {
        const index = atoms.length;
        const bonds = [k > 0 && index - 1, k < chain.length - 1 && index + 1].filter((bond) => bond !== false);
        atoms.push({ elem: "C", x: 0, y: 0, z: 0, bonds, bondOrder: bonds.map(() => 1), properties: { colour: this.colour(knot.token, knot.t) } });
      });
      this.knots.push(...chain);
    }
    atoms.push(...beadAtoms(outline, atoms.length, this.colour));
    this.knots.push(...outline.beads.map((token) => ({ at: [token, token, token, token], u: 0 })));
    this.hasBeads = outline.beads.length > 0;
    this.model = this.viewer.addModel();
    this.model.addAtoms(atoms);
    this.atoms = this.model.selectedAtoms({});
    this.count = count;
    this.from = null;
  }

  // What is known of the tokens now; the next frame is drawn by it.
  setOutline(outline) {
    this.outline = outline;
    this.count = 0;
  }

  // Moves to new coordinates (Float32Array of xyz), over a moment unless motion is unwanted.
  show(coordinates) {
    const count = coordinates.length / 3;
    if (count !== this.count) this.build(count);
    this.target = alignTo(coordinates, this.target);
    this.from = this.now ?? this.target;
    this.since = performance.now();
    this.wake();
  }

  // Draws soon. Where drawing is slow the page gets time in between, or it would do nothing else.
  wake() {
    if (this.waiting) return;
    const pause = Math.max(0, (this.restUntil ?? 0) - performance.now());
    const soon = () => (this.request = requestAnimationFrame(() => this.tick()));
    this.waiting = true;
    if (pause) this.timer = setTimeout(soon, pause);
    else soon();
  }

  tick() {
    this.waiting = false;
    const begin = performance.now();
    const isQuick = !this.quiet.matches && (this.drawMs ?? 0) < SLOW_MS;
    const t = isQuick ? Math.min((begin - this.since) / MOVE_MS, 1) : 1;
    this.draw(t < 1 ? this.target.map((to, i) => this.from[i] + t * (to - this.from[i])) : this.target);
    this.drawMs = performance.now() - begin;
    this.restUntil = this.drawMs < SLOW_MS ? 0 : performance.now() + 2 * this.drawMs;
    this.drawn();
    if (t < 1) this.wake();
  }

  draw(xyz) {
    this.now = xyz;
    this.knots.forEach((knot, i) => place(this.atoms[i], knot, xyz));
    this.paint();
    if (this.follow) this.keepInView(xyz);
    this.viewer.render();
  }

  paint() {
    const colorfunc = (atom) => atom.properties.colour;
    this.model.setStyle({}, { stick: { radius: TUBE, colorfunc } });
    if (!this.hasBeads) return;
    const beads = (size) => ({ predicate: (atom) => atom.properties.bead === size });
    this.model.setStyle(beads(BEAD), { stick: { radius: BOND, colorfunc }, sphere: { radius: BEAD, colorfunc } });
    this.model.setStyle(beads(LONE_BEAD), { sphere: { radius: LONE_BEAD, colorfunc } });
  }

  // The estimate grows and shrinks while it is denoised; the view follows in steps, not with every frame.
  keepInView(xyz) {
    const size = radius(xyz);
    if (this.size && size < 1.12 * this.size && size > 0.7 * this.size) return;
    this.size = size;
    this.viewer.zoomTo({ model: this.model });
  }

  recolour() {
    this.viewer.setBackgroundColor(token("surface"));
    this.viewer.render();
  }

  remove() {
    clearTimeout(this.timer);
    cancelAnimationFrame(this.request);
    this.waiting = false;
    if (this.model) this.viewer.removeModel(this.model);
    this.model = null;
    this.count = 0;
    this.now = null;
    this.target = null;
    this.size = 0;
  }
}
