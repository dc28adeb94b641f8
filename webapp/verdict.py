"""How far to trust a sample, in plain words. Says what is low and where before what is high.

Thresholds are those of AlphaFold's own documentation: pLDDT 50, 70, 90; pTM 0.5; ipTM 0.6, 0.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from folding.weights.catalog import Model, in_words
from webapp.models import Prediction
from webapp.templatetags.words import plddt_band
from webapp.viewer import Chain

UNSURE_PLDDT = 50.0
MOST_STRETCHES = 6
FOLD_PTM = 0.5
FAILED_IPTM, SURE_IPTM = 0.6, 0.8
MEANING = {
    "very-high": "The backbone and most side chains should be right.",
    "high": "The backbone is probably right, side chains may not be.",
    "low": "The path of the chain may be wrong; use it with care.",
    "very-low": "Take the shape as unknown: it is one of many that the model cannot tell apart.",
}


def sentences(prediction: Prediction, chains: Sequence[Chain]) -> list[str]:
    """The verdict on a sample, most important first."""
    said = [_overall(prediction), _fold(prediction)]
    if prediction.iptm is not None:
        said.append(_interface(prediction.iptm))
    said.append(_unsure(chains))
    if prediction.has_clash:
        said.append("Atoms run into each other: this sample cannot be right as it stands.")
    return said


def unseen(model: Model, chains: Sequence[Chain]) -> list[str]:
    """What in the sample is of a kind that the model has never seen; nothing where it knows all."""
    kinds = {chain.kind for chain in chains}
    if any(chain.kind != "ligand" and max(chain.n_tokens) > 1 for chain in chains):
        kinds.add("modification")
    words = in_words(kinds - model.knows)
    if not words:
        return []
    return [f"{model.title} was never shown {words}: where it puts them means nothing."]


def _overall(prediction: Prediction) -> str:
    name, words = plddt_band(prediction.mean_plddt)
    mean = f"Mean pLDDT is {prediction.mean_plddt:.0f} of 100, which is {words}."
    return f"{mean} {MEANING[name]}"


def _fold(prediction: Prediction) -> str:
    if prediction.ptm >= FOLD_PTM:
        return f"pTM is {prediction.ptm:.2f}: the overall fold may be right."
    return f"pTM is {prediction.ptm:.2f}, below 0.5: the overall fold is probably not right."


def _interface(iptm: float) -> str:
    if iptm >= SURE_IPTM:
        return f"ipTM is {iptm:.2f}: how the chains sit together is probably right."
    if iptm >= FAILED_IPTM:
        return f"ipTM is {iptm:.2f}: how the chains sit together may or may not be right."
    return f"ipTM is {iptm:.2f}, below 0.6: how the chains sit together is probably wrong."


def _unsure(chains: Sequence[Chain]) -> str:
    """Where the pLDDT is below 50, by chain and residue number."""
    total = sum(len(chain.plddt) for chain in chains)
    unsure = sum(value < UNSURE_PLDDT for chain in chains for value in chain.plddt)
    if not unsure:
        return "No residue is below 50."
    if unsure == total:
        return "Every residue is below 50."
    several = len(chains) > 1
    places = [
        first if first == last else f"{first} to {last}"
        for chain in chains
        for first, last in _named(chain, several=several)
    ]
    shown, n_more = ", ".join(places[:MOST_STRETCHES]), len(places) - MOST_STRETCHES
    more = f" and {n_more} more stretch{'es' if n_more > 1 else ''}" if n_more > 0 else ""
    return f"{unsure} of {total} residues are below 50: {shown}{more}."


def _named(chain: Chain, *, several: bool) -> list[tuple[str, str]]:
    prefix = f"{chain.id} " if several else ""
    return [
        (f"{prefix}{first}", f"{prefix}{last}" if first == last else str(last))
        for first, last in stretches(chain.plddt)
    ]


def stretches(plddt: Sequence[float]) -> list[tuple[int, int]]:
    """First and last residue, counted from 1, of each run below 50."""
    numbered = enumerate(plddt, start=1)
    runs = groupby(numbered, key=lambda pair: pair[1] < UNSURE_PLDDT)
    low = [[number for number, _ in run] for is_low, run in runs if is_low]
    return [(run[0], run[-1]) for run in low]
