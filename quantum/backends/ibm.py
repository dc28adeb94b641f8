"""IBM Quantum through qiskit-ibm-runtime: its machines, and fake ones in local testing mode.

A batch is one job of the Sampler (bit strings) or the Estimator (means): circuits are compiled for
the device once per structure, parameter values travel beside them. Names that start with `fake_`
run here, with that device's noise; IBM's options for machines have no effect there.
"""

import io
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Any

from quantum.backends.base import (
    Batch,
    Capabilities,
    Estimate,
    Handle,
    Measured,
    Status,
    seed_of,
)
from quantum.backends.cache import FileCache, compiled_key
from quantum.backends.credentials import Credentials, need_packages
from quantum.backends.ibm_circuits import counts_from_qiskit, to_qiskit, to_sparse_pauli
from quantum.backends.line import Line, quiet_vendors
from quantum.backends.simulated import check_size
from quantum.circuit import Circuit
from quantum.errors import BadAnswer, DoesNotFit, InvalidValues, JobFailed, NotConfigured
from quantum.measurement import group_words

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_STATUSES = {
    "INITIALIZING": Status.QUEUED,
    "QUEUED": Status.QUEUED,
    "VALIDATING": Status.QUEUED,
    "RUNNING": Status.RUNNING,
    "DONE": Status.SUCCEEDED,
    "ERROR": Status.FAILED,
    "CANCELLED": Status.CANCELLED,
}
_SECONDS_PER_SHOT = 250e-6  # IBM's default delay between shots
_OVERHEAD_SECONDS = 2.0  # IBM's rule of thumb per job
_NOISE_FACTORS = 3  # at level 2 the Estimator measures everything at noise times 1, 3 and 5


@dataclass(frozen=True)
class IBMOptions:
    """How IBM runs a batch.

    Args:
        device: a name; empty for the least busy one that is large enough; `fake_…` runs here.
        mode: `job`, or `batch` and `session`, which keep the machine for several jobs.
        optimization_level: of Qiskit's compiler, 0 to 3.
        decoupling: dynamical decoupling in idle times: a sequence such as `XY4`, or empty for none.
        twirl_gates, twirl_measurement: random Paulis around gates, and before measurement; None
            leaves it to the resilience level: 1 twirls measurement, 2 gates too.
        resilience_level: the Estimator's: 0 none, 1 readout, 2 adds zero-noise extrapolation, which
            takes three times as long.
        max_execution_seconds: IBM ends the job then; None takes twice the estimate, and at
            least 10 s. So much is set aside of the budget.
        usd_per_second: price of the machine; 0 on IBM's open plan.
        longest_session_seconds: IBM ends a batch or session then, should nobody close it.
    """

    device: str = ""
    mode: str = "job"
    optimization_level: int = 2
    decoupling: str = ""
    twirl_gates: bool | None = None
    twirl_measurement: bool | None = None
    resilience_level: int = 1
    max_execution_seconds: int | None = None
    usd_per_second: float = 1.6
    longest_session_seconds: int = 3600

    def __post_init__(self) -> None:
        if self.mode not in ("job", "batch", "session"):
            raise InvalidValues(f"IBM's modes are job, batch and session, not {self.mode!r}")
        if self.decoupling not in ("", "XX", "XpXm", "XY4"):
            raise InvalidValues(f"IBM decouples by XX, XpXm or XY4, not {self.decoupling!r}")
        if not 0 <= self.optimization_level <= 3 or not 0 <= self.resilience_level <= 2:
            raise InvalidValues("optimization_level is 0 to 3, resilience_level 0 to 2")

    @property
    def is_local(self) -> bool:
        return self.device.startswith("fake_")


