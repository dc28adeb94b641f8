"""The protein chains of an mmCIF file: sequence and atoms, in plain Python for any process.

Coordinates in Å. Of several models the first counts, of alternative places the first as well.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from folding.errors import InvalidInput
from folding.inputs.text import check_characters, check_size, quoted

MAX_CIF_CHARACTERS = 30_000_000
"""Files of larger assemblies than this have to be cut to the chain."""
MAX_ATOMS = 200_000
MAX_COORDINATE = 1e5

_LETTERS = {
    **{"ALA": "A", "ARG": "R", "ASN": "N", "ASP": "D", "CYS": "C", "GLN": "Q", "GLU": "E"},
    **{"GLY": "G", "HIS": "H", "ILE": "I", "LEU": "L", "LYS": "K", "MET": "M", "PHE": "F"},
    **{"PRO": "P", "SER": "S", "THR": "T", "TRP": "W", "TYR": "Y", "VAL": "V"},
    # Common modified residues count as what they were made from.
    **{"MSE": "M", "SEC": "C", "PYL": "K", "SEP": "S", "TPO": "T", "PTR": "Y", "CSO": "C"},
    **{"HYP": "P", "MLY": "K", "CME": "C", "PCA": "Q", "KCX": "K", "LLP": "K", "CSD": "C"},
}
_WORDS = re.compile(r"""'((?:[^'\n]|'(?=\S))*)'(?=\s|$)|"((?:[^"\n]|"(?=\S))*)"(?=\s|$)|(\S+)""")
_DATES = re.compile(r"_pdbx_audit_revision_history\.revision_date\s+(\d{4}-\d\d-\d\d)")
_NAME = re.compile(r"(?m)^data_(\S*)")
_ATOM_COLUMNS = (
    *("label_atom_id", "label_comp_id", "label_asym_id", "label_seq_id"),
    *("cartn_x", "cartn_y", "cartn_z"),
)

Point = tuple[float, float, float]


@dataclass(frozen=True)
class ResidueAtoms:
    """One residue that was resolved: its component and its atoms."""

    code: str
    atoms: Mapping[str, Point]


@dataclass(frozen=True)
class StructureChain:
    """One protein chain.

    Args:
        chain_id: `label_asym_id`; `author_id` is what the authors call it.
        sequence: One letter for each residue, unresolved ones included; X where unknown.
        residues: The resolved residues by their place in the sequence, counted from 0.
    """

    chain_id: str
    author_id: str
    sequence: str
    residues: Mapping[int, ResidueAtoms]


@dataclass(frozen=True)
class StructureFile:
    """What a template needs of an mmCIF file."""

    name: str
    released: date | None
    chains: tuple[StructureChain, ...]

    def chain(self, wanted: str) -> StructureChain:
        """The chain of that id, the file's own before the authors'; "" if there is just one.

        Raises:
            InvalidInput: There is none, or a choice is needed.
        """
        by_name = {chain.author_id: chain for chain in reversed(self.chains)}
        by_name |= {chain.chain_id: chain for chain in self.chains}
        names = ", ".join(chain.chain_id for chain in self.chains[:12])
        if not wanted and len(self.chains) == 1:
            return self.chains[0]
        if not wanted:
            raise InvalidInput(
                f"The template has {len(self.chains)} protein chains: {names}. Say which one.",
                field="template_chain",
            )
        if wanted not in by_name:
            raise InvalidInput(
                f"The template has no protein chain {quoted(wanted)}; it has {names}.",
                field="template_chain",
            )
        return by_name[wanted]


@dataclass
class _Collected:
    """A chain while its atoms are read."""

    author_id: str
    entity: str
    residues: dict[int, tuple[str, dict[str, Point]]] = field(default_factory=dict)


def read_structure(text: str, *, field: str = "template") -> StructureFile:
    """The protein chains of mmCIF text.

    Raises:
        InvalidInput: Too large, not mmCIF, broken coordinates, or no protein in it.
    """
    check_size(text, limit=MAX_CIF_CHARACTERS, what="A template", field=field)
    check_characters(text, what="A template", field=field)
    name = _NAME.search(text)
    if name is None or "_atom_site." not in text:
        raise InvalidInput(
            "A template must be an mmCIF file with atoms: it begins with “data_” and has a table "
            "“_atom_site”. Save the structure as mmCIF (.cif).",
            field=field,
        )
    collected = _collect(text, field=field)
    sequences = _sequences(text)
    chains = tuple(
        chain
        for chain_id, found in collected.items()
        if (chain := _chain(chain_id, found, sequences.get(found.entity, {}))) is not None
    )
    if not chains:
        raise InvalidInput(
            "The template holds no protein chain: no residue of its “_atom_site” table has a Cα "
            "atom and a number. Upload the structure of a protein.",
            field=field,
        )
    return StructureFile(name=name[1][:40] or "template", released=_released(text), chains=chains)


def _table(text: str, category: str) -> Iterator[dict[str, str]]:
    """The rows of a loop, each by its items in lower case."""
    start = re.search(rf"(?mi)^\s*loop_\s*\n(?=\s*_{category}\.)", text)
    if start is None:
        return
    columns: list[str] = []
    at = start.end()
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].strip()
        at = end + 1
        if line.lower().startswith(f"_{category}."):
            columns.append(line.split()[0].split(".", 1)[1].lower())
        elif line.startswith(("#", "_", "loop_", "data_")):
            return
        elif line:
            words = line.split()
            if "'" in line or '"' in line:
                words = [a or b or c for a, b, c in _WORDS.findall(line)]
            yield dict(zip(columns, words, strict=False))


def _collect(text: str, *, field: str) -> dict[str, _Collected]:
    """Atoms by chain and residue, of the first model."""
    chains: dict[str, _Collected] = {}
    model = None
    for n_atoms, atom in enumerate(_table(text, "atom_site")):
        if n_atoms >= MAX_ATOMS:
            raise InvalidInput(
                f"A template can have at most {MAX_ATOMS:,} atoms. Save only the chain.",
                field=field,
            )
        if any(name not in atom for name in _ATOM_COLUMNS):
            raise InvalidInput(
                f"Atom {n_atoms + 1} of the template is not complete. Was the file cut short?",
                field=field,
            )
        model = model or atom.get("pdbx_pdb_model_num", "1")
        place = atom["label_seq_id"]
        if (
            not place.isdecimal()
            or len(place) > 5
            or atom.get("pdbx_pdb_model_num", model) != model
        ):
            continue
        found = chains.setdefault(
            atom["label_asym_id"],
            _Collected(
                atom.get("auth_asym_id", atom["label_asym_id"]), atom.get("label_entity_id", "")
            ),
        )
        code = atom["label_comp_id"].upper()
        first, atoms = found.residues.setdefault(int(place) - 1, (code, {}))
        if code != first:  # a crystal may hold two residues at one place
            continue
        atoms.setdefault(atom["label_atom_id"], _point(atom, number=n_atoms + 1, field=field))
    return chains


def _point(atom: Mapping[str, str], *, number: int, field: str) -> Point:
    words = tuple(atom[f"cartn_{axis}"] for axis in "xyz")
    try:
        x, y, z = map(float, words)
    except ValueError:
        x = y = z = math.inf
    # Not a number compares as False.
    if not max(abs(x), abs(y), abs(z)) < MAX_COORDINATE or math.isnan(x + y + z):
        raise InvalidInput(
            f"Atom {number} of the template has no coordinates that can be read: "
            f"{quoted(' '.join(words))}.",
            field=field,
        )
    return x, y, z


def _sequences(text: str) -> dict[str, dict[int, str]]:
    """Component codes of each entity by place."""
    found: dict[str, dict[int, str]] = {}
    for row in _table(text, "entity_poly_seq"):
        number = row.get("num", "")
        if number.isdecimal() and len(number) <= 5:
            places = found.setdefault(row.get("entity_id", ""), {})
            places.setdefault(int(number) - 1, row.get("mon_id", "UNK").upper())
    return found


def _chain(chain_id: str, found: _Collected, codes: Mapping[int, str]) -> StructureChain | None:
    """The chain, or None if it is no protein."""
    residues = {
        place: ResidueAtoms(code, atoms)
        for place, (code, atoms) in found.residues.items()
        if place >= 0 and "CA" in atoms and "N" in atoms
    }
    if not residues:
        return None
    known = {**{place: residue.code for place, residue in residues.items()}, **codes}
    sequence = "".join(_LETTERS.get(known.get(i, "UNK"), "X") for i in range(max(known) + 1))
    return StructureChain(chain_id, found.author_id, sequence, residues)


def _released(text: str) -> date | None:
    """The date of the first revision, where the file says it."""
    dates = _DATES.findall(text)
    dates += [row.get("revision_date", "") for row in _table(text, "pdbx_audit_revision_history")]
    found = []
    for word in dates:
        try:
            found.append(date.fromisoformat(word))
        except ValueError:
            continue
    return min(found, default=None)
