"""Whose names a checkpoint's tensors bear, and how they become ours."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from folding.errors import WeightsError
from folding.model.config import SMALL, ModelConfig
from folding.weights import alphafold3, openfold3, protenix
from folding.weights.configs import ALPHAFOLD3, OPENFOLD3, PROTENIX
from folding.weights.own import check, skeleton

ToOwn = Callable[[Mapping[str, Tensor], ModelConfig], dict[str, Tensor]]


@dataclass(frozen=True)
class Dialect:
    """One naming scheme.

    Args:
        marks: Beginnings of names that only this scheme has.
        configs: The networks that are published under it, by name.
        to_own: Our tensors from theirs, strictly: raises WeightsError where they do not fit.
    """

    name: str
    marks: tuple[str, ...]
    configs: Mapping[str, ModelConfig]
    to_own: ToOwn

    def recognises(self, names: Iterable[str]) -> bool:
        """Whether a checkpoint with these names is of this scheme."""
        plain = [name.removeprefix("module.").removeprefix("model.") for name in names]
        return all(any(name.startswith(mark) for name in plain) for mark in self.marks)


def dialects() -> tuple[Dialect, ...]:
    """Every scheme that can be read."""
    return tuple(_all())


def read(
    state: Mapping[str, Tensor], *, config: str | None = None
) -> tuple[Dialect, str, dict[str, Tensor]]:
    """The scheme of a checkpoint, the name of the network that it fits, and our tensors.

    Args:
        config: The network that it must fit; otherwise every published one is tried.

    Raises:
        WeightsError: no scheme knows the names, or no network fits; names the first tensors.
    """
    found = [dialect for dialect in _all() if dialect.recognises(state)]
    if not found:
        shown = ", ".join(sorted(state)[:3])
        raise WeightsError(
            f"These {len(state)} tensors are of no network that Foldstream can read (they begin "
            f"with {shown or 'nothing'}). It reads {', '.join(d.name for d in _all())}."
        )
    dialect = found[0]
    if config is not None and config not in dialect.configs:
        raise WeightsError(f"The file has the names of {dialect.name}, which {config} has not.")
    wanted = [config] if config else list(dialect.configs)
    return (dialect, *_first_fit(dialect, state, wanted))


def _first_fit(
    dialect: Dialect, state: Mapping[str, Tensor], wanted: list[str]
) -> tuple[str, dict[str, Tensor]]:
    problems = []
    for name in wanted:
        try:
            return name, dialect.to_own(state, dialect.configs[name])
        except WeightsError as error:
            problems.append(error)
    if len(wanted) == 1:
        raise problems[0]
    raise WeightsError(
        f"The tensors have {dialect.name}'s names, but fit none of its networks. "
        f"For {wanted[0]}: {problems[0]}"
    )


def _all() -> Iterator[Dialect]:
    yield Dialect(
        "Protenix",
        ("relative_position_encoding.linear_no_bias", "linear_no_bias_sinit"),
        PROTENIX,
        protenix.to_own,
    )
    yield Dialect(
        "OpenFold3",
        ("input_embedder.linear_relpos", "aux_heads.pairformer_embedding"),
        OPENFOLD3,
        openfold3.to_own,
    )
    yield Dialect(
        "AlphaFold3",
        ("diffuser/evoformer", "diffuser/confidence_head"),
        ALPHAFOLD3,
        alphafold3.to_own,
    )
    yield Dialect(
        "Foldstream",
        ("relative_position.linear", "linear_s_init"),
        {"small": SMALL, **PROTENIX},
        _own,
    )


def _own(state: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Tensors that are ours already."""
    check(skeleton(config), dict(state), source="The file")
    return dict(state)
