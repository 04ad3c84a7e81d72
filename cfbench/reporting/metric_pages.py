"""Definitions of the installed metrics, as their classes state them, and the pages of docs/metrics made of them.

``python -m cfbench.reporting.metric_pages docs/metrics`` writes them anew: one page per family, and the table of all
metrics between the marks of the index, whose other text is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from cfbench.errors import PluginError, UsageError
from cfbench.evaluation.metrics.metric import Contract, family_rank
from cfbench.records.record import Definition
from cfbench.registry.registry import Plugin, Registry
from cfbench.reporting.table import BETTER, escaped

INDEX = "README.md"
"""The page whose table of metrics is generated and whose other text is not."""

_NOTICE = "<!-- Generated from the contracts of the metrics by `python -m cfbench.reporting.metric_pages`. -->"
_HEAD = f"{_NOTICE}\n\nNotation, candidates, filling and intervals: [all metrics]({INDEX})."
_TABLE = re.compile(r"(<!-- metrics -->\n).*?(<!-- end of metrics -->)", re.DOTALL)
_CIRCUMSTANCES = ("candidates", "relevance", "clipping", "cold_policy")
_IN_A_SENTENCE = ("formula", "averaging", *_CIRCUMSTANCES, "source")
_ON_A_PAGE = ("formula", "needs", "direction", "averaging", *_CIRCUMSTANCES, "unit", "figure", "source")


@dataclass(frozen=True)
class Described:
    """A metric plugin with its contract.

    Attributes:
        plugin: who registers it, under which name.
        contract: its definition.
    """

    plugin: Plugin
    contract: Contract

    @property
    def definition(self) -> list[tuple[str, str]]:
        """The contract, title and family apart, and each parameter: pairs of a heading and one line of text."""
        lines = []
        for name in _ON_A_PAGE:
            value = getattr(self.contract, name)
            if name == "direction":
                text = BETTER.get(str(value), "neither higher nor lower is better")
            else:  # what a plugin states may be of any type
                text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            if text or name != "figure":  # only strata tables have a figure to name
                lines.append((name.replace("_", " "), " ".join(text.split()) or "n/a"))
        parameters = self.plugin.declaration.parameters.values()  # each as "k: int = 10"
        return [*lines, *(("parameter", str(parameter)) for parameter in parameters)]


def metric_families(plugins: Iterable[Plugin]) -> tuple[dict[str, list[Described]], dict[Plugin, str]]:
    """Import every metric class; return the metrics by family, in the order of FAMILIES, and why others are broken.

    A metric is broken that cannot be imported, or states no contract.
    """
    families: dict[str, list[Described]] = {}
    broken: dict[Plugin, str] = {}
    for plugin in sorted(plugins, key=lambda plugin: (plugin.name.lower(), plugin.distribution)):
        try:
            contract = None if plugin.problem else getattr(plugin.load(), "contract", None)
        except PluginError as error:
            broken[plugin] = str(error)
            continue
        if plugin.problem:
            broken[plugin] = f"cannot be used: {plugin.problem}"
        elif isinstance(contract, Contract):
            families.setdefault(str(contract.family), []).append(Described(plugin, contract))
        else:
            broken[plugin] = "states no definition: it needs a class attribute 'contract' of type Contract"
    return {name: families[name] for name in sorted(families, key=family_rank)}, broken


def definition_sentence(definition: Definition) -> str:
    """Return a metric's contract as one sentence."""
    contract = definition.contract
    parts = ". ".join(contract[name].rstrip(".") for name in _IN_A_SENTENCE if name in contract)
    better = BETTER.get(contract.get("direction", ""))
    return (f"{parts}; {better}" if better else parts) + "."


def pages(families: Mapping[str, Sequence[Described]], index: str) -> dict[str, str]:
    """Return every page, by file name: one per family, and ``index`` with its table of metrics brought up to date.

    Raises UsageError where ``index`` lacks the marks ``<!-- metrics -->`` and ``<!-- end of metrics -->``.
    """
    if not _TABLE.search(index):
        raise UsageError(f"{INDEX} needs the lines <!-- metrics --> and <!-- end of metrics --> around its table")
    texts, rows = {}, []
    for family, metrics in families.items():
        file = file_of(family)
        texts[file] = "\n\n".join([f"# Metrics: {escaped(family)}", _HEAD, *map(_section, metrics)]) + "\n"
        for one in metrics:
            name, contract = one.plugin.name, one.contract
            # Markdown renderers make anchors of headings: small letters, digits, hyphens.
            anchor = re.sub(r"[^a-z0-9_-]", "", name.lower().replace(" ", "-"))
            better = "neither" if contract.direction == "none" else contract.direction
            texts_of_row = map(escaped, (contract.title, better, contract.unit or "-", family))
            rows.append((f"[{escaped(name)}]({file}#{anchor})", *texts_of_row))
    table = tabulate(rows, headers=("metric", "what it is", "better", "unit", "family"), tablefmt="pipe")
    return {INDEX: _TABLE.sub(lambda marks: f"{marks[1]}\n{table}\n\n{marks[2]}", index), **texts}


def file_of(family: str) -> str:
    """Return the name of a family's page, e.g. ``"cold-start.md"``; letters, digits and hyphens only."""
    return (re.sub(r"[^a-z0-9]+", "-", family.lower()).strip("-") or "other") + ".md"


def own_families() -> Mapping[str, Sequence[Described]]:
    """Return the metrics that cfbench itself brings; raises PluginError naming one that cannot be described."""
    plugins = Registry.discover().plugins("metric")
    families, broken = metric_families(plugin for plugin in plugins if plugin.distribution == "cfbench")
    for plugin, reason in broken.items():
        raise PluginError(f"metric {plugin.name!r}: {reason}")
    return families


def write(folder: Path) -> None:
    """Bring the pages in ``folder`` up to date; generated pages of families that are no more are removed."""
    texts = pages(own_families(), (folder / INDEX).read_text(encoding="utf-8"))
    for path in folder.glob("*.md"):
        if path.name not in texts and _NOTICE in path.read_text(encoding="utf-8"):
            path.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _section(one: Described) -> str:
    (_, formula), *lines = one.definition
    title, description = one.contract.title, one.plugin.declaration.description.replace("`", "")
    # A formula is set apart, letter by letter; the fence is longer than any run of backticks inside.
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", formula))])
    return "\n\n".join(
        [
            f"## {escaped(one.plugin.name)}",
            escaped(f"{title[:1].upper()}{title[1:].rstrip('.')}. {description}"),
            f"{fence}text\n{formula}\n{fence}",
            "\n".join(f"- **{heading}**: {escaped(text)}" for heading, text in lines),
        ]
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]))
