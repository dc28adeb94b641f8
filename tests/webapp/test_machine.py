"""The machine that estimates are for."""

import sys
from dataclasses import replace

import pytest

from folding import cost
from tests.webapp import making
from webapp import jobs, pipeline, tasks
from webapp.env import BadSetting
from webapp.machine import NUMBERS, WORD, machine, numbers, tell

FOUR = cost.Machine(threads=4, speed=1.0, memory_bytes=16 * 10**9)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(cost, "this_machine", lambda: FOUR)


@pytest.mark.parametrize(
    ("setting", "threads"),
    [("", 4), ("2", 2), (" 3 ", 3), ("2,1", 2), ("64", 4), ("0", 4), ("many", 4)],
)
def test_a_fold_has_the_threads_that_the_setting_says(monkeypatch, setting, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert machine().threads == threads
    assert (machine().speed, machine().memory_bytes) == (FOUR.speed, FOUR.memory_bytes)


@pytest.mark.django_db
def test_estimates_and_plans_follow_the_setting(monkeypatch, user, data_dir):
    given, options = making.fold_input("GA" * 50), making.FoldOptions()

    def seconds() -> tuple[float, float]:
        planned = sum(n * each for n, each in pipeline.plan(given, options).values())
        return jobs.submit(user, given, options).estimate_seconds, planned

    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    wide = seconds()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = seconds()
    assert all(1.1 * four < one < 4 * four for one, four in zip(alone, wide, strict=True))
    assert alone[0] == pytest.approx(alone[1], rel=0.05)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A data folder in which no worker has left word."""
    monkeypatch.setenv("FOLDSTREAM_DATA", str(tmp_path))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def test_a_worker_leaves_word_whether_a_gpu_folds(monkeypatch, folder):
    beside = replace(FOUR, gpu_bytes=10**11)
    monkeypatch.setattr(cost, "this_machine", lambda: beside)
    assert machine() == beside
    # Its torch is built for the processor, say: the driver alone does not make a GPU of use.
    tasks._warm_up()
    assert machine() == replace(beside, gpu_bytes=0, gives_back=sys.platform == "linux")
    tell(replace(FOUR, gpu_bytes=24 * 10**9, gives_back=False))
    assert (machine().gpu_bytes, machine().gives_back) == (24 * 10**9, False)
    assert [path.name for path in folder.iterdir()] == [WORD]


@pytest.mark.parametrize("hidden", ["", " ", "-1", "-1,0"])
def test_a_gpu_that_is_hidden_does_not_count(monkeypatch, folder, hidden):
    beside = replace(FOUR, gpu_bytes=10**11)
    monkeypatch.setattr(cost, "this_machine", lambda: beside)
    for devices, n_bytes in {hidden: 0, "1,0": 10**11}.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", devices)
        assert machine().gpu_bytes == n_bytes


@pytest.mark.parametrize("word", ["", "{", "[]", "{}", '{"gpu_bytes": null, "gives_back": true}'])
def test_a_word_that_was_cut_short_is_none(folder, word):
    (folder / WORD).write_text(word)
    assert machine() == FOUR


def test_a_folder_that_takes_no_word_does_not_stop_a_worker(folder):
    (folder / WORD).mkdir()
    tell(FOUR)
    assert machine() == FOUR


@pytest.mark.parametrize(
    ("setting", "wanted"), [("", "auto"), ("float32", "float32"), (" BFloat16 ", "bfloat16")]
)
def test_a_site_says_what_products_are_computed_in(monkeypatch, setting, wanted):
    monkeypatch.setenv("FOLDSTREAM_NUMBERS", setting)
    assert numbers() == wanted


def test_numbers_that_nobody_computes_in_are_refused_by_name(monkeypatch):
    monkeypatch.setenv("FOLDSTREAM_NUMBERS", "float16")
    with pytest.raises(BadSetting, match=r"FOLDSTREAM_NUMBERS is 'float16'.*auto, float32"):
        numbers()


def test_the_web_knows_the_same_numbers_as_the_science():
    from folding import device

    assert NUMBERS == device.NUMBERS


def test_a_fold_knows_where_its_model_lies_and_what_can_be_given_back(monkeypatch):
    from torch import nn

    from folding.weights import own

    beside = replace(FOUR, gpu_bytes=10**11)
    monkeypatch.setattr(cost, "this_machine", lambda: beside)
    here = pipeline.machine_of(own.load())
    assert (here.gpu_bytes, here.gives_back) == (0, sys.platform == "linux")
    # What lies in memory of its own stays there.
    assert not pipeline.machine_of(nn.Linear(4, 4)).gives_back


@pytest.mark.parametrize("setting", ["float32", "bfloat16"])
def test_a_fold_and_its_manifest_follow_the_setting(monkeypatch, tmp_path, setting):
    import json

    from folding.inputs import FoldInput, FoldOptions, ProteinChain
    from folding.weights import own

    monkeypatch.setenv("FOLDSTREAM_NUMBERS", setting)
    job = FoldInput("job", (ProteinChain(("A",), "GSWQLKDEGA"),))
    options = FoldOptions(n_samples=1, n_recycles=0, n_steps=2)
    predictions = pipeline.fold_with(own.load(), job, options)(lambda event: None)
    pipeline.saver(tmp_path, job, options, weights_sha256="0" * 64)(predictions)
    (path,) = tmp_path.glob("*manifest.json")
    dtype = json.loads(path.read_text())["dtype"]
    assert dtype.startswith("float32")
    assert ("bfloat16" in dtype) == (setting == "bfloat16")
