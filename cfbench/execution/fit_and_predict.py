"""A cell's work in the present process: a model is fitted inside the clock, then queried and its answers validated."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.errors import ModelError
from cfbench.execution.contract import Outcome, Task
from cfbench.execution.failure_reasons import failure_of
from cfbench.execution.interrupts import interrupts
from cfbench.execution.outcome_file import saved_in
from cfbench.execution.pipe_events import EventRate
from cfbench.files.guarded_reading import plain_files
from cfbench.files.locks import remove_folder
from cfbench.inference.asked_again import KeptScores, ratings_again
from cfbench.inference.inputs import EvaluationInputs, Queries, mapped_array, pairs_file
from cfbench.inference.output import ModelOutput
from cfbench.inference.predict import embeddings_of, predict_ratings, rating_range_of
from cfbench.inference.rank import catalogue_scores, rank_items
from cfbench.model import protocols
from cfbench.model.protocols import EpochReport, FitContext
from cfbench.records.record import LAST_EPOCH, MOST_EPOCHS, Epoch, Status
from cfbench.registry.loading import instantiate, library_versions, load_class
from cfbench.resources.cost import LONGEST_TEXT, Clock, Cost, peak_bytes, reset_peak
from cfbench.resources.energy import metered

# The environment of a cell limits its threads, too; threadpoolctl reaches libraries that have read it before.
try:
    from threadpoolctl import threadpool_limits
except ImportError:
    threadpool_limits = nullcontext


def prepare(model: str, label: str) -> type[Any]:
    """Import the class ``package.module:Class`` and let it do its one-off start-up work."""
    cls = load_class(model, label)
    if issubclass(cls, protocols.WarmsUp):
        cls.warm_up()
    return cls


HandOver: TypeAlias = Callable[[Mapping[str, NDArray[Any]], bool], NDArray[np.int32]]
"""What gives the pairs for the arrays of the output that there are, lists among them; the flag asks for the codes that
a model with cold entities knows."""


def perform(
    task: Task,
    on_epoch: Callable[[EpochReport], None],
    on_phase: Callable[[str], None] = lambda _phase: None,
    load: Callable[[], EvaluationInputs] | None = None,
    hand_over: HandOver | None = None,
    held: Collection[str] = (),
) -> Outcome:
    """Carry out ``task``. A model's failure becomes an outcome; the traceback goes to standard error.

    Raises KeyboardInterrupt where a signal asks for it; one that a model raises is its failure.

    Args:
        task: the task.
        on_epoch: called with every epoch that the model reports, in plain numbers.
        on_phase: called with the parts of the work as they begin.
        load: gives the inputs, all but the pairs; None where they are read from the task's folder.
        hand_over: gives the pairs to predict when the lists are made; None where they are read from the inputs.
        held: what the kernel keeps this process from, as ``Outcome.protections`` names it; a failure that comes of it
            says so.
    """
    clock, curve = Clock(entered=on_phase), _LearningCurve(task.label, on_epoch)

    reset_peak()
    with interrupts() as interrupted:
        try:
            with threadpool_limits(task.threads):
                output, cost = _fit_and_query(
                    task,
                    clock,
                    curve.add,
                    load or partial(EvaluationInputs.read, Path(task.inputs), with_pairs=False),
                    hand_over or partial(_pairs_of, task),
                )
            status: Status = "ok"
            reason = ""
        except BaseException as error:  # whatever a plugin raises loses its own cell only
            if interrupted:
                raise
            status, reason = failure_of(error, task.import_path.partition(":")[0].partition(".")[0], held)
            output, cost = None, Cost()
            with suppress(ModelError):  # clocks that the model has replaced may be what failed it
                cost = _cost(clock, peak_bytes())
    return Outcome(task, status, reason, output, cost, curve.points(), library_versions(task.distribution))


def _pairs_of(task: Task, _ranked: Mapping[str, NDArray[Any]], cold: bool) -> NDArray[np.int32]:
    with pairs_file(Path(task.inputs), cold=cold).open("rb") as file:
        return mapped_array(file)


def _fit_and_query(
    task: Task,
    clock: Clock,
    on_epoch: Callable[[EpochReport], None],
    load: Callable[[], EvaluationInputs],
    hand_over: HandOver,
) -> tuple[ModelOutput, Cost]:
    with clock.part("import"):
        cls = prepare(task.import_path, task.label)
    with clock.part("load"):
        inputs = load()
    model = instantiate(cls, task.params, f"model {task.label}")
    with metered(task.energy) as energy:
        with clock.part("fit"):
            model.fit(inputs.train, FitContext(task.seed, task.device, task.threads, on_epoch))
        output = _query(model, inputs, task, clock, hand_over)
    peak = peak_bytes()  # before saving, which is no part of recommending
    model_bytes = None
    if task.save and isinstance(model, protocols.Saveable):
        try:
            with clock.part("save"):
                model_bytes = save_model(model, saved_in(task))
        except ModelError:  # must not cost the answers
            traceback.print_exc()
            remove_folder(saved_in(task))
    device = str(model.device_) if isinstance(model, protocols.RunsOnDevice) else "cpu"
    device = " ".join(device.encode("utf-8", "replace").decode().split())[:LONGEST_TEXT]
    return output, _cost(clock, peak, device, model_bytes, energy.kwh, energy.method)


def _cost(clock: Clock, *figures: Any) -> Cost:
    """Return the cost, raising ModelError for times that no cell can have taken."""
    try:
        return Cost(clock.wall, clock.cpu, *figures)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"its process told a cost that no cell can have had ({error}); a model leaves the clocks of Python's time "
            "module as they are"
        ) from error


def save_model(model: protocols.Saveable, folder: Path) -> int:
    """Let ``model`` save itself into ``folder``, which is made; return the bytes it wrote.

    Raises ModelError where saving fails, or leaves something else than plain files, or too many of them.
    """
    folder.mkdir()
    try:
        model.save(folder)
    except Exception as error:
        raise ModelError(f"{type(model).__name__}.save raised {type(error).__name__}: {error}") from error
    try:
        return sum(path.stat().st_size for path in plain_files(folder))
    except (OSError, ValueError) as error:
        raise ModelError(f"{type(model).__name__}.save left what cannot be kept: {error}") from error


def _query(model: object, inputs: EvaluationInputs, task: Task, clock: Clock, hand_over: HandOver) -> ModelOutput:
    """Return all that is stored of a fitted model: top-k lists, predictions, and what diagnoses need.

    It ranks first and rates last: pairs to rate are among those that it must not know when it ranks.
    """
    if not isinstance(model, protocols.PredictsRatings | protocols.ScoresItems):
        raise ModelError(f"{task.label} has neither predict nor score_items; a model needs at least one of them")
    train, seed = inputs.train, inputs.tie_seed
    queries = with_cold_entities(model, inputs, clock)
    users, withheld = queries.ranked_users, inputs.withheld
    kept = KeptScores(users, train.n_items, seed)
    with clock.part("rank"):
        rankings = rank_items(
            model, train, users, k=task.list_length, tie_seed=seed, clock=clock, withheld=withheld, kept=kept
        )
    arrays: dict[str, NDArray[Any]] = {"lists": rankings.lists, "score_means": rankings.score_means}
    if isinstance(model, protocols.HasRatingRange) and (stated := rating_range_of(model)) is not None:
        arrays["rating_range"] = stated
    if isinstance(model, protocols.HasEmbeddings):
        with clock.part("check"):
            factors = embeddings_of(model, train.n_users, train.n_items).items.astype(np.float32, copy=False)
        if factors.shape[1]:
            arrays["item_factors"] = factors
    again = np.full((2, 2), np.nan)
    if isinstance(model, protocols.PredictsRatings):
        with clock.part("write"):
            pairs = hand_over(arrays, queries is not inputs.queries)
        arrays["predictions"] = _rated(model, pairs, inputs, clock)
        ask_pairs = partial(predict_ratings, model, clock=clock, part="check")
        again[0] = ratings_again(pairs, arrays["predictions"], ask_pairs, train.scale.width, seed)
    again[1] = kept.changes(partial(catalogue_scores, model, train.n_items, clock=clock, part="check"), seed)
    return ModelOutput.of({**arrays, "asked_again": again})


def _rated(
    model: protocols.PredictsRatings, pairs: NDArray[np.int32], inputs: EvaluationInputs, clock: Clock
) -> NDArray[np.float32]:
    """Return the ratings of all pairs; of their seconds those of test rows alone stay under ``predict``."""
    before, (users, items) = clock.copy(), pairs
    ratings = predict_ratings(model, users, items, clock)
    if inputs.n_tested is not None:
        clock.move("predict", "check", 1 - inputs.n_tested / len(ratings), before)
    return ratings


def with_cold_entities(model: object, inputs: EvaluationInputs, clock: Clock) -> Queries:
    """Add the cold users and items to a model that takes them; return the queries in the codes that it then knows."""
    cold = inputs.cold_entities
    if cold is None or not isinstance(model, protocols.TakesColdEntities):
        return inputs.queries
    with clock.part("add_cold_entities"):
        model.add_cold_entities(cold.users, cold.items)
    return cold.queries


class _LearningCurve:
    """Learning curve of a model, with as many points as a record may hold: every second one goes when it is full."""

    def __init__(self, label: str, on_epoch: Callable[[EpochReport], None]) -> None:
        """Take the model as the user wrote it, and who hears of epochs, of those in quick succession not of all."""
        self._label, self._on_epoch, self._rate = label, on_epoch, EventRate()
        self._kept, self._distance, self._reported = list[Epoch](), 1, 0
        self._last: Epoch | None = None

    def add(self, report: EpochReport) -> None:
        """Add an epoch; raises ModelError where it is not told in numbers that a record can hold."""
        losses = (report.train_loss, report.validation_loss)
        try:  # models have numpy scalars and zero-dimensional tensors
            plain = [None if loss is None else float(loss) for loss in losses]
            told = EpochReport(int(report.epoch), int(report.epochs), *plain)
            finite = (loss if loss is not None and math.isfinite(loss) else None for loss in plain)
            last, _ = Epoch(told.epoch, *finite), Epoch(told.epochs, None, None)
        except (TypeError, ValueError, OverflowError) as error:
            raise ModelError(
                f"{self._label} reported {report!s:.200}; expected numbers from 0 to {LAST_EPOCH}, and None for a loss "
                "it does not have"
            ) from error
        self._last = last
        if self._reported % self._distance == 0:
            self._kept.append(last)
            if len(self._kept) == MOST_EPOCHS:
                del self._kept[1::2]
                self._distance *= 2
        self._reported += 1
        if self._rate.allows():
            self._on_epoch(told)

    def points(self) -> tuple[Epoch, ...]:
        """Return the points that are kept, and the last."""
        if self._distance > 1:
            print(f"cfbench: of {self._reported:,} epochs, the record holds one in {self._distance}")  # noqa: T201 - its log
        return (*self._kept, *(one for one in (self._last,) if one is not None and one is not self._kept[-1]))
