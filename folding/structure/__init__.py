"""Structures: what they are, how they are written and read, measured and validated."""
