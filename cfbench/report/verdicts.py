"""What came of a suite's claims, as a table: ours beside what was published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from cfbench.report.csv_files import csv_text
from cfbench.report.markdown import escaped, markdown_table
from cfbench.report.sheet import Entry, Sheet
from cfbench.verifying.verdicts import Judgement, Verdict

_COLUMNS = ("verdict", "model", "figure", "ours", "spread", "expected", "difference", "source")
_WORDS: Mapping[Judgement, str] = {"met": "met", "missed": "MISSED", "open": "open"}
_RULES = {"published": "", "at_most": "≤ ", "at_least": "≥ "}


def verdict_sheet(suite: str, verdicts: Sequence[Verdict]) -> Sheet:
    """Make the sheet of one suite's verdicts, with a note on how many there are of each kind."""
    sources = list(dict.fromkeys(verdict.claim.source for verdict in verdicts))
    several = _are_about_several_places(verdicts)
    rows = tuple(tuple(map(Entry, _row(verdict, several, sources))) for verdict in verdicts)
    notes = [
        f"{tally(verdicts)}. Ours: mean over folds and repeats; spread: their standard deviation.",
        *(f"Source {number}: {source}" for number, source in enumerate(sources, 1)),
        *_remarks(verdicts),
    ]
    return Sheet(f"{suite}: what was expected", _COLUMNS, rows, tuple(notes), on_terminal="full")


def tally(verdicts: Sequence[Verdict]) -> str:
    """Count the verdicts in words: ``"10 met, 1 missed, 0 open"``."""
    counts = Counter(verdict.judgement for verdict in verdicts)
    return ", ".join(f"{counts[judgement]} {judgement}" for judgement in _WORDS)


def verdict_page(sheet: Sheet) -> str:
    """Render the sheet as a Markdown document."""
    parts = [f"# {escaped(sheet.title)}", markdown_table(sheet), *map(escaped, sheet.notes)]
    return "\n\n".join(parts) + "\n"


def verdict_csv(verdicts: Sequence[Verdict]) -> str:
    """Render the verdicts as tidy CSV, nothing rounded."""
    rows = []
    for verdict in verdicts:
        values = {name: value for name, value in vars(verdict).items() if name != "claim"}
        claim = vars(verdict.claim)
        kept = ("model", "metric", "than", "rule", "value", "tolerance", "source", "note")
        rows.append({**{name: claim[name] for name in kept}, **values})
    return csv_text(rows)


def _row(verdict: Verdict, with_place: bool, sources: Sequence[str]) -> list[str]:
    claim = verdict.claim
    figure = claim.metric or "caution"
    if claim.than is not None:
        figure += f", less that of {claim.than}"
    if with_place:
        given = "" if verdict.given is None else f", s={verdict.given}"
        figure += f" ({verdict.dataset}, {verdict.split}{given})"
    return [
        _WORDS[verdict.judgement],
        claim.model,
        figure,
        _ours(verdict),
        _number(verdict.spread),
        _expected(verdict),
        _number(verdict.difference, "+.4f"),
        str(sources.index(claim.source) + 1),
    ]


def _ours(verdict: Verdict) -> str:
    if verdict.ours is not None:
        return _number(verdict.ours)
    return "given" if verdict.claim.rule == "caution" and verdict.judgement == "met" else "-"


def _expected(verdict: Verdict) -> str:
    claim = verdict.claim
    if claim.rule == "caution":
        return str(claim.value)
    if claim.rule != "published":
        return f"{_RULES[claim.rule]}{claim.value:g}"
    digits = max(_decimals(float(claim.value)), _decimals(claim.tolerance))
    return f"{claim.value:.{digits}f} ± {claim.tolerance:.{digits}f}"


def _decimals(value: float) -> int:
    """Return how many decimals a number was written with, at the least."""
    return len(f"{value:.10f}".rstrip("0").partition(".")[2])


def _number(value: float | None, form: str = ".4f") -> str:
    return "-" if value is None else format(value, form)


def _are_about_several_places(verdicts: Sequence[Verdict]) -> bool:
    """Whether the verdicts are about several data sets, splits or points of a curve."""
    return len({(verdict.dataset, verdict.split, verdict.given) for verdict in verdicts}) > 1


def _remarks(verdicts: Sequence[Verdict]) -> list[str]:
    """Return what was said beside figures, and notes of the suite on its own claims, each once."""
    said = [f"{one.claim.model}: {one.said}" for one in verdicts if one.said]
    notes = [f"{one.claim.model}: {one.claim.note}" for one in verdicts if one.claim.note]
    return list(dict.fromkeys([*said, *notes]))
