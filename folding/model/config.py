"""Dimensions and sampler constants of a network; the defaults are the published base model."""

from dataclasses import dataclass

from folding.chemistry.residues import GAP_CLASS
from folding.data.style import PUBLISHED, ReferenceStyle


@dataclass(frozen=True)
class SamplerConfig:
    """Constants of the reverse diffusion (AF3 SI algorithm 18 and eq. 7).

    ``sigma_data``, ``s_max`` and ``s_min`` are in ångström once multiplied as in eq. 7. With
    ``ends_on_estimate`` the last step goes all the way to the network's estimate, unstretched. With
    ``ends_at_zero`` the last noise level is 0 (Protenix), else what eq. 7 gives (AF3's code).
    """

    sigma_data: float = 16.0
    s_max: float = 160.0
    s_min: float = 4e-4
    rho: float = 7.0
    gamma_0: float = 0.8
    gamma_min: float = 1.0
    noise_scale: float = 1.003
    step_scale: float = 1.5
    n_steps: int = 200
    ends_on_estimate: bool = False
    ends_at_zero: bool = True


@dataclass(frozen=True)
class Variant:
    """Where published networks of the same paper differ. The defaults are Protenix's ways."""

    raw_relative_positions: bool = False
    """The diffusion module reads relative positions as one-hot features, not through a map."""
    separate_key_norm: bool = False
    """Keys of atom attention have an adaptive LayerNorm of their own, not one on the queries'."""
    pairs_from_inputs: bool = False
    """The trunk's pairs start from the input embedding, not from the first singles."""
    ending_bias_by_row: bool = False
    """Attention around ending nodes biases query i and key k by the pair ik, not ki."""
    windows_inside: bool = False
    """Windows of keys at the ends are moved inside, not filled up with nothing."""
    plain_confidence: bool = False
    """The confidence head neither clamps nor norms singles, sees distances in bins alone, and
    symmetrises PDE logits, not the pairs."""
    distogram_offset: bool = True
    """The distogram's map has an offset."""
    shared_unknown_nucleotide: bool = False
    """Unknown nucleotides of RNA and DNA are one class, and the gap stands before nucleotides."""
    key_space_by_slot: bool = False
    """The reference space of a key is looked up by its place in a table of 24 atoms per token:
    what AF3's code does, though it may not have been meant."""
    empty_templates: tuple[int, ...] = (GAP_CLASS, 0, 0, 0)
    """Residue classes that templates show where there are none."""


AF3_CODE = Variant(
    raw_relative_positions=True,
    separate_key_norm=True,
    pairs_from_inputs=True,
    ending_bias_by_row=True,
    windows_inside=True,
    plain_confidence=True,
    distogram_offset=False,
    empty_templates=(GAP_CLASS,) * 4,
)
"""What AF3's published code and OpenFold3 0.5 share; empty templates as OpenFold3 shows them."""


@dataclass(frozen=True)
class ModelConfig:
    """Widths (``c_``) and counts (``n_``) of every part of the network."""

    c_s: int = 384
    c_z: int = 128
    c_m: int = 64
    c_input: int = 384
    c_token: int = 768
    c_atom: int = 128
    c_atompair: int = 16
    c_noise: int = 256
    c_outer: int = 32
    c_triangle: int = 128
    c_pair_head: int = 32
    c_template: int = 64
    c_template_triangle: int = 128
    c_template_head: int = 32
    n_template_heads: int = 4
    n_pair_heads: int = 4
    n_single_heads: int = 16
    c_msa_head: int = 8
    n_msa_heads: int = 8
    n_token_heads: int = 16
    n_atom_heads: int = 4
    n_input_blocks: int = 3
    n_msa_blocks: int = 4
    n_template_blocks: int = 2
    n_pairformer_blocks: int = 48
    n_encoder_blocks: int = 3
    n_token_blocks: int = 24
    n_decoder_blocks: int = 3
    n_confidence_blocks: int = 4
    n_queries: int = 32
    n_keys: int = 128
    n_elements: int = 128
    n_atom_slots: int = 24
    n_distogram_bins: int = 64
    n_plddt_bins: int = 50
    n_error_bins: int = 64
    n_cycles: int = 10
    n_msa_rows: int = 16_384
    sampler: SamplerConfig = SamplerConfig()
    variant: Variant = Variant()
    reference: ReferenceStyle = PUBLISHED

    @property
    def n_classes(self) -> int:
        """Residue classes that the network tells apart."""
        return 31 if self.variant.shared_unknown_nucleotide else 32

    @property
    def c_s_inputs(self) -> int:
        """Width of the input embedding: atoms, residue type, profile, deletion mean."""
        return self.c_input + 2 * self.n_classes + 1


SMALL = ModelConfig(
    c_s=128,
    c_z=32,
    c_m=32,
    c_input=96,
    c_token=128,
    c_atom=64,
    c_atompair=16,
    c_noise=64,
    c_outer=8,
    c_triangle=32,
    c_pair_head=8,
    c_template=0,
    n_pair_heads=4,
    n_single_heads=8,
    c_msa_head=8,
    n_msa_heads=4,
    n_token_heads=8,
    n_atom_heads=4,
    n_input_blocks=1,
    n_msa_blocks=1,
    n_template_blocks=0,
    n_pairformer_blocks=4,
    n_encoder_blocks=1,
    n_token_blocks=6,
    n_decoder_blocks=2,
    n_confidence_blocks=2,
    n_keys=64,
    n_cycles=4,
    n_msa_rows=1024,
    sampler=SamplerConfig(s_min=0.08, gamma_0=0.0, n_steps=20, ends_on_estimate=True),
    reference=ReferenceStyle(),
)
"""The small model that ships with the code: every part of the network, narrower and shallower."""
