"""Finished jobs without a fold: ideal helices with made-up confidence, saved by the real writer."""

from dataclasses import asdict, replace

import numpy as np
from django.utils import timezone

from folding.confidence import Confidence
from folding.data.building import build_composition, build_structure
from folding.data.tokens import tokenize
from folding.inputs import DnaChain, FoldInput, FoldOptions, Ligand, Modification, ProteinChain
from folding.outputs import write_outputs
from folding.prediction import Prediction as Sample
from folding.structure.structure import Structure
from webapp import storage
from webapp.models import Job, Prediction, Status

TRP_CAGE = "NLYIQWLKDGGPSSGRPPPS"
# Atoms of an alpha helix in cylindrical coordinates: radius (Å), angle (degrees), height (Å).
HELIX = {
    "N": (1.55, -27.7, -0.90),
    "CA": (2.29, 0.0, 0.0),
    "C": (1.66, 26.4, 1.08),
    "O": (2.03, 21.2, 2.28),
    "CB": (3.30, -12.6, -0.40),
}
TURN_DEGREES, RISE, CHAIN_DISTANCE = 100.0, 1.5, 12.0
THREE_LETTERS = dict(
    zip(
        "ACDEFGHIKLMNPQRSTVWYX",
        [
            "ALA",
            "CYS",
            "ASP",
            "GLU",
            "PHE",
            "GLY",
            "HIS",
            "ILE",
            "LYS",
            "LEU",
            "MET",
            "ASN",
            "PRO",
            "GLN",
            "ARG",
            "SER",
            "THR",
            "VAL",
            "TRP",
            "TYR",
            "UNK",
        ],
        strict=True,
    )
)


def trp_cage(
    *, name: str = "Trp-cage", copies: int = 1, seeds: tuple[int, ...] = (1,)
) -> FoldInput:
    """The input of a job about Trp-cage."""
    ids = tuple("ABCDEF"[:copies])
    return FoldInput(name=name, chains=(ProteinChain(ids, TRP_CAGE),), seeds=seeds)


def helices(fold_input: FoldInput) -> Structure:
    """One ideal helix for each chain, side by side."""
    rows = []
    token = -1
    for index, chain_id in enumerate(fold_input.chain_ids):
        entity, chain = next(
            (e, c) for e, c in enumerate(fold_input.chains, 1) if chain_id in c.ids
        )
        for number, letter in enumerate(chain.sequence, 1):
            token += 1
            for atom, (radius, degrees, height) in HELIX.items():
                if letter == "G" and atom == "CB":
                    continue
                angle = np.radians(degrees + TURN_DEGREES * number)
                xyz = (
                    radius * np.cos(angle) + CHAIN_DISTANCE * index,
                    radius * np.sin(angle),
                    height + RISE * number,
                )
                rows.append((xyz, atom, THREE_LETTERS[letter], number, chain_id, entity, token))
    xyz, atoms, names, numbers, chains, entities, tokens = zip(*rows, strict=True)
    coordinates = np.array(xyz, dtype=np.float32)
    token_index = np.array(tokens)
    return Structure(
        coordinates=coordinates - coordinates.mean(axis=0),
        element=np.array([atom[0] for atom in atoms]),
        atom_name=np.array(atoms),
        residue_name=np.array(names),
        residue_number=np.array(numbers),
        chain_id=np.array(chains),
        entity_id=np.array(entities),
        token_index=token_index,
        token_chain_id=np.array([chains[i] for i in np.unique(token_index, return_index=True)[1]]),
    )


def every_kind(*, name: str = "Every kind") -> FoldInput:
    """A phosphopeptide of two copies, a strand of DNA, ATP and magnesium."""
    peptide = ProteinChain(("A", "B"), "GASG", modifications=(Modification("SEP", 3),))
    ligands = (Ligand(("D",), ccd=("ATP",)), Ligand(("E",), ccd=("MG",)))
    return FoldInput(name=name, chains=(peptide, DnaChain(("C",), "ACGT"), *ligands))


def conformers(fold_input: FoldInput, *, mirrored: bool = False) -> Sample:
    """A sample in which every residue is its ideal conformer, one behind the other.

    Args:
        mirrored: Turns every molecule into its mirror image.
    """
    tokens = tokenize(fold_input)
    chain = tokens.asym_id[tokens.atom_to_token]
    place = np.stack([14.0 * chain, 0.0 * chain, 5.0 * tokens.residue], axis=-1)
    shape = tokens.position * ([-1, 1, 1] if mirrored else [1, 1, 1])
    structure = build_structure(tokens, (shape + place).astype(np.float32))
    sample = sample_of(structure, seed=1, sample=int(mirrored))
    return replace(sample, composition=build_composition(tokens))


