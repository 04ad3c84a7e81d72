"""What a reader must know beside the figures: the setting of every table, the definition of every metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version

import numpy as np

from cfbench.lines import Definition, Setting
from cfbench.plan import Plan, Planned
from cfbench.splits.split import Split
from cfbench.statistics import RESAMPLES


def definitions(plan: Plan) -> list[Definition]:
    """State every metric of the plan as its contract does."""
    stated = ((metric.name, asdict(metric.contract)) for metric in plan.metrics)
    return [
        Definition(name, {field: text for field, text in contract.items() if text not in ("", "n/a")})
        for name, contract in stated
    ]


def settings(plan: Plan) -> list[Setting]:
    """Describe each data set under each splitter, in table order."""
    divisions: dict[tuple[str, str], list[Planned]] = {}
    for planned in plan.cells:
        divisions.setdefault(planned.cell.group[:2], []).append(planned)
    return [_setting(plan, cells) for cells in divisions.values()]


def _setting(plan: Plan, cells: Sequence[Planned]) -> Setting:
    folds = list({planned.cell.fold: planned.cell for planned in cells}.values())
    splits = [plan.splits.of(cell) for cell in folds]
    counts = [_counts(split) for split in splits]
    data = splits[0].dataset
    return Setting(
        dataset=folds[0].dataset,
        split=folds[0].split,
        fingerprint=data.fingerprint,
        scale=str(data.scale),
        relevant_from=data.relevant_from,
        licence=data.origin.licence,
        citation=data.origin.citation,
        seed=plan.suite.seed,
        folds=len(folds),
        repeats=plan.suite.repeats,
        counts={name: float(np.mean([one[name] for one in counts])) for name in counts[0]},
        fallback=float(np.mean([split.train.mean for split in splits])),
        resamples=RESAMPLES,
        cfbench=version("cfbench"),
    )


def _counts(split: Split) -> dict[str, int]:
    train, test = split.train, split.test
    liked = test.ratings >= split.dataset.relevant_from
    return {
        "train_rows": len(train),
        "test_rows": len(test),
        "train_users": train.n_users,
        "train_items": train.n_items,
        "test_users": len(split.people),
        "test_users_with_a_liked_item": len(np.unique(test.people[liked])),
        "test_rows_of_unknown_users": int((test.users == train.n_users).sum()),
        "test_rows_of_unknown_items": int((test.items == train.n_items).sum()),
    }
