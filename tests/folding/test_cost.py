"""The estimate grows with what costs, fits the machine, and refuses what does not."""

import json
import math
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding import cost, work
from folding.cost import Machine, check, estimate, estimate_job, largest
from folding.data.tokens import tokenize
from folding.errors import FoldingError, InvalidInput
from folding.inputs import (
    DnaChain,
    FoldInput,
    FoldOptions,
    Ligand,
    Modification,
    ProteinChain,
    RnaChain,
)
from tests.folding.examples import TRP_CAGE

LAPTOP = Machine(threads=2, speed=1.0, memory_bytes=16 * 10**9)
SIZES = st.integers(4, 3000)


def job(n_tokens: int, *, n_seeds: int = 1, n_rows: int = 1) -> FoldInput:
    sequence = "A" * n_tokens
    msa = f">q\n{sequence}\n" * n_rows if n_rows > 1 else None
    return FoldInput("job", (ProteinChain(("A",), sequence, msa),), tuple(range(n_seeds)))


@given(SIZES, SIZES)
def test_more_tokens_cost_more(a, b):
    small, large = sorted((a, b))
    cheap = estimate(small, FoldOptions(), machine=LAPTOP)
    dear = estimate(large, FoldOptions(), machine=LAPTOP)
    assert 0 < cheap.seconds <= dear.seconds
    assert 0 < cheap.bytes <= dear.bytes


@pytest.mark.parametrize("option", ["n_samples", "n_recycles", "n_steps"])
def test_more_work_takes_longer(option):
    base = FoldOptions(n_samples=2, n_recycles=2, n_steps=10)
    more = replace(base, **{option: 4 * getattr(base, option)})
    assert estimate(100, more, machine=LAPTOP).seconds > estimate(100, base, machine=LAPTOP).seconds


def test_seeds_are_folds_of_their_own():
    one, two, three = (
        estimate(200, FoldOptions(), n_seeds=n, machine=LAPTOP).seconds for n in (1, 2, 3)
    )
    assert three - two == pytest.approx(two - one)
    assert two - one > 0.5 * one


def test_a_deep_alignment_costs_more_up_to_the_rows_that_are_used():
    options = FoldOptions(model="of3-ob-2025-06-30-174k")
    shallow, deep, capped, deeper = (
        estimate(200, options, n_rows=rows, machine=LAPTOP) for rows in (1, 512, 1024, 9999)
    )
    assert shallow.seconds < deep.seconds < capped.seconds
    assert capped == deeper


def test_a_faster_machine_is_faster_and_needs_the_same_memory():
    fast = replace(LAPTOP, speed=2.0)
    wide = replace(LAPTOP, threads=4)
    base = estimate(100, FoldOptions(), machine=LAPTOP)
    assert estimate(100, FoldOptions(), machine=fast).seconds == pytest.approx(base.seconds / 2)
    assert base.seconds / 2 < estimate(100, FoldOptions(), machine=wide).seconds < base.seconds
    assert estimate(100, FoldOptions(), machine=fast).bytes == base.bytes


@pytest.mark.parametrize("stage", cost.STAGES)
def test_further_threads_help_long_stages_more_and_never_more_than_there_are(stage):
    for threads in (1, 2, 8, 64):
        gains = [s / cost.together(stage, s, threads) for s in (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)]
        assert gains == sorted(gains)
        assert all(1.0 <= gain <= threads for gain in gains)
    is_shared = stage in cost.WAKING
    assert (cost.together(stage, 10.0, 2) < 6.0) == is_shared


def test_what_further_threads_gain_is_what_was_measured():
    """Steps of small at 76 and 256 tokens, of mini at 64 and 256; cycles of small and mini."""
    measured = {
        "step": [(0.014, 0.014), (0.037, 0.032), (0.076, 0.055), (0.294, 0.17)],
        "cycle": [(0.133, 0.115), (1.56, 0.89), (1.03, 0.64), (4.0, 2.27)],
    }
    for stage, pairs in measured.items():
        for alone, by_two in pairs:
            assert cost.together(stage, alone, 2) == pytest.approx(by_two, rel=0.12)


