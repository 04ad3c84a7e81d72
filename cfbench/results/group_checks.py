"""Sanity check of the models of a result group beside each other: who is too far ahead of all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cfbench.data.splits.split import Split
from cfbench.evaluation.simple_predictors import SimplePredictors
from cfbench.experiment.split_plans import Splits
from cfbench.records.cell import Cell
from cfbench.records.record import SanityWarning, Summary

_FEWEST_OTHERS = 3  # distributions whose models are better than biases: fewer may just be weak
# Of the best RMSE that others reach. On data that many have worked on for years, all methods together span 5 % (Rendle,
# Zhang and Koren 2019, On the difficulty of evaluating baselines); in the published results here, the best model is 3 %
# ahead of those of other distributions at the most.
_FAR_AHEAD = 0.92


def with_warnings_of_group(
    summaries: Sequence[Summary],
    samples: Mapping[tuple[str, str], NDArray[np.float64]],
    folds: Sequence[Cell],
    splits: Splits,
) -> list[Summary]:
    """Return the summaries of a group, with a warning for a model whose RMSE is too far ahead of all others'.

    Others are models of other distributions: who cheats once may do so twice. A model alone is held against what
    simple predictors reach by :func:`cfbench.evaluation.too_good.too_good`, which looks at rows and lists too.

    Args:
        summaries: one for each model.
        samples: by model and figure name, its values on the same bootstrap samples of users, shape (resamples,).
        folds: a cell of each fold.
        splits: their splits, which are looked at where a model is suspicious.
    """
    found = dict(_far_ahead([one for one in summaries if one.finished == one.cells], samples, folds, splits))
    return [
        replace(one, warnings=(*one.warnings, found[one.model])) if one.model in found else one for one in summaries
    ]


def _far_ahead(
    complete: Sequence[Summary],
    samples: Mapping[tuple[str, str], NDArray[np.float64]],
    folds: Sequence[Cell],
    splits: Splits,
) -> Iterator[tuple[str, SanityWarning]]:
    measured = [one for one in complete if (one.model, "RMSE") in samples and one.metrics["RMSE"].value is not None]
    error = {one.model: one.metrics["RMSE"].value or 0.0 for one in measured}
    for model in measured:
        others = [one for one in measured if one.distribution != model.distribution]
        best = min(others, key=lambda one: error[one.model], default=model)
        if error[model.model] >= _FAR_AHEAD * error[best.model]:
            continue
        simple = [SimplePredictors(splits.of(fold)) for fold in folds]
        by_biases = np.mean([_rmse(one.split, one.damped_biases) for one in simple])
        by_factors = np.mean([_rmse(one.split, one.low_rank) for one in simple])
        capable = {one.distribution for one in others if error[one.model] < by_biases}
        ahead = samples[model.model, "RMSE"] < samples[best.model, "RMSE"]
        if len(capable) >= _FEWEST_OTHERS and error[model.model] < _FAR_AHEAD * by_factors and ahead.all():
            yield (
                model.model,
                SanityWarning(
                    "far-ahead",
                    f"RMSE {error[model.model]:.4f} is {1 - error[model.model] / error[best.model]:.0%} below "
                    f"{error[best.model]:.4f} of {best.model}, the best of {len(capable)} other distributions' models: "
                    "too good to be true? Has the model seen the test?",
                ),
            )


def _rmse(split: Split, predictions: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.nanmean(np.square(predictions - split.test.ratings))))
