"""Networks and inputs with random numbers in every place, the same on every machine.

NumPy draws them, so that two programs, or two versions of one, can be filled alike.
"""

import re
import zlib
from dataclasses import fields, replace
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from folding.chemistry.residues import GAP_CLASS
from folding.data.features import ATOM_MULTIPLE, Features
from folding.data.templates import (
    N_TEMPLATES,
    NO_BIN,
    TemplateFeatures,
    _Place,
    distance_bins,
    unit_vectors,
)
from folding.model.alphafold3 import AlphaFold3
from folding.model.config import AF3_CODE, ModelConfig, SamplerConfig
from folding.weights.configs import ALPHAFOLD3

N, CA, C, CB = 0, 1, 2, 4
"""Where atoms of an amino acid stand."""

GLYCINE = 7

REDUCED = ModelConfig(
    c_s=32,
    c_z=16,
    c_m=16,
    c_input=24,
    c_token=32,
    c_atom=16,
    c_atompair=8,
    c_template=16,
    n_msa_blocks=2,
    n_template_blocks=1,
    n_pairformer_blocks=2,
    n_encoder_blocks=1,
    n_token_blocks=2,
    n_decoder_blocks=1,
    n_confidence_blocks=1,
    sampler=SamplerConfig(n_steps=5),
)
"""Every part of the network, as narrow as Protenix's code allows."""

REDUCED_OPENFOLD3 = replace(
    REDUCED,
    c_template_triangle=16,
    c_template_head=4,
    n_elements=119,
    n_atom_slots=23,
    sampler=SamplerConfig(n_steps=5, ends_at_zero=False),
    variant=AF3_CODE,
)
"""The same, as OpenFold3 0.5 builds it."""


REDUCED_ALPHAFOLD3 = replace(
    REDUCED,
    c_triangle=16,
    c_pair_head=16,
    c_msa_head=2,
    c_template_triangle=16,
    c_template_head=16,
    n_token_blocks=4,
    sampler=SamplerConfig(n_steps=5, ends_at_zero=False),
    variant=ALPHAFOLD3["af3"].variant,
)
"""The same, as AlphaFold 3's own code builds it."""


def network_of(config: ModelConfig, state: dict[str, Tensor]) -> AlphaFold3:
    """A network with these tensors, ready to fold."""
    with torch.device("meta"):
        model = AlphaFold3(config)
    model.load_state_dict(state, strict=True, assign=True)
    return model.eval().requires_grad_(False)


@cache
def random_network(config: ModelConfig, seed: int, *, tied: bool = False) -> AlphaFold3:
    """A network in which no weight, gate or offset is zero; tests share it and leave it alone.

    Args:
        tied: The blocks of a transformer share the LayerNorm of their pairs, as in AF3's code.
    """
    with torch.device("meta"):
        model = AlphaFold3(config)
    state = {
        name: random_tensor(tied_name(name) if tied else name, tensor.shape, seed)
        for name, tensor in model.state_dict().items()
    }
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(False)


def tied_name(name: str) -> str:
    """The name of the first block's LayerNorm of the pairs for all blocks of a transformer."""
    return re.sub(r"(transformer\.blocks)\.\d+(\.attention\.layer_norm_z)", r"\1.0\2", name)


def random_tensor(name: str, shape: torch.Size, seed: int) -> Tensor:
    """Numbers that depend on name and seed alone: norms near 1, offsets near 0, maps of gain 1."""
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    x = torch.from_numpy(generator.standard_normal(tuple(shape), dtype=np.float32))
    if name.startswith("diffusion.conditioning.fourier"):
        return x
    if len(shape) == 1:
        return 0.1 * x + float(name.endswith("weight"))
    return x * shape[1] ** -0.5


