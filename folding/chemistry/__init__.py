"""Elements, residues and reference conformers, from the chemical component dictionary (CCD)."""
