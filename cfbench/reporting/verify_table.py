"""Table of a suite's verified claims: our figures beside what was published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cfbench.experiment.suite import Expected
from cfbench.reporting.csv_files import csv_text
from cfbench.reporting.table import Column, Table, TableCell
from cfbench.results.verification import ClaimStatus, Verdict
from cfbench.spec import Spec

_COLUMNS = (
    *(Column(title, "text") for title in ("verdict", "model", "figure")),
    *map(Column, ("ours", "spread", "expected", "difference", "source")),
)
_WORDS: Mapping[ClaimStatus, str] = {"met": "met", "missed": "MISSED", "open": "open"}
_BOUNDS = {"at_most": "≤", "at_least": "≥"}
_CLAIM_FIELDS = ("model", "metric", "than", "rule", "value", "tolerance", "source", "note")


def verdict_table(suite: str, verdicts: Sequence[Verdict]) -> Table:
    """Return the table of one suite's verdicts, with notes on how many there are of each kind and on their sources."""
    claims = [verdict.claim for verdict in verdicts]
    short, shared = short_names(name for claim in claims for name in (claim.model, claim.than) if name is not None)
    sources = list(dict.fromkeys(claim.source for claim in claims))
    one_place = len({(verdict.dataset, verdict.split, verdict.n_given) for verdict in verdicts}) <= 1
    rows = []
    remarks: dict[str, dict[str, None]] = {}  # each text once, with the models that it is about
    for verdict in verdicts:
        claim, model = verdict.claim, short[verdict.claim.model]
        for text in filter(None, (verdict.message, claim.note)):
            remarks.setdefault(text, {})[model] = None
        figure = claim.metric or "warning"
        if claim.than is not None:
            figure += f", less that of {short[claim.than]}"
        if not one_place:
            point = "" if verdict.n_given is None else f", s={verdict.n_given}"
            figure += f" ({verdict.dataset}, {verdict.split}{point})"
        ours = "given" if claim.rule == "warning" and verdict.status == "met" else _number(verdict.ours)
        numbers = (ours, _number(verdict.spread), _expected(claim), _number(verdict.difference, "+.4f"))
        texts = (_WORDS[verdict.status], model, figure, *numbers, str(sources.index(claim.source) + 1))
        rows.append(tuple(map(TableCell, texts)))
    notes = (
        f"{tally(verdicts)}. Ours: mean over folds and repeats; spread: their standard deviation.",
        *(f"Every {name} is {spec}." for name, spec in shared.items()),
        *(f"Source {number}: {source}" for number, source in enumerate(sources, 1)),
        *(f"{', '.join(models)}: {text}" for text, models in remarks.items()),
    )
    return Table(f"{suite}: what was expected", _COLUMNS, tuple(rows), notes, on_terminal="full")


def tally(verdicts: Sequence[Verdict]) -> str:
    """Return how many verdicts there are of each kind: ``"10 met, 1 missed, 0 open"``."""
    counts = Counter(verdict.status for verdict in verdicts)
    return ", ".join(f"{counts[status]} {status}" for status in _WORDS)


def verdict_csv(verdicts: Iterable[Verdict]) -> str:
    """Return the verdicts as tidy CSV, nothing rounded."""
    rows = []
    for verdict in verdicts:
        claim = {name: getattr(verdict.claim, name) for name in _CLAIM_FIELDS}
        rows.append({**claim, **{name: value for name, value in vars(verdict).items() if name != "claim"}})
    return csv_text(rows)


def short_names(models: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return names for the models of one table, told apart by what differs between them, and what they share.

    A short name leaves out what all models of its component have alike; a model that stands alone is its bare name.
    What is shared is by component name, a specification, without components that share nothing.
    """
    specs = {model: Spec.parse(model) for model in models}
    alike: dict[str, dict[str, Any]] = {}
    for spec in specs.values():
        known = alike.get(spec.name, spec.params)
        alike[spec.name] = {name: value for name, value in known.items() if (name, value) in spec.params.items()}
    short = {
        model: str(Spec(spec.name, {name: spec.params[name] for name in spec.params.keys() - alike[spec.name]}))
        for model, spec in specs.items()
    }
    return short, {name: str(Spec(name, params)) for name, params in alike.items() if params}


def _expected(claim: Expected) -> str:
    if claim.rule == "warning":
        return str(claim.value)
    if claim.rule != "published":
        return f"{_BOUNDS[claim.rule]} {claim.value:g}"
    # As many decimals as the figure and its tolerance were written with.
    digits = max(len(f"{one:.10f}".rstrip("0").partition(".")[2]) for one in (float(claim.value), claim.tolerance))
    return f"{claim.value:.{digits}f} ± {claim.tolerance:.{digits}f}"


def _number(value: float | None, form: str = ".4f") -> str:
    return "-" if value is None else format(value, form)
