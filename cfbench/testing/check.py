"""One conformance check of one model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cfbench.testing.expected_failure import hold
from cfbench.testing.model_under_test import ModelUnderTest


@dataclass(frozen=True)
class Rule:
    """A rule of the contract, for any model.

    Attributes:
        name: states the behaviour, e.g. ``"the same seed gives the same answers"``.
        verify: raises, preferably AssertionError, where the model breaks the rule.
        needs: powers (see :data:`cfbench.model.protocols.CAPABILITIES`) without which the rule says nothing.
    """

    name: str
    verify: Callable[[ModelUnderTest], None]
    needs: tuple[str, ...] = ()

    def applies(self, capabilities: Iterable[str]) -> bool:
        """Whether a model with these powers is bound by the rule."""
        return set(self.needs) <= set(capabilities)


@dataclass(frozen=True)
class Check:
    """A rule applied to a model; call it to run it.

    Attributes:
        rule: what is checked.
        subject: the model.
        expected_failure: why the model may break the rule, or an empty text.
    """

    rule: Rule
    subject: ModelUnderTest
    expected_failure: str = ""

    def __str__(self) -> str:
        return f"{self.subject.name}: {self.rule.name}"

    def __call__(self) -> None:
        """Run the check; raises AssertionError, with advice to the model's author, unless the model conforms.

        A model that conforms where a failure was expected fails too, so that exemptions do not outlive their reason.
        """
        hold(str(self), lambda: self.rule.verify(self.subject), self.expected_failure, "the model")
