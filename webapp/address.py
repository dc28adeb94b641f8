"""Where the server listens, and whether that is this machine alone."""

import errno
import ipaddress
import socket
from dataclasses import dataclass

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


class CannotListen(Exception):
    """The address is taken, or it is not one of this machine's."""


def is_loopback(host: str) -> bool:
    """True for `localhost` and for loopback addresses, in brackets or not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the server."""
        host = EVERYWHERE.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{self.port}"


def free_address(host: str, port: int) -> Address:
    """The address, with a real port in the place of 0, after a try that nobody else holds it.

    Raises:
        CannotListen: with the reason in one sentence.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotListen(_reason(error, host=host, port=port)) from None
        return Address(host, int(probe.getsockname()[1]))


def _reason(error: OSError, *, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken by another program; choose another one, "
            f"for example: make run PORT={port + 1}"
        )
    return f"This machine cannot listen on {host} port {port}: {error.strerror or error}."
