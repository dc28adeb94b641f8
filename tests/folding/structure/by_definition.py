"""Measures of structures written out one atom, pair or residue at a time, to compare with."""

from itertools import combinations

import numpy as np
from scipy.spatial.transform import Rotation

from folding.structure.structure import Structure


def residues_of(structure: Structure) -> list[dict]:
    """Each residue: chain, number, name, and its atoms by name."""
    found = []
    stops = [*structure.residue_starts[1:], structure.n_atoms]
    for start, stop in zip(structure.residue_starts, stops, strict=True):
        atoms = dict(
            zip(structure.atom_name[start:stop], structure.coordinates[start:stop], strict=True)
        )
        found.append(
            {
                "chain": structure.chain_id[start],
                "number": int(structure.residue_number[start]),
                "name": structure.residue_name[start],
                **{name: place.astype(float) for name, place in atoms.items()},
            }
        )
    return found


def follow(left: dict, right: dict) -> bool:
    """Whether the second residue is bonded behind the first."""
    return left["chain"] == right["chain"] and right["number"] == left["number"] + 1


def hydrogen_bonded(residues: list[dict], i: int, j: int) -> bool:
    """Whether C=O of i takes N-H of j (Kabsch & Sander 1983)."""
    if j == 0 or residues[j]["name"] == "PRO" or not follow(residues[j - 1], residues[j]):
        return False
    if i == j or any(follow(residues[a], residues[b]) for a, b in ((i, j), (j, i))):
        return False
    acceptor, donor, before = residues[i], residues[j], residues[j - 1]
    if not (
        {"C", "O"} <= acceptor.keys() and {"N"} <= donor.keys() and {"C", "O"} <= before.keys()
    ):
        return False
    carbonyl = before["C"] - before["O"]
    h = donor["N"] + carbonyl / np.linalg.norm(carbonyl)

    def over(a, b):
        return 1 / max(np.linalg.norm(a - b), 0.5)

    energy = over(acceptor["O"], donor["N"]) + over(acceptor["C"], h)
    energy -= over(acceptor["O"], h) + over(acceptor["C"], donor["N"])
    return 27.888 * energy < -0.5


def kabsch_sander(structure: Structure) -> str:
    """H and E by the words of the paper: consecutive 4-turns, and ladders of bridges."""
    residues = residues_of(structure)
    n = len(residues)
    bond = [[hydrogen_bonded(residues, i, j) for j in range(n)] for i in range(n)]

    def unbroken(first: int, last: int) -> bool:
        inside = first >= 0 and last < n
        return inside and all(follow(residues[k], residues[k + 1]) for k in range(first, last))

    def turn(i: int) -> bool:
        return unbroken(i, i + 4) and bond[i][i + 4]

    def is_bridge(i: int, j: int, kind: str) -> bool:
        if unbroken(min(i, j), max(i, j)) and abs(i - j) < 3:
            return False
        whole_i, whole_j = (unbroken(k - 1, k + 1) for k in (i, j))
        if kind == "parallel":
            here = whole_i and bond[i - 1][j] and bond[j][i + 1]
            return here or (whole_j and bond[j - 1][i] and bond[i][j + 1])
        narrow = bond[i][j] and bond[j][i]
        return narrow or (whole_i and whole_j and bond[i - 1][j + 1] and bond[j - 1][i + 1])

    letters = ["-"] * n
    for kind, step in (("parallel", 1), ("antiparallel", -1)):
        for i in range(n - 1):
            for j in range(n):
                on = j + step
                steps = unbroken(i, i + 1) and unbroken(min(j, on), max(j, on))
                if steps and is_bridge(i, j, kind) and is_bridge(i + 1, on, kind):
                    for k in (i, i + 1, j, on):
                        letters[k] = "E"
    for i in range(1, n):
        if unbroken(i - 1, i) and turn(i) and turn(i - 1):
            letters[i : i + 4] = "HHHH"
    return "".join(letters)


def largest_set(model: np.ndarray, native: np.ndarray, cutoff: float) -> float:
    """The largest fraction of points within the cutoff, over fits of every subset of three on."""
    best = 0
    n = len(model)
    for size in range(3, n + 1):
        for chosen in map(list, combinations(range(n), size)):
            centres = [points[chosen].mean(axis=0) for points in (model, native)]
            turn, _ = Rotation.align_vectors(
                native[chosen] - centres[1], model[chosen] - centres[0]
            )
            moved = turn.apply(model - centres[0]) + centres[1]
            best = max(best, int((np.linalg.norm(moved - native, axis=1) <= cutoff).sum()))
    return best / n


def clashing_pairs(structure: Structure, radius, *, share: float) -> set[frozenset[int]]:
    """Pairs of atoms of residues that do not touch along a chain, below a share of their radii."""
    found = set()
    for i, j in combinations(range(structure.n_atoms), 2):
        same_chain = structure.chain_id[i] == structure.chain_id[j]
        between = abs(int(structure.residue_number[i]) - int(structure.residue_number[j]))
        if same_chain and between <= 1:
            continue
        limit = share * (radius(structure.element[i]) + radius(structure.element[j]))
        if np.linalg.norm(structure.coordinates[i] - structure.coordinates[j]) < limit:
            found.add(frozenset((i, j)))
    return found
