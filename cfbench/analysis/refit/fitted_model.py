"""Fitted models of finished cells: loaded where they were saved, else fitted again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.refit.finished_cell import FinishedCell
from cfbench.execution.fit_and_predict import with_cold_entities
from cfbench.inference.inputs import EvaluationInputs, Queries
from cfbench.inference.output import ModelOutput
from cfbench.inference.predict import predict_ratings
from cfbench.inference.rank import rank_items
from cfbench.model.arrays import Codes
from cfbench.model.protocols import PredictsRatings
from cfbench.records.kept_models import ModelFolder
from cfbench.resources.clock import Clock


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A finished cell's model as it was evaluated in the run.

    Attributes:
        cell: the cell and its data.
        model: the fitted model; it has the run's cold-start entities where it can take them.
        queries: the run's queries in the codes that the model knows.
    """

    cell: FinishedCell
    model: object
    queries: Queries

    def user_codes(self, positions: NDArray[np.int32]) -> Codes:
        """Translate positions in the data's user table to codes that ``model`` knows, cold users' included."""
        split = self.cell.split
        tested_positions = split.test_user_positions
        places = np.searchsorted(tested_positions, positions).clip(max=len(tested_positions) - 1)
        tested = tested_positions[places] == positions
        codes = np.where(tested, self.queries.ranked_users[places], split.user_coding.codes(positions))
        return codes.astype(np.int32)


def load_or_fit(cell: FinishedCell) -> object:
    """Return the cell's model as ``fit`` left it, without cold-start entities: loaded where saved, else fitted again.

    Raises StoreError where the saved model is damaged or another's, ModelError where the model failed to fit.
    """
    models = ModelFolder(cell.folder.path)
    if models.has(cell.cell):
        return models.load(cell.cell, cell.plugin)
    cell.note(f"fitting {cell.cell} again; `cfbench run --save-models` keeps models that can be saved")
    return cell.refit(cell.split.train)


def fitted_model(cell: FinishedCell) -> FittedModel:
    """Return the model of a finished cell as it was evaluated; a note says where its output is not that of the run.

    Raises StoreError where the saved model is damaged or another's, ModelError where the model failed.
    """
    model = load_or_fit(cell)
    with cell.guarded():
        queries = with_cold_entities(model, cell.inputs, Clock())
        difference = output_difference(model, queries, cell.inputs, cell.output)
    if difference:
        plugin = cell.plugin
        changed = f"{plugin.distribution} or what it requires was changed since"
        cause = changed if plugin.code != cell.cell.code else "another machine or library may round otherwise"
        cell.note(f"this model of {cell.cell} is not the one in {cell.folder.path}: {difference}; {cause}")
    return FittedModel(cell, model, queries)


def output_difference(model: object, queries: Queries, inputs: EvaluationInputs, stored: ModelOutput) -> str:
    """Return in words how the output of ``model`` differs from that of the run, an empty text where it does not.

    Predicted ratings are compared where the model predicts, else top-k lists; equal means equal to the bit.
    """
    if stored.predictions is not None and isinstance(model, PredictsRatings):
        predictions = predict_ratings(model, queries.users, queries.items, Clock())
        if np.array_equal(predictions, stored.predictions, equal_nan=True):
            return ""
        if not np.array_equal(np.isnan(predictions), np.isnan(stored.predictions)):
            return "it has no prediction for other pairs than then"
        gap = np.abs(predictions.astype(np.float64) - stored.predictions)
        return f"predicted ratings differ by up to {np.nanmax(gap, initial=0.0):.3g}"
    if stored.lists is not None:
        users, k, tie_seed = queries.ranked_users, stored.lists.shape[1], inputs.tie_seed
        rankings = rank_items(
            model, inputs.train, users, k=k, tie_seed=tie_seed, clock=Clock(), withheld=inputs.withheld
        )
        n_changed = int((rankings.lists != stored.lists).any(axis=1).sum())
        return f"{n_changed} of {len(stored.lists)} lists differ" if n_changed else ""
    return ""
