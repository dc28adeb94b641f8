"""The hallway between the rooms: a fold from its input to saved files, told in events.

Pure: no Django, no broker, no clock but the one it is given. Behaviour comes in as arguments
(`fold`, `save`, `report`); `report` is its only voice, and may raise to end the fold there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from folding import cost, progress
from folding.errors import InvalidInput, WeightsError
from folding.inputs import FoldInput, FoldOptions, ProteinChain
from folding.outputs import write_outputs
from folding.prediction import Prediction
from folding.weights.catalog import CATALOG, note_on_unseen
from folding.weights.store import Facts, Store, not_here
from webapp.live.events import (
    ContactMap,
    Event,
    Frame,
    Level,
    LogLine,
    OutlineReady,
    Progress,
    SampleReady,
)
from webapp.live.frames import coordinate_bytes, probability_bytes
from webapp.machine import machine, numbers
from webapp.meter import Meter

if TYPE_CHECKING:
    from torch import nn

    from folding.device import Numbers, Place
    from folding.model.alphafold3 import AlphaFold3
    from webapp.search_request import Site, SiteDatabase

Predictions: TypeAlias = tuple[Prediction, ...]
Fold: TypeAlias = Callable[[progress.Report], Predictions]

FRAME_SECONDS = 1 / 12
PROGRESS_SECONDS = 1 / 8
SAVING_SHARE = 0.2
# Stages that are done when the next one begins; of the others, every unit is reported.
UNREPORTED = ("msa", "features")


@dataclass(frozen=True)
class Outcome:
    """What came of a job: predictions, best first, and the seconds that each stage took."""

    predictions: Predictions
    stage_seconds: dict[str, float]

    @property
    def seconds(self) -> float:
        return sum(self.stage_seconds.values())


def run(
    fold_input: FoldInput,
    options: FoldOptions,
    *,
    fold: Fold,
    save: Callable[[Predictions], None],
    report: Callable[[Event], None],
    clock: Callable[[], float] = time.monotonic,
    first_percent: float = 0.0,
) -> Outcome:
    """Folds, saves, and reports every step.

    Args:
        fold: `folding.predict.fold` with everything but its `report` filled in.
        save: Writes the artifacts of the predictions.
        report: Receives the events; whatever it raises ends the job and is passed on.
        clock: Seconds, growing.
        first_percent: How much of the bar was filled before.
    """
    narrator = Narrator(fold_input, options, report=report, clock=clock)
    narrator.first_percent = first_percent
    narrator.begin()
    predictions = fold(narrator.hear)
    narrator.enter("saving")
    save(predictions)
    return Outcome(predictions=predictions, stage_seconds=narrator.end())


def fold_with(
    model: AlphaFold3,
    fold_input: FoldInput,
    options: FoldOptions,
    state: Path | None = None,
    weights_sha256: str = "",
    place: Place | None = None,
) -> Fold:
    """A `fold` by this model.

    Args:
        state: Folder in which the fold keeps what is done, to go on from there another time.
        weights_sha256: Says which weights the state belongs to.
        place: Where the model is, in the numbers that this site wants, by default.
    """
    from folding.checkpoint import FolderCheckpoint, NoCheckpoint, fingerprint
    from folding.device import place_of
    from folding.predict import fold

    checkpoint: FolderCheckpoint | NoCheckpoint = NoCheckpoint()
    place = place or place_of(model, numbers())
    if state is not None:
        key = fingerprint(fold_input, options, weights_sha256=weights_sha256, place=place)
        checkpoint = FolderCheckpoint(state, key)
    return lambda hear: fold(
        fold_input,
        model=model,
        options=options,
        report=hear,
        checkpoint=checkpoint,
        place=place,
    )


@dataclass(frozen=True)
class Loaded:
    """A model in memory: its network, its weights' checksum, and the bytes that they fill."""

    network: AlphaFold3
    sha256: str
    bytes: int


def load_model(name: str, store: Store) -> Loaded:
    """The model with its trained weights.

    Raises:
        WeightsError: its weights are not here, or damaged.
    """
    from folding.device import best_device
    from folding.weights import own

    model = store.model(name)
    if not store.is_here(name):
        raise WeightsError(not_here(name))
    network = own.load_file(store.path(name), model.config).to(best_device())
    return Loaded(network, store.sha256(name), store.size(name))


