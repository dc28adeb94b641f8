"""What the Lab's pages show: figures, numbers and words, from rows and from the mirror."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from django.conf import settings
from django.db.models import Sum

from quantum.applications import applications
from quantum.backends.names import DEVICES, QUANTUM
from webapp.lab import chores, runs
from webapp.models import Execution, LabRun, Status

Figure: TypeAlias = dict[str, Any]
MOST_COMPARED = 6

BACKEND_TITLES = {
    "simulator": "Simulator",
    "mock": "Mock",
    "noisy": "Noisy simulator",
    "ibm": "IBM Quantum",
    "ionq": "IonQ",
    "quantum": "a quantum machine",
    "classical": "Classical",
}
BACKEND_WORDS = {
    "simulator": "Exact state vectors on this machine.",
    "mock": "The simulator under another name, with a seed of its own: a stand-in for a device.",
    "noisy": "A device's noise, from the published calibration of a real one, on this machine.",
    "ibm": "Superconducting qubits, through IBM's own client.",
    "ionq": "Trapped ions, or IonQ's simulator, through its API.",
}
WINNERS = {
    "quantum": "Quantum wins",
    "classical": "Classical wins",
    "tie": "A tie",
}
CHOICE_WORDS = {
    "simulator": "Simulator: exact, here",
    "mock": "Mock: simulator with shots of its own seed",
    "noisy": "Noisy simulator: like a device, here",
    "ibm": "IBM Quantum",
    "ionq": "IonQ",
    "quantum": "IBM or IonQ, whichever answers sooner",
    "hardware_efficient": "Hardware-efficient",
    "strongly_entangling": "Strongly entangling",
    "parameter_shift": "Parameter shift",
    "spsa": "SPSA",
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "adamw": "AdamW",
    "iqp": "IQP",
}
# What a number is called where its name alone would not say it.
NUMBER_WORDS = {
    "full_ci_hartree": "Full CI (Ha)",
    "hartree_fock_hartree": "Hartree–Fock (Ha)",
    "p_optimum_qaoa": "Chance of the optimum per shot, QAOA without noise",
    "p_optimum_chance": "Chance of the optimum per shot, at random",
    "found_low": "Found, 95 % interval from",
    "found_high": "Found, 95 % interval to",
    "accuracy_low": "Accuracy, 95 % interval from",
    "accuracy_high": "Accuracy, 95 % interval to",
    "gain_low": "Gain, 95 % interval from",
    "gain_high": "Gain, 95 % interval to",
    "qaoa_found_optimum": "Optimum found by QAOA",
    "greedy_found_optimum": "Optimum found by greedy choice",
    "chance_found_optimum": "Optimum found at random",
    "vqe_seconds": "VQE (s)",
    "markets_by_qaoa": "Markets where QAOA ran",
    "batches": "Batches of circuits",
    "batches_elsewhere": "Batches not where they should have run",
}
PERCENT = frozenset(
    {"chance", "accuracy_low", "accuracy_high", "measured_agreement", "invalid_share", "found_low",
     "found_high", "p_optimum_qaoa", "p_optimum_chance", "gain", "gain_low", "gain_high"}
)  # fmt: skip
UNITS = {"_hartree": " (Ha)", "_angstrom": " (Å)", "_seconds": " (s)"}

# The live figures: metrics in one figure, its title, and whether the axis is logarithmic.
LIVE = (
    (("loss", "validation_loss"), "Loss", False),
    (("gradient_norm",), "Gradient norm", True),
    (("accuracy",), "Accuracy on samples not seen", False),
)
LIVE_TITLES = {
    ("molecules", "loss"): "Energy (Ha)",
    ("portfolio", "loss"): "Mean cost, scaled",
}
# The result has a figure that says more.
REPLACED = {("molecules", "loss")}
# The figures of a result: id, title, axis below, and the lines by name; dashed ones are controls.
RESULT_FIGURES: dict[str, tuple[tuple[str, str, str, dict[str, str]], ...]] = {
    "molecules": (
        ("energy", "Energy by step (Ha)", "step",
         {"energy_hartree": "VQE", "exact_hartree": "-Exact"}),
        ("curve", "Energy along the bond (Ha)", "bond_length_angstrom",
         {"vqe_hartree": "VQE", "exact_by_length_hartree": "-Exact",
          "hartree_fock_by_length_hartree": "-Hartree–Fock"}),
    ),
    "portfolio": (
        ("markets", "Distance from the optimum, by market (0 is the optimum)", "market",
         {"qaoa": "QAOA, best shot", "greedy": "-Greedy choice", "chance": "-Random draws"}),
        ("p", "Chance that a shot is the optimum, without noise", "market", {"p_optimum": "QAOA"}),
    ),
    "recommender": (
        ("rmse", "Error on ratings not seen (RMSE)", "repeat",
         {"quantum_rmse": "Quantum", "dot_rmse": "-Dot product", "gauss_rmse": "-Gaussian",
          "item_mean_rmse": "-Mean of the item"}),
    ),
    "classifier": (
        ("accuracy", "Accuracy on samples not seen", "repeat",
         {"quantum_accuracy": "Quantum", "classical_accuracy": "-Classical"}),
    ),
}  # fmt: skip


# One run ----------------------------------------------------------------------------------------


def run_context(run: LabRun) -> dict[str, Any]:
    """Everything that the page of a run shows beside its figures."""
    result = run.result or {}
    return {
        "run": run,
        "title": title(run),
        "settings": setting_rows(run),
        "numbers": number_rows(result.get("numbers", {})),
        "winner": WINNERS.get(result.get("winner", ""), ""),
        "result": result,
        "executions": list(run.executions.all()[:200]),
        "n_executions": run.executions.count(),
        "cost": run.executions.aggregate(total=Sum("cost"))["total"] or 0.0,
        "can_resume": run.is_training and run.status in (Status.CANCELLED, Status.FAILED),
    }


def title(run: LabRun) -> str:
    """`Ground state of a molecule`, `Training rings-4q`."""
    if run.is_training:
        return f"Training {run.name}"
    return next((a.title for a in applications() if a.name == run.name), str(run.name))


def setting_rows(run: LabRun) -> list[tuple[str, str]]:
    """The values of a run in words."""
    return [
        (label(name), _setting(name, value, among=run.values)) for name, value in run.values.items()
    ]


def number_rows(numbers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Numbers with their names in words."""
    return [
        (label(name), named_number(name, value, among=numbers)) for name, value in numbers.items()
    ]


