"""The one-letter sequence of a chain: cleaned, or refused with a way out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from folding.errors import InvalidInput
from folding.inputs.text import check_characters, check_size, quoted, without_invisible

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
UNKNOWN_AMINO_ACID = "X"
# A million letters is thirty times the longest protein known (titin) and still parsed in a moment.
MAX_SEQUENCE_CHARACTERS = 1_000_000
# Below four residues there is no backbone torsion pair to predict, and every measure that compares
# structures (superposition, lDDT, pTM) is undefined or meaningless.
MIN_RESIDUES = 4

# A nucleotide alone can be part of a complex.
MIN_NUCLEOTIDES = 1
UNKNOWN_NUCLEOTIDE = "N"

_ACCEPTED = frozenset(AMINO_ACIDS + UNKNOWN_AMINO_ACID)
_ADVICE = {
    "U": "U is selenocysteine, which the model does not know; write C (cysteine) instead",
    "O": "O is pyrrolysine, which the model does not know; write K (lysine) instead",
    "B": "B means “D or N”; write D (aspartate) or N (asparagine)",
    "Z": "Z means “E or Q”; write E (glutamate) or Q (glutamine)",
    "J": "J means “I or L”; write I (isoleucine) or L (leucine)",
    "*": "* marks the stop codon where the protein ends; delete it and what follows it",
    "-": "- is a gap of an alignment; paste the sequence without gaps, upload the alignment as A3M",
    ".": ". is a gap of an alignment; paste the sequence without gaps, upload the alignment as A3M",
    ">": "> begins a FASTA header; give each header and each sequence a line of its own",
    "?": "for an unknown residue write X",
}
_NUCLEOTIDES = frozenset("ACGTUN")
_NUCLEOTIDE_RUN = 12


def clean_sequence(text: str, *, field: str = "sequence") -> str:
    """The sequence in capitals without white space: the twenty amino acids and X (unknown).

    Raises:
        InvalidInput: Empty, too short, too long, or a letter that is no amino acid, named with its
            position among the letters.
    """
    check_size(text, limit=MAX_SEQUENCE_CHARACTERS, what="A sequence", field=field)
    check_characters(text, what="The sequence", field=field)
    sequence = "".join(without_invisible(text).split()).upper()
    if not sequence:
        raise InvalidInput("The sequence is empty. Paste one-letter amino acid codes.", field=field)
    _check_letters(sequence, field=field)
    if len(sequence) < MIN_RESIDUES:
        residues = "1 residue" if len(sequence) == 1 else f"{len(sequence)} residues"
        raise InvalidInput(
            f"A chain needs at least {MIN_RESIDUES} residues, but {quoted(sequence)} has "
            f"{residues}: shorter peptides have no fold to predict. Paste the whole sequence.",
            field=field,
        )
    return sequence


def _check_letters(sequence: str, *, field: str) -> None:
    for position, letter in enumerate(sequence, start=1):
        if letter not in _ACCEPTED:
            raise InvalidInput(_letter_message(sequence, letter, position), field=field)


def _letter_message(sequence: str, letter: str, position: int) -> str:
    where = f"Position {position} of the sequence is {quoted(letter)}"
    if letter.isdigit():
        return (
            f"{where}, but a sequence holds letters only. If it was copied from a numbered listing "
            "(GenBank, a UniProt entry), use the FASTA view of the same page, without line numbers."
        )
    if letter == "U" and looks_like_nucleic_acid(sequence):
        return f"{where}: this looks like RNA. Add it as an RNA chain, or translate it first."
    if letter in _ADVICE:
        return f"{where}: {_ADVICE[letter]}."
    return (
        f"{where}, which is not an amino acid. Use the letters {' '.join(AMINO_ACIDS)}, "
        "and X for an unknown residue."
    )


def looks_like_nucleic_acid(sequence: str) -> bool:
    """True where all letters are nucleotide codes too, which is not so for a real protein."""
    return len(sequence) >= _NUCLEOTIDE_RUN and _NUCLEOTIDES.issuperset(sequence)


def sequence_notes(sequence: str) -> Sequence[str]:
    """Remarks about a valid sequence that its author may want to read before folding."""
    notes = []
    if looks_like_nucleic_acid(sequence):
        notes.append(
            "Only the letters A, C, G, T, N occur: is this DNA? It is folded as a protein."
        )
    if unknown := sequence.count(UNKNOWN_AMINO_ACID):
        residues = "1 unknown residue" if unknown == 1 else f"{unknown} unknown residues"
        notes.append(f"{residues} (X): folded as a backbone without a side chain.")
    return notes


@dataclass(frozen=True)
class NucleicAlphabet:
    """The letters of RNA or of DNA, the residue of each, and advice on letters of the other."""

    name: str
    residues: Mapping[str, str]
    advice: Mapping[str, str] = field(default_factory=dict)


RNA = NucleicAlphabet(
    "RNA",
    {"A": "A", "C": "C", "G": "G", "U": "U", "N": "N"},
    {"T": "T is thymine, which DNA has; write U (uracil), or make this a DNA chain"},
)
DNA = NucleicAlphabet(
    "DNA",
    {"A": "DA", "C": "DC", "G": "DG", "T": "DT", "N": "DN"},
    {"U": "U is uracil, which RNA has; write T (thymine), or make this an RNA chain"},
)
AMINO_ACID_RESIDUES = {
    "A": "ALA", "C": "CYS", "D": "ASP", "E": "GLU", "F": "PHE", "G": "GLY", "H": "HIS",
    "I": "ILE", "K": "LYS", "L": "LEU", "M": "MET", "N": "ASN", "P": "PRO", "Q": "GLN",
    "R": "ARG", "S": "SER", "T": "THR", "V": "VAL", "W": "TRP", "Y": "TYR", "X": "UNK",
}  # fmt: skip


def clean_nucleotides(text: str, *, alphabet: NucleicAlphabet, field: str = "sequence") -> str:
    """The sequence in capitals without white space: the four bases and N (unknown), 5' to 3'.

    Raises:
        InvalidInput: Empty, too long, or a letter that is no base, named with its position.
    """
    check_size(text, limit=MAX_SEQUENCE_CHARACTERS, what="A sequence", field=field)
    check_characters(text, what="The sequence", field=field)
    sequence = "".join(without_invisible(text).split()).upper()
    if len(sequence) < MIN_NUCLEOTIDES:
        raise InvalidInput(
            f"The sequence is empty. Paste the bases of the {alphabet.name}, from 5' to 3'.",
            field=field,
        )
    for position, letter in enumerate(sequence, start=1):
        if letter not in alphabet.residues:
            advice = alphabet.advice.get(
                letter,
                f"which is not a base of {alphabet.name}. Use the letters "
                f"{' '.join(alphabet.residues)}, where N is an unknown base",
            )
            joint = ":" if letter in alphabet.advice else ","
            raise InvalidInput(
                f"Position {position} of the sequence is {quoted(letter)}{joint} {advice}.",
                field=field,
            )
    return sequence
