"""What to fold: every rule about input lives here, and nothing here needs torch or numpy.

A job is built either from parts (`ProteinChain`, `FoldInput`) or from text (`parse_sequences`,
`FoldInput.from_fasta`, `FoldInput.from_json`, `read_input`). Whatever does not follow the rules
raises `folding.errors.InvalidInput`, and only that.
"""

from folding.inputs.a3m import MAX_A3M_CHARACTERS
from folding.inputs.chain import ProteinChain, assign_chain_ids, parse_sequences
from folding.inputs.fasta import FastaRecord, parse_fasta
from folding.inputs.job import FoldInput, parse_json, read_input
from folding.inputs.options import FoldOptions
from folding.inputs.sequence import MAX_SEQUENCE_CHARACTERS, MIN_RESIDUES, clean_sequence

__all__ = [
    "MAX_A3M_CHARACTERS",
    "MAX_SEQUENCE_CHARACTERS",
    "MIN_RESIDUES",
    "FastaRecord",
    "FoldInput",
    "FoldOptions",
    "ProteinChain",
    "assign_chain_ids",
    "clean_sequence",
    "parse_fasta",
    "parse_json",
    "parse_sequences",
    "read_input",
]
