"""Compares the input that Protenix 2.0.0 and we make of the same jobs, feature by feature.

    python -m benchmarks.parity_features

Runs where `protenix==2.0.0` (without its dependencies) and `scikit-learn` are installed beside what
`folding` needs. Both read the same JSON. Protenix's dictionary and the conformers made of it are
files that it downloads: here it gets the dictionary that comes with biotite, and its ideal
coordinates, and so do we. Conformers are compared by the distances within each residue, since both
programs turn and move them at random.
"""

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any
from unittest import mock

import numpy as np
import torch

from benchmarks.left_out import leave_out
from folding.chemistry import molecules
from folding.chemistry.components import Component
from folding.data.features import Features, featurize
from folding.data.msa import msa_features
from folding.data.tokens import Tokens, tokenize
from folding.inputs import Chain, FoldInput, Ligand, ProteinChain, RnaChain, read_inputs
from folding.weights.configs import PROTENIX

UNLOADED = (
    *("protenix.data.esm", "protenix.data.inference.infer_dataloader"),
    *("protenix.data.template", "pandas"),
)
STYLE = replace(PROTENIX["protenix_base_default_v1.0.0"].reference, embedded=False)
ATOL = 1e-3
"""Å: coordinates of the dictionary have three digits."""

PROTEIN = "MKTAYIAKQRNCDESW"


def chain(kind: str, sequence: str, count: int = 1, **more: Any) -> dict[str, Any]:
    """A polymer of Protenix's JSON."""
    return {kind: {"sequence": sequence, "count": count, **more}}


def ligand(code: str, count: int = 1) -> dict[str, Any]:
    """A ligand of Protenix's JSON."""
    return {"ligand": {"ligand": code, "count": count}}


def bond(*ends: tuple[int, int, str]) -> dict[str, Any]:
    """A covalent bond of Protenix's JSON: entity, position and atom on both sides."""
    names = ("entity", "position", "atom")
    return {
        f"{name}{side}": str(value)
        for side, end in enumerate(ends, 1)
        for name, value in zip(names, end, strict=True)
    }


def modified(kind: str, *places: tuple[str, int]) -> list[dict[str, Any]]:
    """Modified residues of a protein (`ptm`) or nucleic acid (`base`)."""
    key, where = (
        ("ptmType", "ptmPosition") if kind == "ptm" else ("modificationType", "basePosition")
    )
    return [{key: f"CCD_{code}", where: position} for code, position in places]


JOBS: dict[str, dict[str, Any]] = {
    "a protein with every amino acid": {
        "sequences": [chain("proteinChain", "ACDEFGHIKLMNPQRSTVWYX")]
    },
    "two copies, and another chain": {
        "sequences": [chain("proteinChain", PROTEIN, 2), chain("proteinChain", "GSGSGW")]
    },
    "modified residues": {
        "sequences": [
            chain(
                "proteinChain",
                PROTEIN,
                modifications=modified("ptm", ("SEP", 15), ("HYP", 9), ("MSE", 1)),
            )
        ]
    },
    "DNA, both strands": {
        "sequences": [chain("dnaSequence", "GATTACA"), chain("dnaSequence", "TGTAATC")]
    },
    "modified DNA": {
        "sequences": [chain("dnaSequence", "GATCAN", modifications=modified("base", ("5MC", 4)))]
    },
    "RNA": {"sequences": [chain("rnaSequence", "GGACUUCGGUCCN")]},
    "modified RNA": {
        "sequences": [chain("rnaSequence", "GGACUU", modifications=modified("base", ("PSU", 5)))]
    },
    "ATP and two ions": {
        "sequences": [
            chain("proteinChain", PROTEIN),
            ligand("CCD_ATP"),
            {"ion": {"ion": "MG", "count": 2}},
        ]
    },
    "a ligand by SMILES": {
        "sequences": [
            chain("proteinChain", PROTEIN),
            ligand("CC(=O)Oc1ccccc1C(=O)[O-]"),
        ]
    },
    "haem, twice": {"sequences": [chain("proteinChain", PROTEIN), ligand("CCD_HEM", 2)]},
    "a glycan of two sugars": {
        "sequences": [chain("proteinChain", PROTEIN), ligand("CCD_NAG_NAG")],
        "covalent_bonds": [
            bond((1, 11, "ND2"), (2, 1, "C1")),
            bond((2, 1, "O4"), (2, 2, "C1")),
        ],
    },
    "a ligand bonded to cysteine": {
        "sequences": [chain("proteinChain", PROTEIN), ligand("CCD_MPD")],
        "covalent_bonds": [bond((1, 12, "SG"), (2, 1, "C5"))],
    },
    "a disulfide between chains": {
        "sequences": [chain("proteinChain", PROTEIN), chain("proteinChain", "GSCGG")],
        "covalent_bonds": [bond((1, 12, "SG"), (2, 3, "SG"))],
    },
}


