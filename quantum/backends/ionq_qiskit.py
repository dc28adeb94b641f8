"""IonQ through qiskit-ionq, without its traps: retries without end, four qubits where the API did
not answer in time, a token read from a `.env` file that happens to lie about."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qiskit import transpile
from qiskit_ionq import ionq_backend, ionq_client
from qiskit_ionq.ionq_client import IonQClient as VendorClient
from qiskit_ionq.ionq_job import IonQJob

from quantum.backends.credentials import Credentials
from quantum.backends.ibm_circuits import counts_from_qiskit, to_qiskit
from quantum.backends.ionq import IonQOptions
from quantum.backends.line import TimedRequests
from quantum.circuit import Circuit
from quantum.errors import BadAnswer

vars(ionq_client)["requests"] = TimedRequests()  # so that no request outlives its call


NO_PROVIDER: Any = None  # the vendor's would look for a token of its own


class _Client(VendorClient):
    """Qiskit's client with one try per request: `Line` decides about more."""

    submit_job = VendorClient.submit_job.__wrapped__
    retrieve_job = VendorClient.retrieve_job.__wrapped__
    cancel_job = VendorClient.cancel_job.__wrapped__
    get_results = VendorClient.get_results.__wrapped__


class _Target(ionq_backend.IonQBackend):
    """A backend whose size was asked for at the address that is in use."""

    def __init__(self, credentials: Credentials, **options: Any) -> None:
        self._credentials = credentials
        super().__init__(provider=NO_PROVIDER, description="", **options)

    def _create_client(self) -> VendorClient:
        return _Client(self._credentials.token, self._credentials.url)


@dataclass(frozen=True)
class QiskitClient:
    """Jobs by qiskit-ionq."""

    credentials: Credentials
    options: IonQOptions
    n_qubits: int

    @cached_property
    def _backend(self) -> _Target:
        options = self.options
        backend = _Target(
            self.credentials,
            name=f"ionq_{options.target}",
            gateset="native" if options.native else "qis",
            num_qubits=self.n_qubits,
            simulator=not options.on_machine,
        )
        if not options.on_machine:
            backend.set_options(noise_model=options.noise_model)
        return backend

    def create(self, circuits: list[Circuit], *, shots: int, tag: str, seed: int) -> str:
        backend = self._backend
        programs = transpile(
            [to_qiskit(circuit, measure=True) for circuit in circuits],
            backend,
            optimization_level=1,  # higher levels rewrite into gates that IonQ must undo
            seed_transpiler=0,
        )
        settings: dict[str, Any] = {"shots": shots, "name": tag, "sampler_seed": seed}
        if self.options.debiasing:
            # As a job setting: the argument of this name takes no dict, and drops one silently.
            settings["job_settings"] = {"error_mitigation": {"debiasing": True}}
        if not self.options.on_machine:
            backend.set_options(sampler_seed=seed)
        run_input = programs if len(programs) > 1 else programs[0]
        return str(backend.run(run_input, **settings).job_id())

    def counts(self, job: dict[str, Any], *, n_circuits: int) -> list[dict[str, int]]:
        found = IonQJob(self._backend, job["id"], self._backend.client).result(
            sharpen=self.options.sharpen, timeout=1, wait=0.1
        )
        if found is None or len(found.results) != n_circuits:
            raise BadAnswer("IonQ sent an incomplete result")
        return [counts_from_qiskit(found.get_counts(i)) for i in range(n_circuits)]

    def cancel(self, job_id: str) -> None:
        self._backend.client.cancel_job(job_id)
