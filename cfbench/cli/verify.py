"""``cfbench verify``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cfbench.cli.console import output, tell, until_the_reader_leaves
from cfbench.cli.engine import Engine
from cfbench.cli.execution import RunOptions, execute
from cfbench.cli.folders import OUTPUT, make_folders
from cfbench.cli.quantities import WHOLE
from cfbench.cli.watching import MonitorOptions, RunMonitor
from cfbench.data.sources.source import default_storage
from cfbench.errors import DataNotFoundError, UsageError
from cfbench.execution.executor import Executor
from cfbench.experiment.plan import CellOptions, Plan, make_plan
from cfbench.experiment.suite import Suite
from cfbench.files.atomic import write_text
from cfbench.records.lines import Line
from cfbench.registry.registry import Registry
from cfbench.registry.shipped_suites import shipped_suites
from cfbench.reporting.report_files import write_report
from cfbench.reporting.terminal import print_table
from cfbench.reporting.verify_table import tally, verdict_csv, verdict_page, verdict_table
from cfbench.results.verification import Verdict, check_measured, verify_claims


def verify(
    suite: list[str] | None = None,
    /,
    *,
    threads: Annotated[int, WHOLE] = 1,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    folder: Annotated[Path, OUTPUT] = Path("runs"),
    data_dir: Path | None = None,
    force: bool = False,
    engine: Engine = Engine(),  # noqa: B008 - frozen
    monitoring: MonitorOptions = MonitorOptions(),  # noqa: B008 - frozen
) -> int:
    """Hold suites against what is published of them: run what is missing, print ours, theirs and the verdict.

    The exit code is 1 where a claim is missed or left open. Without SUITE every installed suite that states
    expectations is verified; one whose data are not at hand is then told and passed over.

    Parameters
    ----------
    suite: list[str]
        Names of shipped suites (`cfbench list suites`) or suite files (.toml); all with expectations where omitted.
    threads: int
        Threads of each cell.
    device: str
        Where torch models run; auto takes CUDA where there is any.
    folder: Path
        The folder of all runs: suite S is run, or kept, in FOLDER/S, where verify.md and verify.csv are written too.
    data_dir: Path
        A folder with data sets; CFBENCH_DATA where omitted.
    force: bool
        Compute finished cells again.
    """
    if threads < 1:
        raise UsageError(f"--threads must be at least 1, got {threads}")
    registry, storage = Registry.discover(), default_storage(data_dir)
    monitoring.check(registry)
    executor, how = (
        engine.executed_by(registry),
        RunOptions(force, terms=engine.terms(storage), workspace=engine.workspace),
    )
    named = [_stating(Suite.find(name), name) for name in dict.fromkeys(suite or ())]
    verdicts: list[Verdict] = []
    for one in named or _all_stating():
        try:
            plan = make_plan(one, registry, storage, CellOptions(device, threads))
        except DataNotFoundError as error:
            if named:
                raise
            tell(f"cfbench: suite {one.name} is not verified: {error}")
            continue
        check_measured(one, [metric.name for metric in plan.study.metrics])
        with monitoring.over(plan, folder / one.name, registry) as monitor:
            lines = _run(plan, folder / one.name, executor, how, monitor)
            if lines is None:
                return 130
            verdicts += _shown(one, folder / one.name, lines, monitor)
    return _concluded(verdicts)


def _stating(suite: Suite, name: str) -> Suite:
    if not suite.expected:
        known = ", ".join(one.name for one in _all_stating())
        raise UsageError(
            f"suite {name!r} states nothing that could be verified; give it [[expected]] tables, or take one of {known}"
        )
    return suite


def _all_stating() -> list[Suite]:
    """Return every usable installed suite with expectations; what cannot be used is told."""
    found = []
    for name in shipped_suites():
        try:
            found.append(Suite.find(name))
        except UsageError as error:
            tell(f"cfbench: {error}")
    return [suite for suite in found if suite.expected]


def _run(plan: Plan, path: Path, executor: Executor, how: RunOptions, monitor: RunMonitor) -> Sequence[Line] | None:
    """Run what is missing of ``plan`` and write its tables; None where it was interrupted."""
    monitor.tell(f"suite {plan.suite.name}: {plan.suite.description}")
    make_folders(path, how.workspace)
    executed = execute(plan, path, executor, how, monitor)
    if executed is None:
        return None
    with plan.study.clock.part("report"):
        files = write_report(path, executed.lines)
    monitor.complete(path, files)
    return executed.lines


def _shown(suite: Suite, path: Path, lines: Sequence[Line], monitor: RunMonitor) -> list[Verdict]:
    """Judge, print and write the verdicts of one suite."""
    verdicts = verify_claims(suite, lines)
    sheet = verdict_table(suite.name, verdicts)
    with until_the_reader_leaves():
        print_table(sheet, output())
    for name, text in (("verify.md", verdict_page(sheet)), ("verify.csv", verdict_csv(verdicts))):
        write_text(path / name, text)
        monitor.tell(f"wrote {path / name}")
    return verdicts


def _concluded(verdicts: Sequence[Verdict]) -> int:
    """Tell the tally of all suites; return 0 where everything was met, else 1."""
    if not verdicts:
        tell("cfbench: nothing was verified")
        return 1
    tell(tally(verdicts))
    return 0 if all(verdict.status == "met" for verdict in verdicts) else 1
