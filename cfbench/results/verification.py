"""Verification of a suite's claims against the summaries of a run. Pure: nothing is run, nothing is written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from cfbench.errors import UnknownNameError
from cfbench.experiment.suite import Expected, Suite
from cfbench.records.record import Line, Summary, figure_name
from cfbench.spec import Spec

ClaimStatus: TypeAlias = Literal["met", "missed", "open"]


@dataclass(frozen=True)
class Verdict:
    """Outcome of one claim on one data set, split and point of a curve.

    Attributes:
        claim: what was expected.
        status: ``met``; ``missed``; or ``open`` where the run has no such figure.
        dataset: the data set it was looked up on, ``""`` where there was none.
        split: the splitter likewise.
        n_given: the point of a curve, or None.
        ours: the figure that was found, or the difference to the other model's; None for warnings and where open.
        difference: ours minus the published value or the bound; None for warnings and where open.
        spread: standard deviation of ours over folds, or over repeats where there are no folds; None where there is
            one fit, or ours is a difference.
        message: the warning that was given, or why the claim is open.
    """

    claim: Expected
    status: ClaimStatus
    dataset: str = ""
    split: str = ""
    n_given: int | None = None
    ours: float | None = None
    difference: float | None = None
    spread: float | None = None
    message: str = ""


def verify_claims(suite: Suite, lines: Iterable[Line]) -> list[Verdict]:
    """Verify every claim of ``suite`` by the summaries among ``lines``, in the order of the suite file."""
    summaries = [line for line in lines if isinstance(line, Summary)]
    verdicts = []
    for claim in _claims(suite):
        found = [summary for summary in summaries if _is_about(claim, summary)]
        if not found:
            verdicts.append(Verdict(claim, "open", message="the run has no row of this model, data set and split"))
        for summary in found:
            warned = claim.rule == "warning"
            verdict = _warning_verdict(claim, summary) if warned else _figure_verdict(claim, summary, summaries)
            dataset, split, n_given = summary.group
            verdicts.append(replace(verdict, dataset=dataset, split=split, n_given=n_given))
    return verdicts


def check_measured(suite: Suite, metrics: Iterable[str]) -> None:
    """Raise UnknownNameError where a claim of ``suite`` is about a metric that is not among ``metrics``, by name."""
    known = list(metrics)
    for claim in _claims(suite):
        metric = claim.metric.split(": ")[0]
        if metric and metric not in known:
            raise UnknownNameError.among(f"metric in what suite {suite.name!r} expects:", metric, known)


def _claims(suite: Suite) -> list[Expected]:
    return [claim for expectation in suite.expected for claim in expectation.claims()]


def _is_about(claim: Expected, summary: Summary) -> bool:
    if claim.model != summary.model or claim.split not in (None, summary.split):
        return False
    if claim.n_given not in (None, summary.n_given):
        return False
    # Tables call a file by its name without folder and ending, and append the preprocessing.
    label = summary.dataset.split(" after ")[0]
    if claim.dataset in (None, label):
        return True
    path = Path(Spec.parse(claim.dataset).name)
    return str(path) != path.stem and label == path.stem


def _warning_verdict(claim: Expected, summary: Summary) -> Verdict:
    for warning in summary.warnings:
        if warning.code == claim.value:
            return Verdict(claim, "met", message=warning.text)
    if summary.finished < summary.cells:
        return Verdict(claim, "open", message=summary.reason)
    return Verdict(claim, "missed", message="the tool gave no such warning")


def _figure_verdict(claim: Expected, summary: Summary, summaries: Sequence[Summary]) -> Verdict:
    """Compare a figure, or its difference to that of another model, with the published value or bound."""
    ours, why = _value(claim.metric, summary)
    if ours is not None and claim.than is not None:
        other = next((one for one in summaries if one.model == claim.than and one.group == summary.group), None)
        theirs, why = _value(claim.metric, other) if other is not None else (None, f"the run has no {claim.than}")
        ours = None if theirs is None else ours - theirs
    if ours is None:
        return Verdict(claim, "open", message=why)
    difference = ours - float(claim.value)
    holds = {
        # Rounding of the last bit is forgiven.
        "published": abs(difference) <= claim.tolerance or math.isclose(abs(difference), claim.tolerance, rel_tol=1e-9),
        "at_most": difference <= 0,
        "at_least": difference >= 0,
    }[claim.rule]
    spread = (
        summary.fold_spread.get(claim.metric, summary.seed_spread.get(claim.metric)) if claim.than is None else None
    )
    return Verdict(claim, "met" if holds else "missed", ours=ours, difference=difference, spread=spread)


def _value(metric: str, summary: Summary) -> tuple[float | None, str]:
    """Return a figure of a metric or of a stratum; or None and the reason why there is none."""
    if summary.finished < summary.cells:
        reason = summary.reason or "interrupted"
        return None, f"{summary.finished} of {summary.cells} cells of {summary.model} finished: {reason}"
    figures = dict(summary.metrics)
    for name, table in summary.tables.items():
        for stratum, row in table.rows.items():
            figures |= {figure_name(name, stratum, key): figure for key, figure in row.items()}
    figure = figures.get(metric)
    if figure is not None and figure.value is not None:
        return figure.value, ""
    missing = summary.missing.get(metric)
    why = missing.reason if missing else "the suite does not measure it, or there was nothing to average"
    return None, f"{summary.model} has no {metric}: {why}"
