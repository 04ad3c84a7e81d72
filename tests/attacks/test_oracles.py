"""Oracles where the kernel protects nothing: what they answer is told as too good to be true, honest models are not."""

from __future__ import annotations

import numpy as np
import pytest

from cfbench.data.sources.source import Storage
from cfbench.data.sources.synthetic import Synthetic
from cfbench.execution.sandbox import protections

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


@pytest.fixture(scope="module")
def ratings(tmp_path_factory):
    """A file of ratings, each with a time of its own, as bytes."""
    folder = tmp_path_factory.mktemp("ratings")
    dataset = Synthetic(n_users=200, n_items=80, n_ratings=5000).load(Storage(None, folder, may_download=False))
    times = np.random.default_rng(0).permutation(len(dataset)) + 1_000_000_000
    columns = zip(dataset.user_index, dataset.item_index, dataset.ratings, times, strict=True)
    lines = ["user_id\titem_id\trating\ttimestamp", *("\t".join(map(str, row)) for row in columns)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("lacking", ["", pytest.param("landlock", marks=pytest.mark.nightly)])
def test_an_oracle_that_knows_the_place_of_a_file_is_warned_about(environment, run, tmp_path, ratings, lacking):
    environment.install_attack("oracles")
    place = tmp_path / "ratings.tsv"
    place.write_bytes(ratings)
    where = {"lacking": lacking} if lacking else {}
    ran = run([*HONEST, f"reader[path={place}]"], *([] if lacking else ["--in-process"]), data=str(place), **where)
    assert ran.code == 0, ran.said
    codes = warned(ran)
    assert {model.split("[")[0] for model in codes if "too-good" in codes[model]} == {"reader"}


@pytest.mark.skipif("reads" not in protections(network=False), reason="the kernel lets cells read what the user can")
def test_no_oracle_reads_ratings_by_a_path_wherever_they_lie(make_environment, run, tmp_path, ratings):
    own = make_environment()
    own.install_attack("oracles")
    into, temporary, checkout = tmp_path / "results", tmp_path / "temporary", tmp_path / "checkout"
    data, objects = tmp_path / "data" / "ratings.tsv", checkout / ".git" / "objects" / "u.data"
    places = [data, tmp_path / "ratings.tsv", temporary / "u.data", own.home / "u.data", own.home / ".cache" / "u.data"]
    places += [
        into / "u.data",
        checkout / "u.data",
        checkout / "results" / "u.data",
        objects,
        own.root.parent / "u.data",
    ]
    run(["bias"], place=own, into=into)
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(ratings)
    (checkout / "module.py").write_text("")
    (own.packages / "zz_checkout.pth").write_text(f"{checkout}\n")
    readers = [
        f"reader[path={place}]" for place in (*places, f"/proc/self/root{data}", f"/proc/self/cwd{40 * '/..'}{data}")
    ]
    ran = run([*HONEST, *readers, "searcher"], "--jobs", "2", place=own, data=str(data), into=into, temporary=temporary)
    assert {model: ran.status[model] for model in (*HONEST, "searcher")} == dict.fromkeys((*HONEST, "searcher"), "ok")
    found = {model: ran.records[model, ""]["reason"] for model in readers}
    assert {model: reason for model, reason in found.items() if "PermissionError" not in reason} == {}
    assert ran.left == []
    assert ran.temporary == ["u.data"]
