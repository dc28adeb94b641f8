"""The files of a finished job, named as AlphaFold 3 names them (its docs/output.md).

Every file is written beside its place and renamed, so that whoever sees a name sees all of it.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from folding import __version__
from folding.inputs import FoldInput
from folding.prediction import Prediction
from folding.structure.clashes import MAX_LISTED, clashes
from folding.structure.composition import PROTEIN, Composition, proteins_alone
from folding.structure.disorder import relative_area
from folding.structure.geometry import backbone_torsions
from folding.structure.mmcif import write_mmcif
from folding.structure.secondary import secondary_structure
from folding.structure.stereochemistry import stereochemistry
from folding.structure.structure import Structure, one_letter

RESIDUE_COLUMNS = (
    "chain_id",
    "residue_number",
    "residue_name",
    "letter",
    "plddt",
    "resolved",
    "secondary_structure",
    "relative_accessible_area",
    "phi_degrees",
    "psi_degrees",
    "omega_degrees",
    "n_tokens",
    "kind",
)
_SHORT_HASH = 12
_HDF5_UNITS = "Å; plddt 0-100; pae[i, j] is the error of token j in the frame of token i"


def write_outputs(
    directory: Path,
    *,
    name: str,
    fold_input: FoldInput,
    predictions: Sequence[Prediction],
    manifest: Mapping[str, Any],
) -> list[str]:
    """Writes everything about a job and returns the names of the files, `manifest.json` last.

    Args:
        directory: Exists; files of the same names are replaced.
        name: What file names begin with, such as `FoldInput.slug`.
        predictions: Best first.
        manifest: What it takes to fold this again; size and SHA-256 of each file are added.
    """
    made_by = network_name(manifest)
    names = [
        file_name
        for prediction in predictions
        for file_name in write_prediction(
            directory, name=name, prediction=prediction, made_by=made_by
        )
    ]
    document = fold_input.to_json(strict=True)
    names.append(_save(directory / f"{name}_data.json", _json(document, indent=2)))
    names.append(_save(directory / "ranking_scores.csv", ranking_csv(predictions)))
    names.append(write_hdf5(directory, name=name, predictions=predictions))
    contents = {
        "foldstream": __version__,
        **manifest,
        "files": {file_name: _fingerprint(directory / file_name) for file_name in names},
    }
    names.append(_save(directory / "manifest.json", _json(contents, indent=2)))
    return names


def sample_name(name: str, prediction: Prediction) -> str:
    """What the files of one prediction begin with."""
    return f"{name}_seed-{prediction.seed}_sample-{prediction.sample}"


def network_name(manifest: Mapping[str, Any]) -> str:
    """The network of a manifest and the first letters of its weights' SHA-256."""
    name = str(manifest.get("options", {}).get("model", ""))
    weights = str(manifest.get("weights_sha256", ""))[:_SHORT_HASH]
    return ", ".join(filter(None, (name, weights and f"weights {weights}")))


def write_prediction(
    directory: Path, *, name: str, prediction: Prediction, made_by: str = ""
) -> list[str]:
    """Writes the files of one prediction and returns their names.

    Args:
        made_by: The network, as the mmCIF names it.
    """
    stem = sample_name(name, prediction)
    confidence = prediction.confidence
    scores = {"pTM": confidence.ptm, "ipTM": confidence.iptm}
    which = f"seed {prediction.seed}, sample {prediction.sample}"
    model = write_mmcif(
        prediction.structure,
        name=name,
        plddt=confidence.atom_plddt,
        scores={metric: value for metric, value in scores.items() if value is not None},
        model_name=", ".join(filter(None, (made_by, which))),
        composition=prediction.composition,
    )
    contents = {
        f"{stem}_model.cif": model,
        f"{stem}_summary_confidences.json": _json(summary_confidences(prediction), indent=1),
        f"{stem}_confidences.json": _json(full_confidences(prediction)),
        f"{stem}_residues.csv": residue_csv(prediction),
        f"{stem}_chemistry.json": _json(chemistry(prediction), indent=1),
    }
    return [_save(directory / file_name, text) for file_name, text in contents.items()]


