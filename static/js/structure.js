// The structure of one sample in 3Dmol: styles, colours, and what is selected.
import { superposition } from "./align.js";
import { viewerIn } from "./canvas3d.js";
import { draw, join, markPair } from "./drawing.js";
import { chainColour, plddtColour, rainbow, token as cssToken } from "./palette.js";
import { Surface } from "./surface.js";

const DIMMED = "#9aa6a0";
const CLOSER = 1.2;
const TURN = 12;

const MOVE_MS = 500;

export class StructureView {
  constructor(element, selection) {
    this.element = element;
    this.selection = selection;
    this.viewer = viewerIn(element);
    this.surface = new Surface(this.viewer);
    this.viewer.setHoverDuration(60);
    element.addEventListener("keydown", (event) => this.key(event));
    this.hiddenChains = new Set();
    this.style = "cartoon";
    this.colouring = "alphafold";
    selection.addEventListener("select", () => this.paintSoon());
    selection.addEventListener("hover", () => this.mark());
  }

  // Replaces the structure. Another sample of the same job is laid over it, so that only the fold differs.
  load(cif, scene) {
    this.scene = scene;
    this.hiddenChains.clear();
    this.forgetPair();
    this.surface.remove();
    const before = this.model ? this.coordinates() : null;
    if (this.model) this.viewer.removeModel(this.model);
    this.model = this.viewer.addModel(cif, "cif");
    this.atoms = this.model.selectedAtoms({});
    scene.attach(this.atoms);
    join(this.atoms, scene);
    this.centres = new Map(this.atoms.filter((atom) => atom.isCentre).map((atom) => [atom.token, atom]));
    if (before) this.layOver(before);
    this.listen();
    this.paint();
    if (!before) this.reset();
  }

  listen() {
    const tokenOf = (atom) => atom?.token ?? null;
    this.viewer.setHoverable({}, true, (atom) => this.selection.hover(tokenOf(atom)), () => this.selection.hover(null));
    this.viewer.setClickable({}, true, (atom) => this.selection.toggle(tokenOf(atom)));
  }

  layOver(fixed) {
    const moving = this.coordinates();
    if (moving.length !== fixed.length) return;
    const move = superposition(moving, fixed);
    for (const atom of this.atoms) [atom.x, atom.y, atom.z] = move([atom.x, atom.y, atom.z]);
  }

  // The centre atoms in the order of the tokens, as flat xyz.
  coordinates() {
    return Float32Array.from([...this.centres.keys()].sort((a, b) => a - b).flatMap((token) => {
      const { x, y, z } = this.centres.get(token);
      return [x, y, z];
    }));
  }

  // Arrows turn, plus and minus zoom, 0 goes back to the first view.
  key(event) {
    const turns = { ArrowLeft: [-TURN, "y"], ArrowRight: [TURN, "y"], ArrowUp: [-TURN, "x"], ArrowDown: [TURN, "x"] };
    if (event.key in turns) this.viewer.rotate(...turns[event.key]);
    else if (event.key === "+" || event.key === "=") this.viewer.zoom(CLOSER);
    else if (event.key === "-") this.viewer.zoom(1 / CLOSER);
    else if (event.key === "0") this.reset();
    else return;
    event.preventDefault();
    this.viewer.render();
  }

  setStyle(style) {
    this.style = style;
    this.paint();
  }

  setColouring(colouring) {
    this.colouring = colouring;
    this.paint();
  }

  colourOf(token) {
    if (this.colouring === "chain") return chainColour(this.scene.chainIndex(token));
    if (this.colouring === "rainbow") return rainbow(this.scene.along(token));
    return plddtColour(this.scene.plddt[token], this.colouring);
  }

  shownColour(token) {
    if (!this.selection.ranges.length) return this.colourOf(token);
    return [cssToken("highlight"), cssToken("highlight-2")][this.selection.indexOf(token)] ?? DIMMED;
  }

  // While somebody drags, a selection changes more often than a large structure can be painted.
  paintSoon() {
    this.soon ??= requestAnimationFrame(() => {
      this.soon = null;
      this.paint();
    });
  }

  paint() {
    if (!this.model || this.hidden) return;
    const colours = Array.from({ length: this.scene.count }, (_, token) => this.shownColour(token));
    const tellsElements = this.colouring === "chain" && !this.selection.ranges.length;
    draw(this, colours, { tellsElements });
    this.viewer.render();
    this.element.dataset.painted = Number(this.element.dataset.painted ?? 0) + 1;
  }

  setChainShown(id, isShown) {
    if (isShown) this.hiddenChains.delete(id);
    else this.hiddenChains.add(id);
    this.element.dataset.hiddenChains = [...this.hiddenChains].join(" ");
    this.paint();
  }

  // Moves to a chain, or to one residue of it.
  focus(chain, resi) {
    this.zoomTo({ model: this.model, chain, ...(resi && { resi }) });
  }

  // Moves to two atoms, each named as `chain/residue/atom`, and marks them.
  showPair(names) {
    this.forgetPair();
    this.pair = markPair(this.viewer, this.atoms, names);
    if (this.pair) this.zoomTo({ model: this.model, predicate: this.pair.isNear });
  }

  forgetPair() {
    for (const shape of this.pair?.shapes ?? []) this.viewer.removeShape(shape);
    this.pair = null;
  }

  zoomTo(atoms) {
    const isQuiet = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.viewer.zoomTo(atoms, isQuiet ? 0 : MOVE_MS);
    this.viewer.render();
  }

  // A ball at the residue or atom under the pointer: cheaper than colouring the whole chain again.
  mark() {
    if (this.ball) this.viewer.removeShape(this.ball);
    this.ball = null;
    const centre = this.hidden ? null : this.centres?.get(this.selection.hovered);
    if (centre) {
      const { x, y, z } = centre;
      this.ball = this.viewer.addSphere({ center: { x, y, z }, radius: 1.6, color: cssToken("highlight"), opacity: 0.7 });
    }
    this.viewer.render();
  }

  // Makes room for the trajectory, or comes back from it.
  setHidden(hidden) {
    if (!this.model || hidden === Boolean(this.hidden)) return;
    this.hidden = hidden;
    this.surface.remove();
    if (hidden) this.model.setStyle({}, {});
    else this.paint();
  }

  reset() {
    this.forgetPair();
    this.viewer.zoomTo({ model: this.model });
    const { clientWidth, clientHeight } = this.element;
    this.viewer.zoom(Math.min(CLOSER, Math.max(1, (0.75 * clientWidth) / clientHeight)));
    this.viewer.render();
  }

  recolour() {
    this.viewer.setBackgroundColor(cssToken("surface"));
    this.paint();
  }

  picture() {
    return this.viewer.pngURI();
  }
}
