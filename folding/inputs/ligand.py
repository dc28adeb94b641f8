"""Ligands and ions: by codes of the dictionary, as SMILES, or from a file."""

from dataclasses import dataclass

from folding.errors import InvalidInput
from folding.inputs.components import Components
from folding.inputs.ids import check_chain_ids, check_description
from folding.inputs.modification import clean_code
from folding.inputs.molecule import MAX_MOLECULE_CHARACTERS, read_molecule
from folding.inputs.text import check_characters, check_size

MAX_SMILES_CHARACTERS = 2_000
MAX_LIGAND_COMPONENTS = 50
_FORMS = "“ccd” codes, “smiles”, or the text of an SDF or MOL2 file"


@dataclass(frozen=True)
class Ligand:
    """A molecule that is no polymer, and the ids of its copies.

    Args:
        ids: One id for each copy.
        ccd: Codes of its components: one for most ligands and for an ion, several for a glycan.
        smiles: The molecule as SMILES.
        file: The molecule as text of an SDF (MOL) or MOL2 file.
        description: A remark that travels with the ligand.

    Raises:
        InvalidInput: `field` is `"ids"`, `"ccd"`, `"smiles"`, `"file"` or `"description"`.
    """

    ids: tuple[str, ...]
    ccd: tuple[str, ...] = ()
    smiles: str | None = None
    file: str | None = None
    description: str = ""

    def __post_init__(self) -> None:
        check_chain_ids(self.ids, field="ids")
        check_description(self.description)
        given = [name for name in ("ccd", "smiles", "file") if getattr(self, name)]
        if len(given) != 1:
            found = f"this has {' and '.join(given)}" if given else "this has none of them"
            raise InvalidInput(
                f"A ligand is given in exactly one way, as {_FORMS}, but {found}.",
                field=given[-1] if given else "ccd",
            )
        # What is not given looks the same however it was left out.
        object.__setattr__(self, "ccd", tuple(clean_code(code, field="ccd") for code in self.ccd))
        object.__setattr__(self, "smiles", self.smiles.strip() or None if self.smiles else None)
        object.__setattr__(self, "file", self.file or None)
        self._check()

    def _check(self) -> None:
        if len(self.ccd) > MAX_LIGAND_COMPONENTS:
            raise InvalidInput(
                f"A ligand can have at most {MAX_LIGAND_COMPONENTS} components, but this has "
                f"{len(self.ccd)}. Give the rest as ligands of their own.",
                field="ccd",
            )
        if self.file is not None:
            check_size(self.file, limit=MAX_MOLECULE_CHARACTERS, what="A ligand file", field="file")
            read_molecule(self.file, field="file")
        elif not self.ccd:
            _count_smiles(self.smiles or "")

    @property
    def n_tokens(self) -> int:
        """Heavy atoms of all copies together; components of the user are counted by the job."""
        return self.count_tokens(Components())

    def count_tokens(self, components: Components) -> int:
        """Heavy atoms of all copies together.

        Raises:
            InvalidInput: A code that is in no dictionary.
        """
        if self.file is not None:
            atoms = len(read_molecule(self.file, field="file").heavy_names)
        elif self.smiles is not None:
            atoms = _count_smiles(self.smiles)
        else:
            atoms = sum(len(components.find(code, field="ccd").atom_names) for code in self.ccd)
        return atoms * len(self.ids)


def _count_smiles(smiles: str) -> int:
    check_size(smiles, limit=MAX_SMILES_CHARACTERS, what="SMILES", field="smiles")
    check_characters(smiles, what="SMILES", field="smiles")
    if not smiles:
        raise InvalidInput("The SMILES is empty. Write for example CCO.", field="smiles")
    if len(smiles.split()) > 1:
        raise InvalidInput(
            "SMILES holds no spaces. Leave out the name that some files write behind it.",
            field="smiles",
        )
    # Whoever folds proteins alone never loads what reads SMILES.
    from folding.chemistry.catalog import smiles_atoms

    try:
        return int(smiles_atoms(smiles))
    except InvalidInput as error:
        raise InvalidInput(str(error), field="smiles") from error
