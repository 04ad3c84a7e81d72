"""Models told apart by what differs between them: long specifications in one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cfbench.spec import Spec


@dataclass(frozen=True)
class ShortNames:
    """Names for the models of one table, and what was left out of them.

    Attributes:
        short: a name for each model, as short as it can be and still be the only one.
        shared: by component name, the parameters that all its models have in common, as a specification; without
            those that have none.
    """

    short: Mapping[str, str]
    shared: Mapping[str, str]

    @classmethod
    def of(cls, models: Iterable[str]) -> ShortNames:
        """Leave out what all ``models`` of one component have alike; a model that stands alone is its bare name."""
        specs = {model: Spec.parse(model) for model in models}
        alike: dict[str, dict[str, object]] = {}
        for spec in specs.values():
            known = alike.setdefault(spec.name, dict(spec.params))
            alike[spec.name] = {name: value for name, value in known.items() if _has(spec, name, value)}
        short = {
            model: str(Spec(spec.name, {name: spec.params[name] for name in spec.params.keys() - alike[spec.name]}))
            for model, spec in specs.items()
        }
        shared = {name: str(Spec(name, params)) for name, params in alike.items() if params}  # type: ignore[arg-type]
        return cls(short, shared)


def _has(spec: Spec, name: str, value: object) -> bool:
    return name in spec.params and spec.params[name] == value