def random_features(
    seed: int, *, n_tokens: int = 40, n_rows: int = 6, atoms_per_token: int = 8
) -> Features:
    """Three chains, two of them copies, the last a ligand of single atoms; nothing is zero.

    Args:
        atoms_per_token: of the polymers, give or take four.
    """
    rng = np.random.default_rng(seed)
    part = n_tokens * 2 // 5
    asym = np.repeat([1, 2, 3], [part, part, n_tokens - 2 * part])
    tokens = {
        "restype": rng.integers(0, 31, n_tokens),
        "residue_index": np.concatenate([np.arange(1, n + 1) for n in np.bincount(asym)[1:]]),
        "token_index": np.arange(n_tokens),
        "asym_id": asym,
        "entity_id": np.where(asym == 3, 2, 1),
        "sym_id": np.where(asym == 2, 2, 1),
        "profile": rng.dirichlet(np.ones(32), n_tokens).astype(np.float32),
        "deletion_mean": rng.random(n_tokens, dtype=np.float32),
        "token_bonds": _bonds(rng, n_tokens),
        "msa": rng.integers(0, 32, (n_rows, n_tokens)),
        "has_deletion": rng.integers(0, 2, (n_rows, n_tokens)).astype(np.float32),
        "deletion_value": rng.random((n_rows, n_tokens), dtype=np.float32),
    }
    # Tokens of the ligand are atoms that share one residue.
    tokens["residue_index"][asym == 3] = 1
    atoms = _atoms(rng, asym, atoms_per_token)
    arrays = tokens | atoms
    return Features(
        **{name: torch.from_numpy(np.asarray(value)) for name, value in arrays.items()},
        token_mask=None,
        msa_mask=None,
        templates=random_templates(rng, n_tokens),
    )


def random_templates(rng: np.random.Generator, n_tokens: int) -> TemplateFeatures:
    """Two templates that know some of the pairs, and two empty ones."""
    pairs = (N_TEMPLATES, n_tokens, n_tokens)
    there = np.arange(N_TEMPLATES)[:, None, None] < 2
    distance_mask = (rng.random(pairs) < 0.7) & there
    frame_mask = (rng.random(pairs) < 0.7) & there
    vector = rng.standard_normal((*pairs, 3), dtype=np.float32)
    vector /= np.linalg.norm(vector, axis=-1, keepdims=True)
    arrays = {
        "restype": rng.integers(0, 32, pairs[:2]),
        "distance_bin": np.where(distance_mask, rng.integers(0, NO_BIN + 1, pairs), NO_BIN),
        "unit_vector": vector * frame_mask[..., None],
        "distance_mask": distance_mask,
        "frame_mask": frame_mask,
    }
    return TemplateFeatures(**{name: torch.from_numpy(x) for name, x in arrays.items()})


def templates_by_token(features: Features, seed: int) -> Features:
    """The job with templates that know tokens, and pairs where they know both tokens."""
    rng = np.random.default_rng([seed, 3])
    there = torch.arange(N_TEMPLATES).unsqueeze(-1) < 2
    masks = []
    for _ in range(2):
        tokens = torch.from_numpy(rng.random((N_TEMPLATES, features.n_tokens)) < 0.8) & there
        masks.append(tokens.unsqueeze(-1) & tokens.unsqueeze(-2))
    distance_mask, frame_mask = masks
    known = random_templates(rng, features.n_tokens)
    vector = torch.where(frame_mask.unsqueeze(-1), known.unit_vector, 0.0)
    changed = replace(
        known,
        distance_bin=known.distance_bin.where(distance_mask, NO_BIN),
        unit_vector=vector,
        distance_mask=distance_mask,
        frame_mask=frame_mask,
    )
    return replace(features, templates=changed)


class TemplateAtoms(NamedTuple):
    """Residues of templates, and their atoms in the order N, CA, C, O, CB."""

    restype: np.ndarray
    position: np.ndarray
    mask: np.ndarray


