"""The rows: jobs, their predictions, downloads of weights, and what the Lab runs.

A Job is one person's request and its fate, a Prediction is one sample of its answer, a DeletedJob
is what is left of a job whose files may have to go, and a WeightsDownload is a model's way onto
this machine. A LabRun uses the quantum engine, an Execution is what it sent to a backend, and a
BackendReading is what a backend says of itself.

The row is the truth, events are hints. Nobody assigns `status` and saves: `webapp/jobs.py` moves it
by compare-and-set, fenced by `attempt`, so that a worker that was given up can never overwrite its
successor.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q


class Status(models.TextChoices):
    QUEUED = "queued", "Queued"
    """Waits for a worker. A job comes back here when its worker is lost."""
    RUNNING = "running", "Running"
    """One worker holds the lease of the current attempt."""
    PAUSED = "paused", "Paused"
    """Its owner let it rest; what is done is kept on disk."""
    SUCCEEDED = "succeeded", "Finished"
    """Prediction rows and artifacts are complete."""
    FAILED = "failed", "Failed"
    """Ended without a result; `error` says why in the user's words."""
    CANCELLED = "cancelled", "Cancelled"
    """Ended by its owner."""


class Stage(models.TextChoices):
    NONE = "", "—"
    QUEUED = "queued", "Queued"
    MSA = "msa", "Alignments"
    FEATURES = "features", "Features"
    TRUNK = "trunk", "Trunk"
    DIFFUSION = "diffusion", "Diffusion"
    CONFIDENCE = "confidence", "Confidence"
    REFINEMENT = "refinement", "Refinement"
    RELAXATION = "relaxation", "Relaxation"
    SAVING = "saving", "Saving"


FINISHED = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


class JobQuerySet(models.QuerySet["Job"]):
    def for_user(self, user: Any) -> JobQuerySet:
        """The jobs that this user may see: their own. Anonymous users own nothing."""
        return self.filter(owner=user) if user.is_authenticated else self.none()

    def unfinished(self) -> JobQuerySet:
        return self.exclude(status__in=FINISHED)


class Job(models.Model):
    """One person's request and its fate."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="jobs"
    )
    name = models.CharField(max_length=120)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    stage = models.CharField(max_length=10, choices=Stage.choices, default=Stage.QUEUED, blank=True)
    percent = models.FloatField(default=0.0)
    eta_seconds = models.FloatField(null=True, blank=True)

    attempt = models.PositiveIntegerField(default=0)
    """How often it was started; 0 before the first start. Every write of a worker filters on it."""
    crashes = models.PositiveSmallIntegerField(default=0)
    """How often its worker died under it since it last came further; stopping politely is none."""
    lease_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=200, blank=True)
    """Who holds the lease: `<node name>#<process id>`."""
    cancel_requested = models.BooleanField(default=False)
    pause_requested = models.BooleanField(default=False)
    enqueued_at = models.DateTimeField(null=True, blank=True)
    """When a task was last sent to the broker for it."""

    fold_input = models.JSONField()
    """`FoldInput.to_json()`."""
    options = models.JSONField(default=dict)
    """The fields of `FoldOptions`."""
    model = models.CharField(max_length=64, default="small")
    """Name of the weights, as in the options: for lists, filters, and jobs to come."""
    search = models.JSONField(default=dict, blank=True)
    """`SearchRequest.to_json()`: what to look for before the fold, and the consent to it."""
    n_tokens = models.PositiveIntegerField()
    estimate_seconds = models.FloatField(null=True, blank=True)
    estimate_bytes = models.BigIntegerField(null=True, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    """When its last attempt began."""
    earlier_seconds = models.FloatField(default=0.0)
    """What attempts before the last one computed, until they were paused or lost."""
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    last_event = models.CharField(max_length=40, blank=True)
    """Id, in the job's stream, of the last event that this row is known to include."""
    retry_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="retries"
    )

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["owner", "-created_at"], name="job_owner_newest"),
            models.Index(fields=["status", "created_at"], name="job_status_oldest"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED

    @property
    def queue_position(self) -> int | None:
        """1 for the next job to start; None unless the job is queued. Counts everybody's jobs.

        The broker hands out what it was sent first; a job that goes on, or that lost its worker,
        was sent anew. What was not sent yet comes after all that was.
        """
        if self.status != Status.QUEUED:
            return None
        same = Q(enqueued_at=self.enqueued_at)
        earlier = same & Q(created_at__lt=self.created_at)
        earlier |= same & Q(created_at=self.created_at, id__lt=self.id)
        if self.enqueued_at is None:
            earlier |= Q(enqueued_at__isnull=False)
        else:
            earlier |= Q(enqueued_at__lt=self.enqueued_at)
        return Job.objects.filter(earlier, status=Status.QUEUED).count() + 1


class Prediction(models.Model):
    """Confidence of one sample of a job; its structure is an artifact (`webapp/storage.py`)."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="predictions")
    seed = models.PositiveBigIntegerField()
    sample = models.PositiveIntegerField()
    rank = models.PositiveIntegerField()
    """1 is the best ranking_score of the job."""
    ranking_score = models.FloatField()
    mean_plddt = models.FloatField()
    ptm = models.FloatField()
    iptm = models.FloatField(null=True, blank=True)
    has_clash = models.BooleanField()
    fraction_disordered = models.FloatField()

    class Meta:
        ordering: ClassVar = ["rank"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job", "seed", "sample"], name="prediction_once"),
        ]

    def __str__(self) -> str:
        return f"seed {self.seed} sample {self.sample}"


class DeletedJob(models.Model):
    """A job that was deleted here: whatever files are left of it may go.

    Files of a job that has neither row are nobody's to remove: they belong to another database, or
    to a time after the backup that this one came from.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    deleted_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.id)


