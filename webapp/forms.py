"""The form of a new fold: what a browser sent in, a `FoldInput` with `FoldOptions` out.

Every rule about input lives in `folding.inputs`. This file reads what was typed, asks those rules,
and puts each answer at the field that it is about; `InvalidInput.field` says which one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.forms import formset_factory
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from folding import cost
from folding.errors import InvalidInput
from folding.inputs import (
    MAX_A3M_CHARACTERS,
    MAX_SEQUENCE_CHARACTERS,
    FoldInput,
    FoldOptions,
    ProteinChain,
    assign_chain_ids,
    parse_json,
    parse_sequences,
)
from webapp.examples import Example

MAX_CHAIN_ROWS = 100
MAX_UPLOAD_BYTES = MAX_A3M_CHARACTERS
OPTIONS = ("n_samples", "n_recycles", "n_steps")
UNTITLED = "Untitled"
_WHOLE_NUMBER = re.compile(r"\d{1,12}")
# Something to fold while only the rest of a job is judged.
_STAND_IN = ProteinChain(("A",), "AAAA")


class RawText(forms.CharField):
    """Text exactly as it was typed; the rules of `folding.inputs` judge it, NUL bytes included.

    Text of more than `max_echo` characters is not sent back: no page could carry it.
    """

    def __init__(self, *, rows: int = 0, max_echo: int = MAX_SEQUENCE_CHARACTERS, **kwargs: Any):
        attrs = {"spellcheck": "false", "autocomplete": "off", "autocapitalize": "off"}
        widget = forms.Textarea({**attrs, "rows": rows}) if rows else forms.TextInput(attrs)
        super().__init__(required=False, strip=False, widget=widget, **kwargs)
        self.validators = []
        self.max_echo = max_echo

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).replace("\r\n", "\n")

    def bound_data(self, data: Any, initial: Any) -> Any:
        return "" if len(data or "") > self.max_echo else data


def _complain(form: forms.Form, error: InvalidInput, *, at: str) -> None:
    """Puts what the rules refuse at the field that they name, or else at `at`."""
    named = error.field.rpartition(".")[-1]
    form.add_error(named if named in form.fields else at, str(error))


@contextmanager
def _complaints(form: forms.Form, *, at: str) -> Iterator[None]:
    """Goes on after what the rules refuse, with a complaint in the form."""
    try:
        yield
    except InvalidInput as error:
        _complain(form, error, at=at)


def _take_upload(form: forms.Form, *, file: str, text: str) -> None:
    """Puts an uploaded file's text where pasted text would be: a page can show text again."""
    upload: UploadedFile[Any] | None = form.cleaned_data.get(file)
    if not upload:
        return
    size = upload.size or 0
    if size > MAX_UPLOAD_BYTES:
        most = f"{MAX_UPLOAD_BYTES / 1e6:.0f} MB"
        form.add_error(text, f"A file can have at most {most}, but this has {size / 1e6:.0f} MB.")
        return
    form.cleaned_data[text] = upload.read().decode("utf-8", errors="replace")
    shown: Any = form.data.copy()  # type: ignore[attr-defined]
    shown[form.add_prefix(text)] = form.cleaned_data[text]
    form.data = shown


def whole_numbers(text: str) -> tuple[int, ...]:
    """The numbers of `1, 2 3; 4`.

    Raises:
        InvalidInput: A word that is no whole number.
    """
    words = re.split(r"[\s,;]+", text.strip()) if text.strip() else []
    for word in words:
        if not _WHOLE_NUMBER.fullmatch(word):
            shown = f"{word[:40]}…" if len(word) > 40 else word
            what = "too large a number" if word.isdecimal() else "not a whole number"
            raise InvalidInput(f"“{shown}” is {what}. Write for example 1, 2, 3.")
    return tuple(int(word) for word in words)