def random_template_atoms(n_tokens: int, seed: int) -> TemplateAtoms:
    """Two templates of which some atoms are known, and two empty ones."""
    rng = np.random.default_rng([seed, 4])
    shape = (N_TEMPLATES, n_tokens)
    restype = np.where(rng.random(shape) < 0.8, rng.integers(0, 20, shape), GAP_CLASS)
    restype[2:] = 0
    mask = (rng.random((*shape, 5)) < 0.9) & (restype < 20)[..., None]
    mask[2:] = False
    position = rng.standard_normal((*shape, 5, 3)) + 12 * rng.standard_normal((*shape, 1, 3))
    return TemplateAtoms(restype, (position * mask[..., None]).astype(np.float32), mask)


def templates_by_atom(features: Features, seed: int) -> Features:
    """The job with templates made of atoms, and deletions that are counts."""
    atoms = random_template_atoms(features.n_tokens, seed)
    slots = [_place(*slot) for slot in zip(*atoms, strict=True)]
    masks = [(np.stack([f(slot) for slot in slots])) for f in (_known_beta, _known_frame)]
    templates = TemplateFeatures(
        restype=torch.from_numpy(atoms.restype),
        distance_bin=torch.stack([distance_bins(slot) for slot in slots]),
        unit_vector=torch.from_numpy(np.stack([unit_vectors(slot) for slot in slots])),
        distance_mask=torch.from_numpy(masks[0]),
        frame_mask=torch.from_numpy(masks[1]),
    )
    has_deletion = deletion_counts(features.deletion_value).clamp(max=1)
    return replace(features, templates=templates, has_deletion=has_deletion)


def deletion_counts(value: Tensor) -> Tensor:
    """How many residues were deleted, from the feature that says so (2/π atan(count/3))."""
    return 3 * torch.tan(value * (torch.pi / 2))


def _place(restype: np.ndarray, position: np.ndarray, mask: np.ndarray) -> _Place:
    beta = np.where(restype == GLYCINE, CA, CB)
    rows, backbone = np.arange(len(restype)), [C, CA, N]
    return _Place(
        restype,
        position[rows, beta],
        mask[rows, beta],
        position[:, backbone],
        mask[:, backbone].all(-1),
    )


def _known_beta(slot: _Place) -> np.ndarray:
    return slot.beta_mask[:, None] & slot.beta_mask[None]


def _known_frame(slot: _Place) -> np.ndarray:
    return slot.backbone_mask[:, None] & slot.backbone_mask[None]


def random_coordinates(seed: int, n_samples: int, n_atoms: int) -> Tensor:
    """Standard normal coordinates [sample, atom, 3], zeros on padding."""
    rng = np.random.default_rng([seed, 1])
    padding = -n_atoms % ATOM_MULTIPLE
    x = rng.standard_normal((n_samples, n_atoms, 3), dtype=np.float32)
    return torch.from_numpy(np.pad(x, ((0, 0), (0, padding), (0, 0))))


def n_real_atoms(features: Features) -> int:
    """Atoms without padding."""
    return int(features.atom_mask.sum())


def as_rings(features: Features) -> Features:
    """The same job, its first chain closed to a ring."""
    first = features.asym_id == 1
    return replace(features, ring_length=torch.where(first, int(first.sum()), 0))


def without_templates(features: Features) -> Features:
    """The same job without templates."""
    return replace(features, templates=None)


def _bonds(rng: np.random.Generator, n_tokens: int) -> np.ndarray:
    bonds = np.triu(rng.random((n_tokens, n_tokens)) < 0.05, 1)
    return (bonds | bonds.T).astype(np.float32)