@dataclass(frozen=True)
class IBMBackend:
    """IBM Quantum.

    Args:
        credentials: not needed for fake devices.
        cache: of compiled circuits.
    """

    credentials: Credentials | None = None
    options: IBMOptions = field(default_factory=IBMOptions)
    cache: FileCache | None = None
    line: Line = field(default_factory=lambda: Line("IBM Quantum", limit_seconds=120.0))
    name: str = "ibm"
    _here: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.credentials is not None:
            self.line.secrets = (self.credentials.token, self.credentials.instance)
        elif not self.options.is_local:
            raise NotConfigured("IBM Quantum is not configured: set QISKIT_IBM_TOKEN")

    @cached_property
    def _service(self) -> Any:
        need_packages("ibm")
        from quantum.backends.ibm_service import connect

        credentials = self.credentials
        assert credentials is not None
        return self.line.ask(lambda: connect(credentials))

    @cached_property
    def _fake(self) -> Any:
        need_packages("ibm")
        from quantum.backends.ibm_service import find_fake

        quiet_vendors()
        return find_fake(self.options.device)

    def _device(self, n_qubits: int = 1) -> Any:
        """The machine: one for all questions and jobs, unless a batch needs a larger one."""
        if self.options.is_local:
            return self._fake
        device = self._here.get("device")
        if device is not None:
            has = self.line.ask(lambda: device.target).num_qubits
            if self.options.device or n_qubits <= has:
                return device
        found = self.line.ask(lambda: self._find(n_qubits))
        if device is not None:
            self.close()  # a batch or session is one machine's
        self._here["device"] = found
        return found

    def _find(self, n_qubits: int) -> Any:
        from qiskit.providers.exceptions import QiskitBackendNotFoundError

        if self.options.device:
            device = self._service.backend(self.options.device)
        else:
            try:
                device = self._service.least_busy(min_num_qubits=n_qubits, operational=True)
            except QiskitBackendNotFoundError:
                raise DoesNotFit(f"no machine at IBM works and has {n_qubits} qubits") from None
        _ = device.target  # a device asks for this when it is first looked at: on the line
        return device

    def capabilities(self) -> Capabilities:
        device = self._device()
        target = self.line.ask(lambda: device.target)
        coupling = target.build_coupling_map()
        queue = 0 if self.options.is_local else self.line.ask(device.status).pending_jobs
        return Capabilities(
            target.num_qubits,
            is_device=not self.options.is_local,
            coupling=None if coupling is None else tuple(map(tuple, coupling.get_edges())),
            max_shots=100_000,
            default_shots=4096,
            pays=not self.options.is_local and self.options.usd_per_second > 0,
            queue_jobs=queue,
            errors=_errors(target),
        )

    def estimate(self, batch: Batch) -> Estimate:
        seconds = _run_seconds(batch, level=self.options.resilience_level)
        if self.options.is_local:
            return Estimate(0.0, seconds, 0.0, note="a fake device, simulated here")
        pending = self.line.ask(self._device(batch.n_qubits).status).pending_jobs
        return Estimate(
            None if pending else 0.0,
            seconds,
            seconds * self.options.usd_per_second,
            note=f"IBM's rule of thumb; {pending} jobs wait before it, nobody says how long",
            ceiling=self._longest_seconds(batch) * self.options.usd_per_second,
        )

    def _longest_seconds(self, batch: Batch) -> int:
        """The machine's time that the job may take, and be charged for, before IBM ends it."""
        limit = self._limit_seconds(batch)
        return limit if self.options.mode == "job" else self.options.longest_session_seconds

    def _limit_seconds(self, batch: Batch) -> int:
        """When IBM ends the job; raises `DoesNotFit` where that is sure to be before it is done."""
        options = self.options
        needed = _run_seconds(batch, level=options.resilience_level)
        limit = options.max_execution_seconds or max(10, ceil(2 * needed))
        longest = limit if options.mode == "job" else min(limit, options.longest_session_seconds)
        if needed > longest:
            raise DoesNotFit(
                f"the job would take IBM about {needed:.0f} s and be ended after {longest} s: take "
                "fewer shots, rows or words, or give it more time"
            )
        return limit

    def price(self, handle: Handle) -> float | None:
        """Seconds of the machine that IBM charges for the job, at the price per second.

        None in a session: IBM charges for all of its time, whoever's jobs run.
        """
        if self.options.is_local:
            return 0.0
        if self.options.mode == "session":
            return None
        metrics = self.line.ask(lambda: self._job(handle).metrics())
        seconds = (metrics.get("usage") or {}).get("quantum_seconds")
        return None if seconds is None else float(seconds) * self.options.usd_per_second

    def usage(self) -> dict[str, Any]:
        """What IBM says of the account: seconds used and left in this period."""
        return dict(self.line.ask(self._service.usage))

    def submit(self, batch: Batch) -> Handle:
        device = self._device(batch.n_qubits)
        n_qubits = self.line.ask(lambda: device.target).num_qubits
        limits = Capabilities(n_qubits, max_shots=100_000)
        check_size(batch, limits, f"IBM's {device.name}")
        handle = Handle(self.name, batch)
        if self.options.is_local:
            self._here[batch.tag] = self._send_here(batch)
            return handle.submitted(f"local-{batch.tag}", device=self.options.device)
        if known := self.line.ask(lambda: self._known_job(batch.tag)):
            return handle.submitted(known, device=device.name)
        self._limit_seconds(batch)  # raises before a session is opened for nothing
        programs = [self.compile(circuit, device, batch) for circuit in batch.circuits]
        job = self.line.once(lambda: self._send(programs, self._mode(device), batch))
        return handle.submitted(job.job_id(), device=device.name)

    def find(self, handle: Handle) -> Handle | None:
        if self.options.is_local:
            return None
        known = self.line.ask(lambda: self._known_job(handle.tag))
        return handle.submitted(known) if known else None

    def _known_job(self, tag: str) -> str:
        """The id of the newest job with the tag, unless it came to nothing; to be called on the
        line."""
        for job in self._service.jobs(job_tags=[tag], limit=1):
            if self._status_of(job.status()) not in (Status.FAILED, Status.CANCELLED):
                return str(job.job_id())
        return ""

    def status(self, handle: Handle) -> Status:
        if handle.job_id in self._here:
            return Status.CANCELLED
        return self._status_of(self.line.ask(lambda: self._job(handle).status()))

    def result(self, handle: Handle) -> tuple[Measured, ...]:
        status = self.status(handle)
        if status is not Status.SUCCEEDED:
            reason = status.value if status is not Status.FAILED else self._why(handle)
            raise JobFailed(f"IBM's job {handle.job_id} has no result: {reason}")
        options = {} if self.options.is_local else {"timeout": 1}  # it is done
        # A job of the vendor's keeps the answer that it got, garbage too: each try asks a new one.
        return self.line.ask(lambda: _read(handle.batch, self._job(handle).result(**options)))

    def cancel(self, handle: Handle) -> None:
        if self.status(handle).is_final:
            return
        self.line.ask(lambda: self._job(handle).cancel())
        if self.options.is_local:
            self._here[handle.job_id] = Status.CANCELLED  # a thread that runs cannot be stopped

    def close(self) -> None:
        """Ends the batch or session, so that it costs no more."""
        mode = self._here.pop("mode", None)
        if mode is not None:
            self.line.ask(mode.close)

    def _mode(self, device: Any) -> Any:
        if self.options.mode == "job":
            return device
        if "mode" not in self._here:
            from quantum.backends.ibm_service import open_mode

            longest = self.options.longest_session_seconds
            self._here["mode"] = open_mode(self.options.mode, device, longest_seconds=longest)
        return self._here["mode"]

    def _job(self, handle: Handle) -> Any:
        """The vendor's job, asked for anew; to be called on the line."""
        if not self.options.is_local:
            return self._service.job(handle.job_id)
        if handle.tag not in self._here:  # after a restart: local jobs die with their process
            self._here[handle.tag] = self._send_here(handle.batch)
        return self._here[handle.tag]

    def _why(self, handle: Handle) -> str:
        """What the provider says about a failure."""
        told = self.line.ask(lambda: getattr(self._job(handle), "error_message", str)())
        return str(told or "it failed")

    def _send_here(self, batch: Batch) -> Any:
        programs = [self.compile(circuit, self._fake, batch) for circuit in batch.circuits]
        return self.line.once(lambda: self._send(programs, self._fake, batch))

    def _send(self, programs: "list[QuantumCircuit]", mode: Any, batch: Batch) -> Any:
        from quantum.backends.ibm_service import run_primitive

        pairs = zip(programs, batch.circuits, batch.values, strict=True)
        pubs = [pub for pair in pairs for pub in _pubs(*pair, batch)]
        return run_primitive(mode, pubs, self._settings(batch), batch)

    def compile(self, circuit: Circuit, device: Any, batch: Batch) -> "QuantumCircuit":
        """The circuit in the device's gates and on its qubits, its parameters still free."""
        # The compiler asks the device for its calibration, which may ask the provider.
        return self.line.ask(lambda: self._compile(circuit, device, batch))

    def _compile(self, circuit: Circuit, device: Any, batch: Batch) -> "QuantumCircuit":
        from qiskit import qpy
        from qiskit.transpiler import generate_preset_pass_manager

        measure, like = not batch.observables, batch.placed_as
        places = None if like is None else self._places(like, device, batch)

        def work() -> bytes:
            manager = generate_preset_pass_manager(
                optimization_level=self.options.optimization_level,
                backend=device,
                seed_transpiler=0,
                initial_layout=places,
            )
            stream = io.BytesIO()
            qpy.dump(manager.run(to_qiskit(circuit, measure=measure)), stream)
            return stream.getvalue()

        if self.cache is None:
            data = work()
        else:
            date = getattr(getattr(device, "properties", lambda: None)(), "last_update_date", "")
            level = self.options.optimization_level
            data = self.cache.remember(
                compiled_key(circuit, self.name, device.name, date, level, measure, places), work
            )
        (program,) = qpy.load(io.BytesIO(data))
        return program

    def _places(self, circuit: Circuit, device: Any, batch: Batch) -> list[int]:
        """The device's qubits on which the circuit is read."""
        program = self._compile(circuit, device, replace(batch, placed_as=None))
        places: list[int] = program.layout.final_index_layout()
        return places

    def _settings(self, batch: Batch) -> dict[str, Any]:
        """The options of the primitive that runs the batch."""
        options = self.options
        if options.is_local:
            return {"simulator": {"seed_simulator": seed_of(batch.seed) % 2**31}}
        settings: dict[str, Any] = {
            "max_execution_time": self._limit_seconds(batch),
            "environment": {"job_tags": [batch.tag]},
        }
        gates, measurement = options.twirl_gates, options.twirl_measurement
        twirling = {"enable_gates": gates, "enable_measure": measurement}
        if said := {name: value for name, value in twirling.items() if value is not None}:
            settings["twirling"] = said
        if options.decoupling:
            settings["dynamical_decoupling"] = {
                "enable": True,
                "sequence_type": options.decoupling,
            }
        if batch.observables:
            settings["resilience_level"] = options.resilience_level
        return settings

    def _status_of(self, told: Any) -> Status:
        if isinstance(told, Status):
            return told
        name = str(getattr(told, "name", told)).upper()
        if name not in _STATUSES:
            raise BadAnswer(f"IBM gives no status that is known: {name}")
        return _STATUSES[name]


