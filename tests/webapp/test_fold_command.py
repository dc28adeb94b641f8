"""`manage.py fold`: from a file to structures, with neither database nor broker."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import gemmi
import pytest
from django.core.management import CommandError, call_command

from folding import cost
from folding.errors import InvalidInput
from webapp import pipeline
from webapp.live.events import LogLine, Progress
from webapp.management.commands import fold

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("--samples", "1", "--recycles", "0", "--steps", "2")


def run(*words) -> str:
    output = StringIO()
    call_command("fold", *map(str, words), stdout=output)
    return output.getvalue()


def sequence_of(path: Path) -> str:
    structure = gemmi.read_structure(str(path))
    structure.setup_entities()
    return gemmi.one_letter_code([residue.name for residue in structure[0][0]])


def test_a_fasta_file_becomes_structures(tmp_path):
    (tmp_path / "two.fasta").write_text(">first\nGAGAG\n>second\nACDEF\n")
    said = run(tmp_path / "two.fasta", "--out", tmp_path / "out", "--seeds", "3,4", *QUICK)
    models = sorted(path.name for path in (tmp_path / "out").glob("*.cif"))
    assert models == ["two_seed-3_sample-0_model.cif", "two_seed-4_sample-0_model.cif"]
    assert sequence_of(tmp_path / "out" / models[0]) == "GAGAG"
    assert "rank  seed" in said
    assert len([line for line in said.splitlines() if line.strip().startswith(("1 ", "2 "))]) == 2


def test_json_brings_its_own_name_and_seeds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = {
        "name": "From JSON",
        "modelSeeds": [11],
        "sequences": [{"protein": {"id": "A", "sequence": "GAGAG"}}],
        "dialect": "alphafold3",
        "version": 1,
    }
    Path("in.json").write_text(json.dumps(job))
    run("in.json", *QUICK)
    assert [path.name for path in Path("From_JSON").glob("*_model.cif")] == [
        "From_JSON_seed-11_sample-0_model.cif"
    ]


def test_a_job_that_does_not_fit_is_refused_before_it_leaves_anything(tmp_path, monkeypatch):
    (tmp_path / "one.fasta").write_text(">one\nGAGAG\n")
    small = cost.Machine(threads=1, speed=1.0, memory_bytes=10**6)
    monkeypatch.setattr(cost, "this_machine", lambda: small)
    with pytest.raises(CommandError, match=r"would need .* GB of memory; this machine can give"):
        run(tmp_path / "one.fasta", "--out", tmp_path / "out", *QUICK)
    assert not (tmp_path / "out").exists()


def test_a_job_without_free_memory_is_refused(tmp_path, monkeypatch):
    (tmp_path / "one.fasta").write_text(">one\nGAGAG\n")
    memory = cost.psutil.virtual_memory()
    monkeypatch.setattr(cost.psutil, "virtual_memory", lambda: memory._replace(available=-(2**40)))
    with pytest.raises(CommandError, match="other programs on this machine"):
        run(tmp_path / "one.fasta", "--out", tmp_path / "out", *QUICK)


@pytest.mark.parametrize(("words", "diverse"), [((), False), (("--diversity",), True)])
def test_diversity_is_an_option_that_the_manifest_tells(tmp_path, words, diverse):
    (tmp_path / "one.fasta").write_text(">one\nGAGAG\n")
    run(tmp_path / "one.fasta", "--out", tmp_path / "out", *QUICK, *words)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["options"]["diversity"] is diverse


def test_a_batch_is_folded_each_job_into_its_own_folder(tmp_path):
    chain = {"proteinChain": {"sequence": "GAGAG", "count": 1}}
    jobs = [{"name": name, "modelSeeds": ["5"], "sequences": [chain]} for name in ("One", "Two")]
    jobs.append({**jobs[0], "name": "one?"})
    (tmp_path / "in.json").write_text(json.dumps([*jobs, jobs[0]]))
    said = run(tmp_path / "in.json", "--out", tmp_path / "out", *QUICK)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["One", "One-2", "Two", "one"]
    assert (tmp_path / "out" / "Two" / "Two_seed-5_sample-0_model.cif").exists()
    assert said.index("One\n") < said.index("Two\n")


def job_of(name: str, *sequences: str, **more) -> dict:
    chains = zip("AB", sequences, strict=False)
    return {
        "name": name,
        "modelSeeds": [1],
        "sequences": [{"protein": {"id": i, "sequence": sequence}} for i, sequence in chains],
        "dialect": "alphafold3",
        "version": 2,
        **more,
    }


def test_a_job_that_fails_does_not_keep_the_others_from_being_folded(tmp_path, monkeypatch):
    real = pipeline.run

    def run_all_but_one(fold_input, *words, **more):
        if fold_input.name == "Bad":
            raise InvalidInput("A template must hold one protein chain.")
        return real(fold_input, *words, **more)

    monkeypatch.setattr(pipeline, "run", run_all_but_one)
    (tmp_path / "in.json").write_text(json.dumps([job_of("Bad", "GAGAG"), job_of("Good", "GAGA")]))
    words = ("fold", str(tmp_path / "in.json"), "--out", str(tmp_path / "out"), *QUICK)
    complaints = StringIO()
    with pytest.raises(CommandError, match=r"^1 of 2 jobs were not folded: Bad\.$"):
        call_command(*words, stdout=StringIO(), stderr=complaints)
    assert complaints.getvalue() == "Bad: A template must hold one protein chain.\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["Good"]
    assert (tmp_path / "out" / "Good" / "Good_seed-1_sample-0_model.cif").exists()
    (tmp_path / "in.json").write_text(json.dumps(job_of("Bad", "GAGAG")))
    with pytest.raises(CommandError, match=r"^A template must hold one protein chain\.$"):
        run(tmp_path / "in.json", "--out", tmp_path / "one", *QUICK)
    assert not (tmp_path / "one").exists()


def test_a_bond_that_the_model_cannot_make_is_refused_before_anything_is_folded(tmp_path):
    bonds = [[["A", 5, "OXT"], ["B", 3, "SG"]]]
    jobs = [job_of("One", "GACAG"), job_of("Two", "GACAG", "GACAG", bondedAtomPairs=bonds)]
    (tmp_path / "in.json").write_text(json.dumps(jobs))
    with pytest.raises(CommandError, match=r"^Two: The bond A/5/OXT–B/3/SG cannot be made"):
        run(tmp_path / "in.json", "--out", tmp_path / "out", *QUICK)
    assert not (tmp_path / "out").exists()


def test_a_boltz_job_reads_its_alignment_beside_it(tmp_path):
    (tmp_path / "msa").mkdir()
    (tmp_path / "msa" / "a.a3m").write_text(">q\nGAGAG\n>h\nGAGA-\n")
    (tmp_path / "ring.yaml").write_text(
        "sequences:\n  - protein: {id: A, sequence: GAGAG, msa: ./msa/a.a3m}\n"
    )
    said = run(tmp_path / "ring.yaml", "--out", tmp_path / "out", *QUICK)
    assert "No alignment is given" not in said
    assert (tmp_path / "out" / "ring_seed-1_sample-0_model.cif").exists()
    (tmp_path / "msa" / "a.a3m").unlink()
    with pytest.raises(CommandError, match=r"“\./msa/a\.a3m” cannot be read: No such file"):
        run(tmp_path / "ring.yaml", "--out", tmp_path / "out", *QUICK)


@pytest.mark.parametrize(
    ("text", "words"),
    [("ACDEF1", "1"), ("{}", "name"), ("", "sequence"), ("ACDEF\x00", "ACDEF")],
    ids=["digit", "not a job", "empty", "NUL"],
)
def test_what_cannot_be_folded_is_said_in_one_sentence(tmp_path, text, words):
    (tmp_path / "in.txt").write_text(text)
    with pytest.raises(CommandError) as error:
        run(tmp_path / "in.txt")
    assert len(str(error.value)) > 20
    assert words in str(error.value) or words in text


def test_a_file_that_is_not_there_or_not_text_is_said(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path / "missing.fasta")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(CommandError, match="cannot be read as text"):
        run(tmp_path / "picture.png")


@pytest.mark.parametrize("words", [("--samples", "0"), ("--seeds", "one"), ("--steps", "x")])
def test_options_out_of_range_are_said(tmp_path, words):
    (tmp_path / "in.fasta").write_text("GAGAG")
    with pytest.raises(CommandError):
        run(tmp_path / "in.fasta", *words)


def test_the_bar_follows_the_percent():
    class Bar:
        n = 0.0

        def __init__(self):
            self.said = []

        def set_description_str(self, text, refresh):
            self.said.append(text)

        def update(self, more):
            self.n += more

        def write(self, text):
            self.said.append(text)

    bar = Bar()
    tell = fold.Narration(bar)
    tell(Progress(stage="trunk", percent=10.0, detail="cycle 1 of 4"))
    tell(Progress(stage="saving", percent=99.0))
    tell(LogLine(level="info", message="Hello.", at=""))
    assert bar.n == pytest.approx(99.0)
    assert bar.said == ["cycle 1 of 4", "saving", "Hello."]


def test_it_runs_without_database_and_broker(tmp_path):
    (tmp_path / "in.fasta").write_text("GAGAG")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "FOLDSTREAM_DATA": str(tmp_path / "data"),
        "REDIS_URL": "redis://127.0.0.1:9/0",
    }
    command = [sys.executable, "manage.py", "fold", str(tmp_path / "in.fasta"), "--out"]
    result = subprocess.run(
        [*command, str(tmp_path / "out"), *QUICK],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert result.returncode == 0, result.stderr
    assert "100%" in result.stderr
    assert list((tmp_path / "out").glob("*_model.cif"))
    assert not list((tmp_path / "data").glob("*.sqlite3"))
