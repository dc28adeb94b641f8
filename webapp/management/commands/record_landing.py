"""`python manage.py record_landing`: folds villin and keeps its steps for the landing page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand

from webapp.examples import BY_SLUG

if TYPE_CHECKING:
    from folding.prediction import Prediction

RECORDING = Path(settings.BASE_DIR) / "static" / "img" / "villin.json"
SEEDS = (1, 2, 3)
N_STEPS = 24


class Command(BaseCommand):
    """Writes the recording that `static/js/home.js` plays; run it when the weights have changed."""

    help = "Folds villin HP35 and keeps the steps of the best sample for the landing page."

    def handle(self, *args: Any, **options: Any) -> None:
        best = fold_villin()
        RECORDING.write_text(json.dumps(recording(best), separators=(",", ":")))
        self.stdout.write(f"{RECORDING.name}: mean pLDDT {best.confidence.mean_plddt:.0f}")


def fold_villin() -> Prediction:
    """The best of a few samples by the model that ships."""
    from folding.inputs import FoldInput, FoldOptions, ProteinChain
    from webapp import downloads, pipeline

    chain = ProteinChain(("A",), BY_SLUG["villin"].sequence)
    given = FoldInput(BY_SLUG["villin"].name, (chain,), seeds=SEEDS)
    options = FoldOptions(n_steps=N_STEPS)
    loaded = pipeline.load_model(options.model, downloads.store())
    return pipeline.fold_with(loaded.network, given, options)(lambda event: None)[0]


def recording(prediction: Prediction) -> dict[str, Any]:
    """Steps as whole tenths of an ångström, and the pLDDT of each residue."""
    structure = prediction.structure
    steps = (prediction.trajectory * 10).round().astype(int)
    plddt = prediction.confidence.atom_plddt[structure.centre_atoms].round(1)
    return {
        "name": BY_SLUG["villin"].name,
        "steps": [step.ravel().tolist() for step in steps],
        "plddt": plddt.tolist(),
    }
