"""Several processes that share each batch: every one differentiates its part of the rows.

The first is the caller's own process; it owns the optimizer and sends the model's tensors and the
rows of each step over gloo on the loopback interface; the gradients are added up on the way back.
"""

import multiprocessing
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from quantum.errors import InvalidValues, WorkerLost

_STOP, _LOSS, _GRADIENT = range(3)
_TIMEOUT = timedelta(hours=12)  # of a step that waits for a paid device, say
_FIRST_SECONDS = 120  # to start a process and import torch


@runtime_checkable
class Rows(Protocol):
    """Where a worker finds its part of a batch; can be pickled."""

    def rows(self, index: Int[Tensor, " row"]) -> tuple[Tensor, Tensor]: ...


@contextmanager
def seeded(parts: Sequence[int]) -> Iterator[None]:
    """Torch's random numbers follow from the parts; afterwards they go on as before."""
    mixed = np.random.SeedSequence(list(parts)).generate_state(1, np.uint64)[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(mixed >> np.uint64(1)))
        yield


class Crew:
    """The processes of one training; use it as a context.

    Args:
        loss: (outputs, targets) → mean over the rows.

    Raises:
        InvalidValues: where model, loss or samples cannot be sent to another process.
        WorkerLost: where a process does not come up or dies.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        samples: Rows,
        *,
        workers: int = 1,
    ) -> None:
        self._share = _Share(model, loss, samples)
        self._n_workers = workers
        self._processes: list[SpawnProcess] = []
        self._group: Any = None

    def __enter__(self) -> "Crew":
        if self._n_workers > 1:
            try:
                self._start()
            except BaseException:
                self._end()
                raise
        return self

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._folder = tempfile.TemporaryDirectory(prefix="crew-")
        meeting = Path(self._folder.name) / "store"
        for rank in range(1, self._n_workers):
            process = context.Process(
                target=_work, args=(self._share, str(meeting), rank, self._n_workers), daemon=True
            )
            try:
                process.start()
            except (AttributeError, TypeError, ImportError) as error:
                raise InvalidValues(
                    f"model, loss and samples must be picklable for several workers: {error}"
                ) from error
            except Exception as error:
                if "pickle" not in f"{type(error)} {error}".lower():
                    raise
                raise InvalidValues(
                    f"model, loss and samples must be picklable for several workers: {error}"
                ) from error
            self._processes.append(process)
        self._group = self._watched(lambda: _join(str(meeting), 0, self._n_workers))

    def _watched(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except RuntimeError as error:
            codes = [process.exitcode for process in self._processes]
            raise WorkerLost(f"a worker of the training is gone (exit codes {codes})") from error

    def loss(
        self, rows: Int[Tensor, " row"], *, seed: Sequence[int], with_gradient: bool
    ) -> Float[Tensor, ""]:
        """The mean loss of the rows; with a gradient it is added to the parameters' `grad`."""
        if self._group is None:
            return self._share.work(rows, [*seed, 0], with_gradient=with_gradient)
        command = _GRADIENT if with_gradient else _LOSS
        return self._watched(lambda: self._together(command, rows, seed))

    def _together(self, command: int, rows: Tensor, seed: Sequence[int]) -> Tensor:
        header = torch.tensor([command, len(rows), *seed])
        for message in (header, rows, *self._share.tensors()):
            _broadcast(self._group, message)
        return _part(self._group, self._share, command, rows, list(seed), rank=0)

    def __exit__(self, error: object, *_: object) -> None:
        if self._group is not None and error is None:
            _broadcast(self._group, torch.tensor([_STOP, 0, 0, 0]))
            for process in self._processes:
                process.join(5)
        self._end()

    def _end(self) -> None:
        """Ends who is left: after an error nobody knows what the others are waiting for."""
        self._group = None
        for process in self._processes:
            process.kill()
            process.join(5)
        if hasattr(self, "_folder"):
            self._folder.cleanup()


