"""What the forms share: text taken as typed, and complaints put where they belong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from folding.errors import InvalidInput
from folding.inputs import MAX_A3M_CHARACTERS, MAX_SEQUENCE_CHARACTERS

MAX_UPLOAD_BYTES = MAX_A3M_CHARACTERS
_WHOLE_NUMBER = re.compile(r"\d{1,12}")


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


def complain(
    form: forms.Form, error: InvalidInput, *, at: str, shown_at: Mapping[str, str] | None = None
) -> None:
    """Puts what the rules refuse at the field that they name, or else at `at`.

    `shown_at` says where a form shows parts that have no field of their name.
    """
    named = error.field.rpartition(".")[-1]
    named = (shown_at or {}).get(named, named)
    form.add_error(named if named in form.fields else at, str(error))


@contextmanager
def complaints(
    form: forms.Form, *, at: str, shown_at: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Goes on after what the rules refuse, with a complaint in the form."""
    try:
        yield
    except InvalidInput as error:
        complain(form, error, at=at, shown_at=shown_at)


class _SeveralFilesInput(forms.FileInput):
    allow_multiple_selected = True


class SeveralFiles(forms.FileField):
    """As many files as somebody chooses at once, in their order; none is a file too few."""

    widget = _SeveralFilesInput

    def clean(self, data: Any, initial: Any = None) -> Any:
        chosen = data if isinstance(data, list) else [data] if data else []
        return [super(SeveralFiles, self).clean(file, initial) for file in chosen]


def take_upload(form: forms.Form, *, file: str, text: str) -> None:
    """Puts an uploaded file's text where pasted text would be: a page can show text again.

    A field that takes `SeveralFiles` adds them to what was pasted, as the page's script does.
    """
    chosen = form.cleaned_data.get(file)
    if not chosen:
        return
    uploads: list[UploadedFile[Any]] = chosen if isinstance(chosen, list) else [chosen]
    size = sum(upload.size or 0 for upload in uploads)
    if size > MAX_UPLOAD_BYTES:
        most, found = f"{MAX_UPLOAD_BYTES / 1e6:.3g} MB", f"{size / 1e6:.3g} MB"
        what = "A file" if len(uploads) == 1 else "All files together"
        has = "this has" if len(uploads) == 1 else "these have"
        form.add_error(text, f"{what} can have at most {most}, but {has} {found}.")
        return
    read = [upload.read().decode("utf-8", errors="replace") for upload in uploads]
    if isinstance(chosen, list):
        pasted = str(form.cleaned_data.get(text) or "")
        read = ["\n".join(part.rstrip() for part in (pasted, *read) if part.strip())]
    form.cleaned_data[text] = read[0]
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
