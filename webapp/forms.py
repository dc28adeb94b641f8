"""The form of a new fold: what a browser sent in, a `FoldInput` with `FoldOptions` out.

Every rule about input lives in `folding.inputs`. This file reads what was typed, asks those rules,
and puts each answer at the field that it is about; `InvalidInput.field` says which one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from folding import cost
from folding.errors import InvalidInput
from folding.inputs import (
    MAX_A3M_CHARACTERS,
    NO_ALIGNMENT,
    NO_PARTNER,
    AtomRef,
    Bond,
    Chain,
    FoldInput,
    FoldOptions,
    ProteinChain,
    own_codes,
    read_inputs,
)
from folding.weights import catalog
from webapp import downloads, fleet, model_forms, shelf
from webapp.entity_forms import EntityForm, EntityFormSet, initial_of
from webapp.examples import Example
from webapp.form_fields import RawText, complain, complaints, take_upload, whole_numbers
from webapp.model_forms import ModelField
from webapp.search_forms import SearchForm
from webapp.search_request import NOTHING, SearchRequest, most_rows

OPTIONS = ("n_samples", "n_recycles", "n_steps")
UNTITLED = "Untitled"
# Characters of templates that a page can still carry; a job with more is shown as JSON.
MAX_SHOWN_TEMPLATES = 4_000_000
# Something to fold while only the rest of a job is judged.
_STAND_IN = ProteinChain(("A",), "AAAA")


_ROW_MESSAGES = {
    "too_many_forms": "A job can have at most %(num)d rows. Fold them in several jobs.",
    "missing_management_form": "The form arrived incomplete. Reload the page and try again.",
}


def read_bonds(text: str) -> tuple[Bond, ...]:
    """The bonds of text with one a line, such as `A 145 SG – B 1 C1` or `A/145/SG–B/1/C1`.

    Raises:
        InvalidInput: A line that is no bond.
    """
    bonds = []
    for line in filter(str.strip, text.splitlines()):
        ends = [re.split(r"[\s/:]+", end.strip()) for end in re.split(r"\s-\s|[–—,]", line.strip())]
        if [len(end) for end in ends] != [3, 3] or not all(end[1].isdecimal() for end in ends):
            raise InvalidInput(
                f"“{line.strip()[:60]}” is not a bond. Write chain, residue and atom on both "
                "sides, such as A 145 SG – B 1 C1.",
                field="bonds",
            )
        first, second = (AtomRef(end[0], int(end[1][:9]), end[2]) for end in ends)
        bonds.append(Bond(first, second))
    return tuple(bonds)


class JobForm(forms.Form):
    """What belongs to the job as a whole."""

    mode = forms.ChoiceField(
        choices=[("chains", "Chains and ligands"), ("json", "Job file")],
        initial="chains",
        required=False,
        widget=forms.RadioSelect,
    )
    name = RawText(
        label="Job name", help_text="Empty: taken from the file, or the first FASTA header."
    )
    bonds = RawText(
        rows=3,
        label="Covalent bonds",
        help_text="One a line: chain, residue and atom on both sides, A 145 SG – B 1 C1.",
    )
    user_ccd = RawText(rows=4, label="Components of your own (mmCIF)", max_echo=MAX_A3M_CHARACTERS)
    user_ccd_file = forms.FileField(required=False, label="mmCIF file", allow_empty_file=True)
    json = RawText(rows=14, label="Job file", max_echo=MAX_A3M_CHARACTERS)
    json_file = forms.FileField(required=False, label="Upload it", allow_empty_file=True)
    seeds = RawText(
        label="Seeds", initial="1", help_text="Such as 1, 2, 3. Each seed is a fold of its own."
    )
    model = ModelField()
    n_samples = RawText(label="Samples per seed", initial=str(FoldOptions.n_samples))
    n_recycles = RawText(label="Recycles", initial=str(FoldOptions.n_recycles))
    n_steps = RawText(label="Diffusion steps", initial=str(FoldOptions.n_steps))
    diversity = forms.BooleanField(
        required=False,
        label="Diversity",
        help_text="Random rows of the alignment in each cycle, and parts of what is recycled "
        "dropped: seeds differ more, each structure may be a little worse.",
    )

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words)
        if not self.is_bound:
            self._say_if_model_is_gone()

    def _say_if_model_is_gone(self) -> None:
        """Complains at once of a job's model that has left this machine since."""
        try:
            self.fields["model"].clean(self["model"].value())
        except forms.ValidationError as error:
            self.errors["model"] = self.error_class(error.messages)

    def clean(self) -> dict[str, Any]:
        take_upload(self, file="json_file", text="json")
        take_upload(self, file="user_ccd_file", text="user_ccd")
        return self.cleaned_data

    def text(self, name: str) -> str:
        return str(self.cleaned_data.get(name) or "")

    def options(self) -> FoldOptions:
        """The options, defaults in place of those that are refused."""
        model = shelf.model(self.text("model") or FoldOptions.model)
        options = model_forms.defaults(model)
        for name in OPTIONS:
            with complaints(self, at=name):
                numbers = whole_numbers(self.text(name))
                if len(numbers) != 1:
                    default = getattr(model, name)
                    raise InvalidInput(f"Write one whole number here, such as {default}.")
                changes: dict[str, Any] = {name: numbers[0]}
                options = replace(options, **changes)
        return replace(options, diversity=bool(self.cleaned_data.get("diversity")))

    def read_jobs(self) -> tuple[FoldInput, ...]:
        """The jobs of the job file; none where the rules refuse one of them."""
        text = self.text("json")
        upload = self.cleaned_data.get("json_file")
        name = self.text("name").strip() or (PurePath(upload.name).stem if upload else "")
        try:
            if not text.strip():
                raise InvalidInput("There is no job yet. Paste one, or read it from a file.")
            return read_inputs(text, name=name, seeds=self.read_seeds())
        except InvalidInput as error:
            place, _, rest = error.field.partition(".")
            index = rest.partition(".")[0]
            where = f"Entity {int(index) + 1}: " if place == "chains" and index.isdigit() else ""
            self.add_error("json", f"{where}{error}")
            return ()

    def read_bonds(self) -> tuple[Bond, ...]:
        """The bonds, none in place of what is refused."""
        bonds: tuple[Bond, ...] = ()
        with complaints(self, at="bonds"):
            bonds = read_bonds(self.text("bonds"))
        return bonds

    def read_seeds(self) -> tuple[int, ...]:
        """The seeds, 1 in place of what is refused."""
        seeds: tuple[int, ...] = (1,)
        with complaints(self, at="seeds"):
            seeds = whole_numbers(self.text("seeds"))
        return seeds


