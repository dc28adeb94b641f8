"""Modified residues: a component of the chemical component dictionary in place of a letter."""

import re
from dataclasses import dataclass

from folding.errors import InvalidInput
from folding.inputs.text import quoted

# The dictionary's own codes have one to five letters and digits; names that users give to their
# own components may be longer and hold hyphens.
COMPONENT_CODE = re.compile("[A-Z0-9][A-Z0-9-]{0,31}")


@dataclass(frozen=True)
class Modification:
    """A residue that is another component than its letter says.

    Args:
        ccd: Code of the component, such as `SEP` for phosphoserine; put into capitals.
        position: Which residue, counted from 1.

    Raises:
        InvalidInput: `field` is `"ccd"` or `"position"`.
    """

    ccd: str
    position: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "ccd", clean_code(self.ccd, field="ccd"))
        if isinstance(self.position, bool) or not isinstance(self.position, int):
            raise InvalidInput(
                f"The position of a modification is a whole number from 1, not "
                f"{quoted(self.position)}.",
                field="position",
            )


def clean_code(code: str, *, field: str) -> str:
    """The code of a component in capitals, without the `CCD_` that some dialects put before it.

    Raises:
        InvalidInput: It cannot be a code.
    """
    if not isinstance(code, str):
        raise InvalidInput(f"The code of a component is text, not {quoted(code)}.", field=field)
    cleaned = code.strip().upper().removeprefix("CCD_")
    if not cleaned.isascii() or not COMPONENT_CODE.fullmatch(cleaned):
        raise InvalidInput(
            f"{quoted(code)} is not the code of a component: codes are short and hold letters and "
            "digits, such as ATP, MG or SEP.",
            field=field,
        )
    return cleaned


def check_modifications(
    modifications: tuple[Modification, ...], *, n_residues: int, field: str
) -> None:
    """Refuses positions outside of the chain, and two modifications of one residue.

    Raises:
        InvalidInput: Names the modification.
    """
    seen: dict[int, str] = {}
    for modification in modifications:
        position = modification.position
        if not 1 <= position <= n_residues:
            raise InvalidInput(
                f"{modification.ccd} is put at position {position}, but the chain has residues 1 "
                f"to {n_residues}. Correct the position; the first residue is 1.",
                field=field,
            )
        if position in seen:
            raise InvalidInput(
                f"Position {position} is modified twice, as {seen[position]} and as "
                f"{modification.ccd}. Keep one of them.",
                field=field,
            )
        seen[position] = modification.ccd
