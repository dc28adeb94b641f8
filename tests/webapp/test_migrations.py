"""What was stored before keeps its meaning."""

from importlib import import_module

import pytest
from django.apps import apps

from folding.inputs import FoldInput, ProteinChain, RnaChain
from tests.webapp import folded

MSA = f">q\n{folded.TRP_CAGE}\n"


@pytest.mark.django_db
def test_an_empty_alignment_of_before_says_nothing(user):
    chains = (
        ProteinChain(("A",), folded.TRP_CAGE, msa=""),
        ProteinChain(("B",), folded.TRP_CAGE, msa=MSA),
        RnaChain(("R",), "ACGU", msa=""),
    )
    job = folded.queued_job(user, FoldInput("Old", chains))
    other = folded.queued_job(user, FoldInput("New", (chains[1],)))
    migration = import_module("webapp.migrations.0006_alignments_not_said")
    migration.say_nothing(apps, None)
    job.refresh_from_db()
    found = FoldInput.from_json(job.fold_input)
    assert [chain.msa for chain in found.chains] == [None, MSA, None]
    kept = other.fold_input
    other.refresh_from_db()
    assert other.fold_input == kept
