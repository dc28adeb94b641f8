"""Other programs' job files, one module for each dialect: plain fields in, and one dialect out."""
