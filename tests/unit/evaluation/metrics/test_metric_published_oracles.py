"""Metrics of lists against independent published implementations, on one small input.

The figures were computed with the libraries in environments of their own: RecTools 0.19.0 (it needs numpy 1) and
RecBole 1.2.1 (it needs names that numpy 2 removed). RecTools got the relevant test rows as interactions, and the
cosines of co-rating as distances. RecBole divides the entropy by the number of items shown and takes natural
logarithms; both are undone here.
"""

import numpy as np
import pytest

from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.beyond_accuracy import Diversity, Novelty, Serendipity
from cfbench.evaluation.metrics.exposure import Coverage, Entropy, Gini
from cfbench.evaluation.metrics.popularity import ARP

TRAIN = [
    *((0, 0, 5), (0, 1, 3), (0, 2, 4), (0, 3, 2), (1, 0, 4), (1, 1, 5), (1, 4, 3), (2, 0, 3), (2, 2, 5), (2, 5, 4)),
    *((3, 0, 2), (3, 1, 4), (3, 6, 5), (4, 0, 4), (4, 3, 1), (4, 7, 5), (5, 1, 2), (5, 2, 3), (5, 8, 4), (5, 0, 5)),
]
TEST = [(0, 4, 5), (0, 5, 4), (1, 2, 4), (1, 3, 1), (2, 1, 5), (2, 6, 4), (3, 7, 4), (4, 1, 3), (4, 8, 5), (5, 3, 4)]
LISTS = [[4, 7, 5], [2, 3, 8], [6, 1, 3], [2, 4, 5], [8, 1, 2], [4, 6, 3]]

RECTOOLS = {
    ARP: {1: 1.6666666666666667, 2: 1.9166666666666667, 3: 1.8333333333333337},
    Novelty: {1: 2.0566416671474372, 2: 1.9041354172676301, 3: 1.9319131950454078},
    Serendipity: {1: 0.25925925925925924, 2: 0.12962962962962962, 3: 0.10493827160493828},
    Diversity: {2: 0.7652919515893561, 3: 0.7738220690102423},
    Coverage: {1: 0.4444444444444444, 2: 0.7777777777777778, 3: 0.8888888888888888},
}
RECBOLE_GINI = {1: 0.6296296296296297, 2: 0.3888888888888889, 3: 0.2469135802469136}
RECBOLE_ENTROPY = {1: (0.3324153372136895, 4), 2: (0.2662399981915714, 7), 3: (0.25412502499748896, 8)}


@pytest.fixture
def evaluation(make_evaluation):
    return make_evaluation(TRAIN, TEST, lists=LISTS, k=3)


@pytest.mark.parametrize(("metric", "k"), [(metric, k) for metric, figures in RECTOOLS.items() for k in figures])
def test_figures_equal_those_of_rectools(evaluation, metric, k):
    assert apply_metric(metric(k=k), evaluation).value == pytest.approx(RECTOOLS[metric][k], rel=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_gini_and_entropy_equal_those_of_recbole(evaluation, k):
    assert apply_metric(Gini(k=k), evaluation).value == pytest.approx(RECBOLE_GINI[k], rel=1e-12)
    nats_per_item, shown = RECBOLE_ENTROPY[k]
    assert apply_metric(Entropy(k=k), evaluation).value == pytest.approx(nats_per_item * shown / np.log(2), rel=1e-12)
