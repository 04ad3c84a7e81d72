"""Carrying out one task in the present process: fit inside the clock, then answers, validated."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cfbench.errors import CfbenchError, ModelError
from cfbench.execution.outcome_writer import save_model
from cfbench.execution.task import Outcome, Task, saved_in
from cfbench.inference.embeddings import embeddings_of
from cfbench.inference.inputs import EvaluationInputs, Queries
from cfbench.inference.output import ModelOutput
from cfbench.inference.predict import predict_ratings, rating_range_of
from cfbench.inference.rank import rank_items
from cfbench.model.protocols import (
    EpochReport,
    FitContext,
    HasEmbeddings,
    HasRatingRange,
    PredictsRatings,
    RunsOnDevice,
    Saveable,
    ScoresItems,
    TakesColdEntities,
    WarmsUp,
)
from cfbench.records.record import Epoch, Status
from cfbench.registry.loading import instantiate, library_versions, load_class
from cfbench.resources.clock import Clock
from cfbench.resources.cost import Cost
from cfbench.resources.energy import Energy, metered
from cfbench.resources.memory import peak_bytes, reset_peak

_REASON = 500  # characters of a failure's reason that records and tables keep
_ALLOCATION_REFUSED = ("can't allocate memory", "cannot allocate memory", "out of memory")


def prepare(model: str, who: str) -> type[Any]:
    """Import the class and let it do its one-off start-up work."""
    cls = load_class(model, who)
    if issubclass(cls, WarmsUp):
        cls.warm_up()
    return cls


def perform(
    task: Task, report: Callable[[EpochReport], None], announce: Callable[[str], None] = lambda _phase: None
) -> Outcome:
    """Carry out ``task``. A model's failure becomes an outcome; the traceback goes to standard error.

    ``announce`` is told the parts of the work as they begin.
    """
    clock, losses = Clock(entered=announce), list[Epoch]()

    def on_epoch(epoch: EpochReport) -> None:
        checked = _checked(epoch, task.label)
        losses.append(Epoch(checked.epoch, checked.train_loss, checked.validation_loss))
        report(checked)

    reset_peak()
    try:
        with threadpool_limits(task.threads):
            model, answers, energy = _fit_and_ask(task, clock, on_epoch)
            peak = peak_bytes()  # before saving, which is no part of recommending
            size = _saved(model, task, clock) if task.save else None
    except (Exception, SystemExit) as error:  # whatever a plugin raises loses its own cell only
        traceback.print_exc()
        return _ended_early(task, error, clock, losses)
    device = model.device_ if isinstance(model, RunsOnDevice) else "cpu"
    cost = Cost(clock.wall, clock.cpu, peak, str(device), size, energy.kwh, energy.method)
    return Outcome(task, "ok", "", answers, cost, tuple(losses), library_versions(task.distribution))


def _saved(model: object, task: Task, clock: Clock) -> int | None:
    """Let the model save itself; return its bytes, or None where it cannot, which must not cost the answers."""
    if not isinstance(model, Saveable):
        return None
    try:
        with clock.part("save"):
            return save_model(model, saved_in(task))
    except ModelError:
        traceback.print_exc()
        shutil.rmtree(saved_in(task), ignore_errors=True)
        return None


def _fit_and_ask(
    task: Task, clock: Clock, on_epoch: Callable[[EpochReport], None]
) -> tuple[object, ModelOutput, Energy]:
    with clock.part("import"):
        cls = prepare(task.model, task.label)
    with clock.part("load"):
        questions = EvaluationInputs.read(Path(task.inputs))
    model = instantiate(cls, task.params, f"model {task.label}")
    context = FitContext(task.seed, task.device, task.threads, on_epoch)
    with metered(task.energy) as energy:
        with clock.part("fit"):
            model.fit(questions.train, context)
        answers = _ask(model, questions, task, clock)
    return model, answers, energy


def _ask(model: object, questions: EvaluationInputs, task: Task, clock: Clock) -> ModelOutput:
    rates, ranks = isinstance(model, PredictsRatings), isinstance(model, ScoresItems)
    if not rates and not ranks:
        raise ModelError(f"{task.label} has neither predict nor score_items; a model needs at least one of them")
    asked = with_cold_entities(model, questions, clock)
    given: dict[str, NDArray[Any]] = {}
    if isinstance(model, PredictsRatings):
        given["predictions"] = predict_ratings(model, asked.users, asked.items, clock)
    with clock.part("rank"):
        rankings = rank_items(
            model,
            questions.train,
            asked.ranked_users,
            k=task.list_length,
            tie_seed=questions.tie_seed,
            clock=clock,
            withheld=questions.withheld,
        )
    given |= {"lists": rankings.lists, "score_means": rankings.score_means}
    return ModelOutput.of(given | _looked_into(model, questions, clock))


def with_cold_entities(model: object, questions: EvaluationInputs, clock: Clock) -> Queries:
    """Introduce the newcomers to a model that can meet them; return the questions in the codes it then knows."""
    cold_entities = questions.cold_entities
    if cold_entities is None or not isinstance(model, TakesColdEntities):
        return questions.queries
    with clock.part("add_cold_entities"):
        model.add_cold_entities(cold_entities.users, cold_entities.items)
    return cold_entities.queries


def _looked_into(model: object, questions: EvaluationInputs, clock: Clock) -> dict[str, NDArray[Any]]:
    """Ask what no table of test errors needs: ratings of training rows, the range of ratings, the factors of items."""
    found: dict[str, NDArray[Any]] = {}
    train = questions.train
    if isinstance(model, PredictsRatings):
        rows = questions.checked_rows
        told = predict_ratings(model, train.users[rows], train.items[rows], clock, part="check")
        found |= {"train_rows": rows, "train_predictions": told}
    if isinstance(model, HasRatingRange) and (stated := rating_range_of(model)) is not None:
        found["rating_range"] = stated
    if isinstance(model, HasEmbeddings):
        with clock.part("check"):
            factors = embeddings_of(model, train.n_users, train.n_items).items.astype(np.float32)
        if factors.shape[1]:
            found["item_factors"] = factors
    return found


def _checked(epoch: EpochReport, who: str) -> EpochReport:
    """Bring a model's report to plain numbers: numpy scalars and zero-dimensional tensors are what models have."""

    def loss(value: object) -> float | None:
        return None if value is None else float(value)  # type: ignore[arg-type]

    try:
        return EpochReport(int(epoch.epoch), int(epoch.epochs), loss(epoch.train_loss), loss(epoch.validation_loss))
    except (TypeError, ValueError) as error:
        raise ModelError(f"{who} reported {epoch}; expected numbers, and None for a loss it does not have") from error


def _short(reason: str) -> str:
    """Bring what a plugin said to one printable line of bounded length; the log has the whole."""
    line = " ".join(reason.encode("utf-8", "replace").decode().split())
    return line if len(line) <= _REASON else f"{line[:_REASON]} ..."


def _ended_early(task: Task, error: BaseException, clock: Clock, losses: Sequence[Epoch]) -> Outcome:
    status: Status = "out-of-memory" if _lacks_memory(error) else "failed"
    reason = _short(str(error) if isinstance(error, CfbenchError) else f"{type(error).__name__}: {error}")
    return Outcome(
        task,
        status,
        reason,
        None,
        Cost(clock.wall, clock.cpu, peak_bytes()),
        tuple(losses),
        library_versions(task.distribution),
    )


def _lacks_memory(error: BaseException | None) -> bool:
    """Whether an allocation was refused; libraries have errors of their own for it, known by name or by words."""
    while error is not None:
        refused = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
        if refused or any(words in str(error).lower() for words in _ALLOCATION_REFUSED):
            return True
        error = error.__cause__
    return False