def _run_seconds(batch: Batch, *, level: int) -> float:
    """IBM's rule of thumb for the machine's time.

    The Estimator takes the shots for every basis that it measures in. Above level 0 it measures
    the readout of each circuit's qubits as often, and at level 2 everything at several noises.
    """
    n_settings = batch.n_runs
    if batch.observables:
        n_settings *= max(1, len(group_words(batch.observables)))
        n_settings *= _NOISE_FACTORS if level > 1 else 1
        n_settings += len(batch.circuits) if level > 0 else 0
    return _OVERHEAD_SECONDS + n_settings * (batch.shots or 4096) * _SECONDS_PER_SHOT


def _pubs(program: "QuantumCircuit", circuit: Circuit, values: Any, batch: Batch) -> list[Any]:
    """What a primitive takes for one circuit: all rows at once; without parameters one by one."""
    names = (*circuit.weights, *circuit.inputs)
    head: tuple[Any, ...] = (program,)
    if batch.observables:
        operators = [
            to_sparse_pauli(observable, circuit.n_qubits).apply_layout(program.layout)
            for observable in batch.observables
        ]
        head = (program, operators)
    if not names:
        return [head] * len(values)
    table = {names: values.numpy()}
    if batch.observables:
        table = {names: values.numpy()[:, None]}  # [row, 1] beside [observable]
    return [(*head, table)]


