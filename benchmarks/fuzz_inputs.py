"""Mutates real inputs and reads them: each must end in a result or in `InvalidInput`, quickly.

    python -m benchmarks.fuzz_inputs [--n 20000] [--seed 0] [--reader NAME]

Every reader runs in a process of its own and prints how many texts were read, how many refused, the
slowest and the peak memory; anything else, more than 2 s or more than 1 GB fails. Seconds are those
of the processor, so that neighbours on the machine do not count.
"""

import argparse
import json
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from folding.errors import InvalidInput
from folding.inputs import FoldInput, Ligand, ProteinChain, read_inputs
from folding.inputs.a3m import read_a3m
from folding.inputs.alignment import read_alignment

TESTS = Path(__file__).parents[1] / "tests"
JOBS = TESTS / "folding" / "inputs" / "data"
SECONDS_ALLOWED = 2.0
BYTES_ALLOWED = 1_000_000_000
# Long enough to blame the text and not the machine, short enough to end.
SECONDS_UNTIL_KILLED = 30
QUERY = "NLYIQWLKDGGPSSGRPPPS"
SMILES = (
    "CCO", "C1CC1", "c1ccccc1O", "CC(=O)Nc1ccc(O)cc1", "N[C@@H](Cc1ccc(O)cc1)C(=O)O",
    "CC(C)Cc1ccc(cc1)[C@H](C)C(=O)O", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "[Na+].[Cl-]", "[Fe+2]",
    "Nc1ncnc2c1ncn2[C@@H]1O[C@H](COP(=O)(O)OP(=O)(O)OP(=O)(O)O)[C@@H](O)[C@H]1O",
    "O=C(O)CC(O)(CC(=O)O)C(=O)O", "C/C=C/C=C\\C#CC", "CCC[C@@H](O)CC\\C=C\\C=C\\C#CC#C\\C=C\\CO",
    "OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O", "F/C=C/F", "[2H]OC([2H])", "B(O)(O)c1ccccc1",
    "C1CC2CCC1CC2", "S=C=S", "[O-][N+](=O)c1ccccc1", "C%12CCCCC%12", "CC(=O)[O-].[NH4+]",
)  # fmt: skip
SEEDS_OF_EVIL = (
    "\0", "\x1b", "\ufeff", "\u2028", "\ud800", "🧬", ">", ">\n", ":", "*", "-", "{", "}", "[", "]",
    '"', "\\", "NaN", "1e999", "-1", "9" * 50, "null", "true", "\r\n", "\t", "protein", "А", "%00",
    "'", ";", "\n;", "#", "loop_\n", "data_\n", "_atom_site.id", "&a ", "*a", "!!x ", "|", "(", ")",
    "//\n", "#=GS", "M  END\n", "@<TRIPOS>ATOM\n", "CCD_", "FILE_", ",", "=", "\n", " ", "0", "999",
)  # fmt: skip
STRANGE_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**32, 1.5, "", "A", "a", [], {}, [None], {"id": "A"}, "\0", "X" * 1000,
    "ATP", "CCD_NAG", "NAG(NAG)", ["A", 1, "CA"], [["A", 1, "C"], ["A", 2, "N"]], [0, 1], "data_x",
)  # fmt: skip


class Reader(NamedTuple):
    """What reads, and the real texts that it reads."""

    texts: Callable[[], Sequence[str]]
    read: Callable[[str], object]


class Outcome(NamedTuple):
    """What became of the mutated inputs."""

    n_read: int
    n_refused: int
    slowest_seconds: float


# Readers ----------------------------------------------------------------------------------------


def _jobs(*names: str) -> Callable[[], list[str]]:
    return lambda: [(JOBS / name).read_text() for name in names]


def _alphafold3() -> list[str]:
    golden = sorted((TESTS / "golden" / "inputs").glob("*.json"))
    return [*_jobs("kinase_alphafold3.json")(), *(path.read_text() for path in golden)]


def _fasta() -> list[str]:
    plain = [QUERY, f">one\n{QUERY}\n>two\n{QUERY[:10]}\n", f"{QUERY}:{QUERY}"]
    return [*plain, *_jobs("complex_boltz.fasta", "complex_chai.fasta")()]


def _a3m() -> list[str]:
    return [f">query\n{QUERY}\n" + "".join(f">hit {i}\n-a{QUERY[1:]}\n" for i in range(20))]


