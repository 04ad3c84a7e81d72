"""Rules of a contract: how they are registered, applied to a plugin, and exempted from.

Every contract also has a rule on global random state, which :func:`global_state_moves` watches.
"""

from __future__ import annotations

import dataclasses
import random
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from cfbench.errors import UnknownNameError

S = TypeVar("S", bound="Subject")

# By module, the functions that return its global generator's state, set it, and draw from it once when called with 1.
_GENERATORS = {
    "random": ("getstate", "setstate", "getrandbits"),
    "numpy.random": ("get_state", "set_state", "random"),
    "torch": ("get_rng_state", "set_rng_state", "rand"),
}


class Subject:
    """A plugin under check, with what every rule asks of it.

    Attributes:
        name: what messages call the plugin.
    """

    name: str

    def require(self, condition: object, advice: str) -> None:
        """Raise AssertionError with the plugin's name and ``advice`` unless ``condition`` holds."""
        if not condition:
            raise AssertionError(f"{self.name}: {advice}")

    def parameters(self, instance: object) -> dict[str, Any]:
        """Return the hyperparameters of an instance by name; it must be a dataclass."""
        made = dataclasses.is_dataclass(instance) and not isinstance(instance, type)
        self.require(made, "is not a dataclass; its annotated fields are how the command line knows its parameters")
        fields = dataclasses.fields(instance)  # type: ignore[arg-type]
        return {field.name: getattr(instance, field.name) for field in fields if field.init}

    def require_plain_parameters(self, instance: object) -> None:
        """Require parameters that the command line, suite files and result keys can hold."""
        for name, value in self.parameters(instance).items():
            parts = value if isinstance(value, tuple) else (value,)
            plain = all(isinstance(part, str | int | float | None) for part in parts)
            known = "numbers, text, booleans, None and flat tuples of them"
            advice = f"the command line, suite files and result keys know {known}"
            self.require(plain, f"parameter {name!r} is {value!r}; {advice}")


@dataclass(frozen=True)
class Rule(Generic[S]):
    """A rule of a contract, for any plugin that has the capabilities which it needs.

    Attributes:
        name: states the behaviour, e.g. ``"the same seed gives the same output"``.
        verify: raises, preferably AssertionError, where the plugin breaks the rule.
        needs: capabilities without which the rule does not apply.
    """

    name: str
    verify: Callable[[S], None]
    needs: tuple[str, ...] = ()

    def apply_to(self, subject: S, expected_failure: str = "") -> None:
        """Verify the rule for a plugin; its failure is expected where a reason for it is given.

        Raises AssertionError where the rule is broken without a reason. It is raised too where the rule is kept
        although there is a reason, so that exemptions do not outlive their reason.
        """
        check = f"{subject.name}: {self.name}"
        try:
            self.verify(subject)
        except Exception as error:  # whatever a plugin raises is its failure
            if expected_failure:
                return
            if isinstance(error, AssertionError):
                raise
            raise AssertionError(f"{check}: raised {type(error).__name__}: {error}") from error
        if expected_failure:
            why = f"passes, although it is listed in expected_failures because {expected_failure!r}"
            raise AssertionError(f"{check}: {why}; take it off that list")


class RuleBook(Generic[S]):
    """Rules of one contract, in order of registration; calling it gives the decorator that registers one."""

    def __init__(self) -> None:
        self._rules: list[Rule[S]] = []

    def __call__(self, name: str, *needs: str) -> Callable[[Callable[[S], None]], Callable[[S], None]]:
        """Return a decorator that registers a function as the rule ``name``; see :class:`Rule`."""

        def register(verify: Callable[[S], None]) -> Callable[[S], None]:
            self._rules.append(Rule(name, verify, needs))
            return verify

        return register

    def for_capabilities(self, capabilities: Iterable[str]) -> list[Rule[S]]:
        """Return the rules that apply to a plugin with these capabilities."""
        present = set(capabilities)
        return [rule for rule in self._rules if present.issuperset(rule.needs)]


def require_known(reasons: Mapping[str, str], known: Collection[str]) -> None:
    """Raise UnknownNameError where ``reasons`` exempt from what is no check."""
    for name in reasons.keys() - set(known):
        raise UnknownNameError.among("check in expected_failures", name, known)


def global_state_moves(action: Callable[[], object]) -> list[str]:
    """Return the modules whose global generator ``action`` moves; all of them are set back at the end.

    They are drawn from first: a plugin that calls ``seed(0)`` would go unnoticed where the state already is that of 0.
    """
    modules = sys.modules | {"random": random, "numpy.random": np.random}  # which numpy imports when it is first used
    loaded = [
        (name, *(getattr(modules[name], function) for function in functions))
        for name, functions in _GENERATORS.items()
        if name in modules
    ]
    kept = [(restore, get()) for _, get, restore, _ in loaded]
    try:
        for _, _, _, draw in loaded:
            draw(1)
        before = [get() for _, get, _, _ in loaded]
        action()
        return [name for (name, get, *_), state in zip(loaded, before, strict=True) if not _equal(state, get())]
    finally:
        for restore, state in kept:
            restore(state)


def _equal(first: Any, second: Any) -> bool:
    """Return whether two states of one generator are equal: arrays, or tuples of arrays and numbers."""
    return all(map(np.array_equal, first, second)) if isinstance(first, tuple) else np.array_equal(first, second)
