// One sample as the viewers share it: chains, their residues, the tokens of these, and how sure each one is.
// A standard residue is one token; of a modified residue or a ligand each atom is one.

function residuesOf({ kind, start, sequence, codes, sizes, plddt }, chain) {
  let first = start;
  return sizes.map((size, i) => {
    const residue = { chain, kind, number: i + 1, letter: sequence[i], code: codes[i], first, last: first + size - 1, plddt: plddt[i] };
    first += size;
    return residue;
  });
}

export class Scene {
  constructor({ chains, bonds }) {
    this.bonds = bonds;
    this.residues = chains.flatMap(residuesOf);
    this.count = this.residues.at(-1).last + 1;
    this.chains = chains.map((chain, index) => {
      const residues = this.residues.filter((residue) => residue.chain === index);
      return { id: chain.id, kind: chain.kind, start: chain.start, end: residues.at(-1).last + 1, residues };
    });
    this.residueOf = this.residues.flatMap((residue, i) => Array(residue.last - residue.first + 1).fill(i));
    this.plddt = this.residueOf.map((i) => this.residues[i].plddt);
    this.atomNames = [];
    this.places = new Map(this.residues.map((residue) => [`${chains[residue.chain].id}:${residue.number}`, residue]));
  }

  // Tells each atom of the structure its token, and takes from single atoms their own pLDDT.
  attach(atoms) {
    const seen = new Map();
    for (const atom of atoms) {
      const residue = this.places.get(`${atom.chain}:${atom.resi}`);
      const nth = seen.get(residue) ?? 0;
      seen.set(residue, nth + 1);
      atom.isAlone = this.isOfAtoms(residue);
      atom.token = atom.isAlone ? residue.first + nth : residue.first;
      atom.isCentre = atom.isAlone || atom.atom === "CA" || atom.atom === "C1'";
      if (!atom.isAlone) continue;
      this.atomNames[atom.token] = atom.atom;
      this.plddt[atom.token] = atom.b;
    }
  }

  // Whether each atom of the residue is a token.
  isOfAtoms(residue) {
    return residue.kind === "ligand" || residue.last > residue.first;
  }

  residue(token) {
    return this.residues[this.residueOf[token]];
  }

  chainIndex(token) {
    return this.residue(token).chain;
  }

  residueKind(token) {
    return this.residue(token).kind;
  }

  // The residue's number within its chain, counted from 1.
  number(token) {
    return this.residue(token).number;
  }

  // The letter of a residue, or the code of what has none.
  short(residue) {
    return this.isOfAtoms(residue) ? residue.code : residue.letter;
  }

  nameResidue(residue) {
    const chain = this.chains[residue.chain];
    const isOne = residue.kind === "ligand" && chain.residues.length === 1;
    const where = this.chains.length > 1 ? ` of chain ${chain.id}` : "";
    return `${this.short(residue)}${isOne ? "" : residue.number}${where}`;
  }

  name(token) {
    const name = this.nameResidue(this.residue(token));
    return this.atomNames[token] ? `${this.atomNames[token]} in ${name}` : name;
  }

  nameRange([first, last]) {
    const [from, to] = [this.residue(first), this.residue(last)];
    if (first === last) return this.name(first);
    if (from === to && first === from.first && last === to.last) return this.nameResidue(from);
    return `${this.name(first)} to ${this.name(last)}`;
  }

  // Position of a token along its chain, 0 to 1.
  along(token) {
    const { start, end } = this.chains[this.chainIndex(token)];
    return end - start > 1 ? (token - start) / (end - start - 1) : 0;
  }

  // What the trajectory draws: chains as tubes, other tokens as balls (`folding.progress.Outline`).
  outline(atoms) {
    const isTraced = (token) => !this.atomNames[token] || ["CA", "C1'"].includes(this.atomNames[token]);
    const tokens = ({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i);
    const bonds = this.bonds.map((pair) => pair.map((atom) => atoms[atom].token));
    return {
      tubes: this.chains.filter(({ kind }) => kind !== "ligand").map((chain) => tokens(chain).filter(isTraced)),
      beads: this.residueOf.map((_, token) => token).filter((token) => this.atomNames[token]),
      bonds: bonds.filter(([a, b]) => a !== b),
    };
  }
}
