// The structure of one sample in 3Dmol: styles, colours, and what is selected.
import { superposition } from "./align.js";
import { viewerIn } from "./canvas3d.js";
import { chainColour, plddtColour, rainbow, token } from "./palette.js";

const DIMMED = "#9aa6a0";
const CLOSER = 1.2;
const TURN = 12;

const STYLES = {
  cartoon: (colorfunc) => ({ cartoon: { colorfunc, arrows: true } }),
  sticks: (colorfunc) => ({ stick: { colorfunc, radius: 0.16 }, cartoon: { colorfunc, opacity: 0.35 } }),
  spheres: (colorfunc) => ({ sphere: { colorfunc } }),
  surface: (colorfunc) => ({ cartoon: { colorfunc } }),
};

export class StructureView {
  constructor(element, selection) {
    this.element = element;
    this.selection = selection;
    this.viewer = viewerIn(element);
    this.viewer.setHoverDuration(60);
    element.addEventListener("keydown", (event) => this.key(event));
    this.style = "cartoon";
    this.colouring = "alphafold";
    selection.addEventListener("select", () => this.paintSoon());
    selection.addEventListener("hover", () => this.mark());
  }

  // Replaces the structure. Another sample of the same job is laid over it, so that only the fold differs.
  load(cif, scene) {
    this.scene = scene;
    const before = this.model ? this.coordinates() : null;
    if (this.model) this.viewer.removeModel(this.model);
    this.model = this.viewer.addModel(cif, "cif");
    this.atoms = this.model.selectedAtoms({});
    this.centres = new Map();
    for (const atom of this.atoms) {
      atom.residue = scene.places.get(`${atom.chain}:${atom.resi}`);
      if (atom.atom === "CA") this.centres.set(atom.residue, atom);
    }
    if (before) this.layOver(before);
    this.listen();
    this.paint();
    if (!before) this.reset();
  }

  listen() {
    const residueOf = (atom) => atom?.residue ?? null;
    this.viewer.setHoverable({}, true, (atom) => this.selection.hover(residueOf(atom)), () => this.selection.hover(null));
    this.viewer.setClickable({}, true, (atom) => this.selection.toggle(residueOf(atom)));
  }

  layOver(fixed) {
    const moving = this.coordinates();
    if (moving.length !== fixed.length) return;
    const move = superposition(moving, fixed);
    for (const atom of this.atoms) [atom.x, atom.y, atom.z] = move([atom.x, atom.y, atom.z]);
  }

  // The CA atoms in the order of the residues, as flat xyz.
  coordinates() {
    return Float32Array.from([...this.centres.keys()].sort((a, b) => a - b).flatMap((residue) => {
      const { x, y, z } = this.centres.get(residue);
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

  colourOf(residue) {
    if (this.colouring === "chain") return chainColour(this.scene.chainIndex(residue));
    if (this.colouring === "rainbow") return rainbow(this.scene.along(residue));
    return plddtColour(this.scene.plddt[residue], this.colouring);
  }

  shownColour(residue) {
    if (!this.selection.ranges.length) return this.colourOf(residue);
    return [token("highlight"), token("highlight-2")][this.selection.indexOf(residue)] ?? DIMMED;
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
    const colours = Array.from({ length: this.scene.count }, (_, residue) => this.shownColour(residue));
    const colorfunc = (atom) => colours[atom.residue];
    this.viewer.removeAllSurfaces();
    this.model.setStyle({}, STYLES[this.style](colorfunc));
    if (this.style === "surface") {
      this.viewer.addSurface(window.$3Dmol.SurfaceType.MS, { opacity: 0.82, colorfunc }, { model: this.model });
    }
    this.viewer.render();
    this.element.dataset.painted = Number(this.element.dataset.painted ?? 0) + 1;
  }

  // A ball at the residue under the pointer: cheaper than colouring the whole chain again.
  mark() {
    if (this.ball) this.viewer.removeShape(this.ball);
    this.ball = null;
    const centre = this.hidden ? null : this.centres?.get(this.selection.hovered);
    if (centre) {
      const { x, y, z } = centre;
      this.ball = this.viewer.addSphere({ center: { x, y, z }, radius: 1.6, color: token("highlight"), opacity: 0.7 });
    }
    this.viewer.render();
  }

  // Makes room for the trajectory, or comes back from it.
  setHidden(hidden) {
    if (!this.model || hidden === Boolean(this.hidden)) return;
    this.hidden = hidden;
    this.viewer.removeAllSurfaces();
    if (hidden) this.model.setStyle({}, {});
    else this.paint();
  }

  reset() {
    this.viewer.zoomTo({ model: this.model });
    const { clientWidth, clientHeight } = this.element;
    this.viewer.zoom(Math.min(CLOSER, Math.max(1, (0.75 * clientWidth) / clientHeight)));
    this.viewer.render();
  }

  recolour() {
    this.viewer.setBackgroundColor(token("surface"));
    this.paint();
  }

  picture() {
    return this.viewer.pngURI();
  }
}
