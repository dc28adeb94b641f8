"""What events change on open pages: targets, words, and that nothing typed becomes markup."""

import json
from html.parser import HTMLParser

import pytest

from tests.webapp import folded
from webapp import stages
from webapp.live import fragments
from webapp.live.events import (
    ContactMap,
    Frame,
    Gap,
    LogLine,
    OutlineReady,
    Progress,
    SampleReady,
    StatusChanged,
)
from webapp.models import Status
from webapp.monitor import Gpu, Reading, Snapshot

AT = "2026-11-20T12:00:00.123456+00:00"


class Root(HTMLParser):
    """The attributes of the first element of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: dict[str, str | None] | None = None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if self.attributes is None:
            self.attributes = dict(attrs)


def root(fragment: fragments.Fragment) -> dict[str, str | None]:
    return Root(fragment.html).attributes


@pytest.fixture
def job(user, data_dir):
    return folded.queued_job(user, status=Status.RUNNING, stage="trunk", percent=20.0)


def test_progress_replaces_the_bar_and_the_timeline(job):
    event = Progress(stage="diffusion", percent=41.6, eta_seconds=65.0, detail="step 3 of 8")
    bar, timeline = fragments.render(job, event)
    assert root(bar)["id"] == bar.target == "job-progress"
    assert root(bar)["data-percent"] == "41.6"
    assert "Diffusion, step 3 of 8" in bar.html
    assert "1 min 05 s left" in bar.html
    assert root(timeline)["id"] == timeline.target == "job-stages"
    assert timeline.html.count('aria-current="step"') == 1


def test_a_log_line_is_appended_once_and_escaped(job):
    event = LogLine(level="warning", message="<b>careful</b>", at=AT)
    (line,) = fragments.render(job, event)
    (again,) = fragments.render(job, event)
    assert line.target == "job-log"
    assert root(line)["id"] == root(again)["id"] == fragments.log_key(event)
    assert "&lt;b&gt;careful" in line.html
    assert "Warning:" in line.html
    other = LogLine(level="info", message="<b>careful</b>", at="2026-11-20T12:00:01+00:00")
    assert fragments.log_key(other) != fragments.log_key(event)


def test_a_sample_is_a_row_of_its_own(job):
    event = SampleReady(
        seed=1,
        sample=2,
        n_samples=5,
        ranking_score=0.7123,
        mean_plddt=71.26,
        ptm=0.5,
        iptm=None,
        has_clash=False,
        fraction_disordered=0.0,
    )
    (row,) = fragments.render(job, event)
    assert row.target == "job-samples"
    assert 'id="live-sample-1-2"' in row.html
    assert "sample 3" in row.html
    assert 'class="band high">71.3' in row.html


def test_numbers_travel_beside_the_fragments(job):
    step = Frame(
        seed=1,
        seed_index=0,
        sample=0,
        n_samples=1,
        step=1,
        n_steps=2,
        noise_level=1.0,
        count=0,
        bin=b"",
    )
    contacts = ContactMap(seed=1, seed_index=0, cycle=1, n_cycles=2, count=0, bin=b"")
    assert fragments.render(job, step) == fragments.render(job, contacts) == []


def test_a_gap_says_how_much_is_missing(job):
    (mark,) = fragments.render(job, Gap(dropped=3))
    assert "3 lines left out" in mark.html


def test_a_running_status_keeps_the_live_panel(job):
    targets = [part.target for part in fragments.render(job, StatusChanged(status="running"))]
    assert targets == ["job-head", "job-progress", "job-stages"]


def test_the_row_decides_what_a_status_shows(user, data_dir):
    finished = folded.finished_job(user)
    head, panel = fragments.render(finished, StatusChanged(status="running"))
    assert root(head)["data-status"] == "succeeded"
    assert (panel.target, root(panel)["data-panel"]) == ("job-panel", "result")


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_jobs_that_end_without_a_result(job, status):
    job.status, job.error = status, "<i>why</i>"
    _, panel = fragments.render(job, StatusChanged(status=status))
    assert root(panel)["data-panel"] == "ended"
    assert "<i>" not in panel.html
    assert f"/jobs/{job.pk}/retry/" in panel.html


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"status": Status.RUNNING, "eta_seconds": 9.0}, "20 %, trunk, about 9 s left"),
        ({"status": Status.QUEUED}, "Next in the queue"),
        ({"status": Status.FAILED, "error": "Too large."}, "Too large."),
        ({"status": Status.RUNNING, "cancel_requested": True}, "Cancelling"),
    ],
)
def test_dashboard_rows(job, fields, says):
    for name, value in fields.items():
        setattr(job, name, value)
    job.save()
    row = fragments.row(job)
    assert root(row)["id"] == row.target == f"job-{job.pk}"
    assert says in row.html


def test_the_queue_is_counted(user, data_dir):
    jobs = [folded.queued_job(user) for _ in range(3)]
    words = [fragments.row(job).html for job in jobs]
    assert "Next in the queue" in words[0]
    assert "Queued, 1 job ahead" in words[1]
    assert "Queued, 2 jobs ahead" in words[2]


def test_a_deleted_row_leaves_an_empty_place(job):
    gone = fragments.removed(job.pk)
    assert root(gone)["id"] == gone.target
    assert "hidden" in root(gone)


def reading(host: str, *gpus: Gpu) -> Reading:
    return Reading(
        worker=f"w@{host}",
        host=host,
        at=AT,
        cpu_percent=37.6,
        cpu_count=2,
        memory_used=3_100_000_000,
        memory_total=16_000_000_000,
        gpus=gpus,
    )


def test_the_machine_panel_of_one_machine_without_a_gpu():
    panel = fragments.machine(Snapshot((reading("here"),), running=1, queued=4))
    for words in ("38 % of 2 cores", "3.1 GB of 16.0 GB", "none found", "1 running, 4 waiting"):
        assert words in panel.html
    assert "here" not in panel.html


def test_the_machine_panel_of_several_machines_names_them():
    gpu = Gpu(name="H200", percent=80.0, memory_used=10**9, memory_total=141 * 10**9)
    panel = fragments.machine(Snapshot((reading("a"), reading("b", gpu)), running=0, queued=0))
    for words in ("Machines", ">a<", ">b<", "H200", "1.0 GB of 141.0 GB"):
        assert words in panel.html


def test_the_timeline_shows_the_stages_that_a_job_goes_through(job):
    steps = stages.timeline(job, now="diffusion")
    states = {step.stage: step.state for step in steps}
    assert states == {
        "queued": "done",
        "features": "done",
        "trunk": "done",
        "diffusion": "now",
        "confidence": "ahead",
        "saving": "ahead",
    }


def test_alignments_are_a_stage_where_there_are_some(job):
    job.fold_input["sequences"][0]["protein"]["unpairedMsa"] = ">q\nAAAA"
    assert [step.stage for step in stages.timeline(job, now="queued")][1] == "msa"


@pytest.mark.django_db
def test_the_outline_of_the_tokens_stands_in_an_attribute(user):
    job = folded.queued_job(user)
    event = OutlineReady(tubes=[[0, 1]], beads=[2], bonds=[[1, 2]])
    (fragment,) = fragments.render(job, event)
    assert fragment.target == "live-outline"
    assert json.loads(root(fragment)["data-outline"] or "") == {
        "tubes": [[0, 1]],
        "beads": [2],
        "bonds": [[1, 2]],
    }