def named_number(name: str, value: Any, *, among: Mapping[str, Any]) -> str:
    """The number, as a share where its name says that it is one."""
    if name == "answered_by":
        return ", ".join(BACKEND_TITLES.get(one, one) for one in str(value).split(", "))
    # The recommender's gain is a difference of errors.
    is_share = name.endswith("_accuracy") or (name in PERCENT and "quantum_rmse" not in among)
    if is_share and isinstance(value, int | float):
        return f"{100 * value:.1f}\u202f%"
    return number(value)


def label(name: str) -> str:
    """`gap_hartree` → `Gap (Ha)`."""
    if name in NUMBER_WORDS:
        return NUMBER_WORDS[name]
    for ending, unit in UNITS.items():
        if name.endswith(ending):
            return f"{label(name.removesuffix(ending))}{unit}"
    words = name.replace("_", " ")
    words = words.replace("vqe", "VQE").replace("qaoa", "QAOA").replace("rmse", "error (RMSE)")
    return words[:1].upper() + words[1:]


def number(value: Any) -> str:
    """A number as people read it: no more digits than say something."""
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}".replace(",", "\u202f")
    size = abs(value)
    return f"{value:.2e}" if size < 1e-3 or size >= 1e6 else f"{value:.5g}"


def choice_words(choice: str) -> str:
    """A choice of a parameter in words."""
    return CHOICE_WORDS.get(choice, choice[:1].upper() + choice[1:])


