"""Sentences around the tables: the conditions of a result group and the definitions of its metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from cfbench.records.record import Definition, RunConditions
from cfbench.reporting.table import BETTER

_ORDER = ("formula", "averaging", "candidates", "relevance", "clipping", "cold_policy", "source")


def condition_sentences(conditions: Sequence[RunConditions]) -> list[str]:
    """Return what all models of a table had in common: those of one split, or of the points of a curve."""
    if not conditions:
        return []
    first, last = conditions[0], conditions[-1]
    counts, end_counts = _counts(first), _counts(last)
    sentences = []
    if first.n_given is not None:
        points = ", ".join(f"{_counts(one)['train_rows']} at s={one.n_given}" for one in conditions)
        sentences.append(
            f"A curve over the ratings given back (s) of the held-out: {points} training ratings; the same "
            f"{counts['test_rows']} test ratings of {counts['test_users']} users at every s. What "
            f"follows is of s={first.n_given}, where nothing or least is known of the held-out; at s={last.n_given} "
            f"training has {end_counts['train_users']} users and {end_counts['train_items']} items."
        )
    if first.preprocessing:
        sentences.append(f"Preprocessed before splitting: {'; then '.join(first.preprocessing)}.")
    on_average = " (means over folds)" if first.folds > 1 else ""
    sentences += [
        f"{counts['train_rows']} training ratings of {counts['train_users']} users and {counts['train_items']} items; "
        f"{counts['test_rows']} test ratings of {counts['test_users']} users, {counts['test_rows_of_unknown_users']} "
        f"of them by users and {counts['test_rows_of_unknown_items']} of items that training has never seen"
        f"{on_average}.",
        f"Ratings {first.scale}; relevant from {first.relevant_from:g}, so that "
        f"{counts['test_users_with_a_relevant_item']} test users count in ranking accuracy; where a model cannot say, "
        f"{first.fallback:.4f}, the training mean, stands in.",
        _activity_and_time(first.counts),
        f"Seed {first.seed}; {_times(first.folds, 'fold')}, {_times(first.repeats, 'fit')} of each model on "
        f"each; intervals from {first.resamples:,} resamples of users; cfbench {first.cfbench}.",
        f"Data: sha256 {first.fingerprint}; licence: {first.licence or 'not stated'}."
        + (f" Cite: {first.citation}" if first.citation else ""),
    ]
    return [sentence for sentence in sentences if sentence]


def _counts(conditions: RunConditions) -> Mapping[str, str]:
    """Return the counts as text; a count that another version did not record is a question mark."""
    return defaultdict(lambda: "?", {name: f"{value:,.0f}" for name, value in conditions.counts.items()})


def _activity_and_time(counts: Mapping[str, float]) -> str:
    """Return who made the training ratings and whether models know something of the future, where it was recorded."""
    sentences = []
    shares = [
        f"{counts[name]:.1%} by the most active {name.rpartition('_')[2]}"
        for name in counts
        if name.startswith("train_share_of_most_active_")
    ]
    if shares:
        sentences.append(f"Of the training ratings, {' and '.join(shares)} of users.")
    if "test_rows_not_after_training" in counts and counts.get("test_rows"):
        share = counts["test_rows_not_after_training"] / counts["test_rows"]
        sentences.append(
            f"{share:.1%} of the test ratings are older than, or as old as, the newest training rating: models know "
            "something of their future."
            if share
            else "Every test rating is newer than all training ratings."
        )
    return " ".join(sentences)


def _times(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def definition_sentence(definition: Definition) -> str:
    """Return a metric's contract as one sentence."""
    contract = definition.contract
    parts = ". ".join(contract[name].rstrip(".") for name in _ORDER if name in contract)
    better = BETTER.get(contract.get("direction", ""))
    return (f"{parts}; {better}" if better else parts) + "."
