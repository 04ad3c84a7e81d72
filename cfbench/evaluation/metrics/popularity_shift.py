"""How the popularity of what users get differs from that of what they rated: dGAP and UPD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.cutoff import CutOff
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.list_means import list_lengths, mean_of_lists
from cfbench.evaluation.metrics.metric import Breakdown, Contract
from cfbench.evaluation.metrics.phrases import CANDIDATES, PROFILES
from cfbench.evaluation.metrics.sums import PerUser, Pooled
from cfbench.evaluation.metrics.taste_groups import DEFINITION, GROUPS, taste_groups

_CLASSES = (
    "classes of items: head = smallest set of most popular items with 20 % of training rows, "
    "tail = outside the smallest set with 80 %, mid = the rest"
)


@dataclass(frozen=True)
class DeltaGAP(CutOff):
    """Change of group average popularity from profile to list, by taste group; 0 = as popular as the profile.

    Rows: ``dGAP`` (relative change, at least -1), ``GAP profile`` and ``GAP list`` (mean over the group's users of
    the mean popularity of their items, in users), ``n`` (users). Fewer than five users leave the outer groups empty.
    """

    contract: ClassVar[Contract] = Contract(
        title="change of average popularity from profile to list, by taste group",
        formula=(
            "(GAP_list - GAP_profile) / GAP_profile, GAP = mean over users of a group of mean phi(i) of their items; "
            + DEFINITION
        ),
        family="popularity bias",
        needs=("lists",),
        direction="none",
        averaging="users of the group alike",
        candidates=CANDIDATES,
        cold_policy=PROFILES,
        source="Abdollahpouri et al. 2019, The unfairness of popularity bias in recommendation; Kowald et al. 2020",
        unit="share",
        figure="dGAP",
        display="+.1%",
    )
    label: ClassVar[str] = "dGAP"

    def measure(self, evaluation: Evaluation) -> Breakdown:
        """Set the mean popularity of every list against that of its user's training items."""
        lists = evaluation.lists
        groups = taste_groups(evaluation, lists)
        got = mean_of_lists(lists, evaluation.item_popularity).numerators
        had = evaluation.over_profiles(evaluation.item_popularity) / np.maximum(evaluation.profile_sizes, 1)
        return Breakdown({name: _gap(got, had, groups == index) for index, name in enumerate(GROUPS)})


@dataclass(frozen=True)
class UPD(CutOff):
    """User popularity deviation, in [0, 1]; 0 = every list has the head, mid and tail shares of its user's profile.

    The mean over three taste groups of the mean Jensen-Shannon divergence, in bits. A group without users does not
    count; NaN where none has any.
    """

    contract: ClassVar[Contract] = Contract(
        title="user popularity deviation: profile against list in head, mid and tail shares",
        formula=(
            "mean_g mean_(u in g) JSD(P_u, Q_u), JSD(P, Q) = H((P+Q)/2) - (H(P)+H(Q))/2 in bits, P_u, Q_u = shares of "
            f"item classes in profile and list; {_CLASSES}; {DEFINITION}"
        ),
        family="popularity bias",
        needs=("lists",),
        direction="lower",
        averaging="mean of the three groups' means",
        candidates=CANDIDATES,
        cold_policy=PROFILES,
        source="Abdollahpouri et al. 2021, User-centered evaluation of popularity bias in recommender systems",
        unit="bits",
    )
    label: ClassVar[str] = "UPD"

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Sum divergences and users by group."""
        lists = evaluation.lists
        groups = taste_groups(evaluation, lists)
        members = groups[:, np.newaxis] == np.arange(len(GROUPS))
        divergence = _divergence(*_class_shares(evaluation, lists))
        sums = np.concatenate([members * divergence[:, np.newaxis], members], axis=1).astype(np.float64)
        return Pooled(sums, _mean_of_group_means, int(np.count_nonzero(groups >= 0)), (0.0, 1.0))


def _gap(got: NDArray[np.float64], had: NDArray[np.float64], members: NDArray[np.bool_]) -> dict[str, PerUser | float]:
    """Return the figures of one group of users from popularity per user, shape (t,) each."""
    ones, got, had = members.astype(np.float64), got * members, had * members
    return {
        "dGAP": PerUser(got - had, had),
        "GAP profile": PerUser(had, ones),
        "GAP list": PerUser(got, ones),
        "n": float(ones.sum()),
    }


def _class_shares(evaluation: Evaluation, lists: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return head, mid and tail shares of profiles and of lists, shape (t, 3) each; zeros where there is neither."""
    head, tail = evaluation.most_popular(1), evaluation.tail
    classes = np.stack([head, ~head & ~tail, tail], axis=1).astype(np.float64)
    listed = np.concatenate([classes, np.zeros((1, 3))])[lists].sum(axis=1)
    lengths = list_lengths(lists, len(classes))
    profiles = evaluation.over_profiles(classes) / np.maximum(evaluation.profile_sizes, 1)[:, np.newaxis]
    return profiles, listed / np.maximum(lengths, 1)[:, np.newaxis]


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Jensen-Shannon divergence of each row, shapes (t, c) -> (t,), in bits."""
    return np.maximum(_entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2, 0)


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy of each row of shares, shape (t, c) -> (t,), in bits."""
    logarithms = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    bits: NDArray[np.float64] = -np.einsum("tc,tc->t", shares, logarithms)
    return bits


def _mean_of_group_means(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average the means of groups that have users: sums of values, then of users, shape (c, 6) -> (c,)."""
    values, users = np.split(sums, 2, axis=1)
    present = users > 0
    means = np.divide(values, users, out=np.zeros_like(values), where=present)
    counts = present.sum(axis=1)
    averages: NDArray[np.float64] = means.sum(axis=1) / np.where(counts == 0, np.nan, counts)
    return averages