# Figures ----------------------------------------------------------------------------------------


def figures(run: LabRun) -> list[Figure]:
    """The curves as they come, and those of the result when it is there."""
    series = (run.result or {}).get("series", {})
    shown = [entry for entry in LIVE if not (series and (run.name, entry[0][0]) in REPLACED)]
    found = [figure for entry in shown if (figure := _live_figure(run, *entry))]
    for name, words, axis, lines in RESULT_FIGURES.get(run.name, ()):
        if run.is_training or axis not in series:
            continue
        found.append(_result_figure(name, words, axis, lines, series))
    return found


def _live_figure(run: LabRun, metrics: Sequence[str], words: str, is_log: bool) -> Figure | None:
    chosen = [line for line in run.series if line["metric"] in metrics]
    if not chosen:
        return None
    newest: dict[tuple[str, str], int] = {}
    for one in chosen:
        key = one["metric"], one["of"]
        newest[key] = max(newest.get(key, 0), one["turn"])
    lines = [
        {
            "label": _line_words(one, n_metrics=len({metric for metric, _ in newest})),
            "x": one["x"],
            "y": one["y"],
            "faint": one["turn"] < newest[one["metric"], one["of"]],
            "dashed": one["metric"] == "validation_loss" or one["of"] not in ("", "quantum"),
        }
        for one in sorted(chosen, key=lambda one: one["turn"])
    ]
    name = LIVE_TITLES.get((run.name, metrics[0]), words)
    axis = "Step"
    return {"id": f"live-{metrics[0]}", "title": name, "x": axis, "log": is_log, "lines": lines}


def _line_words(line: Mapping[str, Any], *, n_metrics: int) -> str:
    if line["of"]:
        return str({"dot": "Dot product", "gauss": "Gaussian"}.get(line["of"], line["of"].title()))
    return label(line["metric"]) if n_metrics > 1 else ""


def _result_figure(
    name: str, words: str, axis: str, lines: Mapping[str, str], series: Mapping[str, Any]
) -> Figure:
    # People count markets and draws from one.
    shift = 1 if axis in ("market", "repeat") else 0
    return {
        "id": f"result-{name}",
        "title": words,
        "x": "Draw" if axis == "repeat" else label(axis),
        "log": False,
        "points": axis != "step",
        "lines": [
            {
                "label": said.lstrip("-"),
                "x": [value + shift for value in series[axis]],
                "y": series[key],
                "faint": False,
                "dashed": said.startswith("-"),
            }
            for key, said in lines.items()
            if key in series
        ],
    }


def compared(chosen: Sequence[LabRun]) -> dict[str, Any]:
    """Several runs side by side: their newest curves in one figure each, numbers in columns."""
    names = [f"{title(run)}, {run.pk.hex[:6]}" for run in chosen]
    found = []
    for metrics, words, is_log in LIVE:
        lines = []
        for run, name in zip(chosen, names, strict=True):
            figure = _live_figure(run, metrics[:1], words, is_log)
            main = [line for line in (figure or {"lines": []})["lines"] if not line["faint"]]
            for line in main:
                said = f"{name}: {line['label'].lower()}" if line["label"] else name
                lines.append({**line, "label": said})
        if lines:
            found.append(
                {"id": f"compare-{metrics[0]}", "title": words, "x": "Step", "log": is_log,
                 "lines": lines}
            )  # fmt: skip
    return {"runs": list(zip(chosen, names, strict=True)), "figures": found,
            "rows": _side_by_side(chosen)}  # fmt: skip


