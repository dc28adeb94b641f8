"""What hints mean to the Lab's pages: rows and files are read again and shown as they are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.template.loader import render_to_string

from webapp.lab import pages
from webapp.live.fragments import Fragment
from webapp.live.messages import Entry, Message, packed, text
from webapp.models import LabRun

NEWEST = 30


class RunPage:
    """One run: its head, how far it is, its curves, its executions, its result."""

    def __init__(self, run_id: UUID | str) -> None:
        self._run_id = run_id

    def build(self, entries: Sequence[Entry]) -> list[Message]:
        """What changed: the curves alone while it runs, everything when its status moved."""
        changes = {hint["change"] for hint in _hints(entries)}
        run = LabRun.objects.filter(pk=self._run_id).first()
        if run is None:
            return [_message("lab-gone", [], {"kind": "gone"})]
        return [*self._messages(run, changes)]

    def snapshot(self, since: str) -> list[Message]:
        """Everything as it is now."""
        run = LabRun.objects.filter(pk=self._run_id).first()
        return [] if run is None else [*self._messages(run, {"status", "execution"})]

    def _messages(self, run: LabRun, changes: set[str]) -> Iterable[Message]:
        """Each in a slot of its own: a newer one of a kind replaces an older one on its way."""
        event = {
            "kind": "run",
            "status": run.status,
            "attempt": run.attempt,
            "percent": run.percent,
        }
        yield _message("lab-progress", [_part("run_progress", run)], event)
        yield _message("lab-curves", [], {"kind": "figures", "figures": pages.figures(run)})
        if "execution" in changes or "status" in changes:
            yield _message("lab-executions", [_part("run_executions", run)], {"kind": "executions"})
        if "status" in changes:
            parts = [_part(name, run) for name in ("run_head", "run_result")]
            yield _message("lab-status", parts, {**event, "kind": "status"})


class OwnPage:
    """The runs of one person, and word that their executions moved."""

    def __init__(self, user_id: Any) -> None:
        self._runs = LabRun.objects.filter(owner_id=user_id)

    def build(self, entries: Sequence[Entry]) -> list[Message]:
        """The rows of the runs that the hints name, each once."""
        hints = list(_hints(entries))
        names = dict.fromkeys(hint["run"] for hint in hints)
        found = {str(run.pk): run for run in self._runs.filter(pk__in=names)}
        messages = [_run_row(found[name]) if name in found else _gone(name) for name in names]
        if any(hint["change"] in ("execution", "status") for hint in hints):
            messages.append(_message("lab-ran", [], {"kind": "executions"}))
        return messages

    def snapshot(self, since: str) -> list[Message]:
        """The rows of the newest runs."""
        return [_run_row(run) for run in self._runs[:NEWEST]]


class SharedPage:
    """The backends and the registry."""

    def build(self, entries: Sequence[Entry]) -> list[Message]:
        """What the hints name, as it is now."""
        changes = {hint["change"] for hint in _hints(entries)}
        backends = [_backends()] if "backends" in changes else []
        return [*backends, *([_registry()] if "registry" in changes else [])]

    def snapshot(self, since: str) -> list[Message]:
        """Both."""
        return [_backends(), _registry()]


def _hints(entries: Sequence[Entry]) -> Iterable[dict[str, str]]:
    return (json.loads(fields[b"data"]) for _, fields in entries if b"data" in fields)


def _part(name: str, run: LabRun) -> Fragment:
    context = pages.run_context(run)
    return Fragment(f"lab-{name.replace('_', '-')}", render_to_string(f"lab/{name}.html", context))


def _run_row(run: LabRun) -> Message:
    part = Fragment(f"run-{run.pk}", render_to_string("lab/run_row.html", {"run": run}))
    extra = {"kind": "run", "run": str(run.pk), "status": run.status}
    return _message(f"lab-run-{run.pk}", [part], extra)


def _gone(name: str) -> Message:
    return _message(f"lab-run-{name}", [], {"kind": "run", "run": name, "status": "deleted"})


def _backends() -> Message:
    """The cards of the Backends page, and the tests alone for the Settings."""
    parts = [
        Fragment(f"{target}-{reading.name}", render_to_string(f"lab/{target}.html", {"b": reading}))
        for reading in pages.backends()
        for target in ("backend", "connection")
    ]
    return _message("lab-backends", parts, {"kind": "backends"})


def _registry() -> Message:
    html = render_to_string("lab/registry_list.html", pages.registry())
    return _message("lab-registry", [Fragment("registry", html)], {"kind": "registry"})


def _message(slot: str, parts: Iterable[Fragment], event: dict[str, Any]) -> Message:
    return Message(id="", kind="lab", slot=slot, fragments=packed(parts), events=(text(event),))
