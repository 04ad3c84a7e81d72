"""Holding the summaries of a run against what its suite expects. Pure: nothing is run, nothing is written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from cfbench.errors import UnknownNameError
from cfbench.experiment.expectation import Expected
from cfbench.experiment.suite import Suite
from cfbench.records.lines import Line, Summary
from cfbench.records.record import Figure, figure_name
from cfbench.spec import Spec

ClaimStatus: TypeAlias = Literal["met", "missed", "open"]


@dataclass(frozen=True)
class Verdict:
    """What came of one claim on one data set, split and point of a curve.

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
    """Judge every claim of ``suite`` by the summaries among ``lines``, in the order of the suite file."""
    summaries = [line for line in lines if isinstance(line, Summary)]
    claims = (claim for expectation in suite.expected for claim in expectation.claims())
    return [verdict for claim in claims for verdict in _verdicts(claim, summaries)]


def check_measured(suite: Suite, metrics: Iterable[str]) -> None:
    """Raise UnknownNameError where a claim of ``suite`` is about a metric that is not among ``metrics``, by name."""
    known = list(metrics)
    for claim in (claim for expectation in suite.expected for claim in expectation.claims()):
        metric = claim.metric.split(": ")[0]
        if metric and metric not in known:
            raise UnknownNameError.among(f"metric in what suite {suite.name!r} expects:", metric, known)


def _verdicts(claim: Expected, summaries: Sequence[Summary]) -> Iterator[Verdict]:
    found = [summary for summary in summaries if summary.model == claim.model and _is_meant(claim, summary)]
    if not found:
        yield Verdict(claim, "open", message="the run has no row of this model, data set and split")
    for summary in found:
        yield (
            _warning_verdict(claim, summary)
            if claim.rule == "warning"
            else _figure_verdict(claim, summary, _beside(claim, summary, summaries))
        )


def _is_meant(claim: Expected, summary: Summary) -> bool:
    return (
        (claim.dataset is None or _is_called(claim.dataset, summary.dataset.split(" after ")[0]))
        and claim.split in (None, summary.split)
        and claim.n_given in (None, summary.n_given)
    )


def _is_called(dataset: str, label: str) -> bool:
    """Whether tables call a data set of the suite by ``label``: a file by its name without folder and ending."""
    path = Path(Spec.parse(dataset).name)
    return label == dataset or (str(path) != path.stem and label == path.stem)


def _beside(claim: Expected, summary: Summary, summaries: Sequence[Summary]) -> Summary | None:
    """Return the row of the model that the claim compares with, or None."""
    place = (summary.dataset, summary.split, summary.n_given)
    rows = (one for one in summaries if one.model == claim.than and (one.dataset, one.split, one.n_given) == place)
    return next(rows, None)


def _warning_verdict(claim: Expected, summary: Summary) -> Verdict:
    given = [warning for warning in summary.warnings if warning.code == claim.value]
    if given:
        return _at(summary, Verdict(claim, "met", message=given[0].text))
    if summary.finished < summary.cells:
        return _at(summary, Verdict(claim, "open", message=summary.reason))
    return _at(summary, Verdict(claim, "missed", message="the tool gave no such warning"))


def _figure_verdict(claim: Expected, summary: Summary, other: Summary | None) -> Verdict:
    ours, why = _value(claim.metric, summary)
    if ours is not None and claim.than is not None:
        theirs, why = _value(claim.metric, other) if other is not None else (None, f"the run has no {claim.than}")
        ours = None if theirs is None else ours - theirs
    if ours is None:
        return _at(summary, Verdict(claim, "open", message=why))
    difference = ours - float(claim.value)
    spread = summary.fold_spread.get(claim.metric, summary.seed_spread.get(claim.metric))
    status: ClaimStatus = "met" if _holds(claim, difference) else "missed"
    return _at(
        summary,
        Verdict(claim, status, ours=ours, difference=difference, spread=spread if claim.than is None else None),
    )


def _holds(claim: Expected, difference: float) -> bool:
    """Whether a difference to the published value or bound is as claimed; rounding of the last bit is forgiven."""
    match claim.rule:
        case "published":
            return abs(difference) <= claim.tolerance or math.isclose(abs(difference), claim.tolerance, rel_tol=1e-9)
        case "at_most":
            return difference <= 0
        case "at_least":
            return difference >= 0
        case "warning":
            raise ValueError("a warning is given or not; there is no difference to judge")


def _value(metric: str, summary: Summary) -> tuple[float | None, str]:
    """Look a figure up; return it, or None and the reason."""
    if summary.finished < summary.cells:
        reason = summary.reason or "interrupted"
        return None, f"{summary.finished} of {summary.cells} cells of {summary.model} finished: {reason}"
    figure = _figures(summary).get(metric)
    if figure is not None and figure.value is not None:
        return figure.value, ""
    why = summary.not_applicable.get(metric, "the suite does not measure it, or there was nothing to average")
    return None, f"{summary.model} has no {metric}: {why}"


def _figures(summary: Summary) -> dict[str, Figure]:
    strata = {
        figure_name(table, stratum, name): figure
        for table, told in summary.tables.items()
        for stratum, figures in told.rows.items()
        for name, figure in figures.items()
    }
    return {**summary.metrics, **strata}


def _at(summary: Summary, verdict: Verdict) -> Verdict:
    place = {"dataset": summary.dataset, "split": summary.split, "n_given": summary.n_given}
    return Verdict(**{**vars(verdict), **place})
