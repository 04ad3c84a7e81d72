"""Popularity of the recommended items, against that of the items in the user's profile, and of scores."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics import Breakdown, Contract, CutOff, Evaluation, PerUser, Pooled, Single
from cfbench.evaluation.metrics.metric import PROFILES, of_popularity
from cfbench.evaluation.statistics.significance import mean_ranks

_CONFIDENCE = 0.95

# From the least to the most mainstream: the lowest fifth, the three fifths between, the highest fifth.
TASTE_GROUPS = ("niche", "diverse", "blockbuster")
_GROUPING = (
    "groups: test users with profile and list, by the share of head items in the profile: lowest 20 % niche, "
    "next 60 % diverse, highest 20 % blockbuster; ties by mean phi of the profile, then by place in the user table"
)

_CLASSES = (
    "classes of items: head = smallest set of most popular items with 20 % of training rows, "
    "tail = outside the smallest set with 80 %, mid = the rest"
)

_of_profiles = partial(of_popularity, cold_policy=PROFILES)


class ARP(CutOff):
    """Average recommendation popularity: training users of the items in a list, in users; at least 1."""

    label: ClassVar[str] = "ARP"
    contract: ClassVar[Contract] = of_popularity(
        title="average popularity of the recommended items",
        formula="mean_u (sum_(i in L_u) phi(i)) / |L_u|, phi(i) = distinct training users of i",
        direction="lower",
        source="Yin et al. 2012, Challenging the long tail recommendation",
        unit="users",
        display=".1f",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average ``item_popularity`` over every list."""
        return evaluation.mean_over_lists(evaluation.item_popularity)


