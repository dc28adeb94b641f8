"""What training compares with, written out one pair at a time as the papers define it."""

import numpy as np


def lddt_of_atoms(x, truth, seen, *, token, representative):
    """lDDT in [0, 1] of each atom against the representative atoms of other tokens within 15 Å.

    NaN where nothing is near. All arrays are for one crop; `representative` holds an atom a token.
    """
    scores = np.full(len(x), np.nan)
    for atom in np.flatnonzero(seen):
        kept = []
        for other, place in enumerate(representative):
            if other == token[atom] or not seen[place]:
                continue
            actual = np.linalg.norm(truth[atom] - truth[place])
            if actual < 15.0:
                error = abs(np.linalg.norm(x[atom] - x[place]) - actual)
                kept.append(np.mean([error < limit for limit in (0.5, 1.0, 2.0, 4.0)]))
        if kept:
            scores[atom] = np.mean(kept)
    return scores


def in_frame(point, n, alpha, c):
    """A point in the frame of a backbone (AF3 SI algorithm 29)."""
    first, second = ((end - alpha) / np.linalg.norm(end - alpha) for end in (n, c))
    e1 = (first + second) / np.linalg.norm(first + second)
    e2 = (second - first) / np.linalg.norm(second - first)
    return np.array([e1, e2, np.cross(e1, e2)]) @ (point - alpha)


def aligned_error(x, truth, frame_i, atom_j):
    """How far atom j is off where the frame of i is laid on its truth."""
    seen = [in_frame(y[atom_j], *y[frame_i]) for y in (x, truth)]
    return np.linalg.norm(seen[0] - seen[1])