def test_a_job_is_estimated_with_its_seeds_and_rows():
    found = estimate_job(job(60, n_seeds=3, n_rows=7), FoldOptions(), machine=LAPTOP)
    assert found == estimate(60, FoldOptions(), n_seeds=3, n_rows=7, machine=LAPTOP)
    assert estimate_job(job(60), FoldOptions(), machine=LAPTOP) == estimate(
        60, FoldOptions(), machine=LAPTOP
    )


@pytest.mark.parametrize("gigabytes", [4, 16, 64])
def test_the_largest_size_fits_and_one_more_does_not(gigabytes):
    machine = replace(LAPTOP, memory_bytes=gigabytes * 10**9)
    size = largest(FoldOptions(), machine=machine)

    def fits(n_tokens: int) -> bool:
        found = estimate(n_tokens, FoldOptions(), machine=machine)
        return found.bytes <= machine.usable_bytes and found.seconds <= cost.MAX_SECONDS

    assert size > 100
    assert fits(size)
    assert not fits(size + 1)


def test_a_job_that_fits_is_let_through():
    assert check(job(76), FoldOptions(), machine=LAPTOP) == estimate(
        76, FoldOptions(), machine=LAPTOP
    )


def test_too_much_memory_is_refused_with_what_fits():
    machine = replace(LAPTOP, memory_bytes=4 * 10**9)
    fits = largest(FoldOptions(), machine=machine)
    with pytest.raises(InvalidInput) as caught:
        check(job(4 * fits), FoldOptions(), machine=machine)
    assert caught.value.field == "chains"
    assert f"{4 * fits:,} residues" in str(caught.value)
    assert f"Up to {fits:,} residues fit here." in str(caught.value)
    assert "3.2 GB" in str(caught.value)


def test_too_much_time_is_refused_with_what_would_help():
    machine = replace(LAPTOP, speed=1e-5)
    with pytest.raises(InvalidInput, match=r"hours here.*fewer seeds, samples, recycles"):
        check(job(76), FoldOptions(), machine=machine)


def refusal(fold_input, options, machine, **more) -> str:
    with pytest.raises(InvalidInput) as caught:
        check(fold_input, options, machine=machine, **more)
    return str(caught.value)


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found, text
    return int(found[1].replace(",", ""))


def test_the_size_that_is_named_fits_with_as_deep_an_alignment():
    machine = replace(LAPTOP, memory_bytes=4 * 10**9)
    options = FoldOptions(model="protenix_base_default_v1.0.0")
    said = refusal(job(300, n_rows=8000), options, machine)
    assert "an alignment of 8,000 rows, and would need" in said
    size = number(r"Up to ([\d,]+) residues with such an alignment fit here", said)
    assert size < 300
    check(job(size, n_rows=8000), options, machine=machine)
    refusal(job(size + 1, n_rows=8000), options, machine)


def test_a_shallower_alignment_is_advised_where_it_would_fit():
    machine = replace(LAPTOP, memory_bytes=4 * 10**9)
    options = FoldOptions(model="protenix_base_default_v1.0.0")
    rows = number(r"of at most ([\d,]+) rows", refusal(job(300, n_rows=8000), options, machine))
    check(job(300, n_rows=rows), options, machine=machine)
    refusal(job(300, n_rows=rows + 1), options, machine)
    assert "of at most" not in refusal(job(2000, n_rows=8000), options, machine)
    assert "of at most" not in refusal(job(2000), options, machine)


def test_atoms_and_residues_are_called_what_they_are():
    machine = replace(LAPTOP, memory_bytes=1_400_000_000)
    base = FoldOptions(model="protenix_base_default_v1.0.0")
    heme = FoldInput("job", (ProteinChain(("A",), "A" * 200), Ligand(("L",), ccd=("HEM",))))
    assert f"has {heme.n_tokens:,} tokens" in refusal(heme, base, machine)
    assert "No job fits here with these settings." in refusal(heme, base, machine)
    rna = FoldInput("job", (RnaChain(("R",), "A" * 9000),))
    said = refusal(rna, FoldOptions(), LAPTOP)
    size = number(r"Up to ([\d,]+) residues fit", said)
    check(FoldInput("job", (RnaChain(("R",), "A" * size),)), FoldOptions(), machine=LAPTOP)


