"""What stands around the tables: the setting they were made in and the definitions of their metrics, as sentences."""

from __future__ import annotations

from collections.abc import Sequence

from cfbench.records.lines import Definition, RunConditions

_ORDER = ("formula", "averaging", "candidates", "relevance", "clipping", "cold_policy", "source")


class _Counts(dict[str, str]):
    """The counts of a setting as they are told; what another version did not count is a question mark."""

    @classmethod
    def of(cls, setting: RunConditions) -> _Counts:
        return cls({name: f"{value:,.0f}" for name, value in setting.counts.items()})

    def __missing__(self, name: str) -> str:
        return "?"


def condition_sentences(settings: Sequence[RunConditions]) -> list[str]:
    """Tell the conditions that all models of a table shared: of one setting, or of the points of a curve."""
    if not settings:
        return []
    sentences = setting_sentences(settings[0])
    if settings[0].n_given is None:
        return sentences
    first, last = settings[0], settings[-1]
    counts, ends = _Counts.of(first), _Counts.of(last)
    points = ", ".join(f"{_Counts.of(one)['train_rows']} at s={one.n_given}" for one in settings)
    about_curve = (
        f"A curve over the ratings given back (s) of the held-out: {points} training ratings; the same "
        f"{counts['test_rows']} test ratings of {counts['test_users']} users at every s. What "
        f"follows is of s={first.n_given}, where nothing or least is known of the held-out; at s={last.n_given} "
        f"training has {ends['train_users']} users and {ends['train_items']} items."
    )
    return [about_curve, *sentences]


def setting_sentences(setting: RunConditions) -> list[str]:
    """Tell the conditions that all models of a table shared."""
    counts = _Counts.of(setting)
    on_average = " (means over folds)" if setting.folds > 1 else ""
    preprocessed = [f"Preprocessed before splitting: {'; then '.join(setting.preprocessing)}."]
    return [
        *(preprocessed if setting.preprocessing else []),
        f"{counts['train_rows']} training ratings of {counts['train_users']} users and {counts['train_items']} items; "
        f"{counts['test_rows']} test ratings of {counts['test_users']} users, {counts['test_rows_of_unknown_users']} "
        f"of them by users and {counts['test_rows_of_unknown_items']} of items that training has never seen"
        f"{on_average}.",
        f"Ratings {setting.scale}; relevant from {setting.relevant_from:g}, so that "
        f"{counts['test_users_with_a_relevant_item']} test users count in ranking accuracy; where a model cannot say, "
        f"{setting.fallback:.4f}, the training mean, stands in.",
        *_context(setting),
        f"Seed {setting.seed}; {_times(setting.folds, 'fold')}, {_times(setting.repeats, 'fit')} of each model on "
        f"each; intervals from {setting.resamples:,} resamples of users; cfbench {setting.cfbench}.",
        f"Data: sha256 {setting.fingerprint}; licence: {setting.licence or 'not stated'}."
        + (f" Cite: {setting.citation}" if setting.citation else ""),
    ]


def _context(setting: RunConditions) -> list[str]:
    """Tell who made the training ratings and whether they know the future, where it was recorded."""
    shares = [
        f"{setting.counts[name]:.1%} by the most active {name.rpartition('_')[2]}"
        for name in setting.counts
        if name.startswith("train_share_of_most_active_")
    ]
    told = [f"Of the training ratings, {' and '.join(shares)} of users."] if shares else []
    if "test_rows_not_after_training" in setting.counts and setting.counts.get("test_rows"):
        share = setting.counts["test_rows_not_after_training"] / setting.counts["test_rows"]
        told.append(
            f"{share:.1%} of the test ratings are older than, or as old as, the newest training rating: models know "
            "something of their future."
            if share
            else "Every test rating is newer than all training ratings."
        )
    return [" ".join(told)] if told else []


def definition_sentence(definition: Definition) -> str:
    """State a metric's contract in one sentence."""
    contract = definition.contract
    parts = [contract[name].rstrip(".") for name in _ORDER if name in contract]
    better = [BETTER[direction] for direction in (contract.get("direction"),) if direction in BETTER]
    return "; ".join([". ".join(parts), *better]) + "."


def _times(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


BETTER = {"lower": "lower is better", "higher": "higher is better"}
"""By a contract's direction; what is missing has no better."""
