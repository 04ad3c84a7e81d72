"""The monitoring options of every command that runs cells: JSON log, trackers, display, timing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cfbench.cli.console import complain, messages, tell
from cfbench.cli.display import display_on
from cfbench.cli.timing_table import timing_table
from cfbench.errors import PluginError, UsageError
from cfbench.execution.contract import RunDescription, RunEvents
from cfbench.experiment.plan import Plan
from cfbench.monitoring.broadcast import Broadcast
from cfbench.monitoring.json_log import JsonLog
from cfbench.monitoring.timing import Timing
from cfbench.monitoring.tracker_thread import TrackerThread
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry
from cfbench.spec import Spec

_STANDARD_ERROR = "-"


@dataclass(frozen=True)
class RunMonitor:
    """The listeners of one run, the display apart.

    Attributes:
        events: passes events on to all of them.
        timing: the one that adds up where the time goes.
        silent: whether standard error belongs to the JSON log, so that there is no display.
    """

    events: Broadcast
    timing: Timing
    silent: bool

    def display(self, plan: Plan) -> AbstractContextManager[RunEvents]:
        """Return the display of the run."""
        return nullcontext(RunEvents()) if self.silent else display_on(messages(), plan.study.cells)

    def tell(self, text: str) -> None:
        """Print a remark on standard error; where that belongs to the JSON log, write a note into it."""
        if self.silent:
            self.events.note(text)
        else:
            tell(text)

    def complete(self, folder: Path, files: Sequence[Path]) -> None:
        """Show where the time went; the run is complete, and ``files`` were written of it."""
        times = self.timing.times()
        path = times.write(folder)
        run = RunFolder(folder)
        if not self.silent:
            messages().print(timing_table(times))
        self.events.files = [*files, path, run.records_path, run.suite_path]


@Parameter(name="*")
@dataclass(frozen=True)
class MonitorOptions:
    """Listeners of a run; they change no figure.

    Parameters
    ----------
    log_json: str
        A file that every event is added to as a line of JSON; "-" is standard error, instead of the display.
    track: list[str]
        Trackers that get the run too, as NAME[param=value,...]; `cfbench list trackers` shows them.
    """

    log_json: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None  # "-" is a value
    track: list[str] | None = None

    @contextmanager
    def over(self, plan: Plan, folder: Path, registry: Registry) -> Iterator[RunMonitor]:
        """Notify all listeners of the start and the end of the run of ``plan`` in ``folder``, however it ends.

        Raises UsageError where a log or a tracker cannot be opened.
        """
        timing = Timing(plan.study.clock)
        members: list[RunEvents] = [timing]
        if self.log_json is not None:
            members.append(JsonLog.open(self.log_json, complain))
        trackers = map(Spec.parse, self.track or ())
        members += [TrackerThread(str(spec), _tracker(spec, registry), complain) for spec in trackers]
        settings = plan.suite.model_dump(mode="json")
        run = RunDescription(plan.suite.name, settings, folder, plan.study.cells, version("cfbench"))
        events = Broadcast(members)
        with events.during(run):
            yield RunMonitor(events, timing, self.log_json == _STANDARD_ERROR)

    def check(self, registry: Registry) -> None:
        """Raise UsageError, before anything is loaded, where a tracker is unknown, unusable or wrongly parametrised."""
        for text in self.track or ():
            _tracker(Spec.parse(text), registry)


def _tracker(spec: Spec, registry: Registry) -> RunEvents:
    try:
        tracker = registry.create("tracker", spec)
    except PluginError as error:
        raise UsageError(f"--track {spec.name}: {error}") from error
    if not isinstance(tracker, RunEvents):
        raise UsageError(
            f"--track {spec.name} is no tracker: {type(tracker).__name__} must be derived from "
            "cfbench.execution.RunEvents"
        )
    return tracker