_ALL_COLUMNS = """
    id comp_id name type one_letter_code atom_id alt_atom_id pdbx_component_atom_id type_symbol
    charge pdbx_leaving_atom_flag pdbx_aromatic_flag pdbx_model_Cartn_x_ideal
    pdbx_model_Cartn_y_ideal pdbx_model_Cartn_z_ideal atom_id_1 atom_id_2 value_order
    pdbx_stereo_config
"""
READ = frozenset(_ALL_COLUMNS.split())
"""Columns of the dictionary that Protenix reads."""


@cache
def dictionary() -> Any:
    """biotite's dictionary as Protenix reads its own file, by code."""
    import biotite.structure.io.pdbx as pdbx
    from biotite.structure.info.ccd import get_ccd

    tables = get_ccd()
    keys = {"chem_comp": "id", "chem_comp_atom": "comp_id", "chem_comp_bond": "comp_id"}
    owners = {name: tables[name][key].as_array() for name, key in keys.items()}
    columns = {
        name: {key: tables[name][key].as_array(str) for key in tables[name] if key in READ}
        for name in keys
    }
    found = pdbx.CIFFile()
    for code in CODES:
        block = pdbx.CIFBlock()
        for name, owner in owners.items():
            rows = np.flatnonzero(owner == code)
            if len(rows):
                picked = {key: values[rows] for key, values in columns[name].items()}
                block[name] = pdbx.CIFCategory(picked)
        found[code] = block
    return found


_ALL_CODES = """
    ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL UNK
    A C G U N DA DC DG DT DN SEP HYP MSE 5MC 5CM PSU ATP MG HEM NAG MPD
"""
CODES = _ALL_CODES.split()
"""Components of the jobs above."""


def reference_molecule(code: str) -> Any:
    """The dictionary's component with ideal coordinates, as Protenix keeps molecules."""
    import biotite.structure.io.pdbx as pdbx
    from rdkit import Chem
    from rdkit.Geometry import Point3D

    block = dictionary()
    atoms = pdbx.get_component(block, data_block=code, use_ideal_coord=True)
    molecule = Chem.RWMol()
    for element, charge in zip(atoms.element, atoms.charge, strict=True):
        atom = Chem.Atom(str(element).capitalize())
        atom.SetFormalCharge(int(charge))
        molecule.AddAtom(atom)
    conformer = Chem.Conformer(len(atoms))
    for index, point in enumerate(atoms.coord):
        conformer.SetAtomPosition(index, Point3D(*map(float, np.nan_to_num(point))))
    found = molecule.GetMol()
    found.AddConformer(conformer)
    found.ref_conf_id = 0
    found.ref_mask = np.isfinite(atoms.coord).all(-1)
    found.atom_map = {str(name): index for index, name in enumerate(atoms.atom_name)}
    return found


def theirs(job: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], Any]:
    """Protenix's features of a job, and its atoms."""
    from protenix.data.core import ccd
    from protenix.data.inference.json_to_feature import SampleDictToFeatures

    with (
        mock.patch.object(ccd, "biotite_load_ccd_cif", lambda: dictionary()),
        mock.patch.object(ccd, "get_component_rdkit_mol", reference_molecule),
    ):
        features, atoms, _ = SampleDictToFeatures(json.loads(json.dumps(job))).get_feature_dict()
    return {k: x.numpy() for k, x in features.items() if isinstance(x, torch.Tensor)}, atoms


def ours(job: Mapping[str, Any]) -> tuple[Features, Tokens, FoldInput]:
    """Our features of a job."""
    (fold_input,) = read_inputs(json.dumps([{"name": "job", "modelSeeds": [1], **job}]))
    embedded = molecules.embedded

    def ideal(component: Component) -> molecules.Conformer:
        return (molecules.ideal if component.positions else embedded)(component)

    with mock.patch.object(molecules, "embedded", ideal):
        tokens = tokenize(fold_input, STYLE)
    msa = msa_features(fold_input, tokens, max_rows=16_384, style=STYLE)
    return featurize(tokens, msa, np.random.default_rng(1)), tokens, fold_input


