"""Elements, residues and reference conformers, from the PDB's chemical component dictionary (CCD)."""
