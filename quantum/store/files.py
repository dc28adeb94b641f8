"""Files and folders that appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_folder(target: Path, fill: Callable[[Path], None], *, replace: bool = False) -> Path:
    """The folder `target` with what `fill` writes into it, under its name only when complete.

    Args:
        replace: in place of a folder of that name, which stays until the new one is complete.

    Raises:
        FileExistsError: where there is such a folder already, and it is not to be replaced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=target.parent))
    try:
        fill(draft)
        for file in draft.iterdir():
            sync(file)
        if target.exists():
            if not replace:
                raise FileExistsError(f"{target} exists already")
            drop(target)
        draft.chmod(0o755)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    sync(target.parent)
    return target


def drop(folder: Path) -> None:
    """Deletes a folder; it leaves its name first, so that nobody sees half of it."""
    if folder.exists():
        doomed = folder.with_name(f".deleted-{folder.name}")
        shutil.rmtree(doomed, ignore_errors=True)
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def write_file(target: Path, content: bytes) -> None:
    """Replaces the file in one move."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".draft-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync(target.parent)


def sync(path: Path) -> None:
    """Waits until a file, or the list of a folder's files, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
