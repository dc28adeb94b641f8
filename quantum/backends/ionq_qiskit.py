"""IonQ through qiskit-ionq, without its traps: retries without end, four qubits where the API did
not answer in time, a token read from a `.env` file that happens to lie about."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qiskit import QuantumCircuit, qpy, transpile
from qiskit_ionq import GPI2Gate, GPIGate, MSGate, ZZGate, ionq_backend, ionq_client
from qiskit_ionq.ionq_client import IonQClient as VendorClient
from qiskit_ionq.ionq_job import IonQJob

from quantum.backends.base import seed_of
from quantum.backends.cache import FileCache, compiled_key
from quantum.backends.credentials import Credentials
from quantum.backends.ibm_circuits import counts_from_qiskit, to_qiskit
from quantum.backends.ionq import IonQOptions, Run, simple
from quantum.backends.ionq_native import FORMAT, NativeProgram, Pulse, compile_native
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


class _Job(IonQJob):
    """A job whose circuits are drawn with a seed each, where the vendor's has one for all."""

    def _format_result(self, data: Any) -> Any:
        found = super()._format_result(data)
        told = self._metadata.get("metadata") or {}
        if not (seed := told.get("sampler_seed")):
            return found
        for index in range(1, len(found.results)):
            told["sampler_seed"] = str(seed_of(seed, index) % 2**31)
            found.results[index] = super()._format_result(data).results[index]
        told["sampler_seed"] = seed
        return found


@dataclass(frozen=True)
class QiskitClient:
    """Jobs by qiskit-ionq."""

    credentials: Credentials
    options: IonQOptions
    cache: FileCache | None = None
    n_qubits: int = 1

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

    def create(self, runs: Sequence[Run], *, shots: int, tag: str, seed: int) -> str:
        backend = self._backend
        compiled: dict[str, bytes] = {}
        programs = [self._program(circuit, values, compiled) for circuit, values in runs]
        settings: dict[str, Any] = {"shots": shots, "name": tag, "sampler_seed": seed}
        if mitigation := self.options.error_mitigation:
            # As a job setting: the argument of this name takes no dict, and drops one silently.
            settings["job_settings"] = {"error_mitigation": mitigation}
        if not self.options.on_machine:
            backend.set_options(sampler_seed=seed)
        run_input = programs if len(programs) > 1 else programs[0]
        return str(backend.run(run_input, **settings).job_id())

    def _program(
        self, circuit: Circuit, values: Mapping[str, float], compiled: dict[str, bytes]
    ) -> QuantumCircuit:
        """The circuit with its values; `compiled` holds what was compiled for this job."""
        name = circuit.structure_hash
        if name not in compiled:
            compiled[name] = self.compile(circuit)
        if self.options.native:
            program = NativeProgram.from_bytes(compiled[name])
            return _native(program.n_qubits, program.bind(values))
        (loaded,) = qpy.load(io.BytesIO(compiled[name]))
        used = {parameter.name for parameter in loaded.parameters}
        return loaded.assign_parameters({name: values[name] for name in used})

    def compile(self, circuit: Circuit) -> bytes:
        """The circuit in IonQ's gates, its parameters still free: ours, or Qiskit's QPY."""
        pair = self.options.gate_pair if self.options.native else ""

        def work() -> bytes:
            if pair:
                return compile_native(circuit, pair=pair).to_bytes()
            program = transpile(
                to_qiskit(simple(circuit), measure=True),
                self._backend,
                optimization_level=1,  # higher levels rewrite into gates that IonQ must undo
                seed_transpiler=0,
            )
            stream = io.BytesIO()
            qpy.dump(program, stream)
            return stream.getvalue()

        if self.cache is None:
            return work()
        form = (pair, FORMAT) if pair else ()
        return self.cache.remember(compiled_key(circuit, "ionq", "qiskit", *form), work)

    def counts(self, job: dict[str, Any], *, n_circuits: int) -> list[dict[str, int]]:
        found = _Job(self._backend, job["id"], self._backend.client).result(
            sharpen=self.options.sharpen, timeout=1, wait=0.1
        )
        if found is None or len(found.results) != n_circuits:
            raise BadAnswer("IonQ sent an incomplete result")
        return [counts_from_qiskit(found.get_counts(i)) for i in range(n_circuits)]

    def cancel(self, job_id: str) -> None:
        self._backend.client.cancel_job(job_id)


def _native(n_qubits: int, pulses: list[Pulse]) -> QuantumCircuit:
    """The pulses as Qiskit's gates, and a measurement of every qubit."""
    program = QuantumCircuit(n_qubits)
    for gate, qubits, phases, angle in pulses:
        if gate == "ms":
            made: Any = MSGate(phases[0], phases[1], angle)
        elif gate == "zz":
            made = ZZGate(angle)
        else:
            made = (GPIGate if gate == "gpi" else GPI2Gate)(phases[0])
        program.append(made, qubits)
    program.measure_all()
    return program