class APLT(CutOff):
    """Average share of long-tail items in a list, in [0, 1].

    The tail is what lies outside the smallest set of items that covers 80 % of the training interactions.
    """

    label: ClassVar[str] = "APLT"
    contract: ClassVar[Contract] = of_popularity(
        title="average share of long-tail items in the lists",
        formula="mean_u |L_u & tail| / |L_u|, tail = outside the smallest set with 80 % of training rows",
        source="Abdollahpouri et al. 2017, Controlling popularity bias in learning-to-rank recommendation",
        display=".1%",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average tail membership over every list."""
        return evaluation.mean_over_lists(evaluation.tail)


def taste_groups(evaluation: Evaluation) -> NDArray[np.int64]:
    """Return the index into ``TASTE_GROUPS`` of every test user, shape (t,); -1 without profile or without list.

    A niche or blockbuster group is a fifth of the users, rounded down. Head items are those of the smallest set
    with 80 % of the training interactions.
    """
    sizes = evaluation.profile_sizes
    grouped = np.flatnonzero((sizes > 0) & (evaluation.list_lengths > 0))
    head_share = evaluation.sum_over_profiles(evaluation.head)[grouped] / sizes[grouped]
    mean_phi = evaluation.sum_over_profiles(evaluation.item_popularity)[grouped] / sizes[grouped]
    order = grouped[np.lexsort((mean_phi, head_share))]  # stable: equals stay in the order of the user table
    fifth = len(order) // 5
    groups = np.full(len(sizes), -1)
    groups[order] = np.repeat([0, 1, 2], [fifth, len(order) - 2 * fifth, fifth])
    return groups


class DeltaGAP(CutOff):
    """Change of group average popularity from profile to list, by taste group; 0 = as popular as the profile.

    Rows: ``dGAP`` (relative change, at least -1), ``GAP profile`` and ``GAP list`` (mean over the group's users of
    the mean popularity of their items, in users), ``n`` (users). Fewer than five users leave the outer groups empty.
    """

    label: ClassVar[str] = "dGAP"
    contract: ClassVar[Contract] = _of_profiles(
        title="change of average popularity from profile to list, by taste group",
        formula="(GAP_list - GAP_profile) / GAP_profile, GAP = mean over users of a group of mean phi(i) of their "
        "items; " + _GROUPING,
        direction="none",
        averaging="users of the group alike",
        source="Abdollahpouri et al. 2019, The unfairness of popularity bias in recommendation; Kowald et al. 2020",
        figure="dGAP",
        display="+.1%",
    )

    def measure(self, evaluation: Evaluation) -> Breakdown:
        """Compare the mean popularity of every list with that of its user's training items."""
        groups, popularity = taste_groups(evaluation), evaluation.item_popularity
        in_lists = evaluation.mean_over_lists(popularity).numerators
        in_profiles = evaluation.sum_over_profiles(popularity) / np.maximum(evaluation.profile_sizes, 1)
        rows: dict[str, dict[str, PerUser | float]] = {}
        for index, name in enumerate(TASTE_GROUPS):
            members = (groups == index).astype(np.float64)
            listed, profile = in_lists * members, in_profiles * members
            rows[name] = {
                "dGAP": PerUser(listed - profile, profile),
                "GAP profile": PerUser(profile, members),
                "GAP list": PerUser(listed, members),
                "n": float(members.sum()),
            }
        return Breakdown(rows)


class UPD(CutOff):
    """User popularity deviation, in [0, 1]; 0 = every list has the head, mid and tail shares of its user's profile.

    The mean over three taste groups of the mean Jensen-Shannon divergence, in bits. A group without users does not
    count; NaN where none has any.
    """

    label: ClassVar[str] = "UPD"
    contract: ClassVar[Contract] = _of_profiles(
        title="user popularity deviation: profile against list in head, mid and tail shares",
        formula="mean_g mean_(u in g) JSD(P_u, Q_u), JSD(P, Q) = H((P+Q)/2) - (H(P)+H(Q))/2 in bits, P_u, Q_u = shares "
        f"of item classes in profile and list; {_CLASSES}; {_GROUPING}",
        direction="lower",
        averaging="mean of the three groups' means",
        source="Abdollahpouri et al. 2021, User-centered evaluation of popularity bias in recommender systems",
        unit="bits",
    )

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Sum divergences and users by group."""
        groups = taste_groups(evaluation)
        members = groups[:, np.newaxis] == np.arange(len(TASTE_GROUPS))
        head, tail = evaluation.most_popular(1), evaluation.tail
        classes = np.stack([head, ~head & ~tail, tail], axis=1).astype(np.float64)
        p = evaluation.sum_over_profiles(classes) / np.maximum(evaluation.profile_sizes, 1)[:, np.newaxis]
        q = evaluation.sum_over_lists(classes) / np.maximum(evaluation.list_lengths, 1)[:, np.newaxis]
        divergences = _divergence(p, q)[:, np.newaxis]
        sums = np.concatenate([members * divergences, members], axis=1).astype(np.float64)
        return Pooled(sums, _mean_of_group_means, int(np.count_nonzero(groups >= 0)), (0.0, 1.0))


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Jensen-Shannon divergence of each row, shapes (t, c) -> (t,), in bits."""
    return np.maximum(_entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2, 0)


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy of each row of shares, shape (t, c) -> (t,), in bits."""
    logarithms = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(-np.einsum("tc,tc->t", shares, logarithms))


def _mean_of_group_means(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average the means of groups that have users: sums of values, then of users, shape (c, 6) -> (c,)."""
    values, users = np.split(sums, 2, axis=1)
    present = users > 0
    means = np.divide(values, users, out=np.zeros_like(values), where=present)
    counts = present.sum(axis=1)
    return np.asarray(means.sum(axis=1) / np.where(counts == 0, np.nan, counts))


class PopularityCorrelation:
    """Rank correlation of an item's mean predicted score with its popularity, in [-1, 1].

    1 = the scores order the catalogue by popularity. The interval is that of the delete-a-group jackknife over the
    groups of users behind the mean scores, with Student's t of g - 1 degrees of freedom. NaN where all scores, or
    all popularities, are equal.
    """

    name: ClassVar[str] = "popularity-correlation"
    contract: ClassVar[Contract] = Contract(
        title="Spearman correlation of mean predicted score with popularity",
        formula="Pearson correlation of the ranks of mean_u s_ui and of phi(i) over the catalogue; ties share ranks",
        family="popularity bias",
        needs=("scores",),
        direction="none",
        averaging="items of the training catalogue alike; scores as the mean of means over equal groups of users",
        candidates="training catalogue, all of it, also what a user has in training",
        cold_policy="cold users count; items for which the model has no score at all are left out",
        source="Spearman 1904; interval: Kott 2001, The delete-a-group jackknife",
    )

    def measure(self, evaluation: Evaluation) -> Single:
        """Correlate over all groups, and over all but each one for the interval."""
        means, popularity = evaluation.score_means.astype(np.float64), evaluation.item_popularity
        value, groups = _correlation(means, popularity), len(means)
        n = int((~np.isnan(means)).any(axis=0).sum())
        without = np.array([_correlation(np.delete(means, group, axis=0), popularity) for group in range(groups)])
        if groups < 2 or np.isnan(value) or np.isnan(without).any():
            return Single(value, n)
        from scipy.special import stdtrit  # noqa: PLC0415 - slow to import

        deviation = np.sqrt((groups - 1) / groups * np.square(without - value).sum())
        reach = float(stdtrit(groups - 1, (1 + _CONFIDENCE) / 2) * deviation)
        return Single(value, n, (max(value - reach, -1.0), min(value + reach, 1.0)))


def _correlation(means: NDArray[np.float64], item_popularity: NDArray[np.int64]) -> float:
    """Return Spearman's rho of the mean over groups, shape (g, n_items), with popularity.

    NaN scores do not count; the result is NaN where scores or popularities do not vary.
    """
    known = ~np.isnan(means)
    counts = known.sum(axis=0)
    scored = counts > 0
    scores = np.where(known, means, 0).sum(axis=0)[scored] / counts[scored]
    if len(scores) < 2:
        return float("nan")
    x, y = (mean_ranks(values) for values in (scores, item_popularity[scored]))
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(np.clip(x @ y / scale, -1, 1)) if scale > 0 else float("nan")