def _stockholm() -> list[str]:
    rows = "".join(f"hit{i}/1-20   {QUERY[:10]}--{QUERY[12:]}\n" for i in range(20))
    marks = "#=GF ID test\n#=GS hit1 OS Homo sapiens\n"
    return [f"# STOCKHOLM 1.0\n{marks}query   {QUERY}\n{rows}#=GC RF {'x' * 20}\n//\n"]


def _csv() -> list[str]:
    rows = "".join(f"{i % 7},{QUERY[:10]}aa--{QUERY[12:]}\n" for i in range(20))
    return [f"key,sequence\n-1,{QUERY}\n{rows}"]


def _templates() -> list[str]:
    """A structure as the PDB writes it, and as this program does."""
    import gemmi
    import numpy as np

    from folding.structure.mmcif import write_mmcif
    from folding.structure.reading import read_pdb

    path = TESTS / "golden" / "structures" / "1l2y.pdb"
    theirs = gemmi.read_structure(str(path))
    del theirs[1:]
    theirs.setup_entities()
    for entity in theirs.entities:
        entity.full_sequence = [residue.name for residue in theirs[0][0]]
    theirs.assign_label_seq_id()
    ours = read_pdb(path.read_text())
    written = write_mmcif(ours, name="1L2Y", plddt=np.full(ours.n_atoms, 90.0))
    return [theirs.make_mmcif_document().as_string(), written]


def _read_jobs(text: str) -> None:
    for job in read_inputs(text, name="fuzz"):
        assert FoldInput.from_json(json.loads(json.dumps(job.to_json()))) == job
        assert job.slug


def _read_a3m(text: str) -> None:
    assert read_a3m(text, sequence=QUERY)[0].row


def _read_alignment(text: str) -> None:
    found = read_alignment(text, sequence=QUERY)
    assert found.msa or found.paired_msa


def _read_template(text: str) -> None:
    from folding.templates.mapping import make_template

    template = make_template(text, sequence=QUERY)
    assert ProteinChain(("A",), QUERY, templates=(template,)).n_tokens == len(QUERY)


def _read_file(text: str) -> None:
    from folding.chemistry.components import from_file

    job = FoldInput("fuzz", (ProteinChain(("A",), QUERY), Ligand(("L",), file=text)))
    again = FoldInput.from_json(json.loads(json.dumps(job.to_json())))
    assert again.n_tokens == job.n_tokens
    assert len(from_file(text, code="LIG").atom_names) == job.chains[1].n_tokens


def _read_smiles(text: str) -> None:
    from folding.chemistry.components import from_smiles

    ligand = Ligand(("L",), smiles=text)
    assert len(from_smiles(str(ligand.smiles), code="LIG").atom_names) == ligand.n_tokens


READERS = {
    "fasta": Reader(_fasta, _read_jobs),
    "alphafold3": Reader(_alphafold3, _read_jobs),
    "server": Reader(_jobs("screen_server.json"), _read_jobs),
    "protenix": Reader(_jobs("covalent_protenix.json"), _read_jobs),
    "boltz": Reader(_jobs("macrocycle_boltz.yaml"), _read_jobs),
    "a3m": Reader(_a3m, _read_a3m),
    "stockholm": Reader(_stockholm, _read_alignment),
    "csv": Reader(_csv, _read_alignment),
    "template": Reader(_templates, _read_template),
    "sdf": Reader(_jobs("alaninate.sdf", "alaninate_v3000.mol"), _read_file),
    "mol2": Reader(_jobs("alaninate.mol2"), _read_file),
    "smiles": Reader(lambda: SMILES, _read_smiles),
}


# The fuzz ---------------------------------------------------------------------------------------


def fuzz(reader: Reader, *, n: int, seed: int = 0) -> Outcome:
    """Reads `n` mutated texts.

    Raises:
        AssertionError: A text took too long, or was read as something that it is not.
        Exception: Whatever a reader raised that is not `InvalidInput`.
    """
    source = random.Random(seed)
    counts = {True: 0, False: 0}
    slowest = 0.0
    texts = reader.texts()
    for text in texts:
        reader.read(text)
    for mutated in mutations(texts, n=n, source=source):
        started = time.process_time()
        signal.alarm(SECONDS_UNTIL_KILLED)
        counts[_ends_well(reader.read, mutated)] += 1
        signal.alarm(0)
        seconds = time.process_time() - started
        assert seconds < SECONDS_ALLOWED, f"{seconds:.1f} s for {mutated[:2000]!r}"
        slowest = max(slowest, seconds)
    return Outcome(counts[True], counts[False], slowest)


