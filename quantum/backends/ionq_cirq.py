"""IonQ through cirq-ionq, with what its client leaves out: time-outs, and an end to retries.

One client per call: the client keeps on itself whether its last job was a batch, and a job that
is fetched by one that remembers otherwise would be read as the other kind.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlparse

import cirq
import cirq_ionq
from cirq_ionq import ionq_client
from cirq_ionq.serializer import Serializer

from quantum.backends.credentials import Credentials
from quantum.backends.ionq import IonQOptions
from quantum.backends.ionq_circuits import to_cirq
from quantum.backends.line import TimedRequests
from quantum.circuit import Circuit
from quantum.errors import BadAnswer

_KEY = "m"


ionq_client.requests = TimedRequests()  # the client's own calls name no time-out


class _Client(ionq_client._IonQClient):
    """Cirq's client with one try per request: `Line` decides about more."""

    def _make_request(self, request: Callable[[], Any], json: dict[str, Any]) -> Any:
        response = request()
        response.raise_for_status()
        return response


@dataclass(frozen=True)
class CirqClient:
    """Jobs by cirq-ionq."""

    credentials: Credentials
    options: IonQOptions

    def create(self, circuits: list[Circuit], *, shots: int, tag: str, seed: int) -> str:
        programs = [self._program(circuit) for circuit in circuits]
        settings: dict[str, Any] = {}
        if self.options.debiasing:
            settings["error_mitigation"] = {"debiasing": True}
        if not self.options.on_machine:
            settings["noise"] = {"model": self.options.noise_model, "seed": seed}
        is_batch = len(programs) > 1
        serializer = Serializer()
        if is_batch:
            program = serializer.serialize_many_circuits(programs, **settings)
        else:
            program = serializer.serialize_single_circuit(programs[0], **settings)
        created = self._vendor().create_job(
            program, shots, self.options.target, tag, batch_mode=is_batch
        )
        return str(created["id"])

    def counts(self, job: dict[str, Any], *, n_circuits: int) -> list[dict[str, int]]:
        client = self._vendor()
        client.batch_mode = n_circuits > 1
        found = cirq_ionq.Job(client, job).results(
            timeout_seconds=1, polling_seconds=1, sharpen=self.options.sharpen
        )
        results = found if isinstance(found, list) else [found]
        return [self._one(result, job) for result in results]

    def cancel(self, job_id: str) -> None:
        self._vendor().cancel_job(job_id)

    def _vendor(self) -> _Client:
        url = urlparse(self.credentials.url)
        return _Client(f"{url.scheme}://{url.netloc}", self.credentials.token)

    def _program(self, circuit: Circuit) -> cirq.Circuit:
        program = to_cirq(circuit, measure_key=None)
        if self.options.native:
            gates = (
                cirq_ionq.ForteNativeGateset()
                if self.options.gate_pair == "zz"
                else cirq_ionq.AriaNativeGateset()
            )
            program = cirq.optimize_for_target_gateset(program, gateset=gates)
        else:
            program = cirq.optimize_for_target_gateset(
                program, gateset=cirq_ionq.IonQTargetGateset()
            )
        qubits = cirq.LineQubit.range(circuit.n_qubits)
        if not any(program.all_operations()):  # the serialiser takes no batch with an empty one
            turn = cirq_ionq.GPI2Gate
            nothing = [turn(phase=0.0), turn(phase=0.5)] if self.options.native else [cirq.rz(0.0)]
            program = cirq.Circuit(gate(qubits[0]) for gate in nothing)
        return program + cirq.Circuit(cirq.measure(*qubits, key=_KEY))

    def _one(self, result: Any, job: dict[str, Any]) -> dict[str, int]:
        """Counts of one circuit; the simulator's probabilities are drawn from, with the seed."""
        if isinstance(result, cirq_ionq.QPUResult):
            counts = result.counts(_KEY)
        else:
            seed = int(job.get("noise", {}).get("seed", 0) or 0)
            counts = result.to_cirq_result(seed=seed).histogram(key=_KEY)
        if not counts:
            raise BadAnswer("IonQ sent an empty result")
        width = len(result.measurement_dict()[_KEY])
        return {f"{int(k):0{width}b}": int(v) for k, v in counts.items() if v}
