"""Pages of docs/metrics, rendered from the metrics' contracts.

``python -m cfbench.reporting.metric_pages docs/metrics`` writes them anew: one page per family, and the table of all
metrics between the marks of the index, whose other text is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tabulate import tabulate

from cfbench.errors import PluginError, UsageError
from cfbench.registry.registry import Registry
from cfbench.reporting.markdown import escaped
from cfbench.reporting.metric_families import Described, MetricFamilies

INDEX = "README.md"
"""The page whose table of metrics is generated and whose other text is not."""

_NOTICE = "<!-- Generated from the contracts of the metrics by `python -m cfbench.reporting.metric_pages`. -->"
_HEAD = f"{_NOTICE}\n\nNotation, candidates, filling and intervals: [all metrics]({INDEX})."
_TABLE = re.compile(r"(<!-- metrics -->\n).*?(<!-- end of metrics -->)", re.DOTALL)


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
    found = MetricFamilies.of(plugin for plugin in plugins if plugin.distribution == "cfbench")
    for plugin, reason in found.broken.items():
        raise PluginError(f"metric {plugin.name!r}: {reason}")
    return found.families


def write(folder: Path) -> None:
    """Bring the pages in ``folder`` up to date; generated pages of families that are no more are removed."""
    texts = pages(own_families(), (folder / INDEX).read_text(encoding="utf-8"))
    for path in folder.glob("*.md"):
        if path.name not in texts and _NOTICE in path.read_text(encoding="utf-8"):
            path.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _section(one: Described) -> str:
    (_, formula), *others = one.definition
    lines = [*others, *(("parameter", parameter) for parameter in one.parameters)]
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
