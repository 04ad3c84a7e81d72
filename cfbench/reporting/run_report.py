"""Report of a run: its tables between sentences, on a terminal, as Markdown, and as files beside its records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from cfbench.errors import UsageError
from cfbench.files.atomic import clear_leftovers, write_text
from cfbench.files.printable import until_the_reader_leaves
from cfbench.records.agreement import disagreements
from cfbench.records.record import Definition, Line, Record, RunConditions, Summary
from cfbench.records.store import RunFolder, numbered_lines
from cfbench.reporting.csv_files import csv_files
from cfbench.reporting.group_tables import result_groups, standing_table, standings, tables_of
from cfbench.reporting.metric_pages import definition_sentence
from cfbench.reporting.pictures import NAMES, Picture, has_pictures, pictures
from cfbench.reporting.plots import NO_PICTURES, can_draw
from cfbench.reporting.table import escaped, print_table, section, shown


def show_report(
    folder: Path, lines: Sequence[Line], console: Console, notify: Callable[[str], None], n_noted: int = 0
) -> list[Path]:
    """Write the report of a run into ``folder`` and print it, also one that cannot be written; return the files.

    ``notify`` is called with a message for each file, and one for pictures that cannot be drawn. The report says of how
    many lines ``stored_lines`` had a message.
    """
    try:
        written = write_report(folder, lines, n_noted)
    finally:
        with until_the_reader_leaves():
            print_report(lines, console, n_noted)
    for file in written:
        notify(f"wrote {file}")
    if not can_draw() and has_pictures(lines):
        notify(NO_PICTURES)
    return written


def write_report(folder: Path, lines: Sequence[Line], n_noted: int = 0) -> list[Path]:
    """Write ``table.md``, titled as ``folder`` is called, CSV files and pictures into it; return their paths.

    Pictures that earlier tables had and these have not are removed, unless none can be drawn here.
    """
    drawn = pictures(lines)
    texts = {
        "table.md": markdown_report(folder.resolve().name, lines, drawn, n_noted),
        **csv_files(lines),
        **{picture.file: picture.svg for picture in drawn},
    }
    clear_leftovers(folder)
    for name, text in texts.items():
        write_text(folder / name, text)
    if can_draw():
        for path in folder.iterdir():
            if NAMES.fullmatch(path.name) and path.name not in texts:
                path.unlink()
    return [folder / name for name in texts]


def stored_lines(folder: Path, note: Callable[[str], None]) -> Sequence[Line]:
    """Return the lines of a run or of a published suite; raises UsageError where the folder holds none.

    ``note`` is called with a message about each line that cannot be read, which is left out, and about each that says
    other than the records of its cells do.
    """
    run = RunFolder(folder)
    if run.records_path.exists():
        numbered = numbered_lines(run.records_path, note)
        for message in disagreements(run, numbered):
            note(message)
        lines = [line for _, line in numbered]
        if not any(isinstance(line, Summary) for line in lines):
            raise UsageError(f"{run.records_path} holds no summaries, so no table; start the same `cfbench run` again")
        return lines
    refused: list[str] = []
    records = run.all_records(refused.append)
    if records or refused:
        others = "".join(f"\n  {reason}" for reason in refused)
        raise UsageError(
            f"{folder} holds {len(records)} finished cells but no records.jsonl: the run was cut off; "
            f"start the same `cfbench run` again, it keeps what is done{others}"
        )
    raise UsageError(f"{folder} holds no run: expected records.jsonl in it, as `cfbench run` writes to runs/<suite>/")


def markdown_report(title: str, lines: Iterable[Line], drawn: Sequence[Picture] = (), n_noted: int = 0) -> str:
    """Return all tables of a run as one Markdown document, with links to the pictures that are ``drawn`` beside it."""
    lines = list(lines)
    parts = [f"# {escaped(title)}", *([f"**{_doubtful(n_noted)}**"] if n_noted else [])]
    for group in result_groups(lines):
        parts.append(f"## {escaped(group.dataset)}, {escaped(group.split)}")
        parts += [escaped(sentence) for sentence in condition_sentences(group.conditions)]
        parts += [section(table) for table in tables_of(group)]
    metrics = [one for one in lines if isinstance(one, Definition)]
    definitions = "\n".join(f"- **{escaped(one.metric)}**: {escaped(definition_sentence(one))}" for one in metrics)
    for heading, texts in (
        ("Over data sets", [section(standing_table(one)) for one in standings(lines)]),
        ("Pictures", [f"![{escaped(picture.caption)}]({picture.file})" for picture in drawn]),
        ("Definitions", [definitions] if definitions else []),
        ("Code", [codes] if (codes := _codes(lines)) else []),
    ):
        parts += [f"## {heading}", *texts] if texts else []
    return "\n\n".join(parts) + "\n"


def print_report(lines: Iterable[Line], console: Console, n_noted: int = 0) -> None:
    """Print the tables of a run; those that only a page has space for are left out."""
    lines = list(lines)
    if n_noted:
        console.print(shown(_doubtful(n_noted), "bold"))
    for group in result_groups(lines):
        console.rule(shown(f"{group.dataset}, {group.split}"))
        for sentence in condition_sentences(group.conditions):
            console.print(shown(sentence, "dim"))
        console.print()
        for table in tables_of(group):
            print_table(table, console)
    for standing in standings(lines):
        print_table(standing_table(standing), console)


def _doubtful(n_noted: int) -> str:
    return (
        f"Not to be trusted: {n_noted} lines of records.jsonl could not be read, so that what they hold is missing "
        "here, or say other than the records of their cells; `cfbench report` names them."
    )


def condition_sentences(conditions: Sequence[RunConditions]) -> list[str]:
    """Return what all models of a table had in common: those of one split, or of the points of a curve."""
    if not conditions:
        return []
    first, last = conditions[0], conditions[-1]
    counts, end_counts = _counts(first), _counts(last)
    sentences = []
    if first.n_given is not None:
        points = ", ".join(f"{_counts(one)['train_rows']} at s={one.n_given}" for one in conditions)
        sentences.append(
            f"A curve over the ratings given back (s) of the held-out: {points} training ratings; the same "
            f"{counts['test_rows']} test ratings of {counts['test_users']} users at every s. What "
            f"follows is of s={first.n_given}, where nothing or least is known of the held-out; at s={last.n_given} "
            f"training has {end_counts['train_users']} users and {end_counts['train_items']} items."
        )
    if first.preprocessing:
        sentences.append(f"Preprocessed before splitting: {'; then '.join(first.preprocessing)}.")
    on_average = " (means over folds)" if first.folds > 1 else ""
    sentences += [
        f"{counts['train_rows']} training ratings of {counts['train_users']} users and {counts['train_items']} items; "
        f"{counts['test_rows']} test ratings of {counts['test_users']} users, {counts['test_rows_of_unknown_users']} "
        f"of them by users and {counts['test_rows_of_unknown_items']} of items that training has never seen"
        f"{on_average}.",
        f"Ratings {first.scale}; relevant from {first.relevant_from:g}, so that "
        f"{counts['test_users_with_a_relevant_item']} test users count in ranking accuracy; where a model cannot say, "
        f"{first.fallback:.4f}, the training mean, stands in.",
        _activity_and_time(first.counts),
        f"Seed {first.seed}; {_times(first.folds, 'fold')}, {_times(first.repeats, 'fit')} of each model on "
        f"each; intervals from {first.resamples:,} resamples of users; cfbench {first.cfbench}.",
        f"Protections that held while cells ran (docs/security.md explains each): {'; '.join(first.protections)}."
        if first.protections
        else "",
        f"Data: sha256 {first.fingerprint}; licence: {first.licence or 'not stated'}."
        + (f" Cite: {first.citation}" if first.citation else ""),
    ]
    return [sentence for sentence in sentences if sentence]


def _codes(lines: Iterable[Line]) -> str:
    """Return whose code was run, as it was then, with the models that ran it; empty where no record says."""
    models: dict[str, dict[str, None]] = {}
    for line in lines:
        for part in ("cfbench-code", "plugin-code"):
            if isinstance(line, Record) and part in line.provenance:
                models.setdefault(line.provenance[part], {})[line.cell.model] = None
    return "\n".join(f"- {escaped(code)}: {escaped(', '.join(of_code))}" for code, of_code in models.items())


def _counts(conditions: RunConditions) -> Mapping[str, str]:
    """Return the counts as text; a count that another version did not record is a question mark."""
    return defaultdict(lambda: "?", {name: f"{value:,.0f}" for name, value in conditions.counts.items()})


def _activity_and_time(counts: Mapping[str, float]) -> str:
    """Return who made the training ratings and whether models know something of the future, where it was recorded."""
    sentences = []
    shares = [
        f"{counts[name]:.1%} by the most active {name.rpartition('_')[2]}"
        for name in counts
        if name.startswith("train_share_of_most_active_")
    ]
    if shares:
        sentences.append(f"Of the training ratings, {' and '.join(shares)} of users.")
    if "test_rows_not_after_training" in counts and counts.get("test_rows"):
        share = counts["test_rows_not_after_training"] / counts["test_rows"]
        sentences.append(
            f"{share:.1%} of the test ratings are older than, or as old as, the newest training rating: models know "
            "something of their future."
            if share
            else "Every test rating is newer than all training ratings."
        )
    return " ".join(sentences)


def _times(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
