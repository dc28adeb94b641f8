"""Small databases with relatives in known places."""

import random
from pathlib import Path

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
NUCLEOTIDES = "ACGU"


def letters(n: int, *, seed: int, alphabet: str = AMINO_ACIDS) -> str:
    generator = random.Random(seed)
    return "".join(generator.choice(alphabet) for _ in range(n))


def relative(sequence: str, *, identity: float, seed: int, alphabet: str = AMINO_ACIDS) -> str:
    """The sequence with some of its letters drawn anew."""
    generator = random.Random(seed)
    return "".join(
        letter if generator.random() < identity else generator.choice(alphabet)
        for letter in sequence
    )


def write_fasta(path: Path, records: dict[str, str]) -> Path:
    path.write_text("".join(f">{header}\n{sequence}\n" for header, sequence in records.items()))
    return path
