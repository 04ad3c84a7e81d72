"""Models that try to learn from what they are asked gain nothing by it, and are warned about."""

from __future__ import annotations

import numpy as np
import pytest

CHANGING = ("remembers", "position", "runs", "counts", "prior", "fickle", "moody")
HONEST = ("control", "honestnoise", "bias", "popular")


@pytest.fixture(scope="module")
def sorted_file(tmp_path_factory):
    """Ratings that are sorted by rating and user, in folds that keep the order of rows."""
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.permutation(80 * 60)[:1500], 60)
    taste = rng.normal(0, 0.6, 80)[users] + rng.normal(0, 0.6, 60)[items]
    stars = np.clip(np.rint(3 + taste + rng.normal(0, 1, 1500)), 1, 5)
    order = np.lexsort((users, stars))
    file = tmp_path_factory.mktemp("data") / "sorted.csv"
    rows = zip(users[order], items[order], stars[order].astype(int), strict=True)
    file.write_text("user,item,rating\n" + "".join(f"u{u},i{i},{s}\n" for u, i, s in rows), encoding="utf-8")
    return file


@pytest.fixture
def ran(environment, run, sorted_file):
    """All of them, and the honest ones alone, on data whose order tells the ratings."""
    environment.install_attack("questions")
    environment.install_attack("honest")
    options = {"data": str(sorted_file)}
    return run([*CHANGING, *HONEST], "-s", "kfold[k=2]", **options), run(HONEST, "-s", "kfold[k=2]", **options)


def warned(record):
    return "answers-change" in {warning["code"] for warning in record["warnings"]}


def figure(record, name):
    return record["metrics"][name]["value"]


def test_what_is_asked_teaches_nothing_and_whoever_tries_is_told(ran):
    together, alone = ran
    assert (together.code, alone.code) == (0, 0), together.said
    for (model, fold), record in together.records.items():
        control = together.records["control", fold]
        assert record["status"] == "ok"
        assert warned(record) == (model in CHANGING), model
        if model in CHANGING:  # lists are made before anything is asked that could be remembered
            assert figure(record, "NDCG@10") == figure(control, "NDCG@10"), model
            assert figure(record, "RMSE") > figure(control, "RMSE") - 0.01, model
    assert together.figures(HONEST) == alone.figures(HONEST) != {}
    assert together.left == alone.left == []
    assert together.temporary == alone.temporary == []


def test_pairs_are_out_of_sight_until_lists_are_made_and_these_are_final_then(environment, run, sorted_file):
    environment.install_attack("questions")
    ran = run(["control", "peeks", "relists", "swaps", "hastens"], data=str(sorted_file))
    assert ran.code == 1, ran.said
    assert ran.status == {"control": "ok", "peeks": "ok", "relists": "failed", "swaps": "ok", "hastens": "failed"}
    for model in ("peeks", "swaps"):
        assert figure(ran.records[model, ""], "NDCG@10") == figure(ran.records["control", ""], "NDCG@10")
    for model in ("relists", "hastens"):
        assert "lists were changed after it was given the pairs" in ran.records[model, ""]["reason"]
    assert ran.left == []
    assert ran.temporary == []
