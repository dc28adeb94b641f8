"""What a training can be told: the same rules for a file, a form and a row."""

import json

import pytest

from quantum.errors import InvalidValues
from webapp.lab import training


def test_what_is_not_said_has_its_default():
    found = training.read_config({})
    assert (found["model"], found["data"], found["epochs"], found["start_from"]) == (
        "rings", "rings", 15, "",
    )  # fmt: skip
    assert set(found) == {p.name for p in training.PARAMETERS} | {"model", "start_from"}


def test_numbers_may_come_as_text():
    found = training.read_config({"epochs": "7", "learning_rate": "0.5", "model": "x.1"})
    assert (found["epochs"], found["learning_rate"], found["model"]) == (7, 0.5, "x.1")


def test_what_was_read_reads_the_same_again():
    once = training.read_config({"qubits": 3, "start_from": "rings:2"})
    assert training.read_config(once) == once


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"epoch": 3}, "no setting epoch; it has"),
        ({"epochs": 0}, "epochs lies between 1 and 1000, not at 0"),
        ({"epochs": 2.5}, "epochs is a whole number"),
        ({"data": "cats"}, "data is one of rings, parity, strokes"),
        ({"model": "../x"}, "A model's name is"),
        ({"model": 3}, "A model's name is"),
        ({"model": "x" * 41}, "A model's name is"),
        ({"start_from": "rings"}, "written name:number"),
        ({"backend": "mainframe"}, "backend is one of"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(given, words):
    with pytest.raises(InvalidValues, match=words):
        training.read_config(given)


def test_the_examples_say_all_they_need(tmp_path):
    assert {"rings", "strokes", "noisy-parity"} <= set(training.examples())
    for config in training.examples().values():
        assert config["model"] != config["data"], "an example names its model"
        path = tmp_path / "again.json"
        path.write_text(json.dumps(config))
        assert training.read_file(path) == config


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "is no JSON"), ("[1]", "must hold one JSON object"), (None, "cannot be read")],
)
def test_a_file_that_is_no_config_is_refused(tmp_path, content, words):
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidValues, match=words):
        training.read_file(path)