def summary_confidences(prediction: Prediction) -> dict[str, Any]:
    """The scores of the model, its chains and pairs of chains, by AlphaFold 3's keys."""
    confidence = prediction.confidence
    return {
        "chain_ids": list(prediction.structure.chain_ids),
        "chain_iptm": _numbers(confidence.chain_iptm),
        "chain_pair_iptm": _numbers(confidence.chain_pair_iptm),
        "chain_pair_pae_min": _numbers(confidence.chain_pair_pae_min),
        "chain_ptm": _numbers(confidence.chain_ptm),
        "fraction_disordered": round(confidence.fraction_disordered, 2),
        "has_clash": float(confidence.has_clash),
        "iptm": None if confidence.iptm is None else round(confidence.iptm, 2),
        "ptm": round(confidence.ptm, 2),
        "ranking_score": round(confidence.ranking_score, 2),
    }


def composition_of(prediction: Prediction) -> Composition:
    """What the chains of a prediction are made of."""
    return prediction.composition or proteins_alone(prediction.structure)


def chemistry(prediction: Prediction) -> dict[str, Any]:
    """Stereochemistry of ligands and modified residues, clashes, and notes on the conformers.

    `ligands` says for each component which chiral centres (`R`, `S`) and double bonds (`E`, `Z`)
    are as they should be; `clashes` lists the worst pairs of atoms, `n_clashes` counts all.
    """
    composition = composition_of(prediction)
    found = clashes(prediction.structure, composition)
    reports = stereochemistry(prediction.structure, composition)
    return {
        "ligands": [
            {
                "chain_id": report.chain_id,
                "residue_number": report.residue_number,
                "code": report.code,
                "n_stereo": len(report.elements),
                "n_kept": report.n_kept,
                "stereo": [asdict(element) for element in report.elements],
            }
            for report in reports
        ],
        "n_clashes": len(found),
        "clashes": [asdict(clash) for clash in found[:MAX_LISTED]],
        "notes": list(composition.notes),
    }


def full_confidences(prediction: Prediction) -> dict[str, Any]:
    """The confidence of every atom and token pair, by AlphaFold 3's keys."""
    structure, confidence = prediction.structure, prediction.confidence
    return {
        "atom_chain_ids": structure.chain_id.tolist(),
        "atom_plddts": _numbers(confidence.atom_plddt),
        "contact_probs": _numbers(confidence.contact_probs),
        "pae": _numbers(confidence.pae),
        "token_chain_ids": structure.token_chain_id.tolist(),
        "token_res_ids": structure.token_residue_number.tolist(),
    }


def residue_csv(prediction: Prediction) -> str:
    """One line for each residue: confidence, secondary structure, exposure and torsions.

    `kind` is `protein`, `rna`, `dna` or `ligand`; what only proteins have is empty elsewhere.
    """
    kind = composition_of(prediction).kind
    structure, confidence = prediction.structure, prediction.confidence
    starts = structure.residue_starts
    names = structure.residue_name[starts].tolist()
    torsions = backbone_torsions(structure)
    kinds = [kind(chain) for chain in structure.chain_id[starts].tolist()]
    tokens = np.append(structure.token_index[starts], structure.n_tokens)
    columns: list[Iterable[object]] = [
        structure.chain_id[starts].tolist(),
        structure.residue_number[starts].tolist(),
        names,
        map(one_letter, names),
        _rounded(_residue_mean(structure, confidence.atom_plddt), 2),
        _rounded(_residue_mean(structure, confidence.resolved), 3),
        [
            letter if kind == PROTEIN else ""
            for letter, kind in zip(secondary_structure(structure), kinds, strict=True)
        ],
        _rounded(_protein_area(structure, kinds), 3),
        *(_rounded(np.degrees(angle), 1) for angle in torsions),
        np.diff(tokens).tolist(),
        kinds,
    ]
    return _csv(RESIDUE_COLUMNS, zip(*columns, strict=True))


