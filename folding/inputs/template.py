"""Structural templates of a chain: an mmCIF file and which of its residues stand for which."""

from dataclasses import dataclass

from folding.errors import InvalidInput
from folding.inputs.text import check_characters, check_size, quoted

# The largest single chains of the PDB come to about 5 MB of mmCIF; whole viruses do not fit.
MAX_TEMPLATE_CHARACTERS = 10_000_000
MAX_TEMPLATES = 20


@dataclass(frozen=True)
class Template:
    """A structure that the model may look at, and how it maps to the chain.

    Args:
        cif: mmCIF text of one protein chain.
        query_indices: Residues of the chain, counted from 0, each once.
        template_indices: The residue of the template for each of them, counted from 0 in the
            template's own sequence, unresolved residues counted.

    Raises:
        InvalidInput: `field` is `"cif"` or `"mapping"`.
    """

    cif: str
    query_indices: tuple[int, ...]
    template_indices: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_cif(self.cif)
        n_query, n_template = len(self.query_indices), len(self.template_indices)
        if n_query != n_template:
            raise InvalidInput(
                f"Each residue of the chain needs one of the template, but there are {n_query} "
                f"query indices and {n_template} template indices.",
                field="mapping",
            )
        if not n_query:
            raise InvalidInput(
                "The template maps no residue. Give the indices, or remove the template.",
                field="mapping",
            )
        _check_indices(self.query_indices)
        _check_indices(self.template_indices)


def _check_cif(cif: str) -> None:
    check_size(cif, limit=MAX_TEMPLATE_CHARACTERS, what="A template", field="cif")
    check_characters(cif, what="A template", field="cif")
    if not cif.lstrip().lower().startswith(("data_", "#")) or "_atom_site." not in cif:
        raise InvalidInput(
            "A template must be an mmCIF file with atoms: it begins with “data_” and has a table "
            "“_atom_site”. Save the structure as mmCIF (.cif).",
            field="cif",
        )


def _check_indices(indices: tuple[int, ...]) -> None:
    seen: set[int] = set()
    for index in indices:
        if isinstance(index, bool) or not isinstance(index, int) or index < 0:
            raise InvalidInput(
                f"An index of a template is a whole number from 0, not {quoted(index)}.",
                field="mapping",
            )
        if index in seen:
            raise InvalidInput(
                f"Each residue can be mapped once, but {index} is given twice.", field="mapping"
            )
        seen.add(index)


def check_templates(templates: tuple[Template, ...], *, n_residues: int, field: str) -> None:
    """Refuses more templates than the model reads, and a mapping that leaves the chain.

    Raises:
        InvalidInput: Names the template.
    """
    if len(templates) > MAX_TEMPLATES:
        raise InvalidInput(
            f"A chain can have at most {MAX_TEMPLATES} templates, but this has {len(templates)}. "
            "Keep the best ones.",
            field=field,
        )
    for number, template in enumerate(templates, start=1):
        if (last := max(template.query_indices)) >= n_residues:
            raise InvalidInput(
                f"Template {number} maps residue {last} (counted from 0), but the chain has "
                f"{n_residues} residues.",
                field=field,
            )
