"""The whole network: what it must be blind to, and what it must not."""

from dataclasses import fields, replace

import pytest
import torch

from folding.data.features import Features
from folding.data.templates import TemplateFeatures
from folding.model.alphafold3 import AlphaFold3
from folding.model.config import SMALL
from tests.folding.model.cases import (
    AXES,
    REDUCED,
    as_rings,
    n_real_atoms,
    padded,
    random_coordinates,
    random_features,
    random_network,
    stacked,
)

ROOM = {"n_tokens": 24, "n_atoms": 256, "n_rows": 8}
LEVELS = torch.tensor([0.5, 40.0])


@pytest.fixture(scope="module")
def model() -> AlphaFold3:
    return random_network(REDUCED, 1)


@pytest.fixture(scope="module")
def jobs() -> list[Features]:
    return [random_features(11, n_tokens=20), random_features(12, n_tokens=15, n_rows=3)]


def everything(model: AlphaFold3, features: Features, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Trunk, denoised coordinates and all logits, by name."""
    trunk = model.run_trunk(features, 2)
    context = model.diffusion.context(features, trunk)
    levels = LEVELS.expand(*x.shape[:-2])
    judged = model.confidence(x[..., 0, :, :], features, trunk)
    return {
        **trunk._asdict(),
        "denoised": model.diffusion(x, levels, context),
        "distogram": model.distogram(trunk.z),
        **judged._asdict(),
    }


PER_ATOM = ("plddt", "resolved")


def real(name: str, result: torch.Tensor, features: Features) -> torch.Tensor:
    """The part of a result that belongs to real tokens and atoms."""
    n, n_atoms = features.n_tokens, n_real_atoms(features)
    if name == "denoised":
        return result[..., :n_atoms, :]
    if name in PER_ATOM:
        return result[:n_atoms]
    return result[:n] if name in ("s", "s_inputs") else result[:n, :n]


def noisy(features: Features, n_atoms: int) -> torch.Tensor:
    x = 20 * random_coordinates(3, 2, n_real_atoms(features))
    return torch.nn.functional.pad(x, (0, 0, 0, n_atoms - x.shape[-2]))


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("change", [replace, as_rings], ids=["chains", "rings"])
def test_a_padded_batch_says_what_each_job_says_alone(model, jobs, grad, change):
    jobs = [change(job) for job in jobs]
    with torch.set_grad_enabled(grad):
        batch = stacked([padded(job, **ROOM) for job in jobs])
        x = torch.stack([noisy(job, ROOM["n_atoms"]) for job in jobs])
        together = everything(model, batch, x)
        for index, job in enumerate(jobs):
            alone = everything(model, job, noisy(job, len(job.ref_pos)))
            for name, expected in alone.items():
                torch.testing.assert_close(
                    real(name, together[name][index], job),
                    real(name, expected, job),
                    rtol=0,
                    atol=5e-4,
                    msg=lambda text, name=name: f"{name}: {text}",
                )


def test_the_fast_path_is_the_one_that_trains(model, jobs):
    job = jobs[0]
    x = noisy(job, len(job.ref_pos))
    with torch.enable_grad():
        slow = everything(model, job, x)
    with torch.no_grad():
        fast = everything(model, job, x)
    for name, expected in slow.items():
        torch.testing.assert_close(fast[name], expected, rtol=0, atol=5e-4)


def reordered(features: Features, order: torch.Tensor) -> tuple[Features, torch.Tensor]:
    """The job with its tokens in another order, and the order of its atoms."""
    n = n_real_atoms(features)
    place = torch.argsort(order)
    atoms = torch.argsort(place[features.atom_to_token[:n]], stable=True)
    atoms = torch.cat([atoms, torch.arange(n, len(features.ref_pos))])
    atom_place = torch.argsort(atoms)
    by_axis = {"token": order, "atom": atoms}
    values = {}
    for name, axes in AXES.items():
        x = getattr(features, name)
        for axis, axis_name in enumerate(axes):
            if axis_name in by_axis:
                x = x.index_select(axis, by_axis[axis_name])
        values[name] = x
    values["atom_to_token"] = torch.where(
        values["atom_mask"], place[values["atom_to_token"]], values["atom_to_token"]
    )
    for name in ("representative_atom", "frame_atoms"):
        values[name] = atom_place[values[name]]
    templates = {
        field.name: permuted_template(getattr(features.templates, field.name), order)
        for field in fields(TemplateFeatures)
    }
    return replace(features, **values, templates=TemplateFeatures(**templates)), atoms


def permuted_template(x: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    return x[:, order] if x.dim() == 2 else x[:, order][:, :, order]


def test_the_order_of_chains_does_not_matter(model):
    # So few atoms that one window holds them all: windows are cut along the sequence.
    features = random_features(14, n_tokens=6, atoms_per_token=5)
    assert n_real_atoms(features) <= REDUCED.n_queries
    order = torch.tensor([4, 5, 2, 3, 0, 1])
    assert features.asym_id[order].tolist() == [3, 3, 2, 2, 1, 1]
    moved, atoms = reordered(features, order)
    x = noisy(features, len(features.ref_pos))
    before, after = everything(model, features, x), everything(model, moved, x[:, atoms])
    for name, expected in before.items():
        if name == "denoised":
            expected = expected[:, atoms]
        elif name in PER_ATOM:
            expected = expected[atoms]
        else:
            expected = expected[order]
            expected = expected if name in ("s", "s_inputs") else expected[:, order]
        n = n_real_atoms(features)
        if name == "denoised" or name in PER_ATOM:
            expected, after[name] = expected[..., :n, :], after[name][..., :n, :]
        torch.testing.assert_close(
            after[name], expected, rtol=0, atol=5e-4, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_copies_of_a_chain_are_told_apart(model, jobs):
    swapped = replace(jobs[0], sym_id=torch.where(jobs[0].asym_id == 2, 1, jobs[0].sym_id))
    before, after = (model.run_trunk(job, 1).z for job in (jobs[0], swapped))
    assert (before - after).abs().max() > 0.1


@pytest.mark.parametrize("name", ["msa", "profile", "deletion_value", "token_bonds", "ref_pos"])
def test_every_feature_reaches_the_trunk(model, jobs, name):
    changed = replace(jobs[0], **{name: getattr(jobs[0], name).flip(0)})
    before, after = (model.run_trunk(job, 1).z for job in (jobs[0], changed))
    assert (before - after).abs().max() > 1e-2


def test_cycles_build_on_each_other(model, jobs):
    initial, trunk = model.start(jobs[0])
    assert not trunk.s.any() and not trunk.z.any()
    for _ in range(3):
        trunk = model.cycle(jobs[0], initial, trunk)
    expected = model.run_trunk(jobs[0], 3)
    assert torch.equal(trunk.z, expected.z)
    assert (expected.z - model.run_trunk(jobs[0], 2).z).abs().max() > 0.1


def test_a_fresh_network_is_calm():
    torch.manual_seed(0)
    model, features = AlphaFold3(SMALL).eval(), random_features(1, n_tokens=12)
    with torch.no_grad():
        trunk = model.run_trunk(features, 2)
        x = noisy(features, len(features.ref_pos))
        denoised = model.diffusion(x, LEVELS, model.diffusion.context(features, trunk))
        contacts = model.contact_probabilities(trunk)
    assert trunk.s.abs().max() < 20
    assert torch.isfinite(denoised).all()
    # Closed last layers: every distance bin is as likely as any other.
    torch.testing.assert_close(contacts, torch.full_like(contacts, 19 / 64))


def test_every_trained_parameter_has_a_gradient(jobs):
    torch.manual_seed(0)
    config = replace(REDUCED, n_template_blocks=1)
    model = AlphaFold3(config)
    model.load_state_dict(random_network(config, 1).state_dict())
    with torch.enable_grad():
        results = everything(model, jobs[0], noisy(jobs[0], len(jobs[0].ref_pos)))
        sum(result.square().mean() for result in results.values()).backward()
    silent = [
        name
        for name, p in model.named_parameters()
        if p.requires_grad and (p.grad is None or not p.grad.any())
    ]
    # The first cycle starts from zeros, and only 24 slots of some are in use.
    assert silent == []
