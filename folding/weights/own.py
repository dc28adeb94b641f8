"""The weights that ship with the code: safetensors beside this file, one model card each."""

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from folding.errors import WeightsError
from folding.model.alphafold3 import AlphaFold3
from folding.model.config import SMALL, ModelConfig
from folding.weights.mapped import Mapped

FOLDER = Path(__file__).parent / "data"
CONFIGS: dict[str, ModelConfig] = {"small": SMALL}
"""The models that ship, by name."""


@dataclass(frozen=True)
class OwnWeights:
    """A weights file that ships with the code."""

    name: str

    @property
    def path(self) -> Path:
        """Where the file is."""
        return FOLDER / f"{self.name}.safetensors"

    @property
    def card(self) -> Path:
        """The model card: data, recipe, what it can and cannot do."""
        return FOLDER / f"{self.name}.md"

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return sha256(self.path.read_bytes()).hexdigest()

    @cached_property
    def facts(self) -> dict[str, object]:
        """What training wrote into the file: steps, data, scores on the validation split."""
        with safe_open(self.path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get("facts", "{}"))


def load(name: str = "small") -> AlphaFold3:
    """The network with the named weights that ship, ready to fold.

    Raises:
        WeightsError: no such weights, or tensors that are missing, unknown or of another shape.
    """
    if name not in CONFIGS:
        raise WeightsError(f"There are no weights {name!r}; there are {sorted(CONFIGS)}.")
    return load_file(OwnWeights(name).path, CONFIGS[name])


def load_file(path: Path, config: ModelConfig) -> AlphaFold3:
    """The network of these dimensions with the tensors of a safetensors file, ready to fold.

    It is built without storage and filled from the mapped file, so that nothing is initialised in
    vain.

    Raises:
        WeightsError: the file is not there or damaged, or its tensors are not the network's.
    """
    model = skeleton(config)
    tensors = read_tensors(path)
    check(model, tensors, source=path.name)
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise WeightsError(f"{path.name}: {name} is in {kind}, the network needs float32.")
    model.load_state_dict(tensors, strict=True, assign=True)
    # Opening each tensor has read some pages around it, a tenth of a large file in all.
    Mapped(model).let_go(model)
    return model.eval().requires_grad_(False)


def skeleton(config: ModelConfig) -> AlphaFold3:
    """The network without storage: names and shapes alone."""
    with torch.device("meta"):
        return AlphaFold3(config)


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, mapped: what nobody reads is not loaded.

    Raises:
        WeightsError: the file is not there, or is no safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise WeightsError(f"The weights file {path.name} is gone.") from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} is damaged or no safetensors file: {error}.") from None


def check(model: AlphaFold3, tensors: dict[str, torch.Tensor], *, source: str) -> None:
    """Passes if the tensors are exactly those of the network.

    Raises:
        WeightsError: naming the first tensor that is missing, unknown or of another shape.
    """
    expected = model.state_dict()
    if missing := sorted(expected.keys() - tensors.keys()):
        more = f" and {len(missing) - 1} more tensors" if len(missing) > 1 else ""
        raise WeightsError(f"{source} lacks {missing[0]}{more}.")
    if unknown := sorted(tensors.keys() - expected.keys()):
        raise WeightsError(f"{source} holds {unknown[0]}, which the network does not have.")
    for name, value in expected.items():
        if tensors[name].shape != value.shape:
            raise WeightsError(
                f"{source}: {name} has shape {list(tensors[name].shape)}, "
                f"the network needs {list(value.shape)}."
            )
