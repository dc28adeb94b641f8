"""How much work each stage of a fold is, from the dimensions of the network. Needs no torch.

Counts, not seconds: `folding.cost` multiplies them with what this machine takes for each.
"""

from dataclasses import dataclass

from folding.model.config import ModelConfig

MSA_TERMS = 4
"""An alignment is shallow if this many times its rows fit into the outer product's channels."""

SOFTMAX = 11
"""A softmax costs about as much as so many more channels of an attention head would.

Between heads of 8 (small) and of 32 channels (published), 512 tokens each.
"""


@dataclass(frozen=True)
class Size:
    """How large a job is: tokens, atoms, rows of the alignment that the network reads."""

    n_tokens: int
    n_atoms: int
    n_rows: int = 1


@dataclass(frozen=True)
class Work:
    """What a stage computes.

    Args:
        products: Multiplications and additions of matrix products.
        attention: The same, inside attention, with what the softmax is worth.
        elements: Numbers that norms, gates and sums pass over.
        layers: Blocks: each costs a little whatever its size.
        weight_bytes: Weights that are read.
    """

    products: float = 0.0
    attention: float = 0.0
    elements: float = 0.0
    layers: float = 0.0
    weight_bytes: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(*(a + b for a, b in zip(self.terms, other.terms, strict=True)))

    def __mul__(self, times: int | float) -> "Work":
        return Work(*(times * a for a in self.terms))

    @property
    def terms(self) -> tuple[float, ...]:
        """The counts, as `folding.cost` has constants for them."""
        return (self.products, self.attention, self.elements, self.layers, self.weight_bytes)


def pair_stack(n: int, widths: tuple[int, int, int, int], factor: int = 4) -> Work:
    """Triangle updates and transition of pairs.

    Args:
        widths: Of pairs, of triangle products, of an attention head, and the number of heads.
    """
    c, c_triangle, c_head, n_heads = widths
    width = c_head * n_heads
    multiply = 4 * c * c_triangle + c_triangle * c + c * c
    attend = 4 * c * width + width * c + c * n_heads
    transition = 3 * factor * c * c
    linear = 2 * multiply + 2 * attend + transition
    return Work(
        products=2.0 * n * n * linear + 4.0 * c_triangle * n**3,
        attention=2 * 4.0 * n_heads * (c_head + SOFTMAX) * n**3,
        elements=1.0 * n * n * (16 * c + 8 * c_triangle + 8 * width + 3 * factor * c),
        layers=5.0,
        weight_bytes=4.0 * linear,
    )


def pairformer_block(n: int, config: ModelConfig) -> Work:
    """One block: pairs, then singles."""
    c_s, c_z = config.c_s, config.c_z
    singles = Work(
        products=2.0 * n * 17 * c_s**2 + 2.0 * n * n * c_z * config.n_single_heads,
        attention=4.0 * n * n * (c_s + SOFTMAX * config.n_single_heads),
        elements=1.0 * n * n * (c_z + 4 * config.n_single_heads) + 40.0 * n * c_s,
        layers=2.0,
        weight_bytes=4.0 * 17 * c_s**2,
    )
    return pair_stack(n, _pair_widths(config)) + singles


def msa_block(size: Size, config: ModelConfig) -> Work:
    """One block of the alignment's track, its pairs included."""
    n, rows, c = size.n_tokens, size.n_rows, config.c_outer
    if MSA_TERMS * rows <= c:
        outer = 2.0 * rows * n * n * c * config.c_z
    else:
        outer = 2.0 * n * n * c * c * (rows + config.c_z)
    width = config.n_msa_heads * config.c_msa_head
    averaging = 2.0 * rows * n * (n * width + config.c_m * (3 * width + 12 * config.c_m))
    track = Work(
        products=outer + averaging,
        elements=rows * n * 30.0 * config.c_m + n * n * (2.0 * config.c_z + c * c * (rows > 8)),
        layers=3.0,
    )
    return track + pair_stack(n, _pair_widths(config))


def cycle(size: Size, config: ModelConfig) -> Work:
    """One pass of the trunk; a job without templates shows empty ones, which count once."""
    n, c_z, c_t = size.n_tokens, config.c_z, config.c_template
    widths = (c_t, config.c_template_triangle, config.c_template_head, config.n_template_heads)
    templates = pair_stack(n, widths, 2) * config.n_template_blocks
    around = Work(products=2.0 * n * n * c_z * (c_z + 64), elements=12.0 * n * n * c_z, layers=4.0)
    blocks = pairformer_block(n, config) * config.n_pairformer_blocks
    return around + templates + msa_block(size, config) * config.n_msa_blocks + blocks


