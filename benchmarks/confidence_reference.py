"""Writes `tests/golden/confidence_alphafold3.npz`: scores by DeepMind's own code.

    python -m benchmarks.confidence_reference CHECKOUT_OF_ALPHAFOLD3

Runs functions of `model/confidences.py` and `model/network/confidence_head.py` (Apache-2.0, commit
c0f97ed of 2026-08-19) on the arrays of `cases()`, with NumPy in the place of JAX. Nothing of that
code is kept here, only its results.
"""

import argparse
import ast
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "confidence_alphafold3.npz"
CHAIN_LENGTHS = ((30,), (20, 25), (12, 12, 30), (5, 40, 9, 3))
SCORES = {
    "confidences.py": (
        "predicted_tm_score",
        "chain_pairwise_predicted_tm_scores",
        "chain_pair_pae",
        "weighted_mean",
        "weighted_nanmean",
        "get_iptm_xchain",
        "get_ranking_score",
    ),
    "network/confidence_head.py": ("_get_tmscore_adjusted_pae",),
}


class Case(NamedTuple):
    """One complex: PAE logits, which chain each token is of, which tokens have a frame."""

    name: str
    logits: np.ndarray
    asym_id: np.ndarray
    frames: np.ndarray


def cases() -> Iterator[Case]:
    """The complexes, from one to four chains, with and without missing frames."""
    for index, lengths in enumerate(CHAIN_LENGTHS):
        generator = np.random.default_rng(index)
        asym_id = np.repeat(np.arange(1, len(lengths) + 1), lengths)
        n_tokens = len(asym_id)
        logits = generator.normal(scale=3, size=(n_tokens, n_tokens, 64)).astype(np.float32)
        frames = np.ones(n_tokens, dtype=bool)
        yield Case(f"{index}_all", logits, asym_id, frames)
        yield Case(f"{index}_some", logits, asym_id, generator.random(n_tokens) < 0.7)


def load(checkout: Path) -> dict[str, Any]:
    """The functions named in `SCORES`, free of everything else in their files."""
    names: dict[str, Any] = {"np": np, "jnp": np, "warnings": warnings}
    names |= {"_IPTM_WEIGHT": 0.8, "_FRACTION_DISORDERED_WEIGHT": 0.5}
    names |= {"_CLASH_PENALIZATION_WEIGHT": 100.0}
    for file_name, wanted in SCORES.items():
        source = (checkout / "src" / "alphafold3" / "model" / file_name).read_text()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and node.name in wanted:
                bare = ast.unparse(ast.FunctionDef(**{**vars(node), "returns": None}))
                # Without asserts: some check that sums are int32, as JAX has them.
                exec(compile(bare, file_name, "exec", optimize=1), names)
    return names


def score(functions: dict[str, Any], case: Case) -> dict[str, np.ndarray]:
    """What DeepMind's code says about one complex."""
    n_tokens = len(case.asym_id)
    weights = np.exp(case.logits - case.logits.max(axis=-1, keepdims=True))
    probabilities = weights / weights.sum(axis=-1, keepdims=True)
    centres = np.arange(64) * 0.5 + 0.25
    everyone = np.ones((n_tokens, n_tokens), dtype=bool)
    tm_global, tm_pair = functions["_get_tmscore_adjusted_pae"](
        None, case.asym_id, np.ones(n_tokens, dtype=np.int32), everyone, centres, probabilities
    )
    pair_mask = np.tile(case.frames[:, None], (1, n_tokens))
    pae = probabilities @ centres
    ptm, iptm = (
        functions["predicted_tm_score"](tm_global, pair_mask, case.asym_id, interface=interface)
        for interface in (False, True)
    )
    pairs = functions["chain_pairwise_predicted_tm_scores"](tm_pair, pair_mask, case.asym_id)
    _, lowest, _ = functions["chain_pair_pae"](
        num_tokens=n_tokens, asym_ids=case.asym_id, full_pae=pae[None], mask=pair_mask
    )
    found = {
        "pae": pae,
        "ptm": ptm,
        "iptm": iptm,
        "chain_pair_iptm": pairs,
        "chain_pair_pae_min": lowest[0],
        "ranking_score": functions["get_ranking_score"](ptm, iptm, 0.25, True),
    }
    if len(pairs) > 1:
        found["chain_iptm"] = functions["get_iptm_xchain"](pairs[None])[0]
    return {key: np.asarray(value, dtype=np.float32) for key, value in found.items()}


def main() -> None:
    """Writes the golden file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path)
    functions = load(parser.parse_args().checkout)
    arrays = {
        f"{case.name}/{key}": value
        for case in cases()
        for key, value in score(functions, case).items()
    }
    np.savez_compressed(GOLDEN, **arrays)
    print(f"{GOLDEN.name}: {len(arrays)} arrays, {GOLDEN.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