def _atoms(rng: np.random.Generator, asym: np.ndarray, per_token: int) -> dict[str, np.ndarray]:
    """Per-atom features, padded, and the atoms that tokens point to."""
    counts = np.where(asym == 3, 1, rng.integers(per_token - 4, per_token + 5, len(asym)))
    first = np.cumsum(counts) - counts
    n_atoms = int(counts.sum())
    atom_to_token = np.repeat(np.arange(len(asym)), counts)
    ligand = asym == 3
    uid = np.where(ligand, np.argmax(ligand), np.arange(len(asym)))
    per_atom = {
        "ref_pos": 2 * rng.standard_normal((n_atoms, 3), dtype=np.float32),
        "ref_charge": rng.integers(-1, 2, n_atoms).astype(np.float32),
        "ref_element": rng.integers(1, 119, n_atoms),
        "ref_atom_name_chars": rng.integers(0, 64, (n_atoms, 4)),
        "ref_space_uid": uid[atom_to_token],
        "atom_to_token": atom_to_token,
        "atom_slot": np.arange(n_atoms) - first[atom_to_token],
        "atom_mask": np.ones(n_atoms, bool),
    }
    padding = -n_atoms % ATOM_MULTIPLE
    padded = {
        name: np.pad(x, [(0, padding), *([(0, 0)] * (x.ndim - 1))]) for name, x in per_atom.items()
    }
    picked = {
        "representative_atom": first + rng.integers(0, counts),
        "frame_atoms": np.minimum(first[:, None] + np.arange(3), n_atoms - 1),
    }
    return padded | picked


def padded(features: Features, *, n_tokens: int, n_atoms: int, n_rows: int) -> Features:
    """The job with room for more: what is added looks like data and is switched off by masks."""
    width = {"token": n_tokens, "atom": n_atoms, "row": n_rows}
    grown = {
        name: _grown(getattr(features, name), [width.get(axis) for axis in axes])
        for name, axes in AXES.items()
    }
    rings = features.ring_length
    return Features(
        **grown,
        ring_length=None if rings is None else _grown(rings, [n_tokens]),
        token_mask=torch.arange(n_tokens) < features.n_tokens,
        msa_mask=torch.arange(n_rows) < len(features.msa),
        templates=_grown_templates(features.templates, n_tokens),
    )


AXES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("restype", "residue_index", "token_index", "asym_id"), ("token",)),
    **dict.fromkeys(("entity_id", "sym_id", "deletion_mean"), ("token",)),
    "profile": ("token", "class"),
    "token_bonds": ("token", "token"),
    "representative_atom": ("token",),
    "frame_atoms": ("token", "three"),
    **dict.fromkeys(("msa", "has_deletion", "deletion_value"), ("row", "token")),
    "ref_pos": ("atom", "three"),
    "ref_atom_name_chars": ("atom", "four"),
    **dict.fromkeys(("ref_charge", "ref_element", "ref_space_uid"), ("atom",)),
    **dict.fromkeys(("atom_to_token", "atom_slot", "atom_mask"), ("atom",)),
}


def stacked(jobs: list[Features]) -> Features:
    """Equally padded jobs as one batch."""
    values = {
        field.name: _stacked([getattr(job, field.name) for job in jobs])
        for field in fields(Features)
        if field.name != "templates"
    }
    templates = {
        field.name: torch.stack([getattr(job.templates, field.name) for job in jobs])
        for field in fields(TemplateFeatures)
    }
    return Features(**values, templates=TemplateFeatures(**templates))


def _stacked(parts: list[Tensor | None]) -> Tensor | None:
    """A batch of what every job has; None of what none has."""
    there = [part for part in parts if part is not None]
    return torch.stack(there) if there else None


def _grown(x: Tensor, sizes: list[int | None]) -> Tensor:
    """Larger along some axes; the new places hold ones (False in masks)."""
    fill = 0 if x.dtype == torch.bool else 1
    shape = [new or old for new, old in zip(sizes, x.shape, strict=True)]
    grown = torch.full(shape, fill, dtype=x.dtype)
    grown[tuple(slice(n) for n in x.shape)] = x
    return grown


def _grown_templates(templates: TemplateFeatures, n: int) -> TemplateFeatures:
    return TemplateFeatures(
        restype=_grown(templates.restype, [None, n]),
        distance_bin=_grown(templates.distance_bin, [None, n, n]),
        unit_vector=_grown(templates.unit_vector, [None, n, n, None]),
        distance_mask=_grown(templates.distance_mask, [None, n, n]),
        frame_mask=_grown(templates.frame_mask, [None, n, n]),
    )
