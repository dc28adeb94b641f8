"""Every path of the product, asked by everybody in every way: nothing leaks, nothing breaks."""

import re
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.webapp import folded, making
from webapp import queue
from webapp.lab import runs, training
from webapp.models import Job, LabRun, WeightsDownload

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_dir")]

# What strangers may see: the way in, what a model is, and whether the server lives.
PUBLIC = re.compile(r"/($|start/|healthz/|models/[^/]+/$|accounts/|admin/)")
FOREIGN = ("allauth", "admin")  # pages of others' making, whose forms know more methods
ODD_METHODS = ("put", "patch", "delete", "trace")
TINY = {"model": "tiny", "epochs": 3, "samples": 40, "qubits": 2, "depth": 1, "batch_size": 20}


def _plain(route: str) -> str:
    """A route without what regular expressions need."""
    route = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route)
    return route.replace("^", "").replace("$", "").replace("\\", "")


def routes(patterns=None, before="/") -> list[str]:
    """Every route of the product, its variables still in angle brackets."""
    found = []
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + _plain(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            found += routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            found.append(route)
    return found


def filled(route: str, values: dict[str, object]) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values.get(found[1], "1")), route)


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch):
    for name in ("send", "send_fetch", "send_lab", "send_lab_chore"):
        monkeypatch.setattr(queue, name, lambda *words: True)
    monkeypatch.setattr(queue, "waiting", lambda *words: 0)


@pytest.fixture
def of_grace(other_user) -> dict[str, object]:
    """What grace has: a result and a run, as the values of routes."""
    job = folded.finished_job(other_user)
    run = runs.submit(other_user, "training", "tiny", training.read_config(TINY))
    name = f"{folded.trp_cage().slug}_seed-1_sample-0_model.cif"
    return {"job_id": job.pk, "run_id": run.pk, "seed": 1, "sample": 0, "kind": "pae", "name": name}


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def ada(browser, user) -> Client:
    browser.force_login(user)
    return browser


def rows() -> tuple:
    """All that a request could have changed."""
    return (
        list(Job.objects.values_list("pk", "status", "cancel_requested", "pause_requested")),
        list(LabRun.objects.values_list("pk", "status", "cancel_requested")),
        list(WeightsDownload.objects.values_list("pk", "status")),
        User.objects.count(),
    )


def test_the_walk_finds_the_product():
    found = routes()
    assert len(found) > 80
    assert "/jobs/<uuid:job_id>/files/<str:name>" in found
    assert any(route.startswith("/accounts/login") for route in found)


@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_a_stranger_is_sent_to_sign_in_and_changes_nothing(browser, of_grace, method):
    before = rows()
    for route in routes():
        url = filled(route, of_grace)
        if PUBLIC.match(url):
            continue
        answer = getattr(browser, method)(url)
        assert answer.status_code in (302, 405), f"{method} {url}: {answer.status_code}"
        if answer.status_code == 302:
            assert answer.url.startswith("/accounts/login/"), url
    assert rows() == before


@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_what_belongs_to_somebody_else_is_not_there(ada, of_grace, method):
    before = rows()
    owned = [route for route in routes() if "job_id" in route or "run_id" in route]
    assert len(owned) > 18
    for route in owned:
        answer = getattr(ada, method)(filled(route, of_grace))
        assert answer.status_code in (404, 405), f"{method} {route}: {answer.status_code}"
        assert str(of_grace["job_id"]) not in answer.content.decode("utf-8", "replace")
    assert rows() == before


def test_what_belongs_to_somebody_else_looks_like_what_never_was(ada, of_grace):
    never = of_grace | {"job_id": uuid4(), "run_id": uuid4()}
    for route in (route for route in routes() if "job_id" in route or "run_id" in route):
        theirs, nothing = (ada.get(filled(route, values)) for values in (of_grace, never))
        assert theirs.status_code == nothing.status_code, route


@pytest.mark.parametrize("who", ["stranger", "owner"])
@pytest.mark.parametrize("method", ["get", "post", "options"])
def test_no_path_breaks(of_grace, other_user, browser, who, method):
    if who == "owner":
        browser.force_login(other_user)
    for route in routes():
        if method == "post" and "delete" in route:
            continue
        answer = getattr(browser, method)(filled(route, of_grace))
        assert answer.status_code < 500, f"{method} {route}: {answer.status_code}"


