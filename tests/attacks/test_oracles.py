"""Oracles where the kernel protects nothing: what they answer is told as too good to be true, honest models are not."""

from __future__ import annotations

import numpy as np

from cfbench.data.sources.source import Storage
from cfbench.data.sources.synthetic import Synthetic

HONEST = ("bias", "svd", "popular")


def warned(ran) -> dict[str, set[str]]:
    return {model: {one["code"] for one in record["warnings"]} for (model, _), record in ran.records.items()}


def test_an_oracle_that_imports_the_embedded_data_is_warned_about_and_changes_nobody(environment, run):
    environment.install_attack("oracles")
    data = {"data": "movietweetings-sample"}
    ran = run([*HONEST, "oracle", "rankingoracle"], "--in-process", **data)
    assert ran.code == 0, ran.said
    errors = {
        model: record["metrics"]["RMSE"]["value"]
        for (model, _), record in ran.records.items()
        if "RMSE" in record["metrics"]
    }
    assert errors["oracle"] < 0.6 * errors["bias"], "it has found the ratings"
    codes = warned(ran)
    assert {model for model in codes if "too-good" in codes[model]} == {"oracle", "rankingoracle"}
    assert "too good to be true" in ran.said, "the table says so too"
    assert ran.figures(HONEST) == run(HONEST, "--in-process", **data).figures(HONEST)
    assert (ran.left, ran.temporary) == ([], [])


def test_an_oracle_that_knows_the_place_of_a_file_is_warned_about(environment, run, tmp_path):
    environment.install_attack("oracles")
    dataset = Synthetic(n_users=200, n_items=80, n_ratings=5000).load(Storage(None, tmp_path, may_download=False))
    times = np.random.default_rng(0).permutation(len(dataset)) + 1_000_000_000
    columns = zip(dataset.user_index, dataset.item_index, dataset.ratings, times, strict=True)
    lines = ["user_id\titem_id\trating\ttimestamp", *("\t".join(map(str, row)) for row in columns)]
    place = tmp_path / "ratings.tsv"
    place.write_text("\n".join(lines), "utf-8")
    ran = run([*HONEST, f"reader[path={place}]"], "--in-process", data=str(place))
    assert ran.code == 0, ran.said
    codes = warned(ran)
    assert {model.split("[")[0] for model in codes if "too-good" in codes[model]} == {"reader"}
