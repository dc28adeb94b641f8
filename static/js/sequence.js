// The residues as a strip of letters and codes on the colours of their pLDDT; pointer and keyboard select in it.
// Here residues are counted, in the selection tokens: what has a token for each atom is selected as a whole.
import { BANDS, bandIndex } from "./palette.js";

const BLOCK = 10;

function chip(scene, residue, index) {
  const element = document.createElement("span");
  const band = BANDS[bandIndex(residue.plddt)];
  element.className = `residue ${band.name}`;
  element.classList.toggle("code", scene.isOfAtoms(residue));
  element.dataset.residue = index;
  element.textContent = scene.short(residue);
  element.setAttribute("role", "option");
  element.setAttribute("aria-selected", "false");
  element.setAttribute("aria-label", `${scene.nameResidue(residue)}, pLDDT ${Math.round(residue.plddt)}, ${band.label.toLowerCase()}`);
  element.id = `residue-${index}`;
  return element;
}

function chainBlocks(scene, chain) {
  const blocks = [];
  for (let at = 0; at < chain.residues.length; at += BLOCK) {
    const block = document.createElement("span");
    block.className = "block";
    const residues = chain.residues.slice(at, at + BLOCK);
    if (chain.kind !== "ligand") block.dataset.number = residues.at(-1).number;
    block.append(...residues.map((residue) => chip(scene, residue, scene.residueOf[residue.first])));
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
    if (event.shiftKey && this.anchor !== null) this.select(this.anchor, residue);
    else this.toggle(residue);
    if (!event.shiftKey) this.anchor = residue;
    this.active = residue;
    this.dragging = event.pointerType === "mouse";
  }

  drag(event) {
    const residue = this.residueAt(event);
    this.hover(residue);
    if (this.dragging && residue !== null && residue !== this.active) {
      this.active = residue;
      this.select(this.anchor, residue);
    }
  }

  tokens(residue) {
    const { first, last } = this.scene.residues[residue];
    return [first, last];
  }

  select(from, to) {
    const [a, b] = [Math.min(from, to), Math.max(from, to)];
    this.selection.select([this.tokens(a)[0], this.tokens(b)[1]]);
  }

  toggle(residue) {
    this.selection.toggle(...this.tokens(residue));
  }

  hover(residue) {
    this.selection.hover(residue === null ? null : this.tokens(residue)[0]);
  }

  key(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -BLOCK, ArrowDown: BLOCK, Home: -Infinity, End: Infinity };
    if (event.key === "Escape") this.selection.clear();
    else if (event.key === "Enter" || event.key === " ") this.toggle((this.anchor = this.active));
    else if (event.key in moves) this.moveBy(moves[event.key], event.shiftKey);
    else return;
    event.preventDefault();
  }

  moveBy(step, extends_) {
    if (!extends_) this.anchor = null;
    else this.anchor ??= this.active;
    this.active = Math.min(Math.max(this.active + step, 0), this.letters.length - 1);
    this.element.setAttribute("aria-activedescendant", `residue-${this.active}`);
    this.letters[this.active].scrollIntoView({ block: "nearest", inline: "nearest" });
    if (extends_) this.select(this.anchor, this.active);
    this.hover(this.active);
  }

  showSelection() {
    this.letters?.forEach((element, residue) => {
      const [first, last] = this.tokens(residue);
      const index = this.selection.ranges.findIndex((range) => first <= range[1] && last >= range[0]);
      element.setAttribute("aria-selected", String(index >= 0));
      element.dataset.range = index >= 0 ? index : "";
    });
  }

  showHover() {
    this.element.querySelector(".hovered")?.classList.remove("hovered");
    const residue = this.scene?.residueOf[this.selection.hovered];
    this.letters?.[residue]?.classList.add("hovered");
  }
}