def remember_deleted(instance: Job, **signal: Any) -> None:
    """Notes, in the transaction that deletes a job by whatever way, that its files have to go."""
    DeletedJob.objects.get_or_create(pk=instance.pk)


class WeightsDownload(models.Model):
    """One model's way onto this machine. A model has one row, whoever asks for it how often."""

    name = models.CharField(max_length=64, primary_key=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="weights_downloads",
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    stage = models.CharField(max_length=12, blank=True)
    """`downloading`, `checking` or `converting`, while it runs."""
    done_bytes = models.BigIntegerField(default=0)
    total_bytes = models.BigIntegerField(default=0)

    attempt = models.PositiveIntegerField(default=0)
    crashes = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=200, blank=True)
    cancel_requested = models.BooleanField(default=False)
    enqueued_at = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.name

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED

    @property
    def percent(self) -> float:
        return 100.0 * self.done_bytes / self.total_bytes if self.total_bytes else 0.0


class LabRun(models.Model):
    """One run of the Lab: an application of the quantum engine, or a training."""

    class Kind(models.TextChoices):
        APPLICATION = "application", "Application"
        """One of `quantum.applications`, beside its classical control."""
        TRAINING = "training", "Training"
        """A network with a circuit inside; its checkpoints let it go on."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="lab_runs"
    )
    kind = models.CharField(max_length=12, choices=Kind.choices)
    name = models.CharField(max_length=64)
    """Of the application, or of the model that is trained."""
    values = models.JSONField()
    """Every parameter by name."""

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    attempt = models.PositiveIntegerField(default=0)
    crashes = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=200, blank=True)
    cancel_requested = models.BooleanField(default=False)
    enqueued_at = models.DateTimeField(null=True, blank=True)

    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    message = models.CharField(max_length=300, blank=True)
    """What it said last."""
    series = models.JSONField(default=list, blank=True)
    """Curves as they come (`webapp/lab/curves.py`)."""
    result = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True)
    resumed_from = models.PositiveIntegerField(null=True, blank=True)
    """The step whose checkpoint the training went on from, where it did."""

    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["owner", "-created_at"], name="lab_run_owner_newest"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED

    @property
    def is_training(self) -> bool:
        return self.kind == self.Kind.TRAINING

    @property
    def percent(self) -> float:
        if self.status == Status.SUCCEEDED:
            return 100.0
        return min(100.0 * self.done / self.total, 100.0) if self.total else 0.0


class Execution(models.Model):
    """One submission of a run to a backend, as the engine told of it last."""

    id = models.CharField(max_length=64, primary_key=True)
    """The engine's own."""
    run = models.ForeignKey(LabRun, on_delete=models.CASCADE, related_name="executions")
    wanted = models.CharField(max_length=40)
    backend = models.CharField(max_length=40)
    """Where it is now, or ended."""
    handle_id = models.CharField(max_length=120, blank=True)
    n_qubits = models.PositiveIntegerField(default=0)
    n_runs = models.PositiveIntegerField(default=0)
    shots = models.PositiveIntegerField(null=True, blank=True)
    seconds = models.FloatField(default=0.0)
    cost = models.FloatField(default=0.0)
    currency = models.CharField(max_length=8, default="USD")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    fallback_reason = models.TextField(blank=True)
    hops = models.JSONField(default=list, blank=True)
    """`{"backend", "reason", "seconds"}` of each backend that did not do it."""
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.backend} {self.id[:8]}"


class BackendReading(models.Model):
    """What a backend said of itself when the worker last asked."""

    name = models.CharField(max_length=40, primary_key=True)
    configured = models.BooleanField(default=False)
    reason = models.TextField(blank=True)
    """What is missing where it is not configured."""
    online = models.BooleanField(default=False)
    error = models.TextField(blank=True)
    n_qubits = models.PositiveIntegerField(null=True, blank=True)
    queue_jobs = models.PositiveIntegerField(null=True, blank=True)
    queue_seconds = models.FloatField(null=True, blank=True)
    errors = models.JSONField(default=dict, blank=True)
    """Error rates by kind, between 0 and 1."""
    pays = models.BooleanField(default=False)
    note = models.TextField(blank=True)
    """What it costs, in words."""
    read_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    """When it last answered."""

    test_status = models.CharField(max_length=10, blank=True)
    """`asked`, `passed`, `failed`, or empty where nobody has tested it."""
    test_message = models.TextField(blank=True)
    tested_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name
