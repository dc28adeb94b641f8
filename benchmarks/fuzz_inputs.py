"""Mutates real inputs and reads them: each must end in a job or in `InvalidInput`, quickly.

    python -m benchmarks.fuzz_inputs [--n 20000] [--seed 0] [--corpus DIRECTORY]

Prints how many were read, how many refused, the slowest and the memory; fails on anything else.
"""

import argparse
import json
import random
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from folding.errors import InvalidInput
from folding.inputs import FoldInput, read_input
from folding.inputs.a3m import read_a3m

GOLDEN_INPUTS = Path(__file__).parents[1] / "tests" / "golden" / "inputs"
SUFFIXES = (".json", ".fasta", ".fa", ".a3m", ".yaml", ".cif")
SECONDS_ALLOWED = 2.0
QUERY = "NLYIQWLKDGGPSSGRPPPS"
SEEDS_OF_EVIL = (
    "\0", "\x1b", "\ufeff", "\u2028", "\ud800", "🧬", ">", ">\n", ":", "*", "-", "{", "}", "[", "]",
    '"', "\\", "NaN", "1e999", "-1", "9" * 50, "null", "true", "\r\n", "\t", "protein", "А", "%00",
)  # fmt: skip
STRANGE_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**32, 1.5, "", "A", "a", [], {}, [None], {"id": "A"}, "\0", "X" * 1000,
)  # fmt: skip


class Outcome(NamedTuple):
    """What became of the mutated inputs."""

    n_read: int
    n_refused: int
    slowest_seconds: float


def corpus(directory: Path | None = None) -> list[str]:
    """Texts to begin from: the examples of the tests and all input files of a directory."""
    paths = sorted(GOLDEN_INPUTS.glob("*"))
    if directory is not None:
        paths += sorted(p for p in directory.rglob("*") if p.suffix in SUFFIXES)
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in paths]
    alignment = f">query\n{QUERY}\n" + "".join(f">hit {i}\n-a{QUERY[1:]}\n" for i in range(20))
    return [*texts, QUERY, f">one\n{QUERY}\n>two\n{QUERY[:10]}\n", f"{QUERY}:{QUERY}", alignment]


def fuzz(texts: Sequence[str], *, n: int, seed: int = 0) -> Outcome:
    """Reads `n` mutated texts, as a job and as an alignment.

    Raises:
        AssertionError: A text took too long.
        Exception: Whatever a reader raised that is not `InvalidInput`.
    """
    source = random.Random(seed)
    counts = {True: 0, False: 0}
    slowest = 0.0
    for mutated in mutations(texts, n=n, source=source):
        reader = source.choice(READERS)
        started = time.perf_counter()
        counts[_ends_well(reader, mutated)] += 1
        seconds = time.perf_counter() - started
        assert seconds < SECONDS_ALLOWED, f"{seconds:.1f} s for {mutated[:200]!r}"
        slowest = max(slowest, seconds)
    return Outcome(counts[True], counts[False], slowest)


def _read_job(text: str) -> None:
    job = read_input(text)
    assert FoldInput.from_json(json.loads(json.dumps(job.to_json()))) == job
    assert job.slug


def _read_alignment(text: str) -> None:
    assert read_a3m(text, sequence=QUERY)[0].row


READERS: tuple[Callable[[str], None], ...] = (_read_job, _read_job, _read_alignment)


def _ends_well(reader: Callable[[str], None], text: str) -> bool:
    try:
        reader(text)
    except InvalidInput as error:
        assert str(error), "a refusal must say why"
        return False
    return True


def mutations(texts: Sequence[str], *, n: int, source: random.Random) -> Iterator[str]:
    """`n` texts, each one of the given with up to four changes."""
    for _ in range(n):
        text = source.choice(texts)
        if text.lstrip().startswith("{") and source.random() < 0.5:
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
        holder[source.choice(("x", "templates", "userCCD", "id"))] = holder[key]


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


TEXT_MUTATIONS = (_insert, _insert, _delete, _delete, _repeat, _swap_case, _cut)


def main() -> None:
    """Runs the fuzz and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, default=None)
    arguments = parser.parse_args()
    texts = corpus(arguments.corpus)
    started = time.perf_counter()
    outcome = fuzz(texts, n=arguments.n, seed=arguments.seed)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{arguments.n} mutations of {len(texts)} inputs in {time.perf_counter() - started:.1f} s: "
        f"{outcome.n_read} read, {outcome.n_refused} refused, nothing else; "
        f"slowest {outcome.slowest_seconds * 1000:.0f} ms, peak memory {megabytes:.0f} MB"
    )


if __name__ == "__main__":
    main()
