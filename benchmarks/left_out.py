"""Parts of another program that are not loaded: nothing stands in their place but names."""

import importlib.abc
import importlib.util
import sys
import types
from typing import Any


def leave_out(*names: str) -> None:
    """From now on, every name in a module whose name begins so stands for an empty class."""
    sys.meta_path.insert(0, _Finder(names))


class _Name(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name(name, (), {})


class _Names(types.ModuleType):
    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name(name, (), {})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        return importlib.util.spec_from_loader(name, self) if name.startswith(self.names) else None

    def create_module(self, spec: Any) -> types.ModuleType:
        return _Names(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass
