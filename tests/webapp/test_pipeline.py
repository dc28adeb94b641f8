"""What people hear of a fold: complete, in order, not too often, only stages that run."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from folding import progress
from folding.errors import Cancelled
from folding.inputs import DnaChain, FoldInput, FoldOptions, Ligand, ProteinChain, RnaChain
from tests.webapp import making
from webapp import pipeline
from webapp.live.events import ContactMap, Frame, LogLine, OutlineReady, Progress, SampleReady
from webapp.machine import machine

N = 5
OPTIONS = FoldOptions(n_samples=2, n_recycles=1, n_steps=6)


class Clock:
    """Time passes only when the fold says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Fold:
    """Reports what a real fold reports, in no time but that of the clock."""

    def __init__(self, fold_input, options, clock, *, step_seconds=0.01):
        self.input, self.options, self.clock = fold_input, options, clock
        self.step_seconds = step_seconds

    def __call__(self, report):
        report(progress.StageStarted("msa"))
        return tuple(p for seed in self.input.seeds for p in self.of_seed(seed, report))

    def of_seed(self, seed, report):
        report(progress.StageStarted("features"))
        self.clock.now += 0.1
        report(progress.StageStarted("trunk"))
        n_cycles = self.options.n_recycles + 1
        for cycle in range(1, n_cycles + 1):
            self.clock.now += 1.0
            contacts = np.eye(N, dtype=np.float32)
            report(progress.RecycleDone(seed, cycle, n_cycles, contacts))
        for sample in range(self.options.n_samples):
            yield self.of_sample(seed, sample, report)

    def of_sample(self, seed, sample, report):
        report(progress.StageStarted("diffusion"))
        for step in range(1, self.options.n_steps + 1):
            self.clock.now += self.step_seconds
            coordinates = np.full((N, 3), float(step), dtype=np.float32)
            report(
                progress.StepDone(
                    seed=seed,
                    sample=sample,
                    n_samples=self.options.n_samples,
                    step=step,
                    n_steps=self.options.n_steps,
                    noise_level=100.0 / step,
                    coordinates=coordinates,
                )
            )
        report(progress.StageStarted("confidence"))
        self.clock.now += 0.5
        prediction = making.prediction(seed, sample, ranking_score=0.1 * sample)
        report(progress.SampleDone(prediction))
        return prediction


def run(fold_input=None, options=OPTIONS, *, report=None, save=None, **fold_words):
    """(outcome, events) of a whole run."""
    fold_input, clock, heard = fold_input or making.fold_input(), Clock(), []

    def save_slowly(predictions):
        clock.now += 0.2

    outcome = pipeline.run(
        fold_input,
        options,
        fold=Fold(fold_input, options, clock, **fold_words),
        save=save or save_slowly,
        report=report or heard.append,
        clock=clock,
    )
    return outcome, heard


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def test_the_outcome_holds_the_predictions_and_the_time_of_each_stage():
    outcome, _ = run()
    assert [(p.seed, p.sample) for p in outcome.predictions] == [(1, 0), (1, 1)]
    assert outcome.stage_seconds == pytest.approx(
        {
            "msa": 0.0,
            "features": 0.1,
            "trunk": 2.0,
            "diffusion": 0.12,
            "confidence": 1.0,
            "saving": 0.2,
        }
    )
    assert outcome.seconds == pytest.approx(3.42)


def test_percent_grows_to_a_hundred_and_never_back():
    _, events = run(making.fold_input(seeds=(1, 2)))
    percents = [event.percent for event in of(Progress, events)]
    assert percents == sorted(percents)
    assert percents[0] == 0.0
    assert percents[-1] > 95.0
    assert len(set(percents)) > 10


def test_time_left_comes_down_to_what_was_seen():
    _, events = run()
    etas = [event.eta_seconds for event in of(Progress, events)]
    assert etas[-1] < 1.0
    assert min(etas) >= 0.0
    after_trunk = next(e for e in of(Progress, events) if e.stage == "diffusion")
    assert after_trunk.percent > 0


def test_stages_come_as_they_run():
    _, events = run()
    stages = list(dict.fromkeys(event.stage for event in of(Progress, events)))
    assert stages == ["features", "trunk", "diffusion", "confidence", "saving"]


def test_an_alignment_makes_a_stage():
    chain = ProteinChain(ids=("A",), sequence="GAGAG", msa=">q\nGAGAG\n>h\nGAGAC\n")
    _, events = run(FoldInput(name="With", chains=(chain,)))
    assert of(Progress, events)[0].stage == "msa"


def test_every_recycle_sends_its_map():
    _, events = run()
    maps = of(ContactMap, events)
    assert [(m.cycle, m.n_cycles, m.count) for m in maps] == [(1, 2, N), (2, 2, N)]
    assert maps[0].bin == (255 * np.eye(N)).astype("u1").tobytes()


def test_frames_are_thinned_but_for_the_first_and_last_of_each_sample():
    _, events = run(options=FoldOptions(n_samples=2, n_recycles=0, n_steps=100), step_seconds=0.001)
    steps = [(frame.sample, frame.step) for frame in of(Frame, events)]
    assert {(0, 1), (0, 100), (1, 1), (1, 100)} <= set(steps)
    assert len(steps) <= 4 + 2 * 0.1 / pipeline.FRAME_SECONDS + 2


