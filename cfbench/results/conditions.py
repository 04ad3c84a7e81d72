"""Conditions of every result group and definition of every metric, as lines of the records file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version

import numpy as np

from cfbench.data.splits.split import Split
from cfbench.evaluation.metrics.strata import held_by_most_active
from cfbench.evaluation.sanity_checks import split_warnings
from cfbench.evaluation.statistics.bootstrap import RESAMPLES
from cfbench.experiment.plan import Study
from cfbench.records.cell import Cell
from cfbench.records.record import Definition, Record, RunConditions


def definitions(study: Study) -> list[Definition]:
    """Return the contract of every metric of the study, fields that do not apply left out."""
    lines = []
    for metric in study.metrics:
        contract = asdict(metric.contract)
        texts = {name: ", ".join(one) if isinstance(one, tuple) else str(one) for name, one in contract.items()}
        lines.append(Definition(metric.name, {name: text for name, text in texts.items() if text not in ("", "n/a")}))
    return lines


def run_conditions(study: Study, cells: Sequence[Cell], records: Mapping[Cell, Record]) -> RunConditions:
    """Return the conditions shared by ``cells``, all those of one result group; ``records`` are of those that ran."""
    folds = list({cell.fold: cell for cell in cells}.values())
    plan = study.splits.plan_of(cells[0])
    splits = [study.splits.of(cell) for cell in folds]
    counts = [_counts(split) for split in splits]
    warnings = {one.code: one for split in splits for one in split_warnings(split, plan.in_time_order)}
    return RunConditions(
        dataset=plan.label,
        split=plan.split,
        n_given=cells[0].n_given,
        fingerprint=plan.dataset.fingerprint,
        scale=str(plan.dataset.scale),
        relevant_from=plan.dataset.relevant_from,
        licence=plan.dataset.origin.licence,
        citation=plan.dataset.origin.citation,
        seed=cells[0].base_seed,
        folds=len(folds),
        repeats=len({cell.repeat for cell in cells}),
        counts={name: float(np.mean([one[name] for one in counts])) for name in counts[0]},
        fallback=float(np.mean([split.train.mean for split in splits])),
        resamples=RESAMPLES,
        cfbench=version("cfbench"),
        preprocessing=plan.preprocessing,
        warnings=tuple(warnings.values()),
        protections=_protections([records[cell].provenance for cell in cells if cell in records]),
    )


def _protections(provenances: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Return under which protections cells ran, each combination once, with their number where there are several."""
    stated = Counter(
        ", ".join(one["protections"].split()) + (", network allowed" if one.get("network") == "allowed" else "")
        for one in provenances
        if "protections" in one
    )
    return tuple(f"{text} ({count} cells)" if len(stated) > 1 else text for text, count in stated.most_common())


def _counts(split: Split) -> dict[str, float]:
    train, test, times = split.train, split.test, split.dataset.timestamps
    relevant = test.ratings >= split.dataset.relevant_from
    counts: dict[str, float] = {
        "train_rows": len(train),
        "test_rows": len(test),
        "train_users": train.n_users,
        "train_items": train.n_items,
        "test_users": len(split.test_user_positions),
        "test_users_with_a_relevant_item": len(np.unique(test.user_positions[relevant])),
        "test_rows_of_unknown_users": int((test.users == train.n_users).sum()),
        "test_rows_of_unknown_items": int((test.items == train.n_items).sum()),
    }
    for percent in (1, 10):
        counts[f"train_share_of_most_active_{percent}%"] = held_by_most_active(train.user_counts, 100 // percent)
    if times is not None:
        # Test rows no newer than the newest training row: models have seen something of their future.
        newest = times[split.train_rows].max()
        counts["test_rows_not_after_training"] = int(np.count_nonzero(times[split.test_rows] <= newest))
    return counts
