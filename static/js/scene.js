// One sample as the viewers share it: chains, residues, pLDDT, and where the rest can be fetched.

export class Scene {
  constructor({ chains, plddt }) {
    this.chains = chains;
    this.plddt = plddt;
    this.count = plddt.length;
    this.letters = chains.map(({ sequence }) => sequence).join("");
    this.places = new Map();
    // A modified residue or a ligand has a token for each atom: its first one is its place.
    chains.forEach(({ id, start, sequence, numbers }) => {
      for (let i = sequence.length - 1; i >= 0; i -= 1) this.places.set(`${id}:${numbers?.[i] ?? i + 1}`, start + i);
    });
  }

  static async fetch(url) {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    return new Scene(await response.json());
  }

  chainIndex(residue) {
    return this.chains.findLastIndex(({ start }) => residue >= start);
  }

  // The residue's number within its chain, counted from 1.
  number(residue) {
    const { start, numbers } = this.chains[this.chainIndex(residue)];
    return numbers?.[residue - start] ?? residue - start + 1;
  }

  name(residue) {
    const chain = this.chains[this.chainIndex(residue)];
    return `${this.letters[residue]}${this.number(residue)}${this.chains.length > 1 ? ` of chain ${chain.id}` : ""}`;
  }

  nameRange([first, last]) {
    if (first === last) return this.name(first);
    return `${this.name(first)} to ${this.name(last)}`;
  }

  // Position of a residue along its chain, 0 to 1.
  along(residue) {
    const { start, sequence } = this.chains[this.chainIndex(residue)];
    return sequence.length > 1 ? (residue - start) / (sequence.length - 1) : 0;
  }
}
