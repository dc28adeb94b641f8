"""IonQ: its simulator, with or without the noise of a machine, and its machines.

Two clients speak for us, cirq-ionq and qiskit-ionq; both are thin here and say the same. What
neither client asks for (size, queue, price) is read from the REST API directly.
IonQ answers with probabilities of basis states, whose qubit 0 is the least significant bit: the
clients turn that round (`Circuit`'s qubit 0 is the most significant).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from quantum.backends.base import (
    Batch,
    Capabilities,
    Estimate,
    Handle,
    Measured,
    Status,
    seed_of,
)
from quantum.backends.cache import FileCache
from quantum.backends.credentials import Credentials, need_packages
from quantum.backends.ionq_native import compile_native
from quantum.backends.line import Line, send
from quantum.backends.readings import combine_results, construct_circuits
from quantum.backends.simulated import check_size
from quantum.circuit import Circuit, Instruction
from quantum.decomposition import decompose, to_cnots
from quantum.errors import (
    BackendError,
    BadAnswer,
    InvalidValues,
    JobFailed,
    JobNotFound,
    QuantumError,
    Unavailable,
)

_T = TypeVar("_T")
Size: TypeAlias = tuple[int, int]  # gates on one qubit, and on two
Run: TypeAlias = tuple[Circuit, dict[str, float]]  # a circuit and the values of its parameters
NOISE_MODELS = ("ideal", "aria-1", "aria-2", "forte-1", "forte-enterprise-1")
_MOST_CIRCUITS, _MOST_JOBS = 50, 100  # circuits of one job; jobs of one batch
_DEFAULT_SHOTS, _DEBIASED_SHOTS = 1000, 500  # IonQ debiases no fewer
_PAGE_JOBS, _MOST_PAGES = 200, 5  # how far back a job that may have been sent is looked for
_LOST = ("failed", "canceled")
_STATUSES = {
    "submitted": Status.QUEUED,
    "ready": Status.QUEUED,
    "started": Status.RUNNING,
    "running": Status.RUNNING,
    "completed": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "canceled": Status.CANCELLED,
}
_TWO_QUBIT_BASIS = ("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry",
                    "rz", "p", "cx", "swap", "rxx", "ryy", "rzz")  # fmt: skip


@dataclass(frozen=True)
class IonQOptions:
    """How IonQ runs a batch.

    Args:
        target: `simulator`, or a machine such as `qpu.forte-1`.
        noise_model: of the simulator, one of `NOISE_MODELS`.
        native: compile to the machine's own gates here, instead of at IonQ.
        debiasing: IonQ's error mitigation by symmetric copies of a circuit (machines only, and
            500 shots at least); it raises the least that a job costs.
        sharpen: combine the copies by vote instead of by mean.
    """

    target: str = "simulator"
    noise_model: str = "ideal"
    native: bool = False
    debiasing: bool = False
    sharpen: bool | None = None

    def __post_init__(self) -> None:
        if self.noise_model not in NOISE_MODELS:
            known = ", ".join(NOISE_MODELS)
            raise InvalidValues(f"IonQ's noise models are {known}, not {self.noise_model!r}")
        if self.target != "simulator" and not self.target.startswith("qpu."):
            raise InvalidValues(f"an IonQ target is 'simulator' or 'qpu.NAME', not {self.target!r}")

    @property
    def on_machine(self) -> bool:
        return self.target != "simulator"

    @property
    def error_mitigation(self) -> dict[str, bool]:
        """What is said of it with every job; a machine that is told nothing debiases."""
        return {"debiasing": self.debiasing} if self.on_machine else {}

    @property
    def gate_pair(self) -> str:
        """The native gate on two qubits: Forte has ZZ, Aria has MS."""
        named = self.target if self.on_machine else self.noise_model
        return "zz" if "forte" in named else "ms"


@runtime_checkable
class IonQClient(Protocol):
    """One vendor's library; every method makes one round of requests."""

    def create(self, runs: Sequence[Run], *, shots: int, tag: str, seed: int) -> str:
        """Submits the circuits with their values as one job named `tag`; gives its id.

        Where shots are drawn here, from a simulator's probabilities, each circuit has a seed of its
        own that follows from `seed`: else their errors would be alike, and add up.
        """

    def counts(self, job: dict[str, Any], *, n_circuits: int) -> list[dict[str, int]]:
        """Counts of a completed job, circuit by circuit, keyed by bits with qubit 0 first."""

    def cancel(self, job_id: str) -> None:
        """Asks for the job to be stopped."""


