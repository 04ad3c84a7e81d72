"""Rules on what comes of a task: the same as where it is carried out in this process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cfbench.execution.fit_and_predict import perform
from cfbench.execution.task import Outcome, Task, saved_in
from cfbench.spec import Value
from cfbench.testing.executors.recording_queue import SPLITS, lay_out
from cfbench.testing.executors.rule import ExecutorRule
from cfbench.testing.executors.workbench import Bench

_PARAMETERS: dict[str, Value] = {
    "whole": 2**62 + 1,
    "real": 0.1 + 0.2,
    "text": 'Ærø\n"∞" \\ 𝕏',
    "truth": True,
    "nothing": None,
    "several": (1, 1.0, "1", False, None),
    "empty": (),
}


def _answers_as_here(bench: Bench) -> None:
    for order, step in (("in their order", 1), ("the other way round", -1)):
        tasks = [
            bench.task(
                f"{split}-{seed}-{step}", "Learner", split, seed=seed, list_length=seed, params={"scale": 1 / seed}
            )
            for split in SPLITS
            for seed in (3, 5)
        ][::step]
        for task, outcome in zip(tasks, bench.outcomes(tasks), strict=True):
            _require_the_same(bench, outcome, _done_here(task), order)


def _require_the_same(bench: Bench, found: Outcome, expected: Outcome, order: str) -> None:
    who = f"of a task, given {order},"
    bench.require(
        found.status == "ok" and found.answers is not None,
        f"makes {who} the outcome {found.status!r}, {found.reason}; perform has no trouble with it here",
    )
    differing = [name for name, value in _arrays(expected).items() if _arrays(found).get(name) != value]
    bench.require(
        not differing and len(_arrays(found)) == len(_arrays(expected)),
        f"gives other {', '.join(differing) or 'answers'} {who} than `perform` gives here; "
        "hand the task over as it is, and the answers back as they are",
    )
    bench.require(
        found.losses == expected.losses,
        f"gives the learning curve {found.losses} {who}, here it is {expected.losses}; hand it over to the last bit",
    )
    wrong = {name: told for name, told in found.versions.items() if told != expected.versions.get(name, told)}
    bench.require(
        "numpy" in found.versions and not wrong,
        f"tells {who} of the versions {dict(found.versions)}; hand over those that perform tells in the task's process",
    )


def _arrays(outcome: Outcome) -> dict[str, tuple[object, ...]]:
    arrays = outcome.answers.arrays() if outcome.answers is not None else {}
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}


def _hands_parameters_over(bench: Bench) -> None:
    (outcome,) = bench.outcomes([bench.task("echo", "Echo", params=_PARAMETERS)])
    expected = f"ValueError: {_PARAMETERS!r}"
    bench.require(
        outcome.reason == expected,
        f"was given parameters of which a model fails with {expected}, and its outcome says {outcome.status}: "
        f"{outcome.reason}; Task.of makes tuples again of what JSON has made lists",
    )


def _leaves_saved_models(bench: Bench) -> None:
    kept, plain = bench.task("kept", "Learner", save=True), bench.task("plain", "Learner", save=False)
    outcome, _ = bench.outcomes([kept, plain])
    here = _done_here(kept)
    bench.require(
        _files(kept) == _files(here.task) and outcome.cost.model_bytes == here.cost.model_bytes,
        f"leaves of a task with save=True the files {sorted(_files(kept))} of {outcome.cost.model_bytes} bytes in "
        f"saved_in(task), here they are {sorted(_files(here.task))} of {here.cost.model_bytes}; the model's own files "
        "belong there before the outcome is yielded",
    )
    bench.require(not _files(plain), f"saves a model of a task with save=False: {sorted(_files(plain))}; save none")


def _done_here(task: Task) -> Outcome:
    here = replace(task, output=f"{task.output}-here", log=f"{task.log}-here")
    lay_out(here)
    return perform(here, lambda _report: None)


def _files(task: Task) -> dict[str, bytes]:
    root = saved_in(task)
    return {str(path.relative_to(root)): Path(path).read_bytes() for path in root.rglob("*") if path.is_file()}


RULES = (
    ExecutorRule("answers are those of the same task done here, in any order and again", _answers_as_here),
    ExecutorRule("parameters reach the model as they are", _hands_parameters_over),
    ExecutorRule("a model that is to save itself lies in saved_in(task)", _leaves_saved_models),
)
