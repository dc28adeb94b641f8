"""Help with ligands: codes by name, drawings, and what cannot be drawn."""

import json

import pytest
from django.urls import reverse

from tests.folding.inputs.examples import user_component
from webapp.views import ligands

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client, user):
    client.force_login(user)
    return client


def codes(client, text):
    answer = client.get(reverse("ligand_suggest"), {"q": text}).json()
    return [found["code"] for found in answer["found"]]


def draw(client, ligand, given="ccd"):
    return client.post(reverse("ligand_drawing"), {"as": given, "ligand": ligand})


@pytest.mark.parametrize(
    ("typed", "code"),
    [("atp", "ATP"), ("heme", "HEM"), ("magnesium", "MG"), ("Caffeine", "CFF"), ("nag", "NAG")],
)
def test_components_are_found_by_code_and_by_name(ada, typed, code):
    found = codes(ada, typed)
    assert found[0] == code
    assert len(found) == len(set(found)) <= ligands.N_SUGGESTIONS


@pytest.mark.parametrize("typed", ["", "%", "_", "qqqqqqqq", "'; drop table component; --"])
def test_what_nothing_holds_finds_nothing(ada, typed):
    assert codes(ada, typed) == []


def test_a_ligand_is_drawn_once_and_kept(ada, monkeypatch):
    first = draw(ada, "MG ATP")
    assert first.status_code == 200
    assert first["Content-Type"] == "image/svg+xml"
    assert b"<svg" in first.content
    monkeypatch.setattr(ligands, "_draw", lambda message: pytest.fail("drawn again"))
    assert draw(ada, "MG ATP").content == first.content


def test_a_ligand_is_drawn_by_its_name(ada, monkeypatch):
    monkeypatch.setattr(ligands, "_draw", lambda message: (True, message))
    assert json.loads(draw(ada, "caffeine").content)["ccd"] == ["CFF"]


@pytest.mark.parametrize(
    ("ligand", "given", "says"),
    [
        ("", "ccd", "nothing to draw"),
        ("QQQQQ9", "ccd", "QQQQQ9"),
        ("C1CC", "smiles", "C1CC"),
        ("no molecule", "file", ""),
    ],
)
def test_what_cannot_be_drawn_says_why(ada, ligand, given, says):
    answer = draw(ada, ligand, given)
    assert answer.status_code == 422
    assert says in answer.content.decode()


def test_a_molecule_that_takes_too_long_is_given_up(ada, monkeypatch):
    monkeypatch.setattr(ligands, "DRAWING_SECONDS", 0.01)
    assert "too long" in draw(ada, "CCCCCO", "smiles").content.decode()


def test_strangers_are_sent_to_sign_in(client):
    assert client.get(reverse("ligand_suggest")).status_code == 302
    assert draw(client, "ATP").status_code == 302


def own_component(code: str) -> str:
    """Three atoms in a row, under any code."""
    return user_component(code, ["I1", "B1", "F1"])


def test_a_component_of_ones_own_is_drawn_under_a_name_that_the_dictionary_knows(ada):
    own = user_component("GLUCOSE", ["N1", "B1", "F1"])
    sent = {"as": "ccd", "ligand": "glucose", "user_ccd": own}
    drawn = ada.post(reverse("ligand_drawing"), sent).content.decode()
    assert "atom-2" in drawn
    assert "atom-3" not in drawn, "glucose itself has twelve atoms"
    assert "atom-3" in draw(ada, "glucose").content.decode()


@pytest.mark.parametrize(
    ("user_ccd", "codes"),
    [
        ("", ["MAN"]),
        (own_component("MANNOSE"), ["mannose"]),
        (own_component("OTHER"), ["MAN"]),
        ("no dictionary", ["MAN"]),
        ("data_MANNOSE", ["MAN"]),
    ],
    ids=["none", "own", "other", "broken", "empty"],
)
def test_a_name_means_what_the_user_defines_under_it(ada, monkeypatch, user_ccd, codes):
    monkeypatch.setattr(ligands, "_draw", lambda message: (True, message))
    sent = {"as": "ccd", "ligand": "mannose", "user_ccd": user_ccd}
    asked = json.loads(ada.post(reverse("ligand_drawing"), sent).content)
    assert asked["ccd"] == codes
    assert asked["user_ccd"] == (user_ccd if codes == ["mannose"] else None)
