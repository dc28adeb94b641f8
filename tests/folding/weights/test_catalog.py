"""What is said of each model is complete, and true where the code can tell."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from folding.data.tokens import tokenize
from folding.errors import InvalidInput
from folding.inputs import (
    AtomRef,
    Bond,
    DnaChain,
    FoldInput,
    Ligand,
    Modification,
    ProteinChain,
    RnaChain,
)
from folding.weights import catalog, dialects
from folding.weights.catalog import CATALOG, SMALL_MODEL
from folding.weights.own import skeleton

PUBLISHED = [model for model in CATALOG.values() if not model.ships]
PROTEIN = FoldInput(name="x", chains=(ProteinChain(("A",), "GAGAG"),))


def test_the_models_of_the_issue_are_there_and_the_small_one_comes_first():
    assert next(iter(CATALOG)) == "small"
    assert set(CATALOG) == {
        "small",
        "protenix_base_default_v1.0.0",
        "protenix_base_20250630_v1.0.0",
        "protenix_base_default_v0.5.0",
        "protenix_mini_default_v0.5.0",
        "protenix_tiny_default_v0.5.0",
        "of3-ob-2025-06-30-174k",
    }


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model.name)
def test_a_published_model_can_be_judged_and_downloaded(model):
    assert model.licence.name == "Apache-2.0"
    assert model.cutoff.year in (2021, 2025)
    assert all(
        url.startswith("https://") and url.endswith(f"{model.name}.pt") for url in model.urls
    )
    assert model.download_bytes >= model.parameters * 4
    assert model.knows == catalog.EVERYTHING
    assert model.homepage.startswith("https://github.com/")


@pytest.mark.parametrize("model", CATALOG.values(), ids=lambda model: model.name)
def test_the_number_of_parameters_is_the_network_s(model):
    count = sum(p.numel() for p in skeleton(model.config).parameters())
    assert model.parameters == pytest.approx(count, rel=0.01)
    assert model.memory_bytes == 4 * model.parameters


@pytest.mark.parametrize(
    ("name", "recycles", "steps"),
    [
        ("small", 3, 20),
        ("protenix_tiny_default_v0.5.0", 3, 5),
        ("protenix_mini_default_v0.5.0", 3, 5),
        ("protenix_base_default_v1.0.0", 9, 200),
        ("protenix_base_20250630_v1.0.0", 9, 200),
        ("of3-ob-2025-06-30-174k", 3, 200),
    ],
)
def test_defaults_are_the_publisher_s(name, recycles, steps):
    model = CATALOG[name]
    assert (model.n_recycles, model.n_steps, model.n_samples) == (recycles, steps, 5)


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model.name)
def test_each_can_be_read_under_its_name(model):
    scheme = [d for d in dialects.dialects() if d.name == model.dialect]
    assert len(scheme) == 1
    assert model.name in scheme[0].configs


def test_what_a_model_has_never_seen_is_named():
    assert catalog.unseen(SMALL_MODEL, PROTEIN) == ()
    blind = replace(SMALL_MODEL, knows=frozenset(("dna",)))
    assert catalog.unseen(blind, PROTEIN) == ("proteins",)
    assert catalog.kinds_of(PROTEIN) == ("protein",)


def test_kinds_are_said_in_one_order():
    assert catalog.in_words(("rna", "protein", "ligand")) == "proteins, RNA, ligands and ions"
    assert catalog.in_words(()) == ""


def test_the_web_can_read_it_without_torch():
    script = (
        "import sys, folding.weights.catalog, folding.weights.store\n"
        "print({'torch', 'requests', 'scipy'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "set()\n"


def test_the_readme_lists_every_published_model_as_it_is():
    text = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    rows = {line.split("`")[1]: [cell.strip() for cell in line.split("|")[1:-1]] for line in lines}
    published = {name: model for name, model in CATALOG.items() if model.urls}
    assert published.keys() <= rows.keys()
    for name, model in published.items():
        _, parameters, download, until, templates, licence = rows[name]
        assert parameters == f"{model.parameters / 1e6:.0f} million"
        assert download == f"{model.download_bytes / 1e9:.1f} GB"
        assert until == model.cutoff.isoformat()
        assert templates == ("yes" if model.reads_templates else "no")
        assert licence.startswith(model.licence.name)


@pytest.mark.parametrize(
    "name", ["small", "protenix_base_default_v1.0.0", "of3-ob-2025-06-30-174k"]
)
def test_bonds_are_refused_whose_atoms_the_model_is_not_shown_and_no_others(name):
    chains = (
        ProteinChain(("A",), "AXAW", modifications=(Modification("ALA", 1),)),
        RnaChain(("R",), "NACG"),
        DnaChain(("D",), "NGTA"),
        ProteinChain(("S",), "WSES", modifications=(Modification("SEP", 4),)),
        Ligand(("L",), ccd=("GOL",)),
    )
    job = FoldInput("Every atom", chains)
    refused = []
    for ids, strand in job.strands.items():
        for position in range(1, 5):
            for atom in strand.residue(position).kept(strand.joints(position)):
                bond = Bond(AtomRef(ids[0], position, atom), AtomRef("L", 1, "C1"))
                refused += _refusals(replace(job, bonds=(bond,)), CATALOG[name])
    assert (
        sorted(set(refused))
        == {
            "small": ["A/2/CG", "A/4/OXT"],
            "protenix_base_default_v1.0.0": [],
            "of3-ob-2025-06-30-174k": ["A/4/OXT", "D/1/OP3", "R/1/OP3"],
        }[name]
    )


def _refusals(job: FoldInput, model: catalog.Model) -> list[str]:
    """The atom of the job's bond where the model does not see it, as tokens and words agree."""
    seen = []
    for judge in (
        lambda: catalog.check_bonds(model, job),
        lambda: tokenize(job, model.config.reference),
    ):
        try:
            judge()
        except InvalidInput as error:
            assert "does not see the atom" in str(error)
            seen.append(str(job.bonds[0].first))
    assert len(seen) in (0, 2), job.bonds[0]
    return seen