def compared(job: Mapping[str, Any]) -> dict[str, str]:
    """What differs, by feature; empty where nothing does."""
    peer, atoms = theirs(job)
    features, tokens, _ = ours(job)
    n = tokens.n_atoms
    names = [str(name) for name in atoms.atom_name]
    if names != tokens.atom_names:
        return {"atoms": _first(tokens.atom_names, names)}
    uid = peer["ref_space_uid"]
    pairs: dict[str, tuple[Any, Any]] = {
        "restype": (features.restype, peer["restype"].argmax(-1)),
        "residue_index": (features.residue_index, peer["residue_index"]),
        "token_index": (features.token_index, peer["token_index"]),
        **{
            name: (_ranks(getattr(features, name)), _ranks(peer[name]))
            for name in ("asym_id", "entity_id", "sym_id")
        },
        "token_bonds": (features.token_bonds, peer["token_bonds"]),
        "ref_element": (features.ref_element[:n], peer["ref_element"].argmax(-1) + 1),
        "ref_charge": (features.ref_charge[:n], peer["ref_charge"]),
        "ref_mask": (np.ones(n), peer["ref_mask"]),
        "ref_atom_name_chars": (
            features.ref_atom_name_chars[:n],
            peer["ref_atom_name_chars"].argmax(-1),
        ),
        "ref_space_uid": (_ranks(features.ref_space_uid[:n]), _ranks(uid)),
        "atom_to_token": (features.atom_to_token[:n], peer["atom_to_token_idx"]),
        "atom_slot": (features.atom_slot[:n], peer["atom_to_tokatom_idx"]),
        "representative_atom": (
            np.sort(tokens.representative_atom),
            np.flatnonzero(peer["distogram_rep_atom_mask"]),
        ),
        "centre_atom": (np.sort(tokens.centre_atom), np.flatnonzero(peer["pae_rep_atom_mask"])),
        "has_frame": (tokens.has_frame, peer["has_frame"]),
        "frame_atoms": (
            tokens.frame_atoms[tokens.has_frame],
            peer["frame_atom_index"][tokens.has_frame],
        ),
    }
    found = {name: _first(a, b) for name, (a, b) in pairs.items() if not _equal(a, b)}
    for residue in np.unique(uid):
        here = uid == residue
        if not atoms.res_name[here][0].isupper():
            # Made of SMILES by each program, with random numbers of its own.
            found.pop("frame_atoms", None)
            continue
        a, b = (_distances(x[here]) for x in (features.ref_pos[:n].numpy(), peer["ref_pos"]))
        if np.abs(a - b).max(initial=0) > ATOL:
            code = atoms.res_name[here][0]
            found[f"ref_pos of {code}"] = f"distances differ by up to {np.abs(a - b).max():.3f} Å"
    return found


def relatives(sequence: str, species: Sequence[str], seed: int) -> str:
    """An alignment as A3M: changed residues, gaps and insertions, named after species."""
    rng = np.random.default_rng(seed)
    rows = [">query", sequence]
    for number, name in enumerate(species):
        letters = []
        for letter in sequence:
            draw = rng.random()
            other = str(rng.choice([*sequence])) if draw < 0.4 else letter
            letters.append("-" if draw < 0.1 else other)
            if rng.random() < 0.05:
                letters.append("gs"[: rng.integers(1, 3)])
        rows += [f">tr|A{seed}{number:03d}B|A{seed}{number:03d}B_{name}/1-9", "".join(letters)]
    return "\n".join(rows) + "\n"