def fits_rows(fold_input: FoldInput) -> bool:
    """Whether the rows of the form can show all that the job says: structures may be too large."""
    templates = [t for chain in fold_input.chains for t in getattr(chain, "templates", None) or ()]
    return sum(len(template.cif) for template in templates) <= MAX_SHOWN_TEMPLATES


class SubmitForm:
    """The job and its chains as one form.

    After `is_valid()` says yes, `fold_input` and `options` are what to create; `errors` maps names
    of HTML fields to sentences, and `""` to what concerns all of it.
    """

    fold_inputs: tuple[FoldInput, ...] = ()
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
        self.rows = EntityFormSet(
            data, files, initial=list(chains), prefix="chains", error_messages=_ROW_MESSAGES
        )
        self.rows.min_num = 0
        self.search = SearchForm(data)

    @classmethod
    def of_example(cls, example: Example) -> SubmitForm:
        """The form as an example fills it."""
        return cls(initial={"name": example.name, "bonds": example.bonds}, chains=example.rows)

    @classmethod
    def of_model(cls, name: str) -> SubmitForm:
        """The empty form with a model chosen, and its defaults."""
        options = model_forms.defaults(shelf.model(name))
        return cls(initial={field: str(getattr(options, field)) for field in (*OPTIONS, "model")})

    @classmethod
    def of_job(
        cls,
        fold_input: FoldInput,
        options: FoldOptions,
        *,
        search: SearchRequest = NOTHING,
    ) -> SubmitForm:
        """The form that would submit this job once more; as JSON where rows cannot say it all."""
        initial = {name: str(getattr(options, name)) for name in (*OPTIONS, "model")}
        initial |= {"diversity": "on"} if options.diversity else {}
        initial |= {"name": fold_input.name, "seeds": ", ".join(map(str, fold_input.seeds))}
        if not fits_rows(fold_input):
            document = json.dumps(fold_input.to_json(), indent=2, ensure_ascii=False)
            form = cls(initial=initial | {"mode": "json", "json": document})
            form.search = SearchForm.of_request(search)
            return form
        initial |= {
            "bonds": "\n".join(map(str, fold_input.bonds)),
            "user_ccd": fold_input.user_ccd or "",
        }
        form = cls(initial=initial, chains=[initial_of(chain) for chain in fold_input.chains])
        form.search = SearchForm.of_request(search)
        return form

    def is_valid(self) -> bool:
        """True if there is a job to create."""
        self.job.is_valid()
        own = own_codes(self.job.text("user_ccd"))
        for row in self.rows:
            row.own_codes = own
        self.rows.is_valid()
        self.search.is_valid()
        self.options = self.job.options()
        found = self.job.read_jobs() if self.is_json else self._read_rows()
        if found and not self.errors:
            self._check_bonds(found)
            self._measure(found)
        self.whole_errors = self.errors.get("", [])
        self.fold_inputs = () if self.errors else found
        return bool(self.fold_inputs)

    @property
    def model_notes(self) -> tuple[str, ...]:
        """What to say of a model that does not know, or does not get, what it would need."""
        return model_forms.notes(self.fold_inputs, self.options, searches=self.searches)

    @property
    def searches(self) -> bool:
        """Whether alignments are looked for: some chain brings none and does not decline."""
        chains = [chain for fold_input in self.fold_inputs for chain in fold_input.chains]
        asks = self.search.is_valid() and bool(self.search.request.msa)
        return asks and any(getattr(chain, "msa", "") is None for chain in chains)

    @property
    def estimate_is_most(self) -> bool:
        """Whether a search may find fewer rows than the estimate counts."""
        request = self.search.request if self.searches else NOTHING
        return any(most_rows(request, job) > self._rows_of(job) for job in self.fold_inputs)

    @property
    def may_not_fit(self) -> bool:
        """Whether some memory here is too small for the most that a search may find."""
        return self.estimate is not None and not fleet.strongest().holds(self.estimate)

    @property
    def job_notes(self) -> tuple[str, ...]:
        """What the rules say of the first job, in so far as the form does not see to it."""
        notes = self.fold_input.notes if self.fold_input else ()
        seen_to = self.searches or any(model_forms.ALONE in note for note in self.model_notes)
        if self.searches:
            notes = tuple(note for note in notes if not note.endswith(NO_PARTNER))
        return tuple(note for note in notes if not (seen_to and note == NO_ALIGNMENT))

    @property
    def fold_input(self) -> FoldInput | None:
        """The job, or the first of several."""
        return self.fold_inputs[0] if self.fold_inputs else None

    @property
    def has_chemistry(self) -> bool:
        """Whether the part about bonds and components holds anything."""
        names = ("bonds", "user_ccd")
        return any(self.job[name].value() or self.job[name].errors for name in names)

    @property
    def is_json(self) -> bool:
        """True where the job is written as JSON and the rows of sequences do not count."""
        return self.job.cleaned_data.get("mode") == "json"

    @property
    def errors(self) -> dict[str, list[str]]:
        is_json = self.is_json
        found: dict[str, list[str]] = {}
        forms_in_use: tuple[forms.Form, ...] = (self.job, self.search)
        for form in forms_in_use if is_json else (*forms_in_use, *self.rows):
            for field, messages in form.errors.items():
                name = "" if field == "__all__" else form.add_prefix(field)
                found.setdefault(name, []).extend(map(str, messages))
        if not is_json and (messages := self.rows.non_form_errors()):
            found.setdefault("", []).extend(map(str, messages))
        return found

    def _check_bonds(self, fold_inputs: Sequence[FoldInput]) -> None:
        """Asks whether the chosen model sees the atoms that bonds name."""
        for fold_input in fold_inputs:
            with complaints(self.job, at="json" if self.is_json else "bonds"):
                catalog.check_bonds(shelf.model(self.options.model), fold_input)

    def _measure(self, fold_inputs: Sequence[FoldInput]) -> None:
        """Asks whether this machine can fold them all; if not, says so below the last sequence."""
        form, field = (self.job, "json") if self.is_json else (self.rows[-1], "sequence")
        field = form.main_field if isinstance(form, EntityForm) else field
        with complaints(form, at=field):
            estimates = [self._check(job, among=fold_inputs) for job in fold_inputs]
            # One job is folded after the other.
            self.estimate = cost.Estimate(
                seconds=sum(estimate.seconds for estimate in estimates),
                bytes=max(estimate.bytes for estimate in estimates),
                gpu_bytes=max(estimate.gpu_bytes for estimate in estimates),
            )

    def _check(self, fold_input: FoldInput, *, among: Sequence[FoldInput]) -> cost.Estimate:
        """The most that a job may cost; refused is only what cannot fit whatever is found."""
        held, machine = self._rows_of(fold_input), fleet.strongest()
        try:
            names = downloads.store().names()
            cost.check(fold_input, self.options, n_rows=held, models=names, machine=machine)
        except InvalidInput as error:
            if len(among) == 1:
                raise
            raise InvalidInput(f"{fold_input.name}: {error}", field=error.field) from error
        rows = max(held, most_rows(self.search.request, fold_input))
        return cost.estimate_job(fold_input, self.options, n_rows=rows, machine=machine)

    def _rows_of(self, fold_input: FoldInput) -> int:
        """Rows of a job's deepest alignment, those counted that only the page has."""
        told: list[int] = [] if self.is_json else [row.n_rows for row in self.rows]
        return max([cost.count_rows(fold_input), *told])

    def _read_rows(self) -> tuple[FoldInput, ...]:
        filled = [row for row in self.rows if not row.is_blank] or self.rows.forms[:1]
        if filled and filled[0].is_blank:
            filled[0].read()
        owners, chains = self._name_chains(filled)
        name = self.job.text("name").strip() or _name_of(filled)
        parts = {
            "name": name,
            "chains": tuple(chains),
            "seeds": self.job.read_seeds(),
            "bonds": self.job.read_bonds(),
            "user_ccd": self.job.text("user_ccd").strip() or None,
        }
        judged = self._judge(parts, owners)
        return (judged,) if judged else ()

    def _name_chains(self, rows: Sequence[EntityForm]) -> tuple[list[EntityForm], list[Chain]]:
        """The chains of all rows and, for each, the row that it came from."""
        taken = {chain_id for row in rows for chain_id in row.chain_ids}
        owners: list[EntityForm] = []
        chains: list[Chain] = []
        for row in rows:
            if not row.errors:
                found = row.chains(taken=taken)
                taken |= {chain_id for chain in found for chain_id in chain.ids}
                owners += [row] * len(found)
                chains += found
        return owners, chains

    def _judge(self, parts: dict[str, Any], owners: Sequence[EntityForm]) -> FoldInput | None:
        """The job, or None when each complaint is at its field: one does not hide the next."""
        stand_ins = {
            **{"name": UNTITLED, "chains": (_STAND_IN,), "seeds": (1,)},
            **{"bonds": (), "user_ccd": None},
        }
        parts["chains"] = parts["chains"] or stand_ins["chains"]
        for _ in stand_ins:
            try:
                return FoldInput(**parts)
            except InvalidInput as error:
                part, _, rest = error.field.partition(".")
                index = rest.partition(".")[0]
                if part == "chains":
                    owners[int(index) if index.isdigit() else 0].complain(error)
                    parts["bonds"] = ()
                else:
                    complain(self.job, error, at=part)
                parts[part] = stand_ins[part]
        return None


def _name_of(rows: Sequence[EntityForm]) -> str:
    """The name that the first row's FASTA gives a job which was given none."""
    is_readable = bool(rows) and not rows[0].errors and rows[0].kind_name == "protein"
    return FoldInput.from_fasta(rows[0].text("sequence")).name if is_readable else UNTITLED
