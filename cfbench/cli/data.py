"""``cfbench data``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cyclopts import App
from rich.table import Table
from rich.text import Text

from cfbench.cli.console import listing, output
from cfbench.data.dataset import Dataset
from cfbench.data.sources.source import Storage, default_storage
from cfbench.experiment.split_plans import load_dataset
from cfbench.registry.registry import Plugin, Registry
from cfbench.reporting.table import shown

_EXAMPLES = """Examples:

cfbench data list
cfbench data describe movietweetings-100k
cfbench data fetch ml-100k"""

app = App(name="data", help_format="plaintext", help_epilogue=_EXAMPLES)


@app.command(name="list")
def list_data(*, data_dir: Path | None = None) -> int:
    """Show the data sets: where each would come from, its licence, what it is.

    Parameters
    ----------
    data_dir: Path
        A folder with data sets; CFBENCH_DATA where omitted.
    """
    storage = default_storage(data_dir)
    table = listing(Text("data sets"), "name", "plugin", "comes from", "licence", "description")
    for plugin in Registry.discover().plugins("dataset"):
        cells = plugin.name, f"{plugin.distribution} {plugin.version}", *_source_cells(plugin, storage)
        table.add_row(*map(shown, cells))
    output().print(table)
    return 0


@app.command
def describe(dataset: str, /, *, data_dir: Path | None = None) -> int:
    """Load a data set and show its size, scale, licence, citation and fingerprint.

    Parameters
    ----------
    dataset: str
        A name as in `cfbench data list`, with parameters if wanted, or the path of a ratings file.
    data_dir: Path
        A folder with data sets; CFBENCH_DATA where omitted.
    """
    label, data = load_dataset(dataset, Registry.discover(), default_storage(data_dir))
    table = Table(show_header=False, title=shown(label), title_justify="left")
    for name, value in _facts(data).items():
        table.add_row(name, shown(value))
    output().print(table)
    return 0


@app.command
def fetch(dataset: str, /, *, data_dir: Path | None = None) -> int:
    """Bring a data set to this machine, verify it and keep it, so that later runs need no network.

    Parameters
    ----------
    dataset: str
        A name as in `cfbench data list`.
    data_dir: Path
        A folder that is searched first; CFBENCH_DATA where omitted.
    """
    label, data = load_dataset(dataset, Registry.discover(), default_storage(data_dir))
    output().print(shown(f"{label}: {len(data):,} ratings, sha256 {data.fingerprint}"))
    return 0


def _source_cells(plugin: Plugin, storage: Storage) -> tuple[str, str, str]:
    """Return where a data set would come from, its licence and its description, or why it cannot be used."""
    if plugin.problem:
        return "cannot be used", "-", plugin.problem
    required = any(parameter.required for parameter in plugin.declaration.parameters.values())
    try:
        source = plugin.load()
        whereabouts = "a path you give" if required else source().whereabouts(storage)
    except Exception as error:
        return "cannot be used", "-", f"{type(error).__name__}: {error}"
    return whereabouts, source.origin.licence, plugin.declaration.description


def _facts(data: Dataset) -> dict[str, str]:
    return {
        "ratings": f"{len(data):,}",
        "users": f"{len(data.users):,}" + _columns(data.users.columns),
        "items": f"{len(data.items):,}" + _columns(data.items.columns),
        "density": f"{data.density:.3%}",
        "scale": f"{data.scale}, mean {data.ratings.mean(dtype='float64'):.6f}",
        "relevant from": f"{data.relevant_from:g}",
        "timestamps": "no" if data.timestamps is None else "yes",
        "published folds": ", ".join(data.folds) or "none",
        "licence": data.origin.licence,
        "citation": data.origin.citation,
        "homepage": data.origin.homepage,
        "fingerprint": f"sha256 {data.fingerprint}",
    }


def _columns(columns: Iterable[str]) -> str:
    names = ", ".join(columns)
    return f" ({names})" if names else ""
