"""Where a fold runs and in which numbers: a CPU in float32, a GPU with its trunk in bfloat16.

Memory and kernels differ, results do not beyond rounding: on a GPU samples are drawn together and
the denoising step is recorded once and replayed; on a CPU one sample is drawn after the other,
which costs the same and shows the first one sooner.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Denoise = Callable[[Tensor, Tensor], Tensor]
WARM_UP_STEPS = 3
"""Steps before a recording: libraries choose their kernels and make their buffers in them."""


@dataclass(frozen=True)
class Place:
    """A device and how it is used.

    Args:
        trunk_type: What the trunk's products are in; norms, softmax and sums are in float32, and so
            are diffusion and confidence.
        samples_at_once: How many samples are drawn together.
        replays: The denoising step is recorded as a graph and replayed.
    """

    device: torch.device
    trunk_type: torch.dtype = torch.float32
    samples_at_once: int = 1
    replays: bool = False

    def trunk(self) -> contextlib.AbstractContextManager[object]:
        """Within it, products are computed in the trunk's type."""
        if self.trunk_type == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.trunk_type)

    def prepared(self, denoise: Denoise) -> Denoise:
        """The denoising function as this place runs it best."""
        return Replayed(denoise) if self.replays else denoise

    @property
    def name(self) -> str:
        """The device, as a manifest names it."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"

    @property
    def numbers(self) -> str:
        """The number format, as a manifest names it."""
        name = str(self.trunk_type).removeprefix("torch.")
        return name if self.trunk_type == torch.float32 else f"float32, trunk {name}"


CPU = Place(torch.device("cpu"))
"""Any machine's processor: float32, one sample after the other."""


def best_device() -> torch.device:
    """The GPU if PyTorch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def place_of(model: nn.Module) -> Place:
    """How to fold with a model where it is."""
    return place_on(next(model.parameters()).device)


def place_on(device: torch.device) -> Place:
    """How to fold on a device."""
    if device.type != "cuda":
        return CPU if device.type == "cpu" else Place(device)
    has_bfloat16 = torch.cuda.is_bf16_supported()
    return Place(
        device,
        trunk_type=torch.bfloat16 if has_bfloat16 else torch.float32,
        samples_at_once=8,
        replays=True,
    )


class Replayed:
    """A denoising function that is recorded at its first call and replayed from then on.

    The host then starts one graph per step instead of some thousand kernels. Shapes stay as they
    were recorded; another shape is recorded anew.
    """

    def __init__(self, denoise: Denoise) -> None:
        self._denoise = denoise
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: tuple[Tensor, Tensor] | None = None
        self._output: Tensor | None = None

    def __call__(self, x: Tensor, t_hat: Tensor) -> Tensor:
        if self._inputs is None or self._inputs[0].shape != x.shape:
            self._record(x, t_hat)
        assert self._inputs is not None
        assert self._graph is not None
        assert self._output is not None
        for kept, given in zip(self._inputs, (x, t_hat), strict=True):
            kept.copy_(given)
        self._graph.replay()
        return self._output.clone()

    def _record(self, x: Tensor, t_hat: Tensor) -> None:
        self._inputs = x.clone(), t_hat.clone()
        aside = torch.cuda.Stream(x.device)
        aside.wait_stream(torch.cuda.current_stream(x.device))
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP_STEPS):
                self._denoise(*self._inputs)
        torch.cuda.current_stream(x.device).wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = self._denoise(*self._inputs)
