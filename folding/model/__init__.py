"""The AlphaFold 3 network (Abramson et al. 2024) after its supplementary information (SI).

Shapes: ``batch`` stands for any leading axes, ``token`` and ``atom`` for AF3's own, ``sample`` for
diffusion samples that share one trunk. Atoms come padded to a multiple of the query window (32).
Letters inside are the paper's: ``s`` single, ``z`` pair, ``m`` alignment, ``a`` token activations,
``q`` and ``c`` atom activations and their conditioning, ``p`` atom pairs, ``r`` scaled coordinates.
"""
