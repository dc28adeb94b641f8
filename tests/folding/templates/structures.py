"""A small mmCIF file as a data bank writes it, made from nothing but arithmetic."""

import numpy as np

CODES = {
    **{"A": "ALA", "R": "ARG", "N": "ASN", "D": "ASP", "C": "CYS", "Q": "GLN", "E": "GLU"},
    **{"G": "GLY", "H": "HIS", "I": "ILE", "L": "LEU", "K": "LYS", "M": "MET", "F": "PHE"},
    **{"P": "PRO", "S": "SER", "T": "THR", "W": "TRP", "Y": "TYR", "V": "VAL"},
}
HEADER = """data_1ABC
#
_entry.id   1ABC
_struct.title 'A made-up protein; it''s small'
loop_
_pdbx_audit_revision_history.ordinal
_pdbx_audit_revision_history.revision_date
1 2019-05-01
2 2022-01-01
#
"""
ITEMS = (
    *("group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id"),
    *("label_asym_id", "label_entity_id", "label_seq_id", "pdbx_PDB_ins_code"),
    *("Cartn_x", "Cartn_y", "Cartn_z", "auth_asym_id", "pdbx_PDB_model_num"),
)


def helix(n: int, *, seed: int = 0) -> np.ndarray:
    """N, CA, C and CB of each residue [n, 4, 3] along a wobbling helix, in Å."""
    generator = np.random.default_rng(seed)
    angle, rise = 1.745 * np.arange(n), 1.5 * np.arange(n)
    ca = np.stack([2.3 * np.cos(angle), 2.3 * np.sin(angle), rise], axis=1)
    around = generator.normal(size=(n, 4, 3))
    around /= np.linalg.norm(around, axis=-1, keepdims=True)
    atoms = ca[:, None] + 1.5 * around
    atoms[:, 1] = ca
    return atoms.round(3)


def mmcif(chains: dict[str, str], *, missing: tuple[int, ...] = (), header: str = HEADER) -> str:
    """A file with these chains; residues whose number (from 1) is missing were not resolved."""
    lines = [header, "loop_"]
    lines += [f"_entity_poly_seq.{name}" for name in ("entity_id", "num", "mon_id")]
    for entity, sequence in enumerate(chains.values(), start=1):
        lines += [f"{entity} {i} {CODES[letter]}" for i, letter in enumerate(sequence, start=1)]
    lines += ["#", "loop_", *(f"_atom_site.{item}" for item in ITEMS)]
    number = 0
    for entity, (chain_id, sequence) in enumerate(chains.items(), start=1):
        positions = helix(len(sequence), seed=entity)
        for place, letter in enumerate(sequence, start=1):
            names = ("N", "CA", "C") if letter == "G" else ("N", "CA", "C", "CB")
            for slot, name in enumerate(names):
                number += 1
                if place in missing:
                    continue
                x, y, z = positions[place - 1, slot]
                lines.append(
                    f"ATOM {number} {name[0]} {name} . {CODES[letter]} {chain_id} {entity} {place} "
                    f"? {x:.3f} {y:.3f} {z:.3f} {chain_id.lower()} 1"
                )
    lines.append(f'HETATM {number + 1} O "O5\'" . HOH W 9 . ? 0.0 0.0 0.0 W 1')
    return "\n".join([*lines, "#", ""])
