"""Nested dictionaries and lists of numbers and tensors as two plain files, without pickle.

Tensors go to `tensors.safetensors`, all else to `tree.json` with a reference where each tensor
was. The JSON names the SHA-256 of the tensors and of its own content, so that a damaged file is
found out.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, TypeAlias

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from quantum.errors import Damaged

Tree: TypeAlias = Any  # None, bool, int, float, str, Tensor, or dict, list, tuple of trees
TENSORS, JSON = "tensors.safetensors", "tree.json"


def write_tree(folder: Path, tree: Tree) -> None:
    """Writes both files; raises `TypeError` for anything that is no tree."""
    tensors: dict[str, Tensor] = {}
    plain = _take_out(tree, tensors)
    data = save(tensors)
    (folder / TENSORS).write_bytes(data)
    document = {"sha256": _digest(data), "content": _digest(_text(plain)), "tree": plain}
    (folder / JSON).write_text(json.dumps(document))


def read_tree(folder: Path) -> Tree:
    """The tree again, tensors on the CPU; raises `Damaged` where the files are not as written."""
    try:
        document = json.loads((folder / JSON).read_text())
        data = (folder / TENSORS).read_bytes()
        if _digest(data) != document["sha256"]:
            raise Damaged(f"{folder / TENSORS} is not what was written: restore it or delete it")
        # Files of before have no digest of their content.
        if document.get("content", told := _digest(_text(document["tree"]))) != told:
            raise Damaged(f"{folder / JSON} is not what was written: restore it or delete it")
        return _put_back(document["tree"], load(data))
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise Damaged(f"{folder} cannot be read ({error}): restore it or delete it") from error


def _text(plain: Any) -> bytes:
    return json.dumps(plain).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _take_out(tree: Tree, tensors: dict[str, Tensor]) -> Any:
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    if isinstance(tree, Tensor):
        name = f"t{len(tensors)}"
        tensors[name] = tree.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(tree, dict):
        return {"dict": [[_key(key), _take_out(value, tensors)] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        kind = "list" if isinstance(tree, list) else "tuple"
        return {kind: [_take_out(value, tensors) for value in tree]}
    raise TypeError(f"only numbers, text, tensors, lists and dictionaries, not {type(tree)}")


def _key(key: object) -> str | int:
    if isinstance(key, str | int):
        return key
    raise TypeError(f"keys must be text or whole numbers, not {key!r}")


def _put_back(plain: Any, tensors: dict[str, Tensor]) -> Tree:
    if not isinstance(plain, dict):
        return plain
    ((kind, content),) = plain.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _put_back(value, tensors) for key, value in content}
    values = [_put_back(value, tensors) for value in content]
    return values if kind == "list" else tuple(values)
