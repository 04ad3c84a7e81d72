"""What a reader must know beside the figures: the setting of every table, the definition of every metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version

import numpy as np

from cfbench.data.splits.split import Split
from cfbench.evaluation.split_checks import split_warnings
from cfbench.evaluation.statistics.bootstrap import RESAMPLES
from cfbench.experiment.study import Study
from cfbench.records.lines import Definition, RunConditions
from cfbench.records.record import Cell, SanityWarning

_MOST_ACTIVE = (0.01, 0.1)


def definitions(study: Study) -> list[Definition]:
    """State every metric of the study as its contract does."""
    return [Definition(metric.name, _stated(asdict(metric.contract))) for metric in study.metrics]


def _stated(contract: Mapping[str, object]) -> dict[str, str]:
    texts = {field: ", ".join(value) if isinstance(value, tuple) else str(value) for field, value in contract.items()}
    return {field: text for field, text in texts.items() if text not in ("", "n/a")}


def settings(study: Study) -> list[RunConditions]:
    """Describe each data set under each splitter, and each point of a curve, in table order."""
    return [_setting(study, cells) for cells in study.groups.values()]


def _setting(study: Study, cells: Sequence[Cell]) -> RunConditions:
    folds = list({cell.fold: cell for cell in cells}.values())
    division = study.splits.plan_of(cells[0])
    splits = [study.splits.of(cell) for cell in folds]
    counts = [_counts(split) for split in splits]
    warnings: dict[str, SanityWarning] = {}
    for split in splits:
        warnings |= {one.code: one for one in split_warnings(split, division.in_time_order)}
    data = division.dataset
    return RunConditions(
        dataset=division.label,
        split=division.split,
        n_given=cells[0].n_given,
        fingerprint=data.fingerprint,
        scale=str(data.scale),
        relevant_from=data.relevant_from,
        licence=data.origin.licence,
        citation=data.origin.citation,
        seed=cells[0].base_seed,
        folds=len(folds),
        repeats=len({cell.repeat for cell in cells}),
        counts={name: float(np.mean([one[name] for one in counts])) for name in counts[0]},
        fallback=float(np.mean([split.train.mean for split in splits])),
        resamples=RESAMPLES,
        cfbench=version("cfbench"),
        preprocessing=division.preprocessing,
        warnings=tuple(warnings.values()),
    )


def _counts(split: Split) -> dict[str, float]:
    train, test = split.train, split.test
    relevant = test.ratings >= split.dataset.relevant_from
    by_activity = np.sort(train.user_counts)[::-1]
    shares = {
        f"train_share_of_most_active_{share:.0%}": by_activity[: math.ceil(share * train.n_users)].sum() / len(train)
        for share in _MOST_ACTIVE
    }
    return {
        "train_rows": len(train),
        "test_rows": len(test),
        "train_users": train.n_users,
        "train_items": train.n_items,
        "test_users": len(split.test_user_positions),
        "test_users_with_a_relevant_item": len(np.unique(test.user_positions[relevant])),
        "test_rows_of_unknown_users": int((test.users == train.n_users).sum()),
        "test_rows_of_unknown_items": int((test.items == train.n_items).sum()),
        **shares,
        **_rows_in_the_past(split),
    }


def _rows_in_the_past(split: Split) -> dict[str, float]:
    """Count test rows that are no newer than some training row: whose future the models have seen."""
    times = split.dataset.timestamps
    if times is None:
        return {}
    return {
        "test_rows_not_after_training": int(np.count_nonzero(times[split.test_rows] <= times[split.train_rows].max()))
    }