class ChainForm(forms.Form):
    """One row: a sequence or FASTA, how many copies, and an alignment.

    After `clean`, `entities` holds the row's chains, whose ids only count the copies as yet, and
    `is_blank` says whether nothing at all was put into the row.
    """

    sequence = RawText(rows=4, label="Sequence or FASTA")
    copies = RawText(label="Copies", initial="1")
    ids = RawText(label="Chain ids", help_text="Such as A, B. Empty: given in order.")
    msa = RawText(rows=5, label="Alignment (A3M)", max_echo=MAX_A3M_CHARACTERS)
    msa_file = forms.FileField(required=False, label="A3M file", allow_empty_file=True)

    entities: tuple[ProteinChain, ...] = ()
    copy_count = 1
    is_blank = True

    def clean(self) -> dict[str, Any]:
        _take_upload(self, file="msa_file", text="msa")
        self.is_blank = not any(self.text(name).strip() for name in ("sequence", "msa", "ids"))
        if not self.is_blank:
            self.read()
        return self.cleaned_data

    def text(self, name: str) -> str:
        return str(self.cleaned_data.get(name) or "")

    @property
    def chain_ids(self) -> tuple[str, ...]:
        return (
            tuple(re.split(r"[\s,;]+", self.text("ids").strip()))
            if self.text("ids").strip()
            else ()
        )

    def read(self) -> None:
        """Asks the rules for sequence and copies; what they refuse becomes errors of this row."""
        with _complaints(self, at="sequence"):
            self.entities = parse_sequences(self.text("sequence"))
        with _complaints(self, at="copies"):
            numbers = whole_numbers(self.text("copies")) or (1,)
            self.copy_count = numbers[0] if len(numbers) == 1 else 0
            assign_chain_ids([self.copy_count])
        self._check_single()

    def _check_single(self) -> None:
        several = len(self.entities) > 1
        for name, noun in (("ids", "Ids"), ("msa", "An alignment")):
            if several and self.text(name).strip():
                self.add_error(
                    name,
                    f"{noun} can go with one sequence only, but this row has {len(self.entities)}. "
                    "Give each sequence a row of its own.",
                )
        if self.chain_ids and self.copy_count not in (1, len(self.chain_ids)):
            self.add_error(
                "ids",
                f"Each copy needs an id of its own, but there are {len(self.chain_ids)} ids for "
                f"{self.copy_count} copies. Correct either, or leave the ids empty.",
            )

    def chains(self, *, taken: set[str]) -> tuple[ProteinChain, ...]:
        """The row's chains with their ids; nothing where the rules refuse them."""
        chains: tuple[ProteinChain, ...] = ()
        with _complaints(self, at="sequence"):
            counts = [len(entity.ids) * self.copy_count for entity in self.entities]
            named = [self.chain_ids] if self.chain_ids else assign_chain_ids(counts, taken=taken)
            msa = self.text("msa") if self.text("msa").strip() else None
            chains = tuple(
                replace(entity, ids=ids, msa=msa)
                for entity, ids in zip(self.entities, named, strict=True)
            )
        return chains


ChainFormSet = formset_factory(
    ChainForm, extra=0, min_num=1, max_num=MAX_CHAIN_ROWS, absolute_max=MAX_CHAIN_ROWS
)


_ROW_MESSAGES = {
    "too_many_forms": "A job can have at most %(num)d rows. Fold them in several jobs.",
    "missing_management_form": "The form arrived incomplete. Reload the page and try again.",
}


class JobForm(forms.Form):
    """What belongs to the job as a whole."""

    mode = forms.ChoiceField(
        choices=[("chains", "Sequences"), ("json", "AlphaFold 3 JSON")],
        initial="chains",
        required=False,
        widget=forms.RadioSelect,
    )
    name = RawText(label="Job name", help_text="Empty: taken from the first FASTA header.")
    json = RawText(rows=14, label="AlphaFold 3 JSON", max_echo=MAX_A3M_CHARACTERS)
    json_file = forms.FileField(required=False, label="JSON file", allow_empty_file=True)
    seeds = RawText(
        label="Seeds", initial="1", help_text="Such as 1, 2, 3. Each seed is a fold of its own."
    )
    n_samples = RawText(label="Samples per seed", initial=str(FoldOptions.n_samples))
    n_recycles = RawText(label="Recycles", initial=str(FoldOptions.n_recycles))
    n_steps = RawText(label="Diffusion steps", initial=str(FoldOptions.n_steps))

    def clean(self) -> dict[str, Any]:
        _take_upload(self, file="json_file", text="json")
        return self.cleaned_data

    def text(self, name: str) -> str:
        return str(self.cleaned_data.get(name) or "")

    def options(self) -> FoldOptions:
        """The options, defaults in place of those that are refused."""
        options = FoldOptions()
        for name in OPTIONS:
            with _complaints(self, at=name):
                numbers = whole_numbers(self.text(name))
                if len(numbers) != 1:
                    default = getattr(FoldOptions, name)
                    raise InvalidInput(f"Write one whole number here, such as {default}.")
                changes: dict[str, Any] = {name: numbers[0]}
                options = replace(options, **changes)
        return options

    def read_json(self) -> FoldInput | None:
        """The job in the JSON field; None where the rules refuse it."""
        text = self.text("json")
        try:
            if not text.strip():
                raise InvalidInput("There is no JSON yet. Paste a job, or read it from a file.")
            return parse_json(text)
        except InvalidInput as error:
            place, _, rest = error.field.partition(".")
            index = rest.partition(".")[0]
            where = f"Entity {int(index) + 1}: " if place == "chains" and index.isdigit() else ""
            self.add_error("json", f"{where}{error}")
            return None

    def read_seeds(self) -> tuple[int, ...]:
        """The seeds, 1 in place of what is refused."""
        seeds: tuple[int, ...] = (1,)
        with _complaints(self, at="seeds"):
            seeds = whole_numbers(self.text("seeds"))
        return seeds