SPECIES = ("HUMAN", "MOUSE", "YEAST", "ECOLI", "HUMAN", "CAEEL", "MOUSE", "HUMAN")
OTHER = "GSGSGWAYK"
RNA = "GGACUUCGGUCC"
ALIGNMENTS: dict[str, tuple[Chain, ...]] = {
    "one chain": (ProteinChain(("A",), PROTEIN, msa=relatives(PROTEIN, SPECIES, 1)),),
    "without an alignment": (ProteinChain(("A",), PROTEIN),),
    "two copies": (ProteinChain(("A", "B"), PROTEIN, msa=relatives(PROTEIN, SPECIES, 1)),),
    "two chains": (
        ProteinChain(("A",), PROTEIN, msa=relatives(PROTEIN, SPECIES, 1)),
        ProteinChain(("B",), OTHER, msa=relatives(OTHER, SPECIES[:3], 2)),
    ),
    "two chains in pairs": (
        ProteinChain(
            ("A",),
            PROTEIN,
            msa=relatives(PROTEIN, SPECIES, 1),
            paired_msa=relatives(PROTEIN, SPECIES, 3),
        ),
        ProteinChain(
            ("B",),
            OTHER,
            msa=relatives(OTHER, SPECIES[:3], 2),
            paired_msa=relatives(OTHER, SPECIES[::-1], 4),
        ),
    ),
    "two chains, half of their rows paired, many without a partner": (
        ProteinChain(
            ("A",),
            PROTEIN,
            msa=relatives(PROTEIN, [""] * 20, 6),
            paired_msa=relatives(PROTEIN, [f"A{n}" for n in range(100)], 7),
        ),
        ProteinChain(
            ("B",),
            OTHER,
            msa=relatives(OTHER, [""] * 20, 8),
            paired_msa=relatives(OTHER, [f"A{n}" for n in range(90, 190)], 9),
        ),
    ),
    "one chain, with paired rows alone": (
        ProteinChain(("A",), PROTEIN, paired_msa=relatives(PROTEIN, SPECIES, 3)),
    ),
    "RNA and a ligand": (
        ProteinChain(("A",), PROTEIN, msa=relatives(PROTEIN, SPECIES, 1)),
        RnaChain(("B",), RNA, msa=relatives(RNA, SPECIES[:4], 5)),
        Ligand(("C",), ccd=("MPD",)),
    ),
}


def job_of(chains: tuple[Chain, ...]) -> dict[str, Any]:
    """Protenix's JSON of chains, their alignments included."""
    kinds = {ProteinChain: "proteinChain", RnaChain: "rnaSequence"}
    found = []
    for each in chains:
        if isinstance(each, ProteinChain | RnaChain):
            texts = {"unpairedMsa": each.msa, "pairedMsa": getattr(each, "paired_msa", None)}
            given = {key: text for key, text in texts.items() if text is not None}
            found.append(chain(kinds[type(each)], each.sequence, len(each.ids), **given))
        elif isinstance(each, Ligand):
            found.append(ligand("_".join(("CCD", *each.ccd)), len(each.ids)))
    return {"sequences": found}


def alignments_compared(chains: tuple[Chain, ...]) -> dict[str, str]:
    """What differs between the alignments that both programs make."""
    from protenix.data.msa.msa_featurizer import InferenceMSAFeaturizer

    fold_input = FoldInput("job", chains)
    found = msa_features(fold_input, tokenize(fold_input, STYLE), max_rows=16_384, style=STYLE)
    job = job_of(chains)
    _, atoms = theirs(job)
    # As `configs_inference.py` and `infer_dataloader.py` of Protenix call it.
    peer = InferenceMSAFeaturizer.make_msa_feature(
        bioassembly=job["sequences"], atom_array=atoms, msa_pair_as_unpair=True, use_rna_msa=True
    )
    names = ("msa", "has_deletion", "deletion_value", "profile", "deletion_mean")
    return {
        name: _first(found[name], peer[name])
        for name in names
        if np.shape(found[name]) != np.shape(peer[name])
        or not np.allclose(found[name], peer[name], atol=1e-6)
    }


def _ranks(ids: Any) -> np.ndarray:
    """Ids by the order in which they come first: names of chains and residues do not count."""
    values = np.asarray(ids)
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def _distances(x: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x[:, None] - x[None], axis=-1)


def _equal(a: Any, b: Any) -> bool:
    a, b = np.asarray(a, float), np.asarray(b, float)
    return a.shape == b.shape and bool(np.array_equal(a, b))


def _first(a: Any, b: Any) -> str:
    """Where two arrays differ first."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return f"ours is {list(a.shape)}, Protenix's {list(b.shape)}"
    places = np.argwhere(a != b)
    where = tuple(places[0])
    return (
        f"{len(places)} differ; first at {list(map(int, where))}: {a[where]} here, {b[where]} there"
    )


def main() -> None:
    """The command."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    from rdkit import RDLogger

    RDLogger.DisableLog("rdApp.*")
    logging.disable()
    leave_out(*UNLOADED)
    agreed = True
    for name, job in JOBS.items():
        found = compared(job)
        agreed &= not found
        print(f"{name}: {'agrees' if not found else 'differs'}")
        for feature, words in found.items():
            print(f"    {feature}: {words}")
    for name, chains in ALIGNMENTS.items():
        found = alignments_compared(chains)
        agreed &= not found
        print(f"alignment, {name}: {'agrees' if not found else 'differs'}")
        for feature, words in found.items():
            print(f"    {feature}: {words}")
    sys.exit(0 if agreed else 1)


if __name__ == "__main__":
    main()
