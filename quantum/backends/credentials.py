"""Who we are to a provider. Whoever calls passes the environment; nothing here prints it.

| provider | variables |
|---|---|
| IBM | `QISKIT_IBM_TOKEN`, `QISKIT_IBM_INSTANCE` (a CRN), `QISKIT_IBM_URL` (another server) |
| IonQ | `IONQ_API_KEY`, `IONQ_API_URL` (another server) |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from quantum.errors import NotConfigured

PACKAGES = {
    "ibm": ("qiskit", "qiskit_ibm_runtime"),
    "cirq": ("cirq_ionq",),
    "qiskit": ("qiskit", "qiskit_ionq"),
}


@dataclass(frozen=True)
class Credentials:
    """A token and where it is good. Its text shows no token.

    Args:
        url: of the API; empty means the provider's own.
        instance: IBM's CRN; empty elsewhere.
    """

    token: str = field(repr=False)
    url: str = ""
    instance: str = field(default="", repr=False)


def ibm_credentials(environment: Mapping[str, str]) -> Credentials:
    """IBM's, from the environment; raises `NotConfigured`."""
    return Credentials(
        _read(environment, "QISKIT_IBM_TOKEN", "IBM Quantum"),
        environment.get("QISKIT_IBM_URL", ""),
        environment.get("QISKIT_IBM_INSTANCE", ""),
    )


def ionq_credentials(environment: Mapping[str, str]) -> Credentials:
    """IonQ's, from the environment; raises `NotConfigured`."""
    url = environment.get("IONQ_API_URL", "") or "https://api.ionq.co/v0.4"
    return Credentials(_read(environment, "IONQ_API_KEY", "IonQ"), url.rstrip("/"))


def need_packages(client: str) -> None:
    """Raises `NotConfigured` where the vendor's library is not installed; imports nothing."""
    if missing := [name for name in PACKAGES[client] if find_spec(name) is None]:
        raise NotConfigured(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed: "
            "pip install -r requirements-quantum.txt"
        )


def _read(environment: Mapping[str, str], name: str, provider: str) -> str:
    token = environment.get(name, "").strip()
    if not token:
        raise NotConfigured(f"{provider} is not configured: set {name} in the environment")
    return token
