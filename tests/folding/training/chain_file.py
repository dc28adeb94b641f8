"""A small file of chains in the format that training reads."""

import json
from pathlib import Path

import h5py
import numpy as np

from folding.chemistry.residues import LETTERS, standard_residues
from folding.structure.structure import Structure

# The file's own order of side-chain atoms; written backwards to show that names decide.
ATOM14 = {
    r.letter: [*r.atom_names[:4], *reversed(r.atom_names[4:])] for r in standard_residues()[:20]
}
ATOM14["X"] = ["N", "CA", "C", "O", "CB"]


def write_chains(path: Path, chains: list[tuple[str, int, Structure]]) -> None:
    """Writes (split, cluster, structure) rows; Cα absolute, other atoms relative, 0.01 Å."""
    aatype, masks, deltas, offsets, rows = [], [], [], [0], []
    for _, _, structure in chains:
        numbers = np.unique(structure.residue_number)
        deltas += [1, *np.diff(numbers)]
        for number in numbers:
            residue = structure.residue_number == number
            names = structure.atom_name[residue].tolist()
            at = dict(zip(names, structure.coordinates[residue], strict=True))
            letter = _letter(structure.residue_name[residue][0])
            slots = [slot for slot, name in enumerate(ATOM14[letter]) if name in at]
            aatype.append(LETTERS.index(letter))
            masks.append(sum(1 << slot for slot in slots))
            for slot in slots:
                name = ATOM14[letter][slot]
                rows.append(at[name] if name == "CA" else at[name] - at["CA"])
        offsets.append(len(aatype))
    counts = np.cumsum([0, *(bin(mask).count("1") for mask in masks)])
    with h5py.File(path, "w") as file:
        quantised = np.round(np.array(rows) * 100).astype(np.int16)
        for axis, values in zip("xyz", quantised.T, strict=True):
            file["q" + axis] = values
        file["aatype"] = np.array(aatype, np.uint8)
        file["atom_mask"] = np.array(masks, np.uint16)
        file["res_index_delta"] = np.array(deltas, np.uint8)
        file["res_offset"] = np.array(offsets)
        file["atom_offset"] = counts[offsets]
        file.attrs["atom14"] = json.dumps(ATOM14)
        table = file.create_group("table")
        table["id"] = [f"chain{index}" for index in range(len(chains))]
        table["split"] = [split for split, _, _ in chains]
        table["cluster30"] = np.array([cluster for _, cluster, _ in chains])
        table["state"] = ["original"] * len(chains)


def _letter(code: str) -> str:
    return {r.code: r.letter for r in standard_residues()}[code]