def _protein_area(structure: Structure, kinds: Sequence[str]) -> np.ndarray:
    """Accessible surface as a fraction of the largest; NaN where it is no protein."""
    return np.where(np.array(kinds) == PROTEIN, relative_area(structure), np.nan)


def ranking_csv(predictions: Sequence[Prediction]) -> str:
    """Seed, sample and ranking score of every prediction, best first."""
    rows = ((p.seed, p.sample, p.ranking_score) for p in predictions)
    return _csv(("seed", "sample", "ranking_score"), rows)


def write_hdf5(directory: Path, *, name: str, predictions: Sequence[Prediction]) -> str:
    """Writes all arrays of a job into one HDF5 file and returns its name.

    A group `seed-<s>_sample-<k>` for each prediction holds `coordinates`, `plddt`, `resolved`,
    `pae`, `pde`, `contact_probs` and `trajectory`, with the scores as attributes; a group
    `seed-<s>` holds the `distogram` of a seed. `token_index` gives the token of each atom, and
    `bonds` the atom pairs that are bonded in ligands, in modified residues and across residues;
    atoms count from 0 in the order of the mmCIF files.
    """
    path = directory / f"{name}.h5"
    partial = path.with_name(f".{path.name}.partial")
    with h5py.File(partial, "w") as file:
        file.attrs["units"] = _HDF5_UNITS
        for prediction in predictions[:1]:
            _write_array(file, "token_index", prediction.structure.token_index)
            _write_array(file, "bonds", composition_of(prediction).covalent)
        for prediction in predictions:
            _write_group(file, prediction)
            seed = f"seed-{prediction.seed}"
            if prediction.distogram is not None and seed not in file:
                _write_array(file.create_group(seed), "distogram", prediction.distogram)
    os.replace(partial, path)
    return path.name


def _write_group(file: h5py.File, prediction: Prediction) -> None:
    confidence = prediction.confidence
    group = file.create_group(f"seed-{prediction.seed}_sample-{prediction.sample}")
    arrays = {
        "coordinates": prediction.structure.coordinates,
        "plddt": confidence.atom_plddt,
        "resolved": confidence.resolved,
        "pae": confidence.pae,
        "pde": confidence.pde,
        "contact_probs": confidence.contact_probs,
        "trajectory": prediction.trajectory,
    }
    for key, array in arrays.items():
        _write_array(group, key, array)
    for key, value in summary_confidences(prediction).items():
        if isinstance(value, float):
            group.attrs[key] = value


def _write_array(group: h5py.Group, name: str, array: np.ndarray) -> None:
    compression = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    group.create_dataset(name, data=array, **(compression if array.size else {}))


def _residue_mean(structure: Structure, values: np.ndarray) -> np.ndarray:
    starts = structure.residue_starts
    return np.add.reduceat(values, starts) / np.diff(np.append(starts, structure.n_atoms))


def _rounded(values: np.ndarray, digits: int) -> list[object]:
    """The numbers as a table shows them; nothing where there is none."""
    return ["" if np.isnan(v) else round(v, digits) for v in values.astype(np.float64).tolist()]


def _numbers(values: np.ndarray) -> list[Any]:
    """The array as nested lists of numbers with two decimals, None for NaN."""
    rounded = np.round(values.astype(np.float64), 2)
    if np.isnan(rounded).any():
        rounded = rounded.astype(object)
        rounded[np.isnan(values)] = None
    return list(rounded.tolist())


def _json(value: object, *, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)


def _csv(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _save(path: Path, text: str) -> str:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
    return path.name


def _fingerprint(path: Path) -> dict[str, object]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
