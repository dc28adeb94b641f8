"""Start as local user: one click at this machine, no way in from anywhere else."""

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.urls import reverse

from webapp import local_user

FAR = "203.0.113.9"
PASSWORD = "seven letters fold"


@pytest.fixture(autouse=True)
def _at_this_machine(settings):
    cache.clear()
    settings.LISTENS_ON = "127.0.0.1"
    settings.PUBLIC_HOST = ""


def start(client, **extra):
    return client.post(reverse("start"), **extra)


def is_let_in(client) -> bool:
    return client.get(reverse("dashboard")).status_code == 200


def test_one_click_and_in(client, db):
    assert "Start as local user" in client.get(reverse("home")).content.decode()
    assert start(client)["Location"] == reverse("dashboard")
    assert is_let_in(client)
    user = User.objects.get()
    assert user.username == "local"
    assert not user.has_usable_password()
    assert not user.is_staff


def test_coming_back_finds_the_same_user(client, db):
    start(client)
    client.logout()
    start(client)
    assert User.objects.count() == 1


def test_a_link_is_not_enough(client, db):
    assert client.get(reverse("start")).status_code == 405
    assert not User.objects.exists()


def test_another_site_cannot_click_for_you(db):
    from django.test import Client

    assert start(Client(enforce_csrf_checks=True)).status_code == 403


@pytest.mark.parametrize("listens_on", ["0.0.0.0", "::", "192.168.0.7", ""])
def test_a_server_that_others_can_reach_offers_nothing(client, db, settings, listens_on):
    settings.LISTENS_ON = listens_on
    assert "Start as local user" not in client.get(reverse("home")).content.decode()
    assert start(client).status_code == 404
    assert not User.objects.exists()


def test_a_server_with_a_public_address_offers_nothing(client, db, settings):
    settings.PUBLIC_HOST = "fold.example.org"
    assert start(client).status_code == 404


def test_a_request_from_elsewhere_finds_nothing(client, db):
    assert start(client, REMOTE_ADDR=FAR).status_code == 404


@pytest.mark.parametrize("header", local_user.FORWARDING_HEADERS)
def test_a_request_that_passed_a_proxy_finds_nothing(client, db, header):
    assert start(client, headers={header: "127.0.0.1"}).status_code == 404


def test_the_cookie_is_worthless_once_the_server_listens_to_others(client, db, settings):
    start(client)
    assert is_let_in(client)
    settings.LISTENS_ON = "0.0.0.0"
    assert not is_let_in(client)


def test_nobody_else_can_take_the_name(client, db):
    fields = {"username": "Local", "password1": PASSWORD, "password2": PASSWORD}
    client.post(reverse("account_signup"), fields)
    assert not User.objects.exists()


def test_the_local_user_cannot_be_given_a_password(client, db):
    start(client)
    for name in ("account_set_password", "account_change_password"):
        fields = {"password1": PASSWORD, "password2": PASSWORD}
        response = client.post(reverse(name), fields, follow=True)
        assert response.status_code == 404
    assert not User.objects.get().has_usable_password()


def test_even_with_a_password_in_its_row_it_cannot_sign_in(client, db):
    User.objects.create_user("local", password=PASSWORD)
    fields = {"login": "local", "password": PASSWORD}
    page = client.post(reverse("account_login"), fields).content.decode()
    assert "not correct" in page
    assert "_auth_user_id" not in client.session


def test_a_password_session_of_its_row_is_worthless(client, db):
    user = User.objects.create_user("local", password=PASSWORD)
    client.force_login(user, backend="webapp.local_user.PasswordBackend")
    assert not is_let_in(client)


@pytest.mark.parametrize("powers", [{"is_staff": True}, {"password": PASSWORD}])
def test_a_row_that_is_somebodys_own_is_not_given_away(client, db, powers):
    User.objects.create_user("local", **powers)
    assert start(client).status_code == 403
    assert "_auth_user_id" not in client.session


def test_someone_who_is_signed_in_stays_who_they_are(client, user):
    client.force_login(user, backend="webapp.local_user.PasswordBackend")
    start(client)
    assert client.session["_auth_user_id"] == str(user.pk)
