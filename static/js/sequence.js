// The sequence as a strip of letters on the colours of their pLDDT; pointer and keyboard select in it.
import { BANDS, bandIndex } from "./palette.js";

const BLOCK = 10;

function letter(scene, residue) {
  const element = document.createElement("span");
  const band = BANDS[bandIndex(scene.plddt[residue])];
  element.className = `residue ${band.name}`;
  element.dataset.residue = residue;
  element.textContent = scene.letters[residue];
  element.setAttribute("role", "option");
  element.setAttribute("aria-selected", "false");
  element.setAttribute("aria-label", `${scene.name(residue)}, pLDDT ${Math.round(scene.plddt[residue])}, ${band.label.toLowerCase()}`);
  element.id = `residue-${residue}`;
  return element;
}

function chainBlocks(scene, chain) {
  const blocks = [];
  for (let at = 0; at < chain.sequence.length; at += BLOCK) {
    const block = document.createElement("span");
    block.className = "block";
    block.dataset.number = Math.min(at + BLOCK, chain.sequence.length);
    const last = Math.min(at + BLOCK, chain.sequence.length);
    for (let i = at; i < last; i += 1) block.append(letter(scene, chain.start + i));
    blocks.push(block);
  }
  return blocks;
}

export class SequenceStrip {
  constructor(element, selection) {
    Object.assign(this, { element, selection, active: 0, anchor: null });
    element.setAttribute("role", "listbox");
    element.setAttribute("aria-multiselectable", "true");
    element.tabIndex = 0;
    element.addEventListener("pointerdown", (event) => this.press(event));
    element.addEventListener("pointermove", (event) => this.drag(event));
    element.addEventListener("pointerleave", () => selection.hover(null));
    element.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("pointerup", () => (this.dragging = false));
    selection.addEventListener("select", () => this.showSelection());
    selection.addEventListener("hover", () => this.showHover());
  }

  load(scene) {
    this.scene = scene;
    this.element.replaceChildren(...scene.chains.map((chain) => this.chainRow(chain)));
    this.letters = [...this.element.querySelectorAll(".residue")];
    this.showSelection();
  }

  chainRow(chain) {
    const row = document.createElement("div");
    row.className = "sequence-chain";
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", `Chain ${chain.id}`);
    const name = document.createElement("span");
    name.className = "chain-name";
    name.textContent = chain.id;
    row.append(name, ...chainBlocks(this.scene, chain));
    return row;
  }

  residueAt(event) {
    const found = document.elementFromPoint(event.clientX, event.clientY)?.closest?.(".residue");
    return found && this.element.contains(found) ? Number(found.dataset.residue) : null;
  }

  press(event) {
    const residue = this.residueAt(event);
    if (residue === null) return;
    if (event.shiftKey && this.anchor !== null) this.selection.select([this.anchor, residue]);
    else this.selection.toggle(residue);
    if (!event.shiftKey) this.anchor = residue;
    this.active = residue;
    this.dragging = event.pointerType === "mouse";
  }

  drag(event) {
    const residue = this.residueAt(event);
    this.selection.hover(residue);
    if (this.dragging && residue !== null && residue !== this.active) {
      this.active = residue;
      this.selection.select([this.anchor, residue]);
    }
  }

  key(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -BLOCK, ArrowDown: BLOCK, Home: -Infinity, End: Infinity };
    if (event.key === "Escape") this.selection.clear();
    else if (event.key === "Enter" || event.key === " ") this.selection.toggle((this.anchor = this.active));
    else if (event.key in moves) this.moveBy(moves[event.key], event.shiftKey);
    else return;
    event.preventDefault();
  }

  moveBy(step, extends_) {
    if (!extends_) this.anchor = null;
    else this.anchor ??= this.active;
    this.active = Math.min(Math.max(this.active + step, 0), this.scene.count - 1);
    this.element.setAttribute("aria-activedescendant", `residue-${this.active}`);
    this.letters[this.active].scrollIntoView({ block: "nearest", inline: "nearest" });
    if (extends_) this.selection.select([this.anchor, this.active]);
    this.selection.hover(this.active);
  }

  showSelection() {
    this.letters?.forEach((element, residue) => {
      const index = this.selection.indexOf(residue);
      element.setAttribute("aria-selected", String(index >= 0));
      element.dataset.range = index >= 0 ? index : "";
    });
  }

  showHover() {
    this.element.querySelector(".hovered")?.classList.remove("hovered");
    this.letters?.[this.selection.hovered]?.classList.add("hovered");
  }
}
