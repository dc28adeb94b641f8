"""The form's choice of a model: what is here can be chosen, the rest says how to get it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString

from folding.inputs import FoldInput, FoldOptions, ProteinChain
from folding.weights import catalog
from folding.weights.catalog import Model
from webapp import downloads, shelf

ALONE = "Of the contacts that published weights name, 28 % are right instead of 85 %."


class ModelSelect(forms.Select):
    """A list of models; each option carries its defaults, and is off while it is not here.

    A model that somebody asked for stays chosen though it is gone, so that what is said of it names
    it. Browsers leave out a list whose option is off: a hidden word says that there was one.
    """

    def format_value(self, value: Any) -> list[str]:
        return super().format_value(FoldOptions.model if value is None else value)

    def optgroups(self, name: str, value: list[str], *args: Any, **words: Any) -> list[Any]:
        groups: list[Any] = super().optgroups(name, value, *args, **words)
        listed = {choice for choice, _ in self.choices}
        for asked in filter(lambda asked: asked not in listed, value):
            label = f"{asked}: no longer here" if asked else "Choose a model"
            option = self.create_option(name, asked, label, True, len(groups))
            groups.append((None, [option], len(groups)))
        return groups

    def create_option(
        self, name: str, value: Any, label: Any, selected: bool, *args: Any, **words: Any
    ) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(name, value, label, selected, *args, **words)
        if shelf.known(str(value)):
            model = shelf.model(str(value))
            for field in ("n_samples", "n_recycles", "n_steps"):
                option["attrs"][f"data-{field.replace('_', '-')}"] = str(getattr(model, field))
        if not selected and not downloads.store().is_here(str(value)):
            option["attrs"]["disabled"] = True
        return option

    def render(self, name: str, *args: Any, **words: Any) -> SafeString:
        offered = format_html('<input type="hidden" name="{}" value="on">', _offered(name))
        return super().render(name, *args, **words) + offered

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        return data.get(name, "" if _offered(name) in data else None)


class ModelField(forms.ChoiceField):
    """The name of a model that is here; the one that ships where no list of them was shown."""

    def __init__(self, **words: Any) -> None:
        super().__init__(
            choices=choices,
            initial=FoldOptions.model,
            required=False,
            widget=ModelSelect,
            label="Model",
            **words,
        )

    def clean(self, value: Any) -> str:
        name = str(FoldOptions.model if value is None else value)
        if downloads.store().is_here(name):
            return name
        if shelf.known(name):
            title = downloads.store().model(name).title
            raise forms.ValidationError(
                f"{title} is not on this machine: download it on the Models page first, or choose "
                "another model."
            )
        if not name:
            raise forms.ValidationError("No model is chosen. Choose one of the list.")
        raise forms.ValidationError(
            f"There is no such model here: “{name[:64]}”. It may have been removed. Choose another "
            "one."
        )


def _offered(name: str) -> str:
    return f"{name}_offered"


def choices() -> list[tuple[str, str]]:
    """Name and words of every model: those that are here, then the others."""
    items = sorted(shelf.items(), key=lambda item: not item.is_here)
    return [
        (item.model.name, item.model.title if item.is_here else f"{item.model.title}: not here yet")
        for item in items
    ]


def notes(
    fold_inputs: Sequence[FoldInput], options: FoldOptions, *, searches: bool
) -> tuple[str, ...]:
    """What to say of a model that does not know, or does not get, what it would need.

    Args:
        searches: Whether alignments are looked for where a chain brings none.
    """
    model = shelf.model(options.model)
    found = [
        catalog.note_on_unseen(model, fold_inputs),
        "" if searches else _note_on_alone(model, fold_inputs),
        _note_on_unread(model, fold_inputs),
    ]
    return tuple(filter(None, found))


def _note_on_alone(model: Model, fold_inputs: Sequence[FoldInput]) -> str:
    chains = [chain for fold_input in fold_inputs for chain in fold_input.chains]
    proteins = [chain for chain in chains if isinstance(chain, ProteinChain)]
    if model.ships or not proteins or any(chain.msa for chain in proteins):
        return ""
    return (
        f"No alignment: from the sequence alone {model.title} loses most of its accuracy. {ALONE} "
        "Upload an alignment, or have one looked for."
    )


def _note_on_unread(model: Model, fold_inputs: Sequence[FoldInput]) -> str:
    chains = [chain for fold_input in fold_inputs for chain in fold_input.chains]
    if model.reads_templates or not any(getattr(chain, "templates", None) for chain in chains):
        return ""
    return f"{model.title} does not read templates: those of this job will change nothing."


def defaults(model: Model) -> FoldOptions:
    """The options that the model's publisher uses."""
    return FoldOptions(
        model=model.name,
        n_samples=model.n_samples,
        n_recycles=model.n_recycles,
        n_steps=model.n_steps,
    )
