"""The folder of weights that were downloaded or imported: what is there, and is it whole.

`NAME.safetensors` holds our tensors, `NAME.json` says where they came from. The JSON is written
last: a model is here when both are, so that a conversion that died leaves nothing behind that
looks like a model. Readable without torch.
"""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import IO

from folding.errors import WeightsError
from folding.model.config import SMALL
from folding.weights import cards
from folding.weights.catalog import CATALOG, YOURS, Model
from folding.weights.configs import ALPHAFOLD3, OPENFOLD3, PROTENIX

CHUNK = 4 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# The JSON first: without it the tensors no longer count.
_ENDINGS = (".json", ".safetensors", ".checkpoint", ".checkpoint.part", ".checkpoint.part.json")
SHIPPED = Path(__file__).parent / "data"

Progress = Callable[[int, int], None]
"""Hears how many bytes of how many are done; what it raises ends the work."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Where a weights file came from; stands in the JSON beside it.

    Args:
        sha256: Of the safetensors file, in hexadecimal.
        bytes: Its size.
        source: Address or file name that it was made from.
        source_sha256: Of that file.
        source_checked: Whether the publisher's checksum was known and met; otherwise the checksum
            is only what came the first time.
        dialect: Whose names the source's tensors bore.
        config: Name of the configuration within the dialect.
        made_by: Version of the code that converted it.
        made_at: ISO 8601 with its offset.
    """

    name: str
    sha256: str
    bytes: int
    source: str
    source_sha256: str
    source_checked: bool
    dialect: str
    config: str
    parameters: int
    made_by: str
    made_at: str


class Store:
    """The weights in one folder, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Where the tensors of this model lie, or will.

        Raises:
            WeightsError: this cannot be the name of a model.
        """
        if not _NAME.fullmatch(name):
            raise WeightsError(
                f"{name[:80]!r} cannot be the name of a model: up to 64 letters, digits, dots, "
                "dashes and underscores can."
            )
        folder = SHIPPED if name in cards.names() else self.folder
        return folder / f"{name}.safetensors"

    def facts(self, name: str) -> Facts:
        """Where a model that is here came from.

        Raises:
            WeightsError: it is not here, or its JSON cannot be read.
        """
        path = self.path(name).with_suffix(".json")
        try:
            return Facts(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise WeightsError(not_here(name)) from None
        except (ValueError, TypeError) as error:
            raise WeightsError(
                f"{path.name} beside the weights cannot be read ({error}). Remove {name} and "
                "download or import it again."
            ) from None

    def is_here(self, name: str) -> bool:
        """Whether the model can be loaded."""
        if name in cards.names():
            return True
        with contextlib.suppress(WeightsError):
            path = self.path(name)
            return path.is_file() and path.with_suffix(".json").is_file()
        return False

    def imported(self) -> list[str]:
        """The models here that the catalogue does not know, by name."""
        if not self.folder.is_dir():
            return []
        names = {path.stem for path in self.folder.glob("*.safetensors")}
        return sorted(name for name in names - CATALOG.keys() if self._is_known(name))

    def unreadable(self) -> list[str]:
        """The models whose two files are here, but whose note does not say what they are."""
        names = {path.stem for path in self.folder.glob("*.safetensors")} - CATALOG.keys()
        return sorted(n for n in names if self.is_here(n) and not self._is_known(n))

    def _is_known(self, name: str) -> bool:
        """Whether an imported model is here, and its note says what it is."""
        with contextlib.suppress(WeightsError):
            return self.is_here(name) and bool(self.model(name))
        return False

    def names(self) -> list[str]:
        """The models that can be chosen: those of the catalogue that are here, then imported."""
        return [name for name in CATALOG if self.is_here(name)] + self.imported()

    def model(self, name: str) -> Model:
        """What is known of a model, whether it is here or not.

        Raises:
            WeightsError: neither the catalogue nor the folder knows the name.
        """
        if name in CATALOG:
            return CATALOG[name]
        if not self.is_here(name):
            raise WeightsError(not_here(name))
        return _brought(self.facts(name))

    def sha256(self, name: str) -> str:
        """The recorded checksum of the tensors of a model that is here."""
        if name in cards.names():
            return hash_file(self.path(name))
        return self.facts(name).sha256

    def size(self, name: str) -> int:
        """Bytes on disk of a model that is here."""
        return self.path(name).stat().st_size

    def record(self, facts: Facts) -> None:
        """Writes the JSON, which makes the model be here."""
        path = self.path(facts.name).with_suffix(".json")
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(asdict(facts), indent=2) + "\n", encoding="utf-8")
        draft.replace(path)

    def verify(self, name: str, *, report: Progress = lambda done, total: None) -> str:
        """The checksum of the file, read anew and equal to the recorded one.

        Raises:
            WeightsError: the model is not here, or its file is not what was written.
        """
        if not self.is_here(name):
            raise WeightsError(not_here(name))
        found = hash_file(self.path(name), report=report)
        if name in cards.names():
            return found
        recorded = self.facts(name)
        if found != recorded.sha256:
            raise WeightsError(
                f"The file of {name} is damaged: its SHA-256 is {found[:16]}…, but "
                f"{recorded.sha256[:16]}… was written. Remove it, and download or import it again."
            )
        return found

    def remove(self, name: str) -> None:
        """Removes the files of a model, and what an unfinished download left.

        Raises:
            WeightsError: it ships with the code.
        """
        if name in cards.names():
            raise WeightsError(f"{name} ships with Foldstream and cannot be removed.")
        path = self.path(name)
        for ending in _ENDINGS:
            path.with_name(f"{name}{ending}").unlink(missing_ok=True)

    @contextlib.contextmanager
    def sole_writer(self, name: str) -> Iterator[None]:
        """Holds the model's lock file while the block runs.

        Raises:
            WeightsError: another process downloads or imports it now.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / f".{name}.lock").open("w") as lock:
            if not _locked(lock):
                raise WeightsError(f"{name} is being downloaded or imported by another process.")
            yield


def not_here(name: str) -> str:
    """What to say where a model is asked for that is not in the folder."""
    if name in CATALOG:
        return (
            f"The weights of {name} are not on this machine. Download them on the Models page, or "
            f"with: manage.py weights pull {name}"
        )
    return (
        f"There is no model called {name} here. It may have been removed: choose another one, or "
        "import its file again."
    )


def hash_file(path: Path, *, report: Progress = lambda done, total: None) -> str:
    """SHA-256 of the file, in hexadecimal."""
    digest, total, done = sha256(), path.stat().st_size, 0
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
            done += len(piece)
            report(done, total)
    return digest.hexdigest()


def _brought(facts: Facts) -> Model:
    """A model that a user imported, described by the configuration that its tensors fit."""
    like = CATALOG.get(facts.config)
    published = {**ALPHAFOLD3, **OPENFOLD3, **PROTENIX, "small": SMALL}
    config = like.config if like else published.get(facts.config)
    if config is None:
        raise WeightsError(
            f"{facts.name} is of a network {facts.config!r} that this version of Foldstream does "
            "not know. Remove it, or run the version that imported it."
        )
    about = f"Imported from {Path(facts.source).name}; its tensors fit {facts.config}."
    brought = Model(
        name=facts.name,
        title=facts.name,
        about=about,
        licence=YOURS,
        cutoff=None,
        parameters=facts.parameters,
        dialect=facts.dialect,  # type: ignore[arg-type]
        config=config,
    )
    return replace(brought, knows=like.knows) if like else brought


def _locked(file: IO[str]) -> bool:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
