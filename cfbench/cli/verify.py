"""``cfbench verify``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cfbench.cli.console import complain, output, tell, until_the_reader_leaves
from cfbench.cli.execution import execute
from cfbench.cli.execution_options import ExecutionOptions
from cfbench.cli.option_types import OUTPUT, make_folders
from cfbench.cli.watching import MonitorOptions, RunMonitor
from cfbench.data.sources.source import default_storage
from cfbench.errors import DataNotFoundError, UsageError
from cfbench.experiment.plan import make_plan
from cfbench.experiment.suite import Suite
from cfbench.files.atomic import write_text
from cfbench.records.record import Line
from cfbench.registry.registry import Registry
from cfbench.registry.shipped_suites import shipped_suites
from cfbench.reporting.run_report import write_report
from cfbench.reporting.table import section
from cfbench.reporting.terminal import print_table
from cfbench.reporting.verify_table import tally, verdict_csv, verdict_table
from cfbench.results.verification import Verdict, check_measured, verify_claims


def verify(
    suite: list[str] | None = None,
    /,
    *,
    folder: Annotated[Path, OUTPUT] = Path("runs"),
    data_dir: Path | None = None,
    execution: ExecutionOptions = ExecutionOptions(),  # noqa: B008 - frozen
    monitoring: MonitorOptions = MonitorOptions(),  # noqa: B008 - frozen
) -> int:
    """Compare suites with published figures: run what is missing, print ours, theirs and the verdict.

    The exit code is 1 where a claim is missed or left open. Without SUITE every installed suite that states
    expectations is verified; one whose data are not at hand is then reported and skipped.

    Parameters
    ----------
    suite: list[str]
        Names of shipped suites (`cfbench list suites`) or suite files (.toml); all with expectations where omitted.
    folder: Path
        The folder of all runs: suite S is run, or kept, in FOLDER/S, where verify.md and verify.csv are written too.
    data_dir: Path
        A folder with data sets; CFBENCH_DATA where omitted.
    """
    registry, storage = Registry.discover(), default_storage(data_dir)
    monitoring.check(registry)
    executor, cell_options = execution.create_executor(registry), execution.cell_options()
    run_options = execution.run_options(storage)
    named = [_with_expectations(name) for name in dict.fromkeys(suite or ())]
    verdicts: list[Verdict] = []
    for one in named or _all_with_expectations():
        path = folder / one.name
        try:
            plan = make_plan(one, registry, storage, cell_options)
        except DataNotFoundError as error:
            if named:
                raise
            complain(f"suite {one.name} is not verified: {error}")
            continue
        check_measured(one, [metric.name for metric in plan.study.metrics])
        with monitoring.over(plan, path, registry) as monitor:
            monitor.tell(f"suite {one.name}: {one.description}")
            make_folders(path, run_options.workspace)
            lines = execute(plan, path, executor, run_options, monitor)
            if lines is None:
                return 130
            with plan.study.clock.part("report"):
                files = write_report(path, lines)
            monitor.complete(path, files)
            verdicts += _judged(one, path, lines, monitor)
    tell(tally(verdicts) if verdicts else "cfbench: nothing was verified")
    return 0 if verdicts and all(verdict.status == "met" for verdict in verdicts) else 1


def _with_expectations(name: str) -> Suite:
    """Return the suite called ``name``; raises UsageError where it states no expectations."""
    suite = Suite.find(name)
    if not suite.expected:
        known = ", ".join(one.name for one in _all_with_expectations())
        raise UsageError(
            f"suite {name!r} states nothing that could be verified; give it [[expected]] tables, or take one of {known}"
        )
    return suite


def _all_with_expectations() -> list[Suite]:
    """Return every usable installed suite with expectations; those that cannot be used are reported."""
    found = []
    for name in shipped_suites():
        try:
            found.append(Suite.find(name))
        except UsageError as error:
            complain(str(error))
    return [suite for suite in found if suite.expected]


def _judged(suite: Suite, path: Path, lines: Sequence[Line], monitor: RunMonitor) -> list[Verdict]:
    """Return the verdicts of one suite, printed and written into the folder ``path``."""
    verdicts = verify_claims(suite, lines)
    table = verdict_table(suite.name, verdicts)
    with until_the_reader_leaves():
        print_table(table, output())
    for name, text in (("verify.md", section(table, "#") + "\n"), ("verify.csv", verdict_csv(verdicts))):
        write_text(path / name, text)
        monitor.tell(f"wrote {path / name}")
    return verdicts
