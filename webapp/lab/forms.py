"""The forms of applications and trainings, made from their parameters.

The rules are the parameters' own; a form only puts each complaint at its field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from quantum.applications.base import Application, Parameter
from quantum.errors import InvalidValues
from webapp.lab import pages, runs, training
from webapp.models import LabRun

NOT_YOURS_TO_SPEND = "Only whoever runs this server can use {name}: it may cost money."
WHERE = ("backend", "shots", "seed", "gradient")


class ParameterField(forms.Field):
    """What was typed for a parameter, judged by the parameter."""

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter
        super().__init__(
            required=False,
            label=pages.label(parameter.name),
            help_text=_help(parameter),
            initial=parameter.default,
            widget=_widget(parameter),
        )

    def clean(self, value: Any) -> Any:
        given = self.parameter.default if value in (None, "") else value
        try:
            return self.parameter.read(given)
        except InvalidValues as error:
            raise forms.ValidationError(_said(error)) from None


class ParameterForm(forms.Form):
    """A field for each parameter, split for the page: what to do, and where to run it."""

    def __init__(
        self, parameters: Sequence[Parameter], *args: Any, may_pay: bool = False, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.may_pay = may_pay
        for parameter in parameters:
            self.fields[parameter.name] = ParameterField(parameter)

    @property
    def what(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in WHERE]

    @property
    def where(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name in WHERE]

    def clean_backend(self) -> str:
        name = str(self.cleaned_data["backend"])
        if name in runs.PAID and not self.may_pay:
            words = NOT_YOURS_TO_SPEND.format(name=pages.BACKEND_TITLES[name])
            raise forms.ValidationError(words)
        return name


class ApplicationForm(ParameterForm):
    """The parameters of an application; `values` are good once it is valid."""

    def __init__(self, application: Application, *args: Any, **options: Any) -> None:
        super().__init__(application.parameters, *args, **options)
        self.application = application

    @property
    def values(self) -> dict[str, Any]:
        return self.application.values(self.cleaned_data)


class TrainingForm(ParameterForm):
    """The settings of a training."""

    model = forms.CharField(
        label="Name of the model",
        required=False,
        max_length=40,
        help_text="Each training adds a version under it. Empty: the name of the data set.",
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    start_from = forms.ChoiceField(
        label="Begin with",
        required=False,
        help_text="A version of the same shape hands its weights on, and becomes the parent.",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(training.PARAMETERS, *args, **options)
        self.fields["start_from"].choices = [("", "New weights"), *known_versions()]  # type: ignore[attr-defined]

    def clean_model(self) -> str:
        name = str(self.cleaned_data["model"])
        if name and not training.MODEL_NAME.fullmatch(name):
            raise forms.ValidationError(training.NOT_A_NAME)
        return name

    @property
    def values(self) -> dict[str, Any]:
        return training.read_config(self.cleaned_data)


def known_versions() -> list[tuple[str, str]]:
    """The registered versions, for a list to choose from."""
    found = []
    for model in runs.folder().mirror()["models"]:
        for version in model["versions"]:
            name = f"{model['name']}:{version['version']}"
            found.append((name, f"{name} ({version['stage']})"))
    return found


def again(run: LabRun, parameters: Sequence[Parameter]) -> Mapping[str, Any]:
    """The values of an earlier run that the form still knows."""
    known = {parameter.name for parameter in parameters} | set(training.TEXTS)
    return {name: value for name, value in run.values.items() if name in known}


def _widget(parameter: Parameter) -> forms.Widget:
    if parameter.kind == "choice":
        pairs = [(choice, pages.choice_words(choice)) for choice in parameter.choices]
        return forms.Select(choices=pairs)
    if parameter.kind == "bool":
        return forms.CheckboxInput()
    step = "1" if parameter.kind == "int" else "any"
    return forms.NumberInput({"min": parameter.low, "max": parameter.high, "step": step})


def _help(parameter: Parameter) -> str:
    """What it is, and its range."""
    if parameter.low is None or parameter.high is None or parameter.name == "seed":
        return parameter.help
    low, high = (f"{value:,}".replace(",", "\u202f") for value in (parameter.low, parameter.high))
    return f"{parameter.help} {low}\u00a0to\u00a0{high}.".strip()


def _said(error: Exception) -> str:
    words = str(error)
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
