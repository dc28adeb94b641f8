"""What to fold: every rule about input lives here, and nothing here needs torch or numpy.

A job is built either from parts (`ProteinChain`, `Ligand`, `Bond`, `FoldInput`) or from text
(`parse_sequences`, `FoldInput.from_fasta`, `FoldInput.from_json`, `read_inputs`). Whatever does not
follow the rules raises `folding.errors.InvalidInput`, and only that.
"""

from folding.inputs.a3m import MAX_A3M_CHARACTERS
from folding.inputs.alignment import read_alignment
from folding.inputs.bond import AtomRef, Bond
from folding.inputs.chain import DnaChain, ProteinChain, RnaChain, parse_sequences
from folding.inputs.components import own_codes
from folding.inputs.fasta import FastaRecord, parse_fasta
from folding.inputs.files import files_beside
from folding.inputs.ids import assign_chain_ids
from folding.inputs.job import NO_ALIGNMENT, NO_PARTNER, Chain, FoldInput
from folding.inputs.ligand import Ligand
from folding.inputs.modification import Modification
from folding.inputs.options import FoldOptions
from folding.inputs.reading import parse_json, read_input, read_inputs
from folding.inputs.sequence import MAX_SEQUENCE_CHARACTERS, MIN_RESIDUES, clean_sequence
from folding.inputs.template import MAX_TEMPLATES, Template

__all__ = [
    "MAX_A3M_CHARACTERS",
    "MAX_SEQUENCE_CHARACTERS",
    "MAX_TEMPLATES",
    "MIN_RESIDUES",
    "NO_ALIGNMENT",
    "NO_PARTNER",
    "AtomRef",
    "Bond",
    "Chain",
    "DnaChain",
    "FastaRecord",
    "FoldInput",
    "FoldOptions",
    "Ligand",
    "Modification",
    "ProteinChain",
    "RnaChain",
    "Template",
    "assign_chain_ids",
    "clean_sequence",
    "files_beside",
    "own_codes",
    "parse_fasta",
    "parse_json",
    "parse_sequences",
    "read_alignment",
    "read_input",
    "read_inputs",
]
