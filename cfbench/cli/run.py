"""``cfbench run`` and ``cfbench verify``: commands that run suites."""

from __future__ import annotations

import importlib
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from cfbench.cli.console import complain, listing, messages, output, tell
from cfbench.cli.display import PlainDisplay
from cfbench.cli.execution import ExecutionOptions, MonitorOptions, RunMonitor
from cfbench.cli.option_types import OUTPUT, WHOLE, make_folders
from cfbench.data.sources.source import default_storage
from cfbench.errors import DataNotFoundError, UsageError
from cfbench.execution.contract import Executor
from cfbench.experiment.plan import Plan, make_plan
from cfbench.experiment.suite import Suite
from cfbench.files.atomic import write_text
from cfbench.files.printable import until_the_reader_leaves
from cfbench.monitoring.broadcast import Broadcast
from cfbench.records.record import Line, Record
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry, shipped_suites
from cfbench.reporting.run_report import show_report, write_report
from cfbench.reporting.table import print_table, section
from cfbench.reporting.verify_table import tally, verdict_csv, verdict_table
from cfbench.results.verification import Verdict, check_measured, verify_claims
from cfbench.runner.dispatch import RunOptions
from cfbench.runner.plan_run import Run
from cfbench.spec import Spec


def run(
    suite: str | None = None,
    /,
    *,
    model: Annotated[list[str] | None, Parameter(name=["--model", "-m"])] = None,
    dataset: Annotated[list[str] | None, Parameter(name=["--dataset", "-d"])] = None,
    preprocess: Annotated[list[str] | None, Parameter(name=["--preprocess", "-p"])] = None,
    split: Annotated[list[str] | None, Parameter(name=["--split", "-s"])] = None,
    metric: list[str] | None = None,
    seed: Annotated[int | None, WHOLE] = None,
    repeats: Annotated[int | None, WHOLE] = None,
    folder: Annotated[Path | None, OUTPUT] = None,
    data_dir: Path | None = None,
    quick: bool = False,
    save_models: bool = False,
    in_process: bool = False,
    dry_run: bool = False,
    execution: ExecutionOptions = ExecutionOptions(),  # noqa: B008 - frozen
    monitoring: MonitorOptions = MonitorOptions(),  # noqa: B008 - frozen
) -> int:
    """Run a suite: fit every model, predict, measure, print and write the tables.

    Parameters
    ----------
    suite: str
        A suite file (.toml) or the name of a shipped suite; the default suite where omitted.
    model: list[str]
        Models to run instead of the suite's, as NAME[param=value,...]; repeat the option, or separate by commas.
    dataset: list[str]
        Data sets instead of the suite's: a name, or the path of a CSV, TSV, Parquet, .dat or .inter file.
    preprocess: list[str]
        Steps that every data set goes through before it is split, in order, e.g. k-core[k=5].
    split: list[str]
        Splitters instead of the suite's, e.g. holdout[share=0.1], kfold[k=5], predefined.
    metric: list[str]
        Metrics instead of the suite's, e.g. RMSE, NDCG@10.
    seed: int
        Base seed of splits and models.
    repeats: int
        Fits of each cell with different model seeds.
    folder: Path
        The run's folder; runs/<suite> where omitted.
    data_dir: Path
        A folder with data sets; CFBENCH_DATA where omitted.
    quick: bool
        The shipped quick suite: a small sample, under a minute.
    save_models: bool
        Keep every fitted model that can be saved in the run's folder, for inspect and recommend.
    in_process: bool
        Run cells in this process, for debugging, the same as --executor in-process: a crash of a model then takes the
        run along, --timeout is refused, and --memory-limit is not enforced.
    dry_run: bool
        Show what would be run, without running it.
    """
    if suite is not None and quick:
        raise UsageError(f"--quick is a suite of its own; leave out {suite!r} or --quick")
    chosen = Suite.find(suite or ("quick" if quick else "default"))
    components = {"models": model, "datasets": dataset, "preprocess": preprocess, "splits": split, "metrics": metric}
    chosen = _with_options(chosen, components, {"seed": seed, "repeats": repeats})
    if in_process:
        if execution.executor not in ("processes", "in-process"):
            raise UsageError(
                f"--in-process is an executor itself; leave out --executor {execution.executor} or --in-process"
            )
        execution = replace(execution, executor="in-process")
    cell_options = execution.cell_options()
    registry, storage = Registry.discover(), default_storage(data_dir)
    if model is not None:  # a suite's models may be missing, those that the command line names must be there
        _require_installed(chosen, registry)
    monitoring.check(registry)
    executor = execution.create_executor(registry)
    run_options = execution.run_options(storage, save_models=save_models)
    plan = make_plan(chosen, registry, storage, cell_options)
    path = folder or Path("runs") / chosen.name
    if path.exists() and not path.is_dir():
        raise UsageError(f"--output {path} is a file; give a folder, which is made where there is none")
    if dry_run:
        return _show_plan(plan, path, executor, run_options)
    make_folders(path, run_options.workspace)
    with monitoring.over(plan, path, registry) as monitor:
        lines = execute(plan, path, executor, run_options, monitor)
        if lines is None:
            return 130
        with plan.study.clock.part("report"):
            files = show_report(path, lines, output(), monitor.tell)
        monitor.complete(path, files)
        return verdict([line for line in lines if isinstance(line, Record)], monitor.tell)


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


