"""The model cards that people can read."""

from django.test import Client

from folding.weights import cards


def test_every_shipped_network_has_a_card_with_scores(db, client: Client):
    assert cards.names() == ["small"]
    page = client.get("/models/small/")
    assert page.status_code == 200
    assert b"<table>" in page.content
    assert b"lDDT" in page.content


def test_unknown_networks_are_not_found(db, client: Client):
    assert client.get("/models/huge/").status_code == 404
    assert client.get("/models/..%2Fsmall/").status_code == 404
