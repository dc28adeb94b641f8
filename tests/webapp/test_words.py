"""Numbers in words, and what a sample is worth: right at every border."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from folding.weights.catalog import CATALOG, SMALL_MODEL
from tests.webapp import making
from webapp.models import Prediction, Status
from webapp.templatetags import words
from webapp.verdict import MOST_STRETCHES, sentences, stretches, unseen
from webapp.viewer import Chain

BASE = CATALOG["protenix_base_default_v1.0.0"]


def seconds_of(text: str) -> int:
    """What a duration in words says, in seconds."""
    sizes = {"h": 3600, "min": 60, "s": 1}
    parts = text.split()
    return sum(int(n) * sizes[unit] for n, unit in zip(parts[::2], parts[1::2], strict=True))


@given(st.floats(0, 5e5))
def test_a_duration_is_said_to_the_second_or_the_minute(seconds):
    said = seconds_of(words.duration(seconds))
    assert abs(said - seconds) <= (0.5 if seconds < 3599 else 60)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((None, ""), (-3, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s")),
        *((3599.6, "1 h 00 min"), (3661, "1 h 01 min"), (90_000, "25 h 00 min")),
    ],
)
def test_durations_at_the_borders(seconds, said):
    assert words.duration(seconds) == said


UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9}


def bytes_of(text: str) -> float:
    number, unit = text.split()
    return float(number) * UNITS[unit]


@given(st.floats(1e3, 1e12))
def test_an_amount_of_memory_is_rounded_to_its_unit_and_short(count):
    number, unit = words.memory(count).split()
    step = UNITS[unit] * (0.1 if unit == "GB" else 1.0)
    assert abs(bytes_of(f"{number} {unit}") - count) <= 0.5001 * step
    assert len(number) <= (6 if unit == "GB" else 3)


@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_more_memory_is_never_said_to_be_less(one, other):
    low, high = sorted((one, other))
    assert bytes_of(words.memory(low)) <= bytes_of(words.memory(high))


@pytest.mark.parametrize(
    ("plddt", "name"),
    [
        *((100.0, "very-high"), (90.0, "very-high"), (89.99, "high"), (70.0, "high")),
        *((69.99, "low"), (50.0, "low"), (49.99, "very-low"), (0.0, "very-low")),
        (float("nan"), "very-low"),
    ],
)
def test_bands_are_those_of_the_database(plddt, name):
    assert words.band(plddt) == name


def test_a_clock_shows_the_servers_time(settings):
    settings.TIME_ZONE = "UTC"
    with timezone.override(UTC):
        assert words.clock("2026-11-21T14:05:09+02:00") == "12:05:09"


@pytest.mark.django_db
def test_a_queue_is_said_in_words(user, other_user):
    first, second, third = (making.job(owner) for owner in (other_user, user, user))
    assert words.queue_words(first) == "Next in the queue"
    assert words.queue_words(second) == "Queued, 1 job ahead"
    assert words.queue_words(third) == "Queued, 2 jobs ahead"
    assert words.queue_words(making.job(user, status=Status.RUNNING)) == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"status": "running", "stage": "trunk", "percent": 12.4}, "12 %, trunk"),
        (
            {"status": "running", "stage": "msa", "percent": 0.0, "eta_seconds": 61.0},
            "0 %, alignments, about 1 min 01 s left",
        ),
        ({"status": "failed", "error": "No."}, "No."),
        ({"status": "cancelled"}, ""),
        ({"status": "paused"}, ""),
    ],
    ids=str,
)
def test_a_row_says_where_its_job_stands(user, fields, said):
    assert words.row_words(making.job(user, **fields)) == said


@pytest.mark.django_db
def test_a_finished_job_says_how_long_it_took(user):
    end = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    job = making.job(
        user, status="succeeded", started_at=end - timedelta(seconds=75), finished_at=end
    )
    assert words.row_words(job) == "in 1 min 15 s"
    job.earlier_seconds = 60.0
    assert words.row_words(job) == "in 2 min 15 s"


# The verdict ------------------------------------------------------------------------------------


def sample(**scores):
    values = {"mean_plddt": 80.0, "ptm": 0.8, "iptm": None, "has_clash": False, **scores}
    return Prediction(seed=1, sample=0, rank=1, ranking_score=0.5, **values)


def chain(plddt, *, name="A", kind="protein", n_tokens=None):
    n = len(plddt)
    return Chain(
        id=name,
        start=0,
        sequence="G" * n,
        plddt=tuple(plddt),
        codes=("GLY",) * n,
        n_tokens=tuple(n_tokens or [1] * n),
        kind=kind,
    )


@given(st.lists(st.floats(0, 100), max_size=40))
def test_stretches_are_the_runs_below_fifty_and_nothing_else(plddt):
    found = stretches(plddt)
    inside = {number for first, last in found for number in range(first, last + 1)}
    assert inside == {number for number, value in enumerate(plddt, 1) if value < 50.0}
    borders = [number for pair in found for number in pair]
    assert borders == sorted(borders)
    for (_, last), (first, _) in itertools.pairwise(found):
        assert first > last + 1, "neighbouring runs are one"


def unsure(*chains):
    return next(s for s in sentences(sample(), chains) if "below 50" in s)


def test_unsure_places_are_named_by_chain_where_there_are_several():
    low, high = [40.0], [90.0]
    assert unsure(chain(high * 3)) == "No residue is below 50."
    assert unsure(chain(low * 3)) == "Every residue is below 50."
    assert unsure(chain(high + low * 2 + high)) == "2 of 4 residues are below 50: 2 to 3."
    two = (chain(high + low, name="A"), chain(low + high, name="B"))
    assert unsure(*two) == "2 of 4 residues are below 50: A 2, B 1."


@pytest.mark.parametrize(
    ("n_more", "said"), [(0, "."), (1, "1 more stretch."), (2, "2 more stretches.")]
)
def test_many_places_are_counted_not_listed(n_more, said):
    plddt = [40.0, 90.0] * (MOST_STRETCHES + n_more)
    found = unsure(chain(plddt))
    assert found.endswith(said)
    assert found.count(",") == MOST_STRETCHES - 1


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ({"ptm": 0.5}, "the overall fold may be right"),
        ({"ptm": 0.49}, "the overall fold is probably not right"),
        ({"iptm": 0.8}, "is probably right"),
        ({"iptm": 0.6}, "may or may not be right"),
        ({"iptm": 0.59}, "is probably wrong"),
        ({"has_clash": True}, "this sample cannot be right"),
        ({"mean_plddt": 49.0}, "49 of 100, which is very low"),
    ],
    ids=str,
)
def test_each_threshold_has_its_sentence(scores, says):
    assert any(says in sentence for sentence in sentences(sample(**scores), [chain([90.0])]))


def test_a_single_chain_hears_nothing_of_interfaces():
    assert not any("ipTM" in s for s in sentences(sample(), [chain([90.0])]))


def test_what_a_model_never_saw_is_named_for_the_model_that_never_saw_it():
    several = [chain([90.0]), chain([90.0], name="B", kind="rna"), chain([90.0], kind="ligand")]
    assert unseen(BASE, several) == []
    (said,) = unseen(SMALL_MODEL, several)
    assert "RNA, ligands and ions" in said
    (modified,) = unseen(SMALL_MODEL, [chain([90.0, 90.0], n_tokens=[1, 9])])
    assert "modified residues" in modified