def token_weights(config: ModelConfig) -> float:
    """Numbers in the maps of one block of the token transformer."""
    return 6.0 * config.c_s * config.c_token + 11.0 * config.c_token**2


def context(size: Size, config: ModelConfig) -> Work:
    """What diffusion computes once per trunk, its maps laid out for the steps."""
    n, c_z = size.n_tokens, config.c_z
    heads = config.n_token_blocks * config.n_token_heads
    pairs = 2.0 * n * n * c_z * (2 * c_z + 2 * 6 * c_z + heads + config.c_atompair)
    elements = n * n * (40.0 * c_z + config.n_token_blocks * (c_z + 2 * config.n_token_heads))
    n_windowed = size.n_atoms * config.n_keys
    atoms = n_windowed * config.c_atompair * 40.0
    blocks = config.n_token_blocks + config.n_encoder_blocks + config.n_decoder_blocks
    return Work(
        products=pairs,
        elements=elements + atoms,
        layers=float(blocks),
        weight_bytes=4.0 * token_weights(config) * config.n_token_blocks,
    )


def step(size: Size, config: ModelConfig) -> Work:
    """One denoising step of one sample."""
    n, a, c, c_s = size.n_tokens, size.n_atoms, config.c_token, config.c_s
    weights = token_weights(config)
    tokens = Work(
        products=2.0 * n * weights,
        attention=4.0 * n * n * c,
        elements=60.0 * n * c + 2.0 * n * n * config.n_token_heads,
        layers=2.0,
        weight_bytes=4.0 * weights,
    )
    c_a = config.c_atom
    atoms = Work(
        products=2.0 * a * 13 * c_a**2,
        attention=4.0 * a * config.n_keys * c_a,
        elements=60.0 * a * c_a + 2.0 * a * config.n_keys * config.n_atom_heads,
        layers=2.0,
    )
    around = Work(products=2.0 * (n * c_s * 13 * c_s + a * c_a * c), layers=4.0)
    n_atom_blocks = config.n_encoder_blocks + config.n_decoder_blocks
    return around + tokens * config.n_token_blocks + atoms * n_atom_blocks


def confidence(size: Size, config: ModelConfig) -> Work:
    """The heads of one sample, and the scores computed from them."""
    n, c_z = size.n_tokens, config.c_z
    heads = Work(
        products=2.0 * n * n * c_z * 3 * config.n_error_bins,
        elements=n * n * (20.0 * c_z + 12.0 * config.n_error_bins),
        layers=20.0,
    )
    return heads + pairformer_block(n, config) * config.n_confidence_blocks


def arrays(size: Size, config: ModelConfig) -> tuple[float, ...]:
    """Bytes of the largest arrays that are there at once, by what they are made of.

    Pairs of the trunk; operands of a triangle product; biases of the token transformer; logits of
    the errors; pairs of atoms in windows; the alignment.
    """
    n = size.n_tokens
    return tuple(
        4.0 * count
        for count in (
            n * n * config.c_z,
            n * n * 2 * config.c_triangle,
            n * n * config.n_token_blocks * config.n_token_heads,
            n * n * 2 * config.n_error_bins,
            size.n_atoms * config.n_keys * config.c_atompair,
            size.n_rows * n * config.c_m,
        )
    )


GPU_PIECE_BYTES = 2e9
"""What one piece of the pairs fills on a GPU while a transition works on it."""


def step_arrays(size: Size, config: ModelConfig) -> float:
    """Bytes of what one sample adds to a denoising step: activations of tokens and atoms."""
    tokens = size.n_tokens * (config.c_token * 16 + config.n_token_heads * size.n_tokens)
    windows = 2 * size.n_atoms * config.n_keys / config.n_queries
    return 4.0 * (tokens + config.c_atom * (16 * size.n_atoms + windows))


def parameters(config: ModelConfig) -> float:
    """Numbers in the large weights of a network; the rest is small change."""
    unit = Size(1, 1)
    trunk = pairformer_block(1, config).weight_bytes * config.n_pairformer_blocks
    trunk += pair_stack(1, _pair_widths(config)).weight_bytes * config.n_msa_blocks
    trunk += config.n_msa_blocks * 4 * config.c_outer**2 * config.c_z
    heads = pairformer_block(1, config).weight_bytes * config.n_confidence_blocks
    atoms = config.n_input_blocks + config.n_encoder_blocks + config.n_decoder_blocks
    drawn = step(unit, config).weight_bytes + atoms * 4 * 19 * config.c_atom**2
    return (trunk + heads + drawn) / 4


def _pair_widths(config: ModelConfig) -> tuple[int, int, int, int]:
    return (config.c_z, config.c_triangle, config.c_pair_head, config.n_pair_heads)
