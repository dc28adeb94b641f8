"""IonQ's REST API, version 0.4, as far as its two Python clients and we speak it.

Circuits are really simulated; results are keyed as IonQ keys them, qubit 0 in the lowest bit.
"""

from math import pi
from typing import Any

from quantum.circuit import Circuit
from quantum.errors import QuantumError
from quantum.simulator import probabilities
from tests.contract.server import Answer, ContractServer, Request

KEY = "test-key-that-is-no-key"
_NAMES = {"si": "sdg", "ti": "tdg", "v": "sx", "vi": "sxdg", "xx": "rxx", "yy": "ryy", "zz": "rzz",
          "not": "x", "cnot": "cx"}  # fmt: skip
_QUBITS = {"simulator": 29, "qpu.forte-1": 36, "qpu.aria-1": 25}


class IonQServer(ContractServer):
    """Jobs go from `submitted` to `completed` as they are asked about; `hold` keeps them queued."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.hold = False
        self.fail_with = ""

    def reset(self) -> None:
        super().reset()
        self.jobs.clear()
        self.hold, self.fail_with = False, ""

    def reply(self, request: Request) -> Answer:
        if request.headers.get("Authorization") != f"apiKey {KEY}":
            return Answer(401, {"statusCode": 401, "error": "Unauthorized", "message": "bad key"})
        root, *parts = request.path.strip("/").split("/")
        if root != "v0.4":
            return _missing(request.path)
        match request.method, parts:
            case "POST", ["jobs"]:
                return self._create(request.body)
            case "GET", ["jobs"]:
                return self._list(request.query)
            case "GET", ["jobs", "estimate"]:
                return self._estimate(request.query)
            case "GET", ["backends", name] if name in _QUBITS:
                state = {"status": "available", "average_queue_time": 120}
                return Answer(200, {"backend": name, "qubits": _QUBITS[name], **state})
            case "GET", ["backends", name, "characterizations"] if name in _QUBITS:
                told = {
                    "1q": {"median": 0.9998},
                    "2q": {"median": 0.994},
                    "spam": {"median": 0.996},
                }
                return Answer(200, {"characterizations": [{"backend": name, "fidelity": told}]})
            case _, ["jobs", id, *rest] if id in self.jobs:
                return self._job(request.method, id, rest)
        return _missing(request.path)

    def _create(self, body: dict[str, Any]) -> Answer:
        given = body["input"]
        circuits = [c["circuit"] for c in given["circuits"]] if "circuits" in given else [
            given["circuit"]]  # fmt: skip
        native = given["gateset"] == "native"
        try:
            found = [_simulate(gates, given["qubits"], native=native) for gates in circuits]
        except (KeyError, QuantumError) as error:
            return Answer(400, {"statusCode": 400, "error": "Bad Request", "message": str(error)})
        id = f"job-{len(self.jobs) + 1}"
        self.jobs[id] = {"body": body, "found": found, "status": "submitted"}
        return Answer(200, {"id": id, "status": "submitted"})

    def _list(self, query: dict[str, str]) -> Answer:
        """One page, the newest first; `next` leads to the one after it."""
        newest, start = list(reversed(self.jobs)), int(query.get("next", 0))
        end = start + int(query.get("limit", 25))
        token = str(end) if end < len(newest) else None
        return Answer(200, {"jobs": [self._show(id) for id in newest[start:end]], "next": token})

    def _job(self, method: str, id: str, rest: list[str]) -> Answer:
        job = self.jobs[id]
        match method, rest:
            case "GET", []:
                self._advance(job)
                return Answer(200, self._show(id))
            case "GET", ["results", "probabilities"]:
                return Answer(200, job["found"][0])
            case "GET", ["results", "probabilities", "aggregated"]:
                return Answer(200, {f"{id}-{i}": one for i, one in enumerate(job["found"])})
            case "GET", ["cost"]:
                value = 0.25 if job["status"] == "completed" else 0.0
                return Answer(200, {"dry_run": False, "cost": {"value": value, "unit": "usd"}})
            case "PUT", ["status", "cancel"]:
                job["status"] = "canceled"
                return Answer(200, {"id": id, "status": "canceled"})
        return _missing("/".join(rest))

    def _advance(self, job: dict[str, Any]) -> None:
        steps = ["submitted", "started", "failed" if self.fail_with else "completed"]
        if not self.hold and job["status"] in steps[:2]:
            job["status"] = steps[steps.index(job["status"]) + 1]

    def _show(self, id: str) -> dict[str, Any]:
        job, body = self.jobs[id], self.jobs[id]["body"]
        shown = {
            "id": id, "type": body["type"], "backend": body["backend"], "name": body["name"],
            "status": job["status"], "metadata": body["metadata"], "noise": body.get("noise", {}),
            "stats": {"qubits": body["input"]["qubits"], "circuits": len(job["found"])},
            "execution_duration_ms": 12,
        }  # fmt: skip
        many = body["type"] == "ionq.multi-circuit.v1"
        if many:
            shown["child_job_ids"] = [f"{id}-{i}" for i in range(len(job["found"]))]
        if job["status"] == "completed":
            end = "/aggregated" if many else ""
            url = f"/v0.4/jobs/{id}/results/probabilities{end}"
            shown["results"] = {"probabilities": {"url": url}}
        if job["status"] == "failed":
            shown["failure"] = {"code": "machine", "error": self.fail_with}
        return shown

    def _estimate(self, query: dict[str, str]) -> Answer:
        gates = int(query["1q_gates"]) * 0.0001 + int(query["2q_gates"]) * 0.001
        return Answer(200, {
            "estimated_cost": gates * int(query["shots"]), "cost_unit": "usd",
            "estimated_execution_time": 12, "current_predicted_queue_time": 3600,
        })  # fmt: skip


def _missing(what: str) -> Answer:
    return Answer(404, {"statusCode": 404, "error": "Not Found", "message": what})


def _simulate(gates: list[dict[str, Any]], n_qubits: int, *, native: bool) -> dict[str, float]:
    circuit = Circuit(n_qubits)
    for gate in gates:
        circuit = _add(circuit, gate, native=native)
    (found,) = probabilities(circuit).double().tolist()
    return {str(int(f"{index:0{n_qubits}b}"[::-1], 2)): chance
            for index, chance in enumerate(found) if chance > 1e-9}  # fmt: skip


def _add(circuit: Circuit, gate: dict[str, Any], *, native: bool) -> Circuit:
    targets = gate.get("targets") or [gate["target"]]
    controls = gate.get("controls") or ([gate["control"]] if "control" in gate else [])
    name = _NAMES.get(gate["gate"], gate["gate"])
    qubits = (*controls, *targets)
    if native:  # angles in turns
        if name in ("gpi", "gpi2"):
            return circuit.gate(name, qubits, [2 * pi * gate["phase"]])
        if name == "ms":
            angles = [2 * pi * phase for phase in gate["phases"]]
            return circuit.gate("ms", qubits, [*angles, 2 * pi * gate.get("angle", 0.25)])
        turns = gate["angle"] if "angle" in gate else gate["phase"]  # qiskit-ionq, cirq-ionq
        return circuit.gate("rzz", qubits, [2 * pi * turns])
    if name == "z" and "rotation" in gate:  # qiskit-ionq writes phases so
        return circuit.mcp(gate["rotation"], qubits)
    if controls and name == "sx":
        return circuit.p(pi / 4, controls[0]).crx(pi / 2, controls[0], targets[0])
    if controls and name != "cx":
        name = "c" * len(controls) + name
    angles = [gate["rotation"]] if "rotation" in gate else []
    return circuit.gate(name, qubits, angles)
