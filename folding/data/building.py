"""From tokens and coordinates back to a structure."""

import numpy as np
from jaxtyping import Float32

from folding.data.tokens import Tokens, element_symbols
from folding.progress import Outline
from folding.structure.composition import LIGAND, PROTEIN, Composition
from folding.structure.structure import CENTRE_ATOMS, Structure


def build_structure(tokens: Tokens, coordinates: Float32[np.ndarray, "atom 3"]) -> Structure:
    """The atoms of a job at ``coordinates``, centred."""
    of_atom = tokens.atom_to_token
    chain_of_token = np.array(tokens.chain_ids)[tokens.asym_id - 1]
    return Structure(
        coordinates=coordinates - coordinates.mean(0),
        element=element_symbols(tokens),
        atom_name=tokens.name,
        residue_name=tokens.residue_name,
        residue_number=tokens.residue_index[of_atom],
        chain_id=chain_of_token[of_atom],
        entity_id=tokens.entity_id[of_atom],
        token_index=of_atom,
        token_chain_id=chain_of_token,
    )


def build_outline(tokens: Tokens) -> Outline:
    """What the tokens of a job are when only their centre atoms are drawn."""
    of_atom = tokens.atom_to_token
    is_bead = np.bincount(of_atom, minlength=tokens.n_tokens) == 1
    along = np.isin(tokens.name[tokens.centre_atom], CENTRE_ATOMS)
    along &= np.isin(tokens.asym_id, _polymers(tokens))
    chains = [np.flatnonzero(along & (tokens.asym_id == n)) for n in np.unique(tokens.asym_id)]
    pairs = {(min(pair), max(pair)) for pair in tokens.bonds.tolist()}
    return Outline(
        tubes=tuple(tuple(chain.tolist()) for chain in chains if len(chain)),
        beads=tuple(np.flatnonzero(is_bead).tolist()),
        bonds=tuple(sorted(pair for pair in pairs if pair[0] != pair[1])),
    )


def _polymers(tokens: Tokens) -> list[int]:
    """`asym_id` of the chains that are no ligands."""
    if tokens.assembly is None:
        return list(range(1, len(tokens.chain_ids) + 1))
    chains = enumerate(tokens.assembly.chains, start=1)
    return [number for number, chain in chains if chain.kind != LIGAND]


def build_composition(tokens: Tokens) -> Composition:
    """The molecules of a job."""
    if tokens.assembly is None:
        return Composition(kinds=dict.fromkeys(tokens.chain_ids, PROTEIN), components={})
    chains = tokens.assembly.chains
    return Composition(
        kinds={chain.id: chain.kind for chain in chains},
        components={site.component.code: site.component for site in tokens.assembly.sites},
        descriptions={chain.id: chain.description for chain in chains},
        joints=tokens.joints,
        covalent=tokens.covalent,
        rings=frozenset(chain.id for chain in chains if chain.is_ring),
        notes=tokens.notes,
    )
