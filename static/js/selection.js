// Which tokens are selected or under the pointer: one object that sequence, structure, PAE and pLDDT share.
// Tokens are counted from 0 over all chains of the job; a range is [first, last], both included.

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

  // A click on what alone is selected already takes it back.
  toggle(first, last = first) {
    const [only] = this.ranges;
    if (this.ranges.length === 1 && only[0] === first && only[1] === last) this.clear();
    else this.select([first, last]);
  }

  hover(token) {
    if (token === this.hovered) return;
    this.hovered = token;
    this.dispatchEvent(new Event("hover"));
  }

  // 0 for tokens in the first range, 1 for those in the second, -1 for all others.
  indexOf(token) {
    return this.ranges.findIndex(([first, last]) => token >= first && token <= last);
  }
}
