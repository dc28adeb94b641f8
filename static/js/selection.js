// Which residues are selected or under the pointer: one object that sequence, structure, PAE and pLDDT share.
// Residues are counted from 0 over all chains of the job; a range is [first, last], both included.

export class Selection extends EventTarget {
  constructor() {
    super();
    this.ranges = [];
    this.hovered = null;
  }

  select(...ranges) {
    this.ranges = ranges.map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);
    this.dispatchEvent(new Event("select"));
  }

  clear() {
    if (this.ranges.length) this.select();
  }

  // A click on the one residue that is selected already takes it back.
  toggle(residue) {
    const [only] = this.ranges;
    if (this.ranges.length === 1 && only[0] === residue && only[1] === residue) this.clear();
    else this.select([residue, residue]);
  }

  hover(residue) {
    if (residue === this.hovered) return;
    this.hovered = residue;
    this.dispatchEvent(new Event("hover"));
  }

  // 0 for residues in the first range, 1 for those in the second, -1 for all others.
  indexOf(residue) {
    return this.ranges.findIndex(([first, last]) => residue >= first && residue <= last);
  }
}
