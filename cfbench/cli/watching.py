"""The options of every command that runs cells: who else is told of the run, and what is said of its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cfbench.cli.console import messages, tell
from cfbench.cli.display import display_for
from cfbench.cli.timing_table import timing_table
from cfbench.errors import PluginError, UsageError
from cfbench.experiment.plan import Plan
from cfbench.monitoring.json_log import JsonLog
from cfbench.monitoring.timing import Timing
from cfbench.monitoring.tracker import TrackedRun, Tracker
from cfbench.monitoring.tracking import Tracking
from cfbench.monitoring.watcher import Indifferent, Watcher
from cfbench.monitoring.watchers import Watchers
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry
from cfbench.spec import Spec

_STANDARD_ERROR = "-"
_TRACKS_BY = ("begin", "cell", "end")


@dataclass(frozen=True)
class Audience:
    """Everybody who is told of one run, the display apart.

    Attributes:
        watchers: all of them.
        timing: the one that adds up where the time goes.
        silent: whether standard error belongs to the log, so that there is no display.
    """

    watchers: Watchers
    timing: Timing
    silent: bool

    def display(self, plan: Plan) -> Watcher:
        """Return the display of the run."""
        return Indifferent() if self.silent else display_for(messages(), plan.study.cells)

    def tell(self, text: str) -> None:
        """Tell a remark on standard error; where that belongs to the log, as a note in it."""
        if self.silent:
            self.watchers.note(text)
        else:
            tell(text)

    def concluded(self, folder: Path, files: Sequence[Path]) -> None:
        """Tell where the time went, and everybody that the run is complete with ``files`` written of it."""
        times = self.timing.times()
        path = times.write(folder)
        run = RunFolder(folder)
        if not self.silent:
            messages().print(timing_table(times))
        self.watchers.concluded([*files, path, run.records_path, run.suite_path])


@Parameter(name="*")
@dataclass(frozen=True)
class Watch:
    """Who else is told of a run; nothing of it changes a figure.

    Parameters
    ----------
    log_json: str
        A file that every event is added to as a line of JSON; "-" is standard error, instead of the display.
    track: list[str]
        Trackers that are told too, as NAME[param=value,...], e.g. mlflow[experiment=mine]; `cfbench list trackers`
        shows them.
    """

    log_json: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None  # "-" is a value
    track: list[str] | None = None

    @contextmanager
    def over(self, plan: Plan, folder: Path, registry: Registry) -> Iterator[Audience]:
        """Open everybody's ears for the run of ``plan`` in ``folder``; raises UsageError for what cannot be opened."""
        timing = Timing(plan.study.clock)
        members: list[Watcher] = [timing]
        if self.log_json is not None:
            members.append(JsonLog.to(self.log_json, plan, folder, _complain))
        members += [self._tracking(text, plan, folder, registry) for text in self.track or ()]
        with Watchers(members) as watchers:
            yield Audience(watchers, timing, self.log_json == _STANDARD_ERROR)

    def check(self, registry: Registry) -> None:
        """Raise UsageError, before anything is loaded, where a tracker is unknown, unusable or wrongly parametrised."""
        for text in self.track or ():
            _tracker(Spec.parse(text), registry)

    def _tracking(self, text: str, plan: Plan, folder: Path, registry: Registry) -> Tracking:
        spec = Spec.parse(text)
        settings = plan.suite.model_dump(mode="json")
        run = TrackedRun(plan.suite.name, settings, folder, len(plan.cells), version("cfbench"))
        return Tracking(str(spec), _tracker(spec, registry), run, _complain)


def _tracker(spec: Spec, registry: Registry) -> Tracker:
    try:
        tracker = registry.create("tracker", spec)
    except PluginError as error:
        raise UsageError(f"--track {spec.name}: {error}") from error
    lacking = [name for name in _TRACKS_BY if not callable(getattr(tracker, name, None))]
    if lacking:
        raise UsageError(f"--track {spec.name} is no tracker: it has no {' and no '.join(lacking)}")
    made: Tracker = tracker
    return made


def _complain(text: str) -> None:
    tell(f"cfbench: {text}")
