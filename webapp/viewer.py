"""What the result page draws, read from a job's artifacts: scene, PAE, trajectory.

Numbers that come in squares travel as bytes: `static/js/pae.js` and `playback.js` read them.
"""

from __future__ import annotations

import csv
import json
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
    """One copy of a chain or ligand. `start` is its first token, from 0 over the whole job.

    `sequence`, `codes`, `plddt` and `n_tokens` go by residue: a standard one is one token, of any
    other each atom is one. `kind` is `protein`, `rna`, `dna` or `ligand`.
    """

    id: str
    start: int
    sequence: str
    plddt: tuple[float, ...]
    codes: tuple[str, ...]
    n_tokens: tuple[int, ...]
    kind: str = "protein"

    @property
    def mean_plddt(self) -> float:
        """The mean over its tokens."""
        weighed = sum(value * n for value, n in zip(self.plddt, self.n_tokens, strict=True))
        return weighed / sum(self.n_tokens)


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
    residues: dict[str, list[dict[str, str]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            residues.setdefault(row["chain_id"], []).append(row)
    found: list[Chain] = []
    start = 0
    for chain_id, rows in residues.items():
        # Jobs of the first version have proteins alone, and say nothing of tokens.
        n_tokens = tuple(int(row.get("n_tokens") or 1) for row in rows)
        letters = "".join(row["letter"] for row in rows)
        plddt = tuple(float(row["plddt"]) for row in rows)
        codes = tuple(row["residue_name"] for row in rows)
        kind = rows[0].get("kind") or "protein"
        found.append(Chain(chain_id, start, letters, plddt, codes, n_tokens, kind))
        start += sum(n_tokens)
    return tuple(found)


def scene(job: Job, prediction: Prediction) -> dict[str, Any]:
    """Chains with what is known of each residue, and bonds as pairs of atoms, ready for JSON.

    `start` is a token; `sizes` counts the tokens of each residue. Atoms count from 0 in the order
    of the structure's file; bonds are those in and to ligands and modified residues.
    """
    return {
        "chains": [
            {
                "id": chain.id,
                "start": chain.start,
                "kind": chain.kind,
                "sequence": chain.sequence,
                "codes": chain.codes,
                "sizes": chain.n_tokens,
                "plddt": chain.plddt,
            }
            for chain in chains(job, prediction)
        ],
        "bonds": bonds(job),
    }


def bonds(job: Job) -> list[list[int]]:
    """Bonded atom pairs of which one at least is a token of its own.

    There are none for a job of a version that did not say, or whose arrays are gone.
    """
    import numpy as np

    try:
        with _arrays(job) as file:
            if "bonds" not in file:
                return []
            pairs, token = file["bonds"][()], file["token_index"][()]
    except FileNotFoundError:
        return []
    is_alone = np.bincount(token)[token] == 1
    found: list[list[int]] = pairs[is_alone[pairs].any(axis=1)].tolist()
    return found


def chemistry(job: Job, prediction: Prediction) -> dict[str, Any]:
    """Stereochemistry of the ligands, and clashes; empty where the job says nothing of them."""
    try:
        path = storage.find(job.pk, file_name(job, prediction, "_chemistry.json"))
    except FileNotFoundError:
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def pae(job: Job, prediction: Prediction) -> bytes:
    """The PAE as uint8 [token, token]: 255 stands for 31.75 Å. Row: aligned on; column: judged.

    Raises:
        FileNotFoundError: the file of all arrays is not there.
    """
    errors = _array(job, prediction, "pae")
    return (errors / PAE_MOST * 255.0).round().clip(0, 255).astype("u1").tobytes()


def trajectory(job: Job, prediction: Prediction) -> bytes:
    """The steps of the diffusion as little-endian int16 [step, token, 3] in hundredths of an Å.

    Raises:
        FileNotFoundError: the file of all arrays is not there.
    """
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
