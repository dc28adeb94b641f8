"""What a training can be told, and how it is read: the form, a JSON file, and the row say the same.

Imports no torch, so that the web process can show the form and refuse what makes no sense.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from quantum.applications.base import Parameter
from quantum.backends.names import QUANTUM
from quantum.errors import InvalidValues

EXAMPLES = Path(__file__).parent / "examples"
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
VERSION = re.compile(rf"{MODEL_NAME.pattern}:[0-9]{{1,6}}")
NOT_A_NAME = "A model's name is up to 40 letters, digits, '-', '_' and '.', such as rings-4q."
NOT_A_VERSION = "A version is written name:number, such as rings-4q:2."

PARAMETERS = (
    Parameter(
        "data", "choice", "rings", choices=("rings", "parity", "strokes"),
        help="Rings and parity are tables of 4 numbers; strokes are pictures of 6 x 6.",
    ),
    Parameter("samples", "int", 200, 40, 5000, help="To train on; as many to validate with."),
    Parameter("qubits", "int", 4, 2, 10),
    Parameter("depth", "int", 2, 1, 8, help="Layers of the circuit."),
    Parameter(
        "encoding", "choice", "angle", choices=("angle", "iqp", "amplitude"),
        help="How the numbers enter the circuit.",
    ),
    Parameter(
        "ansatz", "choice", "hardware_efficient",
        choices=("hardware_efficient", "strongly_entangling"), help="The circuit that learns.",
    ),
    Parameter("uploads", "int", 1, 1, 4, help="How often the data enter the circuit."),
    Parameter(
        "optimizer", "choice", "adam", choices=("adam", "adamw", "sgd", "rmsprop", "spsa"),
    ),
    Parameter("learning_rate", "float", 0.05, 1e-5, 1.0),
    Parameter("batch_size", "int", 32, 1, 512),
    Parameter("epochs", "int", 15, 1, 1000),
    Parameter(
        "patience", "int", 0, 0, 1000,
        help="Epochs without a better validation loss before it stops; 0: never before the end.",
    ),
    Parameter(
        "backend", "choice", "simulator", choices=("simulator", "noisy", "ibm", "ionq", QUANTUM),
        help="Where every circuit of the training runs. Only the simulator is quick. Quantum is "
        "IBM or IonQ: for each batch the one that answers sooner, then the cheaper one.",
    ),
    Parameter(
        "gradient", "choice", "parameter_shift", choices=("parameter_shift", "spsa"),
        help="On backends with shots; the simulator has exact gradients.",
    ),
    Parameter("shots", "int", 500, 10, 100_000, help="Measurements per circuit, with shots."),
    Parameter("seed", "int", 0, 0, 2**31 - 1, help="Of everything drawn at random."),
)  # fmt: skip
TEXTS = ("model", "start_from")


def read_config(given: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting, the default where none is given.

    Raises:
        InvalidValues: one that is unknown, or that makes no sense.
    """
    known = {parameter.name for parameter in PARAMETERS} | set(TEXTS)
    if unknown := set(given) - known:
        raise InvalidValues(
            f"A training has no setting {', '.join(sorted(unknown))}; it has "
            f"{', '.join(sorted(known))}."
        )
    values = {p.name: p.read(given.get(p.name, p.default)) for p in PARAMETERS}
    return {"model": _model(given), "start_from": _start(given), **values}


def read_file(path: Path) -> dict[str, Any]:
    """The settings in a JSON file; raises `InvalidValues`."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidValues(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InvalidValues(f"{path} is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise InvalidValues(f"{path} must hold one JSON object with the settings of a training.")
    return read_config(found)


@cache
def examples() -> dict[str, dict[str, Any]]:
    """The trainings that come with the Lab, by name."""
    return {path.stem: read_file(path) for path in sorted(EXAMPLES.glob("*.json"))}


def _model(given: Mapping[str, Any]) -> str:
    name = given.get("model") or given.get("data") or "rings"
    if not isinstance(name, str) or not MODEL_NAME.fullmatch(name):
        raise InvalidValues(NOT_A_NAME)
    return name


def _start(given: Mapping[str, Any]) -> str:
    label = given.get("start_from") or ""
    if label and not (isinstance(label, str) and VERSION.fullmatch(label)):
        raise InvalidValues(NOT_A_VERSION)
    return str(label)
