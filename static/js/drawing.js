// How 3Dmol draws chains, ligands, ions and modified residues, and what is bonded to what.
import { token as cssToken } from "./palette.js";

const STYLES = {
  cartoon: (colorfunc) => ({ cartoon: { colorfunc, arrows: true } }),
  sticks: (colorfunc) => ({ stick: { colorfunc, radius: 0.16 }, cartoon: { colorfunc, opacity: 0.35 } }),
  spheres: (colorfunc) => ({ sphere: { colorfunc } }),
  surface: (colorfunc) => ({ cartoon: { colorfunc } }),
};
const BALL_AND_STICK = (colorfunc) => ({ stick: { colorfunc, radius: 0.2 }, sphere: { colorfunc, scale: 0.24 } });
const ION = (colorfunc) => ({ sphere: { colorfunc, scale: 0.65 } });
const ELEMENTS = { N: "#3d5bd6", O: "#d6332a", P: "#e08214", S: "#c9a400", F: "#3aa655", CL: "#3aa655", BR: "#8b3a3a" };
const CONTEXT = 4;

// 3Dmol guesses bonds by distance; those of ligands and modified residues are known.
export function join(atoms, scene) {
  if (!scene.bonds.length) return;
  for (const atom of atoms) {
    const bonds = atom.bonds.map((other, i) => [other, atom.bondOrder[i]]);
    const kept = bonds.filter(([other]) => !atom.isAlone && !atoms[other].isAlone);
    atom.bonds = kept.map(([other]) => other);
    atom.bondOrder = kept.map(([, order]) => order);
    // A modified residue is part of its chain's ribbon.
    if (scene.residueKind(atom.token) !== "ligand") atom.hetflag = false;
  }
  for (const [a, b] of scene.bonds) {
    for (const [from, to] of [[a, b], [b, a]]) {
      atoms[from].bonds.push(to);
      atoms[from].bondOrder.push(1);
    }
  }
}

// Gives each atom of the view's model its style; `colours` go by token. Where they tell chains apart,
// ligands show their elements too.
export function draw({ model, surface, scene, style, hiddenChains }, colours, { tellsElements }) {
  const colorfunc = (atom) => (tellsElements && atom.isAlone && ELEMENTS[atom.elem.toUpperCase()]) || colours[atom.token];
  const isLigand = (atom) => scene.residueKind(atom.token) === "ligand";
  const isHidden = (atom) => hiddenChains.has(atom.chain);
  const set = (predicate, as, adds = false) => model.setStyle({ predicate }, as, adds);
  model.setStyle({}, STYLES[style](colorfunc));
  if (style !== "spheres") {
    set(isLigand, BALL_AND_STICK(colorfunc));
    set((atom) => atom.isAlone && !isLigand(atom), BALL_AND_STICK(colorfunc), true);
    set((atom) => isLigand(atom) && !atom.bonds.length, ION(colorfunc));
  }
  if (hiddenChains.size) set(isHidden, {});
  const atoms = { model, predicate: (atom) => !isHidden(atom) && !isLigand(atom) };
  if (style === "surface") surface.show(colorfunc, { shape: [...hiddenChains].join(" "), atoms });
  else surface.remove();
}

// Two atoms, each named as `chain/residue/atom`, with a dashed line between them; null if one is not there.
export function markPair(viewer, atoms, names) {
  const found = names.map((name) => {
    const [chain, number, atom] = name.split("/");
    return atoms.find((one) => one.chain === chain && String(one.resi) === number && one.atom === atom);
  });
  if (found.includes(undefined)) return null;
  const [start, end] = found.map(({ x, y, z }) => ({ x, y, z }));
  const color = cssToken("highlight");
  const shapes = [start, end].map((center) => viewer.addSphere({ center, radius: 0.6, color, opacity: 0.8 }));
  shapes.push(viewer.addCylinder({ start, end, radius: 0.12, color, dashed: true, fromCap: 1, toCap: 1 }));
  const isNear = ({ x, y, z }) => found.some((atom) => Math.hypot(atom.x - x, atom.y - y, atom.z - z) < CONTEXT);
  return { shapes, isNear };
}
