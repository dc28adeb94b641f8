"""Models with a history: versions, stages, metrics, and what each was made from."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from quantum.errors import InvalidValues, NotFound
from quantum.store.database import connect, writing
from quantum.store.files import write_folder
from quantum.store.tree import Tree, read_tree, write_tree

_TABLES = """
CREATE TABLE IF NOT EXISTS versions (
    name TEXT NOT NULL, version INTEGER NOT NULL, stage TEXT NOT NULL, metrics TEXT NOT NULL,
    parents TEXT NOT NULL, details TEXT NOT NULL, digest TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (name, version));
CREATE TABLE IF NOT EXISTS moves (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL, was TEXT NOT NULL,
    stage TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL);
"""
_COLUMNS = "name, version, stage, metrics, parents, details, at"


class Stage(StrEnum):
    """How far a version has come."""

    DRAFT = "draft"  # registered, nothing more
    STAGING = "staging"  # to be tried
    PRODUCTION = "production"  # in use: one version of a name at most
    ARCHIVED = "archived"  # was in use, or never will be


@dataclass(frozen=True)
class ModelVersion:
    """One version of a model.

    Args:
        parents: "name:version" of the models it was made from.
        details: whatever else is worth knowing: circuit hash, data set, seed, training run.
        at: seconds since 1970.
    """

    name: str
    version: int
    stage: Stage
    metrics: dict[str, float] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    at: float = 0.0

    @property
    def label(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True)
class Move:
    """A change of stage: from `was` to `stage`."""

    version: int
    was: Stage
    stage: Stage
    reason: str
    at: float


class ModelRegistry:
    """The models in one folder; any number of processes may register and promote at once."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._database = self.folder / "registry.sqlite3"
        with closing(connect(self._database)) as connection:
            connection.executescript(_TABLES)

    def register(
        self,
        name: str,
        tree: Tree,
        *,
        metrics: Mapping[str, float | int] | None = None,
        parents: Sequence[str] = (),
        details: Mapping[str, Any] | None = None,
    ) -> ModelVersion:
        """The next version of the model, as a draft. Its files are there before anyone sees it.

        Args:
            tree: the model's tensors, as `state_dict()` gives them, and plain values.

        Raises:
            InvalidValues: for a name that is no plain word.
            NotFound: for a parent that is not registered.
        """
        if not name or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise InvalidValues(f"a model's name is letters, digits, - _ and ., not {name!r}")
        if name.startswith("."):
            raise InvalidValues(f"a model's name starts with a letter or a digit, not {name!r}")
        if (self.folder / name).is_file():
            raise InvalidValues(f"{name!r} is a file of the registry: choose another name")
        for parent in parents:
            self.get(*_split(parent))
        numbers = {key: float(value) for key, value in (metrics or {}).items()}
        with writing(self._database) as connection:
            command = "SELECT COALESCE(MAX(version), 0) + 1 FROM versions WHERE name = ?"
            (version,) = connection.execute(command, [name]).fetchone()
            target = self._path(name, version)
            if target.exists():  # its registration died before the row was there
                target.rename(target.with_name(f".lost-{version}-{time.time_ns()}"))
            write_folder(target, lambda draft: write_tree(draft, tree))
            now = time.time()
            row = [
                name, version, Stage.DRAFT, json.dumps(numbers), json.dumps(list(parents)),
                json.dumps(dict(details or {})), _digest(target), now,
            ]  # fmt: skip
            connection.execute("INSERT INTO versions VALUES (?,?,?,?,?,?,?,?)", row)
        return self.get(name, version)

    def _path(self, name: str, version: int) -> Path:
        return self.folder / name / f"v{version}"

    def get(self, name: str, version: int | None = None) -> ModelVersion:
        """That version, or the newest; raises `NotFound`."""
        found = self.versions(name)
        for candidate in reversed(found):
            if version is None or candidate.version == version:
                return candidate
        wanted = name if version is None else f"{name}:{version}"
        raise NotFound(f"there is no model {wanted}; known: {', '.join(self.names()) or 'none'}")

    def load(self, name: str, version: int | None = None) -> Tree:
        """The tensors and values of a version; raises `NotFound` or `Damaged`."""
        return read_tree(self._path(name, self.get(name, version).version))

    def names(self) -> list[str]:
        with closing(connect(self._database)) as connection:
            command = "SELECT DISTINCT name FROM versions ORDER BY name"
            return [name for (name,) in connection.execute(command)]

    def versions(self, name: str) -> list[ModelVersion]:
        """Every version of the model, oldest first; empty where there is no such model."""
        command = f"SELECT {_COLUMNS} FROM versions WHERE name = ? ORDER BY version"
        with closing(connect(self._database)) as connection:
            return [_as_version(row) for row in connection.execute(command, [name])]

    def in_stage(self, name: str, stage: Stage | str) -> ModelVersion | None:
        """The newest version in the stage; in production there is one at most."""
        found = [each for each in self.versions(name) if each.stage == Stage(stage)]
        return found[-1] if found else None

    def promote(
        self, name: str, version: int, stage: Stage | str = Stage.PRODUCTION, *, reason: str = ""
    ) -> ModelVersion:
        """Moves a version to a stage; what was in production before is archived.

        Raises:
            NotFound: where there is no such version.
            InvalidValues: where the reason reads like a rollback's, which `rollback` alone writes.
        """
        wanted = Stage(stage)
        if reason.startswith(_ROLLBACK):
            raise InvalidValues(f"a reason does not begin with {_ROLLBACK!r}: call rollback")
        self.get(name, version)
        with writing(self._database) as connection:
            if wanted is Stage.PRODUCTION:
                command = "SELECT version FROM versions WHERE name = ? AND stage = ?"
                for (other,) in connection.execute(command, [name, wanted]).fetchall():
                    if other != version:
                        _move(connection, name, other, Stage.ARCHIVED, f"replaced by {version}")
            _move(connection, name, version, wanted, reason)
        return self.get(name, version)

    def rollback(self, name: str, *, reason: str = "") -> ModelVersion:
        """Puts the version into production that was there before; raises `NotFound`.

        Rolling back twice goes back twice: versions that were rolled back are left out.
        """
        with writing(self._database) as connection:
            line: list[int] = []  # who was in production, as rollbacks left it
            command = "SELECT version, reason FROM moves WHERE name = ? AND stage = ? ORDER BY id"
            for version, why in connection.execute(command, [name, Stage.PRODUCTION]):
                if why.startswith(_ROLLBACK):
                    line.pop()
                elif version not in line[-1:]:
                    line.append(version)
            if len(line) < 2:
                raise NotFound(f"no earlier version of {name} was in production")
            before, now = line[-2:]
            _move(connection, name, now, Stage.ARCHIVED, f"rolled back to {before}")
            _move(connection, name, before, Stage.PRODUCTION, f"{_ROLLBACK}{now}: {reason}")
        return self.get(name, before)

    def history(self, name: str) -> list[Move]:
        """Every change of stage, oldest first."""
        command = "SELECT version, was, stage, reason, at FROM moves WHERE name = ? ORDER BY id"
        with closing(connect(self._database)) as connection:
            return [
                Move(version, Stage(was), Stage(stage), reason, at)
                for version, was, stage, reason, at in connection.execute(command, [name])
            ]

    def lineage(self, name: str, version: int) -> list[ModelVersion]:
        """The version, its parents, theirs, and so on: nearest first, each once."""
        found: dict[str, ModelVersion] = {}
        waiting = [f"{name}:{version}"]
        while waiting:
            label = waiting.pop(0)
            if label not in found:
                found[label] = self.get(*_split(label))
                waiting += found[label].parents
        return list(found.values())


_ROLLBACK = "rollback from "


def _split(label: str) -> tuple[str, int]:
    name, _, version = label.rpartition(":")
    if not name or not version.isdecimal():
        raise InvalidValues(f"a version is written name:number, not {label!r}")
    return name, int(version)


def _as_version(row: tuple[Any, ...]) -> ModelVersion:
    name, version, stage, metrics, parents, details, at = row
    return ModelVersion(
        name, version, Stage(stage), json.loads(metrics), tuple(json.loads(parents)),
        json.loads(details), at,
    )  # fmt: skip


def _move(connection: Any, name: str, version: int, stage: Stage, reason: str) -> None:
    key = [name, version]
    (was,) = connection.execute(
        "SELECT stage FROM versions WHERE name = ? AND version = ?", key
    ).fetchone()
    connection.execute(
        "UPDATE versions SET stage = ? WHERE name = ? AND version = ?", [stage, *key]
    )
    connection.execute(
        "INSERT INTO moves (name, version, was, stage, reason, at) VALUES (?,?,?,?,?,?)",
        [*key, was, stage, reason, time.time()],
    )


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        total.update(file.read_bytes())
    return total.hexdigest()
