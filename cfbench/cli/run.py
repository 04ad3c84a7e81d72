"""``cfbench run``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.text import Text

from cfbench.cli.console import listing, messages, output
from cfbench.cli.display import PlainDisplay
from cfbench.cli.engine import Engine
from cfbench.cli.execution import RunOptions, execute, run_of, verdict
from cfbench.cli.folders import OUTPUT, make_folders
from cfbench.cli.quantities import WHOLE
from cfbench.cli.report import show_tables
from cfbench.cli.watching import MonitorOptions, RunMonitor
from cfbench.data.sources.source import default_storage
from cfbench.errors import UsageError
from cfbench.execution.executor import Executor
from cfbench.experiment.plan import CellOptions, Plan, make_plan
from cfbench.experiment.suite import Suite
from cfbench.records.record import Record
from cfbench.registry.registry import Registry
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
    threads: Annotated[int, WHOLE] = 1,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    folder: Annotated[Path | None, OUTPUT] = None,
    data_dir: Path | None = None,
    quick: bool = False,
    force: bool = False,
    save_models: bool = False,
    in_process: bool = False,
    dry_run: bool = False,
    engine: Engine = Engine(),  # noqa: B008 - frozen
    monitoring: MonitorOptions = MonitorOptions(),  # noqa: B008 - frozen
) -> int:
    """Run a suite: fit every model, ask it, measure, print and write the tables.

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
    threads: int
        Threads of each cell. One is fastest for most models here.
    device: str
        Where torch models run; auto takes CUDA where there is any.
    folder: Path
        The run's folder; runs/<suite> where omitted.
    data_dir: Path
        A folder with data sets; CFBENCH_DATA where omitted.
    quick: bool
        The shipped quick suite: a small sample, under a minute.
    force: bool
        Compute finished cells again.
    save_models: bool
        Keep every fitted model that can be saved in the run's folder, for inspect and recommend.
    in_process: bool
        Run cells in this process, for debugging, the same as --executor in-process: a crash of a model then takes the
        run along, --timeout is refused, and --memory-limit is not enforced.
    dry_run: bool
        Show what would be run, and run nothing.
    """
    chosen = _suite(suite, quick)
    overrides = {
        "models": _texts(model),
        "datasets": _dataset_texts(dataset),
        "preprocess": _texts(preprocess),
        "splits": _texts(split),
        "metrics": _texts(metric),
        "seed": seed,
        "repeats": repeats,
    }
    chosen = _overridden(chosen, {key: value for key, value in overrides.items() if value is not None})
    if threads < 1:
        raise UsageError(f"--threads must be at least 1, got {threads}")
    registry, storage = Registry.discover(), default_storage(data_dir)
    _require_installed(model or (), chosen, registry)
    monitoring.check(registry)
    executor = (_within(engine) if in_process else engine).executed_by(registry)
    how = RunOptions(force, save_models, engine.terms(storage), engine.workspace)
    plan = make_plan(chosen, registry, storage, CellOptions(device, threads))
    path = folder or Path("runs") / chosen.name
    if path.exists() and not path.is_dir():
        raise UsageError(f"--output {path} is a file; give a folder, which is made where there is none")
    if dry_run:
        return _show_plan(plan, path, executor, how)
    make_folders(path, how.workspace)
    with monitoring.over(plan, path, registry) as monitor:
        return _run(plan, path, executor, how, monitor)


def _suite(name: str | None, quick: bool) -> Suite:
    if name is not None and quick:
        raise UsageError(f"--quick is a suite of its own; leave out {name!r} or --quick")
    return Suite.find(name or ("quick" if quick else "default"))


def _within(engine: Engine) -> Engine:
    if engine.executor not in ("processes", "in-process"):
        raise UsageError(f"--in-process is an executor itself; leave out --executor {engine.executor} or --in-process")
    return replace(engine, executor="in-process")


def _require_installed(named: Sequence[str], suite: Suite, registry: Registry) -> None:
    """Raise UsageError where a model that the command line names is not installed; the suite may know how to."""
    known = registry.with_missing(suite.distributions)
    for spec in (spec for text in named for spec in Spec.parse_many(text)):
        plugin = known.named("model", spec.name)
        if not plugin.version:
            raise UsageError(f"model {spec.name!r} {plugin.problem}")


def _texts(given: list[str] | None) -> list[str] | None:
    return None if given is None else [str(spec) for text in given for spec in Spec.parse_many(text)]


def _dataset_texts(given: list[str] | None) -> list[str] | None:
    return None if given is None else [str(Spec.parse(text)) for text in given]


def _overridden(suite: Suite, overrides: dict[str, object]) -> Suite:
    """Put the command line over the suite; what is no longer the named suite gets a folder of its own."""
    if not overrides:
        return suite
    changed = {**suite.model_dump(), **overrides}
    if overrides.keys() - {"seed", "repeats"}:
        changed |= {"expected": (), "name": f"{suite.name}-custom", "description": ""}
    return Suite.check(changed, "command line")


def _show_plan(plan: Plan, folder: Path, executor: Executor, how: RunOptions) -> int:
    console = output()
    run = run_of(plan, folder, executor, PlainDisplay(messages(), ()), how)
    pending = {planned.cell.key for planned in run.pending()}
    title = Text(f"suite {plan.suite.name}: {len(plan.cells)} cells in {folder}")
    table = listing(title, "model", "plugin", "data", "split", "fold", "repeat", "seed", "state")
    for planned in plan.cells:
        cell = planned.cell
        state = planned.plugin.problem or ("to compute" if cell.key in pending else "done")
        plugin = f"{cell.distribution} {cell.version}"
        values = (cell.model, plugin, cell.dataset, cell.split, cell.fold, cell.repeat, planned.seed, state)
        table.add_row(*(Text(str(value)) for value in values))
    console.print(table)
    return 0


def _run(plan: Plan, path: Path, executor: Executor, how: RunOptions, monitor: RunMonitor) -> int:
    executed = execute(plan, path, executor, how, monitor)
    if executed is None:
        return 130
    with plan.study.clock.part("report"):
        files = show_tables(path, executed.lines, monitor.tell)
    monitor.complete(path, files)
    return verdict([line for line in executed.lines if isinstance(line, Record)], monitor.tell)
