"""`manage.py quantum`: the same engine, files and budget as the pages, in a terminal."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from webapp.lab import runs, trainings

SMALL = {"model": "tiny", "epochs": 2, "samples": 40, "qubits": 2, "depth": 1, "batch_size": 20}


def run(*words) -> str:
    output = StringIO()
    call_command("quantum", *map(str, words), stdout=output)
    return output.getvalue()


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(SMALL))
    return path


def test_the_backends_say_whether_they_are_here():
    lines = {line.split()[0]: line for line in run("backends").splitlines()[1:]}
    assert list(lines) == ["simulator", "mock", "noisy", "ibm", "ionq"]
    assert "online" in lines["noisy"]
    assert "not configured" in lines["ibm"]
    assert "QISKIT_IBM_TOKEN" in lines["ibm"]


def test_a_connection_is_tested_and_a_failure_has_an_exit_code_of_its_own():
    assert "read alike in 200 of 200" in run("backends", "--test", "simulator")
    with pytest.raises(CommandError, match="IONQ_API_KEY") as failed:
        run("backends", "--test", "ionq")
    assert failed.value.returncode == 3


def test_an_application_runs_and_its_execution_is_listed(capfd):
    said = run("run", "molecules", "--set", "steps=3", "backend=ionq")
    assert "energy_hartree" in said
    assert "winner" in said
    assert "H2 at" in said.splitlines()[-1]
    assert "not on ionq: IonQ is not configured" in capfd.readouterr().err
    listed = run("executions")
    assert "not on ionq: IonQ is not configured: set IONQ_API_KEY" in listed
    assert "1 executions; 0.00 of 0.00 USD spent." in listed


def test_a_dry_run_says_what_each_backend_would_take(capfd):
    lines = run("run", "molecules", "--dry-run", "--set", "steps=3", "backend=quantum").splitlines()
    assert lines[0] == "Batch 1 of 1: 1 circuit on 4 qubits, 2000 shots each"
    assert [line[:11].rstrip() for line in lines[2:5]] == ["1 ibm", "2 ionq", "3 simulator"]
    assert "set IONQ_API_KEY" in lines[3]
    assert lines[4].split()[2:6] == ["0", "0.00", "0.00", "0.00"]
    assert [line.split()[0] for line in lines[5:7]] == ["mock", "noisy"]
    assert "0 executions" in run("executions")
    (batch,) = json.loads(run("run", "molecules", "--dry-run", "--json", "--set", "steps=3"))
    assert [offer["backend"] for offer in batch["tried"]] == ["simulator"]


def test_a_result_as_json_is_nothing_but_json():
    said = run("run", "portfolio", "--json", "--set", "markets=1", "steps=3", "assets=4", "picks=2")
    found = json.loads(said)
    assert found["winner"] in ("tie", "classical")
    assert found["numbers"]["markets"] == 1


def test_the_parameters_are_listed():
    said = run("run", "molecules", "--parameters")
    assert "H2, LiH" in said
    assert "1 to 500. Of the optimizer, at most" in said


def test_a_config_trains_a_model_that_is_registered(config, lab_folder):
    said = run("train", config)
    assert "registered as tiny:1" in said
    assert [m["name"] for m in lab_folder.mirror()["models"]] == ["tiny"]
    assert list((lab_folder.root / "checkpoints").glob("*")) == []
    assert "registered as tiny:2" in run("train", config), "what has ended begins anew"


def test_a_training_that_was_stopped_goes_on(config, lab_folder, monkeypatch, capsys):
    whole = trainings.run_training

    def stopped(site, given, *, run, report):
        def tell(event):
            report(event)
            if event["kind"] == "metric" and event["step"] == 2:
                raise KeyboardInterrupt

        return whole(site, given, run=run, report=tell)

    monkeypatch.setattr(trainings, "run_training", stopped)
    with pytest.raises(CommandError, match=r"Stopped\. The same command goes on") as failed:
        run("train", config)
    assert failed.value.returncode == 130
    monkeypatch.setattr(trainings, "run_training", whole)
    found = json.loads(run("train", config, "--json"))
    assert found["resumed_from"] == 3
    assert "Going on from its last checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run", "alchemy"), "There is no application 'alchemy'; there are molecules"),
        (("run", "molecules", "--set", "steps"), "“steps” is not a setting"),
        (("run", "molecules", "--set", "steps=0"), "Steps lies between 1 and 500"),
        (("run", "portfolio", "--set", "assets=4", "picks=4"), "Picks must be fewer"),
        (("run", "molecules", "--set", "backend=mainframe"), "one of simulator, .*, quantum, not"),
        (("train", "/nowhere.json"), "cannot be read"),
        (("backends", "--test", "mainframe"), "there is no 'mainframe'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_goes_wrong_is_said_in_a_sentence(words, says):
    with pytest.raises(CommandError, match=says):
        run(*words)
    assert runs.folder().mirror()["models"] == []