@dataclass(frozen=True)
class IonQBackend:
    """IonQ through one of the two clients.

    A batch of more circuits than a job holds becomes several jobs; their ids stand in the handle,
    separated by commas, and each has a name of its own, so that none is sent twice.

    Args:
        client: `cirq` or `qiskit`.
        cache: of compiled circuits, which take their values later.
    """

    credentials: Credentials
    client: str = "cirq"
    options: IonQOptions = field(default_factory=IonQOptions)
    cache: FileCache | None = None
    line: Line = field(default_factory=lambda: Line("IonQ"))
    name: str = "ionq"

    def __post_init__(self) -> None:
        if self.client not in ("cirq", "qiskit"):
            raise InvalidValues(f"IonQ's clients are 'cirq' and 'qiskit', not {self.client!r}")
        self.line.secrets = (self.credentials.token,)

    @cached_property
    def _client(self) -> IonQClient:
        need_packages(self.client)
        if self.client == "cirq":
            from quantum.backends.ionq_cirq import CirqClient

            return CirqClient(self.credentials, self.options, self.cache)
        from quantum.backends.ionq_qiskit import QiskitClient

        n_qubits = self.capabilities().n_qubits
        return QiskitClient(self.credentials, self.options, self.cache, n_qubits=n_qubits)

    @cached_property
    def _target(self) -> dict[str, Any]:
        return self._get(f"backends/{self.options.target}")

    def capabilities(self) -> Capabilities:
        target = self._target
        if not isinstance(target.get("qubits"), int):
            raise BadAnswer(f"IonQ does not say how many qubits {self.options.target} has")
        return Capabilities(
            target["qubits"],
            is_device=self.options.on_machine,
            max_runs=_MOST_CIRCUITS * _MOST_JOBS,
            max_shots=10_000 if self.options.on_machine else 1_000_000,
            default_shots=_DEFAULT_SHOTS,
            pays=self.options.on_machine,
            errors=self._errors,
        )

    def state(self) -> dict[str, Any]:
        """What IonQ says of the target now: status and average queue in seconds."""
        found = self._get(f"backends/{self.options.target}")
        return {"status": found.get("status"), "queue_seconds": found.get("average_queue_time")}

    def estimate(self, batch: Batch) -> Estimate:
        self._check_mitigation(batch)
        wanted = construct_circuits(batch)
        if not self.options.on_machine:
            queue = self._target.get("average_queue_time") or 0.0
            return Estimate(float(queue), 1.0 + 0.1 * wanted.n_runs, 0.0, note="IonQ's simulator")
        cost = seconds = queue = 0.0
        currency = "USD"
        asked: Counter[tuple[tuple[str, Any], ...]] = Counter()
        for circuit, n_runs, size in self._sizes(wanted):
            asked[tuple(self._questions(circuit, batch, size).items())] += n_runs
        for question, n_runs in asked.items():  # circuits of one size are asked about once
            found = self._get("jobs/estimate", dict(question))
            cost += _number(found, "estimated_cost") * n_runs
            seconds += _number(found, "estimated_execution_time") * n_runs
            queue = max(queue, _number(found, "current_predicted_queue_time"))
            currency = str(found.get("cost_unit", "usd")).upper()
        return Estimate(queue, seconds, cost, currency, note="IonQ's own estimate")

    def submit(self, batch: Batch) -> Handle:
        check_size(batch, self.capabilities(), f"IonQ's {self.options.target}")
        self._check_mitigation(batch)
        runs = list(construct_circuits(batch).runs())
        if len(runs) > _MOST_CIRCUITS * _MOST_JOBS:
            raise InvalidValues(
                f"one batch for IonQ holds {_MOST_CIRCUITS * _MOST_JOBS} circuits, this one has "
                f"{len(runs)}: send fewer rows"
            )
        parts = _parts(runs)
        names = _names(batch, len(parts))
        known = self._known_jobs(names)
        ids: list[str] = []
        for name, part in zip(names, parts, strict=True):
            try:
                ids.append(known.get(name) or self._create(part, batch, name))
            except QuantumError as error:
                if isinstance(error, BackendError) and ids:
                    error.was_refused = False  # a part is taken, and its money is not free
                if error.transient or not ids:
                    raise  # what is there already is found by its name
                self._take_back(ids)
                told = f"IonQ took {len(ids)} of {len(parts)} jobs, which are cancelled again"
                raise Unavailable(f"{told}: {error}") from None
        return Handle(self.name, batch, extra={"client": self.client}).submitted(
            ",".join(ids), target=self.options.target
        )

    def _check_mitigation(self, batch: Batch) -> None:
        shots = _shots(batch)
        if self.options.error_mitigation.get("debiasing") and shots < _DEBIASED_SHOTS:
            raise InvalidValues(
                f"IonQ debiases {_DEBIASED_SHOTS} shots or more, not {shots}: take more shots, or "
                "leave debiasing off"
            )

    def _create(self, runs: Sequence[Run], batch: Batch, name: str) -> str:
        client = self._client  # imports the vendor's library: no part of the call
        shots, part = _shots(batch), name.removeprefix(batch.tag)
        seed = seed_of(batch.seed, part) % 2**31
        return self.line.once(lambda: client.create(runs, shots=shots, tag=name, seed=seed))

    def find(self, handle: Handle) -> Handle | None:
        """Some of several jobs are enough."""
        names = _names(handle.batch, len(_parts(range(construct_circuits(handle.batch).n_runs))))
        known = self._known_jobs(names)
        ids = [known[name] for name in names if name in known]
        return handle.submitted(",".join(ids), target=self.options.target) if ids else None

    def _take_back(self, ids: list[str]) -> None:
        """Cancels jobs that are of no use without the others; some may have cost money already."""
        for id in ids:
            with suppress(QuantumError):
                self._cancel(id)

    def status(self, handle: Handle) -> Status:
        found = {self._status_of(self._job(id)) for id in handle.job_id.split(",")}
        for status in (Status.FAILED, Status.CANCELLED):
            if status in found:
                return status
        if len(found) == 1:
            return found.pop()
        return Status.RUNNING  # some of the jobs are further than others

    def result(self, handle: Handle) -> tuple[Measured, ...]:
        wanted = construct_circuits(handle.batch)
        ids = handle.job_id.split(",")
        sizes = [len(part) for part in _parts(range(wanted.n_runs))]
        if len(ids) != len(sizes):
            raise BadAnswer(f"{len(ids)} jobs of IonQ cannot hold {wanted.n_runs} circuits")
        counts: list[Measured] = []
        for id, size in zip(ids, sizes, strict=True):
            counts += map(Measured, self._counts(id, size))
        return combine_results(handle.batch, counts)

    def _counts(self, job_id: str, n_circuits: int) -> list[dict[str, int]]:
        job = self._job(job_id)
        if self._status_of(job) is not Status.SUCCEEDED:
            told = job.get("failure")
            failure = told if isinstance(told, dict) else {"error": told}
            reason = failure.get("error") or failure.get("message") or f"it is {job['status']}"
            raise JobFailed(f"IonQ's job {job_id} has no result: {reason}")
        client = self._client
        counts = self.line.ask(lambda: client.counts(job, n_circuits=n_circuits))
        if len(counts) != n_circuits:
            raise BadAnswer(f"IonQ sent {len(counts)} results for {n_circuits} circuits")
        return counts

    def cancel(self, handle: Handle) -> None:
        for id in handle.job_id.split(","):
            self._cancel(id)

    def _cancel(self, job_id: str) -> None:
        client = self._client
        # IonQ would mark a completed job as cancelled.
        if not self._status_of(self._job(job_id)).is_final:
            self.line.ask(lambda: client.cancel(job_id))

    def price(self, handle: Handle) -> float | None:
        """What IonQ charges for the jobs."""
        if not self.options.on_machine:
            return 0.0
        total = 0.0
        for id in handle.job_id.split(","):
            value = _part(self._get(f"jobs/{id}/cost"), "cost").get("value")
            if not isinstance(value, (int, float)):
                return None
            total += float(value)
        return total

    def _job(self, job_id: str) -> dict[str, Any]:
        return self._get(f"jobs/{job_id}")

    def _known_jobs(self, names: Collection[str]) -> dict[str, str]:
        """The ids of jobs with these names, among the newest at IonQ, which finds none by name;
        without those that came to nothing."""
        found: dict[str, str] = {}
        query: dict[str, Any] = {"limit": _PAGE_JOBS}
        for _ in range(_MOST_PAGES):
            page = self._get("jobs", query)
            jobs = page.get("jobs")
            if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
                raise BadAnswer("IonQ sent no list of jobs")
            for job in jobs:
                name, id = job.get("name"), job.get("id")
                if name in names and isinstance(id, str) and job.get("status") not in _LOST:
                    found.setdefault(name, id)  # the newest one comes first
            if len(found) == len(names) or not page.get("next"):
                break
            query["next"] = page["next"]
        return found

    @cached_property
    def _errors(self) -> dict[str, float]:
        """The errors of the machine's last characterisation; none of the simulator's."""
        if not self.options.on_machine:
            return {}
        path = f"backends/{self.options.target}/characterizations"
        try:
            found = self._get(path, {"limit": 1}).get("characterizations")
        except (JobNotFound, BadAnswer):
            return {}  # a machine that was never characterised can be used all the same
        latest = found[0] if isinstance(found, list) and found else None
        errors = {}
        for ours, theirs in (("two_qubit", "2q"), ("readout", "spam")):
            told = _part(_part(latest, "fidelity"), theirs)
            value = told.get("median") or told.get("mean")
            if isinstance(value, (int, float)):
                errors[ours] = round(1 - float(value), 9)
        return errors

    def _status_of(self, job: dict[str, Any]) -> Status:
        try:
            return _STATUSES[job["status"]]
        except KeyError:
            raise BadAnswer(f"IonQ gives no status that is known: {job.get('status')}") from None

    def _sizes(self, wanted: Batch) -> Iterator[tuple[Circuit, int, Size]]:
        """Every circuit with the number of its runs, and the largest that one of them is."""
        native = self.options.native
        runs = iter(wanted.runs())
        for circuit, rows in zip(wanted.circuits, wanted.values, strict=True):
            program = compile_native(circuit, pair=self.options.gate_pair) if native else None
            values = [each for _, each in islice(runs, len(rows))]
            sizes = [_size(p.qubits for p in program.bind(v)) for v in values] if program else []
            singles, pairs = zip(*(sizes or [_sent_size(circuit)]), strict=True)
            yield circuit, len(rows), (max(singles), max(pairs))

    def _questions(self, circuit: Circuit, batch: Batch, size: Size) -> dict[str, Any]:
        singles, pairs = size
        return {
            "type": "ionq.circuit.v1",
            "backend": self.options.target,
            "1q_gates": singles,
            "2q_gates": pairs,
            "qubits": circuit.n_qubits,
            "shots": _shots(batch),
            "error_mitigation": str(self.options.debiasing).lower(),
        }

    def _get(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        found = self.line.ask(_reader(self.credentials, path, params))
        if not isinstance(found, dict):
            raise BadAnswer("IonQ sent something that is no answer")
        return found


def simple(circuit: Circuit) -> Circuit:
    """The circuit in gates that IonQ takes as they are: on one qubit, or on two at once."""
    found: list[Instruction] = []
    for instruction in decompose(circuit, _TWO_QUBIT_BASIS).instructions:
        known = instruction.gate in _TWO_QUBIT_BASIS
        spelled = to_cnots(Circuit(circuit.n_qubits, (instruction,))).instructions
        found += [instruction] if known else spelled
    return Circuit(circuit.n_qubits, tuple(found))


def _sent_size(circuit: Circuit) -> Size:
    """Gates on one and on two qubits, at most, where IonQ makes the pulses: a SWAP takes three."""
    gates = simple(circuit).instructions
    singles, pairs = _size(gate.qubits for gate in gates)
    return singles, pairs + 2 * sum(gate.gate == "swap" for gate in gates)


def _size(gates: Iterable[tuple[int, ...]]) -> Size:
    found = Counter(len(qubits) > 1 for qubits in gates)
    return found[False], found[True]


def _shots(batch: Batch) -> int:
    return batch.shots or _DEFAULT_SHOTS


def _part(answer: Any, name: str) -> dict[str, Any]:
    """What an answer holds under the name; empty where it does not, or is no object."""
    found = answer.get(name) if isinstance(answer, dict) else None
    return found if isinstance(found, dict) else {}


def _number(answer: dict[str, Any], name: str) -> float:
    try:
        return float(answer[name])
    except (KeyError, TypeError, ValueError):
        raise BadAnswer(f"IonQ does not say the {name.replace('_', ' ')}") from None


def _parts(circuits: Sequence[_T]) -> list[list[_T]]:
    """As few parts as jobs are needed."""
    return [list(circuits[i : i + _MOST_CIRCUITS]) for i in range(0, len(circuits), _MOST_CIRCUITS)]


def _names(batch: Batch, n_parts: int) -> list[str]:
    """What the jobs of a batch are called."""
    return [batch.tag] if n_parts == 1 else [f"{batch.tag}.{n}" for n in range(n_parts)]


def _reader(
    credentials: Credentials, path: str, params: dict[str, Any] | None
) -> Callable[[], Any]:
    def read() -> Any:
        import requests

        answer = send(
            requests.get,
            f"{credentials.url}/{path}",
            params=params,
            headers={"Authorization": f"apiKey {credentials.token}"},
        )
        answer.raise_for_status()
        return answer.json()

    return read