def execute(
    plan: Plan, folder: Path, executor: Executor, options: RunOptions, monitor: RunMonitor
) -> list[Line] | None:
    """Carry ``plan`` out in ``folder``; return all lines of its records, None where it was interrupted.

    Progress and the interrupt are reported to ``monitor``.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # the terminal closes; nohup asks to go on all the same
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    # Metrics and comparisons of models need scipy, whose import takes a while: it fits in while models run.
    several, ranked = len(plan.suite.models) > 1, min(len(plan.suite.models), len(plan.suite.datasets)) > 2
    ahead = ["scipy.sparse", *["scipy.special"] * several, *["scipy.stats"] * ranked]
    threading.Thread(target=lambda: [*map(importlib.import_module, ahead)], daemon=True).start()
    with monitor.display(plan) as display:
        events = Broadcast((display, monitor.events))
        try:
            return Run(plan, RunFolder(folder), executor, events, options).execute()
        except KeyboardInterrupt:
            events.note(f"interrupted; finished cells are kept in {folder}, the same command goes on from there")
            return None


def verdict(records: Sequence[Record], report: Callable[[str], None] = tell) -> int:
    """Report every failure; return the exit code: 1 where there was any, or where nothing could be run, else 0.

    A model whose plugin is not installed is reported too, but it fails nothing where others ran.
    """
    missing = {one.cell.model: one.reason for one in records if not one.cell.installed}
    failed = [f"{one.status}: {one.cell}: {one.reason}" for one in records if one.cell.installed and one.status != "ok"]
    failed += [
        f"metric {name} failed on {one.cell}: {how}" for one in records for name, how in one.failed_metrics.items()
    ]
    for complaint in [*(f"skipped: {model} {reason}" for model, reason in missing.items()), *failed]:
        report(f"cfbench: {complaint}")
    nothing_ran = bool(records) and all(one.status != "ok" for one in records)
    return 1 if failed or nothing_ran else 0


def _with_options(suite: Suite, components: Mapping[str, list[str] | None], numbers: Mapping[str, int | None]) -> Suite:
    """Return the suite with options of the command line; other components make another suite, with its own folder."""
    changed: dict[str, object] = {key: number for key, number in numbers.items() if number is not None}
    for key, texts in components.items():
        if texts is None:
            continue
        changed |= {"expected": (), "name": f"{suite.name}-custom", "description": ""}
        if key == "datasets":  # a path may hold commas
            changed[key] = [str(Spec.parse(text)) for text in texts]
        else:
            changed[key] = [str(spec) for text in texts for spec in Spec.parse_many(text)]
    return Suite.check({**suite.model_dump(), **changed}, "command line") if changed else suite


def _require_installed(suite: Suite, registry: Registry) -> None:
    """Raise UsageError where a model of the suite is not installed, with the command that installs it."""
    known = registry.with_missing(suite.distributions)
    for text in suite.models:
        plugin = known.named("model", Spec.parse(text).name)
        if not plugin.version:
            raise UsageError(f"model {plugin.name!r} {plugin.problem}")


def _show_plan(plan: Plan, folder: Path, executor: Executor, options: RunOptions) -> int:
    console = output()
    run = Run(plan, RunFolder(folder), executor, PlainDisplay(messages(), ()), options)
    pending = {planned.cell.key for planned in run.pending()}
    title = Text(f"suite {plan.suite.name}: {len(plan.planned)} cells in {folder}")
    table = listing(title, "model", "plugin", "data", "split", "fold", "repeat", "seed", "state")
    for planned in plan.planned:
        cell = planned.cell
        state = planned.plugin.problem or ("to compute" if cell.key in pending else "done")
        plugin = f"{cell.distribution} {cell.version}"
        values = (cell.model, plugin, cell.dataset, cell.split, cell.fold, cell.repeat, planned.seed, state)
        table.add_row(*(Text(str(value)) for value in values))
    console.print(table)
    return 0


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