def _read(batch: Batch, found: Any) -> tuple[Measured, ...]:
    """The rows of every circuit in what a primitive gave."""
    measured: list[Measured] = []
    results = iter(found)
    for circuit, rows in zip(batch.circuits, batch.values, strict=True):
        if circuit.weights or circuit.inputs:
            data = next(results).data
            measured += [_one(data, batch, (row,)) for row in range(len(rows))]
        else:
            measured += [_one(next(results).data, batch, ()) for _ in range(len(rows))]
    return tuple(measured)


def _one(data: Any, batch: Batch, index: tuple[int, ...]) -> Measured:
    if not batch.observables:
        return Measured(counts_from_qiskit(data.meas.get_counts(index or None)))
    means, errors = (
        tuple(float(v) for v in part[index].reshape(-1)) for part in (data.evs, data.stds)
    )
    return Measured(means=means, errors=errors)


def _errors(target: Any) -> dict[str, float]:
    """The median error of gates on two qubits and of readout, where the device tells."""
    found: dict[str, list[float]] = {"two_qubit": [], "readout": []}
    for name in target.operation_names:
        for qubits, properties in (target[name] or {}).items():
            error = getattr(properties, "error", None)
            if qubits is None or error is None or error >= 1:
                continue
            if name == "measure":
                found["readout"].append(error)
            elif len(qubits) == 2:
                found["two_qubit"].append(error)
    return {name: float(median(values)) for name, values in found.items() if values}
