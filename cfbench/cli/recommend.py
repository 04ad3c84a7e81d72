"""``cfbench recommend``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cfbench.analysis.recommend.recommendation import RecommendationRequest
from cfbench.analysis.recommend.recommendation import recommend as recommended_by
from cfbench.analysis.recommend.rendering import as_csv, as_json, as_tables
from cfbench.analysis.refit.finished_cell import load_cell
from cfbench.cli.console import complain, output, until_the_reader_leaves
from cfbench.cli.option_types import WHOLE
from cfbench.data.sources.source import default_storage
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry
from cfbench.reporting.terminal import print_table


def recommend(
    folder: Path,
    cell: str | None = None,
    /,
    *,
    user: str | None = None,
    n: Annotated[int, WHOLE, Parameter(name=["-n", "--n"])] = 10,
    include_seen: Annotated[bool, Parameter(negative="--exclude-seen")] = False,
    ratings: Path | None = None,
    features: str = "",
    form: Annotated[Literal["table", "json", "csv"], Parameter(name="--format")] = "table",
    data_dir: Path | None = None,
) -> int:
    """Show what the model of one cell recommends to a user, beside what the user has rated highest.

    The model is loaded where the run saved it, else fitted again. Users who were tested get the list of the run.

    Parameters
    ----------
    folder: Path
        A run's folder, with cells/ in it.
    cell: str
        The model, the beginning of a cell's key, or a part of the cell's name; may be left out where there is one cell.
    user: str
        The user's id in the data.
    n: int
        How many items.
    include_seen: bool
        Whether items that the user has rated in training may be recommended.
    ratings: Path
        Ratings of a new user, instead of --user: a CSV file with the columns title (or item) and rating. The model is
        fitted again with them.
    features: str
        Features of a new user, as key=value,key=value; alone for models that take cold-start entities, or beside
        --ratings.
    form: str
        How to print it; json and csv hold everything unrounded.
    data_dir: Path
        A folder with data sets; CFBENCH_DATA where omitted.
    """
    request = RecommendationRequest(user, ratings, features, n, include_seen)
    loaded = load_cell(RunFolder(folder), cell, Registry.discover(), default_storage(data_dir), complain)
    found = recommended_by(loaded, request)
    with until_the_reader_leaves():
        match form:
            case "json":
                print(as_json(found, str(loaded.cell)))
            case "csv":
                print(as_csv(found), end="")
            case "table":
                console = output()
                for table in as_tables(found, loaded.cell.model):
                    print_table(table.table(), console)
    return 0
