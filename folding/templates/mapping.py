"""A template from an uploaded structure: the chain cut out, and its residues mapped."""

import re
from collections.abc import Mapping

from folding.errors import InvalidInput
from folding.inputs import Template
from folding.inputs.text import quoted
from folding.templates.structure_file import StructureChain, StructureFile, read_structure

MAX_ALIGNED_RESIDUES = 6_000
MIN_MAPPED = 4
_GAP_OPEN, _GAP_EXTEND = -11, -1
_RANGE = re.compile(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?")


def make_template(text: str, *, sequence: str, chain: str = "", mapping: str = "") -> Template:
    """The template that an uploaded mmCIF file is for a protein chain.

    Args:
        sequence: Of the chain that is to be folded.
        chain: Which chain of the file; "" if there is just one.
        mapping: Residues from 1, such as `1-30=5-34, 40=44`; "" aligns both sequences.

    Raises:
        InvalidInput: Not a structure of a protein, no such chain, or nothing that maps.
    """
    file = read_structure(text)
    return template_of(file, file.chain(chain.strip()), sequence=sequence, mapping=mapping)


def template_of(
    file: StructureFile, chain: StructureChain, *, sequence: str, mapping: str = ""
) -> Template:
    """The template that this chain is.

    Raises:
        InvalidInput: Nothing maps.
    """
    if mapping.strip():
        pairs = read_mapping(mapping, n_query=len(sequence), n_template=len(chain.sequence))
    else:
        pairs = align(sequence, chain.sequence)
    pairs = {query: place for query, place in pairs.items() if place in chain.residues}
    if len(pairs) < MIN_MAPPED:
        raise InvalidInput(
            f"Only {len(pairs)} residues of the chain have a resolved residue of the template "
            f"(chain {chain.chain_id}); at least {MIN_MAPPED} are needed. Is it the right chain, "
            "and is its mapping right?",
            field="template",
        )
    return Template(
        cif=write_chain(file, chain),
        query_indices=tuple(pairs),
        template_indices=tuple(pairs.values()),
    )


def read_mapping(text: str, *, n_query: int, n_template: int) -> dict[int, int]:
    """Places in the template, from 0, by those in the chain, of `1-30=5-34, 40=44`.

    Raises:
        InvalidInput: Not such a list, unequal stretches, or residues that do not exist.
    """
    pairs: dict[int, int] = {}
    for part in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        left, equals, right = part.partition("=")
        query, place = _stretch(left, n_query), _stretch(right, n_template)
        if not equals or query is None or place is None or len(query) != len(place):
            raise InvalidInput(
                f"{quoted(part)} maps no residues. Write stretches of equal length within both "
                f"sequences ({n_query} and {n_template} residues), such as 1-30=5-34.",
                field="template_mapping",
            )
        pairs |= dict(zip(query, place, strict=True))
    if len(set(pairs.values())) != len(pairs):
        raise InvalidInput(
            "The mapping uses a residue of the template twice. Correct the stretches.",
            field="template_mapping",
        )
    return pairs


def _stretch(text: str, n_residues: int) -> range | None:
    match = _RANGE.fullmatch(text.strip())
    if not match:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return range(first - 1, last) if 1 <= first <= last <= n_residues else None


def align(query: str, template: str) -> dict[int, int]:
    """Places in the template by those in the query: BLOSUM62, affine gaps, free ends.

    Raises:
        InvalidInput: Too long to be aligned while somebody waits.
    """
    if max(len(query), len(template)) > MAX_ALIGNED_RESIDUES:
        raise InvalidInput(
            f"Chains of more than {MAX_ALIGNED_RESIDUES:,} residues are not aligned here. Give the "
            "mapping, or cut the template.",
            field="template_mapping",
        )
    # Loaded where it is needed: the web process seldom reads a template.
    from biotite.sequence import ProteinSequence
    from biotite.sequence.align import SubstitutionMatrix, align_optimal

    best = align_optimal(
        ProteinSequence(query),
        ProteinSequence(template),
        SubstitutionMatrix.std_protein_matrix(),
        gap_penalty=(_GAP_OPEN, _GAP_EXTEND),
        terminal_penalty=False,
        max_number=1,
    )[0]
    return {int(a): int(b) for a, b in best.trace if a >= 0 and b >= 0}


def identity(sequence: str, template: Template, chain: StructureChain) -> float:
    """The fraction of mapped residues that are the same, 0 to 1."""
    pairs = list(zip(template.query_indices, template.template_indices, strict=True))
    same = sum(sequence[q] == chain.sequence[t] for q, t in pairs if t < len(chain.sequence))
    return same / len(pairs)


def write_chain(file: StructureFile, chain: StructureChain) -> str:
    """mmCIF of one chain alone, as chain A: what a job carries of a template."""
    # What was cut out before keeps the name that it got then.
    is_cut = len(file.chains) == 1 and "_" in file.name
    suffix = "" if is_cut else f"_{_word(chain.chain_id)}"
    lines = [f"data_{_word(file.name)}{suffix}", "#"]
    if file.released:
        lines += [f"_pdbx_audit_revision_history.revision_date {file.released.isoformat()}", "#"]
    lines += ["loop_", *(f"_entity_poly_seq.{name}" for name in ("entity_id", "num", "mon_id"))]
    codes: Mapping[int, str] = {place: r.code for place, r in chain.residues.items()}
    for place, letter in enumerate(chain.sequence):
        lines.append(f"1 {place + 1} {codes.get(place, _CODES.get(letter, 'UNK'))}")
    lines += ["#", "loop_", *(f"_atom_site.{name}" for name in _ATOM_ITEMS)]
    number = 0
    for place, residue in sorted(chain.residues.items()):
        for name, (x, y, z) in residue.atoms.items():
            number += 1
            quoted_name = f'"{name}"' if "'" in name else name
            lines.append(
                f"ATOM {number} {_element(name)} {quoted_name} . {residue.code} A 1 {place + 1} "
                f"{x:.3f} {y:.3f} {z:.3f} A 1"
            )
    return "\n".join([*lines, "#", ""])


_ATOM_ITEMS = (
    *("group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id"),
    *("label_asym_id", "label_entity_id", "label_seq_id", "Cartn_x", "Cartn_y", "Cartn_z"),
    *("auth_asym_id", "pdbx_PDB_model_num"),
)
_CODES = {
    **{"A": "ALA", "R": "ARG", "N": "ASN", "D": "ASP", "C": "CYS", "Q": "GLN", "E": "GLU"},
    **{"G": "GLY", "H": "HIS", "I": "ILE", "L": "LEU", "K": "LYS", "M": "MET", "F": "PHE"},
    **{"P": "PRO", "S": "SER", "T": "THR", "W": "TRP", "Y": "TYR", "V": "VAL"},
}


def _element(name: str) -> str:
    return "SE" if name == "SE" else name.lstrip("0123456789")[:1] or "C"


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "", text)[:40] or "x"
