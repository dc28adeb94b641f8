"""`python -m folding.training.evaluate`: how good the shipped weights are, on held-out proteins.

Scores the best-ranked sample of one seed, without an alignment, as a user would get it.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from folding.inputs import FoldInput, FoldOptions, ProteinChain
from folding.model.alphafold3 import AlphaFold3
from folding.predict import fold
from folding.prediction import Prediction
from folding.progress import silent
from folding.structure.metrics import lddt_ca, tm_score
from folding.structure.secondary import secondary_structure
from folding.structure.structure import Structure
from folding.training.dataset import Chain, ChainFile
from folding.weights.own import load

HELICAL = {
    "Trp-cage": "NLYIQWLKDGGPSSGRPPPS",
    "villin HP35": "LSDEDFKAVFGMTRSAFANLPLWKQQNLKKEKGLF",
}
"""Two mini-proteins whose helices every model should know."""

LEAST_SEEN = 0.9
"""Share of Cα atoms that a chain must show to be scored."""

CROP_LENGTH = 96
"""Longest chain of the second validation score: about what a training crop holds."""


@dataclass(frozen=True)
class Score:
    """One protein: its prediction against the experiment. lDDT and pLDDT 0-100, TM-score 0-1."""

    name: str
    length: int
    lddt: float
    tm_score: float
    plddt: float
    chain_like: float
    """Share of consecutive Cα distances within 3.8 ± 0.3 Å."""


def predict(model: AlphaFold3, sequence: str, options: FoldOptions) -> tuple[Prediction, ...]:
    """Predictions of one chain, best first."""
    chain = ProteinChain(ids=("A",), sequence=sequence)
    fold_input = FoldInput(name="evaluation", chains=(chain,), seeds=(1,))
    return fold(fold_input, model=model, options=options, report=silent)


def score(model: AlphaFold3, chain: Chain, options: FoldOptions) -> Score:
    """The best-ranked prediction of a chain against its experimental structure."""
    prediction = predict(model, chain.sequence, options)[0]
    known = chain.observed[:, 1]
    native = chain.coordinates[known, 1]
    alpha = alpha_carbons(prediction.structure)
    return Score(
        name=chain.name,
        length=len(chain),
        lddt=float(100 * lddt_ca(alpha[known], native)),
        tm_score=tm_score(alpha[known], native, length=int(known.sum())),
        plddt=prediction.confidence.mean_plddt,
        chain_like=chain_like(alpha),
    )


def alpha_carbons(structure: Structure) -> np.ndarray:
    """Cα coordinates [residue, 3]."""
    return structure.coordinates[structure.atom_name == "CA"]


def chain_like(alpha: np.ndarray) -> float:
    """Share of consecutive Cα distances within 3.8 ± 0.3 Å."""
    gaps = np.linalg.norm(np.diff(alpha, axis=0), axis=1)
    return float(np.mean(np.abs(gaps - 3.8) <= 0.3))


def held_out(chains: ChainFile, split: str, max_length: int) -> list[Chain]:
    """The chains of a split that are short and whole enough: of validation one per cluster."""
    found = []
    for group in chains.clusters(split):
        candidates = [chains[index] for index in group]
        fitting = [c for c in candidates if len(c) <= max_length and seen(c) >= LEAST_SEEN]
        fitting.sort(key=seen, reverse=True)
        found += fitting[:1] if split == "val" else fitting
    return found


def seen(chain: Chain) -> float:
    """Share of the Cα atoms that the experiment shows."""
    return float(chain.observed[:, 1].mean())


def summary(scores: list[Score]) -> dict[str, float | int]:
    """Means over proteins, and how well pLDDT follows lDDT."""
    columns = {key: np.array([asdict(s)[key] for s in scores]) for key in Score.__annotations__}
    means = {
        key: round(float(columns[key].mean()), 4)
        for key in ("lddt", "tm_score", "plddt", "chain_like")
    }
    correlation = np.corrcoef(columns["plddt"], columns["lddt"])[0, 1] if len(scores) > 2 else 0.0
    return {"n": len(scores), **means, "plddt_lddt_correlation": round(float(correlation), 3)}


def helices(model: AlphaFold3, options: FoldOptions) -> dict[str, str]:
    """Secondary structure (a helix, b strand, c coil) of the helical mini-proteins."""
    return {
        name: "".join(map(str, secondary_structure(predict(model, sequence, options)[0].structure)))
        for name, sequence in HELICAL.items()
    }


def main() -> None:
    """Evaluates on the validation split and the fast folders, and prints a table."""
    parser = argparse.ArgumentParser(
        prog="python -m folding.training.evaluate", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="HDF5 file of chains")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--samples", type=int, default=5)
    arguments = parser.parse_args()
    model, chains = load("small"), ChainFile(arguments.data)
    options = FoldOptions(n_samples=arguments.samples)
    results: dict[str, object] = {"options": asdict(options), "max_length": arguments.max_length}
    for split in ("bench_fastfold", "val"):
        proteins = held_out(chains, split, arguments.max_length)
        scores = [score(model, chain, options) for chain in tqdm(proteins, desc=split)]
        results[split] = summary(scores) | {"proteins": [asdict(s) for s in scores]}
        print(split, summary(scores))
        if split == "val":
            short = [one for one in scores if one.length <= CROP_LENGTH]
            results["val_short"] = summary(short)
            print(f"of these up to {CROP_LENGTH} residues", summary(short))
    results["helices"] = helices(model, options)
    print(results["helices"])
    arguments.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
