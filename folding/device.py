"""Where a fold runs and in which numbers: in bfloat16 where the hardware multiplies it fast.

On a GPU the trunk's products are in bfloat16; on a CPU with units for it (AVX-512 BF16, AMX) those
of the token transformer of each step as well. Any other CPU computes in float32 throughout.

Memory and kernels differ, results do not beyond rounding: on a GPU samples are drawn together and
the denoising step is recorded once and replayed; on a CPU one sample is drawn after the other,
which costs the same and shows the first one sooner.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

Numbers = Literal["auto", "float32", "bfloat16"]
"""What products are computed in: as the hardware is good at it, or as somebody decided."""
NUMBERS: tuple[Numbers, ...] = get_args(Numbers)
Denoise = Callable[[Tensor, Tensor], Tensor]
WARM_UP_STEPS = 3
"""Steps before a recording: libraries choose their kernels and make their buffers in them."""


@dataclass(frozen=True)
class Place:
    """A device and how it is used.

    Args:
        trunk_type: What the trunk's products are in; norms, softmax and sums are in float32, and so
            are diffusion and confidence but for ``step_type``.
        step_type: What the products of the token transformer are in at each denoising step.
        samples_at_once: How many samples are drawn together.
        replays: The denoising step is recorded as a graph and replayed.
    """

    device: torch.device
    trunk_type: torch.dtype = torch.float32
    step_type: torch.dtype = torch.float32
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
        trunk, step = (str(x).removeprefix("torch.") for x in (self.trunk_type, self.step_type))
        parts = {"trunk": trunk, "steps": step}
        other = [f"{part} {name}" for part, name in parts.items() if name != "float32"]
        return ", ".join(["float32", *other])


CPU = Place(torch.device("cpu"))
"""Any machine's processor: float32, one sample after the other."""


def best_device() -> torch.device:
    """The GPU if PyTorch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 are faster there than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    is_fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return device.type == "cpu" and bool(is_fast)


def place_of(model: nn.Module, numbers: Numbers = "auto") -> Place:
    """How to fold with a model where it is."""
    return place_on(next(model.parameters()).device, numbers)


def place_on(device: torch.device, numbers: Numbers = "auto") -> Place:
    """How to fold on a device."""
    is_half = numbers == "bfloat16" or (numbers == "auto" and has_fast_bfloat16(device))
    products = torch.bfloat16 if is_half and device.type in ("cpu", "cuda") else torch.float32
    if device.type != "cuda":
        return Place(device, trunk_type=products, step_type=products)
    return Place(
        device,
        trunk_type=products,
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
