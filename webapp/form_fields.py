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


def take_upload(form: forms.Form, *, file: str, text: str) -> None:
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
