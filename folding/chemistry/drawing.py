"""Ligands as pictures: `python -m folding.chemistry.drawing` reads one as JSON and writes SVG.

A process of its own, so that whoever shows the picture need not hold RDKit in memory.
"""

import json
import sys

from rdkit import Chem
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

from folding.chemistry.components import (
    Component,
    from_dictionary,
    from_file,
    from_smiles,
    from_user,
)
from folding.chemistry.molecules import mol_of
from folding.errors import InvalidInput
from folding.inputs import Ligand

WIDTH, HEIGHT = 320, 200


def draw(ligand: Ligand, *, user_ccd: str | None = None) -> str:
    """The ligand as SVG of 320 × 200 pixels on no background, its components side by side.

    Args:
        user_ccd: Components of the user's own, which come before the dictionary's.

    Raises:
        InvalidInput: A component that is in no dictionary, or that cannot be drawn.
    """
    mol = Chem.Mol()
    for component in _components(ligand, user_ccd):
        part = mol_of(component)
        if part is None:
            raise InvalidInput(f"{component.code} cannot be drawn.")
        mol = Chem.CombineMols(mol, part)
    flat = Chem.Mol(mol)
    flat.RemoveAllConformers()
    rdDepictor.Compute2DCoords(flat)
    canvas = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
    canvas.drawOptions().clearBackground = False
    canvas.drawOptions().padding = 0.08
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, flat, kekulize=False)
    canvas.FinishDrawing()
    return str(canvas.GetDrawingText())


def _components(ligand: Ligand, user_ccd: str | None) -> list[Component]:
    if ligand.file is not None:
        return [from_file(ligand.file, code="LIG")]
    if ligand.smiles is not None:
        return [from_smiles(ligand.smiles, code="LIG")]
    own = from_user(user_ccd) if user_ccd else {}
    return [own.get(code) or from_dictionary(code) for code in ligand.ccd]


def main() -> int:
    """Draws what standard input says; 1 and a sentence where it cannot."""
    given = json.load(sys.stdin)
    try:
        ligand = Ligand(("A",), ccd=tuple(given["ccd"]), smiles=given["smiles"], file=given["file"])
        sys.stdout.write(draw(ligand, user_ccd=given.get("user_ccd")))
    except InvalidInput as error:
        sys.stdout.write(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
