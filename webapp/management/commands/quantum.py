"""`python manage.py quantum backends | run APP | train CONFIG | executions`: the engine from here.

The same files, budget and credentials as the Lab's pages.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from quantum.applications import applications, find_application
from quantum.errors import QuantumError
from webapp.lab import runs, training

if TYPE_CHECKING:
    from webapp.lab.engine import Site

STOPPED = 130
NOT_PASSED = 3


class Command(BaseCommand):
    help = "Runs applications of the quantum engine, trains models, shows backends and executions."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        backends = verbs.add_parser("backends", help="every backend: configured, online, qubits")
        backends.add_argument("--test", metavar="NAME", help="tests the connection to one of them")
        run = verbs.add_parser("run", help="runs an application; its parameters without --set")
        run.add_argument("app", metavar="APP", help=", ".join(a.name for a in applications()))
        run.add_argument(
            "--set", dest="given", nargs="+", action="extend", default=[], metavar="NAME=VALUE"
        )
        run.add_argument("--parameters", action="store_true", help="lists what can be set")
        run.add_argument(
            "--dry-run",
            action="store_true",
            help="what each backend would cost and take; runs on the simulator and sends nothing",
        )
        run.add_argument("--json", action="store_true", help="prints the whole result as JSON")
        train = verbs.add_parser(
            "train", help="trains a model, or goes on where the same config was stopped"
        )
        known = ", ".join(training.examples())
        train.add_argument("config", help=f"a JSON file, or the name of an example: {known}")
        train.add_argument("--json", action="store_true", help="prints the whole result as JSON")
        ran = verbs.add_parser("executions", help="what ran where, and what it cost")
        ran.add_argument("--last", type=int, default=20, help="so many of the newest (20)")

    def handle(self, *args: Any, **words: Any) -> None:
        try:
            match words["verb"]:
                case "backends":
                    self._backends(words["test"])
                case "run":
                    self._run(words)
                case "train":
                    self._train(words)
                case "executions":
                    self._executions(words["last"])
        except QuantumError as error:
            raise CommandError(_sentence(error)) from None
        except KeyboardInterrupt:
            kept = " The same command goes on from there." if words["verb"] == "train" else ""
            raise CommandError(f"Stopped.{kept}", returncode=STOPPED) from None

    def _backends(self, test: str | None) -> None:
        from webapp.lab import engine

        if test is not None:
            passed, message = engine.test_backend(site(), test)
            if not passed:
                raise CommandError(f"{test}: {message}", returncode=NOT_PASSED)
            self.stdout.write(f"{test}: {message}")
            return
        self.stdout.write(f"{'name':12}{'here':16}{'qubits':>7}  says")
        for reading in engine.read_backends(site()):
            self.stdout.write(_backend_line(reading))

    def _run(self, words: dict[str, Any]) -> None:
        application = find_application(words["app"])
        if words["parameters"]:
            self.stdout.write("\n".join(map(_parameter_line, application.parameters)))
            return
        values = application.values(_pairs(words["given"]))
        if words["dry_run"]:
            self._rehearse(application.name, values, as_json=words["json"])
            return
        from webapp.lab import engine

        work = json.dumps([application.name, values], sort_keys=True)
        name = site().folder.begin(work)
        with Bar(application.title) as bar:
            result = engine.run_application(site(), application.name, values, run=name, report=bar)
        engine.forget(site(), name)
        site().folder.end(work)
        self._show(result, as_json=words["json"])

    def _rehearse(self, name: str, values: dict[str, Any], *, as_json: bool) -> None:
        from webapp.lab import rehearsal

        with Bar(f"Rehearsing {name}") as bar:
            batches = rehearsal.rehearse(site(), name, values, report=bar)
        if as_json:
            self.stdout.write(json.dumps(batches, indent=2))
            return
        for number, batch in enumerate(batches, 1):
            shots = "exact" if batch["shots"] is None else f"{batch['shots']} shots each"
            runs_of = "1 circuit" if batch["n_runs"] == 1 else f"{batch['n_runs']} circuits"
            what = f"{runs_of} on {batch['n_qubits']} qubits, {shots}"
            self.stdout.write(f"Batch {number} of {len(batches)}: {what}")
            self.stdout.write(
                f"  {'backend':11}{'queue s':>9}{'run s':>9}{'cost':>9}{'at most':>9}{'CNOTs':>7}"
            )
            for place, offer in enumerate(batch["tried"], 1):
                self.stdout.write(f"{place} {_offer_line(offer)}")
            for offer in batch["others"]:
                self.stdout.write(f"  {_offer_line(offer)}")
        self.stdout.write(
            "Numbers say in which order backends would be tried. Nothing was sent to any of them."
        )

    def _train(self, words: dict[str, Any]) -> None:
        config = _config(words["config"])
        from webapp.lab import engine, trainings

        work = json.dumps(["train", config], sort_keys=True)
        name = site().folder.begin(work)
        if engine.has_checkpoint(site(), name):
            self.stderr.write("Going on from its last checkpoint.")
        with Bar(f"Training {config['model']}") as bar:
            result = trainings.run_training(site(), config, run=name, report=bar)
        engine.forget(site(), name)
        site().folder.end(work)
        self._show(result, as_json=words["json"])

    def _show(self, result: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(result, indent=2))
            return
        for name, value in result["numbers"].items():
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            self.stdout.write(f"{name:28}{shown}")
        if result["winner"]:
            self.stdout.write(f"{'winner':28}{result['winner']}")
        self.stdout.write(result["summary"])

    def _executions(self, last: int) -> None:
        from webapp.lab import engine

        found = engine.executions(site())
        self.stdout.write(
            f"{'begun':21}{'wanted':11}{'ran on':11}{'status':11}{'runs':>5}{'shots':>7}"
            f"{'seconds':>9}{'cost':>12}"
        )
        for one in found[-last:] if last > 0 else found:
            shots = "exact" if one.shots is None else one.shots
            self.stdout.write(
                f"{one.created[:19]:21}{one.wanted:11}{one.backend:11}{one.status:11}"
                f"{one.n_runs:5}{shots:>7}{one.seconds:9.2f}{one.cost:8.2f} {one.currency}"
            )
            for hop in one.hops:
                self.stdout.write(f"    not on {hop.backend}: {hop.reason}")
        spent, cap = site().ledger.spent(), site().cap
        self.stdout.write(f"{len(found)} executions; {spent:.2f} of {cap:.2f} USD spent.")


class Bar:
    """A `report` that shows progress, the newest loss, and what was said."""

    def __init__(self, title: str) -> None:
        self._bar = tqdm(desc=title, unit="step", dynamic_ncols=True)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.close()

    def __call__(self, event: dict[str, Any]) -> None:
        match event["kind"]:
            case "progress":
                self._bar.total = event["total"]
                self._bar.n = event["done"]
                self._bar.update(0)
            case "metric" if "loss" in event:
                self._bar.set_postfix(loss=f"{event['loss']:.5g}", refresh=False)
                self._bar.update(0)
            case "log":
                self._bar.write(event["text"], file=sys.stderr)
            case "execution" if event["status"] in ("succeeded", "failed"):
                self._bar.write(_execution_line(event), file=sys.stderr)


def site() -> Site:
    """This installation, for the engine."""
    from webapp.lab import engine

    return engine.Site(**runs.site_words())


def _config(given: str) -> dict[str, Any]:
    if given in training.examples() and not Path(given).exists():
        return training.examples()[given]
    return training.read_file(Path(given))


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = {}
    for word in given:
        name, is_pair, value = word.partition("=")
        if not is_pair or not name:
            raise CommandError(f"“{word}” is not a setting. Write --set name=value.")
        pairs[name] = value
    return pairs


def _parameter_line(parameter: Any) -> str:
    values = ", ".join(parameter.choices)
    if parameter.low is not None or parameter.high is not None:
        values = f"{parameter.low} to {parameter.high}"
    return f"{parameter.name:16}{parameter.default!s:14}{values}. {parameter.help}".rstrip(". ")


def _backend_line(reading: dict[str, Any]) -> str:
    here = "not configured" if not reading["configured"] else "no answer"
    here = "online" if reading["online"] else here
    says = reading["reason"] or reading["error"] or reading.get("note", "")
    return f"{reading['name']:12}{here:16}{reading.get('n_qubits') or '-':>7}  {says}"


def _offer_line(offer: dict[str, Any]) -> str:
    if offer["reason"]:
        return f"{offer['backend']:11}{offer['reason']}"
    queue = "?" if offer["queue_seconds"] is None else f"{offer['queue_seconds']:.0f}"
    return (
        f"{offer['backend']:11}{queue:>9}{offer['run_seconds']:9.2f}{offer['cost']:9.2f}"
        f"{offer['at_most']:9.2f}{offer['two_qubit_gates'] or '-':>7}  {offer['currency']}"
        f"{', ' if offer['note'] else ''}{offer['note']}"
    )


def _execution_line(event: dict[str, Any]) -> str:
    hops = "".join(f"; not on {hop['backend']}: {hop['reason']}" for hop in event.get("hops", ()))
    shots = "exact" if event["shots"] is None else f"{event['shots']} shots"
    return f"{event['backend']}: {event['status']}, {event['n_runs']} circuits, {shots}{hops}"


def _sentence(error: Exception) -> str:
    words = str(error)
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")