def _ends_well(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except InvalidInput as error:
        assert str(error), "a refusal must say why"
        return False
    except Exception as error:
        error.add_note(f"while reading {text[:3000]!r}")
        raise
    return True


def mutations(texts: Sequence[str], *, n: int, source: random.Random) -> Iterator[str]:
    """`n` texts, each one of the given with up to four changes."""
    for _ in range(n):
        text = source.choice(texts)
        if text.lstrip().startswith(("{", "[{")) and source.random() < 0.5:
            text = _mutate_document(text, source)
        for _ in range(source.randrange(4)):
            text = source.choice(TEXT_MUTATIONS)(text, source)
        yield text


def _mutate_document(text: str, source: random.Random) -> str:
    """Replaces, removes or repeats one value somewhere in a JSON document."""
    try:
        document = json.loads(text)
    except ValueError:
        return text
    holder: Any = document
    while isinstance(holder, dict | list) and holder:
        key = source.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        if not isinstance(holder[key], dict | list) or source.random() < 0.4:
            _change(holder, key, source)
            break
        holder = holder[key]
    return json.dumps(document)


def _change(holder: Any, key: Any, source: random.Random) -> None:
    kind = source.randrange(3)
    if kind == 0:
        holder[key] = source.choice(STRANGE_VALUES)
    elif kind == 1:
        del holder[key]
    elif isinstance(holder, list):
        holder.append(holder[key])
    else:
        holder[source.choice(("x", "templates", "userCCD", "id", "count"))] = holder[key]


def _insert(text: str, source: random.Random) -> str:
    place = source.randrange(len(text) + 1)
    return text[:place] + source.choice(SEEDS_OF_EVIL) + text[place:]


def _delete(text: str, source: random.Random) -> str:
    start = source.randrange(len(text) + 1)
    return text[:start] + text[start + source.randrange(20) :]


def _repeat(text: str, source: random.Random) -> str:
    start = source.randrange(len(text) + 1)
    piece = text[start : start + source.randrange(200)]
    return text[:start] + piece * source.choice((2, 3, 200)) + text[start:]


def _swap_case(text: str, source: random.Random) -> str:
    start = source.randrange(len(text) + 1)
    return text[:start] + text[start : start + 40].swapcase() + text[start + 40 :]


def _cut(text: str, source: random.Random) -> str:
    return text[: source.randrange(len(text) + 1)]


def _exchange(text: str, source: random.Random) -> str:
    """Two lines change places."""
    lines = text.splitlines(keepends=True)
    if len(lines) > 1:
        first, second = source.randrange(len(lines)), source.randrange(len(lines))
        lines[first], lines[second] = lines[second], lines[first]
    return "".join(lines)


def _alter(text: str, source: random.Random) -> str:
    """One character becomes another of the same text."""
    if not text:
        return text
    place, other = source.randrange(len(text)), source.randrange(len(text))
    return text[:place] + text[other] + text[place + 1 :]


TEXT_MUTATIONS = (
    _insert, _insert, _delete, _delete, _repeat, _swap_case, _cut, _exchange, _alter, _alter,
)  # fmt: skip


def main() -> None:
    """Runs the fuzz and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", choices=READERS)
    words = parser.parse_args()
    if words.reader is None:
        command = [sys.executable, "-m", "benchmarks.fuzz_inputs"]
        command += ["--n", str(words.n), "--seed", str(words.seed), "--reader"]
        failed = [name for name in READERS if subprocess.run([*command, name]).returncode]
        sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
    started = time.perf_counter()
    outcome = fuzz(READERS[words.reader], n=words.n, seed=words.seed)
    n_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"{words.reader:<11}{words.n} mutations in {time.perf_counter() - started:.0f} s: "
        f"{outcome.n_read} read, {outcome.n_refused} refused, nothing else; "
        f"slowest {outcome.slowest_seconds * 1000:.0f} ms, peak memory {n_bytes / 1e6:.0f} MB"
    )
    assert n_bytes < BYTES_ALLOWED, "too much memory"


if __name__ == "__main__":
    main()
