// The predicted aligned error as a picture of one byte per cell; a dragged block selects two ranges.
import { paint } from "./heatmap.js";
import { ERROR_TABLE, token } from "./palette.js";

const MOST_ANGSTROM = 31.75;

export class PaePlot {
  constructor(element, selection) {
    Object.assign(this, { element, selection, cursor: [0, 0], anchor: null });
    this.map = element.querySelector(".map");
    this.overlay = element.querySelector(".overlay");
    this.readout = element.querySelector("[data-readout]");
    const { overlay } = this;
    overlay.addEventListener("pointerdown", (event) => this.press(event));
    overlay.addEventListener("pointermove", (event) => this.move(event));
    overlay.addEventListener("pointerup", () => (this.anchor = null));
    overlay.addEventListener("pointerleave", () => this.leave());
    overlay.addEventListener("keydown", (event) => this.key(event));
    selection.addEventListener("select", () => this.drawOverlay());
    selection.addEventListener("hover", () => this.drawOverlay());
    new ResizeObserver(() => this.drawOverlay()).observe(overlay);
  }

  // `cells` are null where the job's file of them is gone.
  load(cells, scene) {
    this.element.querySelector("[data-missing]").hidden = Boolean(cells);
    this.element.querySelector("[data-plot]").hidden = !cells;
    this.cells = cells;
    this.scene = cells && scene;
    if (!cells) return;
    paint(this.map, this.cells, scene.count, ERROR_TABLE);
    this.drawTicks();
    this.drawOverlay();
    this.element.dataset.cells = this.cells.length;
  }

  // Chains where there are several, else every twentieth residue.
  drawTicks() {
    const { chains, count } = this.scene;
    const marks = chains.length > 1 ? this.chainMarks() : [[0.5, "1", ""]];
    if (chains.length === 1) for (let at = 20; at <= count; at += 20 * Math.ceil(count / 120)) marks.push([at - 0.5, String(at), ""]);
    const ticks = marks.map(([at, text, title]) => {
      const tick = Object.assign(document.createElement("span"), { textContent: text, title });
      tick.style.left = `${(100 * at) / count}%`;
      return tick;
    });
    this.element.querySelector(".ticks").replaceChildren(...ticks);
  }

  // As many words as the width of a chain allows: none where an ion is thinner than its letter.
  chainMarks() {
    const { chains, count } = this.scene;
    const marks = [];
    let free = -Infinity;
    for (const { id, start, end, kind, residues } of chains) {
      const [at, width] = [(start + end) / 2, (end - start) / count];
      const words = kind === "ligand" ? `${id}, ${residues[0].code}` : `chain ${id}, 1 to ${residues.length}`;
      const text = [words, kind === "ligand" ? id : `chain ${id}`, id].find((one) => width > 0.021 * one.length) ?? id;
      const half = (0.0105 * text.length + 0.005) * count;
      if (at - half < free) continue;
      free = at + half;
      marks.push([at, text, words]);
    }
    return marks;
  }

  angstroms(row, column) {
    return (this.cells[row * this.scene.count + column] / 255) * MOST_ANGSTROM;
  }

  // [row, column] under the pointer: the residue aligned on, and the residue judged.
  cellAt({ clientX, clientY }) {
    const box = this.overlay.getBoundingClientRect();
    const clamp = (value) => Math.min(Math.max(Math.floor(value * this.scene.count), 0), this.scene.count - 1);
    return [clamp((clientY - box.top) / box.height), clamp((clientX - box.left) / box.width)];
  }

  press(event) {
    if (!this.scene) return;
    this.overlay.setPointerCapture(event.pointerId);
    this.anchor = this.cellAt(event);
    this.pressed = true;
    this.selectTo(this.anchor);
  }

  move(event) {
    if (!this.scene) return;
    const cell = this.cellAt(event);
    this.say(cell);
    this.selection.hover(cell[1]);
    if (this.anchor) this.selectTo(cell);
  }

  leave() {
    this.selection.hover(null);
    this.say(null);
  }

  selectTo([row, column]) {
    const [fromRow, fromColumn] = this.anchor;
    this.cursor = [row, column];
    this.selection.select([fromRow, row], [fromColumn, column]);
  }

  key(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const move = moves[event.key];
    if (event.key === "Escape") this.selection.clear();
    if (!move || !this.scene) return;
    event.preventDefault();
    const step = event.altKey ? 10 : 1;
    this.keyAnchor = event.shiftKey ? (this.keyAnchor ?? this.cursor) : null;
    this.cursor = this.cursor.map((at, axis) => Math.min(Math.max(at + step * move[axis], 0), this.scene.count - 1));
    this.anchor = this.keyAnchor ?? this.cursor;
    this.selectTo(this.cursor);
    this.anchor = null;
    this.say(this.cursor);
  }

  say(cell) {
    if (!cell) {
      this.readout.textContent = this.readout.dataset.readout;
      return;
    }
    const [row, column] = cell;
    this.readout.textContent = `${this.scene.name(column)} seen from ${this.scene.name(row)}: ${this.angstroms(row, column).toFixed(1)} Å`;
  }

  drawOverlay() {
    if (!this.scene) return;
    const { overlay, scene } = this;
    const scale = window.devicePixelRatio || 1;
    overlay.width = overlay.clientWidth * scale;
    overlay.height = overlay.clientHeight * scale;
    const context = overlay.getContext("2d");
    const at = (residue) => (residue / scene.count) * overlay.width;
    context.lineWidth = scale;
    context.strokeStyle = token("ink");
    for (const { start } of scene.chains.slice(1)) {
      context.strokeRect(at(start), 0, 0, overlay.height);
      context.strokeRect(0, at(start), overlay.width, 0);
    }
    this.drawSelection(context, at, scale);
  }

  drawSelection(context, at, scale) {
    const [rows, columns = rows] = this.selection.ranges;
    if (!rows) return;
    const [x, y] = [at(columns[0]), at(rows[0])];
    const [width, height] = [at(columns[1] + 1) - x, at(rows[1] + 1) - y];
    context.lineWidth = 2 * scale;
    context.strokeStyle = token("highlight");
    context.strokeRect(0, y, 0, height);
    context.strokeRect(x, y, width, height);
    context.fillStyle = token("highlight");
    context.fillRect(0, y, 4 * scale, height);
    context.fillStyle = token("highlight-2");
    context.fillRect(x, this.overlay.height - 4 * scale, width, 4 * scale);
  }
}
