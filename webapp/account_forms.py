"""allauth's forms in this product's words: a label says what a field is, once."""

from typing import Any

from allauth.account import forms as allauth_forms
from django import forms

PASSWORD_RULE = "At least 8 characters; not a common one, and not only digits."


class LoginForm(allauth_forms.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _without_placeholders(self)
        self.fields["login"].label = "User name or e-mail"


class SignupForm(allauth_forms.SignupForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _without_placeholders(self)
        self.fields["username"].label = "User name"
        self.fields["email"].label = "E-mail (optional)"
        self.fields["email"].help_text = "Only for a forgotten password."
        self.fields["password1"].help_text = PASSWORD_RULE


class ChangePasswordForm(allauth_forms.ChangePasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _without_placeholders(self)
        self.fields["password1"].help_text = PASSWORD_RULE


def _without_placeholders(form: forms.Form) -> None:
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)
