"""Conformance checks of executors: every rule, to be called with an executor and an empty folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cfbench.execution.executor import Executor
from cfbench.testing.executors import process_rules, task_rules  # noqa: F401 - register rules
from cfbench.testing.executors.executor_distribution import installed_models
from cfbench.testing.executors.workbench import ISOLATION, Workbench, executor_rule
from cfbench.testing.rule import Rule, require_known


@dataclass(frozen=True)
class ExecutorCheck:
    """A rule for executors; call it with one to run it.

    Attributes:
        rule: what is checked.
        expected_failure: why executors may break the rule, or an empty text.
    """

    rule: Rule[Workbench]
    expected_failure: str = ""

    def __str__(self) -> str:
        return self.rule.name

    def __call__(self, executor: Executor, folder: Path) -> None:
        """Run the check in an empty folder.

        Raises AssertionError, with advice to the executor's author, unless the executor conforms. One that conforms
        where a failure was expected fails too, so that exemptions do not outlive their reason.
        """
        with installed_models():
            self.rule.apply_to(Workbench(executor, folder), self.expected_failure)


def executor_checks(
    *, isolates: bool = True, expected_failures: Mapping[str, str] | None = None
) -> list[ExecutorCheck]:
    """Return the checks of an executor.

    Args:
        isolates: whether it gives every cell a process of its own, under the limits that its task has.
        expected_failures: a reason for each check that may fail, by ``str(check)``.

    Raises UnknownNameError where a name in ``expected_failures`` fits no check.
    """
    reasons = expected_failures or {}
    rules = executor_rule.for_capabilities(ISOLATION if isolates else ())
    require_known(reasons, [rule.name for rule in rules])
    return [ExecutorCheck(rule, reasons.get(rule.name, "")) for rule in rules]
