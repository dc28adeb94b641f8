"""Templates reach the network, and change what it says, where it has blocks for them."""

from dataclasses import replace

import numpy as np
import torch

from folding.inputs import FoldInput, FoldOptions, ProteinChain
from folding.model.alphafold3 import AlphaFold3
from folding.predict import fold
from folding.progress import silent
from folding.templates.mapping import make_template
from tests.folding.model.cases import REDUCED
from tests.folding.templates.structures import mmcif

SEQUENCE = "MKGAYIAKQRWL"
OPTIONS = FoldOptions(n_samples=1, n_recycles=0, n_steps=1)


def network(config) -> AlphaFold3:
    torch.manual_seed(1)
    model = AlphaFold3(config).eval()
    generator = torch.Generator().manual_seed(2)
    for weight in model.parameters():
        weight.data.normal_(0, 0.3, generator=generator)
    return model


def distogram(model, templates) -> np.ndarray:
    chain = ProteinChain(("A",), SEQUENCE, templates=templates)
    (prediction,) = fold(FoldInput("job", (chain,)), model=model, options=OPTIONS, report=silent)
    return prediction.distogram


def test_a_template_changes_what_a_network_with_blocks_sees():
    model = network(REDUCED)
    assert model.reads_templates
    template = make_template(mmcif({"A": SEQUENCE}), sequence=SEQUENCE)
    alone = distogram(model, None)
    np.testing.assert_array_equal(alone, distogram(model, ()))
    assert not np.array_equal(alone, distogram(model, (template,)))


def test_a_network_without_blocks_is_not_shown_any():
    model = network(replace(REDUCED, n_template_blocks=0))
    assert not model.reads_templates
    template = make_template(mmcif({"A": SEQUENCE}), sequence=SEQUENCE)
    np.testing.assert_array_equal(distogram(model, None), distogram(model, (template,)))