def _side_by_side(chosen: Sequence[LabRun]) -> list[tuple[str, list[str], bool]]:
    """(name, a text per run, whether they differ): settings first, then numbers."""
    settings_of = [dict(run.values) for run in chosen]
    numbers_of = [(run.result or {}).get("numbers", {}) for run in chosen]
    rows = []
    for columns, say in ((settings_of, _setting), (numbers_of, named_number)):
        for name in dict.fromkeys(key for column in columns for key in column):
            texts = [
                say(name, column[name], among=column) if name in column else "–"
                for column in columns
            ]
            rows.append((label(name), texts, len(set(texts)) > 1))
    return rows


def _setting(name: str, value: Any, *, among: Mapping[str, Any]) -> str:
    if name in ("model", "start_from") and value:
        return str(value)
    return "–" if value in ("", None) else choice_words(str(value))


# Lists ------------------------------------------------------------------------------------------


def backends() -> list[Any]:
    """The readings, each with its title and what it is."""
    found = chores.readings()
    for reading in found:
        reading.title = BACKEND_TITLES.get(reading.name, reading.name)  # type: ignore[attr-defined]
        reading.about = BACKEND_WORDS.get(reading.name, "")  # type: ignore[attr-defined]
        reading.error_rows = [  # type: ignore[attr-defined]
            (label(kind), f"{100 * rate:.2f} %") for kind, rate in sorted(reading.errors.items())
        ]
    return found


def registry() -> dict[str, Any]:
    """The registered models as the mirror has them, with times as times."""
    mirror = runs.folder().mirror()
    for model in mirror["models"]:
        for version in model["versions"]:
            version["when"] = _time(version["at"])
            version["numbers"] = number_rows(version["metrics"])
            version["place"] = _place(version["details"])
            version["stage_words"] = chores.STAGES.get(version["stage"], version["stage"])
        for move in model["history"]:
            move["when"] = _time(move["at"])
            move["stage_words"] = chores.STAGES.get(move["stage"], move["stage"])
        model["can_roll_back"] = _n_productions(model["history"]) > 1
    return {"models": mirror["models"], "notice": mirror["notice"]}


def _place(details: Mapping[str, Any]) -> dict[str, str]:
    """Where the circuits of a training ran, and where they should have run instead."""
    wanted = details.get("config", {}).get("backend", "")
    instead_of = DEVICES if wanted == QUANTUM else (wanted,)
    return {
        "ran": named_number("answered_by", details.get("answered_by", ""), among={}),
        "instead_of": " or ".join(BACKEND_TITLES.get(name, name) for name in instead_of)
        if details.get("fallback")
        else "",
    }


def _n_productions(history: Iterable[Mapping[str, Any]]) -> int:
    """Versions that were ever in production: rolling back needs an earlier one."""
    return len({move["version"] for move in history if move["stage"] == "production"})


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def money(user: Any) -> dict[str, Any]:
    """What was spent by everybody, what may be, and what this person's runs cost."""
    mirror = runs.folder().mirror()
    mine = Execution.objects.filter(run__owner=user).aggregate(total=Sum("cost"))["total"]
    cap = settings.QUANTUM_BUDGET
    return {
        "spent": mirror["spent"],
        "cap": cap,
        "left": max(0.0, cap - mirror["spent"]),
        "mine": mine or 0.0,
        "currency": mirror["currency"],
        "percent": min(100.0, 100 * mirror["spent"] / cap) if cap else 0.0,
    }


def credentials() -> list[dict[str, Any]]:
    """Which variables are set for each provider, never what they hold; and its reading."""
    read = {reading.name: reading for reading in backends()}
    needed = {"ibm": "QISKIT_IBM_TOKEN", "ionq": "IONQ_API_KEY"}
    return [
        {
            "name": name,
            "title": BACKEND_TITLES[name],
            "variables": [
                {"name": variable, "is_set": is_set, "needed": variable == needed[name]}
                for variable, is_set in variables.items()
            ],
            "target": settings.QUANTUM_TARGETS.get(name, ""),
            "reading": read[name],
        }
        for name, variables in settings.QUANTUM_CREDENTIALS.items()
    ]
