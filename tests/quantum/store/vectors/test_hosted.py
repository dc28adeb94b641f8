"""Pinecone, Upstash Vector and Qdrant by servers on loopback, on good days and on bad ones."""

import time

import numpy as np
import pytest

from quantum.errors import BadAnswer, InvalidValues, RateLimited, Unauthorized, Unavailable
from quantum.store.vectors.pinecone import PineconeVectors
from quantum.store.vectors.qdrant import QdrantVectors
from quantum.store.vectors.rest import RestClient, Retries
from quantum.store.vectors.upstash import UpstashVectors, filter_text
from tests.quantum.store.vectors import hosted
from tests.quantum.store.vectors.contract import SIZE, VectorStoreContract, random_items

KINDS = {"pinecone": hosted.Pinecone, "upstash": hosted.Upstash, "qdrant": hosted.Qdrant}
NO_PAUSE = Retries(sleep=lambda seconds: None)


@pytest.fixture(params=list(KINDS))
def kind(request) -> str:
    if request.param == "qdrant":
        pytest.importorskip("qdrant_client", reason="requirements-vectors.txt is not installed")
    return request.param


@pytest.fixture
def service(kind):
    with hosted.serving(KINDS[kind](SIZE)) as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    """How long the client would have waited."""
    return []


@pytest.fixture
def store(kind, service, pauses):
    opened = open_store(kind, service.url, retries=Retries(sleep=pauses.append))
    service.requests.clear()
    return opened


def open_store(kind, url, token=hosted.TOKEN, namespace="all", **options):
    if kind == "qdrant":
        return QdrantVectors(url, collection=namespace, size=SIZE, token=token, **options)
    store = {"pinecone": PineconeVectors, "upstash": UpstashVectors}[kind]
    return store(url, token, size=SIZE, namespace=namespace, **options)


class TestHostedVectors(VectorStoreContract):
    """The contract, against each of them."""


def test_namespaces_keep_apart(kind, service):
    one, other = (open_store(kind, service.url, namespace=name) for name in ("one", "other"))
    one.upsert(random_items(3))
    assert (one.count(), other.count()) == (3, 0)
    assert other.query(np.ones(SIZE, np.float32)) == []


def test_a_wrong_token_is_refused_at_once_and_never_shown(kind, service, pauses):
    with pytest.raises(Unauthorized) as caught:
        retries = Retries(sleep=pauses.append)
        open_store(kind, service.url, token="a-wrong-secret", retries=retries).count()
    assert pauses == [] and len(service.requests) == 1
    assert "a-wrong-secret" not in f"{caught.value} {caught.value!r}"


def test_a_token_is_not_shown_with_the_store(store):
    assert hosted.TOKEN not in f"{store!r} {vars(store)}"


@pytest.mark.parametrize(
    "fault",
    [hosted.refuse(500), hosted.refuse(503), hosted.refuse(429), hosted.cut, hosted.hang_up],
)
def test_trouble_that_passes_is_not_noticed(store, service, pauses, fault):
    store.upsert(random_items(3))
    service.faults += [fault, fault]
    assert len(store.query(np.ones(SIZE, np.float32))) == 3
    service.faults += [fault]
    store.upsert(random_items(5))
    assert store.count() == 5
    assert pauses == [0.5, 1.0, 0.5]


def test_the_wait_that_is_asked_for_is_kept_but_not_for_ever(store, service, pauses):
    service.faults += [
        hosted.refuse(429, Retry_After="7"),
        hosted.refuse(429, Retry_After="86400"),
        hosted.refuse(429, Retry_After="Fri, 31 Dec 2049 23:59:59 GMT"),
    ]
    assert store.count() == 0
    assert pauses == [7.0, 30.0, 2.0]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (hosted.refuse(503), Unavailable),
        (hosted.refuse(429), RateLimited),
        (hosted.hang_up, Unavailable),
    ],
)
def test_trouble_that_stays_is_said(store, service, fault, error):
    service.faults += [fault] * 4
    with pytest.raises(error) as caught:
        store.count()
    assert caught.value.transient and len(service.requests) == 4


@pytest.mark.parametrize("fault", [hosted.garbage, hosted.refuse(400), hosted.refuse(302)])
def test_answers_that_make_no_sense_are_not_asked_for_again(store, service, fault):
    service.faults += [fault]
    with pytest.raises(BadAnswer):
        store.query(np.ones(SIZE, np.float32))
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"matches": [{"id": 1}]},
        {"result": [{"id": 1}]},
        {"result": {"points": [{"id": 1}]}, "status": "ok"},
        [],
    ],
)
def test_answers_without_matches_are_noticed(store, service, answer):
    service.faults += [lambda handler: handler.send(200, answer)]
    with pytest.raises(BadAnswer):
        store.query(np.ones(SIZE, np.float32))


def test_a_service_that_never_answers_is_given_up(kind, service):
    retries = Retries(tries=2, sleep=lambda seconds: None)
    store = open_store(kind, service.url, timeout_seconds=1, retries=retries)
    service.faults += [lambda handler: time.sleep(1.5)] * 2
    begin = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        store.count()
    assert time.monotonic() - begin < 3


def test_nobody_there(kind):
    with pytest.raises(Unavailable):
        open_store(kind, "http://127.0.0.1:9", retries=NO_PAUSE).count()


@pytest.mark.parametrize(
    "url",
    ["http://index.example", "ftp://x", "index.example", "http://127.0.0.1.evil.example", "http://[",
     "http://localhost@evil.example", "https://"],
)  # fmt: skip
def test_tokens_travel_over_https_alone(url):
    with pytest.raises(InvalidValues, match="https"):
        RestClient(url, {"Api-Key": "secret"}, "Pinecone")


def test_a_client_does_not_show_its_token():
    assert "secret" not in repr(RestClient("https://x", {"Api-Key": "secret"}, "Pinecone"))


def test_qdrant_s_token_travels_over_https_alone():
    pytest.importorskip("qdrant_client", reason="requirements-vectors.txt is not installed")
    with pytest.raises(InvalidValues, match="https"):
        open_store("qdrant", "http://db.example")


def test_filters_cannot_be_broken_out_of():
    assert filter_text({"a": ["it's", 1, True, 0.5]}) == (
        '(a = "it\'s" OR a = 1 OR a = true OR a = 0.5)'
    )
    with pytest.raises(InvalidValues, match="both kinds of quotes"):
        filter_text({"a": ["'\""]})
