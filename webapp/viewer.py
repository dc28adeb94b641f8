"""What the result page draws, read from a job's artifacts: scene, PAE, trajectory.

Numbers that come in squares travel as bytes: `static/js/pae.js` and `playback.js` read them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from webapp import storage
from webapp.models import Job, Prediction

if TYPE_CHECKING:
    import h5py
    import numpy as np

# The middle of the model's last bin of errors, Å.
PAE_MOST = 31.75
INPUT_ENDING = "_data.json"
CENTI = 100.0
INT16_MOST = 32767


@dataclass(frozen=True)
class Chain:
    """One copy of a chain. `start` is its first residue, counted from 0 over the whole job."""

    id: str
    start: int
    sequence: str
    plddt: tuple[float, ...]


def file_stem(prediction: Prediction) -> str:
    """What the names of the files of this sample hold."""
    return f"seed-{prediction.seed}_sample-{prediction.sample}"


def file_name(job: Job, prediction: Prediction, ending: str) -> str:
    """The name of one of the sample's files, such as the one that ends in `_model.cif`.

    Raises:
        FileNotFoundError: the job has no such file.
    """
    wanted = f"_{file_stem(prediction)}{ending}"
    found = [name for name in storage.names(job.pk) if name.endswith(wanted)]
    if not found:
        raise FileNotFoundError(wanted)
    return found[0]


def slug(job: Job) -> str:
    """The job's name as its files carry it."""
    names = [name for name in storage.names(job.pk) if name.endswith(INPUT_ENDING)]
    return names[0].removesuffix(INPUT_ENDING) if names else str(job.pk)


def chains(job: Job, prediction: Prediction) -> tuple[Chain, ...]:
    """The chains in the order of the tokens, each with the mean pLDDT of its residues.

    Raises:
        FileNotFoundError: the files of the sample are not there.
    """
    path = storage.find(job.pk, file_name(job, prediction, "_residues.csv"))
    residues: dict[str, list[tuple[str, float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            residues.setdefault(row["chain_id"], []).append((row["letter"], float(row["plddt"])))
    found: list[Chain] = []
    start = 0
    for chain_id, rows in residues.items():
        letters, plddt = zip(*rows, strict=True)
        found.append(Chain(chain_id, start, "".join(letters), plddt))
        start += len(rows)
    return tuple(found)


def scene(job: Job, prediction: Prediction) -> dict[str, Any]:
    """Chains, sequences and the pLDDT of every residue, ready for JSON."""
    of_sample = chains(job, prediction)
    return {
        "chains": [{"id": c.id, "start": c.start, "sequence": c.sequence} for c in of_sample],
        "plddt": [value for chain in of_sample for value in chain.plddt],
    }


def pae(job: Job, prediction: Prediction) -> bytes:
    """The PAE as uint8 [token, token]: 255 stands for 31.75 Å. Row: aligned on; column: judged."""
    errors = _array(job, prediction, "pae")
    return (errors / PAE_MOST * 255.0).round().clip(0, 255).astype("u1").tobytes()


def trajectory(job: Job, prediction: Prediction) -> bytes:
    """The steps of the diffusion as little-endian int16 [step, token, 3] in hundredths of an Å."""
    steps = _array(job, prediction, "trajectory")
    return (steps * CENTI).round().clip(-INT16_MOST, INT16_MOST).astype("<i2").tobytes()


def _array(job: Job, prediction: Prediction, name: str) -> np.ndarray[Any, Any]:
    with _arrays(job) as file:
        values: np.ndarray[Any, Any] = file[file_stem(prediction)][name][()]
        return values


def _arrays(job: Job) -> h5py.File:
    """The job's HDF5 file. h5py is loaded only here: most requests of the web process need none."""
    import h5py

    found = [name for name in storage.names(job.pk) if name.endswith(".h5")]
    if not found:
        raise FileNotFoundError("no HDF5 file")
    return h5py.File(storage.find(job.pk, found[0]), "r")
