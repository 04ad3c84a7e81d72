"""One cell of a finished run, and its model: loaded where it was saved, else fitted again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.refit.agreement import disagreement
from cfbench.analysis.refit.choosing import chosen_record
from cfbench.analysis.refit.fitting import at_work, fitted, plugin_of
from cfbench.analysis.refit.past_split import past_split
from cfbench.data.sources.source import Storage
from cfbench.data.splits.split import Split
from cfbench.errors import StoreError
from cfbench.execution.fit_and_predict import with_cold_entities
from cfbench.experiment.past_run import past_records, past_suite
from cfbench.inference.inputs import EvaluationInputs, Queries
from cfbench.inference.output import ModelOutput
from cfbench.model.ratings import Codes, Ratings
from cfbench.records.answer_shapes import require_answers_to
from cfbench.records.kept_models import ModelFolder
from cfbench.records.record import Cell, Record
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Plugin, Registry
from cfbench.resources.clock import Clock


@dataclass(frozen=True, eq=False)
class PastCell:
    """A finished cell with its data, before there is a model.

    Attributes:
        folder: the run's.
        record: what came of the cell.
        split: the data that the model was fitted to and asked about.
        plugin: the model's plugin.
        answers: what the model answered in the run.
        note: is told of what takes time, and of what is not as it was.
    """

    folder: RunFolder
    record: Record
    split: Split
    plugin: Plugin
    answers: ModelOutput
    note: Callable[[str], None]

    @property
    def cell(self) -> Cell:
        """The cell's coordinates."""
        return self.record.cell

    @cached_property
    def questions(self) -> EvaluationInputs:
        """What the run told the model and asked it."""
        return EvaluationInputs.of(self.split)

    def fresh(self) -> object:
        """Return the model as ``fit`` left it, without newcomers: loaded where it was saved, else fitted again.

        Raises:
            StoreError: the saved model is damaged or another's.
            ModelError: the model failed to fit.
        """
        models = ModelFolder(self.folder.path)
        if models.has(self.cell):
            return models.load(self.cell, self.plugin)
        self.note(f"fitting {self.cell} again; `cfbench run --save-models` keeps models that can be saved")
        return self.refitted(self.split.train)

    def refitted(self, train: Ratings, *, seed: int | None = None) -> object:
        """Return a fresh model with the cell's parameters, fitted to ``train``; see :func:`fitted`."""
        return fitted(self.cell, self.plugin, train, seed=seed)


@dataclass(frozen=True, eq=False)
class Revived:
    """A finished cell with its fitted model.

    Attributes:
        past: the cell and its data.
        model: the fitted model; the run's newcomers have been introduced to it where it can meet them.
        asked: the run's questions in the codes that the model knows.
    """

    past: PastCell
    model: object
    asked: Queries

    def user_codes(self, positions: NDArray[np.int32]) -> Codes:
        """Translate positions in the data's user table to codes that ``model`` knows, newcomers' included."""
        split = self.past.split
        places = np.searchsorted(split.test_user_positions, positions).clip(max=len(split.test_user_positions) - 1)
        tested = split.test_user_positions[places] == positions
        codes = np.where(tested, self.asked.ranked_users[places], split.user_coding.codes(positions))
        return codes.astype(np.int32)


def past_cell(
    folder: RunFolder, text: str | None, registry: Registry, storage: Storage, note: Callable[[str], None]
) -> PastCell:
    """Return the cell that ``text`` means, with its data.

    Args:
        folder: the run's folder.
        text: the cell, see :func:`cfbench.analysis.refit.choosing.chosen_record`; None for the only one.
        registry: gives data sets, preprocessors, splitters and models.
        storage: where data are found.
        note: is told of what takes time, and of what is not as it was in the run.

    Raises:
        UsageError: no such run or cell, other data than the run's, or a plugin that cannot be used.
        StoreError: the stored answers cannot be read, or are none to the questions of the cell.
    """
    suite = past_suite(folder)
    record = chosen_record(past_records(folder, suite, note).values(), text)
    plugin = plugin_of(record.cell, registry)
    split = past_split(record.cell, suite, registry, storage)
    return PastCell(folder, record, split, plugin, _stored(folder, record.cell, split), note)


def revive(past: PastCell) -> Revived:
    """Bring back the model of a finished cell, as it was when it was asked; a note says where it answers otherwise.

    Raises StoreError where the saved model is damaged or another's, ModelError where the model failed.
    """
    model = past.fresh()
    with at_work(past.cell):
        asked = with_cold_entities(model, past.questions, Clock())
        differences = disagreement(model, asked, past.questions, past.answers)
    if differences:
        plugin, cell = past.plugin, past.cell
        changed = f"{plugin.distribution} or what it requires was changed since" if plugin.code != cell.code else ""
        past.note(
            f"this model of {cell} is not the one in {past.folder.path}: {differences}; "
            f"{changed or 'another machine or library may round otherwise'}"
        )
    return Revived(past, model, asked)


def _stored(folder: RunFolder, cell: Cell, split: Split) -> ModelOutput:
    stored = folder.load(cell)
    answers = None if stored is None else stored[1]
    if answers is None:
        raise StoreError(f"the raw answers of {cell} are gone; the same `cfbench run` computes them anew")
    require_answers_to(split, cell, answers)
    return answers
