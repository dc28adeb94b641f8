"""How far a prediction can be trusted: the confidence heads' outputs as numbers people know."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32


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
        has_clash: True where chains run through each other.
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
