"""IonQ through cirq-ionq, with what its client leaves out: time-outs, and an end to retries.

One client per call: the client keeps on itself whether its last job was a batch, and a job that
is fetched by one that remembers otherwise would be read as the other kind.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlparse

import cirq
import cirq_ionq
from cirq_ionq import ionq_client
from cirq_ionq.serializer import Serializer

from quantum.backends.base import seed_of
from quantum.backends.cache import FileCache, compiled_key
from quantum.backends.credentials import Credentials
from quantum.backends.ionq import IonQOptions, Run, simple
from quantum.backends.ionq_circuits import to_cirq
from quantum.backends.ionq_native import FORMAT, NativeProgram, Pulse, compile_native
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
    cache: FileCache | None = None

    def create(self, runs: Sequence[Run], *, shots: int, tag: str, seed: int) -> str:
        compiled: dict[str, bytes] = {}
        programs = [self._program(circuit, values, compiled) for circuit, values in runs]
        settings: dict[str, Any] = {"error_mitigation": self.options.error_mitigation}
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
        return [self._one(result, job, index) for index, result in enumerate(results)]

    def cancel(self, job_id: str) -> None:
        self._vendor().cancel_job(job_id)

    def _vendor(self) -> _Client:
        url = urlparse(self.credentials.url)
        return _Client(f"{url.scheme}://{url.netloc}", self.credentials.token)

    def _program(
        self, circuit: Circuit, values: Mapping[str, float], compiled: dict[str, bytes]
    ) -> cirq.Circuit:
        """The circuit with its values; `compiled` holds what was compiled for this job."""
        name = circuit.structure_hash
        if name not in compiled:
            compiled[name] = self.compile(circuit)
        if self.options.native:
            program = _native(NativeProgram.from_bytes(compiled[name]).bind(values))
        else:
            program = cirq.read_json(json_text=compiled[name].decode())
            program = cirq.resolve_parameters(program, dict(values))
        qubits = cirq.LineQubit.range(circuit.n_qubits)
        if not any(program.all_operations()):  # the serialiser takes no batch with an empty one
            turn = cirq_ionq.GPI2Gate
            nothing = [turn(phi=0.0), turn(phi=0.5)] if self.options.native else [cirq.rz(0.0)]
            program = cirq.Circuit(gate(qubits[0]) for gate in nothing)
        return program + cirq.Circuit(cirq.measure(*qubits, key=_KEY))

    def compile(self, circuit: Circuit) -> bytes:
        """The circuit in IonQ's gates, its parameters still free: ours, or Cirq's JSON."""
        pair = self.options.gate_pair if self.options.native else ""

        def work() -> bytes:
            if pair:
                return compile_native(circuit, pair=pair).to_bytes()
            gates = cirq_ionq.IonQTargetGateset()
            program = cirq.optimize_for_target_gateset(to_cirq(simple(circuit)), gateset=gates)
            return cirq.to_json(program).encode()

        if self.cache is None:
            return work()
        form = (pair, FORMAT) if pair else ()
        return self.cache.remember(compiled_key(circuit, "ionq", "cirq", *form), work)

    def _one(self, result: Any, job: dict[str, Any], index: int) -> dict[str, int]:
        """Counts of one circuit. The ideal simulator's probabilities are exact, and drawn from with
        the seed; those of a noise model are shots that IonQ has drawn."""
        noise = job.get("noise") or {}
        if isinstance(result, cirq_ionq.QPUResult):
            counts = result.counts(_KEY)
        elif noise.get("model", "ideal") == "ideal":
            own = seed_of(int(noise.get("seed", 0) or 0), index) % 2**31
            counts = result.to_cirq_result(seed=own).histogram(key=_KEY)
        else:
            read = result.probabilities(_KEY).items()
            counts = {state: round(share * result.repetitions()) for state, share in read}
        if not counts:
            raise BadAnswer("IonQ sent an empty result")
        width = len(result.measurement_dict()[_KEY])
        return {f"{int(k):0{width}b}": int(v) for k, v in counts.items() if v}


def _native(pulses: list[Pulse]) -> cirq.Circuit:
    """The pulses as Cirq's gates, in their order."""
    operations = []
    for gate, qubits, phases, angle in pulses:
        if gate == "ms":
            made: Any = cirq_ionq.MSGate(phi0=phases[0], phi1=phases[1], theta=angle)
        elif gate == "zz":
            made = cirq_ionq.ZZGate(theta=angle)
        else:
            kind = cirq_ionq.GPIGate if gate == "gpi" else cirq_ionq.GPI2Gate
            made = kind(phi=phases[0])
        operations.append(made(*map(cirq.LineQubit, qubits)))
    return cirq.Circuit(operations)