class SubmitForm:
    """The job and its chains as one form.

    After `is_valid()` says yes, `fold_input` and `options` are what to create; `errors` maps names
    of HTML fields to sentences, and `""` to what concerns all of it.
    """

    fold_input: FoldInput | None = None
    options: FoldOptions = FoldOptions()
    whole_errors: Sequence[str] = ()
    estimate: cost.Estimate | None = None

    def __init__(
        self,
        data: QueryDict | None = None,
        files: MultiValueDict[str, UploadedFile[Any]] | None = None,
        *,
        initial: Mapping[str, str] | None = None,
        chains: Sequence[Mapping[str, str]] = ({},),
    ) -> None:
        self.job = JobForm(data, files, initial=dict(initial or {}))
        self.rows = ChainFormSet(
            data, files, initial=list(chains), prefix="chains", error_messages=_ROW_MESSAGES
        )
        self.rows.min_num = 0

    @classmethod
    def of_example(cls, example: Example) -> SubmitForm:
        """The form as an example fills it."""
        chain = {"sequence": example.sequence, "copies": str(example.copies)}
        return cls(initial={"name": example.name}, chains=[chain])

    @classmethod
    def of_job(cls, fold_input: FoldInput, options: FoldOptions) -> SubmitForm:
        """The form that would submit this job once more."""
        initial = {name: str(getattr(options, name)) for name in OPTIONS}
        initial |= {"name": fold_input.name, "seeds": ", ".join(map(str, fold_input.seeds))}
        chains = [
            {
                "sequence": chain.sequence,
                "copies": str(len(chain.ids)),
                "ids": ", ".join(chain.ids),
                "msa": chain.msa or "",
            }
            for chain in fold_input.chains
        ]
        return cls(initial=initial, chains=chains)

    def is_valid(self) -> bool:
        """True if there is a job to create."""
        self.job.is_valid()
        self.rows.is_valid()
        self.options = self.job.options()
        fold_input = self.job.read_json() if self.is_json else self._read_rows()
        if fold_input is not None and not self.errors:
            self._measure(fold_input)
        self.whole_errors = self.errors.get("", [])
        self.fold_input = None if self.errors else fold_input
        return self.fold_input is not None

    @property
    def is_json(self) -> bool:
        """True where the job is written as JSON and the rows of sequences do not count."""
        return self.job.cleaned_data.get("mode") == "json"

    @property
    def errors(self) -> dict[str, list[str]]:
        is_json = self.is_json
        found: dict[str, list[str]] = {}
        for form in (self.job,) if is_json else (self.job, *self.rows):
            for field, messages in form.errors.items():
                name = "" if field == "__all__" else form.add_prefix(field)
                found.setdefault(name, []).extend(map(str, messages))
        if not is_json and (messages := self.rows.non_form_errors()):
            found.setdefault("", []).extend(map(str, messages))
        return found

    def _measure(self, fold_input: FoldInput) -> None:
        """Asks whether this machine can fold it; if not, says so below the last sequence."""
        form, field = (self.job, "json") if self.is_json else (self.rows[-1], "sequence")
        with _complaints(form, at=field):
            self.estimate = cost.check(fold_input, self.options)

    def _read_rows(self) -> FoldInput | None:
        filled = [row for row in self.rows if not row.is_blank] or self.rows.forms[:1]
        if filled and filled[0].is_blank:
            filled[0].read()
        owners, chains = self._name_chains(filled)
        name = self.job.text("name").strip() or _name_of(filled)
        parts = {"name": name, "chains": tuple(chains), "seeds": self.job.read_seeds()}
        return self._judge(parts, owners)

    def _name_chains(self, rows: Sequence[ChainForm]) -> tuple[list[ChainForm], list[ProteinChain]]:
        """The chains of all rows and, for each, the row that it came from."""
        taken = {chain_id for row in rows for chain_id in row.chain_ids}
        owners: list[ChainForm] = []
        chains: list[ProteinChain] = []
        for row in rows:
            if not row.errors:
                found = row.chains(taken=taken)
                taken |= {chain_id for chain in found for chain_id in chain.ids}
                owners += [row] * len(found)
                chains += found
        return owners, chains

    def _judge(self, parts: dict[str, Any], owners: Sequence[ChainForm]) -> FoldInput | None:
        """The job, or None when each complaint is at its field: one does not hide the next."""
        stand_ins = {"name": UNTITLED, "chains": (_STAND_IN,), "seeds": (1,)}
        parts["chains"] = parts["chains"] or stand_ins["chains"]
        for _ in stand_ins:
            try:
                return FoldInput(**parts)
            except InvalidInput as error:
                part, _, rest = error.field.partition(".")
                index = rest.partition(".")[0]
                form = owners[int(index)] if index.isdigit() else self.job
                if part == "chains" and form is self.job:
                    form = owners[0]
                _complain(form, error, at="sequence" if part == "chains" else part)
                parts[part] = stand_ins[part]
        return None


def _name_of(rows: Sequence[ChainForm]) -> str:
    """The name that the first row's FASTA gives a job which was given none."""
    is_readable = bool(rows) and not rows[0].errors
    return FoldInput.from_fasta(rows[0].text("sequence")).name if is_readable else UNTITLED
