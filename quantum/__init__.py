"""Circuits, where to run them, what to learn and optimise with them.

Angles are radians, energies are in whatever unit the observable has. This file imports nothing:
take what you need from the module that is named after it: `from quantum.circuit import Circuit`.
"""