def test_slow_steps_all_send_a_frame():
    _, events = run(step_seconds=0.2)
    assert [(f.sample, f.step) for f in of(Frame, events)] == [
        (sample, step) for sample in (0, 1) for step in range(1, 7)
    ]


def test_a_frame_says_where_it_belongs():
    _, events = run(making.fold_input(seeds=(42, 7)))
    last = of(Frame, events)[-1]
    assert (last.seed, last.seed_index, last.sample, last.step) == (7, 1, 1, 6)
    assert (last.n_samples, last.n_steps, last.count) == (2, 6, N)
    assert np.frombuffer(last.bin, "<i2").tolist() == [600] * 3 * N


def test_every_sample_is_judged_aloud():
    _, events = run()
    samples = of(SampleReady, events)
    assert [(s.sample, s.ranking_score, s.iptm) for s in samples] == [
        (0, 0.0, None),
        (1, 0.1, None),
    ]
    assert samples[0].mean_plddt == pytest.approx(70.0)


def test_the_log_tells_the_story():
    _, events = run(making.fold_input(seeds=(42, 7)))
    lines = [line.message for line in of(LogLine, events)]
    assert lines[0] == "Folding 1 chain of 5 residues in all."
    assert "Seed 42, sample 1 is ready: ranking score 0.00, pLDDT 70." in lines
    assert lines[-1].startswith("Done in ")
    assert all(line.at.endswith("+00:00") for line in of(LogLine, events))


def test_notes_of_the_input_and_the_fold_are_passed_on():
    heard = []
    pipeline.run(
        making.fold_input(),
        OPTIONS,
        fold=lambda report: report(progress.Note("warning", "Look out.")) or (),
        save=lambda predictions: None,
        report=heard.append,
    )
    said = {(line.level, line.message) for line in of(LogLine, heard)}
    assert ("warning", "Look out.") in said
    assert {("info", note) for note in making.fold_input().notes} <= said


def test_molecules_that_the_model_never_saw_are_said():
    strand = FoldInput(name="DNA", chains=(DnaChain(("A",), "ACGT"), Ligand(("B",), ccd=("MG",))))
    heard = []
    pipeline.run(
        strand, OPTIONS, fold=lambda report: (), save=lambda predictions: None, report=heard.append
    )
    lines = [line for line in of(LogLine, heard) if "never shown" in line.message]
    assert [line.level for line in lines] == ["warning"]
    assert "never shown DNA, ligands and ions" in lines[0].message
    assert of(LogLine, heard)[0].message == "Folding 2 chains of 5 tokens in all."


def test_what_the_tokens_are_is_passed_on():
    outline = progress.Outline(tubes=((0, 1),), beads=(2, 3), bonds=((2, 3),))
    heard = []
    pipeline.run(
        making.fold_input(),
        OPTIONS,
        fold=lambda report: report(progress.TokensKnown(outline)) or (),
        save=lambda predictions: None,
        report=heard.append,
    )
    assert of(OutlineReady, heard) == [OutlineReady(tubes=((0, 1),), beads=(2, 3), bonds=((2, 3),))]


def test_whoever_listens_can_end_the_fold():
    heard = []

    def report(event):
        heard.append(event)
        if len(of(Frame, heard)) == 3:
            raise Cancelled

    saved = []
    with pytest.raises(Cancelled):
        run(report=report, save=saved.append)
    assert saved == []
    assert len(of(Frame, heard)) == 3


def test_a_failure_to_save_is_passed_on():
    def full(predictions):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run(save=full)


def test_the_saver_writes_the_artifacts(tmp_path):
    given = making.fold_input(name="My protein")
    pipeline.saver(tmp_path, given, OPTIONS, weights_sha256="0" * 64)((making.prediction(),))
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"{given.slug}_seed-1_sample-0_model.cif", "ranking_scores.csv"} <= names
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["options"]["n_steps"] == 6
    assert manifest["seeds"] == [1]
    assert re.fullmatch("[0-9a-f]{64}", manifest["weights_sha256"])


def test_the_plan_grows_with_the_protein():
    small = pipeline.unit_seconds(making.fold_input("GA" * 25), OPTIONS)
    large = pipeline.unit_seconds(making.fold_input("GA" * 250), OPTIONS)
    for stage in ("trunk", "diffusion", "confidence"):
        assert 0 < small[stage] < large[stage]


def test_the_plan_adds_up_to_the_estimate():
    from folding import cost

    given = making.fold_input("GA" * 50)
    planned = sum(n * seconds for n, seconds in pipeline.plan(given, OPTIONS).values())
    assert planned == pytest.approx(
        cost.estimate_job(given, OPTIONS, machine=machine()).seconds, rel=0.2
    )


def test_the_plan_grows_with_the_alignment_and_the_atoms():
    options = replace(OPTIONS, model="protenix_mini_default_v0.5.0")
    protein = making.fold_input("GA" * 50)
    (chain,) = protein.chains
    deep = replace(protein, chains=(replace(chain, msa=f">q\n{chain.sequence}\n" * 4000),))
    rna = FoldInput("RNA", (RnaChain(("R",), "AC" * 50),))
    alone, aligned, larger = (pipeline.unit_seconds(g, options) for g in (protein, deep, rna))
    assert aligned["trunk"] > 1.05 * alone["trunk"]
    assert larger["diffusion"] > 1.05 * alone["diffusion"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (125, "2 min 05 s")],
)
def test_durations_read_well(seconds, words):
    assert pipeline._duration(seconds) == words