def test_too_much_time_is_refused_with_the_size_that_would_do():
    machine = replace(LAPTOP, speed=1e-3)
    options = FoldOptions(model="protenix_base_default_v1.0.0")
    said = refusal(job(300, n_seeds=3), options, machine)
    size = number(r"Up to ([\d,]+) residues fit here", said)
    check(job(size, n_seeds=3), options, machine=machine)
    refusal(job(size + 1, n_seeds=3), options, machine)


def test_only_a_model_that_is_here_and_knows_the_molecules_is_advised():
    machine = replace(LAPTOP, memory_bytes=1_400_000_000)
    base = FoldOptions(model="protenix_base_default_v1.0.0")
    tiny = "protenix_tiny_default_v0.5.0"
    dna = FoldInput("job", (DnaChain(("D",), "ACGT" * 8),))
    assert "choose the model" not in refusal(dna, base, machine)
    assert f"choose the model {tiny}" in refusal(dna, base, machine, models=["small", tiny])
    assert "choose the model small" in refusal(job(100), base, machine, models=["small", tiny])


def test_an_unknown_model_is_judged_as_the_published_ones():
    named = FoldOptions(model="something-else")
    base = FoldOptions(model="protenix_base_default_v1.0.0")
    assert estimate(76, named, machine=LAPTOP) == estimate(76, base, machine=LAPTOP)


@pytest.mark.parametrize(
    ("n_tokens", "model", "cycle_seconds", "step_seconds"),
    [
        (64, "protenix_base_default_v1.0.0", 4.0, 0.24),
        (128, "protenix_base_default_v1.0.0", 14.6, 0.46),
        (256, "protenix_mini_default_v0.5.0", 22.1, 0.31),
    ],
)
def test_stages_cost_what_was_measured(n_tokens, model, cycle_seconds, step_seconds):
    """Seconds of one core of the reference machine, from docs/measurements.md."""
    reference = Machine(threads=1, speed=1.0, memory_bytes=16 * 10**9)
    base = FoldOptions(n_samples=1, n_recycles=0, n_steps=1, model=model)

    def seconds(**more: int) -> float:
        return estimate(n_tokens, replace(base, **more), machine=reference).seconds

    assert seconds(n_recycles=1) - seconds() == pytest.approx(cycle_seconds, rel=0.3)
    assert seconds(n_steps=2) - seconds() == pytest.approx(step_seconds, rel=0.3)


@pytest.mark.parametrize(("model", "millions"), [("base", 368.5), ("mini", 134.1), ("tiny", 109.5)])
def test_weights_are_counted_from_dimensions(model, millions):
    name = next(name for name in cost.KNOWN if f"_{model}_" in name)
    assert work.parameters(cost.KNOWN[name]) / 1e6 == pytest.approx(millions, rel=0.05)


def test_a_larger_model_costs_more():
    names = ["small", "protenix_tiny_default_v0.5.0", "protenix_mini_default_v0.5.0"]
    names += ["protenix_base_default_v0.5.0", "protenix_base_default_v1.0.0"]
    found = [estimate(200, FoldOptions(model=name), machine=LAPTOP) for name in names]
    assert [f.seconds for f in found] == sorted(f.seconds for f in found)
    assert found[-1].seconds > 10 * found[0].seconds
    assert found[-1].bytes > found[0].bytes + 0.7e9


def test_a_job_that_is_too_large_hears_of_a_model_that_fits():
    machine = replace(LAPTOP, memory_bytes=1_400_000_000)
    base = FoldOptions(model="protenix_base_default_v1.0.0")
    with pytest.raises(InvalidInput, match="or choose the model small, with which it fits"):
        check(job(100), base, machine=machine)


