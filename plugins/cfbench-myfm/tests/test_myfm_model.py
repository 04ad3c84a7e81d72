import subprocess
import sys

import numpy as np
import pytest

from cfbench.model import EpochReport, FitContext
from cfbench.testing import described_ratings, random_ratings
from cfbench_myfm.factorization_machine import BayesianFactorizationMachine
from cfbench_myfm.sampler import myfm

FEW = {"iterations": 12, "burn_in": 2, "n_factors": 3}


def fitted(train, listen=None, **params):
    model = BayesianFactorizationMachine(**(FEW | params))
    model.fit(train, FitContext(seed=4) if listen is None else FitContext(seed=4, on_epoch=listen))
    return model


def test_the_mean_over_kept_samples_is_the_librarys_own_prediction():
    train = described_ratings()
    model = fitted(train)
    users, items = model._sides(train)
    machine = myfm.MyFMRegressor(rank=3, random_seed=4)
    blocks = [
        myfm.RelationBlock(codes.tolist(), side.matrix) for codes, side in ((train.users, users), (train.items, items))
    ]
    targets = train.ratings.astype(np.float64) - train.mean
    machine.fit(None, targets, X_rel=blocks, n_iter=12, n_kept_samples=10, group_shapes=[*users.groups, *items.groups])
    np.testing.assert_allclose(
        model.predict(train.users, train.items), machine.predict(None, X_rel=blocks) + train.mean, atol=1e-4
    )


def test_embeddings_add_up_to_the_prediction():
    train = random_ratings()
    model = fitted(train)
    shown = model.embeddings()
    assert shown.users.shape == (train.n_users, 10 * 3)
    table = shown.users @ shown.items.T + shown.user_biases[:, None] + shown.item_biases + shown.offset
    np.testing.assert_allclose(table, model.score_items(np.arange(train.n_users, dtype=np.int32)), atol=1e-4)


def test_histories_and_side_information_are_columns_only_where_asked_for():
    train = described_ratings()
    n_users, n_items = train.n_users, train.n_items
    users, items = BayesianFactorizationMachine(history=False, side_information=False)._sides(train)
    assert (users.groups, items.groups) == ((n_users,), (n_items,))
    users, items = BayesianFactorizationMachine(side_information=False)._sides(train)
    assert users.groups == (n_users, n_items)
    assert items.groups == (n_items, n_users)
    users, _ = BayesianFactorizationMachine(history=False)._sides(train)
    assert len(users.groups) == 2
    users, _ = BayesianFactorizationMachine()._sides(random_ratings())
    assert len(users.groups) == 2


def test_every_iteration_is_reported_with_the_noise_it_believes_in():
    reports: list[EpochReport] = []
    fitted(random_ratings(), listen=reports.append)
    assert [report.epoch for report in reports] == list(range(1, 13))
    assert all(report.train_loss > 0 for report in reports)


def test_nothing_is_printed(capfd):
    fitted(random_ratings())
    assert capfd.readouterr() == ("", "")


def test_the_librarys_warning_about_its_version_is_not_passed_on():
    program = "import cfbench_myfm.sampler"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_factors": 0}, "n_factors=0: expected a whole number of at least 1"),
        ({"init_std": 0}, "init_std=0: expected a number above 0"),
        ({"iterations": 10, "burn_in": 10}, "burn_in=10: expected less than iterations=10"),
    ],
)
def test_a_hyperparameter_that_makes_no_sense_is_refused_by_name(params, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        BayesianFactorizationMachine(**params)
