"""The fold that greets a newcomer: ubiquitin, in the hands of the local user."""

from folding.inputs import FoldInput, FoldOptions, ProteinChain
from webapp import jobs, local_user
from webapp.examples import BY_SLUG
from webapp.models import Job


def submit_if_empty() -> Job | None:
    """The example job, if nobody has ever asked for one here; else None."""
    if Job.objects.exists():
        return None
    example = BY_SLUG["ubiquitin"]
    chain = ProteinChain(ids=("A",), sequence=example.sequence)
    fold_input = FoldInput(name=example.name, chains=(chain,))
    return jobs.submit(local_user.get_or_create(), fold_input, FoldOptions())
