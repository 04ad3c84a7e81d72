"""``cfbench inspect`` and ``cfbench recommend``: commands on a fitted model of a finished run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, get_args

from cyclopts import Parameter

from cfbench.analysis.active_users_view import active_users, require_user_share
from cfbench.analysis.catalogue import Catalogue
from cfbench.analysis.embedding_statistics import MapMethod, Similarity, require_map
from cfbench.analysis.finished_cell import SHORT_KEY, fitted_model, load_cell, note_difference
from cfbench.analysis.gallery import require_views
from cfbench.analysis.gallery import views as views_of
from cfbench.analysis.recommendation import RecommendationRequest, as_csv, as_json, as_tables
from cfbench.analysis.recommendation import recommend as recommended_by
from cfbench.analysis.view import Format, InspectedModel, ViewOptions, write_views
from cfbench.cli.console import complain, output, tell
from cfbench.cli.option_types import OUTPUT, WHOLE
from cfbench.data.sources.source import default_storage
from cfbench.errors import UnknownNameError
from cfbench.files.atomic import confined
from cfbench.files.printable import until_the_reader_leaves
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry
from cfbench.reporting.plots import NO_PICTURES, can_draw
from cfbench.reporting.table import print_table, shown
from cfbench.spec import Spec


def inspect(
    folder: Path,
    cell: str | None = None,
    /,
    *,
    only: list[str] | None = None,
    near: list[str] | None = None,
    by: Similarity = "cosine",
    n: Annotated[int, WHOLE, Parameter(name=["-n", "--n"])] = 5,
    top: Annotated[int, WHOLE] = 40,
    min_ratings: Annotated[int | None, WHOLE] = None,
    layout: Annotated[MapMethod | None, Parameter(name="--map")] = None,
    without_active: float | None = None,
    formats: Annotated[str, Parameter(name="--format")] = "svg",
    into: Annotated[Path | None, OUTPUT] = None,
    data_dir: Path | None = None,
) -> int:
    """Show what the fitted model of one cell has learned: biases, neighbours, components, learning curves and more.

    The model is loaded where the run saved it, else fitted again.

    Parameters
    ----------
    folder: Path
        A run's folder, with cells/ in it.
    cell: str
        The model, the beginning of a cell's key, or a part of the cell's name; may be left out where there is one cell.
    only: list[str]
        Views to show, separated by commas: biases, nearest, best, components, map, factors, popularity, learning,
        spread.
    near: list[str]
        Titles whose nearest items are listed; repeat the option. The most rated item where omitted.
    by: str
        What nearest means.
    n: int
        Length of the lists.
    top: int
        How many of the most rated items maps name.
    min_ratings: int
        Leave out items with fewer training ratings; by default 20 for neighbours, components and maps, 1 for biases.
    layout: str
        Lay the items out in the plane too.
    without_active: float
        Refit without this share of the most active users, e.g. 0.01, and show how far other users' lists move.
    formats: str
        What pictures are written as: svg, png or both, separated by a comma.
    into: Path
        Where files go; inspect/<model>-<key>/ in the run's folder where omitted.
    data_dir: Path
        A folder with data sets; CFBENCH_DATA where omitted.
    """
    # All options are checked before a fit that may take minutes.
    picture_formats = _formats(formats)
    names = [name.strip() for text in only or () for name in text.split(",")]
    require_views(names)
    options = ViewOptions(n, tuple(near or ()), by, top, min_ratings, layout)
    if layout is not None:
        require_map(layout)
    if without_active is not None:
        require_user_share(without_active)
    loaded = load_cell(RunFolder(folder), cell, Registry.discover(), default_storage(data_dir), complain)
    titles = Catalogue.of(loaded.split).title_index
    for text in options.near:
        titles.find(text)
    fitted = fitted_model(loaded)
    views = views_of(InspectedModel.of(fitted), options, names)
    if without_active is not None:
        views["active"] = active_users(fitted, without_active)
    note_difference(fitted)
    if not can_draw() and any(view.plots for view in views.values()):
        complain(NO_PICTURES)
    model = re.sub("[^A-Za-z0-9._-]", "_", Spec.parse(loaded.cell.model).name)
    place = into or confined(folder, "inspect", f"{model}-{loaded.cell.key[:SHORT_KEY]}", "inspect.md").parent
    facts = (f"Cell {loaded.cell.key}: {loaded.cell.distribution} {loaded.cell.version}.",)
    written = write_views(place, str(loaded.cell), facts, views, picture_formats)
    with until_the_reader_leaves():
        console = output()
        for view in views.values():
            console.rule(shown(view.title))
            if view.remark:
                console.print(shown(view.remark, "dim"))
            for table in view.tables:
                print_table(table.table(), console)
    for file in written:
        tell(f"wrote {file}")
    return 0


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


def _formats(text: str) -> list[Format]:
    known: tuple[Format, ...] = get_args(Format)
    wanted = [part.strip() for part in text.split(",")]
    for one in wanted:
        if one not in known:
            raise UnknownNameError.among("format of pictures", one, known)
    return [one for one in known if one in wanted]