def machine_of(network: nn.Module) -> cost.Machine:
    """This machine as it folds with this network: where its weights are, and can be given back."""
    import torch

    from folding.device import place_of
    from folding.weights.mapped import Mapped

    device = place_of(network).device
    is_gpu = device.type == "cuda"
    n_bytes = torch.cuda.get_device_properties(device).total_memory if is_gpu else 0
    return replace(machine(), gpu_bytes=n_bytes, gives_back=Mapped(network).gives_back)


class Models:
    """The models that this process keeps in memory: as many of the last ones as a budget allows.

    Args:
        budget_bytes: A fifth of this machine's memory by default. The last model is always kept.
    """

    def __init__(self, store: Store, *, budget_bytes: int | None = None) -> None:
        self._store = store
        self._budget = budget_bytes if budget_bytes is not None else cost.usable_memory() // 5
        self._loaded: dict[str, Loaded] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Those in memory, the last one used at the end."""
        return tuple(self._loaded)

    def get(self, name: str) -> Loaded:
        """The model, from memory or from its file; one that was replaced is loaded anew.

        Raises:
            WeightsError: its weights are not here, or damaged.
        """
        kept = self._loaded.pop(name, None)
        if kept is None or not self._is_current(name, kept):
            if self._store.is_here(name):
                self._make_room(self._store.size(name))
            kept = load_model(name, self._store)
            rehearse(kept.network)
        self._loaded[name] = kept
        return kept

    def _is_current(self, name: str, kept: Loaded) -> bool:
        """Whether the file is still the one that was loaded; what ships stays as it is."""
        here = self._store.is_here(name)
        return here and (self._store.model(name).ships or kept.sha256 == self._store.sha256(name))

    def _make_room(self, n_bytes: int) -> None:
        """Lets go of those that were not used for longest until the next one fits."""
        while self._loaded and n_bytes + sum(m.bytes for m in self._loaded.values()) > self._budget:
            del self._loaded[next(iter(self._loaded))]


def fetch_weights(
    name: str,
    store: Store,
    *,
    mirrors: Sequence[str],
    report: Callable[[Any, int, int], None],
) -> None:
    """Downloads a model of the catalogue and makes it loadable.

    Raises:
        FoldingError: it did not come, or is not what it should be; or `report` said so.
    """
    from folding.weights.fetch import pull

    pull(name, store, mirrors=mirrors, report=report)


def import_weights(
    path: Path, store: Store, *, name: str | None, report: Callable[[Any, int, int], None]
) -> Facts:
    """Makes a checkpoint that somebody has loadable, under its own name or this one.

    Raises:
        FoldingError: it is no checkpoint that fits a network, or the name is taken.
    """
    from folding.weights.fetch import import_file

    return import_file(path, store, name=name, report=report)


def rehearse(model: AlphaFold3) -> None:
    """Folds a few residues for nobody, so that the first job finds everything loaded."""
    # What the features read comes with plotting in tow: better now than in the first fold.
    import biotite.structure

    del biotite
    few = FoldInput(name="Rehearsal", chains=(ProteinChain(ids=("A",), sequence="GGGG"),))
    options = FoldOptions(n_samples=1, n_recycles=0, n_steps=1)
    fold_with(model, few, options)(progress.silent)


def saver(
    folder: Path, fold_input: FoldInput, options: FoldOptions, *, weights_sha256: str
) -> Callable[[Predictions], None]:
    """A `save` that writes the artifacts of this fold into a folder that exists."""

    def save(predictions: Predictions) -> None:
        from folding.device import best_device, place_on
        from folding.manifest import coordinates_sha256, describe

        place = place_on(best_device(), numbers())
        manifest = {
            **describe(fold_input, options, weights_sha256=weights_sha256, place=place),
            "coordinates_sha256": coordinates_sha256(predictions),
        }
        write_outputs(
            folder,
            name=fold_input.slug,
            fold_input=fold_input,
            predictions=predictions,
            manifest=manifest,
        )

    return save


@dataclass(frozen=True)
class Replay:
    """A fold done again: what came, what was not as then, and what did not come out the same."""

    predictions: Predictions
    differences: list[str]
    changed: list[str]


def replay(
    path: Path,
    load: Callable[[str], Loaded],
    *,
    begin: Callable[[list[str]], None],
    report: progress.Report = progress.silent,
) -> Replay:
    """Folds again what a manifest describes, from the input that lies beside it.

    Args:
        path: A `manifest.json` in the folder of a job's results.
        begin: Hears, before anything is folded, what differs from then.

    Raises:
        InvalidInput: it is no manifest, or the input is not beside it.
        FoldingError: there is too little memory for the fold.
    """
    import torch

    from folding.device import place_of
    from folding.manifest import changed, coordinates_sha256, describe, differences

    manifest = read_manifest(path)
    fold_input = _input_beside(path, manifest)
    options = FoldOptions(**manifest["options"])
    torch.set_num_threads(manifest.get("threads", torch.get_num_threads()))
    loaded = load(options.model)
    cost.check_free_memory(fold_input, options, machine=machine_of(loaded.network))
    place = place_of(loaded.network, numbers_of(manifest))
    now = describe(fold_input, options, weights_sha256=loaded.sha256, place=place)
    found = differences(manifest, now)
    begin(found)
    predictions = fold_with(loaded.network, fold_input, options, place=place)(report)
    digests = coordinates_sha256(predictions)
    return Replay(predictions, found, changed(manifest["coordinates_sha256"], digests))


def numbers_of(manifest: Mapping[str, Any]) -> Numbers:
    """What a fold was computed in; what this site wants where its manifest does not say."""
    words = str(manifest.get("dtype", ""))
    if "bfloat16" in words:
        return "bfloat16"
    return "float32" if words == "float32" else numbers()


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a job.

    Raises:
        InvalidInput: it cannot be read, or says too little to fold again.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read as a manifest: {error}") from None
    needed = {"options", "seeds", "weights_sha256", "coordinates_sha256", "files"}
    if not isinstance(manifest, dict) or not needed <= manifest.keys():
        raise InvalidInput(
            f"{path} does not say all that it takes to fold again. Choose the manifest.json of a "
            "finished job, from this version on."
        )
    return manifest


def _input_beside(path: Path, manifest: dict[str, Any]) -> FoldInput:
    names = [name for name in manifest["files"] if name.endswith("_data.json")]
    try:
        document = json.loads((path.parent / names[0]).read_text(encoding="utf-8"))
    except (IndexError, OSError, ValueError):
        raise InvalidInput(
            f"The input of the job is not beside {path}: keep the files of a result together."
        ) from None
    return replace(FoldInput.from_json(document), seeds=tuple(manifest["seeds"]))


def search_alignment(
    sequence: str, database: SiteDatabase, site: Site, *, report: Callable[[float, int], None]
) -> str:
    """Relatives of a sequence in one database of this site, as A3M with the sequence first.

    Args:
        report: Hears the fraction that was read and the number of rows so far; may raise.

    Raises:
        FoldingError: the database cannot be read.
    """
    from folding.search.homologs import Database, SearchOptions, SearchProgress, search, to_a3m

    def hear(progress: SearchProgress) -> None:
        passes = progress.iteration - 1 + progress.n_done / max(progress.n_targets, 1)
        report(passes / progress.n_iterations, progress.n_found)

    place = Database(database.name, database.path, database.kind)
    options = SearchOptions(site.e_value, site.max_rows, site.iterations)
    return to_a3m(sequence, search(sequence, place, options, report=hear))


def search_templates(
    fold_input: FoldInput,
    folder: Path,
    *,
    index: Path,
    before: date | None,
    report: Callable[[str], None],
) -> FoldInput:
    """The job with templates for each protein that says nothing about templates.

    Args:
        index: File that keeps what was read of the folder.
        before: Structures released on this day or later are left out.
        report: Hears what was found, and "" now and then; may raise.
    """
    from folding.templates import search

    known = search.index_folder(folder, index=index, report=lambda: report(""))
    chains = []
    for chain in fold_input.chains:
        if isinstance(chain, ProteinChain) and chain.templates is None:
            found = search.search_templates(
                chain.sequence, known, folder, before=before, report=lambda: report("")
            )
            words = ", ".join(f"{hit.name} ({hit.identity:.0%} identical)" for hit in found)
            report(f"Chain {', '.join(chain.ids)}: templates {words or 'not found'}.")
            chain = replace(chain, templates=tuple(hit.template for hit in found))
        chains.append(chain)
    return replace(fold_input, chains=tuple(chains))


def templates_used(fold_input: FoldInput) -> list[dict[str, Any]]:
    """The templates that the network reads, for people: the first four of each protein."""
    from folding.data.templates import N_TEMPLATES
    from folding.templates.mapping import identity
    from folding.templates.structure_file import read_structure

    used = []
    for chain in fold_input.chains:
        if not isinstance(chain, ProteinChain):
            continue
        for template in (chain.templates or ())[:N_TEMPLATES]:
            file = read_structure(template.cif, field="templates")
            share = identity(chain.sequence, template, file.chains[0])
            used.append(
                {
                    "name": file.name,
                    "chain": ", ".join(chain.ids),
                    "n_residues": len(template.query_indices),
                    "identity": round(100 * share),
                }
            )
    return used


def alignment_summary(fold_input: FoldInput, *, paired_as_own: bool = False) -> dict[str, Any]:
    """Depth and coverage of the job's alignments, and its templates, as plain numbers.

    Args:
        paired_as_own: Whether the model reads paired rows that find no partner.

    Raises:
        InvalidInput: an alignment does not belong to its chain.
    """
    from folding.data.depth import alignment_depth

    declining = {c.ids for c in fold_input.chains if getattr(c, "msa", None) == ""}
    return {
        "chains": [
            {
                "ids": list(chain.ids),
                "declines": chain.ids in declining,
                "n_residues": chain.n_residues,
                "n_rows": chain.n_rows,
                "n_paired": chain.n_paired,
                "n_effective": round(chain.n_effective, 1),
                "coverage": chain.binned(),
            }
            for chain in alignment_depth(fold_input, paired_as_own=paired_as_own)
        ],
        "templates": templates_used(fold_input),
    }


class Narrator:
    """Turns what `fold` reports into events for people: percent, time left, log, pictures."""

    def __init__(
        self,
        fold_input: FoldInput,
        options: FoldOptions,
        *,
        report: Callable[[Event], None],
        clock: Callable[[], float],
    ) -> None:
        self.first_percent = 0.0
        self._input = fold_input
        self._options = options
        self._report = report
        self._clock = clock
        self._meter = Meter(plan(fold_input, options), clock=clock)
        self._stage = ""
        self._next_frame = self._next_progress = clock()

    def begin(self) -> None:
        """Says what is about to be folded."""
        chains, tokens = self._input.n_chains, self._input.n_tokens
        noun = "token" if self._input.has_atom_tokens else "residue"
        self._say(f"Folding {_count(chains, 'chain')} of {_count(tokens, noun)} in all.")
        for note in self._input.notes:
            self._say(note)
        model = CATALOG.get(self._options.model)
        if model and (note := note_on_unseen(model, [self._input])):
            self._say(note, level="warning")

    def hear(self, event: progress.Event) -> None:
        """Passes on one event of the fold."""
        match event:
            case progress.StageStarted():
                self.enter(self._shown(event.stage))
            case progress.TokensKnown(outline=outline):
                self._report(OutlineReady(**asdict(outline)))
            case progress.BlockDone():
                self._block(event)
            case progress.RecycleDone():
                self._recycle(event)
            case progress.StepDone():
                self._step(event)
            case progress.SampleDone():
                self._sample(event.prediction)
            case progress.Note():
                self._say(event.message, level=event.level)

    def enter(self, stage: str) -> None:
        """A stage begins."""
        if stage == self._stage:
            return
        if self._stage in UNREPORTED:
            self._meter.done(self._stage)
        self._meter.mark()
        self._stage = stage
        self._progress(always=True)

    def end(self) -> dict[str, float]:
        """Says that all is done; the seconds of each stage."""
        self._meter.done("saving")
        seconds = self._meter.stage_seconds
        self._say(f"Done in {_duration(sum(seconds.values()))}.")
        return seconds

    def _block(self, event: progress.BlockDone) -> None:
        self._meter.partly("trunk", event.block / event.n_blocks)
        where = self._of_seed(event.seed)
        cycle = f"cycle {event.cycle} of {event.n_cycles}"
        self._progress(f"{where}{cycle}, block {event.block} of {event.n_blocks}", always=False)

    def _recycle(self, event: progress.RecycleDone) -> None:
        if event.before:
            n_before = self._seed_index(event.seed) * event.n_cycles + event.cycle
            self._meter.given("trunk", n_before)
            self._meter.mark()
        else:
            self._meter.done("trunk")
        contacts = ContactMap(
            seed=event.seed,
            seed_index=self._seed_index(event.seed),
            cycle=event.cycle,
            n_cycles=event.n_cycles,
            count=len(event.contact_probs),
            bin=probability_bytes(event.contact_probs),
        )
        self._report(contacts)
        where = self._of_seed(event.seed)
        self._progress(f"{where}cycle {event.cycle} of {event.n_cycles}", always=True)

    def _step(self, event: progress.StepDone) -> None:
        self._drawn(event.seed, event.sample, event.step - 1)
        self._meter.done("diffusion")
        is_border = event.step in (1, event.n_steps)
        if is_border or self._clock() >= self._next_frame:
            self._next_frame = self._clock() + FRAME_SECONDS
            self._report(self._frame(event))
        sample = f"sample {event.sample + 1} of {event.n_samples}"
        where = self._of_seed(event.seed)
        self._progress(f"{where}{sample}, step {event.step} of {event.n_steps}", always=is_border)

    def _drawn(self, seed: int, sample: int, n_steps: int) -> None:
        """So many steps of a sample are done, whoever did them."""
        index = self._seed_index(seed) * self._options.n_samples + sample
        self._meter.given("diffusion", index * self._options.n_steps + n_steps)

    def _frame(self, event: progress.StepDone) -> Frame:
        return Frame(
            seed=event.seed,
            seed_index=self._seed_index(event.seed),
            sample=event.sample,
            n_samples=event.n_samples,
            step=event.step,
            n_steps=event.n_steps,
            noise_level=event.noise_level,
            count=len(event.coordinates),
            bin=coordinate_bytes(event.coordinates),
        )

    def _sample(self, prediction: Prediction) -> None:
        self._drawn(prediction.seed, prediction.sample, self._options.n_steps)
        self._meter.done("confidence")
        confidence = prediction.confidence
        sample = SampleReady(
            seed=prediction.seed,
            sample=prediction.sample,
            n_samples=self._options.n_samples,
            ranking_score=confidence.ranking_score,
            mean_plddt=confidence.mean_plddt,
            ptm=confidence.ptm,
            iptm=confidence.iptm,
            has_clash=confidence.has_clash,
            fraction_disordered=confidence.fraction_disordered,
        )
        self._report(sample)
        self._say(
            f"{self._of_seed(prediction.seed)}sample {prediction.sample + 1} is ready: "
            f"ranking score {confidence.ranking_score:.2f}, pLDDT {confidence.mean_plddt:.0f}."
        )
        self._progress(always=True)

    def _say(self, message: str, *, level: Level = "info") -> None:
        now = datetime.now(UTC).isoformat()
        self._report(LogLine(level=level, message=message[:1].upper() + message[1:], at=now))

    def _progress(self, detail: str = "", *, always: bool) -> None:
        if not always and self._clock() < self._next_progress:
            return
        self._next_progress = self._clock() + PROGRESS_SECONDS
        self._report(
            Progress(
                stage=self._stage,
                percent=round(
                    self.first_percent + (1 - self.first_percent / 100) * self._meter.percent, 1
                ),
                eta_seconds=round(self._meter.eta_seconds, 1),
                detail=detail,
            )
        )

    def _shown(self, stage: str) -> str:
        """The stage as the page shows it: without alignments there is none to read."""
        has_alignment = bool(self._input.alignments)
        return "features" if stage == "msa" and not has_alignment else stage

    def _seed_index(self, seed: int) -> int:
        return self._input.seeds.index(seed)

    def _of_seed(self, seed: int) -> str:
        return f"seed {seed}, " if len(self._input.seeds) > 1 else ""


def plan(fold_input: FoldInput, options: FoldOptions) -> dict[str, tuple[int, float]]:
    """Units of each stage, and the seconds that one should take on this machine."""
    seeds = len(fold_input.seeds)
    samples = seeds * options.n_samples
    seconds = unit_seconds(fold_input, options)
    units = {
        "msa": seeds if fold_input.alignments else 0,
        "features": seeds,
        "trunk": seeds * (options.n_recycles + 1),
        "diffusion": samples * options.n_steps,
        "confidence": samples,
        "saving": 1,
    }
    each = {**seconds, "saving": samples * seconds["saving"]}
    return {stage: (n, each[stage]) for stage, n in units.items()}


def unit_seconds(fold_input: FoldInput, options: FoldOptions) -> dict[str, float]:
    """Seconds of one unit of each stage: what the estimate grows by with one more of them."""
    one_seed = replace(fold_input, seeds=fold_input.seeds[:1])
    here = machine()

    def seconds(**units: int) -> float:
        least: dict[str, Any] = {"n_samples": 1, "n_recycles": 0, "n_steps": 1}
        changed = replace(options, **{**least, **units})
        return cost.estimate_job(one_seed, changed, machine=here).seconds

    base = seconds()
    cycle, step = seconds(n_recycles=1) - base, seconds(n_steps=2) - base
    judged = max(seconds(n_samples=2) - base - step, 0.0)
    start = max(base - cycle - step - judged, 0.0)
    return {
        "msa": start / 2,
        "features": start,
        "trunk": cycle,
        "diffusion": step,
        "confidence": judged * (1 - SAVING_SHARE),
        "saving": judged * SAVING_SHARE,
    }


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
