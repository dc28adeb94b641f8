"""What the network reads (AF3 SI table 5), as tensors."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from folding.data.templates import TemplateFeatures
from folding.data.tokens import Tokens

ATOM_MULTIPLE = 32
"""Atoms are padded to a multiple of the query window of atom attention."""

FRAME_SLOTS = (0, 1, 2)
"""Backbone frame of an amino acid: N, Cα, C, which the dictionary lists first."""


@dataclass(frozen=True)
class Features:
    """One job, or a batch of equally padded ones, in the network's terms.

    ``atom_mask`` is False on padding; ``token_mask`` and ``msa_mask`` are None where nothing is
    padded, ``templates`` where there are none. ``representative_atom`` and ``frame_atoms`` index
    atoms.
    """

    restype: Int[Tensor, "*batch token"]
    residue_index: Int[Tensor, "*batch token"]
    token_index: Int[Tensor, "*batch token"]
    asym_id: Int[Tensor, "*batch token"]
    entity_id: Int[Tensor, "*batch token"]
    sym_id: Int[Tensor, "*batch token"]
    profile: Float[Tensor, "*batch token 32"]
    deletion_mean: Float[Tensor, "*batch token"]
    token_bonds: Float[Tensor, "*batch token token"]
    token_mask: Bool[Tensor, "*batch token"] | None
    representative_atom: Int[Tensor, "*batch token"]
    frame_atoms: Int[Tensor, "*batch token 3"]
    msa: Int[Tensor, "*batch row token"]
    has_deletion: Float[Tensor, "*batch row token"]
    deletion_value: Float[Tensor, "*batch row token"]
    msa_mask: Bool[Tensor, "*batch row"] | None
    ref_pos: Float[Tensor, "*batch atom 3"]
    ref_charge: Float[Tensor, "*batch atom"]
    ref_element: Int[Tensor, "*batch atom"]
    ref_atom_name_chars: Int[Tensor, "*batch atom 4"]
    ref_space_uid: Int[Tensor, "*batch atom"]
    atom_to_token: Int[Tensor, "*batch atom"]
    atom_slot: Int[Tensor, "*batch atom"]
    atom_mask: Bool[Tensor, "*batch atom"]
    templates: TemplateFeatures | None = None
    ring_length: Int[Tensor, "*batch token"] | None = None
    """Residues of the ring that a token's chain is, 0 for chains with ends; None without rings."""

    @property
    def n_tokens(self) -> int:
        """Tokens, padding included."""
        return self.restype.shape[-1]

    def atoms_per_token(self, n_axes: int) -> Float[Tensor, "*batch token"]:
        """Real atoms of every token, with singleton axes put in to make ``n_axes``."""
        count = torch.zeros(self.restype.shape, device=self.restype.device)
        count = count.scatter_add(-1, self.atom_to_token, self.atom_mask.float())
        return count.reshape(*count.shape[:-1], *([1] * (n_axes - count.dim())), count.shape[-1])

    def to(self, device: torch.device | str) -> "Features":
        """The same features on another device."""
        moved = {
            field.name: value.to(device)
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        }
        return replace(self, **moved)


def featurize(tokens: Tokens, msa: dict[str, Tensor], generator: np.random.Generator) -> Features:
    """Features of a job.

    Args:
        msa: what ``folding.data.msa`` gives: ``msa``, ``has_deletion``, ``deletion_value``,
            ``profile`` and ``deletion_mean``.
        generator: turns and moves every reference conformer at random (AF3 SI section 2.8).
    """
    n_tokens = tokens.n_tokens
    padding = -tokens.n_atoms % ATOM_MULTIPLE
    bonds = torch.zeros(n_tokens, n_tokens)
    first, second = torch.from_numpy(tokens.bonds).unbind(-1)
    bonds[first, second] = bonds[second, first] = 1.0
    # A bond within one token is none between tokens.
    bonds.fill_diagonal_(0.0)
    return Features(
        restype=torch.from_numpy(tokens.restype),
        residue_index=torch.from_numpy(tokens.residue_index),
        token_index=torch.arange(n_tokens),
        asym_id=torch.from_numpy(tokens.asym_id),
        entity_id=torch.from_numpy(tokens.entity_id),
        sym_id=torch.from_numpy(tokens.sym_id),
        ring_length=torch.from_numpy(tokens.ring_length) if tokens.ring_length.any() else None,
        token_bonds=bonds,
        token_mask=None,
        representative_atom=torch.from_numpy(tokens.representative_atom),
        frame_atoms=torch.from_numpy(tokens.frame_atoms),
        msa_mask=None,
        **msa,
        **{
            name: torch.from_numpy(_pad(value, padding))
            for name, value in atom_features(tokens, generator).items()
        },
    )


def atom_features(tokens: Tokens, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """The per-atom features, unpadded."""
    n_residues = int(tokens.residue[-1]) + 1
    rotations = random_rotations(n_residues, generator)[tokens.residue]
    position = tokens.position
    if tokens.style.shift:
        shift = generator.uniform(-1, 1, (n_residues, 3)) * tokens.style.shift
        position = position + shift[tokens.residue]
    return {
        "ref_pos": np.einsum("aij,aj->ai", rotations, position).astype(np.float32),
        "ref_charge": tokens.charge,
        "ref_element": tokens.element,
        "ref_atom_name_chars": tokens.name_chars,
        "ref_space_uid": tokens.residue,
        "atom_to_token": tokens.atom_to_token,
        "atom_slot": tokens.atom_slot,
        "atom_mask": np.ones(tokens.n_atoms, bool),
    }


def random_rotations(n: int, generator: np.random.Generator) -> np.ndarray:
    """Uniform rotation matrices [n, 3, 3] from normalised Gaussian quaternions."""
    q = generator.standard_normal((n, 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    return np.stack(
        [
            *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        ],
        axis=1,
    ).reshape(n, 3, 3)


def _pad(x: np.ndarray, padding: int) -> np.ndarray:
    """Zeros behind the first axis."""
    return np.pad(x, [(0, padding), *([(0, 0)] * (x.ndim - 1))])
