"""What an application is: a name, parameters that a form can show, and a function to run.

Imports neither torch nor any vendor's library, so that a page can list applications.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from quantum.backends.names import NAMES, QUANTUM
from quantum.errors import InvalidValues

Value: TypeAlias = str | int | float | bool
Report: TypeAlias = Callable[[dict[str, Any]], None]
Winner = Literal["quantum", "classical", "tie"]


@dataclass(frozen=True)
class Parameter:
    """A setting of an application.

    Args:
        low, high: the range of a number, both ends included.
        choices: the values of a choice.
    """

    name: str
    kind: Literal["int", "float", "bool", "choice"]
    default: Value
    low: int | float | None = None
    high: int | float | None = None
    choices: tuple[str, ...] = ()
    help: str = ""

    def read(self, given: Any) -> Value:
        """The value as its kind, from a number or from text; raises `InvalidValues`."""
        if self.kind == "choice":
            return self._chosen(given)
        if self.kind == "bool":
            return self._truth(given)
        try:
            value = int(given) if self.kind == "int" else float(given)
            exact = self.kind == "float" or isinstance(given, str) or given == value
        except (TypeError, ValueError, OverflowError):
            exact = False
        if not exact or isinstance(given, bool):
            raise InvalidValues(f"{self.name} is {_KINDS[self.kind]}, not {given!r}")
        low, high = self.low, self.high
        if not (low is None or value >= low) or not (high is None or value <= high):
            raise InvalidValues(f"{self.name} lies between {low} and {high}, not at {value}")
        return value

    def _chosen(self, given: Any) -> str:
        if given not in self.choices:
            raise InvalidValues(f"{self.name} is one of {', '.join(self.choices)}, not {given!r}")
        return str(given)

    def _truth(self, given: Any) -> bool:
        words = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
        found = given if isinstance(given, bool) else words.get(str(given).lower())
        if found is None:
            raise InvalidValues(f"{self.name} is true or false, not {given!r}")
        return found


_KINDS = {"int": "a whole number", "float": "a number"}

# Every application ends with these. In place of a name, `backend` may be a `Backend`, or a `Route`
# of quantum.applications.place.
WHERE = (
    Parameter(
        "backend", "choice", "simulator", choices=(*NAMES, QUANTUM),
        help="Where the final circuits run. Weights are always optimised on the simulator. "
        "Quantum is IBM or IonQ: the one that answers sooner, then the cheaper one. Where none "
        "of them can, the simulator does it, and last an exact classical method.",
    ),
    Parameter("shots", "int", 2000, 1, 100_000, help="Measurements per circuit."),
    Parameter("seed", "int", 0, 0, 2**31 - 1, help="Of everything drawn at random."),
)  # fmt: skip


@dataclass(frozen=True)
class ApplicationResult:
    """What an application found.

    Args:
        summary: two or three sentences for people, which say who wins and by how much.
        winner: "tie" where the difference means nothing.
        numbers: by name, for tables.
        series: lists of equal length within a figure, for curves.
        executions: what ran on a backend, as plain data.
    """

    summary: str
    winner: Winner
    numbers: dict[str, Any] = field(default_factory=dict)
    series: dict[str, list[Any]] = field(default_factory=dict)
    executions: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Application:
    """A worked example.

    Args:
        run: (values by name, report) → result; `report` stops it by raising `Cancelled`.
    """

    name: str
    title: str
    summary: str
    parameters: tuple[Parameter, ...]
    run: Callable[[Mapping[str, Any], Report], ApplicationResult]

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every parameter's value, the default where none is given; raises `InvalidValues`."""
        known = {parameter.name for parameter in self.parameters}
        if unknown := set(given) - known:
            raise InvalidValues(
                f"{self.name} has no parameter {', '.join(sorted(unknown))}; "
                f"it has {', '.join(sorted(known))}"
            )
        return {p.name: _read(p, given.get(p.name, p.default)) for p in self.parameters}


def _read(parameter: Parameter, given: Any) -> Any:
    is_backend = parameter.name == "backend" and not isinstance(given, str)
    return given if is_backend else parameter.read(given)