@pytest.mark.parametrize(
    "odd",
    [
        {"seed": 10**30, "sample": 10**30, "version": 10**30},
        {"name": "..%2F..%2Fetc%2Fpasswd", "kind": "%00", "stage": "%0d%0aSet-Cookie:%20a=b"},
        {"name": "é" * 300, "kind": "scene.json", "stage": "STAGING"},
        {"name": "small", "kind": "", "stage": "production"},
    ],
    ids=["huge numbers", "tricks", "long names", "empty"],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_odd_values_break_nothing(of_grace, other_user, browser, odd, method):
    browser.force_login(other_user)
    for route in routes():
        if "<" in route and not route.startswith(("/admin", "/accounts")):
            answer = getattr(browser, method)(filled(route, of_grace | odd))
            assert answer.status_code < 500, f"{method} {route}: {answer.status_code}"
            assert "Set-Cookie" not in answer.headers.get("Location", "")


QUERIES = (
    "since=%00&page=%00&q=%00&status=%00&example=%00&job=%00&model=%00&part=%00&smiles=%00",
    "since=-1&page=-1&q=%27%22%3B--&status=running&job=1&model=..&run=1&run=1",
    "since=9999999999999999999999-9&page=99999999999999999999&q=" + "x" * 3000,
    "q=%ff%fe&page=1e9&since=%ff&next=//evil.example/",
)


@pytest.mark.parametrize("query", QUERIES, ids=["NUL", "quotes", "large", "no text"])
def test_odd_questions_break_nothing(of_grace, other_user, browser, query):
    browser.force_login(other_user)
    for route in routes():
        answer = browser.get(f"{filled(route, of_grace)}?{query}")
        assert answer.status_code < 500, f"{route}: {answer.status_code}"
        assert not answer.headers.get("Location", "").startswith("//")


def test_methods_that_a_page_does_not_know_are_refused(of_grace, other_user, browser):
    browser.force_login(other_user)
    before = rows()
    for route in routes():
        if route.startswith(("/accounts/", "/admin/")):
            continue
        for method in ODD_METHODS:
            answer = getattr(browser, method)(filled(route, of_grace))
            assert answer.status_code == 405, f"{method} {route}: {answer.status_code}"
    assert rows() == before


def test_an_owner_sees_nearly_every_page(of_grace, other_user, browser):
    browser.force_login(other_user)
    answers = {route: browser.get(filled(route, of_grace)).status_code for route in routes()}
    own = [code for route, code in answers.items() if "job_id" in route or "run_id" in route]
    assert own.count(200) >= 10, "the walks of these tests reach what they are about"
    assert list(answers.values()).count(200) >= 30


def test_no_verb_is_done_without_the_token(of_grace, other_user):
    careful = Client(enforce_csrf_checks=True, raise_request_exception=False)
    careful.force_login(other_user)
    before = rows()
    asked = 0
    for route in routes():
        answer = careful.post(filled(route, of_grace))
        assert answer.status_code in (403, 404, 405), f"{route}: {answer.status_code}"
        asked += answer.status_code == 403
    assert rows() == before
    assert asked > 15


def test_verbs_are_not_done_by_following_a_link(of_grace, other_user, browser):
    browser.force_login(other_user)
    before = rows()
    for route in routes():
        browser.get(filled(route, of_grace))
    assert rows() == before


def test_every_page_forbids_what_it_does_not_need(of_grace, other_user, browser):
    browser.force_login(other_user)
    for route in routes():
        answer = browser.get(filled(route, of_grace))
        policy = answer.headers.get("Content-Security-Policy", "")
        assert "default-src 'self'" in policy, route
        assert "unsafe-eval" not in policy
        assert answer.headers.get("X-Frame-Options") == "DENY", route
        assert answer.headers.get("X-Content-Type-Options") == "nosniff", route


@pytest.mark.parametrize("path", ["/jobs/1/", "/jobs/not-a-uuid/", "/lab/runs/1/", "/jobs/%2e%2e/"])
def test_paths_of_no_page_are_not_found(ada, path):
    assert ada.get(path).status_code == 404


def test_an_owner_whose_account_is_closed_gets_no_further(of_grace, other_user, browser):
    browser.force_login(other_user)
    assert browser.get(f"/jobs/{of_grace['job_id']}/").status_code == 200
    other_user.is_active = False
    other_user.save()
    assert browser.get(f"/jobs/{of_grace['job_id']}/").status_code == 302


def test_a_stranger_who_was_sent_to_sign_in_comes_back(browser, user):
    job = making.job(user)
    asked = browser.get(f"/jobs/{job.pk}/")
    answer = browser.post(asked.url, {"login": "ada", "password": "correct horse"})
    assert answer.url == f"/jobs/{job.pk}/"
    assert browser.get(answer.url).status_code == 200


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example/", "javascript:alert(1)"]
)
def test_signing_in_leads_nowhere_else(browser, user, target):
    answer = browser.post(
        f"/accounts/login/?next={target}", {"login": "ada", "password": "correct horse"}
    )
    assert answer.url == "/jobs/"
