"""What came of a suite's claims, as a table: ours beside what was published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cfbench.reporting.csv_files import csv_text
from cfbench.reporting.markdown import escaped, markdown_table
from cfbench.reporting.short_names import ShortNames
from cfbench.reporting.table import Table, TableCell
from cfbench.results.verification import ClaimStatus, Verdict

_COLUMNS = ("verdict", "model", "figure", "ours", "spread", "expected", "difference", "source")
_WORDS: Mapping[ClaimStatus, str] = {"met": "met", "missed": "MISSED", "open": "open"}
_RULES = {"published": "", "at_most": "≤ ", "at_least": "≥ "}


def verdict_table(suite: str, verdicts: Sequence[Verdict]) -> Table:
    """Make the sheet of one suite's verdicts, with a note on how many there are of each kind."""
    words = _Wording.of(verdicts)
    notes = [
        f"{tally(verdicts)}. Ours: mean over folds and repeats; spread: their standard deviation.",
        *(f"Every {name} is {shared}." for name, shared in words.names.shared.items()),
        *(f"Source {number}: {source}" for number, source in enumerate(words.sources, 1)),
        *words.remarks(verdicts),
    ]
    rows = tuple(tuple(map(TableCell, words.row(verdict))) for verdict in verdicts)
    return Table(f"{suite}: what was expected", _COLUMNS, rows, tuple(notes), on_terminal="full")


def tally(verdicts: Sequence[Verdict]) -> str:
    """Count the verdicts in words: ``"10 met, 1 missed, 0 open"``."""
    counts = Counter(verdict.status for verdict in verdicts)
    return ", ".join(f"{counts[status]} {status}" for status in _WORDS)


def verdict_page(sheet: Table) -> str:
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


@dataclass(frozen=True)
class _Wording:
    """How the verdicts of one table are told.

    Attributes:
        names: the models' names.
        sources: what was cited, in the order of first appearance; rows give the number.
        with_place: whether rows have to say which data, split and point of a curve they are about.
    """

    names: ShortNames
    sources: Sequence[str]
    with_place: bool

    @classmethod
    def of(cls, verdicts: Sequence[Verdict]) -> _Wording:
        claims = [verdict.claim for verdict in verdicts]
        models = dict.fromkeys(name for claim in claims for name in (claim.model, claim.than) if name is not None)
        places = {(verdict.dataset, verdict.split, verdict.n_given) for verdict in verdicts}
        return cls(ShortNames.of(models), list(dict.fromkeys(claim.source for claim in claims)), len(places) > 1)

    def row(self, verdict: Verdict) -> list[str]:
        return [
            _WORDS[verdict.status],
            self.names.short[verdict.claim.model],
            self._figure(verdict),
            _ours(verdict),
            _number(verdict.spread),
            _expected(verdict),
            _number(verdict.difference, "+.4f"),
            str(self.sources.index(verdict.claim.source) + 1),
        ]

    def remarks(self, verdicts: Sequence[Verdict]) -> list[str]:
        """Return what was message beside figures, and the suite's notes on its claims, each once with its models."""
        models: dict[str, dict[str, None]] = {}
        for verdict in verdicts:
            for text in filter(None, (verdict.message, verdict.claim.note)):
                models.setdefault(text, {})[self.names.short[verdict.claim.model]] = None
        return [f"{', '.join(names)}: {text}" for text, names in models.items()]

    def _figure(self, verdict: Verdict) -> str:
        claim = verdict.claim
        text = claim.metric or "warning"
        if claim.than is not None:
            text += f", less that of {self.names.short[claim.than]}"
        if self.with_place:
            given = "" if verdict.n_given is None else f", s={verdict.n_given}"
            text += f" ({verdict.dataset}, {verdict.split}{given})"
        return text


def _ours(verdict: Verdict) -> str:
    if verdict.ours is not None:
        return _number(verdict.ours)
    return "given" if verdict.claim.rule == "warning" and verdict.status == "met" else "-"


def _expected(verdict: Verdict) -> str:
    claim = verdict.claim
    if claim.rule == "warning":
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
