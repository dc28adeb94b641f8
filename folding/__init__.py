"""Protein sequence to three-dimensional structure with confidence: an own AlphaFold 3.

Units, everywhere in this package unless a name says otherwise: lengths in Å, pLDDT from 0 to 100,
angles in radians, times in seconds. Residue numbers count from 1, array indices from 0.
"AF3 SI" in a docstring is the supplementary information of Abramson et al. 2024
(https://doi.org/10.1038/s41586-024-07487-w).
"""

__version__ = "0.1.0"
