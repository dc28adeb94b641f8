"""The backends by name: what the command line, the pages and the manager choose from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantum.backends.base import Backend
from quantum.backends.cache import FileCache
from quantum.backends.credentials import (
    PACKAGES,
    Credentials,
    ibm_credentials,
    ionq_credentials,
    need_packages,
)
from quantum.backends.ibm import IBMBackend, IBMOptions
from quantum.backends.ionq import IonQBackend, IonQOptions
from quantum.backends.line import Breaker, Line
from quantum.backends.names import NAMES
from quantum.backends.noisy import NoisyBackend, load_calibration
from quantum.backends.simulated import SimulatorBackend, mock
from quantum.errors import InvalidValues, NotConfigured

# One per provider and process: what one caller learnt about a dead provider, all know.
_BREAKERS: dict[str, Breaker] = {}


@dataclass(frozen=True)
class Configuration:
    """Whether a backend can be used here, and if not, what is missing. Never a secret."""

    name: str
    configured: bool
    reason: str = ""


def open_backend(
    name: str,
    environment: Mapping[str, str],
    *,
    cache_folder: Path | None = None,
    **options: Any,
) -> Backend:
    """The backend called `name`. Imports no vendor's library and sends nothing yet.

    Args:
        environment: where credentials stand.
        cache_folder: for compiled circuits.
        options: `seed` and `name` of simulators; fields of `IBMOptions`; fields of `IonQOptions`
            and `client`; `calibration` of the noisy one.

    Raises:
        NotConfigured: credentials or a package are missing.
        InvalidValues: there is no such backend or option.
    """
    try:
        if name == "simulator":
            return SimulatorBackend(**options)
        if name == "mock":
            return mock(**options)
        if name == "noisy":
            calibration = load_calibration(options.pop("calibration", "guadalupe"))
            return NoisyBackend(calibration, **options)
        if name == "ibm":
            return _open_ibm(environment, cache_folder, options)
        if name == "ionq":
            client = options.pop("client", "cirq")
            credentials = ionq_credentials(environment)
            if client in PACKAGES:
                need_packages(client)
            line = Line("IonQ", breaker=_breaker("ionq", credentials))
            return IonQBackend(
                credentials, client, IonQOptions(**options), _cache(cache_folder), line
            )
    except TypeError:
        raise InvalidValues(f"{name} has no such options: {sorted(options)}") from None
    raise InvalidValues(f"the backends are {', '.join(NAMES)}; there is no {name!r}")


def configurations(environment: Mapping[str, str]) -> tuple[Configuration, ...]:
    """Every backend, and whether it can be used here."""
    found = []
    for name in NAMES:
        try:
            open_backend(name, environment)
            found.append(Configuration(name, True))
        except NotConfigured as error:
            found.append(Configuration(name, False, str(error)))
    return tuple(found)


def _open_ibm(
    environment: Mapping[str, str], cache_folder: Path | None, options: dict[str, Any]
) -> Backend:
    chosen = IBMOptions(**options)
    credentials = None if chosen.is_local else ibm_credentials(environment)
    need_packages("ibm")
    line = Line("IBM Quantum", limit_seconds=120.0, breaker=_breaker("ibm", credentials))
    return IBMBackend(credentials, chosen, _cache(cache_folder), line)


def _cache(folder: Path | None) -> FileCache | None:
    return None if folder is None else FileCache(folder)


def _breaker(name: str, credentials: Credentials | None) -> Breaker:
    """The one of the provider at this address; fake devices have their own."""
    if credentials is None:
        return Breaker()
    return _BREAKERS.setdefault(f"{name} {credentials.url}", Breaker())