def test_atoms_are_counted_by_kind():
    protein = ProteinChain(("A", "B"), "G" * 10)
    both = FoldInput("job", (protein, RnaChain(("R",), "ACGU")))
    assert cost.count_atoms(both) == 20 * 7.8 + 4 * 21


def test_atoms_of_modified_residues_are_tokens_of_their_own():
    strands = [
        RnaChain((name,), "ACGU" * 5 + "A", modifications=modified)
        for name, modified in (
            ("A", tuple(Modification("A2M", n) for n in (1, 5, 9, 13, 17, 21))),
            ("B", (Modification("A2M", 1), Modification("PSU", 4), Modification("A", 5))),
        )
    ]
    duplex = FoldInput("siRNA", tuple(strands))
    true = tokenize(duplex).n_atoms
    assert cost.count_atoms(duplex) == pytest.approx(true, rel=0.05)
    protein = FoldInput(
        "p", (ProteinChain(("A", "B"), "SGGGGGGGGG", modifications=(Modification("SEP", 1),)),)
    )
    assert cost.count_atoms(protein) == math.ceil(2 * (9 * 7.8 + 10))


def test_paired_rows_stand_on_top_of_a_chains_own():
    row = f">x\n{'A' * 30}\n"
    chain = ProteinChain(("A",), "A" * 30, msa=row * 3001, paired_msa=row * 2001)
    assert cost.count_rows(FoldInput("job", (chain,))) == 5001
    assert cost.count_rows(FoldInput("job", (replace(chain, msa=None),))) == 2001
    assert cost.count_rows(FoldInput("job", (replace(chain, msa="", paired_msa=None),))) == 1
    headed = replace(chain, msa=">a->b\n" + "A" * 30, paired_msa=None)
    assert cost.count_rows(FoldInput("job", (headed,))) == 1


def test_rows_that_the_job_does_not_hold_are_counted_where_they_are_told():
    machine = replace(LAPTOP, memory_bytes=6 * 10**9)
    options = FoldOptions(model="protenix_mini_default_v0.5.0")
    begun = job(300, n_rows=5)
    assert check(begun, options, machine=machine)
    with pytest.raises(InvalidInput, match="an alignment of 16,384 rows") as told:
        check(begun, options, n_rows=16_384, machine=machine)
    with pytest.raises(InvalidInput) as held:
        check(job(300, n_rows=16_384), options, machine=machine)
    assert str(told.value) == str(held.value)


def test_a_fold_does_not_begin_without_free_memory(monkeypatch):
    memory = cost.psutil.virtual_memory()
    monkeypatch.setattr(cost.psutil, "virtual_memory", lambda: memory._replace(available=0))
    with pytest.raises(FoldingError, match=r"needs about [\d.]+ GB of memory, and other programs"):
        cost.check_free_memory(job(2000), FoldOptions())
    monkeypatch.undo()
    cost.check_free_memory(job(20), FoldOptions())


def test_ubiquitin_is_a_matter_of_seconds():
    found = estimate(76, FoldOptions(), machine=LAPTOP)
    assert 1 < found.seconds < 60
    assert 2e8 < found.bytes < 4e9


def test_this_machine_is_looked_at_once():
    machine = cost.this_machine()
    assert machine is cost.this_machine()
    assert machine.threads >= 1
    assert 0.02 < machine.speed < 50
    assert machine.memory_bytes > 10**9
    assert machine.usable_bytes < machine.memory_bytes
    assert check(FoldInput("job", (ProteinChain(("A",), TRP_CAGE),)), FoldOptions()).seconds > 0


def test_this_machine_has_the_cores_of_its_container(monkeypatch):
    monkeypatch.setattr(cost, "usable_cores", lambda: 3)
    assert cost.this_machine.__wrapped__().threads == 3


