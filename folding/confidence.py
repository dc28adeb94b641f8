"""How far a prediction can be trusted: the confidence heads' outputs as numbers people know."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32

from folding.structure.disorder import fraction_disordered
from folding.structure.structure import Structure
from folding.structure.validation import has_clash

# AF3 SI 4.3: 50 bins of pLDDT from 0 to 100; 64 bins of error from 0 to 32 Å, half an Å each.
PLDDT_RANGE = 100.0
ERROR_RANGE = 32.0


@dataclass(frozen=True)
class Confidence:
    """Confidence of one prediction.

    Args:
        atom_plddt: 0 to 100.
        pae: Expected error of token j when aligned on the frame of token i, Å.
        pde: Expected error of the distance of two tokens, Å.
        resolved: Probability that the atom would be seen in an experiment.
        contact_probs: Probability that two tokens are within 8 Å.
        ptm: Predicted TM-score, 0 to 1.
        iptm: Predicted TM-score of the interfaces, or None for a single chain.
        chain_ptm: pTM of each chain alone.
        chain_pair_iptm: ipTM of each pair of chains; pTM of the chain on the diagonal.
        chain_pair_pae_min: Lowest PAE between two chains, Å.
        has_clash: True where chains run through each other or themselves.
        fraction_disordered: Residues whose neighbourhood is exposed to the solvent, 0 to 1.
        ranking_score: 0.8 ipTM + 0.2 pTM + 0.5 disorder - 100 clash.
    """

    atom_plddt: Float32[np.ndarray, " atom"]
    pae: Float32[np.ndarray, "token token"]
    pde: Float32[np.ndarray, "token token"]
    resolved: Float32[np.ndarray, " atom"]
    contact_probs: Float32[np.ndarray, "token token"]
    ptm: float
    iptm: float | None
    chain_ptm: Float32[np.ndarray, " chain"]
    chain_pair_iptm: Float32[np.ndarray, "chain chain"]
    chain_pair_pae_min: Float32[np.ndarray, "chain chain"]
    has_clash: bool
    fraction_disordered: float
    ranking_score: float

    @property
    def mean_plddt(self) -> float:
        """The mean over all atoms, 0 to 100."""
        return float(np.mean(self.atom_plddt))

    @property
    def chain_iptm(self) -> Float32[np.ndarray, " chain"]:
        """The mean ipTM of each chain with the others; NaN for a single chain."""
        others = np.where(np.eye(len(self.chain_ptm), dtype=bool), np.nan, self.chain_pair_iptm)
        known = ~np.isnan(others)
        total = np.where(known, others, 0.0).sum(axis=1, dtype=np.float32)
        count = known.sum(axis=1)
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


class HeadLogits(NamedTuple):
    """What the confidence heads say about one sample, before the softmax."""

    plddt: Float[np.ndarray, "atom plddt_bin"]
    pae: Float[np.ndarray, "token token error_bin"]
    pde: Float[np.ndarray, "token token error_bin"]
    resolved: Float[np.ndarray, "atom 2"]


def assess(
    logits: HeadLogits,
    structure: Structure,
    *,
    contact_probs: Float32[np.ndarray, "token token"],
    frame_mask: Bool[np.ndarray, " token"] | None = None,
) -> Confidence:
    """The confidence of a structure, from the logits of the heads and its coordinates.

    Args:
        frame_mask: Tokens whose frame is defined, all by default; only their rows of the PAE count
            towards pTM, ipTM and the lowest PAE (AF3 SI 4.3.2).
    """
    frames = np.ones(structure.n_tokens, dtype=bool) if frame_mask is None else frame_mask
    error = aligned_error(logits.pae, structure.token_chain_id)
    ptm = predicted_tm(error.tm_global, frames)
    iptm = interface_tm(error.tm_global, frames, structure.token_chain_id)
    chain_pair_iptm = chain_pair_tm(error.tm_pair, frames, structure.token_chain_id)
    clash = has_clash(structure)
    disordered = fraction_disordered(structure)
    return Confidence(
        atom_plddt=expected_value(logits.plddt, largest=PLDDT_RANGE),
        pae=error.pae,
        pde=expected_value(logits.pde, largest=ERROR_RANGE),
        resolved=softmax(logits.resolved)[..., 1],
        contact_probs=contact_probs,
        ptm=ptm,
        iptm=iptm,
        chain_ptm=np.diagonal(chain_pair_iptm).copy(),
        chain_pair_iptm=chain_pair_iptm,
        chain_pair_pae_min=chain_pair_minimum(error.pae, frames, structure.token_chain_id),
        has_clash=clash,
        fraction_disordered=disordered,
        ranking_score=ranking_score(
            ptm=ptm, iptm=iptm, fraction_disordered=disordered, has_clash=clash
        ),
    )


def softmax(logits: Float[np.ndarray, "*axes bin"]) -> Float32[np.ndarray, "*axes bin"]:
    """Probabilities of the bins."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    weights = np.exp(shifted, dtype=np.float32)
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights


def bin_centres(n_bins: int, *, largest: float) -> Float32[np.ndarray, " bin"]:
    """The middle of each of `n_bins` bins of equal width between 0 and `largest`."""
    return ((np.arange(n_bins) + 0.5) * (largest / n_bins)).astype(np.float32)


