"""IBM's REST API as far as qiskit-ibm-runtime speaks it, with one small fake device behind it.

Jobs are run by the runtime's own local mode, and answers travel in the runtime's own encoding.
"""

import json
import time
from pathlib import Path
from typing import Any

import jwt
from qiskit_ibm_runtime import EstimatorV2, RuntimeDecoder, RuntimeEncoder, SamplerV2
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from tests.contract.server import Answer, ContractServer, Request

KEY = "test-token-that-is-no-token"
CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/0:00000000-0000-0000-0000-000000000000::"
_SIGNATURE = "k" * 32


class IBMServer(ContractServer):
    """Jobs go from Queued to Completed as they are asked about; `hold` keeps them queued."""

    def __init__(self) -> None:
        super().__init__()
        self.device = FakeManilaV2()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.hold = False
        self.fail_with = ""

    def reset(self) -> None:
        super().reset()
        self.jobs.clear()
        self.sessions.clear()
        self.hold, self.fail_with = False, ""

    def reply(self, request: Request) -> Answer:
        parts = request.path.strip("/").split("/")
        if parts == ["identity", "token"]:
            return self._token(request.text)
        if request.headers.get("Service-CRN") != CRN or not self._allowed(request):
            return Answer(401, {"errors": [{"code": 1200, "message": "unauthorized"}]})
        match request.method, parts:
            case "GET", ["backends"]:
                return Answer(200, {"devices": [self._listed()]})
            case "GET", ["backends", "test_manila", what]:
                return Answer(200, self._about(what))
            case "POST", ["jobs"]:
                return self._create(request)
            case "GET", ["jobs"]:
                return self._list(request)
            case "POST", ["sessions"]:
                id = f"session-{len(self.sessions) + 1}"
                self.sessions[id] = request.body
                return Answer(200, {"id": id})
            case _, ["sessions", id, *_]:
                self.sessions[id]["closed"] = request.method in ("PATCH", "DELETE")
                return Answer(200, {"id": id, "state": "open", "accepting_jobs": True})
            case "GET", ["instances", "usage"]:
                return Answer(200, {"usage_consumed_seconds": 5, "usage_limit_seconds": 600,
                                    "usage_remaining_seconds": 595})  # fmt: skip
            case _, ["jobs", id, *rest] if id in self.jobs:
                return self._job(request.method, id, rest)
        return Answer(404, {"errors": [{"code": 1291, "message": "Job not found."}]})

    def _token(self, text: str) -> Answer:
        if KEY not in text:
            return Answer(400, {"errorCode": "BXNIM0415E", "errorMessage": "no such key"})
        moment = int(time.time())
        claims = {"iat": moment, "exp": moment + 3600, "sub": "test"}
        token = jwt.encode(claims, _SIGNATURE, algorithm="HS256")
        return Answer(200, {"access_token": token, "refresh_token": "-", "token_type": "Bearer",
                            "expires_in": 3600, "expiration": moment + 3600})  # fmt: skip

    def _allowed(self, request: Request) -> bool:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            return kind == "Bearer" and bool(jwt.decode(token, _SIGNATURE, ["HS256"]))
        except jwt.InvalidTokenError:
            return False

    def _listed(self) -> dict[str, Any]:
        return {"name": "test_manila", "backend_name": "test_manila", "is_simulator": False,
                "status": {"name": "online", "reason": "available"}, "queue_length": 3,
                "qubits": 5, "clops": {"value": 1}}  # fmt: skip

    def _about(self, what: str) -> Any:
        folder = Path(self.device.dirname)
        if what == "configuration":
            found = json.loads((folder / self.device.conf_filename).read_text())
            return found | {"backend_name": "test_manila", "simulator": False}
        if what == "properties":
            return json.loads((folder / self.device.props_filename).read_text())
        return {"state": True, "status": "active", "message": "", "length_queue": 3,
                "backend_version": "1.0.0"}  # fmt: skip

    def _create(self, request: Request) -> Answer:
        body = json.loads(request.text, cls=RuntimeDecoder)
        id = f"job-{len(self.jobs) + 1}"
        self.jobs[id] = {"body": body, "status": "Queued"}
        return Answer(200, {"id": id, "backend": body.get("backend")})

    def _list(self, request: Request) -> Answer:
        tag = request.query.get("tags")
        jobs = reversed(self.jobs.items())  # the newest first
        found = [id for id, job in jobs if not tag or tag in job["body"]["tags"]]
        return Answer(200, {"jobs": [self._show(id) for id in found], "count": len(found)})

    def _job(self, method: str, id: str, rest: list[str]) -> Answer:
        job = self.jobs[id]
        match method, rest:
            case "GET", []:
                steps = ["Queued", "Running", "Failed" if self.fail_with else "Completed"]
                if not self.hold and job["status"] in steps[:2]:
                    job["status"] = steps[steps.index(job["status"]) + 1]
                return Answer(200, self._show(id))
            case "GET", ["results"]:
                return Answer(200, text=self._run(job))
            case "POST", ["cancel"]:
                job["status"] = "Cancelled"
                return Answer(204)
            case "GET", ["metrics"]:
                return Answer(200, {"usage": {"quantum_seconds": 2}, "timestamps": {}})
        return Answer(404, {"errors": [{"code": 404, "message": "/".join(rest)}]})

    def _run(self, job: dict[str, Any]) -> str:
        if "result" not in job:
            pubs = [tuple(pub) for pub in job["body"]["params"]["pubs"]]
            primitive = {"sampler": SamplerV2, "estimator": EstimatorV2}[job["body"]["program_id"]]
            done = primitive(mode=self.device).run(pubs).result()
            job["result"] = json.dumps(done, cls=RuntimeEncoder)
        return job["result"]

    def _show(self, id: str) -> dict[str, Any]:
        job = self.jobs[id]
        state = {"status": job["status"]}
        if job["status"] == "Failed":
            state |= {"reason": self.fail_with, "reason_code": 1517}
        return {"id": id, "backend": "test_manila", "status": job["status"], "state": state,
                "program": {"id": job["body"]["program_id"]}, "created": "2026-11-20T00:00:00Z",
                "tags": job["body"].get("tags", []), "estimated_running_time_seconds": 2.1,
                "usage": {"seconds": 2}}  # fmt: skip
