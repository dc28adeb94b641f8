"""The part of the form of a new fold that says what to look for, with the consent it may need."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms

from webapp.search_request import SearchRequest, Site, Source, site

LABELS: dict[Source, str] = {
    "": "Only what I upload",
    "local": "Search on this machine",
    "server": "Ask {host}",
}
NO_CONSENT = (
    "Your sequences would leave this machine for {host}. Tick the box to agree, or choose another "
    "source."
)
NO_DATE = "Write a date such as 2021-09-30, or leave it empty."


class SearchForm(forms.Form):
    """Where alignments and templates come from that the job does not bring."""

    msa_source = forms.ChoiceField(
        required=False, widget=forms.RadioSelect, label="Alignments of chains that bring none"
    )
    msa_consent = forms.BooleanField(required=False)
    search_templates = forms.BooleanField(
        required=False, label="Look for templates in this site's structures"
    )
    templates_before = forms.CharField(
        required=False,
        max_length=10,
        label="Templates released before",
        help_text="Such as 2021-09-30. Empty: any day.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.site: Site = site()
        host = self.site.server_host
        choices = [(name, LABELS[name].format(host=host)) for name in ("", *self.site.sources)]
        source = self.fields["msa_source"]
        assert isinstance(source, forms.ChoiceField)
        source.choices = choices
        self.fields[
            "msa_consent"
        ].label = f"I agree that the sequences of this job leave this machine for {host}"
        self.initial.setdefault("msa_source", "local" if "local" in self.site.sources else "")

    @classmethod
    def of_request(cls, request: SearchRequest) -> SearchForm:
        """The form that would ask for this once more; consent is given anew for each job."""
        return cls(
            initial={
                "msa_source": request.msa,
                "search_templates": request.templates,
                "templates_before": request.templates_before,
            }
        )

    @property
    def is_offered(self) -> bool:
        """True if this site can look for anything."""
        return bool(self.site.sources or self.site.template_folder)

    def clean_templates_before(self) -> str:
        text = str(self.cleaned_data["templates_before"]).strip()
        try:
            return date.fromisoformat(text).isoformat() if text else ""
        except ValueError:
            raise forms.ValidationError(NO_DATE) from None

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if values.get("msa_source") == "server" and not values.get("msa_consent"):
            self.add_error("msa_consent", NO_CONSENT.format(host=self.site.server_host))
        return values

    @property
    def request(self) -> SearchRequest:
        """What a valid form asks for."""
        values = self.cleaned_data
        source: Source = values.get("msa_source") or ""
        has_folder = self.site.template_folder is not None
        return SearchRequest(
            msa=source,
            server=self.site.server_host if source == "server" else "",
            templates=has_folder and bool(values.get("search_templates")),
            templates_before=values.get("templates_before") or "",
        )
