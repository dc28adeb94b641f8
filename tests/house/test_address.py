import socket

import pytest

from webapp.address import Address, CannotListen, free_address, is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"])
def test_loopback_hosts(host):
    assert is_loopback(host) is True


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "192.168.0.7", "localhost.example", "example.org", "testclient"]
)
def test_everything_else_is_not_loopback(host):
    assert is_loopback(host) is False


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("fold.example", "http://fold.example:8000"),
    ],
)
def test_a_browser_on_this_machine_finds_the_server(host, url):
    assert Address(host, 8000).url == url


def test_port_zero_becomes_a_port_that_can_be_bound():
    address = free_address("127.0.0.1", 0)
    with socket.socket() as taker:
        taker.bind((address.host, address.port))
    assert address.port >= 1024


def test_a_taken_port_is_said_in_a_sentence_with_a_way_out():
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", 0))
        taker.listen()
        port = taker.getsockname()[1]
        with pytest.raises(CannotListen) as caught:
            free_address("127.0.0.1", port)
    assert str(caught.value) == (
        f"Port {port} on 127.0.0.1 is taken by another program; choose another one, "
        f"for example: make run PORT={port + 1}"
    )


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(CannotListen, match=r"cannot listen on 203\.0\.113\.1 port 8000"):
        free_address("203.0.113.1", 8000)
