"""All rules for executors, as checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cfbench.execution.executor import Executor
from cfbench.testing.executors import (
    ending_rules,
    environment_rules,
    event_rules,
    limit_rules,
    outcome_rules,
    task_rules,
)
from cfbench.testing.executors.executor_distribution import installed_here
from cfbench.testing.executors.rule import ExecutorRule
from cfbench.testing.executors.workbench import Bench
from cfbench.testing.rule import Rule, require_known

RULES: tuple[ExecutorRule, ...] = (
    *task_rules.RULES,
    *outcome_rules.RULES,
    *event_rules.RULES,
    *environment_rules.RULES,
    *limit_rules.RULES,
    *ending_rules.RULES,
)


@dataclass(frozen=True)
class ExecutorCheck:
    """A rule to hold executors to; call it with one.

    Attributes:
        rule: what is checked.
        expected_failure: why executors may break the rule, or an empty text.
    """

    rule: ExecutorRule
    expected_failure: str = ""

    def __str__(self) -> str:
        return self.rule.name

    def __call__(self, executor: Executor, folder: Path) -> None:
        """Run the check in an empty folder.

        Raises AssertionError, with advice to the executor's author, unless the executor conforms. One that conforms
        where a failure was expected fails too, so that exemptions do not outlive their reason.
        """
        with installed_here():
            rule = Rule(self.rule.name, self.rule.verify)
            rule.apply_to(Bench(executor, folder), self.expected_failure)


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
    rules = [rule for rule in RULES if isolates or not rule.isolates]
    require_known(reasons, [rule.name for rule in rules])
    return [ExecutorCheck(rule, reasons.get(rule.name, "")) for rule in rules]