def expected_value(
    logits: Float[np.ndarray, "*axes bin"], *, largest: float
) -> Float32[np.ndarray, "*axes"]:
    """The mean of the predicted distribution over bins from 0 to `largest` (AF3 SI 4.3).

    Goes through the first axis in pieces, so that no second copy of all logits is made.
    """
    centres = bin_centres(logits.shape[-1], largest=largest)
    rows = [softmax(piece) @ centres for piece in _pieces(logits)]
    return np.concatenate(rows) if rows else np.zeros(logits.shape[:-1], dtype=np.float32)


def _pieces(logits: np.ndarray, size: int = 64) -> Iterator[np.ndarray]:
    for start in range(0, len(logits), size):
        yield logits[start : start + size]


class AlignedError(NamedTuple):
    """What is expected of each token pair: its aligned error, and the TM-score that allows."""

    pae: Float32[np.ndarray, "token token"]
    tm_global: Float32[np.ndarray, "token token"]
    """Scaled by the size of the whole complex."""
    tm_pair: Float32[np.ndarray, "token token"]
    """Scaled by the size of the two chains that the tokens belong to."""


def aligned_error(
    logits: Float[np.ndarray, "token token bin"], token_chain_id: np.ndarray
) -> AlignedError:
    """PAE and the per-pair terms of pTM (AF3 SI eq. 17: the inner sum over bins)."""
    n_tokens, _, n_bins = logits.shape
    error = bin_centres(n_bins, largest=ERROR_RANGE)
    whole = _tm_of_error(error, n_tokens)
    found = AlignedError(*(np.empty((n_tokens, n_tokens), dtype=np.float32) for _ in range(3)))
    chains = _chain_tokens(token_chain_id)
    for i, tokens in enumerate(chains):
        for j, columns in enumerate(chains):
            size = len(tokens) if i == j else len(tokens) + len(columns)
            weights = np.stack([error, whole, _tm_of_error(error, size)], axis=-1)
            for rows in _pieces(tokens):
                block = np.ix_(rows, columns)
                values = softmax(logits[block]) @ weights
                for k, array in enumerate(found):
                    array[block] = values[..., k]
    return found


def _tm_of_error(error: Float32[np.ndarray, " bin"], n_tokens: int) -> np.ndarray:
    """TM-score's term for an error, with the d0 of n tokens (AF3 SI eq. 17 and 18)."""
    d0 = 1.24 * (max(n_tokens, 19) - 15) ** (1 / 3) - 1.8
    return (1 / (1 + (error / d0) ** 2)).astype(np.float32)


def _chain_tokens(token_chain_id: np.ndarray) -> list[np.ndarray]:
    chain_ids = dict.fromkeys(token_chain_id.tolist())
    return [np.flatnonzero(token_chain_id == chain_id) for chain_id in chain_ids]


def predicted_tm(tm: Float32[np.ndarray, "token token"], frames: np.ndarray) -> float:
    """pTM: the mean over all tokens as seen from the best frame (AF3 SI eq. 17).

    0 where no token has a frame, as in a job of ions alone: nothing vouches for such a structure.
    """
    return float(tm[frames].mean(axis=-1).max()) if frames.any() else 0.0


def interface_tm(
    tm: Float32[np.ndarray, "token token"], frames: np.ndarray, token_chain_id: np.ndarray
) -> float | None:
    """ipTM: as pTM, but over tokens of other chains only (AF3 SI eq. 18); None for one chain."""
    other = token_chain_id[:, None] != token_chain_id[None, :]
    if not other.any() or not frames.any():
        return None
    per_frame = (tm * other).sum(axis=-1) / other.sum(axis=-1)
    return float(per_frame[frames].max())


def chain_pair_tm(
    tm: Float32[np.ndarray, "token token"], frames: np.ndarray, token_chain_id: np.ndarray
) -> Float32[np.ndarray, "chain chain"]:
    """ipTM of each pair of chains as if alone, pTM of each chain on the diagonal (AF3 SI 5.9.3).

    NaN where neither chain has a frame.
    """
    chains = _chain_tokens(token_chain_id)
    scores = np.full((len(chains), len(chains)), np.nan, dtype=np.float32)
    for i, rows in enumerate(chains):
        for j, columns in enumerate(chains):
            aligned = rows[frames[rows]]
            if len(aligned):
                scores[i, j] = tm[np.ix_(aligned, columns)].mean(axis=-1).max()
    return np.fmax(scores, scores.T)


def chain_pair_minimum(
    pae: Float32[np.ndarray, "token token"], frames: np.ndarray, token_chain_id: np.ndarray
) -> Float32[np.ndarray, "chain chain"]:
    """The lowest PAE with the frame in one chain and the token in another; NaN without a frame."""
    chains = _chain_tokens(token_chain_id)
    lowest = np.full((len(chains), len(chains)), np.nan, dtype=np.float32)
    for i, rows in enumerate(chains):
        for j, columns in enumerate(chains):
            lowest[i, j] = pae[np.ix_(rows[frames[rows]], columns)].min(initial=np.inf)
    lowest[np.isinf(lowest)] = np.nan
    return lowest


def ranking_score(
    *, ptm: float, iptm: float | None, fraction_disordered: float, has_clash: bool
) -> float:
    """What predictions of a job are sorted by (AF3 SI eq. 19); pTM stands in for a missing ipTM."""
    tm = ptm if iptm is None else 0.8 * iptm + 0.2 * ptm
    return tm + 0.5 * fraction_disordered - 100.0 * has_clash
