"""Failures that are expected: each with a reason, and none that outlives it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from cfbench.errors import UnknownNameError


def require_known(reasons: Mapping[str, str], known: Collection[str]) -> None:
    """Raise UnknownNameError where ``reasons`` exempt from what is no check."""
    for name in reasons.keys() - set(known):
        raise UnknownNameError.among("check in expected_failures", name, known)


def hold(check: str, verify: Callable[[], None], expected_failure: str, who: str) -> None:
    """Run a check, a failure of which is expected where there is a reason for one.

    Args:
        check: what messages call it.
        verify: raises, preferably AssertionError, where a rule is broken.
        expected_failure: why it may be, or an empty text.
        who: whose error it is where something else is raised, e.g. ``"the model"``.

    Raises AssertionError where the rule is broken for no reason, or held although there is one.
    """
    try:
        verify()
    except Exception as error:  # whatever a plugin raises is its failure
        if expected_failure:
            return
        if isinstance(error, AssertionError):
            raise
        raise AssertionError(f"{check}: {who} raised {type(error).__name__}: {error}") from error
    if expected_failure:
        raise AssertionError(
            f"{check}: passes, although it is listed in expected_failures because {expected_failure!r}; take it off "
            "that list"
        )
