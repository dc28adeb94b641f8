"""Where qiskit-ibm-runtime is touched: connecting, sending, and its transport with time limits."""

from typing import Any

from ibm_cloud_sdk_core import ApiException
from qiskit_ibm_runtime import (
    Batch,
    EstimatorV2,
    QiskitRuntimeService,
    SamplerV2,
    Session,
)
from qiskit_ibm_runtime.api import client
from qiskit_ibm_runtime.api.auth import CloudAuth
from qiskit_ibm_runtime.api.session import RetrySession
from qiskit_ibm_runtime.fake_provider import FakeProviderForBackendV2

from quantum.backends.base import Batch as OwnBatch
from quantum.backends.credentials import Credentials
from quantum.backends.line import CONNECT_SECONDS, send
from quantum.errors import NotConfigured, Unauthorized


class _TimedSession(RetrySession):
    """IBM's session with one try per request and an end to each: `Line` decides about more.

    The vendor's own waits for an answer without limit, and for as long as `Retry-After` says.
    """

    def __init__(self, base_url: str, **options: Any) -> None:
        super().__init__(base_url, retries_total=0, retries_connect=0, **options)

    def request(self, method: str, url: str, bare: bool = False, **options: Any) -> Any:
        return send(super().request, method, url, bare, **options)


client.RetrySession = _TimedSession  # the vendor's client takes no other


def connect(credentials: Credentials) -> Any:
    """IBM's service for these credentials; raises `Unauthorized` where IBM does not know them."""
    _check_token(credentials)
    options: dict[str, Any] = {}
    if credentials.url:
        options["url_resolver"] = lambda *_: credentials.url
    return QiskitRuntimeService(
        channel="ibm_quantum_platform",
        token=credentials.token,
        instance=credentials.instance or None,
        **options,
    )


def _check_token(credentials: Credentials) -> None:
    """Asks for an access token once: after a refusal, the vendor's client would wait a minute."""
    manager = CloudAuth(credentials.token, credentials.instance).tm
    manager.http_config = {"timeout": CONNECT_SECONDS}
    try:
        manager.request_token()
    except ApiException as error:
        if error.status_code in (400, 401, 403):
            raise Unauthorized(
                "IBM Quantum refuses the credentials: check QISKIT_IBM_TOKEN in the environment"
            ) from None
        raise


def find_fake(name: str) -> Any:
    """The fake device; raises `NotConfigured` with the names there are."""
    provider = FakeProviderForBackendV2()
    names = {device.name: device for device in provider.backends()}
    if name not in names:
        some = ", ".join(sorted(names)[:8])
        raise NotConfigured(f"there is no fake device {name!r}; some there are: {some}")
    return names[name]


def open_mode(kind: str, device: Any, *, longest_seconds: int) -> Any:
    """A batch or session on the device; it costs until it is closed, or its time is over."""
    return {"batch": Batch, "session": Session}[kind](backend=device, max_time=longest_seconds)


def run_primitive(mode: Any, pubs: list[Any], settings: dict[str, Any], batch: OwnBatch) -> Any:
    """The job of the Estimator where means are asked for, else of the Sampler."""
    shots = batch.shots or 4096
    if batch.observables:
        return EstimatorV2(mode=mode, options=settings).run(pubs, precision=shots**-0.5)
    return SamplerV2(mode=mode, options=settings).run(pubs, shots=shots)