class _Share:
    """What every process has: the model, and how to find a loss with it."""

    def __init__(self, model: torch.nn.Module, loss: Any, samples: Rows) -> None:
        self.model, self.criterion, self.samples = model, loss, samples

    @property
    def trained(self) -> list[Tensor]:
        return [p for p in self.model.parameters() if p.requires_grad]

    def tensors(self) -> Iterator[Tensor]:
        """All that may change between steps, to be sent."""
        yield _flat(self.trained)
        yield from self.model.buffers()

    def work(
        self, rows: Tensor, seed: Sequence[int], *, with_gradient: bool, share: float = 1.0
    ) -> Tensor:
        with seeded(seed), torch.set_grad_enabled(with_gradient):
            features, targets = self.samples.rows(rows)
            loss: Tensor = self.criterion(self.model(features), targets) * share
        if with_gradient:
            loss.backward()
        return loss.detach()


def _part(
    group: Any, share: _Share, command: int, rows: Tensor, seed: list[int], *, rank: int
) -> Tensor:
    """This process's rows; gives back the whole loss, and leaves the whole gradient."""
    mine = rows[rank :: group.size()]
    weight = len(mine) / len(rows)
    wants_gradient = command == _GRADIENT
    total = torch.zeros((), dtype=torch.float64)
    if len(mine):
        total += share.work(mine, [*seed, rank], with_gradient=wants_gradient, share=weight)
    if wants_gradient:
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in share.trained]
        whole = _flat(parts)
        _add_up(group, whole)
        _fill(parts, whole)
        for p, found in zip(share.trained, parts, strict=True):
            p.grad = found
    _add_up(group, total)
    return total


def _work(share: _Share, meeting: str, rank: int, size: int) -> None:
    """The life of a worker process."""
    torch.set_num_threads(1)
    group = _join(meeting, rank, size)
    share.model.train()
    try:
        while True:
            header = torch.zeros(4, dtype=torch.int64)
            _broadcast(group, header)
            command, n_rows, *seed = header.tolist()
            if command == _STOP:
                return
            rows = torch.zeros(n_rows, dtype=torch.int64)
            _broadcast(group, rows)
            _receive(group, share)
            share.model.zero_grad()
            _part(group, share, command, rows, seed, rank=rank)
    except RuntimeError:  # the first process is gone, or the model failed here
        traceback.print_exc()
        raise SystemExit(1) from None


def _receive(group: Any, share: _Share) -> None:
    trained, *buffers = share.tensors()
    _broadcast(group, trained)
    _fill(share.trained, trained)
    for buffer in buffers:
        _broadcast(group, buffer)


def _flat(tensors: Sequence[Tensor]) -> Float[Tensor, " entry"]:
    """All entries in a row, in float64: nothing is lost on the way, whatever their precision."""
    return torch.cat([tensor.detach().double().flatten() for tensor in tensors])


@torch.no_grad()
def _fill(tensors: Sequence[Tensor], entries: Float[Tensor, " entry"]) -> None:
    sizes = [tensor.numel() for tensor in tensors]
    for tensor, own in zip(tensors, entries.split(sizes), strict=True):
        tensor.copy_(own.view_as(tensor))


def _join(meeting: str, rank: int, size: int) -> Any:
    """A gloo group on loopback, apart from any group that the program has."""
    import torch.distributed as distributed

    store = distributed.FileStore(meeting, size)  # type: ignore[attr-defined]
    store.set_timeout(timedelta(seconds=_FIRST_SECONDS))
    options = distributed.ProcessGroupGloo._Options()  # type: ignore[attr-defined]
    options._devices = [distributed.ProcessGroupGloo.create_device(hostname="127.0.0.1")]
    options._timeout = _TIMEOUT
    return distributed.ProcessGroupGloo(store, rank, size, options)


def _broadcast(group: Any, tensor: Tensor) -> None:
    if tensor.numel():
        group.broadcast(tensor, 0).wait()


def _add_up(group: Any, tensor: Tensor) -> None:
    if tensor.numel():
        group.allreduce([tensor]).wait()
