"""Sign up, in, out, and the password: allauth behind our pages."""

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.urls import reverse

PASSWORD = "seven letters fold"


@pytest.fixture(autouse=True)
def _forget_failures():
    """Rate limits count in the cache; each test starts without a past."""
    cache.clear()


def sign_up(client, *, username="rosalind", email=""):
    fields = {
        "username": username,
        "email": email,
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    return client.post(reverse("account_signup"), fields)


def is_signed_in(client) -> bool:
    return "_auth_user_id" in client.session


def test_a_newcomer_signs_up_without_a_mail_address_and_is_in(client, db):
    response = sign_up(client)
    assert response.status_code == 302
    assert response["Location"] == reverse("dashboard")
    assert is_signed_in(client)
    assert User.objects.get().email == ""


def test_sign_in_by_name_and_by_mail_address(client, user):
    user.email = "ada@example.org"
    user.save()
    for login in ("ada", "ada@example.org"):
        fields = {"login": login, "password": "correct horse"}
        assert client.post(reverse("account_login"), fields).status_code == 302
        assert is_signed_in(client)
        client.logout()


def test_a_wrong_password_is_said_at_the_form_and_nothing_typed_is_lost(client, user):
    response = client.post(reverse("account_login"), {"login": "ada", "password": "wrong"})
    assert response.status_code == 200
    assert 'value="ada"' in response.content.decode()
    assert 'class="errors"' in response.content.decode()
    assert not is_signed_in(client)


def test_many_wrong_passwords_are_slowed_down(client, user):
    for _ in range(12):
        client.post(reverse("account_login"), {"login": "ada", "password": "wrong"})
    fields = {"login": "ada", "password": "correct horse"}
    client.post(reverse("account_login"), fields)
    assert not is_signed_in(client)


def test_a_page_that_needs_an_account_comes_back_after_sign_in(client, user):
    response = client.get(reverse("submit"))
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_login"))
    fields = {"login": "ada", "password": "correct horse", "next": reverse("submit")}
    assert client.post(reverse("account_login"), fields)["Location"] == reverse("submit")


def test_sign_out_asks_first_and_then_signs_out(client, user):
    client.force_login(user)
    assert "Sign out?" in client.get(reverse("account_logout")).content.decode()
    assert is_signed_in(client)
    assert client.post(reverse("account_logout"))["Location"] == reverse("home")
    assert not is_signed_in(client)


def test_a_new_password_replaces_the_old_one(client, user):
    client.force_login(user)
    fields = {"oldpassword": "correct horse", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post(reverse("account_change_password"), fields).status_code == 302
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_a_weak_password_is_refused_with_the_reason(client, user):
    client.force_login(user)
    fields = {"oldpassword": "correct horse", "password1": "1234", "password2": "1234"}
    page = client.post(reverse("account_change_password"), fields).content.decode()
    assert "too short" in page
    user.refresh_from_db()
    assert user.check_password("correct horse")


def test_a_server_without_mail_says_who_can_help(client, db):
    page = client.get(reverse("account_reset_password")).content.decode()
    assert "manage.py changepassword" in page


def test_a_server_with_mail_sends_a_link_that_works(client, user, settings, mailoutbox):
    settings.EMAIL_HOST = "mail.example.org"
    user.email = "ada@example.org"
    user.save()
    client.post(reverse("account_reset_password"), {"email": user.email})
    (message,) = mailoutbox
    link = next(word for word in message.body.split() if "/password/reset/key/" in word)
    form = client.get(link, follow=True)
    fields = {"password1": PASSWORD, "password2": PASSWORD}
    client.post(form.request["PATH_INFO"], fields)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_a_closed_server_takes_no_newcomers(client, db, settings):
    settings.SIGN_UP_IS_OPEN = False
    assert "Sign-up is closed" in client.get(reverse("account_signup")).content.decode()
    sign_up(client)
    assert not User.objects.exists()
    for page in ("home", "account_login", "account_signup"):
        answer = client.get(reverse(page)).content.decode()
        assert f'href="{reverse("account_signup")}' not in answer, page


@pytest.mark.parametrize(
    "name", ["account_login", "account_signup", "account_reauthenticate", "account_email"]
)
def test_every_account_page_stands_in_our_frame(client, user, name):
    if name in {"account_reauthenticate", "account_email"}:
        client.force_login(user)
    page = client.get(reverse(name)).content.decode()
    assert '<a class="skip" href="#main">' in page
    assert "<title>" in page
    assert "· Foldstream</title>" in page
    assert " style=" not in page


def test_the_admin_has_no_sign_in_of_its_own(client, db):
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0].startswith(reverse("account_login"))