def sample_of(structure: Structure, *, seed: int, sample: int, n_steps: int = 8) -> Sample:
    """A sample whose pLDDT falls from 95 at the first residue to 35 at the last."""
    n_tokens, n_chains = structure.n_tokens, len(structure.chain_ids)
    plddt = np.linspace(95, 35, n_tokens, dtype=np.float32) - sample
    apart = np.abs(np.arange(n_tokens)[:, None] - np.arange(n_tokens)[None, :])
    pae = (31.75 * apart / max(n_tokens - 1, 1)).astype(np.float32)
    rng = np.random.default_rng(seed * 100 + sample)
    centres = structure.coordinates[structure.centre_atoms]
    noise = rng.normal(size=(n_steps, n_tokens, 3)) * np.linspace(6, 0, n_steps)[:, None, None]
    confidence = Confidence(
        atom_plddt=plddt[structure.token_index],
        pae=pae,
        pde=pae,
        resolved=np.ones(structure.n_atoms, dtype=np.float32),
        contact_probs=np.exp(-apart / 3.0).astype(np.float32),
        ptm=0.62 - sample / 100,
        iptm=0.55 if n_chains > 1 else None,
        chain_ptm=np.full(n_chains, 0.6, dtype=np.float32),
        chain_pair_iptm=np.full((n_chains, n_chains), 0.5, dtype=np.float32),
        chain_pair_pae_min=np.full((n_chains, n_chains), 4.0, dtype=np.float32),
        has_clash=False,
        fraction_disordered=0.1,
        ranking_score=0.7 - sample / 100,
    )
    return Sample(
        seed=seed,
        sample=sample,
        structure=structure,
        confidence=confidence,
        trajectory=(centres[None] + noise).astype(np.float32),
    )


def queued_job(owner, fold_input: FoldInput | None = None, **fields) -> Job:
    """A row as `webapp.jobs.submit` makes it, without telling anybody."""
    fold_input = fold_input or trp_cage()
    options = fields.pop("options", FoldOptions(n_samples=2, n_steps=8))
    return Job.objects.create(
        owner=owner,
        name=fold_input.name,
        fold_input=fold_input.to_json(),
        options=asdict(options),
        n_tokens=fold_input.n_tokens,
        **fields,
    )


def finished_complex(owner, fold_input: FoldInput | None = None) -> Job:
    """A job with every kind of molecule; the second sample is the mirror image of the first."""
    fold_input = fold_input or every_kind()
    samples = [conformers(fold_input, mirrored=mirrored) for mirrored in (False, True)]
    return finished_job(owner, fold_input, samples=samples)


def finished_job(
    owner,
    fold_input: FoldInput | None = None,
    *,
    n_samples: int = 2,
    samples: list[Sample] | None = None,
) -> Job:
    """A job that succeeded, with its rows and its files in `settings.DATA_DIR`."""
    fold_input = fold_input or trp_cage()
    samples = samples or [
        sample_of(helices(fold_input), seed=seed, sample=k)
        for seed in fold_input.seeds
        for k in range(n_samples)
    ]
    now = timezone.now()
    ended = {"status": Status.SUCCEEDED, "percent": 100.0, "started_at": now, "finished_at": now}
    job = queued_job(owner, fold_input, attempt=1, **ended)
    save_files(job, fold_input, samples)
    Prediction.objects.bulk_create(rows(job, samples))
    return job


def save_files(job: Job, fold_input: FoldInput, samples: list[Sample]) -> None:
    """The artifacts of a result, in their place."""
    folder = storage.draft(job.pk, attempt=1)
    write_outputs(
        folder,
        name=fold_input.slug,
        fold_input=fold_input,
        predictions=samples,
        manifest={"options": job.options, "weights_sha256": "0123456789ab" + 52 * "0"},
    )
    storage.install(job.pk, attempt=1)


def rows(job: Job, samples: list[Sample]) -> list[Prediction]:
    """The rows of a result, not yet stored."""
    return [
        Prediction(
            job=job,
            seed=sample.seed,
            sample=sample.sample,
            rank=rank,
            ranking_score=sample.ranking_score,
            mean_plddt=sample.confidence.mean_plddt,
            ptm=sample.confidence.ptm,
            iptm=sample.confidence.iptm,
            has_clash=False,
            fraction_disordered=0.1,
        )
        for rank, sample in enumerate(sorted(samples, key=lambda s: -s.ranking_score), 1)
    ]