def test_a_container_limits_memory(monkeypatch, tmp_path):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(cost, "_CGROUP_LIMITS", (limit, tmp_path / "missing"))
    total = cost.usable_memory()
    limit.write_text("2000000000\n")
    assert cost.usable_memory() == min(2_000_000_000, total)
    limit.write_text("max\n")
    assert cost.usable_memory() == total


def test_constants_are_never_negative():
    document = json.loads(cost.COEFFICIENTS.read_text())
    assert document["probe_seconds"] > 0
    assert document["constants"].keys() == {*cost.STAGES, "bytes"}
    for stage, fitted in document["constants"].items():
        assert len(fitted) == len(cost.terms(stage, work.Size(10, 80), cost.KNOWN["small"]))
        assert min(fitted) >= 0
        assert max(fitted) > 0


def test_an_estimate_needs_no_torch():
    code = (
        "import sys; from folding import cost; from folding.inputs import FoldOptions;"
        "cost.estimate(76, FoldOptions()); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


WORKSTATION = replace(LAPTOP, memory_bytes=64 * 10**9, gpu_bytes=24 * 10**9)
MINI = FoldOptions(model="protenix_mini_default_v0.5.0")


def test_a_gpu_has_a_memory_of_its_own_that_a_job_must_fit():
    size = largest(MINI, machine=WORKSTATION)
    check(job(size), MINI, machine=WORKSTATION)
    said = refusal(job(4 * size), MINI, WORKSTATION)
    assert f"Up to {size:,} residues fit here." in said
    assert "the GPU here can give 19.2 GB" in said
    assert largest(MINI, machine=replace(WORKSTATION, gpu_bytes=80 * 10**9)) > 1.5 * size


def test_no_job_is_refused_for_the_time_that_a_processor_would_take_where_there_is_a_gpu():
    slow = replace(LAPTOP, speed=1e-5)
    assert "hours here" in refusal(job(76), FoldOptions(), slow)
    check(job(76), FoldOptions(), machine=replace(slow, gpu_bytes=24 * 10**9))


def test_a_fold_on_a_gpu_is_faster_and_lighter_on_the_machine_than_without():
    beside, without = (
        estimate(1500, MINI, machine=machine)
        for machine in (WORKSTATION, replace(WORKSTATION, gpu_bytes=0))
    )
    assert beside.seconds < without.seconds / 5
    assert beside.bytes < without.bytes
    assert without.gpu_bytes == 0


def test_samples_that_are_drawn_together_fill_a_gpu_up_to_as_many_as_go_at_once():
    one, eight, twenty = (
        estimate(400, replace(MINI, n_samples=n), machine=WORKSTATION).gpu_bytes for n in (1, 8, 20)
    )
    assert one < eight == twenty


@pytest.mark.parametrize(
    ("said", "n_bytes"),
    [("81559\n", 81559 * 2**20), ("81559\n24564\n", 24564 * 2**20), ("", 0), ("No devices\n", 0)],
    ids=["one", "the smaller of two", "none", "words"],
)
def test_the_driver_is_asked_for_the_gpus_memory(said, n_bytes):
    assert cost.gpu_memory((sys.executable, "-c", f"print({said!r}, end='')")) == n_bytes


def test_without_a_driver_there_is_no_gpu():
    assert cost.gpu_memory(("no-such-command-here",)) == 0
    assert cost.gpu_memory((sys.executable, "-c", "raise SystemExit(9)")) == 0


def test_weights_that_can_be_given_back_are_not_held():
    config = cost.KNOWN["protenix_base_default_v1.0.0"]
    held = cost.held_bytes(config, gives_back=True)
    assert 0.45 < held / (4 * work.parameters(config)) < 0.65
    added = cost.held_bytes(config, gives_back=False) - held
    assert added > 0.9 * 4 * work.parameters(config)
    base = FoldOptions(model="protenix_base_default_v1.0.0")
    gives, keeps = (replace(LAPTOP, gives_back=gives_back) for gives_back in (True, False))
    more = estimate(100, base, machine=keeps).bytes - estimate(100, base, machine=gives).bytes
    assert more == pytest.approx(added, abs=2)
